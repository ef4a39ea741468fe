package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"customercenter/eventstore"
	"customercenter/eventstore/lease"
)

// subscriber hands the router what is in the queue. It is a message.Subscriber of Watermill's.
//
// The parts of the queue are leased, so that each is read by one process at a time. What it promises: events of one customer come in
// the order of the queue, the next after the acknowledgement of the last; an event that is not acknowledged comes again, here or in
// another process. What it does not promise: that an event comes only once. The handler recognises those that come again.
type subscriber struct {
	handler *Handler
	pool    *pgxpool.Pool
	conn    *nats.Conn
	js      jetstream.JetStream
	ensure  func(ctx context.Context) error // makes the streams that are gone
	metrics *metrics
	flights *semaphore.Weighted // messages at the router, over all parts
	trouble *trouble
	out     chan *message.Message

	mu    sync.Mutex
	stops []context.CancelFunc
	wg    sync.WaitGroup
}

// Subscribe begins to take part in reading the queue, until ctx ends or Close. There is only one topic, so its name does not matter.
func (s *subscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stops != nil {
		return nil, errors.New("ingest: there is one subscription")
	}
	ctx, stop := context.WithCancel(ctx)
	s.stops = append(s.stops, stop)
	group := lease.Group{Pool: s.pool, Name: LeaseName, Clocks: eventstore.ClocksApart, Partitions: Partitions, Run: s.run}
	s.wg.Go(func() {
		defer close(s.out)
		if err := group.Loop(ctx); err != nil {
			slog.ErrorContext(ctx, "ingest: the queue is not being read", "error", err)
		}
	})
	return s.out, nil
}

// Close ends the subscription and waits until nothing of it is left.
func (s *subscriber) Close() error {
	s.mu.Lock()
	for _, stop := range s.stops {
		stop()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// trouble says once when something becomes unavailable and once when it is back, however many events wait for it.
type trouble struct{ lasting atomic.Bool }

func (t *trouble) begins(ctx context.Context, err error) {
	if ctx.Err() == nil && !t.lasting.Swap(true) {
		slog.WarnContext(ctx, "ingest: channel events have to wait", "error", err)
	}
}

func (t *trouble) ends(ctx context.Context) {
	if t.lasting.Load() && t.lasting.Swap(false) {
		slog.InfoContext(ctx, "ingest: channel events are being handled again")
	}
}
