package commands_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
)

// An erasure ends the session in its append, and from its commit on nobody can open what was said of the person: neither the process that erased, nor
// another one that had the key in memory, in whatever order it reads.
func TestErase(t *testing.T) {
	w := newWorld(t)
	other := newWorldOn(t, w.store.Pool())
	id := w.must(text("Visitor", "m1", "say nothing")).Customer
	open := w.customer(id).Unfinished.ID
	stays := w.must(text("stays", "m1", "hello")).Customer
	if s := other.customer(id); s.ExternalID != "visitor" {
		t.Fatalf("the other process reads %+v", s)
	}
	w.refused(w.by, commands.EraseCustomer{Customer: id, Confirm: "somebody else"}, domain.CodeValidation, "confirm")
	w.refused(w.by, commands.EraseCustomer{Customer: uuid.New(), Confirm: "visitor"}, domain.CodeNotFound, "")
	wrote := w.session(open).LastCustomerMessageAt
	w.appends(w.by, commands.EraseCustomer{Customer: id, Confirm: " VISITOR"}, session.Aborted{By: domain.PartySystem, Cause: commands.CauseErased},
		customer.SessionClosed{Session: open, Aborted: true, LastCustomerMessageAt: &wrote}, customer.Erased{Generation: 1})
	w.refused(w.by, commands.EraseCustomer{Customer: id, Confirm: "visitor"}, domain.CodeNotFound, "")

	var keys, erasures int
	err := w.store.Pool().QueryRow(t.Context(), `select (select count(*) from customer_keys where customer = $1), (select count(*) from erasures
		where customer = $1 and generation = 1 and position = (select max(position) from events where type = 'customer.erased'))`, id).Scan(&keys, &erasures)
	if err != nil || keys != 0 || erasures != 1 {
		t.Errorf("%d keys, %d erasures, %v", keys, erasures, err)
	}
	for name, reader := range map[string]*world{"the process that erased": w, "another one": other, "a new one": newWorldOn(t, w.store.Pool())} {
		for _, d := range reader.log(0) { // the erasure is read with the rest
			sealed := strings.Contains(string(d.Data), `"sealed"`)
			if d.Customer == id && sealed != d.Erased || d.Customer == stays && d.Erased {
				t.Errorf("%s: %s at %d is erased: %v", name, d.Type, d.Position, d.Erased)
			}
		}
	}
}

// A process that does not read the log finds out within a second.
func TestAKeyInMemoryIsGoneSoon(t *testing.T) {
	w := newWorld(t)
	other := newWorldOn(t, w.store.Pool())
	id := w.must(text("visitor", "m1", "say nothing")).Customer
	read := func() bool {
		t.Helper()
		events, err := other.store.ReadStream(t.Context(), tenant, customer.Stream(id), 0, 1) // the creation only
		if err != nil {
			t.Fatal(err)
		}
		if failed, err := other.store.Reveal(t.Context(), events, false); failed != nil || err != nil {
			t.Fatal(failed, err)
		}
		return strings.Contains(string(events[0].Data), "visitor")
	}
	if !read() {
		t.Fatal("the creation cannot be read")
	}
	w.must(commands.EraseCustomer{Customer: id, Confirm: "visitor"})
	for deadline := time.Now().Add(time.Minute); read(); {
		if time.Now().After(deadline) {
			t.Fatal("the key is still used")
		}
	}
}

// Whoever comes back is a new customer with a key of its own, in every process; nothing is sealed with the key that is destroyed.
func TestTheErasedComeBack(t *testing.T) {
	w := newWorld(t)
	other := newWorldOn(t, w.store.Pool())
	id := w.must(text("visitor", "m1", "before")).Customer
	former := other.customer(id).Unfinished.ID
	other.must(commands.AcceptSession{Session: byID(former), Agent: "a1"})
	w.must(commands.EraseCustomer{Customer: id, Confirm: "visitor"})
	for name, cmd := range map[string]command{
		"rate":   commands.RateSession{Session: byID(former), Score: 5, Comment: "too late"},
		"write":  commands.RecordMessage{Session: byID(former), Sender: session.Sender{Kind: "agent", ID: "a1"}, Message: commands.Message{ID: "m", Kind: "text", Text: "?"}},
		"accept": commands.AcceptSession{Session: byID(former), Agent: "a1"},
	} {
		t.Run(name, func(t *testing.T) { other.refused(w.by, cmd, domain.CodeNotFound, "session_id") })
	}
	if back := other.must(text("visitor", "m2", "after")); back.Customer != id || back.Session == former {
		t.Errorf("back: %+v", back)
	}
	if s := newWorldOn(t, w.store.Pool()).customer(id); s.Generation != 2 || s.ExternalID != "visitor" {
		t.Errorf("back: %+v", s)
	}
	for _, d := range newWorldOn(t, w.store.Pool()).log(0) {
		if m, is := d.Payload.(session.MessageRecorded); is && d.Customer == id && d.Erased != (m.Message == "m1") {
			t.Errorf("the message %s is erased: %v", m.Message, d.Erased)
		}
	}
	open := w.customer(id).Unfinished.ID
	wrote := w.session(open).LastCustomerMessageAt
	w.appends(w.by, commands.EraseCustomer{Customer: id, Confirm: "visitor"}, session.Aborted{By: domain.PartySystem, Cause: commands.CauseErased},
		customer.SessionClosed{Session: open, Aborted: true, LastCustomerMessageAt: &wrote}, customer.Erased{Generation: 2})
}

