package projections

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
)

func TestKeysOfNumbersAreInTheirOrder(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) filter.Decimal {
		d, ok := filter.ParseDecimal(rapid.StringMatching(`-?[0-9]{1,8}(\.[0-9]{1,7})?`).Draw(t, "number"))
		if !ok {
			t.Fatal("no number")
		}
		return d
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		if rapid.Bool().Draw(t, "beside") { // differ late
			b, _ = filter.ParseDecimal(string(a) + rapid.SampledFrom([]string{"0", "1", "9", "e-1", "e1"}).Draw(t, "more"))
		}
		if got, want := bytes.Compare(decimalKey(a), decimalKey(b)), a.Compare(b); b != "" && got != want {
			t.Fatalf("%s is to %s as %d, want %d", a, b, got, want)
		}
	})
	var before []byte
	for _, n := range []filter.Decimal{"-9999999999999999", "-100", "-12", "-11.5", "-11", "-2", "-1.25", "-1.2", "-1", "-0.5", "-0.000000000000001",
		"0", "0.000000000000001", "0.5", "1", "1.2", "1.25", "2", "11", "11.5", "12", "100", "9999999999999999"} {
		key := decimalKey(n)
		if bytes.Compare(before, key) >= 0 {
			t.Errorf("%s is not after what is less", n)
		}
		before = key
	}
}

func TestWhatHasNoPlace(t *testing.T) {
	o := newNicknameOrder()
	for _, c := range []struct {
		kind  string
		value any
	}{{field.TypeNumber, "XL"}, {field.TypeNumber, true}, {field.TypeText, []any{"a"}}, {field.TypeText, nil}, {field.TypeSelect, "o1"}, {field.TypeDate, 1.5}} {
		if key := o.value(c.kind, c.value); key != nil {
			t.Errorf("%v of type %s has the place %x", c.value, c.kind, key)
		}
	}
	if a, b := o.value(field.TypeNumber, json.Number("1e1")), o.value(field.TypeNumber, "10"); !bytes.Equal(a, b) || a == nil {
		t.Errorf("a number has two places: %x and %x", a, b)
	}
}

// values reads who has which value, by ordinal and key of the field.
func (f *fed) values(fields ...string) map[int64]map[string][]byte {
	f.t.Helper()
	names := map[int64]string{}
	for _, key := range fields {
		names[valueField(key)] = key
	}
	rows, err := f.store.Pool().Query(f.t.Context(), in(f.sync().Schema, `select id, field, ordinal, key from $.customer_value where tenant = 'acme'`))
	if err != nil {
		f.t.Fatal(err)
	}
	all := map[int64]map[string][]byte{}
	var row customerValueRow
	if _, err := pgx.ForEachRow(rows, []any{&row.ID, &row.Field, &row.Ordinal, &row.Key}, func() error {
		if row.ID != valueID(row.Field, row.Ordinal) {
			f.t.Errorf("the row of %+v has another id", row)
		}
		if all[row.Ordinal] == nil {
			all[row.Ordinal] = map[string][]byte{}
		}
		all[row.Ordinal][cmp.Or(names[row.Field], "unknown")] = slices.Clone(row.Key)
		return nil
	}); err != nil {
		f.t.Fatal(err)
	}
	return all
}

