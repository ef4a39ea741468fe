package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"customercenter/domain"
	"customercenter/eventstore"
)

// How much of a part of the queue may be at hand, waiting or being handled.
const (
	handMessages = 1024
	handBytes    = 32 << 20
	pullBytes    = 16 << 20 // on its way from the server; more than maxMessage
)

// ackWait is after how long the server gives an unacknowledged message out again. A process that dies is not waited for: who takes the
// part over makes a new consumer and gets everything at once, in order. So this is only for acknowledgements that are lost, and long.
const ackWait = 5 * time.Minute

// Pauses before an event is tried again that could not be handled because something is unavailable.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 2 * time.Second
)

var (
	errReconnected = errors.New("ingest: the connection to NATS was lost and is back")
	errMissed      = errors.New("ingest: the server gave out a message that did not arrive")
)

// pump moves one part of the queue into lanes, one for each customer, and out of them to the router. In a lane the next event follows
// the acknowledgement of the last; lanes run beside each other.
type pump struct {
	*subscriber
	hand *semaphore.Weighted // bytes at hand

	mu    sync.Mutex
	lanes map[string][]*item // what waits behind the item that each lane is at
	held  map[*item]struct{} // everything not acknowledged yet
	wg    sync.WaitGroup     // running lanes
}

// run works on a part of the queue until ctx ends or something is wrong with the connection; then it is to be called again. When it
// returns, nothing of it is being handled any more.
func (s *subscriber) run(ctx context.Context, partition int) error {
	consumer, err := s.consumer(ctx, partition)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pump{subscriber: s, hand: semaphore.NewWeighted(handBytes), lanes: map[string][]*item{}, held: map[*item]struct{}{}}
	p.wg.Go(func() { p.watch(ctx, cancel) })
	func() {
		defer p.wg.Wait() // also when read panics
		defer func() { cancel(err) }()
		err = p.read(ctx, consumer)
	}()
	if cause := context.Cause(ctx); errors.Is(cause, errReconnected) {
		return cause
	}
	return err
}

// consumer makes the consumer of a part anew. Whatever a former owner has not acknowledged comes again at once and in order; going on
// with the former one's consumer, it would come after ackWait, behind later events.
func (s *subscriber) consumer(ctx context.Context, partition int) (jetstream.Consumer, error) {
	name := "part-" + strconv.Itoa(partition)
	err := s.js.DeleteConsumer(ctx, StreamIn, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = s.ensure(ctx)
	}
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("ingest: consumer: %w", err)
	}
	consumer, err := s.js.CreateConsumer(ctx, StreamIn, jetstream.ConsumerConfig{
		Durable: name, FilterSubject: partSubject(partition), DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: handMessages,
	})
	if err != nil {
		return nil, fmt.Errorf("ingest: consumer: %w", err)
	}
	return consumer, nil
}

// read takes messages until ctx ends or one is missing. Order rests on every message arriving: one that got lost on the way would be
// given out again after ackWait, behind what followed it.
func (p *pump) read(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(handMessages, pullBytes), jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(2*time.Second))
	if err != nil {
		return fmt.Errorf("ingest: read: %w", err)
	}
	defer messages.Stop()
	for next := uint64(1); ; next++ {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ingest: read: %w", err)
		}
		it, err := newItem(msg)
		if err != nil {
			return err
		}
		if it.meta.Sequence.Consumer != next {
			return errMissed
		}
		p.metrics.received.Inc()
		it.weight = min(int64(len(it.arrival.Body))+1024, handBytes)
		if p.hand.Acquire(ctx, it.weight) != nil {
			return nil
		}
		if it.lane, err = p.laneOf(ctx, it); err != nil {
			return nil // only when ctx has ended
		}
		p.enter(ctx, it)
	}
}

// laneOf names the lane of an event: its customer's. It waits while the database is unavailable, since without it the order is not known.
//
// While the association or the tenant is not known, nobody's customer id can be told, but it may become known before the event's turn
// comes. Such events wait in the lane of who they say they are from; and as long as that lane runs, later ones follow in it, so that
// none overtakes. Any other event that no customer can be found for gets a lane of its own: its handler meets the same and refuses it, or
// tries it a few times and puts it aside. What waits here is the reader, and with it all of
// its part of the queue, so it must not wait for what does not pass.
func (p *pump) laneOf(ctx context.Context, it *item) (string, error) {
	own := "#" + strconv.FormatUint(it.meta.Sequence.Consumer, 10)
	if it.wrong != nil || it.event.data.command == nil || it.arrival.Association < 1 {
		return own, nil
	}
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		customer, err := p.customerOf(ctx, it)
		switch {
		case err == nil && p.runs(it.claimed()):
			return it.claimed(), nil
		case err == nil:
			return it.arrival.Tenant + "/" + customer.String(), nil
		case it.claimed() != "" && unknownYet(err):
			return it.claimed(), nil
		case !passing(err):
			return own, nil
		}
		p.trouble.begins(ctx, err)
		if !sleep(ctx, pause) {
			return "", ctx.Err()
		}
	}
}

