package projections

import (
	"fmt"
	"time"

	"customercenter/domain/filter"
)

// This file says between which keys the values of custom fields lie that fulfil a condition.

// valueSpan are the values from one key to another one; nil is no bound.
type valueSpan struct {
	from, to       []byte
	after, through bool // the key from is left out; the key to belongs to it
}

// spanOf is the span of the values for which a condition on a custom number or date holds, as of an instant; false if it is none, or of a text.
func spanOf(c *filter.Condition, at time.Time, cal filter.Calendar) (valueSpan, bool) {
	if c.Kind == filter.Time {
		from, to := c.Span(at, cal)
		return valueSpan{from: firstDate(from, cal), to: firstDate(to, cal)}, true
	}
	if c.Kind != filter.Number {
		return valueSpan{}, false
	}
	switch key := decimalKey(c.Numbers[0]); c.Op {
	case filter.Eq:
		return valueSpan{from: key, to: key, through: true}, true
	case filter.Lt, filter.Lte:
		return valueSpan{to: key, through: c.Op == filter.Lte}, true
	case filter.Gt, filter.Gte:
		return valueSpan{from: key, after: c.Op == filter.Gt}, true
	case filter.Between:
		return valueSpan{from: key, to: decimalKey(c.Numbers[1]), through: true}, true
	}
	return valueSpan{}, false
}

// firstDate is the key of the first date that does not begin before an instant; nil for no instant.
func firstDate(at time.Time, cal filter.Calendar) []byte {
	if at.IsZero() {
		return nil
	}
	for day := at.UTC().AddDate(0, 0, -2); ; day = day.AddDate(0, 0, 1) { // no zone is two days from UTC
		if day.Year() < 1 {
			continue // such dates there are none, see domain/field
		}
		if day.Year() > 9999 {
			return []byte{0xff} // behind all
		}
		date := day.Format(time.DateOnly)
		if begins, ok := cal.DateStart(date); ok && !begins.Before(at) {
			return []byte(date)
		}
	}
}

// gather is the SQL that finds who has a value of the field in the span.
func (s valueSpan) gather(field int64, args *arguments) string {
	conditions := []string{"o.tenant = $1", "o.field = " + args.bind(field)}
	bound := func(sign string, key []byte) {
		conditions = append(conditions, fmt.Sprintf("o.key %s %s", sign, args.bind(key)))
	}
	switch {
	case s.from == nil:
	case s.after:
		bound(">", s.from)
	default:
		bound(">=", s.from)
	}
	switch {
	case s.to == nil:
	case s.through:
		bound("<=", s.to)
	default:
		bound("<", s.to)
	}
	return "select o.ordinal from $.customer_value o where " + conjunction(conditions) + " order by o.key, o.ordinal"
}
