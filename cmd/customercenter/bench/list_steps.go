package bench

import (
	"container/heap"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// What happens to a customer of the year next, and when.

type stepKind int

const (
	stepOpen stepKind = iota
	stepAccept
	stepTag
	stepEdit
	stepWrite
	stepClose
	stepAbort
	stepRate
	stepBlock
	stepLift
)

type step struct {
	at   time.Time
	kind stepKind
	who  *visitor
}

// steps is a heap by time.
type steps []*step

func (s steps) Len() int           { return len(s) }
func (s steps) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s steps) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *steps) Push(x any)        { *s = append(*s, x.(*step)) }
func (s *steps) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// in has something happen after a while, unless the year is over by then.
func (y *year) in(at time.Time, after time.Duration, kind stepKind, v *visitor) {
	if due := at.Add(after + time.Duration(y.random.Int64N(int64(time.Second)))); due.Before(y.to) {
		heap.Push(&y.steps, &step{due, kind, v})
	}
}

// take appends what a step is, and plans what follows from it.
func (y *year) take(s *step, yield func(eventstore.Past) bool) bool {
	v, at := s.who, s.at
	switch s.kind {
	case stepOpen:
		v.left--
		return yield(y.open(at, v, uuid.Nil))
	case stepAccept:
		return yield(y.accept(at, v))
	case stepTag:
		t := y.tag()
		return !v.tag(t) || yield(y.past(at, "agent", uuid.Nil, v.own(time.Time{}, customer.Tagged{Tag: y.tags[t]})))
	case stepEdit:
		before := v.description
		v.description = "老客户 " + v.agent + at.Format(" 0102")
		edited := customer.ProfileChanged{Fields: map[string]customer.Change{"description": {Old: orNotSet(before), New: v.description}}}
		return yield(y.past(at, "agent", uuid.Nil, v.own(time.Time{}, edited)))
	case stepWrite:
		said := spoken(at)
		return yield(y.past(at, "channel", uuid.Nil, v.talk(said, y.message(v, said))))
	case stepClose:
		return yield(y.close(at, v))
	case stepAbort:
		v.come(y, at)
		return yield(y.past(at, "system", uuid.Nil, v.own(time.Time{}, v.closed(true)), v.talk(time.Time{}, session.Aborted{By: domain.PartySystem, Cause: "timeout"})))
	case stepRate:
		return yield(y.past(at, "channel", uuid.Nil, v.talk(time.Time{}, session.Rated{Score: y.score()})))
	case stepBlock:
		return yield(y.block(at, v))
	default: // stepLift
		return yield(y.past(at, "policy", uuid.Nil, v.own(time.Time{}, customer.Unblacklisted{Cause: customer.CauseExpired})))
	}
}

// accept gives the session to an agent, who may tag the customer and edit the profile while they talk.
func (y *year) accept(at time.Time, v *visitor) eventstore.Past {
	v.agent = fmt.Sprintf("agent-%02d", int(serving*y.random.Float64()*y.random.Float64()))
	talks := 20 * time.Minute
	if y.chance(3) {
		talks = 60 * time.Hour
	}
	y.in(at, time.Duration(y.random.ExpFloat64()*float64(talks))+2*time.Minute, stepClose, v)
	for _, follows := range []struct {
		kind    stepKind
		percent float64
	}{{stepTag, 40}, {stepEdit, 5}, {stepWrite, 20}} {
		if y.chance(follows.percent) {
			y.in(at, 30*time.Second, follows.kind, v)
		}
	}
	return y.past(at, "agent", uuid.Nil, v.talk(time.Time{}, session.Accepted{Agent: v.agent}))
}

// close ends a session that an agent had. Then the customer rates it, comes back, or ends on the blacklist.
func (y *year) close(at time.Time, v *visitor) eventstore.Past {
	closed := y.past(at, "agent", uuid.Nil, v.own(time.Time{}, v.closed(false)), v.talk(time.Time{}, session.Closed{By: domain.PartyAgent}))
	if y.chance(20) {
		y.in(at, 20*time.Second, stepRate, v) // before the next session begins
	}
	if y.chance(0.4) {
		v.left = 0
		y.in(at, 30*time.Second, stepBlock, v)
	}
	v.come(y, at)
	return closed
}

// block puts the customer on the blacklist, often for a while.
func (y *year) block(at time.Time, v *visitor) eventstore.Past {
	const while = 45 * 24 * time.Hour
	listed := customer.Blacklisted{Reason: "广告"}
	if y.chance(40) {
		until := at.Add(while)
		listed.ExpiresAt = &until
		y.in(at, while, stepLift, v)
	}
	return y.past(at, "admin", uuid.Nil, v.own(time.Time{}, listed))
}

func (v *visitor) closed(aborted bool) customer.SessionClosed {
	spoke := v.spoke
	return customer.SessionClosed{Session: v.session, Aborted: aborted, LastCustomerMessageAt: &spoke}
}

// come plans the next session, if there is to be one.
func (v *visitor) come(y *year, at time.Time) {
	if v.left > 0 {
		y.later(at, v)
	}
}

// score is mostly good.
func (y *year) score() int { return 5 - int(math.Floor(5*math.Pow(y.random.Float64(), 3))) }

// orNotSet is a value of a profile as an event tells it.
func orNotSet(value string) any {
	if value == "" {
		return nil
	}
	return value
}
