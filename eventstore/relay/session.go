package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"customercenter/eventstore/bell"
)

const (
	pageEvents = 500     // read at once
	pageBytes  = 8 << 20 // aimed at where events are large
	lookups    = 16      // tenants looked at side by side when a session begins
	// cursorEvery is how lazily cursors are written.
	cursorEvery = 200 * time.Millisecond
	// stoppedEvery is how often a stopped tenant is looked at again, and complained about.
	stoppedEvery = 30 * time.Second
)

// session is the time from having found out where to go on until something unexpected happens.
type session struct {
	*Relay
	stream  jetstream.Stream
	life    incarnation
	epoch   uuid.UUID
	publish *publisher

	// of the goroutine that reads
	tenants map[string]*tenant
	queue   []*tenant // with something to read, in turn
	looked  time.Time // at the stopped tenants
}

// tenant is what a session knows about one.
type tenant struct {
	slug, source string
	subjects     map[string]string // by event type
	refill       int
	refillFrom   int64
	stopped      string

	// of the goroutine that reads
	read   int64 // last position given to the publisher
	queued bool
	limit  int // events to read at once

	// under the publisher's lock
	storedPosition int64
	storedSequence uint64
}

func (t *tenant) cursor() cursor {
	return cursor{tenant: t.slug, position: t.storedPosition, sequence: t.storedSequence, refill: t.refill, refillFrom: t.refillFrom}
}

