package projections

import (
	"fmt"
	"strconv"
	"time"
)

// This file finds customers by when their latest session began. Everybody who has had one is in the set of the period in which that was, and in
// that of a longer one. A span of time is made of both, but for its ends: those in a period there have to be looked at.

// sessionPeriod is how long a period lasts, longPeriod how many of them make a long one. They are counted from 1970 on. Shorter ones would leave
// fewer to be looked at, and be more sets.
const (
	sessionPeriod = 7 * 24 * time.Hour
	longPeriod    = 8
)

// Between which periods the latest sessions of all customers began, as counters. They do not come closer when a customer moves on.
const (
	firstPeriodCounter = "first_period"
	lastPeriodCounter  = "last_period"
)

// periodOf is the period of an instant.
func periodOf(at time.Time) int64 {
	return floorDiv(at.Unix(), int64(sessionPeriod/time.Second))
}

func periodBegins(period int64) time.Time {
	return time.Unix(period*int64(sessionPeriod/time.Second), 0).UTC()
}

// lastSessionFacets are the sets of those whose latest session began in a period.
func lastSessionFacets(period int64) []int64 {
	return []int64{shortFacet(period), longFacet(longOf(period))}
}

func shortFacet(period int64) int64 { return facet(facetLastSession, strconv.FormatInt(period, 10)) }
func longFacet(long int64) int64    { return facet(facetLastSessionLong, strconv.FormatInt(long, 10)) }

// longOf is the long period that a period is in.
func longOf(period int64) int64 { return floorDiv(period, longPeriod) }

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// seenLast notes when a customer's latest session began.
func (f *customersFold) seenLast(activity *customerActivityRow, at time.Time) {
	var before []int64
	if !activity.LastSessionAt.IsZero() {
		before = lastSessionFacets(periodOf(activity.LastSessionAt))
	}
	period := periodOf(at)
	move(f.bits, activity.Ordinal, before, lastSessionFacets(period))
	f.bound(firstPeriodCounter, period, func(bound int64) bool { return period < bound })
	f.bound(lastPeriodCounter, period, func(bound int64) bool { return period > bound })
	activity.LastSessionAt = at
}

// bound moves a bound, if need be, so that a period is within it.
func (f *customersFold) bound(name string, period int64, beyond func(bound int64) bool) {
	if row, found := f.counters.Peek(name); found {
		if beyond(row.Value) {
			row, _ = f.counters.Edit(name)
			row.Value = period
		}
		return
	}
	f.counters.Create(counterRow{Name: name, Value: period})
}

// lastSession are those whose latest session began from an instant on and before another; zero is no bound.
func (p *planner) lastSession(from, to time.Time) node {
	var inside, ends []int64
	var spans [][2]time.Time // of the periods at the ends
	for period := p.periods[0]; period <= p.periods[1]; {
		if n := period + longPeriod; period == longOf(period)*longPeriod && covers(from, to, period, n) {
			inside, period = append(inside, longFacet(longOf(period))), n
			continue
		}
		begins, ended := latest(periodBegins(period), from), periodBegins(period+1)
		if !to.IsZero() && to.Before(ended) {
			ended = to
		}
		switch {
		case !begins.Before(ended):
		case covers(from, to, period, period+1):
			inside = append(inside, shortFacet(period))
		default:
			ends, spans = append(ends, shortFacet(period)), append(spans, [2]time.Time{begins, ended})
		}
		period++
	}
	within := func(column string, args *arguments) string {
		var any []string
		for _, s := range spans {
			any = append(any, fmt.Sprintf("%[1]s >= %[2]s and %[1]s < %[3]s", column, args.bind(s[0]), args.bind(s[1])))
		}
		return disjunction(any)
	}
	surely := p.set(inside...)
	if len(ends) == 0 {
		return surely
	}
	return either(surely, p.judge(&judgedNode{
		within: p.set(ends...), table: "a",
		column: func(args *arguments) string { return within("a.last_session_at", args) },
		gather: func(args *arguments) string {
			return "select o.ordinal from $.customer_activity o where o.tenant = $1 and (" + within("o.last_session_at", args) + ")"
		},
	}))
}

// covers reports whether a span has all of the periods from the first to before the last.
func covers(from, to time.Time, first, last int64) bool {
	return !periodBegins(first).Before(from) && (to.IsZero() || !to.Before(periodBegins(last)))
}

// latest is the later of two instants.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
