package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natstest"
)

func TestEveryTenantsLogIsPublishedInOrder(t *testing.T) {
	tenants := []string{"acme", "beta", "c-3"}
	store, server := newStore(t, tenants...), natstest.Start(t)
	appendEvents(t, store, "acme", 5000, 500) // before it starts, and more than a page
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	var writers sync.WaitGroup
	for _, tenant := range tenants {
		for range 3 {
			writers.Go(func() {
				appendEvents(t, store, tenant, 200, 1)
				appendEvents(t, store, tenant, 800, 80)
			})
		}
	}
	writers.Wait()
	appendEvents(t, store, "acme", 1, 1)
	nc := natstest.Connect(t, server)
	dense(t, positions(t, nc, "acme", 8001, 1), 1, 8001)
	dense(t, positions(t, nc, "beta", 3000, 1), 1, 3000)
	dense(t, positions(t, nc, "c-3", 3000, 1), 1, 3000)
	caughtUp(t, store)

	if err := store.CreateTenant(t.Context(), "late", "late"); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, store, "late", 10, 1)
	dense(t, positions(t, nc, "late", 10, 1), 1, 10)
}

func TestAMessageSaysAllAboutItsEvent(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	customer := uuid.New()
	stream := "thing-" + customer.String()
	occurred := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	appendOne(t, store, eventstore.Append{Tenant: "acme", Cause: "web:1", Correlation: "c1",
		NewCustomers: []eventstore.NewCustomer{{ID: customer, Generation: 1}},
		Streams: []eventstore.StreamAppend{{Stream: stream, Events: []eventstore.NewEvent{
			{Payload: happened{N: 1, Secret: "王小明"}, Customer: customer, OccurredAt: occurred}, {Payload: happened{N: 2}}}}}})
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	nc := natstest.Connect(t, server)
	positions(t, nc, "acme", 2, 1)

	events, err := store.ReadLog(t.Context(), "acme", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := store.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "CC_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	for i, customerHeader := range []string{customer.String(), ""} {
		m, err := s.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		e := events[i]
		if m.Subject != "cc.events.acme.thing.happened" {
			t.Errorf("subject %s", m.Subject)
		}
		if string(m.Data) != string(e.Data) || strings.Contains(string(m.Data), "王") {
			t.Errorf("the body is not the stored, sealed payload")
		}
		id := fmt.Sprintf("acme:%s:%d", epoch, i+1)
		for header, want := range map[string]string{
			"ce-id": id, "ce-specversion": "1.0", "ce-type": "thing.happened", "ce-source": "/tenants/acme", "ce-subject": stream,
			"ce-time": e.RecordedAt.Format(time.RFC3339Nano), "ce-datacontenttype": "application/json", "cc-position": fmt.Sprint(i + 1),
			"cc-version": fmt.Sprint(i + 1), "cc-type-version": "1", "cc-epoch": epoch.String(), "cc-customer": customerHeader, "cc-refill": "",
		} {
			if got := m.Header.Get(header); got != want {
				t.Errorf("message %d: %s is %q, want %q", i+1, header, got, want)
			}
		}
		var meta eventstore.Meta
		if err := json.Unmarshal([]byte(m.Header.Get("cc-meta")), &meta); err != nil {
			t.Fatal(err)
		}
		if meta.Actor.Kind != "system" || meta.Cause != "web:1" || meta.Correlation != "c1" || (meta.OccurredAt != nil) != (i == 0) {
			t.Errorf("meta is %+v", meta)
		}
	}
}

func TestAnEventTooLargeForTheBusLeavesNoHole(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	appendEvents(t, store, "acme", 1, 1)
	appendOne(t, store, eventstore.Append{Tenant: "acme", Streams: []eventstore.StreamAppend{{Stream: "thing-large",
		Events: []eventstore.NewEvent{{Payload: happened{Bulk: strings.Repeat("x", 9<<20)}}}}}})
	appendEvents(t, store, "acme", 1, 1)
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	nc := natstest.Connect(t, server)
	dense(t, positions(t, nc, "acme", 3, 1), 1, 3)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "CC_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	for sequence, want := range map[uint64]string{1: "", 2: "too-large", 3: ""} {
		m, err := s.GetMsg(t.Context(), sequence)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Header.Get("cc-omitted"); got != want || (want != "") != (len(m.Data) == 0) {
			t.Errorf("message %d: cc-omitted is %q with %d bytes", sequence, got, len(m.Data))
		}
	}
}

