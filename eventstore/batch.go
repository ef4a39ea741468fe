package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore/keyring"
	"customercenter/eventstore/tenancy"
)

// Group commit. Appends of one tenant that arrive while a call is under way go out together as the next call, with no timer:
// a lone append goes at once.

// Bounds of one call; the next takes what is left.
const (
	batchAppends = 512
	batchEvents  = 4000
	batchBytes   = 24 << 20
)

// prepared is an append ready to be sent: payloads encoded and sealed.
type prepared struct {
	*Append
	events   []preparedEvent
	bytes    int
	keys     []keyring.Wrapped
	fresh    map[uuid.UUID]keyring.Key // keys of NewCustomers, valid once committed
	done     chan struct{}             // closed when result and err are set
	result   Result
	err      error
	recorded bool // in the log, by this call or an earlier one
}

type preparedEvent struct {
	stream      string
	version     int64
	name        string
	typeVersion int
	customer    uuid.UUID // the zero one: nobody
	data, meta  string
}

// queue holds the appends of one tenant that wait for the next call. It is there while a call is under way.
type queue struct {
	waiting []*prepared
	writers int // as many as the last call answered, and those who waited then
}

// Append writes one append and returns what it wrote.
//
// Errors: *ConflictError, *RepeatedError, ErrClocks, ErrUnknownTenant, ErrTooLarge, ErrUnknownType and keyring.ErrNoKey mean that
// nothing was written. ErrUnavailable and a context error mean that it is not known; appending again with the same ID is safe.
//
// If the context is in a trace, the append is a part of it, and so is what follows from its events elsewhere.
func (s *Store) Append(ctx context.Context, a Append) (Result, error) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return s.appendTraced(ctx, span.TracerProvider().Tracer("customercenter"), a)
	}
	return s.append(ctx, a)
}

func (s *Store) append(ctx context.Context, a Append) (Result, error) {
	if !tenancy.Allows(ctx, a.Tenant) { // it is sent together with those of others, so not with this context
		return Result{}, ErrUnknownTenant
	}
	p, err := s.prepare(ctx, &a)
	if err != nil {
		return Result{}, err
	}
	s.mu.Lock()
	q := s.queues[a.Tenant]
	alone := q == nil
	if alone {
		q = &queue{}
		s.queues[a.Tenant] = q
	}
	q.waiting = append(q.waiting, p)
	s.mu.Unlock()
	// The first call goes out from here, which saves a lone append a goroutine; whoever queued meanwhile is not our caller's business.
	if alone {
		tell, more := s.next(a.Tenant, q)
		if more {
			go s.fly(a.Tenant, q)
		}
		tell()
	}
	select {
	case <-p.done:
		return s.done(p)
	default: // what is known is never reported as unknown
	}
	select {
	case <-p.done:
		return s.done(p)
	case <-ctx.Done():
		return Result{}, fmt.Errorf("eventstore: append: outcome unknown: %w", context.Cause(ctx))
	}
}

// done is what an append has come to. Keys that it destroyed are not used any more in this process.
func (s *Store) done(p *prepared) (Result, error) {
	if p.err == nil {
		for _, st := range p.Streams {
			for _, e := range st.Events {
				if d, is := e.Payload.(Destroyer); is {
					s.keys.Destroyed(p.Tenant, e.Customer, d.DestroysKeys())
				}
			}
		}
	}
	return p.result, p.err
}

// fly sends batches until nobody waits. Who is in a batch is told while the next one is under way: the database need not wait for that.
func (s *Store) fly(tenant string, q *queue) {
	for {
		tell, more := s.next(tenant, q)
		if !more {
			tell()
			return
		}
		go tell()
	}
}

