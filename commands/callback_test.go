package commands_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
)

func TestRequestCallback(t *testing.T) {
	w := newWorld(t)
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	before := w.head()
	done := w.must(commands.RequestCallback{Customer: id, Agent: "li"})
	if done.Customer != id || done.Session == uuid.Nil || !done.Changed || done.Position != before+3 {
		t.Errorf("done %+v", done)
	}
	want := []domain.Event{
		customer.SessionOpened{Session: done.Session, Initiator: "agent"},
		session.Started{Customer: id, Association: 1, Channel: "app", Initiator: "agent", Callback: true},
		session.Accepted{Agent: "li"},
	}
	for i, d := range w.log(before) {
		if d.Payload != want[i] || d.Customer != id {
			t.Errorf("event %d is %#v, want %#v", i, d.Payload, want[i])
		}
	}
	if s := w.session(done.Session); s.Status != session.StatusProcessing || s.Agent != "li" || !s.Callback || s.Messages != 0 {
		t.Errorf("session %+v", s)
	}
	to, found, err := newCenter(w.store).AddresseeOf(t.Context(), tenant, done.Session)
	if want := (commands.Addressee{Customer: id, Association: 1, Channel: "app", ExternalID: "x"}); err != nil || !found || to != want {
		t.Errorf("the session is with %+v, %v, %v; want %+v", to, found, err, want)
	}
	if _, found, err := w.center.AddresseeOf(t.Context(), tenant, uuid.Max); found || err != nil {
		t.Errorf("found %v, %v for a session that never was", found, err)
	}
	// The customer's answer goes into it, and it ends as any session does.
	if answer := w.must(text("x", "m1", "hello")); answer.Session != done.Session {
		t.Errorf("the answer went into %v", answer.Session)
	}
	w.refused(w.by, commands.RequestCallback{Customer: id, Agent: "wang"}, domain.CodeSessionOpen, "")
	w.must(commands.CloseSession{Session: byID(done.Session), By: "agent"})
	w.must(commands.RequestCallback{Customer: id, Agent: "wang"})
}

func TestRequestCallbackWithAText(t *testing.T) {
	w := newWorld(t)
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	by := w.once("k", "body")
	before := w.head()
	done := w.mustBy(by, commands.RequestCallback{Customer: id, Agent: " li ", Text: " 您好 "})
	log := w.log(before)
	if len(log) != 4 {
		t.Fatalf("appended %d events, want 4", len(log))
	}
	said, ok := log[3].Payload.(session.MessageRecorded)
	if !ok || said.Text != " 您好 " || said.Kind != "text" || said.Sender != (session.Sender{Kind: "agent", ID: "li"}) || said.Late {
		t.Errorf("message %#v", log[3].Payload)
	}
	if want := uuid.NewSHA1(done.Session, []byte("callback")).String(); said.Message != want {
		t.Errorf("message id %s, want %s", said.Message, want)
	}
	for _, d := range log {
		if d.Envelope.Append != log[0].Envelope.Append {
			t.Errorf("%s is in another append", d.Type)
		}
	}
	again := w.mustBy(by, commands.RequestCallback{Customer: id, Agent: " li ", Text: " 您好 "})
	if again.Repeated, again.First = false, done.First; again != done {
		t.Errorf("again %+v, first %+v", again, done)
	}
}

func TestRequestCallbackRefused(t *testing.T) {
	w := newWorld(t)
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	call := func(id uuid.UUID) commands.RequestCallback {
		return commands.RequestCallback{Customer: id, Agent: "li"}
	}
	w.refused(w.by, commands.RequestCallback{Customer: id}, domain.CodeValidation, "agent")
	w.refused(w.by, commands.RequestCallback{Customer: id, Agent: strings.Repeat("x", 129)}, domain.CodeValidation, "agent")
	w.refused(w.by, commands.RequestCallback{Customer: id, Agent: "li", Text: "a\x00"}, domain.CodeValidation, "text")
	w.refused(w.by, call(uuid.Max), domain.CodeNotFound, "")

	// On wechat nobody may be written to who has not written for two days. In order: gone, blacklisted, open, window.
	imported := w.must(commands.CreateCustomer{Association: 2, ExternalID: "openid"}).Customer
	w.refused(w.by, call(imported), domain.CodeChannelWindowClosed, "")
	wrote := text("openid", "m1", "hello")
	wrote.Association = 2
	w.must(wrote)
	w.refused(w.by, call(imported), domain.CodeSessionOpen, "")
	w.must(blacklist(imported))
	w.refused(w.by, call(imported), domain.CodeCustomerBlacklisted, "")
	w.must(commands.CloseSession{Session: commands.SessionRef{Association: 2, ExternalID: "openid"}, By: "agent"})
	w.must(commands.UnblacklistCustomer{Customer: imported})
	other := newCenter(w.store)
	if _, err := (commands.RemoveAssociation{Association: 2}).Run(t.Context(), other, w.by); err != nil {
		t.Fatal(err)
	}
	w.refused(w.by, call(imported), domain.CodeAssociationGone, "association_id")
	w.must(commands.RegisterAssociation{Channel: "wechat", Account: "gh_1", Name: "公众号"})
	w.must(call(imported))

	w.must(blacklist(id))
	w.refused(w.by, call(id), domain.CodeCustomerBlacklisted, "")
}

// The channel counts its window from the customer's last message, whatever became of it here.
func TestWindowOfSuppressedAndLateMessages(t *testing.T) {
	w := newWorld(t)
	at := func(ago time.Duration) commands.By {
		by := w.by
		by.OccurredAt = time.Now().Add(-ago)
		return by
	}
	wrote := func(openid, id string) commands.ReceiveMessage {
		m := text(openid, id, "hello")
		m.Association = 2
		return m
	}
	// Wrote three days ago, in a session that has just ended.
	longAgo := func(openid string) (uuid.UUID, commands.RequestCallback) {
		done := w.mustBy(at(72*time.Hour), wrote(openid, "m1-"+openid))
		w.must(commands.CloseSession{Session: byID(done.Session), By: "agent"})
		call := commands.RequestCallback{Customer: done.Customer, Agent: "li"}
		w.refused(w.by, call, domain.CodeChannelWindowClosed, "")
		return done.Customer, call
	}
	_, call := longAgo("late")
	if done := w.mustBy(at(72*time.Hour-time.Minute), wrote("late", "m2-late")); !done.Late {
		t.Fatalf("not late: %+v", done)
	}
	w.refused(w.by, call, domain.CodeChannelWindowClosed, "")
	w.mustBy(at(time.Hour), wrote("late", "m3-late"))
	w.must(call)

	listed, call := longAgo("listed")
	w.must(blacklist(listed))
	if done := w.must(wrote("listed", "m2-listed")); !done.Suppressed {
		t.Fatalf("not suppressed: %+v", done)
	}
	w.refused(w.by, call, domain.CodeCustomerBlacklisted, "")
	w.must(commands.UnblacklistCustomer{Customer: listed})
	w.must(call)
}
