package commands

import (
	"context"
	"fmt"
	"sync"
	"time"

	"customercenter/eventstore"
)

// Bounds of reading together.
const (
	readFlights  = 2   // statements of one tenant under way at a time; what comes meanwhile shares the next
	readRequests = 256 // in one statement
	readPatience = 10 * time.Second
)

// reads lets loads of one tenant that come at the same time share a statement, as the event store does with appends. A lone load goes
// at once. Every load sees what was committed before it began, as its statement begins later.
type reads struct {
	store *eventstore.Store

	mu     sync.Mutex
	queues map[string]*readQueue
}

// readQueue holds the loads of one tenant that wait for the next statement.
type readQueue struct {
	waiting []*readRequest
	flights int
}

// readRequest is one load.
type readRequest struct {
	names  []string
	after  []int64
	events []eventstore.Event
	err    error
	done   chan struct{} // closed when events and err are set
}

func newReads(store *eventstore.Store) *reads {
	return &reads{store: store, queues: map[string]*readQueue{}}
}

// streams returns all events of these streams after the versions given, those of one stream in its order.
func (r *reads) streams(ctx context.Context, tenant string, names []string, after []int64) ([]eventstore.Event, error) {
	r.mu.Lock()
	q := r.queues[tenant]
	if q == nil {
		q = &readQueue{}
		r.queues[tenant] = q
	}
	if q.flights < readFlights && len(q.waiting) == 0 {
		q.flights++
		r.mu.Unlock()
		defer r.land(tenant, q)
		return r.store.ReadStreams(ctx, tenant, names, after)
	}
	request := &readRequest{names: names, after: after, done: make(chan struct{})}
	q.waiting = append(q.waiting, request)
	r.mu.Unlock()
	select {
	case <-request.done:
		return request.events, request.err
	case <-ctx.Done():
		return nil, fmt.Errorf("commands: read: %w", context.Cause(ctx))
	}
}

// land ends the flight of a caller that read for itself. If others have queued meanwhile, the flight goes on without it.
func (r *reads) land(tenant string, q *readQueue) {
	if requests := r.next(tenant, q); requests != nil {
		go func() {
			for ; requests != nil; requests = r.next(tenant, q) {
				r.fly(tenant, requests)
			}
		}()
	}
}

// next takes what waits; if nothing does, the flight has ended.
func (r *reads) next(tenant string, q *readQueue) []*readRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := min(len(q.waiting), readRequests); n > 0 {
		requests := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		return requests
	}
	q.waiting = nil
	if q.flights--; q.flights == 0 {
		delete(r.queues, tenant)
	}
	return nil
}

// fly reads for several at once and settles every request.
func (r *reads) fly(tenant string, requests []*readRequest) {
	// No caller's context: it would take the others' answer away.
	ctx, cancel := context.WithTimeout(context.Background(), readPatience)
	defer cancel()
	var names []string
	var after []int64
	place := map[string]int{} // of a stream in names: asked for by several, it is read once, from the earliest version
	for _, request := range requests {
		for i, name := range request.names {
			if at, known := place[name]; known {
				after[at] = min(after[at], request.after[i])
				continue
			}
			place[name] = len(names)
			names, after = append(names, name), append(after, request.after[i])
		}
	}
	events, err := r.store.ReadStreams(ctx, tenant, names, after)
	of := make([][]int, len(names)) // events of a stream, by their place in events
	for i, e := range events {
		at := place[e.Stream]
		of[at] = append(of[at], i)
	}
	for _, request := range requests {
		request.err = err
		for i, name := range request.names {
			for _, at := range of[place[name]] {
				if events[at].Version > request.after[i] {
					request.events = append(request.events, events[at])
				}
			}
		}
		close(request.done)
	}
}
