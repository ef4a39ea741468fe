package filter

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// JSON is the filter in its canonical form: members in one order, texts trimmed, numbers and times in their shortest form. Parse of it
// gives the same tree, and filters that differ only in how they were written have the same.
func (f *Filter) JSON() json.RawMessage {
	if f.root == nil {
		return json.RawMessage("{}")
	}
	return encode(tree(f.root))
}

// JSON is the condition alone, in its canonical form.
func (c *Condition) JSON() json.RawMessage { return encode(tree(c)) }

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("filter: " + err.Error()) // texts, numbers and lists of them: there is nothing that could not be written
	}
	return raw
}

// canonical is a condition in JSON.
type canonical struct {
	Field string `json:"field"`
	Op    Op     `json:"op"`
	Value any    `json:"value,omitempty"`
	Unset bool   `json:"unset,omitempty"`
}

// tree is a node as encoding/json writes it.
func tree(n Node) any {
	switch n := n.(type) {
	case All:
		return map[string]any{"all": trees(n)}
	case Any:
		return map[string]any{"any": trees(n)}
	case Not:
		return map[string]any{"not": tree(n.Node)}
	case *Condition:
		return canonical{Field: n.Field, Op: n.Op, Value: n.value(), Unset: n.Unset}
	}
	return nil
}

func trees(parts []Node) []any {
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = tree(part)
	}
	return out
}

// value is what the condition compares with, as encoding/json writes it; nil if nothing.
func (c *Condition) value() any {
	if !c.takesValue() {
		return nil
	}
	switch c.Kind {
	case Text:
		if c.Op == In {
			return c.Typed
		}
		return c.Typed[0]
	case Number:
		if c.Op == Between {
			return map[string]json.Number{"from": json.Number(c.Numbers[0]), "to": json.Number(c.Numbers[1])}
		}
		return json.Number(c.Numbers[0])
	case Time:
		return c.timeValue()
	case Choice:
		if c.Field != "association" {
			return c.Choices
		}
		numbers := make([]json.Number, len(c.Choices))
		for i, id := range c.Choices {
			numbers[i] = json.Number(id)
		}
		return numbers
	case Set:
		return c.IDs
	}
	return c.Yes
}

func (c *Condition) timeValue() any {
	switch c.Op {
	case Before:
		return c.To
	case After:
		return c.From
	case Between:
		return map[string]time.Time{"from": c.From, "to": c.To}
	case In:
		return map[string]string{"period": c.Period}
	}
	return map[string]int{c.Unit: c.Amount}
}

// conditions calls yield for every condition, in the order of the tree.
func conditions(n Node, yield func(*Condition)) {
	switch n := n.(type) {
	case All:
		for _, part := range n {
			conditions(part, yield)
		}
	case Any:
		for _, part := range n {
			conditions(part, yield)
		}
	case Not:
		conditions(n.Node, yield)
	case *Condition:
		yield(n)
	}
}

// Fields are the names of the fields that the filter reads, sorted, each once. For AnyText they are the fields that it looks into.
func (f *Filter) Fields() []string {
	names := []string{}
	conditions(f.root, func(c *Condition) {
		if c.Field == AnyText {
			names = append(names, AnyTextFields()...)
		} else {
			names = append(names, c.Field)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// References are what the filter names of the catalogues: tags, groups, and options by the key of their custom field (without "custom.").
// Each is there once, in the order of the tree.
func (f *Filter) References() (tags, groups []uuid.UUID, options map[string][]string) {
	options = map[string][]string{}
	conditions(f.root, func(c *Condition) {
		key, custom := strings.CutPrefix(c.Field, customPrefix)
		switch {
		case c.Field == "tags":
			tags = addNew(tags, c.IDs)
		case c.Field == "groups":
			groups = addNew(groups, c.IDs)
		case custom && c.Kind == Choice && len(c.Choices) > 0:
			options[key] = addNew(options[key], c.Choices)
		}
	})
	return tags, groups, options
}

func addNew[T comparable](have, more []T) []T {
	for _, v := range more {
		if !slices.Contains(have, v) {
			have = append(have, v)
		}
	}
	return have
}

// Personal reports whether the filter reads personal data: the texts of a profile and custom fields.
func (f *Filter) Personal() bool {
	personal := false
	conditions(f.root, func(c *Condition) {
		personal = personal || isPersonal(c.Kind, c.Field)
	})
	return personal
}

func isPersonal(kind Kind, field string) bool {
	return kind == Text || strings.HasPrefix(field, customPrefix)
}
