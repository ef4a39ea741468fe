package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"customercenter/commands"
	"customercenter/eventstore"
)

// defaultInFlight is how many events are carried out at a time: enough for the event store to write them in groups.
const defaultInFlight = 256

// closeTimeout is how long the router waits for its handlers at the end. They obey their context, so they need far less.
const closeTimeout = 30 * time.Second

// Config says where channel events are read from and who carries them out.
type Config struct {
	Handler *Handler
	// Pool says where the leases on the parts of the queue are.
	Pool *pgxpool.Pool
	NATS *nats.Conn
	// Metrics may be nil.
	Metrics prometheus.Registerer
	// Tracer tells of every event, and of what follows from it; nil: nobody looks.
	Tracer trace.Tracer
	// InFlight is how many events this process carries out at a time; default 256.
	InFlight int
	// Replicas and MaxBytes are used when the streams are made, see EnsureStreams; defaults 1 and 2 GiB.
	Replicas int
	MaxBytes int64
}

// Consumer reads channel events from the queue and carries them out. Any number of processes may run one each.
type Consumer struct {
	config  Config
	js      jetstream.JetStream
	metrics *metrics
	trouble trouble
}

// NewConsumer returns a consumer that does nothing until Run.
func NewConsumer(config Config) (*Consumer, error) {
	if config.InFlight == 0 {
		config.InFlight = defaultInFlight
	}
	if config.Replicas == 0 {
		config.Replicas = 1
	}
	js, err := jetstream.New(config.NATS)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	m, err := newMetrics(config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("ingest: metrics: %w", err)
	}
	return &Consumer{config: config, js: js, metrics: m}, nil
}

// ensure makes the streams that do not exist: at the start, and when they have been deleted, or lost by the server, meanwhile.
func (c *Consumer) ensure(ctx context.Context) error {
	return EnsureStreams(ctx, c.js, c.config.Replicas, c.config.MaxBytes)
}

// Run makes the streams if they do not exist, waiting for NATS if need be, and carries out what is in the queue until ctx ends; then it
// returns nil, when nothing is being handled any more. It may be called once. Any other error is final: ErrStream.
//
// Refused events go to the dead letters at once. An event that fails otherwise is tried a few times, holding up nobody but its
// customer, and goes there then. While the database or NATS is unavailable events wait, in order.
func (c *Consumer) Run(ctx context.Context) error {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := c.ensure(ctx)
		if err == nil {
			break
		}
		if errors.Is(err, ErrStream) {
			return err
		}
		c.trouble.begins(ctx, err)
		if !sleep(ctx, pause) {
			return nil
		}
	}
	// The router's own log would repeat, for every event, what is said once here.
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	poison, err := middleware.PoisonQueueWithFilter(&deadQueue{js: c.js, ensure: c.ensure, limit: c.config.NATS.MaxPayload, metrics: c.metrics}, StreamDead,
		func(err error) bool { return !passing(err) })
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	retry := middleware.Retry{
		MaxRetries: 5, InitialInterval: 50 * time.Millisecond, MaxInterval: time.Second, Multiplier: 2, RandomizationFactor: 0.3,
		ShouldRetry: func(p middleware.RetryParams) bool {
			again := !passing(p.Err) && !errors.Is(p.Err, errRefused)
			if again {
				c.metrics.retries.Inc()
			}
			return again
		},
	}
	router.AddMiddleware(c.metrics.middleware, c.watch, poison, retry.Middleware, translatePanics, middleware.Recoverer)
	router.AddConsumerHandler("channel events", StreamIn, &subscriber{
		handler: c.config.Handler, pool: c.config.Pool, conn: c.config.NATS, js: c.js, ensure: c.ensure, metrics: c.metrics,
		flights: semaphore.NewWeighted(int64(c.config.InFlight)), trouble: &c.trouble, out: make(chan *message.Message),
	}, c.handle)
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return nil
}

// errRefused marks an event for the dead letters; why it was refused is in its outcome.
var errRefused = errors.New("ingest: the event was refused")

// handle carries out the event of a message.
func (c *Consumer) handle(msg *message.Message) error {
	it := itemOf(msg)
	it.outcome = Outcome{}
	ctx, tell := c.traced(msg.Context(), it.arrival)
	outcome, err := c.config.Handler.handle(ctx, it.arrival, it.event, it.wrong)
	tell(outcome, err)
	if err != nil {
		return interrupted(ctx, err)
	}
	if it.outcome = outcome; outcome.Status == StatusRefused {
		return errRefused
	}
	return nil
}

// passing reports whether an error is nobody's fault and will pass: the event then waits instead of being given up.
func passing(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrClocks) || errors.Is(err, commands.ErrBusy) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// interrupted marks an error as one that passes if the reader has ended meanwhile: the error may be its reason to, which is not the event's fault. It comes again.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && !passing(err) {
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

// watch logs what fails. It sees only what is not refused: that is counted, and kept with its reason.
func (c *Consumer) watch(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		produced, err := next(msg)
		if err != nil {
			c.trouble.begins(msg.Context(), err)
		} else {
			c.trouble.ends(msg.Context())
		}
		return produced, err
	}
}

// errPanicked is what a panic in a handler becomes: the value of a panic may hold what people wrote.
var errPanicked = errors.New("ingest: panic")

// translatePanics takes the value out of recovered panics, and logs where they happened.
func translatePanics(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		produced, err := next(msg)
		var panicked middleware.RecoveredPanicError
		if !errors.As(err, &panicked) {
			return produced, err
		}
		what := fmt.Sprintf("%T", panicked.V)
		if known, ok := panicked.V.(runtime.Error); ok {
			what = known.Error()
		}
		it := itemOf(msg)
		slog.ErrorContext(msg.Context(), "ingest: panic", "panic", what, "tenant", it.arrival.Tenant, "type", it.event.Type,
			"sequence", it.meta.Sequence.Stream, "stack", panicked.Stacktrace)
		return nil, errPanicked
	}
}
