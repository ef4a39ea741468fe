package bench

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// What is generated could have been recorded: streams begin at their beginning and have no holes, time does not run back, a customer has one
// session at a time, and only waiting sessions are accepted.
func TestYearIsAHistory(t *testing.T) {
	const customers = 3000
	to := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	y, err := newYear([]byte("secret"), customers, to)
	if err != nil {
		t.Fatal(err)
	}
	versions, kinds := map[string]int64{}, map[string]int{}
	people, talks := map[uuid.UUID]*customer.State{}, map[string]*session.State{}
	last := y.from
	for past := range y.log() {
		if past.At.Before(last) || !past.At.Before(to) {
			t.Fatalf("something is recorded at %s, after %s", past.At, last)
		}
		last = past.At
		for _, s := range past.Streams {
			if s.Version != versions[s.Stream] {
				t.Fatalf("%s has version %d and is written to from %d on", s.Stream, versions[s.Stream], s.Version)
			}
			versions[s.Stream] += int64(len(s.Events))
			for _, e := range s.Events {
				kinds[e.Payload.(eventstore.Payload).EventType()]++
				switch event := e.Payload.(type) {
				case customer.Event:
					follow(t, people, past, e.Customer, event)
				case session.Event:
					talk := talks[s.Stream]
					if talk == nil {
						talk = new(session.State)
						talks[s.Stream] = talk
					}
					if _, accepted := event.(session.Accepted); accepted && talk.Status != session.StatusWaiting {
						t.Fatalf("a session is accepted that is %q", talk.Status)
					}
					talk.Apply(event, past.At)
				}
			}
		}
	}
	if y.err != nil {
		t.Fatal(y.err)
	}
	if len(people) != customers || kinds["tag.created"] != catalogueTags || kinds["group.defined"] != len(y.rules(to)) {
		t.Errorf("there are %d customers, %d tags and %d groups", len(people), kinds["tag.created"], kinds["group.defined"])
	}
	for _, kind := range []string{"customer.tagged", "customer.blacklisted", "customer.profile_changed", "session.rated", "session.aborted", "session.closed", "session.message_recorded"} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
}

// follow applies what happens to a customer, and fails if it could not.
func follow(t *testing.T, people map[uuid.UUID]*customer.State, past eventstore.Past, id uuid.UUID, event customer.Event) {
	t.Helper()
	who := people[id]
	if _, created := event.(customer.Created); created {
		if who != nil || len(past.NewCustomers) != 1 || past.NewCustomers[0].ID != id {
			t.Fatal("somebody is created twice, or without a key")
		}
		who = new(customer.State)
		people[id] = who
	}
	if who == nil {
		t.Fatalf("%s of nobody", event.EventType())
	}
	switch event := event.(type) {
	case customer.SessionOpened:
		if who.Unfinished.ID != uuid.Nil || who.Blacklisted(past.At) {
			t.Fatal("a session is opened that could not be")
		}
	case customer.SessionClosed:
		if who.Unfinished.ID != event.Session {
			t.Fatal("a session is closed that is not open")
		}
	case customer.Tagged:
		if who.HasTag(event.Tag) {
			t.Fatal("a tag is put on twice")
		}
	}
	who.Apply(event, past.At)
}