// unknownYet reports whether an error of customerOf says that the event is of a tenant or an association that does not exist so far.
func unknownYet(err error) bool {
	var refusal *domain.Refusal
	return errors.Is(err, eventstore.ErrUnknownTenant) ||
		errors.As(err, &refusal) && refusal.Code == domain.CodeNotFound && refusal.Location == "association_id"
}

// runs reports whether something in a lane is not acknowledged yet.
func (p *pump) runs(lane string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, running := p.lanes[lane]
	return running
}

// customerOf finds the customer of an event. A panic must not take the whole part of the queue down: the event's handler meets the same
// fault, and then it is dealt with.
func (p *pump) customerOf(ctx context.Context, it *item) (customer uuid.UUID, err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	center, data := p.handler.center, it.event.data
	if data.recipient != uuid.Nil { // who that is need not be known: nothing else of the customer depends on the order
		return data.recipient, nil
	}
	if data.session == uuid.Nil {
		return center.CustomerID(ctx, it.arrival.Tenant, it.arrival.Association, data.externalID)
	}
	customer, found, err := center.CustomerOfSession(ctx, it.arrival.Tenant, data.session)
	if err == nil && !found {
		err = domain.Refuse(domain.CodeNotFound)
	}
	return customer, err
}

// enter puts an item into its lane, and starts the lane if it was empty.
func (p *pump) enter(ctx context.Context, it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[it] = struct{}{}
	if waiting, running := p.lanes[it.lane]; running {
		p.lanes[it.lane] = append(waiting, it)
		return
	}
	p.lanes[it.lane] = nil
	p.metrics.lanes.Inc()
	p.wg.Go(func() { p.runLane(ctx, it) })
}

// runLane handles a lane until it is empty or ctx ends.
func (p *pump) runLane(ctx context.Context, it *item) {
	defer p.metrics.lanes.Dec()
	for it != nil {
		if !p.deliver(ctx, it) {
			return // what is left comes again from the next consumer
		}
		it = p.leave(it)
	}
}

// leave takes an acknowledged item out of its lane and returns the next; the lane ends with the last.
func (p *pump) leave(it *item) *item {
	p.hand.Release(it.weight)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, it)
	waiting := p.lanes[it.lane]
	if len(waiting) == 0 {
		delete(p.lanes, it.lane)
		return nil
	}
	next := waiting[0]
	waiting[0] = nil
	p.lanes[it.lane] = waiting[1:]
	return next
}

// deliver gives an item to the router until it is acknowledged, and then acknowledges it to the server. It reports false when ctx
// ended before.
func (p *pump) deliver(ctx context.Context, it *item) bool {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		if p.flights.Acquire(ctx, 1) != nil {
			return false
		}
		acked := p.try(ctx, it)
		p.flights.Release(1)
		if acked {
			// Should it get lost, the event comes again and is recognised.
			_ = it.msg.Ack()
			return true
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// try gives an item to the router once, and waits for it to be done with it, whatever happens to ctx.
func (p *pump) try(ctx context.Context, it *item) (acked bool) {
	msg := it.message(ctx)
	select {
	case p.out <- msg:
	case <-ctx.Done():
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	}
}

// watch keeps what is at hand from being given out again while it waits here, and ends the pump when the connection was lost:
// messages may have been under way.
func (p *pump) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	status := p.conn.StatusChanged(nats.CONNECTED)
	defer p.conn.RemoveStatusListener(status)
	tick := time.NewTicker(ackWait / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-status:
			cancel(errReconnected)
			return
		case <-tick.C:
			p.mu.Lock()
			for it := range p.held {
				_ = it.msg.InProgress() // should it get lost, the event comes again and is recognised
			}
			p.mu.Unlock()
		}
	}
}

// sleep pauses, and reports false when ctx ends before.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
