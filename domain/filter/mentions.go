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
	return checkNamed(f.Root(), tags, groups)
}

func checkNamed(n Node, tags, groups func(uuid.UUID) bool) error {
	switch n := n.(type) {
	case All:
		return checkParts(n, tags, groups)
	case Any:
		return checkParts(n, tags, groups)
	case Not:
		return checkNamed(n.Node, tags, groups)
	case *Condition:
		known, code := tags, domain.CodeTagUnknown
		switch n.Field {
		case "tags":
		case "groups":
			known, code = groups, domain.CodeGroupUnknown
		default:
			return nil
		}
		if i := slices.IndexFunc(n.IDs, func(id uuid.UUID) bool { return !known(id) }); i >= 0 {
			return domain.Refuse(code).At(fmt.Sprintf("%s.value[%d]", n.Path, i))
		}
	}
	return nil
}

func checkParts(parts []Node, tags, groups func(uuid.UUID) bool) error {
	for _, part := range parts {
		if err := checkNamed(part, tags, groups); err != nil {
			return err
		}
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
	var node struct {
		All, Any []json.RawMessage
		Not      json.RawMessage
		Field    string
		Value    json.RawMessage
	}
	if json.Unmarshal(raw, &node) != nil {
		return // nothing that could be read
	}
	for _, part := range slices.Concat(node.All, node.Any) {
		m.in(part)
	}
	if node.Not != nil {
		m.in(node.Not)
	}
	if node.Field == "" {
		return
	}
	var one string
	var several []json.RawMessage
	values := m[node.Field] // there, if only to say that the field is read
	if json.Unmarshal(node.Value, &one) == nil {
		values = append(values, one)
	} else if json.Unmarshal(node.Value, &several) == nil {
		for _, v := range several {
			if json.Unmarshal(v, &one) == nil {
				values = append(values, one)
			}
		}
	}
	m[node.Field] = values
}
