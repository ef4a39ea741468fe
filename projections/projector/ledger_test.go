package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
)

// ledger is a small projection: one row per customer with the number of its events, and one per tag. amount is what an event counts.
type ledger struct {
	rows   *Rows[string, ledgerRow]
	amount func(e *eventstore.Decoded) (int64, error)
}

type ledgerRow struct {
	Name   string
	Amount int64
}

func ledgerOf(amount func(e *eventstore.Decoded) (int64, error)) Definition {
	return Definition{
		Name: "ledger", Version: 1,
		Types:  []string{"tag.created", "customer.created", "customer.profile_changed"},
		Tables: `create table entry (tenant text not null, name text not null, amount int not null check (amount < 1000), primary key (tenant, name));`,
		New: func() Fold {
			return &ledger{amount: amount, rows: NewRows("entry", "name", "text", func(r *ledgerRow) *string { return &r.Name },
				Value("amount", "int", func(r *ledgerRow) *int64 { return &r.Amount }))}
		},
	}
}

func one(*eventstore.Decoded) (int64, error) { return 1, nil }

func (f *ledger) name(e *eventstore.Decoded) string {
	if created, ok := e.Payload.(tag.Created); ok {
		return created.Name
	}
	return e.Customer.String()
}

func (f *ledger) Tables() []Table             { return []Table{f.rows} }
func (f *ledger) Touch(e *eventstore.Decoded) { f.rows.Touch(f.name(e)) }
func (f *ledger) Skip(*eventstore.Event)      {}

func (f *ledger) Apply(e *eventstore.Decoded) error {
	row, found := f.rows.Edit(f.name(e))
	if !found {
		row = f.rows.Create(ledgerRow{Name: f.name(e)})
	}
	amount, err := f.amount(e)
	row.Amount += amount
	return err
}

func (f *ledger) Recall(id uuid.UUID, _ []eventstore.Decoded) { f.rows.Touch(id.String()) }
func (f *ledger) Forget(id uuid.UUID, _ []eventstore.Decoded) { f.rows.Delete(id.String()) }

const tenant = "acme"

