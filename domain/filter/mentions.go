package filter

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"customercenter/domain"
)

// CheckNamed refuses a filter that names a tag (TAG_UNKNOWN) or a group (GROUP_UNKNOWN) that does not exist, with the path of the first
// one: filter.all[0].value[1].
func (f *Filter) CheckNamed(tags, groups func(uuid.UUID) bool) error {
	return eachNamed(f.Root(), false, func(c *Condition, _ bool) error { return c.checkNamed(tags, groups) })
}

// CheckSpared refuses as CheckNamed does, but only what leaves customers out by a tag or a group that does not exist: as nobody has it, they would be found.
// Elsewhere nobody is found by it.
func (f *Filter) CheckSpared(tags, groups func(uuid.UUID) bool) error {
	return eachNamed(f.Root(), false, func(c *Condition, negated bool) error {
		if (c.Op == HasNone) == negated {
			return nil
		}
		return c.checkNamed(tags, groups)
	})
}

// eachNamed tells the conditions below a node until one is refused, and whether an odd number of nots is above each.
func eachNamed(n Node, negated bool, check func(c *Condition, negated bool) error) error {
	var parts []Node
	switch n := n.(type) {
	case All:
		parts = n
	case Any:
		parts = n
	case Not:
		return eachNamed(n.Node, !negated, check)
	case *Condition:
		return check(n, negated)
	}
	for _, part := range parts {
		if err := eachNamed(part, negated, check); err != nil {
			return err
		}
	}
	return nil
}

func (c *Condition) checkNamed(tags, groups func(uuid.UUID) bool) error {
	known, code := tags, domain.CodeTagUnknown
	switch c.Field {
	case "tags":
	case "groups":
		known, code = groups, domain.CodeGroupUnknown
	default:
		return nil
	}
	if i := slices.IndexFunc(c.IDs, func(id uuid.UUID) bool { return !known(id) }); i >= 0 {
		return domain.Refuse(code).At(fmt.Sprintf("%s.value[%d]", c.Path, i))
	}
	return nil
}

// Mentioned are the texts that a stored filter compares with, by field.
type Mentioned map[string][]string

// Field reports whether the filter reads a field.
func (m Mentioned) Field(name string) bool {
	_, reads := m[name]
	return reads
}

// Value reports whether the filter compares a field with a text: for a choice, with that option.
func (m Mentioned) Value(field, value string) bool { return slices.Contains(m[field], value) }

// Personal reports whether the filter reads personal data, as Filter.Personal does; fields that are not known count as such.
func (m Mentioned) Personal() bool {
	for name := range m {
		if f, known := fields[name]; !known || f.kind == Text {
			return true
		}
	}
	return false
}

// Mentions tells what a filter in its canonical form names, without the catalogue of fields that Parse needs: it is for asking whether
// an entry of that catalogue may go.
func Mentions(canonical json.RawMessage) Mentioned {
	found := Mentioned{}
	found.in(canonical)
	return found
}

func (m Mentioned) in(raw json.RawMessage) {
	eachStored(raw, func(field string, _ Op, value json.RawMessage) {
		var one string
		var several []json.RawMessage
		values := m[field] // there, if only to say that the field is read
		if json.Unmarshal(value, &one) == nil {
			values = append(values, one)
		} else if json.Unmarshal(value, &several) == nil {
			for _, v := range several {
				if json.Unmarshal(v, &one) == nil {
					values = append(values, one)
				}
			}
		}
		m[field] = values
	})
}

// eachStored tells the conditions of a filter in its canonical form.
func eachStored(raw json.RawMessage, tell func(field string, op Op, value json.RawMessage)) {
	var node struct {
		All, Any []json.RawMessage
		Not      json.RawMessage
		Field    string
		Op       Op
		Value    json.RawMessage
	}
	if json.Unmarshal(raw, &node) != nil {
		return // nothing that could be read
	}
	for _, part := range slices.Concat(node.All, node.Any) {
		eachStored(part, tell)
	}
	if node.Not != nil {
		eachStored(node.Not, tell)
	}
	if node.Field != "" {
		tell(node.Field, node.Op, node.Value)
	}
}

// AsksEmpty reports whether a filter in its canonical form asks who has nothing of a set: such an answer depends on every entry there is, though it
// names none.
func AsksEmpty(canonical json.RawMessage, set string) (asks bool) {
	eachStored(canonical, func(field string, op Op, _ json.RawMessage) { asks = asks || field == set && op == IsEmpty })
	return asks
}

// DependsOn reports whether whom a filter in its canonical form finds may be others when an entry of a set goes away: when the tag or the group of that
// id is deleted.
func DependsOn(canonical json.RawMessage, set, id string) bool {
	return Mentions(canonical).Value(set, id) || AsksEmpty(canonical, set)
}
