package projections

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"customercenter/domain/filter"
)

// This file says which customers fulfil a condition of the filter language: filter.Condition.Match, as sets and SQL.

// condition is the plan of one condition.
func (p *planner) condition(c *filter.Condition) (node, error) {
	switch c.Kind {
	case filter.Text:
		return p.text(c), nil
	case filter.Number:
		return p.number(c), nil
	case filter.Time:
		return p.time(c), nil
	case filter.Choice:
		return p.choice(c), nil
	case filter.Set:
		if c.Field == "groups" {
			return p.inGroups(c)
		}
		return p.tagged(c), nil
	case filter.YesNo:
		return p.yes(c)
	}
	return nil, fmt.Errorf("projections: a condition of kind %s", c.Kind)
}

// unset finishes a condition on a value that may not be set: isSet are those where it is, holds those of them for whom the operator is
// true. Only what is needed of both is planned.
func unset(c *filter.Condition, isSet, holds func() node) node {
	switch {
	case c.Op == filter.IsSet:
		return isSet()
	case c.Op == filter.NotSet:
		return not(isSet())
	case c.Unset:
		return either(holds(), not(isSet()))
	}
	return holds()
}

// always is the plan of a field that is set for everybody.
func always() node { return allOf{} }

// custom is the key of a custom field, or empty.
func custom(field string) string {
	key, ok := strings.CutPrefix(field, "custom.")
	if !ok {
		return ""
	}
	return key
}

// hasField are those whose field of the profile is set.
func (p *planner) hasField(field string) node { return p.set(facet(facetSet, field)) }

func (p *planner) tagged(c *filter.Condition) node {
	switch c.Op {
	case filter.IsEmpty:
		keys := make([]int64, 0, len(p.tags.Names))
		for id := range p.tags.Names {
			keys = append(keys, facet(facetTag, id.String()))
		}
		return not(p.set(keys...))
	case filter.HasAll:
		var parts []node
		for _, id := range c.IDs {
			if !p.tags.Known(id) {
				return anyOf{}
			}
			parts = append(parts, p.set(facet(facetTag, id.String())))
		}
		return all(parts...)
	}
	var keys []int64
	for _, id := range c.IDs {
		if p.tags.Known(id) { // one that has left the catalogue is on nobody
			keys = append(keys, facet(facetTag, id.String()))
		}
	}
	if c.Op == filter.HasNone {
		return not(p.set(keys...))
	}
	return p.set(keys...)
}

func (p *planner) inGroups(c *filter.Condition) (node, error) {
	if p.groups == nil {
		if c.Op == filter.HasAny || c.Op == filter.HasAll {
			return anyOf{}, nil
		}
		return allOf{}, nil
	}
	schema, facets, err := p.groups(p.a.ctx, p.a.db, p.a.tenant, c.IDs)
	if err != nil {
		return nil, err
	}
	table := setTable{schema, groupBits, "facet"}
	if c.Op == filter.HasAll {
		var parts []node
		for _, id := range c.IDs {
			key, ok := facets[id]
			if !ok {
				return anyOf{}, nil
			}
			parts = append(parts, p.union(table, []int64{key}))
		}
		return all(parts...), nil
	}
	var keys []int64
	for _, key := range facets {
		keys = append(keys, key)
	}
	members := p.union(table, keys)
	if c.Op == filter.HasAny {
		return members, nil
	}
	return not(members), nil
}

func (p *planner) yes(c *filter.Condition) (node, error) {
	var n node
	switch c.Field {
	case "blacklisted":
		n = p.blacklisted()
	case "session_open":
		n = p.set(facet(facetOpen, ""))
	case "ever_served":
		n = p.set(facet(facetServed, ""))
	case "imported":
		n = p.set(facet(facetCreatedVia, "import"))
	default:
		return nil, fmt.Errorf("projections: a condition on %s", c.Field)
	}
	if !c.Yes {
		n = not(n)
	}
	return n, nil
}

// blacklisted are those whose listing counts at the instant: the set has the expired ones, too, until they are lifted.
func (p *planner) blacklisted() node {
	if p.expired == nil {
		p.expired = &judgedNode{within: allOf{}, gather: func(args *arguments) string {
			return fmt.Sprintf("select o.ordinal from $.customer_listing o where o.tenant = $1 and o.expires_at <= %s", args.bind(p.at))
		}, needed: true}
		p.a.judged = append(p.a.judged, p.expired)
	}
	return all(p.set(facet(facetBlacklisted, "")), not(p.expired))
}

