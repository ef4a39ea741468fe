package projections

import (
	"math"
	"testing"

	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// TestHistoryPlans reads the plans of what a history asks of its marks.
func TestHistoryPlans(t *testing.T) {
	store := projectionstest.Store(t, "acme")
	world := projectionstest.NewWorld(t, store, "acme", 1, 1000)
	world.Run(12_000)
	p, err := projector.New(projector.Config{Store: store, Definitions: []projector.Definition{HistoryDefinition()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	build, err := p.Live(t.Context(), HistoryName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Pool().Exec(t.Context(), in(build.Schema, `vacuum analyze $.history_mark`)); err != nil {
		t.Fatal(err)
	}
	who := world.Customers[0].ID
	checkPlan(t, store, "history_customer", in(build.Schema, markedSQL), []any{"acme", who, int64(math.MaxInt64), marked, 51})
	checkPlan(t, store, "history_customer", in(build.Schema, markedSQL), []any{"acme", who, world.Head() / 2, []string{"customer.tagged"}, 201})
	checkPlan(t, store, "history_customer", in(build.Schema, sessionsBeforeSQL), []any{"acme", who, int64(math.MaxInt64), 64})
}
