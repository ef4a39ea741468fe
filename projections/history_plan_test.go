package projections

import (
	"encoding/json"
	"math"
	"testing"

	"customercenter/eventstore/tenancy"
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

// TestServedReadsNoLog checks that how far a read model is does not cost more the longer the log is.
func TestServedReadsNoLog(t *testing.T) {
	store := projectionstest.Store(t, "acme")
	projectionstest.NewWorld(t, store, "acme", 1, 1000).Run(2_000)
	var text []byte
	if err := store.DB().QueryRow(tenancy.Narrow(t.Context(), "acme"), `explain (analyze, format json) `+servedSQL, int64(1), "acme").Scan(&text); err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal(text, &plans); err != nil {
		t.Fatal(err)
	}
	plans[0].Plan.walk(func(p plan) {
		if p.Removed > 0 {
			t.Errorf("%s of %s reads %v rows in vain\n%s", p.Type, p.Table, p.Removed, text)
		}
	})
}
