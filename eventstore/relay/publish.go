package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore"
)

const (
	// askEvery is for how many messages one acknowledgement is asked. Every message names the one it must follow, so the
	// acknowledgement of one says that all before it are stored, in order and without a hole.
	askEvery = 64
	askBytes = 1 << 20
	// inFlightBytes bounds what is published and not yet known to be stored, besides the number of messages. The server drops
	// what waits to be stored beyond 128 MiB.
	inFlightBytes = 16 << 20
)

// errRefused says that the stream's last message is not the one we expected: something was lost, or somebody else published.
var errRefused = errors.New("relay: the stream's last message is not the expected one")

// publisher sends events one after the other and learns from acknowledgements how far they are stored.
type publisher struct {
	nc    *nats.Conn
	m     *message
	limit uint64 // messages in flight
	inbox string // of acknowledgements; ".<sequence>" follows
	sub   *nats.Subscription

	tracer trace.Tracer // may be nil

	// of the goroutine that publishes
	asked      uint64 // sequence of the last message whose acknowledgement was asked for
	askedBytes int64  // bytes sent up to there
	sentBytes  int64

	sent       atomic.Uint64 // sequence of the last message sent
	acked      atomic.Uint64 // sequence up to which all is stored
	ackedBytes atomic.Int64
	progress   chan struct{} // acked has moved
	failed     chan error    // the first reason why it cannot go on

	mu    sync.Mutex
	marks []mark // whose acknowledgement is awaited, in order
	spans []span // sent and not all stored, in order
	dirty map[*tenant]struct{}

	traced []traced // in order
}

// mark is a message whose acknowledgement was asked for.
type mark struct {
	sequence uint64
	bytes    int64 // all sent up to it
}

// span is a run of events of one tenant: positions from position have the sequences from sequence.
type span struct {
	tenant   *tenant
	position int64
	sequence uint64
	n        int
}

// page is a piece of a tenant's log, in order.
type page struct {
	tenant *tenant
	events []eventstore.Event
}

func newPublisher(nc *nats.Conn, epoch uuid.UUID, sequence uint64, limit int, tracer trace.Tracer) (*publisher, error) {
	p := &publisher{nc: nc, tracer: tracer, m: newMessage(epoch), limit: uint64(limit), inbox: nc.NewInbox() + ".", asked: sequence,
		progress: make(chan struct{}, 1), failed: make(chan error, 1), dirty: map[*tenant]struct{}{}}
	p.sent.Store(sequence)
	p.acked.Store(sequence)
	sub, err := nc.Subscribe(p.inbox+"*", p.answer)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	p.sub = sub
	return p, nil
}

func (p *publisher) close() {
	_ = p.sub.Unsubscribe() // fails only when the connection is closed, and the subscription with it
	p.giveUp()
}

// publish sends a page. It waits while too much is in flight, and returns when all is sent, not when it is stored.
func (p *publisher) publish(ctx context.Context, pg page) error {
	first := pg.events[0].Position
	p.mu.Lock()
	p.spans = append(p.spans, span{tenant: pg.tenant, position: first, sequence: p.sent.Load() + 1, n: len(pg.events)})
	p.mu.Unlock()
	for i := range pg.events {
		if err := p.room(ctx); err != nil {
			return err
		}
		if err := p.send(ctx, pg.tenant, &pg.events[i], i == len(pg.events)-1); err != nil {
			return err
		}
	}
	return nil
}

