// Package relay carries the logs of all tenants to a JetStream stream, for whoever wants to hear what happened.
//
// The stream holds every tenant's events in the order of its log, without holes, on subjects cc.events.<tenant>.<aggregate>.<event>,
// as CloudEvents in binary mode (see message). Events of different tenants are mixed. Personal fields stay sealed.
//
// How: one process at a time holds the lease and publishes, many messages in flight, each naming its predecessor and the sequence
// it must follow. So after a message that was lost, all later ones are refused until the relay has looked again, and a
// former owner that does not know it yet cannot slip anything in. Where to go on is read from the stream itself; a cursor in
// Postgres, written now and then, helps when the stream has lost or thrown away its messages.
//
// What is not guaranteed: after the stream lost its end in a crash, or was deleted, or on request (Refill), events come again: the
// position then goes back and counts up densely from there. ce-id is the same for the same event. A stream that was deleted
// begins with what happens next; Refill brings the rest.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/lease"
)

// Config says what to relay and where to. Store and NATS are needed.
type Config struct {
	Store *eventstore.Store
	// NATS should reconnect for ever: the relay waits for it.
	NATS *nats.Conn
	// Stream is the stream's name; default "CC_EVENTS". It is made when it does not exist, and never deleted.
	Stream string
	// MaxAge and MaxBytes bound what the stream keeps; default 7 days and 10 GiB. An existing stream is changed to them.
	MaxAge   time.Duration
	MaxBytes int64
	// Replicas of the stream; default 1 for a new stream, and as it is for an existing one.
	Replicas int
	// InFlight bounds the messages published and not yet known to be stored; default 4096.
	InFlight int
	// Sweep is how often to look for events whose bell was lost, and for new tenants; default 1 s.
	Sweep time.Duration
	// Tracer tells of every event that is in a trace when it is carried; nil: nobody looks.
	Tracer trace.Tracer
	// AckWait is how long the stream may be silent while messages are in flight; default 5 s. Then they are looked for.
	AckWait time.Duration
}

// LeaseName is of the lease that whoever relays holds.
const LeaseName = "relay"

// Subjects is what the stream holds.
const Subjects = subjectPrefix + ">"

// Relay publishes the logs when it is its turn. Any number of processes may run one.
type Relay struct {
	cfg Config
	js  jetstream.JetStream
}

// New checks the description and returns a relay that does nothing yet.
func New(cfg Config) (*Relay, error) {
	if cfg.Store == nil || cfg.NATS == nil {
		return nil, errors.New("relay: a store and a connection to NATS are needed")
	}
	setDefault(&cfg.Stream, "CC_EVENTS")
	setDefault(&cfg.MaxAge, 7*24*time.Hour)
	setDefault(&cfg.MaxBytes, 10<<30)
	setDefault(&cfg.InFlight, 4096)
	setDefault(&cfg.Sweep, time.Second)
	setDefault(&cfg.AckWait, 5*time.Second)
	if cfg.MaxAge < duplicates || cfg.MaxBytes < 0 || cfg.Replicas < 0 || cfg.InFlight < askEvery || cfg.Sweep < 0 || cfg.AckWait < 0 {
		return nil, fmt.Errorf("relay: MaxAge must be at least %s, InFlight at least %d, and nothing negative", duplicates, askEvery)
	}
	js, err := jetstream.New(cfg.NATS)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	return &Relay{cfg: cfg, js: js}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run relays whenever this process holds the lease, until ctx ends. It goes on through restarts of NATS and Postgres. The error is
// nil unless the connection to NATS is closed already.
func (r *Relay) Run(ctx context.Context) error {
	bells, err := bell.Listen(r.cfg.NATS)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	defer bells.Close()
	return lease.Group{Pool: r.cfg.Store.Pool(), Name: LeaseName, Partitions: 1, Run: func(ctx context.Context, _ int) error {
		return r.relay(ctx, bells)
	}}.Loop(ctx)
}

const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
	// complainEvery keeps a long outage from filling the disk with complaints.
	complainEvery = 30 * time.Second
)

// relay holds session after session until ctx ends.
func (r *Relay) relay(ctx context.Context, bells *bell.Listener) error {
	var complained time.Time
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		moved, err := r.session(ctx, bells)
		if ctx.Err() != nil {
			return nil
		}
		if moved {
			pause = firstPause
		}
		again := errors.Is(err, errLookAgain) && pause < lastPause
		if !again && time.Since(complained) > complainEvery {
			complained = time.Now()
			slog.WarnContext(ctx, "relay: interrupted, trying again", "stream", r.cfg.Stream, "error", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// errLookAgain ends a session that has to begin anew because an operator wants something else, or another relay has written a cursor.
var errLookAgain = errors.New("relay: the log's epoch has changed, a refill is wanted, or a cursor is not this relay's")
