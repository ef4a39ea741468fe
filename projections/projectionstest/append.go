package projectionstest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// This file brings what happens in a world into the log.

func (w *World) person(p *Person, events []customer.Event) {
	for _, e := range events {
		w.add(customer.Stream(p.ID), p.ID, e)
		p.State.Apply(e, time.Now())
	}
}

func (w *World) session(id uuid.UUID, s *session.State, e session.Event) {
	s.Apply(e, time.Now())
	w.add(session.Stream(id), s.Customer, e)
}

// add queues an event. Within one append the log has the events stream by stream, the streams in the order of their first event: a
// customer's own stream comes before the sessions.
func (w *World) add(stream string, of uuid.UUID, payload any) {
	w.t.Helper()
	e := eventstore.NewEvent{Payload: payload, Customer: of}
	if w.rand.IntN(3) > 0 {
		e.OccurredAt = w.now().Add(-time.Duration(w.rand.IntN(5000)) * time.Millisecond)
	}
	w.written++
	w.waiting++
	for i := range w.pending.Streams {
		if w.pending.Streams[i].Stream == stream {
			w.pending.Streams[i].Events = append(w.pending.Streams[i].Events, e)
			return
		}
	}
	w.pending.Streams = append(w.pending.Streams, eventstore.StreamAppend{Stream: stream, Version: w.versions[stream], Events: []eventstore.NewEvent{e}})
}

// settle ends a step: the append goes out when it is full.
func (w *World) settle() {
	if w.waiting >= w.pack {
		w.Flush()
	}
}

// Flush appends what is queued.
func (w *World) Flush() {
	w.t.Helper()
	if w.waiting == 0 {
		return
	}
	a := w.pending
	a.Tenant, a.ID, a.Now, a.Actor = w.tenant, uuid.New(), time.Now(), eventstore.Actor{Kind: "system", ID: "test"}
	if w.Clock != nil {
		w.setClock()
	}
	done, err := w.store.Append(context.Background(), a)
	w.must(err)
	w.head = done.Last
	for _, s := range a.Streams {
		w.versions[s.Stream] += int64(len(s.Events))
	}
	w.pending, w.waiting = eventstore.Append{}, 0
}

// setClock has the database record events as of the world's clock: at once, as somebody may be reading ahead.
func (w *World) setClock() {
	w.t.Helper()
	if !w.clocked {
		_, err := w.store.Pool().Exec(context.Background(), `
			create table if not exists world_clock (tenant text primary key, at timestamptz not null);
			create or replace function world_clock() returns trigger language plpgsql security definer as $$
			begin
				new.recorded_at := coalesce((select at from world_clock where tenant = new.tenant), new.recorded_at);
				return new;
			end $$;
			create or replace trigger world_clock before insert on events for each row execute function world_clock()`)
		w.must(err)
		w.clocked = true
	}
	_, err := w.store.Pool().Exec(context.Background(), `insert into world_clock values ($1, $2) on conflict (tenant) do update set at = excluded.at`, w.tenant, w.now())
	w.must(err)
}

func (w *World) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

func (w *World) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("projectionstest: %v", err)
	}
}

// Append writes one event by itself, whatever it is.
func (w *World) Append(stream string, of uuid.UUID, payload any) {
	w.t.Helper()
	w.Flush()
	w.add(stream, of, payload)
	w.Flush()
}
