package projections

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"customercenter/domain/filter"
)

// This file plans conditions on texts. A single character of a name has a set of its own. Of longer parts the characters' sets hold
// everybody who can have them, and the index of terms finds who does.

// termArm is a search in the index of terms: everybody with all of the terms for whom the condition holds.
type termArm struct {
	terms     []int64
	condition func(args *arguments) string
}

// Texts by their fields. Both names share their terms.
var (
	gramKinds = map[string]gramKind{"nickname": gramNickname, "name": gramName, "external_id": gramExternalID, "company": gramCompany}
	termKinds = map[string]termKind{"nickname": termName, "name": termName, "external_id": termExternalID, "phone": termPhone}
)

func (p *planner) text(c *filter.Condition) node {
	if key := custom(c.Field); key != "" {
		return p.custom(c, key)
	}
	if c.Field == filter.AnyText {
		return p.anyText(c)
	}
	isSet := always
	if c.Field != "external_id" {
		isSet = func() node { return p.hasField(c.Field) }
	}
	return unset(c, isSet, func() node {
		hit := p.parts(c.Op, []string{c.Field}, c.Texts)
		if c.Op == filter.Ne || c.Op == filter.NotContains {
			return all(isSet(), not(hit))
		}
		return hit
	})
}

// any is the plan of the parts of any. Those that look for the same in texts whose terms are indexed become one condition: both names have
// the same terms, so each search alone would find what the other finds, too.
func (p *planner) any(parts filter.Any) (node, error) {
	out := make([]node, 0, len(parts))
	merged := make([]bool, len(parts))
	for i, part := range parts {
		if merged[i] {
			continue
		}
		first, ok := part.(*filter.Condition)
		if !ok || !searched(first) {
			n, err := p.node(part)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
			continue
		}
		fields := []string{first.Field}
		for j := i + 1; j < len(parts); j++ {
			other, ok := parts[j].(*filter.Condition)
			if ok && searched(other) && other.Op == first.Op && slices.Equal(other.Texts, first.Texts) {
				fields, merged[j] = append(fields, other.Field), true
			}
		}
		out = append(out, p.parts(first.Op, fields, first.Texts))
	}
	return either(out...), nil
}

// searched reports whether nothing but a text that has terms for what it looks for makes a condition true.
func searched(c *filter.Condition) bool {
	kind, ok := termKinds[c.Field]
	if !ok || c.Unset || c.Op != filter.Contains && c.Op != filter.StartsWith && c.Op != filter.Eq && c.Op != filter.In {
		return false
	}
	return !slices.ContainsFunc(c.Texts, func(needle string) bool { return len(needleTerms("", kind, needle)) == 0 })
}

func (p *planner) anyText(c *filter.Condition) node {
	switch c.Op {
	case filter.IsSet: // everybody has an external id
		return always()
	case filter.NotSet:
		return anyOf{}
	}
	whole := c.Op == filter.Eq || c.Op == filter.Ne || c.Op == filter.In
	var fields []string
	for _, field := range filter.AnyTextFields() {
		if whole || filter.Searchable(field, c.Texts[0]) {
			fields = append(fields, field)
		}
	}
	hit := p.parts(c.Op, fields, c.Texts)
	if c.Op == filter.Ne || c.Op == filter.NotContains {
		return not(hit)
	}
	return hit
}

// parts are those in one of whose texts is one of the needles, as the operator (or its opposite) says.
func (p *planner) parts(op filter.Op, fields, needles []string) node {
	var found []node
	rest := &judgedNode{table: "t", arms: []termArm{}, rarity: math.MaxInt}
	var within []node
	var predicates []func(alias string, args *arguments) string
	for _, field := range fields {
		for _, needle := range needles {
			kind, hasGrams := gramKinds[field]
			r, size := utf8.DecodeRuneInString(needle)
			if hasGrams && size == len(needle) && hasGram(kind, r) && (op == filter.Contains || op == filter.NotContains) {
				found = append(found, p.grams(gram(kind, r)))
				continue
			}
			within = append(within, p.candidates(field, needle, len(needles)))
			// With each character, more have all of them, but elsewhere.
			rest.rarity = min(rest.rarity, max(1, utf8.RuneCountInString(needle)-1))
			predicate := func(alias string, args *arguments) string { return textSQL(op, alias+"."+field, needle, args) }
			predicates = append(predicates, predicate)
			rest.arms = p.arms(rest.arms, field, needle, predicate)
		}
	}
	if len(predicates) > 0 {
		rest.within = either(within...)
		rest.column = func(args *arguments) string {
			var any []string
			for _, predicate := range predicates {
				any = append(any, predicate("t", args))
			}
			return disjunction(any)
		}
		found = append(found, p.judge(rest))
	}
	return either(found...)
}

// candidates are all in whose field the needle can be.
func (p *planner) candidates(field, needle string, needles int) node {
	const few = 4 // beyond, as many sets would cost more than they save
	kind, hasGrams := gramKinds[field]
	if hasGrams && needles <= few {
		grams := slices.Compact(slices.Sorted(gramsOf(kind, needle)))
		if len(grams) > 0 {
			var parts []node
			for _, g := range grams {
				parts = append(parts, p.grams(g))
			}
			return all(parts...)
		}
	}
	if field == "external_id" || field == "nickname" { // everybody has one
		return allOf{}
	}
	return p.hasField(field)
}

// arms adds the search for a needle. Without terms for it there is no such search for the whole condition: nil.
func (p *planner) arms(arms []termArm, field, needle string, predicate func(string, *arguments) string) []termArm {
	kind, ok := termKinds[field]
	if !ok || arms == nil {
		return nil
	}
	terms := needleTerms(p.a.tenant, kind, needle)
	if len(terms) == 0 {
		return nil
	}
	condition := func(args *arguments) string { return predicate("o", args) }
	if i := slices.IndexFunc(arms, func(arm termArm) bool { return slices.Equal(arm.terms, terms) }); i >= 0 { // the other name
		other := arms[i].condition
		arms[i].condition = func(args *arguments) string { return fmt.Sprintf("(%s or %s)", other(args), condition(args)) }
		return arms
	}
	return append(arms, termArm{terms, condition})
}

// textSQL compares a folded text as an operator, or its opposite, does.
func textSQL(op filter.Op, column, needle string, args *arguments) string {
	switch op {
	case filter.Contains, filter.NotContains:
		return fmt.Sprintf("strpos(%s, %s) > 0", column, args.bind(needle))
	case filter.StartsWith:
		return fmt.Sprintf("starts_with(%s, %s)", column, args.bind(needle))
	}
	return fmt.Sprintf("%s = %s", column, args.bind(needle))
}