// The bell alone brings an event out at once; the other tests have none, so that the sweep must find everything.
func TestTheBellIsEnough(t *testing.T) {
	server, pool := natstest.Start(t), eventstoretest.Pool(t)
	store := eventstore.New(pool, codec, eventstoretest.Keys(t, pool), eventstore.WithBell(bell.Ringer(natstest.Connect(t, server))))
	if err := store.CreateTenant(t.Context(), "acme", "acme"); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Store: store, NATS: natstest.Connect(t, server), Sweep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	appendEvents(t, store, "acme", 1, 1)
	start(t, r)
	nc := natstest.Connect(t, server)
	positions(t, nc, "acme", 1, 1) // it has begun
	for i := range int64(20) {
		appendEvents(t, store, "acme", 1, 1)
		dense(t, positions(t, nc, "acme", 2+i, 1), 1, 2+i)
	}
	if err := store.CreateTenant(t.Context(), "new", "new"); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, store, "new", 1, 1)
	positions(t, nc, "new", 1, 1)
}

func TestStatusTellsTheLag(t *testing.T) {
	store, server := newStore(t, "acme", "empty"), natstest.Start(t)
	appendEvents(t, store, "acme", 3, 1)
	all, err := Status(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Tenant != "acme" || all[0].Lag() != 3 || all[0].Behind <= 0 || all[0].Behind > patience {
		t.Errorf("before: %+v", all)
	}
	if all[1] != (TenantStatus{Tenant: "empty"}) {
		t.Errorf("before: %+v", all[1])
	}
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	caughtUp(t, store)
	if all, err = Status(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if all[0] != (TenantStatus{Tenant: "acme", Position: 3, Head: 3}) {
		t.Errorf("after: %+v", all[0])
	}
}

func TestAStreamOfAnotherKindIsRefused(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	nc := natstest.Connect(t, server)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CC_EVENTS", Subjects: []string{"other.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := newRelay(t, store, nc).stream(t.Context()); err == nil || !strings.Contains(err.Error(), "not ours") {
		t.Errorf("%v, want that the stream is refused", err)
	}
}

func TestAnExistingStreamGetsTheLimits(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	nc := natstest.Connect(t, server)
	for _, want := range []Config{{MaxAge: time.Hour, MaxBytes: 1 << 20}, {MaxAge: 2 * time.Hour, MaxBytes: 2 << 20}} {
		want.Store, want.NATS = store, nc
		r, err := New(want)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		have := s.CachedInfo().Config
		if have.MaxAge != want.MaxAge || have.MaxBytes != want.MaxBytes {
			t.Errorf("the stream keeps %s and %d bytes", have.MaxAge, have.MaxBytes)
		}
		if have.PersistMode != jetstream.AsyncPersistMode || have.Storage != jetstream.FileStorage {
			t.Errorf("the stream is kept by %v on %v", have.PersistMode, have.Storage)
		}
	}
}

func TestAWrongDescriptionIsRefused(t *testing.T) {
	store, nc := newStore(t), natstest.Connect(t, natstest.Start(t))
	for name, cfg := range map[string]Config{
		"no store": {NATS: nc}, "no NATS": {Store: store}, "tiny age": {Store: store, NATS: nc, MaxAge: time.Second},
		"few in flight": {Store: store, NATS: nc, InFlight: 1}, "negative": {Store: store, NATS: nc, Sweep: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	nc.Close()
	if err := newRelay(t, store, nc).Run(context.Background()); err == nil {
		t.Error("it ran on a closed connection")
	}
}

func TestARefillNeedsATenantAndAPosition(t *testing.T) {
	store := newStore(t, "acme", "empty")
	appendEvents(t, store, "acme", 3, 3)
	for _, c := range []struct {
		tenant string
		from   int64
		want   error
	}{{"nobody", 1, eventstore.ErrUnknownTenant}, {"acme", 0, ErrRefillFrom}, {"acme", 4, ErrRefillFrom}, {"empty", 1, ErrRefillFrom}, {"acme", 3, nil}} {
		if err := Refill(t.Context(), store, c.tenant, c.from); !errors.Is(err, c.want) {
			t.Errorf("refill %s from %d: %v, want %v", c.tenant, c.from, err, c.want)
		}
	}
}
