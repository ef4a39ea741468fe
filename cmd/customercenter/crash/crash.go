// Package crash finds out whether a system has kept its promises, whatever was killed under it: every acknowledged request is in the
// log once, the log and its streams have no holes, the event stream holds what the log holds, and the read tables are what a
// rebuild from zero gives.
//
// Its own test runs writers, relays and projectors as processes, kills them, stops Postgres in the middle of what it does, kills
// NATS, deletes the event stream, and then checks.
package crash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// System is what is checked.
type System struct {
	// Store should be fresh: keys of customers that it has opened before are in its memory, and not missed in the database.
	Store *eventstore.Store
	// JetStream holds the event stream under the name Stream; default CC_EVENTS. The stream must not have thrown anything away
	// since it was filled from the first position on.
	JetStream jetstream.JetStream
	Stream    string
	// Projector need not run. Projections are the names of those to compare with a rebuild.
	Projector   *projector.Projector
	Projections []string
	// Requests are what the writers were asked for, and what they were answered. No two have one correlation.
	Requests []Request
}

// Request is something that a writer was asked to do, and did or did not answer.
type Request struct {
	Tenant string
	// Correlation is in the envelope of every event that the request wrote, and of no other.
	Correlation string
	// Acknowledged says that there was an answer. Without one, it may have been carried out or not, but not twice.
	Acknowledged bool
	// Changed and Position are of the answer: whether something was written, and the last position written; 0 if the answer did not tell, as that of a queue does not.
	Changed  bool
	Position int64
	// Receipt names the receipt that the request must have left; zero if none was asked for.
	Receipt ReceiptKey
}

// ReceiptKey tells the receipts of one tenant apart.
type ReceiptKey struct{ Actor, Route, Key string }

// Kind is a kind of damage.
type Kind string

// The kinds of damage.
const (
	LogHole          Kind = "hole in the log"               // a position is missing, or stands where it should not
	VersionHole      Kind = "hole in a stream"              // a stream's versions do not count 1, 2, 3 …
	ClockBack        Kind = "clock ran backwards"           // recorded_at is before that of the position before
	BrokenLife       Kind = "life of a customer"            // one that begins in another one, or an event outside of any
	Doubled          Kind = "written twice"                 // one append, or one request, stands in two places
	Lost             Kind = "acknowledged and lost"         // the answer told of events that are not in the log
	Elsewhere        Kind = "acknowledged elsewhere"        // the answer told another position
	Unwanted         Kind = "written against the answer"    // the answer said that nothing was written
	Unreadable       Kind = "event cannot be opened"        // its type, its payload or its key is not what it was
	WrongReceipt     Kind = "receipt is wrong"              // missing, or pointing elsewhere
	BusMissing       Kind = "missing in the event stream"   // a position of the log is not there
	BusOrder         Kind = "order of the event stream"     // positions do not count up by one within a filling
	BusDiffers       Kind = "message is not the event"      // a header or the body is not what the log has
	BusForeign       Kind = "message of nobody"             // not of an event that the log has
	Behind           Kind = "not caught up"                 // the relay or a projection has not come to the end of the log
	Ahead            Kind = "ahead of the log"              // the relay or a projection has seen what the log has not
	Stopped          Kind = "stopped"                       // the relay or a projection refuses to go on
	Parked           Kind = "customer is parked"            // a projection could not apply an event
	TableDiffers     Kind = "table is not as rebuilt"       // rows are missing, too many or different
	FurtherOfTheKind Kind = "more of a kind than are shown" // see Check
)

// Finding is one piece of damage.
type Finding struct {
	Kind   Kind
	Tenant string
	// Position is where in the tenant's log; 0 where that has no meaning.
	Position int64
	// Text says what is wrong. It holds ids, types and positions, nothing personal.
	Text string
}

func (f Finding) String() string {
	s := string(f.Kind) + ": tenant " + f.Tenant
	if f.Position > 0 {
		s += fmt.Sprintf(" at %d", f.Position)
	}
	return s + ": " + f.Text
}

// shown is how many findings of a kind are shown for a tenant; of the others, only the number.
const shown = 10

// Check looks at everything and returns what is wrong: none means that all promises were kept. The error says that it could not look.
//
// Nothing may be appended meanwhile, and relay and projections must have been given the time to come to the end of the log. A build of
// every projection is made beside the live one and dropped again; a build that stood beside it is gone afterwards.
func Check(ctx context.Context, s System) ([]Finding, error) {
	if s.Store == nil || s.JetStream == nil || s.Projector == nil {
		return nil, errors.New("crash: a store, a JetStream and a projector are needed")
	}
	s.Stream = cmp.Or(s.Stream, "CC_EVENTS")
	tenants, err := s.Store.Tenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("crash: %w", err)
	}
	r := &report{counts: map[countKey]int{}}
	logs := map[string]*tenantLog{}
	for _, t := range tenants {
		if logs[t.Slug], err = readLog(ctx, s.Store, t.Slug, r); err != nil {
			return nil, err
		}
	}
	requests := map[string][]Request{}
	for _, q := range s.Requests {
		if logs[q.Tenant] == nil {
			return nil, fmt.Errorf("crash: a request is of the tenant %s, who does not exist", q.Tenant)
		}
		requests[q.Tenant] = append(requests[q.Tenant], q)
	}
	for _, t := range tenants {
		checkRequests(logs[t.Slug], requests[t.Slug], r)
		if err := checkReceipts(ctx, s.Store, logs[t.Slug], requests[t.Slug], r); err != nil {
			return nil, err
		}
	}
	if err := checkBus(ctx, s, logs, r); err != nil {
		return nil, err
	}
	if err := checkTables(ctx, s, r); err != nil {
		return nil, err
	}
	return r.result(), nil
}

// report collects findings.
type report struct {
	findings []Finding
	counts   map[countKey]int
}

type countKey struct {
	tenant string
	kind   Kind
}

func (r *report) add(kind Kind, tenant string, position int64, format string, args ...any) {
	key := countKey{tenant, kind}
	if r.counts[key]++; r.counts[key] <= shown {
		r.findings = append(r.findings, Finding{Kind: kind, Tenant: tenant, Position: position, Text: fmt.Sprintf(format, args...)})
	}
}

// result is what was found, the log first, and the numbers of what is not shown.
func (r *report) result() []Finding {
	var further []Finding
	for key, n := range r.counts {
		if n > shown {
			further = append(further, Finding{Kind: FurtherOfTheKind, Tenant: key.tenant, Text: fmt.Sprintf("%d more: %s", n-shown, key.kind)})
		}
	}
	slices.SortFunc(further, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Text, b.Text)) })
	return append(r.findings, further...)
}
