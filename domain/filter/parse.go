package filter

import (
	"fmt"

	"customercenter/domain"
)

// Parse reads a filter, strictly. path is what the locations of refusals begin with, such as "filter". Nothing at all, null and {} are
// everybody. l may be nil: no custom fields and no groups.
//
// Refused: VALIDATION, with the path of what is wrong, such as filter.all[2].any[0].value[3], and the rule that it breaks.
func Parse(raw []byte, l *Language, path string) (*Filter, error) {
	if len(raw) == 0 {
		return &Filter{}, nil
	}
	v, err := read(raw, path)
	if err != nil {
		return nil, err
	}
	if v.kind == null || v.kind == object && len(v.names) == 0 {
		return &Filter{}, nil
	}
	if l == nil {
		l = &Language{}
	}
	p := parser{language: l}
	root, err := p.node(&v, path, 0)
	if err != nil {
		return nil, err
	}
	f := &Filter{root: root}
	// What is stored is the canonical form, which is to be read again: composing characters and escaping some can make it longer, though
	// not by that much.
	if len(raw) > MaxSize/8 && len(f.JSON()) > MaxSize {
		return nil, domain.TooLong(path, MaxSize)
	}
	return f, nil
}

type parser struct {
	language *Language
	// open leaves the options of choices unchecked, for what was checked before.
	open       bool
	conditions int // so far; a group without parts counts as one
}

// node reads a group or a condition inside so many groups.
func (p *parser) node(v *value, path string, depth int) (Node, error) {
	if v.kind != object {
		return nil, domain.Invalid(path, domain.RuleTypeObject)
	}
	for _, group := range [...]string{"all", "any", "not"} {
		inner, ok := v.member(group)
		if !ok {
			continue
		}
		for _, name := range v.names {
			if name != group {
				return nil, domain.Invalid(under(path, name), domain.RuleUnknown)
			}
		}
		if depth == MaxDepth {
			return nil, tooDeep(path)
		}
		return p.group(group, inner, path+"."+group, depth+1)
	}
	if err := p.count(path); err != nil {
		return nil, err
	}
	return p.condition(v, path)
}

// group reads what is inside a group.
func (p *parser) group(name string, v *value, path string, depth int) (Node, error) {
	if name == "not" {
		part, err := p.node(v, path, depth)
		if err != nil {
			return nil, err
		}
		return Not{part}, nil
	}
	if v.kind != array {
		return nil, domain.Invalid(path, domain.RuleTypeArray)
	}
	if len(v.values) == 0 {
		if err := p.count(path); err != nil {
			return nil, err
		}
	}
	parts := make([]Node, len(v.values))
	for i := range v.values {
		part, err := p.node(&v.values[i], fmt.Sprintf("%s[%d]", path, i), depth)
		if err != nil {
			return nil, err
		}
		parts[i] = part
	}
	if name == "all" {
		return All(parts), nil
	}
	return Any(parts), nil
}

func (p *parser) count(path string) error {
	p.conditions++
	if p.conditions > MaxConditions {
		return domain.Invalid(path, domain.RuleTooMany).With("max", MaxConditions)
	}
	return nil
}

// condition reads {"field": …, "op": …, "value": …, "unset": …}.
func (p *parser) condition(v *value, path string) (*Condition, error) {
	for _, name := range v.names {
		switch name {
		case "field", "op", "value", "unset":
		default:
			return nil, domain.Invalid(under(path, name), domain.RuleUnknown)
		}
	}
	name, err := word(v, "field", path)
	if err != nil {
		return nil, err
	}
	field, ok := p.language.field(name)
	if !ok {
		return nil, domain.Invalid(path+".field", domain.RuleUnknown)
	}
	op, err := word(v, "op", path)
	if err != nil {
		return nil, err
	}
	c := &Condition{Field: name, Kind: field.kind, Op: Op(op), Path: path}
	if !c.allowed() {
		return nil, domain.Invalid(path+".op", domain.RuleUnknown)
	}
	if unset, ok := v.member("unset"); ok {
		if unset.kind != boolean {
			return nil, domain.Invalid(path+".unset", domain.RuleTypeBool)
		}
		c.Unset = unset.yes && c.takesUnset()
	}
	given, ok := v.member("value")
	if !c.takesValue() {
		if ok {
			return nil, domain.Invalid(path+".value", domain.RuleUnknown)
		}
		return c, nil
	}
	if !ok {
		return nil, domain.Invalid(path+".value", domain.RuleRequired)
	}
	reading := reading{condition: c, field: field, open: p.open}
	if err := reading.value(given, path+".value"); err != nil {
		return nil, err
	}
	return c, nil
}

// word reads a member that must be a string.
func word(v *value, name, path string) (string, error) {
	member, ok := v.member(name)
	switch {
	case !ok:
		return "", domain.Invalid(path+"."+name, domain.RuleRequired)
	case member.kind != str:
		return "", domain.Invalid(path+"."+name, domain.RuleTypeString)
	}
	return member.text, nil
}
