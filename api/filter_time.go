package api

import (
	"encoding/json"
	"time"

	"customercenter/domain"
)

// createdAt adds a condition on the time of creation. All ranges are half-open.
func (p *parsing) createdAt(op string, raw json.RawMessage, path string) error {
	at := path + ".value"
	switch op {
	case "before":
		t, err := instant(raw, at)
		p.created(time.Time{}, t)
		return err
	case "after":
		t, err := instant(raw, at)
		p.created(t, time.Time{})
		return err
	case "between":
		return p.between(raw, at)
	case "in":
		return p.in(raw, at)
	case "within":
		return p.within(raw, at)
	}
	return invalid(path+".op", opRule(op, "older_than", "is_set", "not_set"))
}

// created narrows the range of creation; a zero bound is none.
func (p *parsing) created(from, to time.Time) {
	q := &p.out.query
	if from.After(q.From) {
		q.From = from
	}
	if !to.IsZero() && (q.To.IsZero() || to.Before(q.To)) {
		q.To = to
	}
}

// instant reads a time.
func instant(raw json.RawMessage, path string) (time.Time, error) {
	s, err := str(raw, path)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, invalid(path, ruleTime)
	}
	return t.UTC(), nil
}

// between reads {"from": time, "to": time} or [time, time].
func (p *parsing) between(raw json.RawMessage, path string) error {
	var pair []json.RawMessage
	names := [2]string{path + "[0]", path + "[1]"}
	if json.Unmarshal(raw, &pair) != nil {
		members, err := object(raw, path)
		if err != nil {
			return err
		}
		for name := range members {
			if name != "from" && name != "to" {
				return invalid(path+"."+name, ruleUnknown)
			}
		}
		pair = []json.RawMessage{members["from"], members["to"]}
		names = [2]string{path + ".from", path + ".to"}
	}
	if len(pair) != 2 {
		return invalid(path, domain.RuleFormat)
	}
	from, err := instant(pair[0], names[0])
	if err != nil {
		return err
	}
	to, err := instant(pair[1], names[1])
	if err != nil {
		return err
	}
	if to.Before(from) {
		return invalid(path, ruleOrder)
	}
	p.created(from, to)
	return nil
}

// in reads {"period": name}.
func (p *parsing) in(raw json.RawMessage, path string) error {
	members, err := object(raw, path)
	if err != nil {
		return err
	}
	for name := range members {
		if name != "period" {
			return invalid(path+"."+name, ruleUnknown)
		}
	}
	name, err := str(members["period"], path+".period")
	if err != nil {
		return err
	}
	from, to := p.period(name)
	if from.IsZero() {
		return invalid(path+".period", domain.RuleOneOf)
	}
	p.created(from, to)
	return nil
}

// period is a span of the calendar in the tenant's zone; zero times for a name that is none.
// A day begins at its first instant, which is not midnight where the clock is set forward at night.
func (p *parsing) period(name string) (from, to time.Time) {
	year, month, day := p.now.Date()
	date := func(month time.Month, day int) time.Time { return startOfDay(year, month, day, p.zone) }
	week := day - (int(p.now.Weekday()-p.weekStart)+7)%7
	switch name {
	case "today":
		return date(month, day), date(month, day+1)
	case "yesterday":
		return date(month, day-1), date(month, day)
	case "this_week":
		return date(month, week), date(month, week+7)
	case "last_week":
		return date(month, week-7), date(month, week)
	case "this_month":
		return date(month, 1), date(month+1, 1)
	case "last_month":
		return date(month-1, 1), date(month, 1)
	}
	return time.Time{}, time.Time{}
}

// startOfDay is the first instant of a day in a zone. Days beyond the end of a month belong to the next.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if t.Hour() == 0 {
		return t
	}
	// There is no midnight. Date has used one of the two offsets, so t is off by the gap: before it, on the day before, or after it.
	if t.Hour() > 12 {
		_, end := t.ZoneBounds()
		return end
	}
	start, _ := t.ZoneBounds()
	return start
}

// within reads {"days": n}, {"hours": n} or {"minutes": n}: up to so long ago.
func (p *parsing) within(raw json.RawMessage, path string) error {
	members, err := object(raw, path)
	if err != nil {
		return err
	}
	if len(members) != 1 {
		return invalid(path, domain.RuleFormat)
	}
	for unit, value := range members {
		var n int
		if json.Unmarshal(value, &n) != nil {
			return invalid(path+"."+unit, ruleTypeNumber)
		}
		length := map[string]time.Duration{"days": 24 * time.Hour, "hours": time.Hour, "minutes": time.Minute}[unit]
		if length == 0 {
			return invalid(path+"."+unit, ruleUnknown)
		}
		most := int(100 * 365 * 24 * time.Hour / length)
		if n < 1 || n > most {
			return domain.Invalid(path+"."+unit, domain.RuleRange).With("min", 1).With("max", most)
		}
		p.created(p.now.Add(-time.Duration(n)*length).UTC(), time.Time{})
	}
	return nil
}
