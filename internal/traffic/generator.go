package traffic

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// The CloudEvents types that are generated.
const (
	MessageReceived    = "message.received"
	MessageSent        = "message.sent"
	SessionAccepted    = "session.accepted"
	SessionTransferred = "session.transferred"
	SessionClosed      = "session.closed"
	SessionRated       = "session.rated"
	WebAttributes      = "web.attributes"
)

// Event is one message for the product's queue.
type Event struct {
	Subject     string    // cc.in.<tenant>.<association>
	Association int       // the one in Subject
	Kind        string    // the CloudEvents type, or what is wrong with a malformed event (see Defects)
	ExternalID  string    // whom it concerns; empty if malformed
	Time        time.Time // when it happened, UTC, as in the body; zero if malformed
	Body        []byte    // a CloudEvent in structured JSON. The caller must not change it: a duplicate may share it
	Duplicate   bool      // repeats an earlier event: same source, id and body
	Late        bool      // a message that happened before the close of its session, which came earlier in the traffic
	Malformed   bool      // the product must refuse it
}

// arrival is an event with what its counting needs.
type arrival struct {
	event    Event
	customer *customer
	kind     stepKind
	score    int // of a rating
}

// customer is what the generator remembers about somebody who wrote.
type customer struct {
	number   uint64
	identity Identity
	totals   CustomerTotals
	busy     bool      // a session is going on, or its rating is still to come
	free     int64     // no session may begin at or before this instant
	stamped  time.Time // the time of their last event
}

// Generator hands out the traffic that its Options describe. It is not safe for concurrent use.
type Generator struct {
	options  Options
	start    time.Time
	step     time.Duration // resolution of times
	layout   string        // of times in bodies
	random   *random
	gap      int64 // mean microseconds from one session's begin to the next
	arrival  int64 // microseconds of the generator's clock when the next session begins
	ids      uint64
	subjects []string // by association index
	sources  []string // JSON strings, by association index
	agents   []string // JSON strings
	table    []int    // association indexes by weight

	duplicates uint64 // in a million
	malformed  uint64 // in a million
	late       uint64 // in a million
	lateOwed   uint64 // how many late events are due, in millionths

	queue     queue
	customers map[uint64]*customer
	idle      []*session // to be used again
	scratch   []byte     // the body being built
	phrase    []byte     // the text being built
	stopped   bool
	summary   Summary
}

// New returns a generator at the beginning of its traffic. The error says everything that is wrong with the options.
func New(o Options) (*Generator, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	g := &Generator{
		options: o, start: o.Start, step: time.Millisecond, layout: `"2006-01-02T15:04:05.000Z"`,
		random:     newRandom(o.Seed, streamTraffic),
		gap:        max(1, int64(eventsPerSession*1000*(1+o.Duplicates)/(1-o.Malformed)/o.perSecond())),
		table:      associationTable(o.Associations),
		duplicates: millionths(o.Duplicates), malformed: millionths(o.Malformed), late: millionths(o.Late),
		customers: map[uint64]*customer{}, summary: newSummary(),
	}
	if o.Clock != nil {
		g.step, g.layout = time.Microsecond, `"2006-01-02T15:04:05.000000Z"`
		if g.start.IsZero() {
			g.start = o.Clock()
		}
	}
	g.start = g.start.UTC().Truncate(g.step)
	g.ids = o.fingerprint(g.start)
	for _, a := range o.Associations {
		id := strconv.Itoa(a.ID)
		g.subjects = append(g.subjects, inSubject(o.Tenant, a.ID))
		g.sources = append(g.sources, `"/simulator/`+a.Channel+`/`+id+`"`)
	}
	for _, agent := range o.Agents {
		quoted, err := json.Marshal(agent)
		if err != nil {
			return nil, err
		}
		g.agents = append(g.agents, string(quoted))
	}
	g.queue.push(due{})
	return g, nil
}

// inSubject is where a channel puts its events.
func inSubject(tenant string, association int) string {
	return "cc.in." + tenant + "." + strconv.Itoa(association)
}

func millionths(share float64) uint64 { return uint64(math.Round(share * 1_000_000)) }

// Next returns the next event of the traffic, and false when there is none.
func (g *Generator) Next() (Event, bool) {
	if g.stopped || g.options.Events > 0 && g.summary.Events >= g.options.Events {
		return Event{}, false
	}
	if g.random.million(g.malformed) {
		g.summary.Events++
		return g.malform(), true
	}
	for {
		d := g.queue.pop()
		if g.past(d) {
			g.stopped = true
			return Event{}, false
		}
		switch {
		case d.session != nil:
			if e, ok := g.advance(d.session); ok {
				return e, true
			}
		case d.held != nil:
			return g.deliver(d.at, d.held), true
		default:
			g.begin(d.at)
		}
	}
}