// session finds out where to go on and relays until ctx ends or something fails; moved says whether any event was stored. The
// error is not nil unless ctx ended.
func (r *Relay) session(ctx context.Context, bells *bell.Listener) (moved bool, err error) {
	s := &session{Relay: r, tenants: map[string]*tenant{}, looked: time.Now()}
	if s.stream, err = r.stream(ctx); err != nil {
		return false, err
	}
	// The last sequence first, then everybody's place: what is published in between makes our first message be refused. The
	// other way round, it would be published again.
	info := s.stream.CachedInfo()
	s.life = incarnation{created: info.Created.Truncate(time.Microsecond), sequence: info.State.LastSeq}
	waiter := bells.Waiter(nil) // from here on no ring is missed
	defer waiter.Close()
	if err = s.begin(ctx); err != nil {
		return false, err
	}
	if s.publish, err = newPublisher(r.cfg.NATS, s.epoch, s.life.sequence, r.cfg.InFlight, r.cfg.Tracer); err != nil {
		return false, err
	}
	defer s.publish.close()

	group, running := errgroup.WithContext(ctx)
	pages := make(chan page, 1) // so that a page is read while the one before it is published
	group.Go(func() error { return s.readAll(running, waiter, pages) })
	group.Go(func() error {
		for {
			select {
			case pg := <-pages:
				if err := s.publish.publish(running, pg); err != nil {
					return err
				}
			case <-running.Done():
				return running.Err()
			}
		}
	})
	group.Go(func() error { return s.watch(running) })
	err = group.Wait()

	if ctx.Err() != nil || errors.Is(err, errLookAgain) {
		s.publish.drain()
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if failure := s.save(late); failure != nil && ctx.Err() == nil {
		err = errors.Join(err, failure)
	}
	return s.publish.acked.Load() > s.life.sequence, err
}

// begin finds the place of every tenant and writes it down before anything is published: a place that was found by what the stream
// has lost could not be found again once the stream has grown.
func (s *session) begin(ctx context.Context) error {
	all, err := rows(ctx, s.cfg.Store.Pool())
	if err != nil {
		return err
	}
	if len(all) > 0 {
		s.epoch = all[0].logEpoch
	} else if s.epoch, err = s.cfg.Store.Epoch(ctx); err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	return s.settle(ctx, all)
}

// settle adds tenants to the session, or looks at stopped ones again.
func (s *session) settle(ctx context.Context, all []row) error {
	places := make([]place, len(all))
	group, looking := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, r := range all {
		group.Go(func() (err error) {
			places[i], err = s.locate(looking, r)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var changed []cursor
	for i, r := range all {
		at := places[i]
		t := &tenant{slug: r.slug, source: "/tenants/" + r.slug, subjects: map[string]string{}, refill: r.refill, refillFrom: r.refillFrom,
			stopped: at.stopped, limit: pageEvents, read: at.position, storedPosition: at.position, storedSequence: at.sequence}
		if r.epoch != r.logEpoch {
			t.refillFrom = 1
		}
		s.tenants[r.slug] = t
		switch {
		case at.stopped != "":
			slog.ErrorContext(ctx, "relay: the stream is ahead of the log, so nothing of this tenant is published; if the database was "+
				"restored from a backup, `customercenter relay renew` gives it a new epoch",
				"tenant", r.slug, "stream", s.cfg.Stream, "head", r.head)
			if r.stopped != at.stopped {
				if err := saveStopped(ctx, s.cfg.Store.Pool(), s.epoch, r.slug, at.stopped); err != nil {
					return err
				}
			}
			continue
		case at.recreated && at.position > 0:
			slog.WarnContext(ctx, "relay: the stream was made anew; what happens next is published, and `customercenter relay refill` brings "+
				"the events before", "tenant", r.slug, "stream", s.cfg.Stream, "position", at.position)
		}
		if s.differs(r, t) {
			changed = append(changed, t.cursor())
		}
		if r.head > t.read {
			s.enqueue(t)
		}
	}
	return save(ctx, s.cfg.Store.Pool(), s.epoch, s.life.created, changed, true)
}

// locate finds where to go on with one tenant.
func (s *session) locate(ctx context.Context, r row) (place, error) {
	var newest last
	m, err := s.stream.GetLastMsgForSubject(ctx, subjectPrefix+r.slug+".>")
	switch {
	case err == nil:
		newest = parseLast(m)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return place{}, fmt.Errorf("relay: newest message: %w", err)
	}
	at := resume(r, s.life, newest)
	if !at.read {
		return at, nil
	}
	// The message must be of the very event that the log has there.
	events, err := s.cfg.Store.ReadLog(ctx, r.slug, at.position-1, 1)
	if err != nil {
		return place{}, fmt.Errorf("relay: %w", err)
	}
	if len(events) == 0 || !newest.is(events[0]) {
		return place{stopped: StoppedAhead}, nil
	}
	return at, nil
}

// differs reports whether the cursor has to be written although nothing was published yet.
func (s *session) differs(r row, t *tenant) bool {
	if !r.known {
		return t.storedPosition > 0
	}
	return r.position != t.storedPosition || r.sequence != t.storedSequence || r.epoch != s.epoch || !r.created.Equal(s.life.created) || r.stopped != ""
}

func (s *session) enqueue(t *tenant) {
	if !t.queued && t.stopped == "" {
		t.queued = true
		s.queue = append(s.queue, t)
	}
}

// readAll reads what is new and hands it to the publisher, a page of each tenant in turn.
func (s *session) readAll(ctx context.Context, bells *bell.Waiter, pages chan<- page) error {
	sweep := time.NewTicker(s.cfg.Sweep)
	defer sweep.Stop()
	for ctx.Err() == nil {
		if len(s.queue) == 0 {
			select {
			case <-bells.C():
				if err := s.rung(ctx, bells.Take()); err != nil {
					return err
				}
			case <-sweep.C:
				if err := s.sweep(ctx); err != nil {
					return err
				}
			case <-ctx.Done():
			}
			continue
		}
		select { // also when busy, but without waiting
		case <-bells.C():
			if err := s.rung(ctx, bells.Take()); err != nil {
				return err
			}
		case <-sweep.C:
			if err := s.sweep(ctx); err != nil {
				return err
			}
		default:
		}
		t := s.queue[0]
		s.queue = s.queue[1:]
		t.queued = false
		if err := s.read(ctx, t, pages); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read hands a page of one tenant's log to the publisher, and queues the tenant again if there may be more.
func (s *session) read(ctx context.Context, t *tenant, pages chan<- page) error {
	events, err := s.cfg.Store.ReadLog(ctx, t.slug, t.read, t.limit)
	if err != nil || len(events) == 0 {
		return err
	}
	bytes := 0
	for i := range events {
		t.read++
		if events[i].Position != t.read {
			return fmt.Errorf("relay: the log of %s has no event %d before %d", t.slug, t.read, events[i].Position)
		}
		bytes += len(events[i].Data) + len(events[i].Meta)
	}
	select {
	case pages <- page{tenant: t, events: events}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if len(events) == t.limit {
		s.enqueue(t)
	}
	t.limit = min(max(pageBytes/max(bytes/len(events), 1), 16), pageEvents)
	return nil
}

// rung takes what the bells said.
func (s *session) rung(ctx context.Context, rung map[string]int64) error {
	for slug, position := range rung {
		t := s.tenants[slug]
		if t == nil {
			return s.sweep(ctx) // a new tenant; finds all others too
		}
		if position > t.read {
			s.enqueue(t)
		}
	}
	return nil
}

// sweep looks at all tenants: for events whose bell was lost, new tenants, and an operator's wishes.
func (s *session) sweep(ctx context.Context) error {
	all, err := rows(ctx, s.cfg.Store.Pool())
	if err != nil {
		return err
	}
	again := time.Since(s.looked) > stoppedEvery
	if again {
		s.looked = time.Now()
	}
	var unsettled []row
	for _, r := range all {
		t := s.tenants[r.slug]
		switch {
		case r.logEpoch != s.epoch, t != nil && r.refill != t.refill:
			return errLookAgain
		case t == nil, again && t.stopped != "":
			unsettled = append(unsettled, r)
		case t.stopped == "" && r.known && (!r.created.Equal(s.life.created) || s.publish.overtaken(t, r)):
			return errLookAgain // a frozen relay woke up and wrote where it was, before the stream lost its end or was made anew
		default:
			if r.head > t.read {
				s.enqueue(t)
			}
			s.publish.written(t, r.position)
		}
	}
	if len(unsettled) == 0 {
		return nil
	}
	return s.settle(ctx, unsettled)
}

// watch writes cursors now and then, and ends the session when the publisher cannot go on.
func (s *session) watch(ctx context.Context) error {
	status := s.cfg.NATS.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer s.cfg.NATS.RemoveStatusListener(status)
	tick := time.NewTicker(cursorEvery)
	defer tick.Stop()
	p := s.publish
	acked, since := p.acked.Load(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-p.failed:
			return err
		case <-status:
			return errors.New("relay: the connection to NATS was lost")
		case <-tick.C:
		}
		if now := p.acked.Load(); now != acked || now == p.sent.Load() {
			acked, since = now, time.Now()
		} else if time.Since(since) > s.cfg.AckWait {
			return fmt.Errorf("relay: the stream has not answered for %s", s.cfg.AckWait)
		}
		if err := s.save(ctx); err != nil {
			return err
		}
	}
}

// save writes the cursors that have moved.
func (s *session) save(ctx context.Context) error {
	return save(ctx, s.cfg.Store.Pool(), s.epoch, s.life.created, s.publish.moved(), false)
}
