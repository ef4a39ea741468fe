package relay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/internal/natstest"
)

const benchEvents = 100_000

// fillLog gives a tenant a log of n events of one customer with sealed payloads.
func fillLog(b *testing.B, store *eventstore.Store, tenant string, n int) {
	b.Helper()
	customer := uuid.New()
	for version := int64(0); version < int64(n); version += 1000 {
		events := make([]eventstore.NewEvent, 1000)
		for i := range events {
			events[i] = eventstore.NewEvent{Payload: happened{N: i, Secret: "你好，我想问一下订单什么时候能到"}, Customer: customer}
		}
		a := eventstore.Append{Tenant: tenant, Streams: []eventstore.StreamAppend{{Stream: "thing-" + customer.String(), Version: version, Events: events}}}
		if version == 0 {
			a.NewCustomers = []eventstore.NewCustomer{{ID: customer, Generation: 1}}
		}
		appendOne(b, store, a)
	}
}

// BenchmarkRelay carries a log that is there already, from Postgres to the stream, and beside it publishes bodies of the same size
// to a stream of the same kind with the client's asynchronous publishing, a message id each and no other header. The two take
// turns, so that a busy machine spoils the ratio less than the rates.
func BenchmarkRelay(b *testing.B) {
	for _, tenants := range []int{1, 10} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			store := newStore(b)
			for i := range tenants {
				slug := fmt.Sprintf("t%d", i)
				if err := store.CreateTenant(b.Context(), slug, slug); err != nil {
					b.Fatal(err)
				}
				fillLog(b, store, slug, benchEvents/tenants)
			}
			bodies, err := store.ReadLog(b.Context(), "t0", 0, 1000)
			if err != nil {
				b.Fatal(err)
			}
			var relayed, bare time.Duration
			for b.Loop() {
				relayed += relayOnce(b, store)
				bare += publishBare(b, store, bodies)
			}
			rate := func(d time.Duration) float64 { return benchEvents * float64(b.N) / d.Seconds() }
			b.ReportMetric(rate(relayed), "events/s")
			b.ReportMetric(rate(bare), "bare/s")
			b.ReportMetric(rate(relayed)/rate(bare), "ratio")
			b.ReportMetric(float64(len(bodies[0].Data)), "bytes/event")
		})
	}
}

// relayOnce carries everything to a server of its own and says how long that took.
func relayOnce(b *testing.B, store *eventstore.Store) time.Duration {
	b.Helper()
	server := natstest.Start(b)
	nc, watch := natstest.Connect(b, server), natstest.Connect(b, server)
	r := newRelay(b, store, nc)
	bells, err := bell.Listen(nc)
	if err != nil {
		b.Fatal(err)
	}
	defer bells.Close()
	if _, err := store.Pool().Exec(b.Context(), `delete from relay_cursors`); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	stop := background(b, func(ctx context.Context) {
		if err := r.relay(ctx, bells); err != nil {
			b.Error(err)
		}
	})
	defer stop()
	awaitMessages(b, watch, benchEvents)
	return time.Since(began)
}

// awaitMessages waits until the stream holds so many.
func awaitMessages(b *testing.B, nc *nats.Conn, n uint64) {
	b.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		s, err := js.Stream(b.Context(), "CC_EVENTS")
		if err == nil && s.CachedInfo().State.Msgs >= n {
			return
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) || time.Now().After(end) {
			b.Fatal("the stream is not filled", err)
		}
	}
}

// publishBare publishes as many events without a log, and says how long that took.
func publishBare(b *testing.B, store *eventstore.Store, bodies []eventstore.Event) time.Duration {
	b.Helper()
	nc := natstest.Connect(b, natstest.Start(b))
	var failed atomic.Int64
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096),
		jetstream.WithPublishAsyncErrHandler(func(jetstream.JetStream, *nats.Msg, error) { failed.Add(1) }))
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if _, err := newRelay(b, store, nc).stream(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i := range benchEvents {
		m := &nats.Msg{Subject: "cc.events.t0.thing.happened", Data: bodies[i%len(bodies)].Data,
			Header: nats.Header{jetstream.MsgIDHeader: {fmt.Sprintf("t0:%d", i)}}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(patience)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	if failed.Load() > 0 {
		b.Fatal("messages were not stored:", failed.Load())
	}
	return time.Since(began)
}