// room waits until another message may be sent.
func (p *publisher) room(ctx context.Context) error {
	for p.sent.Load()-p.acked.Load() >= p.limit || p.sentBytes-p.ackedBytes.Load() > inFlightBytes {
		select {
		case <-p.progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *publisher) send(ctx context.Context, t *tenant, e *eventstore.Event, ask bool) error {
	sent := p.sent.Load()
	sequence := sent + 1
	p.m.fill(t, e, sent)
	p.m.trace(p.begin(ctx, t, e, sequence))
	p.sentBytes += int64(len(e.Data) + len(e.Meta))
	ask = ask || sequence-p.asked >= askEvery || p.sentBytes-p.askedBytes >= askBytes
	p.m.Reply = ""
	if ask {
		p.m.Reply = p.inbox + strconv.FormatUint(sequence, 10)
		p.asked, p.askedBytes = sequence, p.sentBytes
		p.mu.Lock()
		p.marks = append(p.marks, mark{sequence: sequence, bytes: p.sentBytes})
		p.mu.Unlock()
	}
	err := p.nc.PublishMsg(&p.m.Msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		slog.WarnContext(ctx, "relay: an event is too large for the bus and goes without its payload", "tenant", t.slug,
			"position", e.Position, "type", e.Type, "bytes", len(e.Data))
		p.m.omitBody()
		err = p.nc.PublishMsg(&p.m.Msg)
	}
	if err != nil {
		return fmt.Errorf("relay: publish: %w", err)
	}
	p.sent.Store(sequence)
	return nil
}

// answer takes an acknowledgement.
func (p *publisher) answer(m *nats.Msg) {
	sequence, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, p.inbox), 10, 64)
	if err != nil {
		return // nobody else knows the inbox
	}
	if err := verdict(m, sequence); err != nil {
		select {
		case p.failed <- err:
		default:
		}
		return
	}
	p.stored(sequence)
	select {
	case p.progress <- struct{}{}:
	default:
	}
}

// wrongLastID is the server's code for an unexpected last message id; the client has no name for it.
const wrongLastID jetstream.ErrorCode = 10070

// verdict is nil when the message was stored under the sequence it had to have.
func verdict(m *nats.Msg, sequence uint64) error {
	if len(m.Data) == 0 {
		return fmt.Errorf("relay: publish: nobody answers for the stream (status %s)", m.Header.Get("Status"))
	}
	var ack struct {
		Seq   uint64              `json:"seq"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return errors.New("relay: publish: the answer is no JSON")
	}
	switch {
	case ack.Error != nil && (ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || ack.Error.ErrorCode == wrongLastID):
		return errRefused
	case ack.Error != nil:
		return fmt.Errorf("relay: publish: %w", ack.Error)
	case ack.Seq != sequence:
		return errRefused // the server has the message id already, elsewhere
	}
	return nil
}

// stored notes that everything up to a sequence is in the stream.
func (p *publisher) stored(sequence uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sequence <= p.acked.Load() {
		return
	}
	for len(p.marks) > 0 && p.marks[0].sequence <= sequence {
		p.ackedBytes.Store(p.marks[0].bytes)
		p.marks = p.marks[1:]
	}
	for len(p.spans) > 0 && p.spans[0].sequence <= sequence {
		s := p.spans[0]
		done := int(min(sequence-s.sequence+1, uint64(s.n)))
		s.tenant.storedPosition, s.tenant.storedSequence = s.position+int64(done)-1, s.sequence+uint64(done)-1
		p.dirty[s.tenant] = struct{}{}
		if done < s.n {
			break
		}
		p.spans = p.spans[1:]
	}
	p.end(sequence)
	p.acked.Store(sequence)
}

// overtaken reports whether the cursor that the database has of a tenant is not one of this session's: those are never further than what is stored.
func (p *publisher) overtaken(t *tenant, r row) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.sequence > t.storedSequence || r.position > t.storedPosition
}

// written is told which cursor of a tenant the database has. One that is behind is to be written again: a relay that was frozen and has
// lost its lease may have woken up as it was about to write what it had found.
func (p *publisher) written(t *tenant, position int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.stopped == "" && position < t.storedPosition {
		p.dirty[t] = struct{}{}
	}
}

// moved returns the cursors of tenants that have moved since the last call.
func (p *publisher) moved() []cursor {
	p.mu.Lock()
	defer p.mu.Unlock()
	cursors := make([]cursor, 0, len(p.dirty))
	for t := range p.dirty {
		cursors = append(cursors, t.cursor())
	}
	clear(p.dirty)
	return cursors
}

// drain waits, not for long, until what was sent is known to be stored, so that a successor need not find out. The publishing
// goroutine must have ended.
func (p *publisher) drain() {
	end := time.NewTimer(time.Second)
	defer end.Stop()
	for p.acked.Load() < p.asked {
		select {
		case <-p.progress:
		case <-p.failed:
			return
		case <-end.C:
			return
		}
	}
}
