package commands_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// appendOwn appends what is decided of a customer, as the chunks of an import and of its reverting do.
func (w *world) appendOwn(id uuid.UUID, decide func(*customer.State) ([]customer.Event, error)) {
	w.t.Helper()
	stream := customer.Stream(id)
	state := w.customer(id)
	stored, err := w.store.ReadStream(w.t.Context(), tenant, stream, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	events, err := decide(state)
	if err != nil {
		w.t.Fatal(err)
	}
	a := eventstore.Append{Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: w.by.Actor,
		Streams: []eventstore.StreamAppend{{Stream: stream, Version: int64(len(stored))}}}
	for _, e := range events {
		if created, ok := e.(customer.Created); ok {
			a.NewCustomers = append(a.NewCustomers, eventstore.NewCustomer{ID: id, Generation: created.Generation})
		}
		a.Streams[0].Events = append(a.Streams[0].Events, eventstore.NewEvent{Payload: e, Customer: id})
	}
	if _, err := w.store.Append(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
}

// imported is a customer of the association 1 whom an import made.
func (w *world) imported(externalID string, by uuid.UUID) uuid.UUID {
	w.t.Helper()
	id, err := w.center.CustomerID(w.t.Context(), tenant, 1, externalID)
	if err != nil {
		w.t.Fatal(err)
	}
	w.appendOwn(id, func(s *customer.State) ([]customer.Event, error) {
		return s.Create(customer.New{Association: 1, Channel: domain.ChannelApp, ExternalID: externalID, Via: customer.ViaImport, Import: by,
			Profile: customer.Profile{Name: "王小明"}}, func(uuid.UUID) bool { return false }, nil)
	})
	return id
}

func (w *world) withdraw(id, by uuid.UUID) {
	w.t.Helper()
	w.appendOwn(id, func(s *customer.State) ([]customer.Event, error) { return s.Withdraw(by) })
}

// Whatever is asked of somebody who was withdrawn is answered as for one who never was a customer, also by a process that knew the customer before.
func TestTheWithdrawnAreNobody(t *testing.T) {
	w := newWorld(t)
	by, vip := uuid.New(), w.must(commands.CreateTag{Name: "vip"}).Tag
	gone := w.imported("x", by)
	w.appends(w.by, commands.UntagCustomer{Customer: gone, Tag: vip}) // which is in the cache since
	auto, others := w.running(gone), w.running(w.must(commands.CreateCustomer{Association: 1, ExternalID: "y"}).Customer)
	w.withdraw(gone, by)

	name := "王"
	ref := byIdentity("x")
	for _, c := range []struct {
		asks func(who uuid.UUID, ref commands.SessionRef) command
		at   string
		code string
	}{
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.EditProfile{Customer: who, Changes: map[string]*string{"name": &name}}
		}},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.EditProfile{Customer: who, IfVersion: 1, Changes: map[string]*string{"name": &name}}
		}},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.TagCustomer{Customer: who, Tag: vip}
		}},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.UntagCustomer{Customer: who, Tag: vip}
		}},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command { return commands.SetCustomerTags{Customer: who} }},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.BlacklistCustomer{Customer: who, Reason: "spam"}
		}},
		{asks: func(_ uuid.UUID, ref commands.SessionRef) command {
			return commands.BlacklistCustomer{Session: ref, Reason: "spam"}
		}, at: "external_id"},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command { return commands.UnblacklistCustomer{Customer: who} }},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.RequestCallback{Customer: who, Agent: "a1"}
		}},
		{asks: func(_ uuid.UUID, ref commands.SessionRef) command {
			return commands.AcceptSession{Session: ref, Agent: "a1"}
		}, at: "external_id"},
		{asks: func(_ uuid.UUID, ref commands.SessionRef) command {
			return commands.CloseSession{Session: ref, By: "agent"}
		}, at: "external_id"},
		{asks: func(_ uuid.UUID, ref commands.SessionRef) command {
			return commands.RateSession{Session: ref, Score: 5}
		}, at: "external_id"},
		{asks: func(_ uuid.UUID, ref commands.SessionRef) command {
			return commands.RecordMessage{Session: ref, Sender: session.Sender{Kind: "agent", ID: "a1"}, Message: commands.Message{ID: "m", Kind: "text", Text: "?"}}
		}, at: "external_id"},
		{asks: func(who uuid.UUID, _ commands.SessionRef) command {
			return commands.AddRecipients{AutoMessage: others, Customers: []uuid.UUID{who}}
		}, at: "customers[0]", code: domain.CodeValidation},
	} {
		code := c.code
		if code == "" {
			code = domain.CodeNotFound
		}
		for _, center := range []*commands.Center{w.center, newCenter(w.store)} {
			w.center = center
			w.refused(w.by, c.asks(uuid.New(), byIdentity("nobody")), code, c.at)
			w.refused(w.by, c.asks(gone, ref), code, c.at)
		}
	}
	w.appends(w.by, commands.LiftBlacklisting{Customer: gone})
	if done := w.appends(w.by, commands.SendAutoMessage{AutoMessage: auto, Customers: []uuid.UUID{gone}}); done.Recipients != 0 {
		t.Errorf("an auto message is sent to %d", done.Recipients)
	}
	if _, err := w.customer(gone).Withdraw(by); err == nil {
		t.Error("withdrawn twice")
	}
}

