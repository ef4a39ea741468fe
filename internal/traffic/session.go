package traffic

import "slices"

// stepKind is what happens in one step of a session.
type stepKind uint8

const (
	stepOpens      stepKind = iota // the customer's first message
	stepNags                       // the customer writes while waiting
	stepVisits                     // the channel reports the visitor's browser
	stepAccepts                    // an agent takes the session
	stepGreets                     // the agent's first message
	stepWrites                     // a customer's message
	stepAnswers                    // an agent's message
	stepExplains                   // the agent says that somebody else will go on
	stepTransfers                  // somebody else does
	stepThanks                     // the customer's last message
	stepSaysBye                    // the agent's last message
	stepRates                      // the customer rates
	stepLeaves                     // the customer gives up waiting: session.closed
	stepAgentEnds                  // session.closed by the agent
	stepPersonEnds                 // session.closed by the customer
	stepTimesOut                   // session.closed by the system
)

// isMessage says whether the step is a message that may arrive late. The first one may not: it opens the session.
func (k stepKind) isMessage() bool {
	switch k {
	case stepNags, stepGreets, stepWrites, stepAnswers, stepExplains, stepThanks, stepSaysBye:
		return true
	}
	return false
}

// isClose says whether the step ends the session.
func (k stepKind) isClose() bool { return k >= stepLeaves }

// step is planned when its session begins. Instants are milliseconds of the generator's clock.
type step struct {
	at      int64 // when it happens
	arrives int64 // when a late message arrives; 0 for what arrives when it happens
	kind    stepKind
}

const second, minute = int64(1000), 60 * int64(1000)

// eventsPerSession is how many events the average session has, malformed and duplicate ones not counted, in thousandths. It turns a
// density of events into a density of sessions; a test holds it to what plan makes.
const eventsPerSession = 9_670

// session is a conversation that goes on, with its plan.
type session struct {
	customer *customer
	person   person
	topic    *topic
	agent    int // index into the agents, once accepted
	steps    []step
	next     int // index into steps
}

// add plans a step some milliseconds after the instant and returns when it happens.
func (s *session) add(kind stepKind, after, delay int64) int64 {
	s.steps = append(s.steps, step{at: after + delay, kind: kind})
	return after + delay
}

// plan writes the session's script: what happens and when, beginning with the opening message at the given instant.
// web says whether the channel may tell about a browser, transfers whether there is a second agent. Steps are in order of time, no two at one instant.
func (s *session) plan(r *random, start int64, web, transfers bool) {
	s.steps, s.next = s.steps[:0], 0
	now := s.add(stepOpens, start, 0)
	if web && r.chance(600) {
		s.add(stepVisits, now, r.between(50, 1500))
	}
	if r.chance(80) {
		s.planGivingUp(r, now)
	} else {
		s.planTalk(r, s.planWaiting(r, now), transfers)
	}
	slices.SortStableFunc(s.steps, func(a, b step) int { return int(a.at - b.at) })
	for i := 1; i < len(s.steps); i++ {
		s.steps[i].at = max(s.steps[i].at, s.steps[i-1].at+1)
	}
}

// planGivingUp lets the customer leave before anybody accepts.
func (s *session) planGivingUp(r *random, now int64) {
	patience := r.skewed(15*second, 8*minute)
	for range r.below(3) {
		s.add(stepNags, now, r.between(5*second, patience))
	}
	s.add(stepLeaves, now, patience)
}

// planWaiting lets the customer wait for seconds to minutes until an agent accepts.
func (s *session) planWaiting(r *random, now int64) int64 {
	wait := r.skewed(1500, 4*minute)
	if wait > 10*second && r.chance(400) {
		s.add(stepNags, now, r.between(5*second, wait))
	}
	return s.add(stepAccepts, now, wait)
}

// planTalk plans the conversation, its end and its rating.
func (s *session) planTalk(r *random, now int64, transfers bool) {
	now = s.add(stepGreets, now, r.between(800, 6*second))
	rounds := 1 + r.below(3)
	transferAt := rounds // none
	if transfers && r.chance(70) {
		transferAt = r.below(rounds)
	}
	for round := range rounds {
		now = s.add(stepWrites, now, r.skewed(3*second, 90*second))
		if r.chance(200) {
			now = s.add(stepWrites, now, r.skewed(second, 20*second))
		}
		if round == transferAt {
			now = s.add(stepExplains, now, r.between(2*second, 20*second))
			now = s.add(stepTransfers, now, r.between(second, 40*second))
			now = s.add(stepGreets, now, r.between(second, 20*second))
		}
		now = s.add(stepAnswers, now, r.skewed(4*second, 100*second))
	}
	now, closes := s.planEnd(r, now)
	switch draw := r.below(1000); {
	case draw < 180: // while the session is still open
		s.add(stepRates, now, r.between(1, closes-now))
	case draw < 600: // afterwards
		s.add(stepRates, closes, r.skewed(3*second, 10*minute))
	}
}

// planEnd plans the last words and the close. It returns when the last message was written and when the session is closed.
func (s *session) planEnd(r *random, now int64) (last, closes int64) {
	switch draw := r.below(1000); {
	case draw < 550:
		if r.chance(500) {
			now = s.add(stepThanks, now, r.skewed(2*second, 40*second))
		}
		if r.chance(500) {
			now = s.add(stepSaysBye, now, r.skewed(2*second, 20*second))
		}
		return now, s.add(stepAgentEnds, now, r.between(2*second, 40*second))
	case draw < 750:
		if r.chance(500) {
			now = s.add(stepThanks, now, r.skewed(2*second, 40*second))
		}
		return now, s.add(stepPersonEnds, now, r.between(2*second, 2*minute))
	default:
		return now, s.add(stepTimesOut, now, r.between(3*minute, 10*minute))
	}
}

// delay makes up to n of the session's messages late: written before the close, arriving after it, and less than ten
// minutes after they were written. It returns how many it found.
func (s *session) delay(r *random, n int) int {
	end := slices.IndexFunc(s.steps, func(st step) bool { return st.kind.isClose() })
	closes, done := s.steps[end].at, 0
	for i := end - 1; i > 0 && done < n; i-- {
		st := &s.steps[i]
		if st.kind.isMessage() && closes-st.at < 6*minute {
			st.arrives = r.skewed(closes+50, st.at+9*minute+30*second)
			done++
		}
	}
	return done
}
