package projections

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/group"
)

// exportColumn makes the cells of a column.
type exportColumn struct {
	from int // the first of its values
	// write appends a cell. values begins with those of the column, as the database sends them; none is nil.
	write func(cell []byte, ordinal int64, values [][]byte) ([]byte, error)
}

// exportNames are the catalogues that cells are written with.
type exportNames struct {
	fields field.State
	groups group.State
	tags   map[uuid.UUID]string
}

func (c *Customers) exportNames(ctx context.Context, tenant string) (n exportNames, err error) {
	if n.fields, _, err = c.catalogues.Fields(ctx, tenant); err != nil {
		return n, err
	}
	n.groups, _, err = c.catalogues.Groups(ctx, tenant)
	return n, err
}

const (
	columnGroups = "groups"
	// cellSeparator stands between the tags or groups of a cell. No tag has one in its name.
	cellSeparator = ','
)

// plan says what is read for the columns, and how it is written.
func (e *export) plan(l *listing, q *ExportQuery, names exportNames) error {
	e.args = arguments{e.tenant}
	e.cells = make([]string, len(q.Columns))
	clock := newCellClock(q.Calendar.Zone)
	for _, name := range q.Columns {
		column := exportColumn{from: len(e.wanted)}
		switch name {
		case "external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description":
			e.want(fromCustomer, "b."+name)
			column.write = writeText
		case "association":
			e.want(fromCustomer, "b."+name)
			column.write = writeNumber
		case "channel":
			e.want(fromCustomer, "b."+name)
			column.write = writeWord("channel", q.Word)
		case "created_via":
			e.want(fromCustomer, "b."+name)
			column.write = writeWord("via", q.Word)
		case "created_at", "updated_at":
			e.want(fromCustomer, "b."+name)
			column.write = clock.write
		case "first_session_at", "last_session_at", "last_message_at":
			e.want(fromActivity, "b."+name)
			column.write = clock.write
		case "tags":
			e.want(fromCustomer, "b.tags")
			column.write = writeTags(names.tags)
		case columnGroups:
			groups, err := newExportGroups(e.answer, l.question.groups, &names.groups)
			if err != nil {
				return err
			}
			e.groups, column.write = groups, groups.write
		case "last_agent":
			e.want(fromActivity, "b.last_agent")
			column.write = writeText
		case "session_count", "message_count", "suppressed_count":
			e.want(fromActivity, "b."+name)
			column.write = writeNumber
		case "rating_avg":
			e.want(fromActivity, "b.rating_sum")
			e.want(fromActivity, "b.rating_count")
			column.write = writeAverage
		case "rating_last":
			e.want(fromActivity, "nullif(b.rating_last, 0)")
			column.write = writeNumber
		case "session_open":
			e.want(fromActivity, "b.open_session is not null")
			column.write = writeYesNo(q.Word)
		case "ever_served": // whoever was served was served by somebody last
			e.want(fromActivity, "b.last_agent <> ''")
			column.write = writeYesNo(q.Word)
		case "imported":
			e.want(fromCustomer, fmt.Sprintf("b.created_via = '%s'", customer.ViaImport))
			column.write = writeYesNo(q.Word)
		case "blacklisted":
			e.want(fromListing, "true")
			column.write = writeYesNo(q.Word)
		case "blacklisted_at":
			e.want(fromListing, "b.since")
			column.write = clock.write
		default:
			key := custom(name)
			if key == "" {
				return ErrColumn
			}
			column.write = e.custom(key, &names.fields)
		}
		e.columns = append(e.columns, column)
	}
	if len(e.selected[fromListing]) > 0 {
		e.counting = fmt.Sprintf("(b.expires_at is null or b.expires_at > %s)", e.args.bind(l.question.at))
	}
	return nil
}

// custom is how the values of a custom field are written. Rows keep those of fields that are gone or disabled, and options that are gone.
func (e *export) custom(key string, fields *field.State) func([]byte, int64, [][]byte) ([]byte, error) {
	f, found := fields.Find(key)
	if !found || f.System || f.Disabled {
		return func(cell []byte, _ int64, _ [][]byte) ([]byte, error) { return cell, nil }
	}
	switch f.Type {
	case field.TypeSelect, field.TypeMultiSelect, field.TypeCascade:
		e.want(fromCustomer, fmt.Sprintf("(b.custom -> %s)::text", e.args.bind(key)))
		return writeMade(func(raw string) (string, error) {
			var value any
			if json.Unmarshal([]byte(raw), &value) != nil {
				return "", errors.New("projections: a custom field that is no JSON")
			}
			visible, set := fields.Visible(map[string]any{key: value})[key]
			if !set {
				return "", nil
			}
			return fields.Shown(key, visible), nil
		})
	}
	e.want(fromCustomer, fmt.Sprintf("b.custom ->> %s", e.args.bind(key)))
	return writeText // as field.State.Shown has it
}

// writeMade writes what is made of a text. Most customers have chosen the same.
func writeMade(made func(raw string) (string, error)) func([]byte, int64, [][]byte) ([]byte, error) {
	const most = 10_000
	known := map[string]string{}
	return func(cell []byte, _ int64, values [][]byte) ([]byte, error) {
		if values[0] == nil {
			return cell, nil
		}
		text, found := known[string(values[0])]
		if !found {
			var err error
			if text, err = made(string(values[0])); err != nil {
				return cell, err
			}
			if len(known) < most {
				known[string(values[0])] = text
			}
		}
		return append(cell, text...), nil
	}
}

func writeText(cell []byte, _ int64, values [][]byte) ([]byte, error) {
	return append(cell, values[0]...), nil
}

func writeNumber(cell []byte, _ int64, values [][]byte) ([]byte, error) {
	if values[0] == nil {
		return cell, nil
	}
	return strconv.AppendInt(cell, int64(int32(binary.BigEndian.Uint32(values[0]))), 10), nil
}

// writeAverage rounds as scanCustomer does.
func writeAverage(cell []byte, _ int64, values [][]byte) ([]byte, error) {
	sum, n := binary.BigEndian.Uint32(values[0]), binary.BigEndian.Uint32(values[1])
	if n == 0 {
		return cell, nil
	}
	return strconv.AppendFloat(cell, math.Round(float64(sum)/float64(n)*100)/100, 'f', -1, 64), nil
}

func writeWord(kind string, word func(kind, value string) string) func([]byte, int64, [][]byte) ([]byte, error) {
	return writeMade(func(value string) (string, error) { return word(kind, value), nil })
}

// writeYesNo takes no value for no.
func writeYesNo(word func(kind, value string) string) func([]byte, int64, [][]byte) ([]byte, error) {
	yes, no := word("bool", "true"), word("bool", "false")
	return func(cell []byte, _ int64, values [][]byte) ([]byte, error) {
		if len(values[0]) == 1 && values[0][0] != 0 {
			return append(cell, yes...), nil
		}
		return append(cell, no...), nil
	}
}

// writeTags writes the names of an array of tags, but for those that have left the catalogue.
func writeTags(names map[uuid.UUID]string) func([]byte, int64, [][]byte) ([]byte, error) {
	const (
		head    = 20     // dimensions, flags, type, length, lower bound; of an empty array less
		element = 4 + 16 // length, value
	)
	return func(cell []byte, _ int64, values [][]byte) ([]byte, error) {
		first := true
		for array := values[0]; len(array) >= head+element; array = array[element:] {
			name, known := names[uuid.UUID(array[head+4:head+element])]
			if !known {
				continue
			}
			if !first {
				cell = append(cell, cellSeparator)
			}
			cell, first = append(cell, name...), false
		}
		return cell, nil
	}
}