func TestValuesFollowWhatHappens(t *testing.T) {
	f := newFed(t)
	o := newNicknameOrder()
	for key, kind := range map[string]string{"size": field.TypeText, "age": field.TypeNumber, "since": field.TypeDate, "note": field.TypeMultiline,
		"level": field.TypeSelect, "likes": field.TypeMultiSelect, "city": field.TypeCascade} {
		f.append(field.Stream, uuid.Nil, field.Added{Field: key, Type: kind, Label: key})
	}
	want := func(ordinal int64, values map[string]string) {
		t.Helper()
		types := map[string]string{"size": field.TypeText, "age": field.TypeNumber, "since": field.TypeDate}
		keys := map[string][]byte{}
		for key, value := range values {
			keys[key] = o.value(types[key], value)
		}
		if got := f.values(slices.Collect(maps.Keys(types))...)[ordinal]; !maps.EqualFunc(got, keys, bytes.Equal) {
			t.Fatalf("customer %d has the values %x, want %x", ordinal, got, keys)
		}
	}
	id := uuid.New()
	own := customer.Stream(id)
	f.append(own, id, customer.Created{Association: 1, Channel: "app", ExternalID: "visitor", Via: "inbound", Generation: 1,
		Profile: customer.Profile{Nickname: "王", Custom: map[string]any{
			"size": "o1", "age": "-41.5", "since": "2026-11-01", "note": "a\nb", "level": "o1", "likes": []any{"o1", "o3"}, "city": []any{"o2"}}}})
	want(1, map[string]string{"size": "o1", "age": "-41.5", "since": "2026-11-01"})

	change := func(key string, from, to any) customer.ProfileChanged {
		return customer.ProfileChanged{Fields: map[string]customer.Change{key: {Old: from, New: to}}}
	}
	f.append(own, id, change("custom.age", "-41.5", "42"), change("custom.size", "o1", nil), change("custom.level", "o1", "o2"), change("phone", nil, "138"))
	want(1, map[string]string{"age": "42", "since": "2026-11-01"})
	f.append(own, id, change("custom.size", nil, "XL"), change("custom.since", "2026-11-01", nil), change("custom.since", nil, "2026-11-02"))
	want(1, map[string]string{"size": "XL", "age": "42", "since": "2026-11-02"})
	f.append(own, id, change("custom.size", "XL", "ＸＬ")) // the same place
	want(1, map[string]string{"size": "xl", "age": "42", "since": "2026-11-02"})
	f.sameAsRebuilt()

	f.append(own, id, customer.Created{Association: 1, Channel: "app", ExternalID: "visitor", Via: "api", Generation: 2,
		Profile: customer.Profile{Nickname: "王", Custom: map[string]any{"age": "7"}}})
	want(1, nil)
	want(2, map[string]string{"age": "7"})

	// Folded anew, after rows that could not be read, and with what happened meanwhile.
	b := f.sync()
	spoil := func(custom string) {
		t.Helper()
		if _, err := f.store.Pool().Exec(t.Context(), in(b.Schema, `update $.customer set custom = $1`), custom); err != nil {
			t.Fatal(err)
		}
	}
	spoil(`[]`)
	if _, err := f.store.Pool().Exec(t.Context(), `update projection_checkpoints set revision = revision + 1`); err != nil { // nobody goes on with the rows in memory
		t.Fatal(err)
	}
	f.append(own, id, change("custom.age", "7", "8"), change("custom.size", nil, "S"))
	want(2, map[string]string{"age": "7"})
	spoil(`{"age": "7"}`)
	if n, err := f.projector.Retry(t.Context(), CustomersName, "acme", id); n != 1 || err != nil {
		t.Fatalf("folded anew in %d builds, %v", n, err)
	}
	want(1, nil)
	want(2, map[string]string{"age": "8", "size": "S"})

	f.append(field.Stream, uuid.Nil, field.Removed{Field: "age"})
	f.append(own, id, change("custom.size", "S", "M"))
	want(2, map[string]string{"age": "8", "size": "M"}) // what is removed keeps its values, as the profile does
	f.sameAsRebuilt()

	f.append(own, id, customer.Withdrawn{})
	want(2, nil)
	f.sameAsRebuilt()
	f.append(own, id, customer.Created{Association: 1, Channel: "app", ExternalID: "visitor", Via: "api", Generation: 3,
		Profile: customer.Profile{Nickname: "王", Custom: map[string]any{"size": "L"}}})
	want(3, map[string]string{"size": "L"})
	f.sameAsRebuilt()
}

func TestListByCustomField(t *testing.T) {
	f := newFed(t)
	for _, key := range []string{"size", "note", "old"} {
		kind := field.TypeText
		if key == "note" {
			kind = field.TypeMultiline
		}
		f.append(field.Stream, uuid.Nil, field.Added{Field: key, Type: kind, Label: key})
	}
	f.append(field.Stream, uuid.Nil, field.Disabled{Field: "old"})
	ids := make([]uuid.UUID, 6)
	for i, size := range []any{"上海", nil, "北京", "XL", nil, "ｘｌ"} { // Běijīng is before Shànghǎi
		custom := map[string]any{"note": "n", "old": "o"}
		if size != nil {
			custom["size"] = size
		}
		ids[i] = uuid.New()
		f.append(customer.Stream(ids[i]), ids[i], customer.Created{Association: 1, Channel: "app", ExternalID: ids[i].String(), Via: "inbound", Generation: 1,
			Profile: customer.Profile{Nickname: "王", Custom: custom}})
	}
	f.sync()
	list := NewCustomers(f.store, f.projector, NewCatalogues(f.store))
	page := func(q ListQuery) Page {
		t.Helper()
		page, err := list.List(t.Context(), "acme", q)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	for sort, want := range map[string][]int64{"custom.size": {4, 6, 3, 1, 2, 5}, "-custom.size": {1, 3, 6, 4, 5, 2}} {
		if got := ordinalsOf(page(ListQuery{Sort: sort})); !slices.Equal(got, want) {
			t.Errorf("by %s: %v, want %v", sort, got, want)
		}
	}
	for _, sort := range []string{"custom.note", "custom.old", "-custom.colour", "custom.", "custom", "size"} {
		if _, err := list.List(t.Context(), "acme", ListQuery{Sort: sort}); !errors.Is(err, ErrSort) {
			t.Errorf("by %s: %v", sort, err)
		}
	}

	first := page(ListQuery{Sort: "custom.size", Limit: 2})
	if _, err := list.List(t.Context(), "acme", ListQuery{Sort: "-custom.size", Cursor: first.Next}); !errors.Is(err, ErrCursor) {
		t.Errorf("the cursor of the other direction: %v", err)
	}
	change := func(i int, from, to any) {
		t.Helper()
		f.append(customer.Stream(ids[i]), ids[i], customer.ProfileChanged{Fields: map[string]customer.Change{"custom.size": {Old: from, New: to}}})
		f.sync()
	}
	change(1, nil, "A") // goes before the page that was read
	if got := ordinalsOf(page(ListQuery{Sort: "custom.size", Cursor: first.Next})); !slices.Equal(got, []int64{3, 1, 5}) {
		t.Errorf("the rest is %v", got)
	}
	change(5, "ｘｌ", nil) // the last of the page that was read
	if _, err := list.List(t.Context(), "acme", ListQuery{Sort: "custom.size", Cursor: first.Next}); !errors.Is(err, ErrCursor) {
		t.Errorf("the cursor beyond who has no value any more: %v", err)
	}
}
