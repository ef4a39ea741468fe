package projector

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"customercenter/projections/projectionstest"
)

func TestBuildLeftInTheMiddleIsGoneOnWith(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 200)
	world.Run(3000)
	p := ledgers(t, store, one)
	def := &p.config.Definitions[0]
	left, err := p.create(t.Context(), def, StatusBuilding)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.newFeeder(def, left, tenant).catchUp(t.Context(), 1234); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Live(t.Context(), "ledger"); !errors.Is(err, ErrNotBuilt) {
		t.Fatalf("a build that is not finished is served: %v", err)
	}
	var told [][2]int64
	q := ledgers(t, store, one)
	done := make(chan error, 1)
	go func() { done <- q.EnsureBuilt(context.Background(), nil) }() // two processes at once
	if err := p.EnsureBuilt(t.Context(), func(done, total int64) { told = append(told, [2]int64{done, total}) }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	builds, err := p.Builds(t.Context(), "ledger")
	if err != nil || len(builds) != 1 || builds[0].ID != left.ID || builds[0].Status != StatusLive {
		t.Fatalf("builds: %+v, %v", builds, err)
	}
	if len(told) > 0 && told[len(told)-1] != [2]int64{world.Head(), world.Head()} {
		t.Errorf("progress ends at %v", told[len(told)-1])
	}
	start(t, p)
	await(t, p, world.Head())
	b, err := p.Rebuild(t.Context(), "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	if differences, err := p.Compare(t.Context(), "ledger", b.ID); err != nil || len(differences) > 0 {
		t.Errorf("%+v, %v", differences, err)
	}
	var sum int64
	for _, n := range amounts(t, store, builds[0]) {
		sum += n
	}
	var want int64
	if err := store.Pool().QueryRow(t.Context(), `select count(*) from events where type = any($1)`, def.Types).Scan(&want); err != nil || sum != want {
		t.Errorf("%d events are folded, want %d, %v", sum, want, err)
	}
}

func TestCompareNamesWhatDiffers(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	for range 5 {
		world.NewCustomer("n")
	}
	p := ledgers(t, store, one)
	b := ensure(t, p)
	start(t, p)
	await(t, p, world.Head())
	other, err := p.Rebuild(t.Context(), "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Pool().Exec(t.Context(), fmt.Sprintf(`update %s.entry set amount = 9 where name = $1`, b.Schema), world.Customers[2].ID.String()); err != nil {
		t.Fatal(err)
	}
	differences, err := p.Compare(t.Context(), "ledger", other.ID)
	if err != nil || len(differences) != 1 {
		t.Fatalf("%+v, %v", differences, err)
	}
	d := differences[0]
	if d.Table != "entry" || d.Rows != [2]int64{5, 5} || len(d.Keys) != 1 || d.Keys[0] != world.Customers[2].ID.String() || d.Position != world.Head() {
		t.Errorf("%+v", d)
	}
	if _, err := p.Compare(t.Context(), "ledger", b.ID); !errors.Is(err, ErrNoBuild) {
		t.Errorf("the live build compared with itself: %v", err)
	}
}

func TestSwitchAndRollBackWhileBeingRead(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	c := world.NewCustomer("n")
	p, elsewhere := ledgers(t, store, one), ledgers(t, store, one) // the reader is another process
	first := ensure(t, p)
	start(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	reading := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			b, err := elsewhere.Live(context.Background(), "ledger")
			var n int64
			if err == nil {
				err = store.Pool().QueryRow(context.Background(), fmt.Sprintf("select amount from %s.entry where name = $1", b.Schema), c.ID.String()).Scan(&n)
			}
			if err != nil || n == 0 {
				reading <- fmt.Errorf("amount %d: %w", n, err)
				return
			}
		}
		reading <- nil
	}()
	await(t, p, world.Head())
	second, err := p.Rebuild(t.Context(), "ledger", nil)
	if err != nil || second.Status != StatusBeside || second.Schema == first.Schema {
		t.Fatalf("%+v, %v", second, err)
	}
	check := func(want Build, words string) {
		t.Helper()
		world.Rename(c, words)
		await(t, p, world.Head())
		if live, err := p.Live(t.Context(), "ledger"); err != nil || live.ID != want.ID {
			t.Errorf("live: %+v, %v, want build %d", live, err, want.ID)
		}
	}
	check(first, "a")
	if err := p.Switch(t.Context(), "ledger", second.ID); err != nil {
		t.Fatal(err)
	}
	check(second, "b")
	if err := p.Rollback(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	check(first, "c")
	if err := p.Rollback(t.Context(), "ledger"); err != nil { // forward again
		t.Fatal(err)
	}
	check(second, "d")
	if err := p.Drop(t.Context(), "ledger", first.ID); err != nil { // waits until readers must have noticed
		t.Fatal(err)
	}
	check(second, "e")
	cancel()
	if err := <-reading; err != nil {
		t.Errorf("a reader met %v", err)
	}
	for _, err := range []error{p.Drop(t.Context(), "ledger", second.ID), p.Drop(t.Context(), "ledger", first.ID), p.Rollback(t.Context(), "ledger"), p.Switch(t.Context(), "ledger", 99)} {
		if !errors.Is(err, ErrNoBuild) {
			t.Errorf("%v, want ErrNoBuild", err)
		}
	}
	var left int
	if err := store.Pool().QueryRow(t.Context(), `select count(*) from pg_namespace where nspname = $1`, first.Schema).Scan(&left); err != nil || left != 0 {
		t.Errorf("the dropped schema is still there: %d, %v", left, err)
	}
}

func TestChangedDefinitionNeedsANewVersion(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	ensure(t, ledgers(t, store, one))
	changed := ledgerOf(one)
	changed.Indexes = `create index on entry (tenant, amount);`
	p, err := New(Config{Store: store, Definitions: []Definition{changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); !errors.Is(err, ErrDefinition) {
		t.Fatalf("%v, want ErrDefinition", err)
	}
	changed.Version = 2
	if p, err = New(Config{Store: store, Definitions: []Definition{changed}}); err != nil {
		t.Fatal(err)
	}
	if b := ensure(t, p); b.Schema != "ledger_v2" {
		t.Errorf("%+v", b)
	}
	for _, wrong := range [][]Definition{{changed, changed}, {{Name: "Ledger"}}} {
		if _, err := New(Config{Store: store, Definitions: wrong}); err == nil {
			t.Errorf("definitions %+v are taken", wrong)
		}
	}
}
