package projector

import (
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// Column is a column of a table whose rows are values of R.
type Column[R any] struct {
	name string
	// wire is the element type of the array that carries the column's values; they are cast to kind where it differs.
	wire, kind string
	array      func(rows []*R) any // the values of all rows as one array
	value      func(r *R) any      // the value of one row, for COPY
	into       func(r *R) any      // where a loaded value goes
}

// Value is a column of a scalar type. A nullable one has a pointer field.
func Value[R, V any](name, kind string, at func(*R) *V) Column[R] {
	return Column[R]{
		name: name, wire: kind, kind: kind,
		array: func(rows []*R) any {
			values := make([]V, len(rows))
			for i, r := range rows {
				values[i] = *at(r)
			}
			return array(values)
		},
		value: func(r *R) any { return scalar(*at(r)) },
		into:  func(r *R) any { return at(r) },
	}
}

// array is an array as the driver encodes it without a detour. Each element that is not of a type of its own, such as a UUID, would be made a
// text first.
func array[V any](values []V) any {
	switch values := any(values).(type) {
	case []uuid.UUID:
		ids := make(pgtype.FlatArray[pgtype.UUID], len(values))
		for i, id := range values {
			ids[i] = pgtype.UUID{Bytes: id, Valid: true}
		}
		return ids
	case []*uuid.UUID:
		ids := make(pgtype.FlatArray[pgtype.UUID], len(values))
		for i, id := range values {
			if id != nil {
				ids[i] = pgtype.UUID{Bytes: *id, Valid: true}
			}
		}
		return ids
	}
	return pgtype.FlatArray[V](values)
}

// scalar is a value as the driver encodes it without a detour.
func scalar(value any) any {
	switch value := value.(type) {
	case uuid.UUID:
		return pgtype.UUID{Bytes: value, Valid: true}
	case *uuid.UUID:
		if value == nil {
			return pgtype.UUID{}
		}
		return pgtype.UUID{Bytes: *value, Valid: true}
	}
	return value
}

// JSON is a jsonb column, not null, over a field that holds JSON text.
func JSON[R any](name string, at func(*R) *string) Column[R] { return jsonText(name, "jsonb", at) }

// PlainJSON is a json column, not null, over a field that holds JSON text. It is kept as it is, and costs half of jsonb to write and to read.
func PlainJSON[R any](name string, at func(*R) *string) Column[R] { return jsonText(name, "json", at) }

// jsonText is a column of JSON. Its values travel as text: in an array of their own type they would be parsed twice.
func jsonText[R any](name, kind string, at func(*R) *string) Column[R] {
	c := Value(name, kind, at)
	c.wire = "text"
	c.value = func(r *R) any { return []byte(*at(r)) }
	return c
}

// UUIDs is a column of type uuid[], not null. An array of arrays cannot be unnested row by row, so the values travel as text.
func UUIDs[R any](name string, at func(*R) *[]uuid.UUID) Column[R] {
	return list(name, "uuid[]", at, func(b []byte, id uuid.UUID) []byte { return append(b, id.String()...) })
}

// Bigints is a column of type bigint[], not null. See UUIDs.
func Bigints[R any](name string, at func(*R) *[]int64) Column[R] {
	return list(name, "bigint[]", at, func(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) })
}

// list is a column of arrays whose elements are written without quotes.
func list[R, V any](name, kind string, at func(*R) *[]V, element func([]byte, V) []byte) Column[R] {
	c := Value(name, kind, at)
	c.wire = "text"
	c.value = func(r *R) any {
		if elements := *at(r); elements != nil {
			return array(elements)
		}
		return array([]V{})
	}
	c.array = func(rows []*R) any {
		values := make([]string, len(rows))
		var b []byte
		for i, r := range rows {
			b = append(b[:0], '{')
			for n, e := range *at(r) {
				if n > 0 {
					b = append(b, ',')
				}
				b = element(b, e)
			}
			values[i] = string(append(b, '}'))
		}
		return array(values)
	}
	return c
}