// Who was withdrawn is made a customer again by a message as by a command: in the next generation, with a key of its own. Every process that knew the
// life before goes on with the new one.
func TestTheWithdrawnComeBack(t *testing.T) {
	w := newWorld(t)
	other := newWorldOn(t, w.store.Pool()) // another process, with keys and states of its own
	by := uuid.New()
	for name, again := range map[string]command{
		"by-message": text("by-message", "m1", "hello"), "by-command": commands.CreateCustomer{Association: 1, ExternalID: "by-command"},
	} {
		id := w.imported(name, by)
		for _, knows := range []*world{w, other} {
			knows.appends(w.by, commands.UntagCustomer{Customer: id})
			if s := knows.customer(id); s.Profile.Name != "王小明" {
				t.Errorf("%s: %+v", name, s)
			}
		}
		w.withdraw(id, by)
		if done := w.must(again); done.Customer != id {
			t.Errorf("%s: another customer", name)
		}
		if s := other.customer(id); !s.Exists || s.Generation != 2 || s.Import != uuid.Nil || s.Profile.Name != "" || s.Profile.Nickname != name {
			t.Errorf("%s: %+v", name, s)
		}
		phone := "138"
		edit := commands.EditProfile{Customer: id, Changes: map[string]*string{"phone": &phone}, IfVersion: 1}
		other.refused(w.by, edit, commands.CodePreconditionFailed, "") // of the life before
		edit.IfVersion = 3
		other.must(edit)
		w.refused(w.by, commands.CreateCustomer{Association: 1, ExternalID: name}, domain.CodeCustomerExists, "external_id")
		if _, err := w.customer(id).Withdraw(by); err == nil {
			t.Errorf("%s: the import that is reverted withdraws the next life, too", name)
		}

		// Each life is sealed with its own key.
		fresh := func() map[int64]eventstore.Decoded {
			t.Helper()
			reader := newWorldOn(t, w.store.Pool())
			events, err := reader.store.ReadStream(t.Context(), tenant, customer.Stream(id), 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := reader.store.Open(t.Context(), events)
			if err != nil {
				t.Fatal(err)
			}
			all := map[int64]eventstore.Decoded{}
			for _, d := range decoded {
				all[d.Version] = d
			}
			return all
		}
		last := int64(len(fresh()))
		if all := fresh(); all[1].Erased || all[3].Erased || all[last].Type != "customer.profile_changed" || all[last].Erased {
			t.Errorf("%s: not everything can be read", name)
		}
		if _, err := w.store.Pool().Exec(t.Context(), `delete from customer_keys where customer = $1 and generation = 1`, id); err != nil {
			t.Fatal(err)
		}
		if all := fresh(); !all[1].Erased || all[3].Erased || all[last].Erased {
			t.Errorf("%s: without the first key the creations are erased: %v, %v; the edit: %v", name, all[1].Erased, all[3].Erased, all[last].Erased)
		}
	}
}

// An edit and a withdrawal of one moment: the second of them finds out.
func TestAWithdrawalDoesNotOvertakeAnEdit(t *testing.T) {
	w := newWorld(t)
	by := uuid.New()
	id := w.imported("x", by)
	events, err := w.customer(id).Withdraw(by)
	if err != nil {
		t.Fatal(err)
	}
	name := "王"
	w.must(commands.EditProfile{Customer: id, Changes: map[string]*string{"name": &name}})
	var conflict *eventstore.ConflictError
	_, err = w.store.Append(t.Context(), eventstore.Append{Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: w.by.Actor,
		Streams: []eventstore.StreamAppend{{Stream: customer.Stream(id), Version: 1, Events: []eventstore.NewEvent{{Payload: events[0], Customer: id}}}}})
	if !errors.As(err, &conflict) {
		t.Fatalf("withdrawn behind an edit: %v", err)
	}
	_, err = w.customer(id).Withdraw(by)
	mustRefuse(t, err, domain.CodeCustomerTouched, "")
}

// What was sent to a life that has ended does not go out any more, and does not count for the next one.
func TestAutoMessagesAroundAWithdrawal(t *testing.T) {
	w := newWorld(t)
	by := uuid.New()
	id := w.imported("x", by)
	auto := w.running(id)
	send := commands.SendAutoMessage{AutoMessage: auto, Customers: []uuid.UUID{id}}
	sent := automessage.Sent{AutoMessage: auto, Customer: id, Association: 1}
	w.appends(w.by, send, sent)
	w.withdraw(id, by) // nothing has happened on the customer's own stream
	out := func(life int) string {
		t.Helper()
		out, err := w.center.AutoMessagesOut(t.Context(), tenant, []uuid.UUID{automessage.RecipientID(auto, id, life)}, []automessage.Sent{sent})
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Withheld
	}
	if code := out(1); code != domain.CodeNotFound {
		t.Errorf("withdrawn before it went out: %q", code)
	}
	w.must(text("x", "m1", "hello"))
	if code := out(1); code != domain.CodeNotFound {
		t.Errorf("of the life before: %q", code)
	}
	w.appends(w.by, send, sent)
	if code := out(2); code != "" {
		t.Errorf("of this life: %q", code)
	}
	w.appends(w.by, send)
}
