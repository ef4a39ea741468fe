package policies

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain/customer"
	"customercenter/domain/group"
	"customercenter/eventstore"
	"customercenter/projections"
)

// Two processes feed the read model of groups and tell subscribers of the changes. One or both are killed and replaced while rules are filled
// over 5,000 customers and thousands of timers fall due. In the end the read model is what a build from zero is, and every change was told.
func TestFeedersOfGroupsThatAreKilled(t *testing.T) {
	w := newWorld(t)
	const people, rounds = 5_000, 6
	planting := time.Now()
	ids := w.plant(people)
	// When the first timer falls due, later on a slow machine, and how long after it the last one.
	first, span := 3*time.Second+2*time.Since(planting), 7*time.Second
	if err := w.projector.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	groups := projections.NewGroups(w.store, w.projector, projections.NewCatalogues(w.store))
	status := func(id uuid.UUID) projections.GroupStatus {
		t.Helper()
		all, err := groups.Status(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		return all[id]
	}
	rule := func(revision int) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"field":"any_text","op":"contains","value":"%d"}`, revision))
	}
	feeding := func() *exec.Cmd { return w.child(childFeedsEnv + "=1") }

	children := []*exec.Cmd{feeding(), feeding()}
	// Nothing that takes its time comes between the sessions and the rule.
	sessions := w.plantSessions(ids, time.Now().Add(first-time.Hour), span)
	recent := w.group("recent", `{"field":"last_session_at","op":"within","value":{"minutes":60}}`)
	members := w.recent(sessions) // a machine that was slow to get here has let timers pass
	if members < people/10 {
		t.Fatalf("only %d timers were left to fall due", members)
	}
	digit := w.group("digit", string(rule(1)))
	inTheMiddle := 0 // kills while a rule was being filled
	for round := range rounds {
		revision := round + 1
		if revision > 1 {
			w.must(admin, commands.ChangeGroup{Group: digit, Rule: rule(revision)})
		}
		for i := range 10 {
			w.rename(ids[round*500+i], fmt.Sprintf("number %d", revision))
		}
		done := int64(people) * int64(round+1) / (rounds + 2) // another place every time
		w.until("the rule is not filled", func() bool {
			s := status(digit)
			return s.Revision == revision || s.Filling != nil && s.Filling.Done > done
		})
		if status(digit).Filling != nil {
			inTheMiddle++
		}
		for i := range children {
			if i == round%2 || round%3 == 2 {
				w.kill(children[i])
			}
		}
		for i := range children {
			if children[i].ProcessState != nil {
				children[i] = feeding()
			}
		}
	}
	if inTheMiddle == 0 {
		t.Error("no process was killed while a rule was being filled")
	}
	w.until("the rules and the timers are not done with", func() bool {
		all, err := groups.Status(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		return all[digit].Revision == rounds && all[digit].Filling == nil && all[recent].Filling == nil && all[recent].Members == 0
	})
	w.projected(projections.GroupsName)
	for _, c := range children {
		w.kill(c)
	}
	publisher := w.runner().groups
	for more := true; more; {
		var err error
		if more, err = publisher.step(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}

	changes := w.changes()
	kinds, left := map[string]int{}, 0
	for _, c := range changes {
		kinds[c.Cause.Kind]++
		if c.Group == recent && !c.Entered {
			left++
		}
	}
	if kinds["event"] == 0 || kinds["clock"] != members || left != members {
		t.Errorf("changes by cause: %v; %d left, want %d", kinds, left, members)
	}
	w.toldAll(changes)

	built, err := w.projector.Rebuild(t.Context(), projections.GroupsName, nil)
	if err != nil {
		t.Fatal(err)
	}
	if differences, err := w.projector.Compare(t.Context(), projections.GroupsName, built.ID); err != nil || len(differences) > 0 {
		t.Fatalf("built from zero: %+v, %v", differences, err)
	}
	if err := w.projector.Switch(t.Context(), projections.GroupsName, built.ID); err != nil {
		t.Fatal(err)
	}
	same := map[uuid.UUID]bool{}
	for _, c := range changes {
		same[c.ID] = true
	}
	again := w.changes()
	for _, c := range again {
		if !same[c.ID] {
			t.Fatalf("only the build from zero has %+v", c)
		}
	}
	if len(again) != len(changes) {
		t.Errorf("the build from zero has %d changes, want %d", len(again), len(changes))
	}
}

// toldAll checks that the stream has every change and no other, and those of one customer and group in their order.
func (w *world) toldAll(changes []projections.GroupChange) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), StreamGroups)
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
	seen, last := map[string]bool{}, map[string]groupEvent{}
	for range stream.CachedInfo().State.Msgs {
		m, err := messages.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		var e groupEvent
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			w.t.Fatal(err)
		}
		if seen[e.ID] {
			continue // told again
		}
		pair := e.Subject + e.Data.GroupID.String()
		if before := last[pair]; before.Type == e.Type || before.Type == "" && e.Type != "entered" || before.Time.After(e.Time) {
			w.t.Fatalf("after %+v comes %+v", before, e)
		}
		seen[e.ID], last[pair] = true, e
	}
	for _, c := range changes {
		if !seen[c.ID.String()] {
			w.t.Fatalf("nobody was told of %+v", c)
		}
	}
	if len(seen) != len(changes) {
		w.t.Errorf("%d changes were told, want %d", len(seen), len(changes))
	}
}

// recent counts the sessions that began within the hour before the first group was defined.
func (w *world) recent(sessions []time.Time) (n int) {
	w.t.Helper()
	log, err := w.store.ReadStream(w.t.Context(), tenant, group.Stream, 0, 1)
	if err != nil || len(log) == 0 {
		w.t.Fatalf("the definition is not in the log: %v", err)
	}
	for _, began := range sessions {
		if !began.Before(log[0].RecordedAt.Add(-time.Hour)) {
			n++
		}
	}
	return n
}

// plantSessions gives each customer a session that began at from or up to span later, one after the other. It returns when they began.
func (w *world) plantSessions(ids []uuid.UUID, from time.Time, span time.Duration) (began []time.Time) {
	w.t.Helper()
	for i := range ids {
		began = append(began, from.Add(span*time.Duration(i)/time.Duration(len(ids))).Truncate(time.Microsecond))
	}
	for low := 0; low < len(ids); low += eventstore.MaxEvents {
		a := eventstore.Append{Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: channel}
		for i := low; i < min(len(ids), low+eventstore.MaxEvents); i++ {
			a.Streams = append(a.Streams, eventstore.StreamAppend{Stream: customer.Stream(ids[i]), Version: 1, Events: []eventstore.NewEvent{{
				Customer: ids[i], OccurredAt: began[i],
				Payload: customer.SessionOpened{Session: uuid.New(), Initiator: "customer"},
			}}})
		}
		if _, err := w.store.Append(context.WithoutCancel(w.t.Context()), a); err != nil {
			w.t.Fatal(err)
		}
	}
	return began
}
