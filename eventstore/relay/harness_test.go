package relay

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// happened is what happens in these tests.
type happened struct {
	N      int    `json:"n"`
	Secret string `json:"secret,omitempty" personal:"true"`
	Bulk   string `json:"bulk,omitempty"`
}

func (happened) EventType() string { return "thing.happened" }

var codec = eventstore.NewCodec(happened{})

// newStore returns a store on a database of its own, without a bell.
func newStore(t testing.TB, tenants ...string) *eventstore.Store {
	t.Helper()
	return eventstoretest.Store(t, codec, tenants...)
}

// appendEvents adds n events to the tenant's log, in appends of at most size events, each to a stream of its own.
func appendEvents(t testing.TB, store *eventstore.Store, tenant string, n, size int) {
	t.Helper()
	for n > 0 {
		events := make([]eventstore.NewEvent, min(n, size))
		for i := range events {
			events[i].Payload = happened{N: n - i}
		}
		n -= len(events)
		appendOne(t, store, eventstore.Append{Tenant: tenant, Streams: []eventstore.StreamAppend{{Stream: "thing-" + uuid.NewString(), Events: events}}})
	}
}

func appendOne(t testing.TB, store *eventstore.Store, a eventstore.Append) eventstore.Result {
	t.Helper()
	a.ID, a.Now, a.Actor = uuid.New(), time.Now(), eventstore.Actor{Kind: "system", ID: "test"}
	result, err := store.Append(context.Background(), a)
	if err != nil {
		t.Error(err)
	}
	return result
}

// newRelay returns a relay that looks often.
func newRelay(t testing.TB, store *eventstore.Store, nc *nats.Conn) *Relay {
	t.Helper()
	r, err := New(Config{Store: store, NATS: nc, Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs a relay until the returned function is called, which waits for its end, or the test ends.
func start(t testing.TB, r *Relay) (stop func()) {
	t.Helper()
	return background(t, func(ctx context.Context) {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

func background(t testing.TB, run func(ctx context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// positions reads what the stream holds of a tenant, in its order, and goes on until the position last has come n times.
func positions(t testing.TB, nc *nats.Conn, tenant string, last int64, n int) []int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// What is asked over a connection that has just been lost is never answered: it is asked again.
	var consumer jetstream.Consumer
	for consumer == nil {
		try, end := context.WithTimeout(ctx, 2*time.Second)
		stream, err := js.Stream(try, "CC_EVENTS")
		if err == nil {
			consumer, err = stream.OrderedConsumer(try, jetstream.OrderedConsumerConfig{FilterSubjects: []string{"cc.events." + tenant + ".>"}, HeadersOnly: true})
		}
		end()
		if err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	var got []int64
	for n > 0 {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatalf("after %d messages of %s, waiting for position %d: %v", len(got), tenant, last, err)
		}
		p, err := strconv.ParseInt(m.Headers().Get("cc-position"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
		if p == last {
			n--
		}
	}
	return got
}

// dense fails the test unless the positions are first, first+1, … last.
func dense(t testing.TB, got []int64, first, last int64) {
	t.Helper()
	for i, p := range got {
		if p != first+int64(i) {
			t.Fatalf("message %d has position %d, want %d (the %d before and after: %v)", i, p, first+int64(i), 3, got[max(i-3, 0):min(i+4, len(got))])
		}
	}
	if int64(len(got)) != last-first+1 {
		t.Fatalf("%d messages, want %d", len(got), last-first+1)
	}
}

// restartable is a NATS server on one address and directory.
type restartable struct {
	t       testing.TB
	cfg     natsserver.Config
	server  *natsserver.Server
	running atomic.Bool
}

func newRestartable(t testing.TB) *restartable {
	t.Helper()
	r := &restartable{t: t, cfg: natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}}
	r.start()
	r.cfg.Listen = strings.TrimPrefix(r.server.URL(), "nats://")
	t.Cleanup(r.stop)
	return r
}

func (r *restartable) start() {
	r.t.Helper()
	server, err := natsserver.Start(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = server
	r.running.Store(true)
}

func (r *restartable) stop() {
	if !r.running.Swap(false) {
		return
	}
	if err := r.server.Stop(); err != nil {
		r.t.Error(err)
	}
}

// connect opens a connection over TCP that comes back after a restart.
func (r *restartable) connect() *nats.Conn {
	r.t.Helper()
	nc, err := nats.Connect("nats://"+r.cfg.Listen, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(nc.Close)
	return nc
}

// caughtUp waits until the cursors say that everything is carried.
func caughtUp(t testing.TB, store *eventstore.Store) {
	t.Helper()
	end := time.Now().Add(patience)
	for ; ; time.Sleep(5 * time.Millisecond) { // nobody tells when a cursor is written
		all, err := Status(context.Background(), store)
		if err != nil {
			t.Fatal(err)
		}
		var lag int64
		for _, s := range all {
			lag += s.Lag()
		}
		if lag == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not caught up: %+v", all)
		}
	}
}
