package policies

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/domain/session"
	"customercenter/projections"
)

// What follows from events is not done again when the read models are built anew, switched, gone back from and verified, with traffic or without:
// agents' messages and auto messages are published once each, and the changes of groups lie in their stream once each.
func TestRebuildsRepeatNothingThatFollows(t *testing.T) {
	w := newWorld(t)
	w.project()
	heard := w.listen()
	r := w.runner()
	w.start(r)
	called := w.must(agent, commands.RequestCallback{Customer: w.customer("called"), Agent: "li", Text: "您好"})
	w.group("VIP", `{"field":"name","op":"eq","value":"vip"}`)
	campaign := w.campaign("all", everybody)
	people := []uuid.UUID{w.customer("first"), w.customer("second")}
	turns := 0
	turn := func() {
		w.say(agent, called.Session, fmt.Sprint("s", turns), "hello")
		w.rename(people[turns%len(people)], []string{"vip", "nobody"}[turns/len(people)%2])
		if turns%20 == 0 {
			w.customer(fmt.Sprint("new-", turns))
		}
		turns++
	}
	for range 100 {
		turn()
	}
	models := []string{projections.CustomersName, projections.GroupsName, projections.AutoMessagesName}

	before := w.followed(r, heard, campaign)
	rebuilt := make(chan error, 1)
	go func() { rebuilt <- w.rebuild(t.Context(), models) }()
	begun := turns
	for running := true; running; {
		turn()
		select {
		case err := <-rebuilt:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
		}
	}
	t.Logf("%d turns while read models were built", turns-begun)
	after := w.followed(r, heard, campaign)
	for id := range before {
		if !after[id] {
			t.Errorf("%s is gone", id)
		}
	}

	// Nothing happens but a rebuild, and then one thing of each kind, so that all who follow have had their turn.
	if err := w.rebuild(t.Context(), models); err != nil {
		t.Error(err)
	}
	last := w.customer("last")
	w.say(agent, called.Session, "last", "goodbye")
	w.rename(last, "vip")
	if all := w.followed(r, heard, campaign); len(all) != len(after)+3 {
		t.Errorf("%d things follow from the last message, customer and name, want 3", len(all)-len(after))
	}
}

// rebuild builds read models anew, beside and for a comparison, and serves the new one, the old one and the new one.
func (w *world) rebuild(ctx context.Context, models []string) error {
	for _, name := range models {
		built, err := w.projector.Rebuild(ctx, name, nil)
		if err != nil {
			return err
		}
		for _, do := range []func() error{
			func() error { return w.projector.Switch(ctx, name, built.ID) },
			func() error { return w.projector.Rollback(ctx, name) },
			func() error { return w.projector.Switch(ctx, name, built.ID) },
			func() error { _, err := w.projector.Verify(ctx, name, nil); return err },
		} {
			if err := do(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// followed waits until all that follows from the log was done, checks that it was done once, and returns its ids.
func (w *world) followed(r *Runner, heard *heard, campaign uuid.UUID) map[string]bool {
	w.t.Helper()
	var customers []uuid.UUID
	for _, d := range w.log(0) {
		if d.Type == "customer.created" {
			customers = append(customers, d.Customer)
		}
	}
	w.got(campaign, customers...)
	w.caughtUp(r)
	ids := map[string]bool{}
	for _, d := range w.log(0) {
		switch p := d.Payload.(type) {
		case session.MessageRecorded:
			ids[outgoingID(&d).String()] = true
		case automessage.Sent:
			ids[automessage.RecipientID(p.AutoMessage, p.Customer, 1).String()] = true
		}
	}
	if err := w.nc.Flush(); err != nil {
		w.t.Fatal(err)
	}
	lie := map[string]bool{}
	for id, times := range w.outIDs() {
		lie[id.String()] = true
		if times != 1 {
			w.t.Errorf("the message %s lies in the stream %d times", id, times)
		}
	}
	if !maps.Equal(lie, ids) {
		w.t.Errorf("%d messages lie in the stream, want %d", len(lie), len(ids))
	}
	heard.mu.Lock()
	for id := range ids {
		if times := len(heard.bodies[id]); times != 1 {
			w.t.Errorf("the message %s was published %d times", id, times)
		}
	}
	if len(heard.bodies) != len(ids) {
		w.t.Errorf("%d messages were published, want %d", len(heard.bodies), len(ids))
	}
	heard.mu.Unlock()

	w.projected(projections.GroupsName)
	changes := w.changes()
	w.allTold(len(changes))
	told := w.told()
	if len(told) != len(changes) {
		w.t.Errorf("the stream of groups has %d messages for %d changes", len(told), len(changes))
	}
	for _, c := range changes {
		ids[c.ID.String()] = true
	}
	return ids
}