func (p *planner) choice(c *filter.Condition) node {
	kinds := map[string]facetKind{
		"channel": facetChannel, "association": facetAssociation, "created_via": facetCreatedVia, "last_agent": facetLastAgent,
	}
	keys := make([]int64, len(c.Choices))
	key := custom(c.Field)
	for i, choice := range c.Choices {
		if key != "" {
			keys[i] = facetCustomOption(key, choice)
		} else {
			keys[i] = facet(kinds[c.Field], choice)
		}
	}
	isSet := always
	switch {
	case key != "":
		isSet = func() node { return p.hasField(c.Field) }
	case c.Field == "last_agent": // whoever was served was served by somebody last
		isSet = func() node { return p.set(facet(facetServed, "")) }
	}
	return unset(c, isSet, func() node {
		chosen := p.set(keys...)
		if c.Op == filter.NotIn {
			return all(isSet(), not(chosen))
		}
		return chosen
	})
}

// time is the plan of a condition on a time. That of creation is a range of ordinals.
func (p *planner) time(c *filter.Condition) node {
	if key := custom(c.Field); key != "" {
		return p.custom(c, key)
	}
	from, to := time.Time{}, time.Time{}
	if c.Op != filter.IsSet && c.Op != filter.NotSet {
		from, to = c.Span(p.at, p.cal)
	}
	if c.Field == "created_at" {
		return unset(c, always, func() node {
			n := &rangeNode{createdFrom: from, createdTo: to}
			p.a.ranges = append(p.a.ranges, n)
			return n
		})
	}
	column, table, within := c.Field, "customer_activity", node(allOf{})
	alias, also := "a", ""
	switch c.Field {
	case "updated_at":
		table, alias = "customer", "c"
	case "blacklisted_at":
		column, table, alias, also, within = "since", "customer_listing", "l", "(o.expires_at is null or o.expires_at > %s)", p.blacklisted()
	}
	isSet := always
	switch c.Field {
	case "blacklisted_at":
		isSet = func() node { return within }
	case "first_session_at", "last_session_at":
		isSet = func() node { return p.set(facet(facetSessions, "1")) }
	case "last_message_at":
		isSet = func() node {
			return p.judge(&judgedNode{within: allOf{}, table: alias, column: func(*arguments) string { return hasTime(alias + "." + column) }})
		}
	}
	return unset(c, isSet, func() node {
		if c.Field == "last_session_at" {
			return p.lastSession(from, to)
		}
		spanned := func(alias string, args *arguments) string {
			name := alias + "." + column
			terms := []string{hasTime(name)}
			if !from.IsZero() {
				terms = append(terms, fmt.Sprintf("%s >= %s", name, args.bind(from)))
			}
			if !to.IsZero() {
				terms = append(terms, fmt.Sprintf("%s < %s", name, args.bind(to)))
			}
			return conjunction(terms)
		}
		n := &judgedNode{within: within, table: alias, column: func(args *arguments) string { return spanned(alias, args) }}
		switch c.Field {
		case "updated_at", "blacklisted_at":
			n.gather = func(args *arguments) string {
				where := "o.tenant = $1 and " + spanned("o", args)
				if also != "" {
					where += " and " + fmt.Sprintf(also, args.bind(p.at))
				}
				return fmt.Sprintf("select o.ordinal from $.%s o where %s", table, where)
			}
		}
		return p.judge(n)
	})
}

// hasTime is the SQL of a time being set: sorted columns hold the first day of all for what is not.
func hasTime(column string) string {
	if strings.HasSuffix(column, ".last_session_at") {
		return column + " > timestamptz '0001-01-01 00:00:00Z'"
	}
	return column + " is not null"
}

// custom is the plan of a condition on a custom text, number or date. It is judged by the condition itself: folding is not the database's
// business. Those whose number or date lies in a span are found by the order of the values, if they are few.
func (p *planner) custom(c *filter.Condition, key string) node {
	isSet := func() node { return p.hasField(c.Field) }
	return unset(c, isSet, func() node {
		n := &judgedNode{
			within: isSet(), table: "c",
			column: func(args *arguments) string { return fmt.Sprintf("(c.custom -> %s)::text", args.bind(key)) },
			verdict: func(text *string) (bool, error) {
				if text == nil {
					return false, nil
				}
				value, err := customValue(c.Kind, *text)
				if err != nil {
					return false, err
				}
				return c.Match(&filter.Subject{Custom: map[string]filter.Value{key: value}}, p.at, p.cal), nil
			},
		}
		if span, ok := spanOf(c, p.at, p.cal); ok {
			n.gather = func(args *arguments) string { return span.gather(valueField(key), args) }
		}
		return p.judge(n)
	})
}

// customValue is a custom field's value as filters see it. raw is JSON; numbers are kept as texts, so that none loses a digit.
func customValue(kind filter.Kind, raw string) (v filter.Value, err error) {
	var value any
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		return v, errors.New("projections: a custom field that is no JSON")
	}
	one, _ := value.(string)
	switch kind {
	case filter.Text:
		v.Text = one
	case filter.Time:
		v.Date = one
	case filter.Number:
		if n, ok := filter.ParseDecimal(one); ok {
			v.Number = n
		}
	}
	return v, nil
}

// judge adds a condition that is judged customer by customer.
func (p *planner) judge(n *judgedNode) node {
	p.a.judged = append(p.a.judged, n)
	return n
}