// next sends one batch and reports whether more are waiting; if not, the queue is gone. tell settles every append in the batch.
func (s *Store) next(tenant string, q *queue) (tell func(), more bool) {
	s.mu.Lock()
	batch := q.take()
	s.mu.Unlock()
	tell = s.send(tenant, batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	q.writers = len(batch) + len(q.waiting)
	if len(q.waiting) > 0 {
		return tell, true
	}
	delete(s.queues, tenant)
	return tell, false
}

// take takes the next batch: in order, the waiting appends that do not touch what an earlier one of the batch or of those left waiting
// touches. So every check under the lock sees the state that each append will find.
//
// It takes no more than half of those who write at present: while one half is in the database, the other prepares its next append.
func (q *queue) take() []*prepared {
	if len(q.waiting) == 1 {
		batch := q.waiting
		q.waiting = nil
		return batch
	}
	var batch, rest []*prepared
	written, guarded, receipts := map[string]bool{}, map[string]bool{}, map[[3]string]bool{}
	events, bytes := 0, 0
	most := min(batchAppends, max(len(q.waiting), q.writers)/2)
	for i, p := range q.waiting {
		if len(batch) == most {
			rest = append(rest, q.waiting[i:]...)
			break
		}
		full := len(batch) > 0 && (events+len(p.events) > batchEvents || bytes+p.bytes > batchBytes)
		clash := full
		for _, st := range p.Streams {
			clash = clash || written[st.Stream] || guarded[st.Stream]
		}
		for _, g := range p.Guards {
			clash = clash || written[g.Stream]
		}
		if r := p.Receipt; r != nil {
			clash = clash || receipts[[3]string{r.Actor, r.Route, r.Key}]
			receipts[[3]string{r.Actor, r.Route, r.Key}] = true
		}
		for _, st := range p.Streams {
			written[st.Stream] = true
		}
		for _, g := range p.Guards {
			guarded[g.Stream] = true
		}
		if clash {
			rest = append(rest, p)
			continue
		}
		batch = append(batch, p)
		events += len(p.events)
		bytes += p.bytes
	}
	q.waiting = rest
	return batch
}

// prepare encodes and seals outside of any lock, in the caller's goroutine.
func (s *Store) prepare(ctx context.Context, a *Append) (*prepared, error) {
	p, err := s.begin(a)
	if err != nil {
		return nil, err
	}
	return p, s.encode(ctx, p)
}

// begin checks an append and makes the keys of its new customers.
func (s *Store) begin(a *Append) (*prepared, error) {
	p := &prepared{Append: a, done: make(chan struct{})}
	if a.ID == uuid.Nil || a.Tenant == "" || a.Now.IsZero() {
		return nil, errors.New("eventstore: an append needs a tenant, an id and the caller's time")
	}
	for _, c := range a.NewCustomers {
		k, wrapped := s.keys.Create(a.Tenant, c.ID, c.Generation)
		p.keys = append(p.keys, wrapped)
		if p.fresh == nil {
			p.fresh = make(map[uuid.UUID]keyring.Key, len(a.NewCustomers))
		}
		p.fresh[c.ID] = k
	}
	return p, nil
}

// encode encodes and seals the events of an append.
func (s *Store) encode(ctx context.Context, p *prepared) error {
	a := p.Append
	meta := Meta{Append: a.ID, Actor: a.Actor, Cause: a.Cause, Correlation: a.Correlation, Trace: TraceParent(trace.SpanContextFromContext(ctx))}
	plain, err := meta.appendJSON(make([]byte, 0, 256)) // shared by all events that did not happen outside
	if err != nil {
		return fmt.Errorf("eventstore: envelope: %w", err)
	}
	envelope := string(plain)
	var seen map[string]bool // not of a single stream
	if len(a.Streams) > 1 {
		seen = make(map[string]bool, len(a.Streams))
	}
	for _, st := range a.Streams {
		if seen[st.Stream] || st.Stream == "" || len(st.Events) == 0 || st.Version < 0 {
			return fmt.Errorf("eventstore: append names stream %q twice, without events or without a version", st.Stream)
		}
		if seen != nil {
			seen[st.Stream] = true
		}
		for i, e := range st.Events {
			pe := preparedEvent{stream: st.Stream, version: st.Version + int64(i) + 1, customer: e.Customer, meta: envelope}
			if !e.OccurredAt.IsZero() {
				at := e.OccurredAt.UTC()
				meta.OccurredAt = &at
				b, err := meta.appendJSON(make([]byte, 0, 256))
				if err != nil {
					return fmt.Errorf("eventstore: envelope: %w", err)
				}
				pe.meta = string(b)
			}
			data, name, version, err := s.codec.encode(e.Payload, at{a.Tenant, st.Stream, pe.version}, func() (keyring.Key, error) {
				if k, ok := p.fresh[e.Customer]; ok {
					return k, nil
				}
				return s.keys.Current(ctx, a.Tenant, e.Customer)
			})
			if err != nil {
				return fmt.Errorf("eventstore: encode: %w", unavailable(err))
			}
			pe.data, pe.name, pe.typeVersion = string(data), name, version
			p.bytes += len(pe.data) + len(pe.meta)
			p.events = append(p.events, pe)
		}
	}
	if len(p.events) > MaxEvents || p.bytes > MaxBytes {
		return ErrTooLarge
	}
	return nil
}

// send carries out one batch. tell settles every append in it. A batch that fails as a statement is halved and tried again, so that one
// impossible append does not take others with it.
func (s *Store) send(tenant string, batch []*prepared) (tell func()) {
	settle, err := s.call(tenant, batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrClocks) && !errors.Is(err, ErrUnknownTenant) {
		s.send(tenant, batch[:len(batch)/2])()
		return s.send(tenant, batch[len(batch)/2:])
	}
	return func() {
		if err != nil {
			for _, p := range batch {
				p.err = err
			}
		} else if last := settle(); last > 0 {
			s.seen.Store(tenant, last)
			s.ring(tenant, last)
		}
		for _, p := range batch {
			close(p.done)
		}
	}
}
