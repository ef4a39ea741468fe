package projections

import (
	"encoding/binary"
	"math"
	"time"
)

// cellClock writes instants as the clocks of a zone show them. It remembers what the last ones had in common.
type cellClock struct {
	zone     *time.Location
	from, to int64 // seconds of Unix between which the offset holds
	offset   int64
	days     [512]cellDay // by their number
}

type cellDay struct {
	number int64
	text   string // "2006-01-02 "
}

func newCellClock(zone *time.Location) *cellClock {
	if zone == nil {
		zone = time.UTC
	}
	return &cellClock{zone: zone}
}

// Of the database's instants, in microseconds: 2000-01-01 is the first, and the first day of all stands for never.
const epochOfDatabase = 946_684_800

var never = time.Time{}.Unix() - epochOfDatabase

// write writes a timestamptz.
func (c *cellClock) write(cell []byte, _ int64, values [][]byte) ([]byte, error) {
	if values[0] == nil {
		return cell, nil
	}
	seconds := quotient(int64(binary.BigEndian.Uint64(values[0])), 1_000_000)
	if seconds == never {
		return cell, nil
	}
	return c.append(cell, seconds+epochOfDatabase), nil
}

// append writes an instant, in seconds of Unix.
func (c *cellClock) append(cell []byte, at int64) []byte {
	const day = 24 * 60 * 60
	if at < c.from || at >= c.to {
		c.look(at)
	}
	local := at + c.offset
	number := quotient(local, day)
	known := &c.days[uint64(number)%uint64(len(c.days))]
	if known.text == "" || known.number != number {
		*known = cellDay{number, time.Unix(number*day, 0).UTC().Format("2006-01-02 ")}
	}
	of := local - number*day
	two := func(n int64, after byte) { cell = append(cell, byte('0'+n/10), byte('0'+n%10), after) }
	cell = append(cell, known.text...)
	two(of/3600, ':')
	two(of/60%60, ':')
	two(of%60, ':')
	return cell[:len(cell)-1]
}

// look finds out for how long around an instant the clocks go as they do then.
func (c *cellClock) look(at int64) {
	t := time.Unix(at, 0).In(c.zone)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	c.offset, c.from, c.to = int64(offset), math.MinInt64, math.MaxInt64
	if !start.IsZero() {
		c.from = start.Unix()
	}
	if !end.IsZero() {
		c.to = end.Unix()
	}
}

// quotient is the quotient, rounded down.
func quotient(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}