// past says whether what is due lies behind the end of the traffic.
func (g *Generator) past(d due) bool {
	if g.options.Until.IsZero() {
		return false
	}
	return g.now(d.at).After(g.options.Until)
}

// now is the instant of an event that happens at this point of the generator's clock.
func (g *Generator) now(at int64) time.Time {
	if g.options.Clock != nil {
		return g.options.Clock().UTC().Truncate(g.step)
	}
	return g.start.Add(time.Duration(at) * time.Millisecond)
}

// stamp is when an event of the customer happens: now, but after the customer's last event.
func (g *Generator) stamp(c *customer, at int64) time.Time {
	now := g.now(at)
	if !now.After(c.stamped) {
		now = c.stamped.Add(g.step)
	}
	c.stamped = now
	return now
}

// begin lets somebody who is not in a session begin one, unless everybody it asks is, and arranges for the next beginning.
func (g *Generator) begin(at int64) {
	g.arrival += 1 + int64(g.random.below(uint64(2*g.gap)))
	g.queue.push(due{at: g.arrival / 1000})
	c := g.caller(at)
	if c == nil {
		return
	}
	s := g.session()
	s.customer, c.busy = c, true
	s.person = newPerson(g.options.Seed, c.number, g.options.Associations, g.table)
	if c.identity.ExternalID == "" {
		association := g.options.Associations[s.person.association]
		c.identity = Identity{Association: association.ID, ExternalID: s.person.externalID}
		c.totals.Channel = association.Channel
	}
	s.topic = &english
	if !s.person.latin {
		s.topic = &topics[g.random.index(len(topics))]
	}
	s.plan(g.random, at, s.person.web.ip != "", len(g.agents) > 1)
	g.lateOwed += g.late * uint64(len(s.steps))
	if owed := g.lateOwed / 1_000_000; owed > 0 {
		g.lateOwed -= uint64(s.delay(g.random, int(owed))) * 1_000_000
	}
	g.queue.push(due{at: at, session: s})
}

// session returns an empty session.
func (g *Generator) session() *session {
	last := len(g.idle) - 1
	if last < 0 {
		return &session{}
	}
	s := g.idle[last]
	g.idle = g.idle[:last]
	return s
}

// caller picks who writes next: some people come back often, most rarely. It returns nil if those it tries are all in a session.
func (g *Generator) caller(at int64) *customer {
	pool := uint64(g.options.Customers)
	var number uint64
	for range 8 {
		number = g.random.octave(pool)
		if c := g.available(number, at); c != nil {
			return c
		}
	}
	for range min(pool, 64) {
		number = (number + 1) % pool
		if c := g.available(number, at); c != nil {
			return c
		}
	}
	return nil
}

// available returns the customer, or nil if a session of theirs is going on.
func (g *Generator) available(number uint64, at int64) *customer {
	c := g.customers[number]
	if c == nil {
		c = &customer{number: number, free: -1}
		g.customers[number] = c
	}
	if c.busy || at <= c.free {
		return nil
	}
	return c
}

// advance does the next step of a session. It returns false if nothing arrives by it yet, because the message is late.
func (g *Generator) advance(s *session) (Event, bool) {
	st := s.steps[s.next]
	a := g.build(s, st)
	s.next++
	if s.next < len(s.steps) {
		g.queue.push(due{at: s.steps[s.next].at, session: s})
	} else {
		s.customer.busy, s.customer.free = false, st.at
		g.idle = append(g.idle, s)
	}
	if st.arrives > 0 {
		late := a
		late.event.Late = true
		g.queue.push(due{at: st.arrives, held: &late})
		return Event{}, false
	}
	return g.deliver(st.at, &a), true
}

// deliver hands out an event, counts it, and decides whether it is sent again.
func (g *Generator) deliver(at int64, a *arrival) Event {
	g.summary.Events++
	if a.event.Duplicate {
		g.summary.Duplicates++
		return a.event
	}
	g.summary.count(a)
	if g.random.million(g.duplicates) {
		again := *a
		again.event.Duplicate = true
		delay := g.random.between(1, 50) // sent twice in a row, or after a timeout
		if g.random.chance(700) {
			delay = g.random.skewed(100, 5*minute)
		}
		g.queue.push(due{at: at + delay, held: &again})
	}
	return a.event
}
