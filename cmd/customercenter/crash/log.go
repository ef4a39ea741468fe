package crash

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
)

// pageEvents is how much of a log is read at once.
const pageEvents = 5000

// tenantLog is what is remembered of a tenant's log, to hold everything else against it.
type tenantLog struct {
	tenant string
	head   int64
	// sums are of the events, by position: sums[0] is of position 1. Zero where there is none.
	sums    []uint64
	appends map[uuid.UUID]*written
	// requests are the appends by correlation, in the order of the log.
	requests map[string][]uuid.UUID
}

// written is where an append stands.
type written struct {
	first, last int64
	at          time.Time
	correlation string
}

// readLog reads a whole log and checks it by itself: dense positions, versions without holes, a clock that does not run backwards,
// every append in one place, every event readable, one life of a customer after the other.
func readLog(ctx context.Context, store *eventstore.Store, tenant string, r *report) (*tenantLog, error) {
	head, err := store.Head(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("crash: %w", err)
	}
	l := &tenantLog{tenant: tenant, head: head, appends: map[uuid.UUID]*written{}, requests: map[string][]uuid.UUID{}}
	streams, lives := map[string]int64{}, map[uuid.UUID]life{}
	closed := map[uuid.UUID]int64{} // customers without a key, by the first event that needs it
	last := eventstore.Event{}
	for last.Position < head {
		events, err := store.ReadLog(ctx, tenant, last.Position, pageEvents)
		if err != nil {
			return nil, fmt.Errorf("crash: %w", err)
		}
		if len(events) == 0 {
			break // reported as a hole, below
		}
		decoded, failed, err := store.OpenEach(ctx, events)
		if err != nil {
			return nil, fmt.Errorf("crash: %w", err)
		}
		for i, e := range events {
			l.position(e, last, r)
			if want := streams[e.Stream] + 1; e.Version != want {
				r.add(VersionHole, tenant, e.Position, "stream %s goes on with version %d, want %d", e.Stream, e.Version, want)
			}
			streams[e.Stream] = e.Version
			switch {
			case failed[i] != nil:
				r.add(Unreadable, tenant, e.Position, "%s: %v", e.Type, failed[i])
			case e.Type == erasedType:
				delete(closed, e.Customer)
			case decoded[i].Erased && closed[e.Customer] == 0:
				closed[e.Customer] = e.Position
			}
			if failed[i] == nil && e.Stream == customer.Stream(e.Customer) {
				lives[e.Customer] = lives[e.Customer].after(&decoded[i], r)
			}
			if decoded[i].Envelope.Append != uuid.Nil { // else the envelope is what cannot be read
				l.append(e, &decoded[i].Envelope, r)
			}
			last = e
		}
	}
	if last.Position != head {
		r.add(LogHole, tenant, head, "the log ends at %d, and its head is %d", last.Position, head)
	}
	for customer, position := range closed {
		r.add(Unreadable, tenant, position, "customer %s has no key, and was not erased", customer)
	}
	return l, nil
}

// erasedType is the event after which a customer's key is gone rightly.
const erasedType = "customer.erased"

// life is where a customer is in the log: the generation, and whether it goes on.
type life struct {
	generation int
	living     bool
}

// after follows a customer's own stream: a creation begins the next life, and nothing happens after its end.
func (l life) after(e *eventstore.Decoded, r *report) life {
	created, begins := e.Payload.(customer.Created)
	if begins == l.living || begins && created.Generation != l.generation+1 {
		r.add(BrokenLife, e.Tenant, e.Position, "%s of customer %s, after %d lives, the last going on: %v", e.Type, e.Customer, l.generation, l.living)
	}
	if begins {
		return life{created.Generation, true}
	}
	_, withdrawn := e.Payload.(customer.Withdrawn)
	l.living = !withdrawn && e.Type != erasedType
	return l
}

// position checks that an event follows the one before it.
func (l *tenantLog) position(e, before eventstore.Event, r *report) {
	if e.Position != before.Position+1 {
		r.add(LogHole, l.tenant, e.Position, "position %d follows %d", e.Position, before.Position)
	}
	if e.RecordedAt.Before(before.RecordedAt) {
		r.add(ClockBack, l.tenant, e.Position, "recorded at %s, after %s", e.RecordedAt.Format(time.RFC3339Nano), before.RecordedAt.Format(time.RFC3339Nano))
	}
	for int64(len(l.sums)) < e.Position-1 {
		l.sums = append(l.sums, 0)
	}
	l.sums = append(l.sums, sum(textOf(e)))
}

// append notes to which append an event belongs. All of an append is written by one statement: side by side, at one instant.
func (l *tenantLog) append(e eventstore.Event, envelope *eventstore.Meta, r *report) {
	w := l.appends[envelope.Append]
	if w == nil {
		l.appends[envelope.Append] = &written{first: e.Position, last: e.Position, at: e.RecordedAt, correlation: envelope.Correlation}
		if envelope.Correlation != "" {
			l.requests[envelope.Correlation] = append(l.requests[envelope.Correlation], envelope.Append)
		}
		return
	}
	if e.Position != w.last+1 || !e.RecordedAt.Equal(w.at) {
		r.add(Doubled, l.tenant, e.Position, "append %s stands at %d to %d, and here again", envelope.Append, w.first, w.last)
	}
	w.last = e.Position
}

// checkRequests holds the answers against the log.
func checkRequests(l *tenantLog, requests []Request, r *report) {
	for i := range requests {
		q := &requests[i]
		appends := l.requests[q.Correlation]
		switch {
		case len(appends) > 1:
			r.add(Doubled, l.tenant, l.appends[appends[1]].first, "request %s was carried out at %d, and here again", q.Correlation, l.appends[appends[0]].first)
		case !q.Acknowledged:
		case q.Changed && len(appends) == 0:
			r.add(Lost, l.tenant, q.Position, "request %s was answered with this position, and has no event", q.Correlation)
		case q.Changed && q.Position > 0 && l.appends[appends[0]].last != q.Position:
			w := l.appends[appends[0]]
			r.add(Elsewhere, l.tenant, q.Position, "request %s was answered with this position, and stands at %d to %d", q.Correlation, w.first, w.last)
		case !q.Changed && len(appends) > 0:
			r.add(Unwanted, l.tenant, l.appends[appends[0]].first, "request %s was answered that nothing was to be changed", q.Correlation)
		case q.Position > l.head:
			r.add(Lost, l.tenant, q.Position, "request %s saw this position, and the log ends at %d", q.Correlation, l.head)
		}
	}
}

// text is an event as both the log and a message say it, with everything that must be the same.
type text struct {
	stream, version, kind, typeVersion, recordedAt, customer, meta, body string
}

func textOf(e eventstore.Event) text {
	t := text{
		stream: e.Stream, version: strconv.FormatInt(e.Version, 10), kind: e.Type, typeVersion: strconv.Itoa(e.TypeVersion),
		recordedAt: e.RecordedAt.Format(time.RFC3339Nano), meta: string(e.Meta), body: string(e.Data),
	}
	if e.Customer != uuid.Nil {
		t.customer = e.Customer.String()
	}
	return t
}

var seed = maphash.MakeSeed()

// sum is never zero, which stands for no event.
func sum(t text) uint64 { return maphash.Comparable(seed, t) | 1 }
