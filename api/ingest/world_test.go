package ingest

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"customercenter/commands"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natsserver"
	"customercenter/internal/natstest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		childMain()
		return
	}
	goleak.VerifyTestMain(m)
}

const tenant = "acme"

var codec = eventstore.NewCodec(catalog.Events()...)

// world is a tenant with the associations 1 app, 2 web, 3 wechat and 4 weibo, a queue, and a handler.
type world struct {
	t       testing.TB
	store   *eventstore.Store
	center  *commands.Center
	handler *Handler
	pool    *pgxpool.Pool
	server  *natsserver.Server
	conn    *nats.Conn
	js      jetstream.JetStream
	// registry has the metrics of the consumer; nil for one that nobody looks at.
	registry *prometheus.Registry
	// panics is how many more times the clock of the center panics, which stands for any fault in a handler.
	panics atomic.Int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	w.setUp(eventstoretest.Pool(t))
	w.server = natstest.Start(t)
	w.conn = natstest.Connect(t, w.server)
	js, err := jetstream.New(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	w.js = js
	if err := EnsureStreams(t.Context(), js, 1, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

// setUp makes the tenant, without a queue.
func (w *world) setUp(pool *pgxpool.Pool) {
	w.t.Helper()
	w.pool = pool
	w.store = eventstoretest.On(w.t, pool, codec, tenant)
	w.center = commands.NewCenter(w.store, func() time.Time {
		if w.panics.Load() > 0 && w.panics.Add(-1) >= 0 {
			panic("13800138000 在吗")
		}
		return time.Now()
	}, newID)
	w.handler = NewHandler(w.center)
	for _, a := range []commands.RegisterAssociation{
		{Channel: "app", Account: "org#shop", Name: "app"}, {Channel: "web", Account: "site", Name: "web"},
		{Channel: "wechat", Account: "gh_1", Name: "wechat"}, {Channel: "weibo", Account: "wb", Name: "weibo"},
	} {
		if _, err := a.Run(w.t.Context(), w.center, commands.By{Tenant: tenant}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// consume runs a consumer in this process and returns what ends it and waits for it.
func (w *world) consume() (stop func()) {
	w.t.Helper()
	config := Config{Handler: w.handler, Pool: w.pool, NATS: w.conn}
	if w.registry != nil {
		config.Metrics = w.registry
	}
	consumer, err := NewConsumer(config)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("consumer: %v", err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// publish puts events into the queue of an association, in order.
func (w *world) publish(association string, bodies ...string) {
	w.t.Helper()
	for _, body := range bodies {
		if _, err := w.js.Publish(w.t.Context(), inPrefix+tenant+"."+association, []byte(body)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// drained waits until the queue is empty.
func (w *world) drained() {
	w.t.Helper()
	w.until("the queue is not empty", func() bool { return w.messages(StreamIn) == 0 })
}

// until asks again and again, for a minute, as neither the queue nor the log tells when a thing is done.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			w.t.Fatal(what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// messages counts what is in a stream.
func (w *world) messages(stream string) uint64 {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := s.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return info.State.Msgs
}

// dead lists the dead letters.
func (w *world) dead() []DeadLetter {
	w.t.Helper()
	letters, err := NewDeadLetters(w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := letters.List(w.t.Context(), tenant, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// log reads the whole log.
func (w *world) log() []eventstore.Decoded {
	w.t.Helper()
	var all []eventstore.Decoded
	for after := int64(0); ; {
		events, err := w.store.ReadLog(w.t.Context(), tenant, after, 10_000)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		decoded, err := w.store.Open(w.t.Context(), events)
		if err != nil {
			w.t.Fatal(err)
		}
		all, after = append(all, decoded...), events[len(events)-1].Position
	}
}
