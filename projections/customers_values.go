package projections

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/projections/projector"
)

// This file keeps what customers have in custom fields of the types text, number and date, in the order of the values: for lists that are
// sorted by such a field, and for conditions that say from where to where a value lies.

type customFieldRow struct{ Key, Type string }

type customerValueRow struct {
	ID      uuid.UUID // see valueID
	Field   int64     // see valueField
	Ordinal int64
	Key     []byte // never nil
}

func newCustomFields() *projector.Rows[string, customFieldRow] {
	type r = customFieldRow
	return projector.NewRows("custom_field", "key", "text", func(r *r) *string { return &r.Key },
		projector.Value("type", "text", func(r *r) *string { return &r.Type })).Whole()
}

func newCustomerValues() *projector.Rows[uuid.UUID, customerValueRow] {
	type r = customerValueRow
	return projector.NewRows("customer_value", "id", "uuid", func(r *r) *uuid.UUID { return &r.ID },
		projector.Value("field", "bigint", func(r *r) *int64 { return &r.Field }),
		projector.Value("ordinal", "bigint", func(r *r) *int64 { return &r.Ordinal }),
		projector.Value("key", "bytea", func(r *r) *[]byte { return &r.Key }),
	)
}

// valueField is the number of a custom field in customer_value: that of the set of those who have it set.
func valueField(key string) int64 { return facet(facetSet, field.Prefix+key) }

// valueID is the primary key of a customer's value of a field.
func valueID(field, ordinal int64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(field))
	binary.BigEndian.PutUint64(id[8:], uint64(ordinal))
	return id
}

// fieldAdded notes a field that customers can be sorted by. A field is known before anybody has a value of it.
func (f *customersFold) fieldAdded(added field.Added) {
	if field.Ordered(added.Type) {
		f.fields.Put(customFieldRow{Key: added.Field, Type: added.Type})
	}
}

// revalue brings a customer's values into the order, out of it, and to another place.
func (f *customersFold) revalue(ordinal int64, before, after map[string]any) {
	for key, value := range before {
		if f.valueKey(key, value) != nil && f.valueKey(key, after[key]) == nil {
			f.values.Delete(valueID(valueField(key), ordinal))
		}
	}
	for key, value := range after {
		was, is := f.valueKey(key, before[key]), f.valueKey(key, value)
		number := valueField(key)
		row := customerValueRow{ID: valueID(number, ordinal), Field: number, Ordinal: ordinal, Key: is}
		switch {
		case is == nil:
		case was == nil:
			f.values.Create(row)
		case !bytes.Equal(was, is):
			f.values.Put(row)
		}
	}
}

// valueKey is the key by which a value of a custom field is sorted; nil without one, and for a field that has no order.
func (f *customersFold) valueKey(key string, value any) []byte {
	if of, ordered := f.fields.Peek(key); ordered {
		return f.order.value(of.Type, value)
	}
	return nil
}

// value is the key by which a value of a custom field of that type is sorted, to be compared byte by byte. It is nil without a value, and
// for what is no value of the type, which nothing that checks values lets in.
func (o nicknameOrder) value(kind string, value any) []byte {
	var written string
	switch value := value.(type) {
	case string:
		written = value
	case json.Number:
		written = value.String()
	default:
		return nil
	}
	switch kind {
	case field.TypeText:
		return o.key(written)
	case field.TypeDate:
		return []byte(written)
	case field.TypeNumber:
		if d, ok := filter.ParseDecimal(written); ok {
			return decimalKey(d)
		}
	}
	return nil
}

// decimalKey is a key that is before another one if the number is less. d is in the form that filter.ParseDecimal gives it, so that a number
// has one key.
//
// It is a sign, how many digits there are before the point, and all digits: of two numbers with as many before the point, the digits
// decide from left to right. All but the sign is complemented for a negative number, and an end is put behind it, because of two such
// numbers that begin alike the longer one is less.
func decimalKey(d filter.Decimal) []byte {
	digits, negative := strings.CutPrefix(string(d), "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	key := append([]byte{positiveKey, byte(len(whole))}, whole+fraction...)
	if !negative {
		return key
	}
	key[0] = negativeKey
	for i := 1; i < len(key); i++ {
		key[i] = ^key[i]
	}
	return append(key, 0xff)
}

// Signs of the keys of numbers.
const (
	negativeKey byte = 1
	positiveKey byte = 2
)

// halves are the customers of the answer with a value of a field, and those without one. What is found out about one half is known of the
// answer. They are asked one after the other, and before anything is asked of the answer itself.
func (a *answer) halves(field int64) (with, without *answer) {
	set := &setNode{table: setTable{a.schema, "customer_bits", "facet"}, keys: []int64{field}, rows: map[int]*bitmap{}}
	a.sets = append(a.sets, set)
	half := func(of node) *answer {
		half := *a
		half.root, half.spans = all(of, a.root), map[int]span{}
		return &half
	}
	return half(set), half(not(set))
}
