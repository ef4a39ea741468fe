package projections

import (
	"fmt"
	"strconv"
	"time"
)

// This file finds customers by when their latest session began. Everybody who has had one is in the set of the period in which that was. Of
// a span of time most periods are wholly inside, or wholly outside; only those in a period at its ends have to be looked at.

// sessionPeriod is how long a period lasts. They are counted from 1970 on. Shorter ones would leave fewer to be looked at, and be more sets.
const sessionPeriod = 28 * 24 * time.Hour

// Between which periods the latest sessions of all customers began, as counters. They do not come closer when a customer moves on.
const (
	firstPeriodCounter = "first_period"
	lastPeriodCounter  = "last_period"
)

// periodOf is the period of an instant.
func periodOf(at time.Time) int64 {
	seconds, length := at.Unix(), int64(sessionPeriod/time.Second)
	period := seconds / length
	if seconds%length < 0 {
		period--
	}
	return period
}

func periodBegins(period int64) time.Time {
	return time.Unix(period*int64(sessionPeriod/time.Second), 0).UTC()
}

func lastSessionFacet(period int64) int64 {
	return facet(facetLastSession, strconv.FormatInt(period, 10))
}

// seenLast notes when a customer's latest session began.
func (f *customersFold) seenLast(activity *customerActivityRow, at time.Time) {
	period := periodOf(at)
	if before := activity.LastSessionAt; before.IsZero() || periodOf(before) != period {
		if !before.IsZero() {
			f.bits.Clear(lastSessionFacet(periodOf(before)), activity.Ordinal)
		}
		f.bits.Set(lastSessionFacet(period), activity.Ordinal)
		f.bound(firstPeriodCounter, period, func(bound int64) bool { return period < bound })
		f.bound(lastPeriodCounter, period, func(bound int64) bool { return period > bound })
	}
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
	for period := p.periods[0]; period <= p.periods[1]; period++ {
		begins, next := periodBegins(period), periodBegins(period+1)
		first, last := latest(begins, from), next
		if !to.IsZero() && to.Before(last) {
			last = to
		}
		switch {
		case !first.Before(last):
		case first.Equal(begins) && last.Equal(next):
			inside = append(inside, lastSessionFacet(period))
		default:
			ends, spans = append(ends, lastSessionFacet(period)), append(spans, [2]time.Time{first, last})
		}
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

// latest is the later of two instants.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
