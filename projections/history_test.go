package projections_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/domain/catalog"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
	"customercenter/projections"
)

// logOf is what happened with each customer, the latest first, read from the log alone.
func (m *model) logOf() map[uuid.UUID][]eventstore.Event {
	m.t.Helper()
	all := map[uuid.UUID][]eventstore.Event{}
	for after := int64(0); ; {
		events, err := m.store.ReadLog(m.t.Context(), tenant, after, 1000)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range events {
			if e.Customer != uuid.Nil {
				all[e.Customer] = slices.Insert(all[e.Customer], 0, e)
			}
			after = e.Position
		}
		if len(events) < 1000 {
			return all
		}
	}
}

// history reads all pages of a history.
func (m *model) history(q projections.HistoryQuery) (positions []int64, pages int) {
	m.t.Helper()
	h := projections.NewHistory(m.store, m.projector)
	for {
		page, err := h.Of(m.t.Context(), tenant, q)
		if err != nil {
			m.t.Fatal(err)
		}
		pages++
		if len(page.Events) > q.Limit || page.Partial != (page.Next != 0 && len(page.Events) < q.Limit) {
			m.t.Fatalf("a page of %d, limit %d, next %d, partial %v", len(page.Events), q.Limit, page.Next, page.Partial)
		}
		for _, e := range page.Events {
			if e.Customer != q.Customer {
				m.t.Fatalf("%d is another customer's", e.Position)
			}
			positions = append(positions, e.Position)
		}
		if page.Next == 0 {
			return positions, pages
		}
		q.Before = page.Next
	}
}

// Whatever the events, the pages of a history are the customer's events of the log, each once, the latest first.
func TestHistoryIsTheLogBackwards(t *testing.T) {
	m := newModel(t, 7)
	m.Run(1500)
	// What comes after the end of a session lies among the events of later ones.
	for n, id := range m.Sessions {
		if n%3 != 0 {
			continue
		}
		events, err := m.store.ReadStream(t.Context(), tenant, session.Stream(id), 0, 1)
		if err != nil || len(events) == 0 {
			t.Fatalf("session %v: %v, %v", id, len(events), err)
		}
		about := events[0].Customer
		m.Append(session.Stream(id), about, session.MessageRecorded{Message: fmt.Sprint("late", n), Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "x", Late: true})
		m.Append(session.Stream(id), about, session.WebAttributesRecorded{IP: "203.0.113.7"})
	}
	for _, p := range m.Customers[:5] {
		m.Append(suppressed.Stream(p.ID), p.ID, suppressed.MessageRecorded{Message: "s", Kind: "text", Text: "x"})
	}
	m.Run(300)
	m.sync(projections.HistoryName)

	types := [][]string{
		nil, {"session.accepted"}, {"session.message_recorded"}, {"customer.tagged", "customer.untagged"},
		{"session.rated", "session.closed", "suppressed.message_recorded"},
	}
	all := m.logOf()
	if len(all) < 20 {
		t.Fatalf("only %d customers", len(all))
	}
	for n, id := range slices.Collect(maps.Keys(all)) {
		q := projections.HistoryQuery{Customer: id, Types: types[n%len(types)], Limit: []int{1, 3, 10, 200}[n%4]}
		var want []int64
		for _, e := range all[id] {
			if q.Types == nil || slices.Contains(q.Types, e.Type) {
				want = append(want, e.Position)
			}
		}
		if have, _ := m.history(q); !slices.Equal(have, want) {
			t.Errorf("types %v, limit %d: %v, want %v", q.Types, q.Limit, have, want)
		}
	}
	if have, pages := m.history(projections.HistoryQuery{Customer: uuid.New(), Limit: 10}); len(have) != 0 || pages != 1 {
		t.Errorf("a stranger has %v", have)
	}
}

// An event type that concerns customers and is not heard would be missing in their histories, quietly.
func TestHistoryKnowsEveryTypeThatConcernsCustomers(t *testing.T) {
	for _, e := range catalog.Events() {
		aggregate, _, _ := strings.Cut(e.EventType(), ".")
		_, of := e.(automessage.RecipientEvent)
		if concerns := of || slices.Contains([]string{"customer", "session", "suppressed", "projection"}, aggregate); concerns != slices.Contains(projections.HistoryTypes(), e.EventType()) {
			t.Errorf("%s concerns customers: %v, in the history: %v", e.EventType(), concerns, !concerns)
		}
	}
}

// A search through very many sessions stops, says so, and goes on where it stopped.
func TestHistoryGoesOnAfterItsBudget(t *testing.T) {
	m := newModel(t, 500)
	p := m.NewCustomer("A")
	for n := range 1500 {
		id := uuid.New()
		m.Append(session.Stream(id), p.ID, session.Started{Customer: p.ID, Association: 1, Channel: "app", Initiator: "customer"})
		if n == 0 {
			m.Append(session.Stream(id), p.ID, session.Transferred{From: "a1", To: "a2"})
		}
		m.Append(session.Stream(id), p.ID, session.Aborted{By: "customer"})
	}
	m.sync(projections.HistoryName)
	q := projections.HistoryQuery{Customer: p.ID, Types: []string{"session.transferred"}, Limit: 10}
	page, err := projections.NewHistory(m.store, m.projector).Of(t.Context(), tenant, q)
	if err != nil || len(page.Events) != 0 || !page.Partial || page.Next == 0 {
		t.Fatalf("the first page: %+v, %v", page, err)
	}
	if found, pages := m.history(q); len(found) != 1 || pages != 2 {
		t.Errorf("found %v in %d pages", found, pages)
	}
}