// Whoever was withdrawn is in the log still, and can be erased.
func TestTheWithdrawnCanBeErased(t *testing.T) {
	w := newWorld(t)
	by := uuid.New()
	id := w.imported("x", by)
	w.withdraw(id, by)
	w.refused(w.by, commands.EraseCustomer{Customer: id, Confirm: "y"}, domain.CodeValidation, "confirm")
	w.appends(w.by, commands.EraseCustomer{Customer: id, Confirm: "x"}, customer.Erased{Generation: 1})
	w.refused(w.by, commands.EraseCustomer{Customer: id, Confirm: "x"}, domain.CodeNotFound, "")
}

// Whatever happens with a customer at the moment of the erasure, in two processes, comes before it, or is somebody else's, or is refused. All that the
// log holds behind it can be read.
func TestErasuresAmongOthers(t *testing.T) {
	w := newWorld(t)
	centers := []*commands.Center{w.center, newCenter(newWorldOn(t, w.store.Pool()).store)}
	vip := w.must(commands.CreateTag{Name: "vip"}).Tag
	name := "王"
	for round := range 6 {
		visitor := fmt.Sprint("visitor-", round)
		id := w.must(text(visitor, "first", "hello")).Customer
		open := w.customer(id).Unfinished.ID
		others := []command{
			text(visitor, "m1", "one"), text(visitor, "m2", "two"), text(visitor, "m3", "three"),
			commands.TagCustomer{Customer: id, Tag: vip}, commands.EditProfile{Customer: id, Changes: map[string]*string{"name": &name}},
			commands.RateSession{Session: byID(open), Score: 3, Comment: "so so"}, commands.CloseSession{Session: byID(open), By: "agent"},
			commands.BlacklistCustomer{Customer: id, Reason: "spam"},
			commands.EraseCustomer{Customer: id, Confirm: visitor}, commands.EraseCustomer{Customer: id, Confirm: visitor},
		}
		together(len(others), func(i int) {
			_, err := others[i].Run(t.Context(), centers[i%2], w.by)
			var refusal *domain.Refusal
			if err != nil && !errors.As(err, &refusal) {
				t.Errorf("%T: %v", others[i], err)
			}
		})
		erased := int64(0)
		for _, d := range newWorldOn(t, w.store.Pool()).log(0) {
			switch {
			case d.Customer != id:
			case d.Type == "customer.erased":
				erased = d.Position
			case erased > 0 && d.Erased:
				var again bool
				if err := w.store.Pool().QueryRow(t.Context(), `select exists (select from events where customer = $1 and type = 'customer.erased' and position > $2)`, id, d.Position).
					Scan(&again); err != nil || !again {
					t.Errorf("%s at %d cannot be read, erased at %d, %v", d.Type, d.Position, erased, err)
				}
			}
		}
		if erased == 0 {
			t.Error("nobody was erased")
		}
	}
}

// What somebody decided before the erasure, and sends after it, is not sealed with a key that is gone.
func TestNothingIsSealedForTheErased(t *testing.T) {
	w := newWorld(t)
	id := w.must(text("visitor", "m1", "hello")).Customer
	w.must(commands.EraseCustomer{Customer: id, Confirm: "visitor"})
	_, err := w.store.Append(t.Context(), eventstore.Append{Tenant: tenant, ID: uuid.New(), Now: time.Now(), Actor: w.by.Actor, Streams: []eventstore.StreamAppend{
		{Stream: "session-" + uuid.NewString(), Events: []eventstore.NewEvent{{Payload: session.Rated{Score: 1, Comment: "late"}, Customer: id}}}}})
	if !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("sealed: %v", err)
	}
}
