package projections

import (
	"testing"

	"github.com/google/uuid"

	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// A page that is partial leads on to where the search stopped, either way, so that all pages together have every session, once.
func TestPartialPagesOfSessionsLeadOn(t *testing.T) {
	store := projectionstest.Store(t, "acme")
	world := projectionstest.NewWorld(t, store, "acme", 1, 1000)
	for n := range 4000 {
		nickname := "x"
		if n%1000 == 10 {
			nickname = "needle"
		}
		world.OpenSession(world.NewCustomer(nickname))
	}
	world.Flush()
	p, err := projector.New(projector.Config{Store: store, Definitions: Definitions()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	customers, err := p.Live(t.Context(), CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := p.Live(t.Context(), SessionsName)
	if err != nil {
		t.Fatal(err)
	}
	// pages follows the cursors in one direction until there are none. Without a budget every page is one piece.
	pages := func(cursor string, back bool) (found map[uuid.UUID]int, last string, n int) {
		found = map[uuid.UUID]int{}
		for {
			n++
			w := &sessionWalk{ctx: t.Context(), pool: store.DB(), schema: sessions.Schema, customers: customers.Schema, tenant: "acme",
				q: SessionQuery{Text: "needle", Limit: 50}}
			if w.from, w.given, err = parseCursor(cursor, sessionSort); err != nil {
				t.Fatal(err)
			}
			keys, err := w.collect(sessionKey{w.from.ID, w.from.At}, w.given, !back, w.q.Limit+1, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				found[k.ID]++
			}
			next, prev := w.cursors(keys)
			if back {
				next = prev
			}
			if next == "" || !w.partial {
				return found, last, n
			}
			cursor, last = next, next
		}
	}
	found, last, n := pages("", false)
	if len(found) != 4 || n < 3 {
		t.Errorf("%d sessions on %d pages", len(found), n)
	}
	for id, times := range found {
		if times != 1 {
			t.Errorf("session %v is on %d pages", id, times)
		}
	}
	end, _, err := parseCursor(last, sessionSort)
	if err != nil {
		t.Fatal(err)
	}
	end.Back = true
	again, _, n := pages(end.String(), true)
	if n < 3 {
		t.Errorf("%d pages on the way back", n)
	}
	for id := range again {
		if found[id] == 0 {
			t.Errorf("session %v is only on the way back", id)
		}
	}
}
