package filter

import "time"

// This file says what the spans of the calendar are, in a zone and a week.
//
// A day is from its first instant to the first instant of the next, where the first instant is the earliest at which the clocks on the
// wall show midnight of that day or later. So days follow each other without gap or overlap, whatever the clocks do: where they are set
// forward over midnight the day begins later, where they are set back over midnight the second midnight belongs to the day that has
// begun, and a day that a zone left out is empty.

// A day is held as its midnight in UTC, for the arithmetic of the calendar.

func civil(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// startOfDay is the first instant of a day in a zone.
func startOfDay(day time.Time, zone *time.Location) time.Time {
	midnight := day.Unix()
	// No zone is further than this from UTC. The first stretch of equal offset in which the clocks reach midnight holds the answer.
	t := time.Unix(midnight-26*60*60, 0).In(zone)
	for {
		_, offset := t.Zone()
		start, end := t.ZoneBounds()
		first := time.Unix(midnight-int64(offset), 0)
		if end.IsZero() || first.Before(end) {
			if first.Before(start) {
				first = start
			}
			return first.UTC()
		}
		t = end
	}
}

// dayOf is the day that an instant belongs to.
func dayOf(t time.Time, zone *time.Location) time.Time {
	day := civil(t.In(zone).Date())
	for { // the clocks may have been set back into the day before
		next := day.AddDate(0, 0, 1)
		if startOfDay(next, zone).After(t) {
			return day
		}
		day = next
	}
}

func (c Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Span is a period of the calendar as of an instant, half-open; zero times for what is no period.
func (c Calendar) Span(period string, at time.Time) (from, to time.Time) {
	first, after := c.days(period, dayOf(at, c.zone()), 1)
	if after.IsZero() {
		return time.Time{}, time.Time{}
	}
	return startOfDay(first, c.zone()), startOfDay(after, c.zone())
}

// reach is the span of instants as of which a period of the calendar holds t: Span backwards.
func (c Calendar) reach(period string, t time.Time) (from, to time.Time) {
	first, after := c.days(period, dayOf(t, c.zone()), -1)
	if after.IsZero() {
		return time.Time{}, time.Time{}
	}
	return startOfDay(first, c.zone()), startOfDay(after, c.zone())
}

// days are the first day of a period and the first after it, for a day that is today. With direction -1 they are the days that, being
// today, have the given day in that period.
func (c Calendar) days(period string, day time.Time, direction int) (first, after time.Time) {
	switch period {
	case "today":
		return day, day.AddDate(0, 0, 1)
	case "yesterday":
		day = day.AddDate(0, 0, -direction)
		return day, day.AddDate(0, 0, 1)
	case "this_week", "last_week":
		day = day.AddDate(0, 0, -((int(day.Weekday()-c.WeekStart) + 7) % 7))
		if period == "last_week" {
			day = day.AddDate(0, 0, -7*direction)
		}
		return day, day.AddDate(0, 0, 7)
	case "this_month", "last_month":
		day = civil(day.Year(), day.Month(), 1)
		if period == "last_month" {
			day = day.AddDate(0, -direction, 0)
		}
		return day, day.AddDate(0, 1, 0)
	}
	return time.Time{}, time.Time{}
}

// Periods are the periods of the calendar, in the order in which people see them.
func Periods() []string {
	return []string{"today", "yesterday", "this_week", "last_week", "this_month", "last_month"}
}

func isPeriod(name string) bool {
	_, after := Calendar{}.days(name, civil(2000, 1, 1), 1)
	return !after.IsZero()
}

// unitLength is the length of a unit of Within and OlderThan; zero for what is none. A day is 24 hours, whatever the clocks do.
func unitLength(unit string) time.Duration {
	switch unit {
	case "days":
		return 24 * time.Hour
	case "hours":
		return time.Hour
	case "minutes":
		return time.Minute
	}
	return 0
}

// length is how far Within and OlderThan reach back.
func (c *Condition) length() time.Duration { return time.Duration(c.Amount) * unitLength(c.Unit) }

// Span is the half-open span that a condition on a time matches as of an instant; a zero bound is none. Within reaches into the future:
// what lies ahead is not longer ago than the length. It has no meaning for IsSet and NotSet.
func (c *Condition) Span(at time.Time, cal Calendar) (from, to time.Time) {
	at = at.UTC().Truncate(time.Microsecond)
	switch c.Op {
	case Before, After, Between:
		return c.From, c.To
	case In:
		return cal.Span(c.Period, at)
	case Within:
		return at.Add(-c.length()), time.Time{}
	case OlderThan:
		return time.Time{}, at.Add(-c.length())
	}
	return time.Time{}, time.Time{}
}

// DateStart is the first instant of a date such as "2006-01-02" in the calendar's zone: what a custom date counts as. It reports false
// for what is no date.
func (c Calendar) DateStart(date string) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}, false
	}
	return startOfDay(day, c.zone()), true
}
