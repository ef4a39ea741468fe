package policies

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/projections"
)

// Two processes send an auto message to 20,000 customers. One after the other is killed in the middle of it and replaced, while customers
// are put on the blacklist and the read models are rebuilt: every customer gets it once and under one id, but those on the blacklist.
func TestSendersThatAreKilled(t *testing.T) {
	w := newWorld(t)
	w.project()
	const audience, before, meanwhile, rounds = 20_000, 40, 40, 8
	people := w.plant(audience)
	listing := func(ids []uuid.UUID) {
		for _, id := range ids {
			w.must(admin, commands.BlacklistCustomer{Customer: id, Reason: "骚扰"})
		}
	}
	listing(people[:before])
	w.projected(projections.CustomersName)
	id := w.must(admin, commands.DefineAutoMessage{Name: "all", Text: "大家好", Audience: everybody}).AutoMessage
	// Faster than anybody may ask for, so that the processes and not the rate set the pace.
	w.changed(automessage.Changed{AutoMessage: id, Name: "all", Text: "大家好", Audience: automessage.Audience{Filter: everybody.Filter}, Rate: 100 * automessage.MaxRate})
	w.must(admin, commands.StartAutoMessage{AutoMessage: id})

	children := []*exec.Cmd{w.child(), w.child()}
	w.until("no process makes the stream", func() bool {
		_, err := w.js.Stream(t.Context(), StreamOut)
		return err == nil
	})
	for round := range rounds {
		enough := uint64(round) * audience / (rounds + 1)
		w.until("the processes do nothing", func() bool { return w.count() > enough })
		// Those who are put on the blacklist now are the last of the audience, and the first of those whom nobody has looked at yet.
		part := meanwhile / rounds
		listing(people[audience-(round+1)*part : audience-round*part])
		w.kill(children[round%2])
		children[round%2] = w.child()
		if round == rounds/2 {
			for _, model := range []string{projections.AutoMessagesName, projections.CustomersName} {
				if _, err := w.projector.Rebuild(t.Context(), model, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	counts := projections.NewAutoMessages(w.store, w.projector)
	w.until("not everybody gets it", func() bool {
		all, err := counts.Counts(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		return all[id].Sent+all[id].Withheld >= audience-before-meanwhile && w.count() >= uint64(all[id].Sent)
	})
	for _, c := range children {
		w.kill(c)
	}
	// One more of the audience's passes, which finds nobody.
	r := w.runner()
	w.walked(r, id)
	step(t, w.worker(r, sendAutoName), true)

	// By the log: once each, and nobody who was on the blacklist then.
	sent, withheld, listed := map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for after := int64(0); ; {
		page := w.log(after)
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			after = d.Position
			switch d.Payload.(type) {
			case customer.Blacklisted:
				listed[d.Customer] = true
			case automessage.Sent:
				if sent[d.Customer] != uuid.Nil || listed[d.Customer] {
					t.Errorf("customer %v got it again, or on the blacklist", d.Customer)
				}
				sent[d.Customer], _ = automessage.RecipientOf(d.Stream)
			case automessage.Withheld:
				withheld[sent[d.Customer]] = true
			}
		}
	}
	for _, c := range people {
		if sent[c] == uuid.Nil && !listed[c] {
			t.Errorf("customer %v did not get it", c)
		}
	}

	// By what went out: one message for each that the log has, under its id.
	out := w.outIDs()
	for _, recipient := range sent {
		if out[recipient] != 1 && !withheld[recipient] {
			t.Errorf("%v went out %d times", recipient, out[recipient])
		}
	}
	if len(out) > len(sent) || len(out) < len(sent)-len(withheld) || len(sent) < audience-before-meanwhile {
		t.Errorf("%d ids went out, %d are in the log, %d of them withheld", len(out), len(sent), len(withheld))
	}
	w.projected(projections.AutoMessagesName)
	all, err := counts.Counts(t.Context(), tenant)
	if want := (projections.AutoMessageCounts{Sent: int64(len(sent) - len(withheld)), Withheld: int64(len(withheld))}); err != nil || all[id] != want {
		t.Errorf("counted %+v, want %+v; %v", all[id], want, err)
	}
}

// changed writes to the catalogue what no command would decide.
func (w *world) changed(e automessage.Event) {
	w.t.Helper()
	events, err := w.store.ReadStream(w.t.Context(), tenant, automessage.Stream, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.store.Append(w.t.Context(), eventstore.Append{
		Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: admin,
		Streams: []eventstore.StreamAppend{{Stream: automessage.Stream, Version: int64(len(events)), Events: []eventstore.NewEvent{{Payload: e}}}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// outIDs counts what lies in the stream by its id.
func (w *world) outIDs() map[uuid.UUID]int {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), StreamOut)
	if err != nil {
		w.t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(w.t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		w.t.Fatal(err)
	}
	defer messages.Stop()
	ids := map[uuid.UUID]int{}
	for range stream.CachedInfo().State.Msgs {
		m, err := messages.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		id, err := uuid.Parse(m.Headers().Get(jetstream.MsgIDHeader))
		if err != nil {
			w.t.Fatal(fmt.Errorf("the id of a message: %w", err))
		}
		ids[id]++
	}
	return ids
}