func ledgers(t testing.TB, store *eventstore.Store, amount func(e *eventstore.Decoded) (int64, error)) *Projector {
	t.Helper()
	p, err := New(Config{Store: store, Definitions: []Definition{ledgerOf(amount)}, Sweep: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ensure(t testing.TB, p *Projector) Build {
	t.Helper()
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b, err := p.Live(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// amounts reads the ledger.
func amounts(t testing.TB, store *eventstore.Store, b Build) map[string]int64 {
	t.Helper()
	rows, err := store.Pool().Query(t.Context(), fmt.Sprintf("select name, amount from %s.entry", b.Schema))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]int64{}
	for rows.Next() {
		var name string
		var amount int64
		if err := rows.Scan(&name, &amount); err != nil {
			t.Fatal(err)
		}
		all[name] = amount
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func start(t testing.TB, p *Projector) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func await(t testing.TB, p *Projector, position int64) {
	t.Helper()
	if served, fresh, err := p.WaitFor(t.Context(), "ledger", tenant, position, 30*time.Second); err != nil || !fresh {
		t.Fatalf("served %d of %d, %v", served, position, err)
	}
}

func TestFormerOwnerCannotWrite(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	p := ledgers(t, store, one)
	b := ensure(t, p)
	def := &p.config.Definitions[0]
	former, owner := newFeeder(store, def, b, tenant), newFeeder(store, def, b, tenant)
	p1 := world.NewCustomer("a")
	step := func(f *feeder) error {
		if err := f.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := f.read(t.Context(), f.position, 100)
		if err != nil {
			t.Fatal(err)
		}
		return f.apply(t.Context(), s)
	}
	if err := step(former); err != nil {
		t.Fatal(err)
	}
	world.Rename(p1, "b")
	if err := step(owner); err != nil {
		t.Fatal(err)
	}
	if err := step(former); !errors.Is(err, errFenced) {
		t.Fatalf("the former owner wrote: %v", err)
	}
	if got := amounts(t, store, b)[p1.ID.String()]; got != 2 {
		t.Fatalf("amount = %d, want 2", got)
	}
	world.Rename(p1, "c")
	if err := step(former); err != nil { // it has found out and may own it again
		t.Fatal(err)
	}
	if got := amounts(t, store, b)[p1.ID.String()]; got != 3 {
		t.Fatalf("amount = %d, want 3", got)
	}
	if err := step(owner); !errors.Is(err, errFenced) {
		t.Fatalf("a former owner wrote: %v", err)
	}
	if err := step(owner); err != nil {
		t.Fatal(err)
	}
	world.Rename(p1, "d")
	if err := former.refold(t.Context(), p1.ID); err != nil { // rows change, the position does not
		t.Fatal(err)
	}
	if err := step(owner); !errors.Is(err, errFenced) {
		t.Fatalf("an owner that does not know of changed rows wrote: %v", err)
	}
	if err := step(owner); err != nil {
		t.Fatal(err)
	}
	if got := amounts(t, store, b)[p1.ID.String()]; got != 4 {
		t.Fatalf("amount = %d, want 4", got)
	}
}

func TestPoisonOfACatalogueStopsTheTenant(t *testing.T) {
	store := projectionstest.Store(t, tenant, "other")
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	other := projectionstest.NewWorld(t, store, "other", 2, 1)
	broken := make(chan struct{}) // closed when the fault is mended
	p := ledgers(t, store, func(e *eventstore.Decoded) (int64, error) {
		if created, ok := e.Payload.(tag.Created); ok && created.Name == "bad" {
			select {
			case <-broken:
			default:
				return 0, errors.New("no such tag")
			}
		}
		return 1, nil
	})
	b := ensure(t, p)
	start(t, p)
	c := world.NewCustomer("a")
	world.NewTag("bad") // at 2
	world.Rename(c, "b")
	other.NewTag("bad again")
	o := other.NewCustomer("goes on")
	p.Ring("other", other.Head())
	if served, fresh, err := p.WaitFor(t.Context(), "ledger", "other", other.Head(), 10*time.Second); !fresh || err != nil {
		t.Fatalf("the other tenant is at %d, %v", served, err)
	}
	if got := amounts(t, store, b)[o.ID.String()]; got != 1 {
		t.Errorf("the other tenant's customer: %d", got)
	}
	if served, fresh, err := p.WaitFor(t.Context(), "ledger", tenant, 2, 300*time.Millisecond); served != 1 || fresh || err != nil {
		t.Errorf("served %d, fresh %v, %v; want it to stand before the event", served, fresh, err)
	}
	status := statusOf(t, p, tenant)
	if status.Stopped != "tag.created at 2: no such tag" || status.Position != 1 || status.Head != 3 || status.LagEvents != 2 || status.LagSeconds <= 0 || status.State != StatusLive {
		t.Errorf("status: %+v", status)
	}
	if got := amounts(t, store, b)[c.ID.String()]; got != 1 {
		t.Errorf("what came after the event was folded: %d", got)
	}
	close(broken)
	await(t, p, world.Head())
	if got := amounts(t, store, b); got[c.ID.String()] != 2 || got["bad"] != 1 {
		t.Errorf("after the fault was mended: %v", got)
	}
	if status := statusOf(t, p, tenant); status.Stopped != "" || status.LagEvents != 0 || status.LagSeconds != 0 {
		t.Errorf("status: %+v", status)
	}
}

func statusOf(t testing.TB, p *Projector, tenant string) Status {
	t.Helper()
	all, err := p.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Tenant == tenant {
			return s
		}
	}
	t.Fatalf("no status of %s in %+v", tenant, all)
	return Status{}
}

// The fold finds nothing wrong, but the database does.
func TestRowsThatTheDatabaseRefusesParkTheirCustomer(t *testing.T) {
	for _, c := range []struct {
		how, reason string
		amount      int64
	}{
		{"as it happens", "23514", 1000}, {"as it happens", "encode", 1 << 40},
		{"rebuilt", "23514", 1000}, {"rebuilt", "encode", 1 << 40},
	} {
		t.Run(c.how+" "+c.reason, func(t *testing.T) {
			store := projectionstest.Store(t, tenant)
			world := projectionstest.NewWorld(t, store, tenant, 1, 50)
			bad := map[string]bool{}
			amount := func(e *eventstore.Decoded) (int64, error) {
				if bad[e.Customer.String()] && e.Type != "customer.created" {
					return c.amount, nil // not below 1,000, or not an int at all
				}
				return 1, nil
			}
			p := ledgers(t, store, amount)
			if c.how == "as it happens" {
				ensure(t, p)
			}
			for n := range 300 {
				c := world.NewCustomer("n")
				if n%150 == 70 {
					bad[c.ID.String()] = true
				}
			}
			for _, c := range world.Customers {
				world.Rename(c, "m")
			}
			world.Flush()
			b := ensure(t, p)
			start(t, p)
			await(t, p, world.Head())
			parked, err := p.Parked(t.Context(), "ledger", tenant)
			if err != nil || len(parked) != 2 {
				t.Fatalf("parked: %+v, %v", parked, err)
			}
			for _, k := range parked {
				if !bad[k.Customer.String()] || k.Type != "customer.profile_changed" || k.Reason != "the database refuses the rows: "+c.reason {
					t.Errorf("parked: %+v", k)
				}
			}
			got := amounts(t, store, b)
			for _, c := range world.Customers {
				want := int64(2)
				if bad[c.ID.String()] {
					want = 1
				}
				if got[c.ID.String()] != want {
					t.Fatalf("amount %d, want %d", got[c.ID.String()], want)
				}
			}
		})
	}
}

func TestBuildLeftInTheMiddleIsGoneOnWith(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 200)
	world.Run(3000)
	p := ledgers(t, store, one)
	def := &p.config.Definitions[0]
	left, err := p.create(t.Context(), def)
	if err != nil {
		t.Fatal(err)
	}
	if err := newFeeder(store, def, left, tenant).catchUp(t.Context(), 1234); err != nil {
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

func TestWaitFor(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	p, elsewhere := ledgers(t, store, one), ledgers(t, store, one)
	ctx := t.Context()
	if _, _, err := p.WaitFor(ctx, "ledger", tenant, 0, time.Millisecond); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("before there is a build: %v", err)
	}
	ensure(t, p)
	if _, _, err := p.WaitFor(ctx, "nothing", tenant, 0, time.Millisecond); !errors.Is(err, ErrUnknownProjection) {
		t.Errorf("unknown: %v", err)
	}
	world.NewCustomer("n")
	if served, fresh, err := p.WaitFor(ctx, "ledger", tenant, 1, 20*time.Millisecond); served != 0 || fresh || err != nil {
		t.Errorf("nobody feeds: %d, %v, %v", served, fresh, err)
	}
	start(t, p)
	for _, who := range []*Projector{p, elsewhere} {
		for range 20 {
			world.NewCustomer("n")
			p.Ring(tenant, world.Head())
			if served, fresh, err := who.WaitFor(ctx, "ledger", tenant, world.Head(), 10*time.Second); served < world.Head() || !fresh || err != nil {
				t.Fatalf("%d of %d, %v, %v", served, world.Head(), fresh, err)
			}
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := p.WaitFor(canceled, "ledger", tenant, 1<<40, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
