package filter

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Match reports whether the filter is true of a customer at an instant, which counts to the microsecond. It changes nothing, so that any
// number of goroutines may match.
func (f *Filter) Match(s *Subject, at time.Time, cal Calendar) bool {
	return f.root == nil || match(f.root, s, at, cal)
}

func match(n Node, s *Subject, at time.Time, cal Calendar) bool {
	switch n := n.(type) {
	case All:
		for _, part := range n {
			if !match(part, s, at, cal) {
				return false
			}
		}
		return true
	case Any:
		for _, part := range n {
			if match(part, s, at, cal) {
				return true
			}
		}
		return false
	case Not:
		return !match(n.Node, s, at, cal)
	case *Condition:
		return n.Match(s, at, cal)
	}
	return true
}

// Match reports whether the condition is true of a customer at an instant.
func (c *Condition) Match(s *Subject, at time.Time, cal Calendar) bool {
	switch c.Kind {
	case Text:
		return c.matchText(s)
	case Number:
		n, ok := s.number(c.Field)
		return c.set(ok, func() bool { return c.matchNumber(n) })
	case Time:
		t := s.time(c.Field, at, cal)
		return c.set(!t.IsZero(), func() bool {
			from, to := c.Span(at, cal)
			return !t.Before(from) && (to.IsZero() || t.Before(to))
		})
	case Choice:
		return c.matchChoice(s)
	case Set:
		if c.Field == "groups" {
			return c.matchSet(s.Groups)
		}
		return c.matchSet(s.Tags)
	case YesNo:
		return s.yes(c.Field, at) == c.Yes
	}
	return false
}

// set decides IsSet and NotSet, and what a condition is for a value that is not set; else it asks compare.
func (c *Condition) set(isSet bool, compare func() bool) bool {
	switch {
	case c.Op == IsSet:
		return isSet
	case c.Op == NotSet:
		return !isSet
	case !isSet:
		return c.Unset
	}
	return compare()
}

func (c *Condition) matchText(s *Subject) bool {
	if c.Field == AnyText {
		return c.matchAnyText(s)
	}
	value := s.text(c.Field)
	return c.set(value != "", func() bool { return c.compareText(value) })
}

// matchAnyText looks into several texts. Their absence needs no rule: a needle is not in a text that is not there. What says "not" is true if its
// opposite is true of none of them.
func (c *Condition) matchAnyText(s *Subject) bool {
	found := func(field string) bool { return c.foundIn(field, s.text(field)) }
	hit := found("nickname") || found("name") || found("external_id") || found("phone")
	return hit != (c.Op == NotContains || c.Op == Ne || c.Op == NotSet)
}

// foundIn reports whether a text of AnyText is what the condition, or its opposite, looks for.
func (c *Condition) foundIn(field, value string) bool {
	switch c.Op {
	case IsSet, NotSet:
		return value != ""
	case Eq, Ne, In:
		return slices.Contains(c.Texts, value)
	}
	needle := c.Texts[0]
	switch {
	case !Searchable(field, needle):
		return false
	case c.Op == StartsWith:
		return strings.HasPrefix(value, needle)
	}
	return strings.Contains(value, needle)
}

func (c *Condition) compareText(value string) bool {
	switch c.Op {
	case Eq:
		return value == c.Texts[0]
	case Ne:
		return value != c.Texts[0]
	case Contains:
		return strings.Contains(value, c.Texts[0])
	case NotContains:
		return !strings.Contains(value, c.Texts[0])
	case StartsWith:
		return strings.HasPrefix(value, c.Texts[0])
	}
	return slices.Contains(c.Texts, value) // In
}

func (c *Condition) matchNumber(n fraction) bool {
	first, _ := c.Numbers[0].parts()
	order := n.compare(first)
	switch c.Op {
	case Eq:
		return order == 0
	case Ne:
		return order != 0
	case Lt:
		return order < 0
	case Lte:
		return order <= 0
	case Gt:
		return order > 0
	case Gte:
		return order >= 0
	}
	last, _ := c.Numbers[1].parts() // Between
	return order >= 0 && n.compare(last) <= 0
}

func (c *Condition) matchChoice(s *Subject) bool {
	var value string
	switch c.Field {
	case "channel":
		value = s.Channel
	case "created_via":
		value = s.CreatedVia
	case "last_agent":
		value = s.LastAgent
	case "association":
		var digits [20]byte
		number := strconv.AppendInt(digits[:0], int64(s.Association), 10)
		return c.set(true, func() bool {
			in := slices.ContainsFunc(c.Choices, func(choice string) bool { return choice == string(number) })
			return in != (c.Op == NotIn)
		})
	default:
		chosen := s.Custom[strings.TrimPrefix(c.Field, customPrefix)].Options
		return c.set(len(chosen) > 0, func() bool {
			in := slices.ContainsFunc(chosen, func(option string) bool { return slices.Contains(c.Choices, option) })
			return in != (c.Op == NotIn)
		})
	}
	return c.set(value != "", func() bool { return slices.Contains(c.Choices, value) != (c.Op == NotIn) })
}

func (c *Condition) matchSet(have []uuid.UUID) bool {
	switch c.Op {
	case IsEmpty:
		return len(have) == 0
	case HasAll:
		for _, id := range c.IDs {
			if !slices.Contains(have, id) {
				return false
			}
		}
		return true
	}
	common := slices.ContainsFunc(c.IDs, func(id uuid.UUID) bool { return slices.Contains(have, id) })
	return common != (c.Op == HasNone)
}
