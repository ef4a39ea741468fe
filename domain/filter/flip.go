package filter

import "time"

// instantLength is the distance between two instants: times are whole microseconds everywhere.
const instantLength = time.Microsecond

// NextFlip is the earliest instant after at from which on Match can be something else although nothing happens to the customer; zero:
// never. From at up to that instant Match does not change. Of a single condition it is exact: there, it does change then. Of a tree it is
// the earliest of its conditions, so that Match may turn out to be the same.
//
// It holds for this customer, filter and calendar: an event, or another zone or week, calls for asking again.
func (f *Filter) NextFlip(s *Subject, at time.Time, cal Calendar) time.Time {
	if f.root == nil {
		return time.Time{}
	}
	return nextFlip(f.root, s, at.UTC().Truncate(time.Microsecond), cal)
}

func nextFlip(n Node, s *Subject, at time.Time, cal Calendar) time.Time {
	switch n := n.(type) {
	case All:
		return earliestFlip(n, s, at, cal)
	case Any:
		return earliestFlip(n, s, at, cal)
	case Not:
		return nextFlip(n.Node, s, at, cal)
	case *Condition:
		return n.nextFlip(s, at, cal)
	}
	return time.Time{}
}

func earliestFlip(parts []Node, s *Subject, at time.Time, cal Calendar) time.Time {
	var first time.Time
	for _, part := range parts {
		first = earliest(first, nextFlip(part, s, at, cal))
	}
	return first
}

// earliest is the earlier of two times of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// nextFlip is when the condition itself is next something else than at that instant.
func (c *Condition) nextFlip(s *Subject, at time.Time, cal Calendar) time.Time {
	lists := c.Field == "blacklisted" || c.Field == "blacklisted_at"
	switch {
	case c.Kind != Time && !lists:
		return time.Time{}
	case !lists:
		return c.timeFlip(s.time(c.Field, at, cal), at, cal)
	case !s.Blacklisted(at):
		return time.Time{} // nobody comes onto the blacklist by the clock alone
	}
	var flip time.Time
	if c.Field == "blacklisted_at" {
		flip = c.timeFlip(s.ListedAt, at, cal)
	}
	until := s.ListedUntil
	if !flip.IsZero() && (until.IsZero() || flip.Before(until)) {
		return flip
	}
	if !until.IsZero() && c.Match(s, until, cal) != c.Match(s, at, cal) {
		return until.UTC()
	}
	return time.Time{}
}

// timeFlip is when the condition next changes for a time that stays what it is.
func (c *Condition) timeFlip(t, at time.Time, cal Calendar) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	var from, to time.Time // of the instants that have t in the span
	switch c.Op {
	case Within:
		to = t.Add(c.length() + instantLength)
	case OlderThan:
		from = t.Add(c.length() + instantLength)
	case In:
		from, to = cal.reach(c.Period, t)
		if !from.Before(to) { // never in it
			return time.Time{}
		}
	default:
		return time.Time{}
	}
	switch {
	case from.After(at):
		return from.UTC()
	case to.After(at):
		return to.UTC()
	}
	return time.Time{}
}
