package projector

import (
	"context"
	"errors"
	"testing"
	"time"

	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
)

func TestFormerOwnerCannotWrite(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	p := ledgers(t, store, one)
	b := ensure(t, p)
	def := &p.config.Definitions[0]
	former, owner := p.newFeeder(def, b, tenant), p.newFeeder(def, b, tenant)
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

// A build may go live although a tenant stands still: the others are not to wait for it.
func TestPoisonOfACatalogueDoesNotKeepABuildFromGoingLive(t *testing.T) {
	store := projectionstest.Store(t, tenant, "other")
	world, other := projectionstest.NewWorld(t, store, tenant, 1, 500), projectionstest.NewWorld(t, store, "other", 2, 500)
	world.NewCustomer("before")
	world.Flush()
	world.NewTag("bad") // at 2
	world.Flush()
	world.Run(2 * bulkRead)
	other.Run(100)
	p := ledgers(t, store, func(e *eventstore.Decoded) (int64, error) {
		if created, ok := e.Payload.(tag.Created); ok && created.Name == "bad" {
			return 0, errors.New("no such tag")
		}
		return 1, nil
	})
	ensure(t, p)
	if s := statusOf(t, p, tenant); s.Position != 1 || s.Stopped != "tag.created at 2: no such tag" || s.State != StatusLive {
		t.Errorf("%+v", s)
	}
	if s := statusOf(t, p, "other"); s.LagEvents != 0 || s.Position < 100 || s.Stopped != "" {
		t.Errorf("%+v", s)
	}
}

// What is appended after a stretch was read ahead is not taken for read.
func TestReadingAheadMissesNothing(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	p := ledgers(t, store, one)
	p.config.Batch = 2
	b := ensure(t, p)
	w := &worker{p: p, def: &p.config.Definitions[0], partition: partitionOf(tenant), builds: []Build{b}, feeders: map[place]*feeding{}}
	defer w.settle()
	append1 := func() {
		world.NewCustomer("n")
		p.Ring(tenant, world.Head())
	}
	for range 3 {
		append1()
	}
	if !w.round(t.Context()) { // folds 1 and 2, reads 3 ahead
		t.Fatal("there is more, and the worker does not think so")
	}
	<-w.feeders[place{b.ID, tenant}].ahead.done
	append1()
	w.round(t.Context())
	w.round(t.Context())
	if got := len(amounts(t, store, b)); got != 4 {
		t.Fatalf("%d events are folded, want 4", got)
	}
}

// A log restored to an earlier state, or somebody who rings and should not: the bell says more than there is.
func TestABellThatSaysTooMuchKeepsNobodyFromReading(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	p := ledgers(t, store, one)
	b := ensure(t, p)
	w := &worker{p: p, def: &p.config.Definitions[0], partition: partitionOf(tenant), builds: []Build{b}, feeders: map[place]*feeding{}}
	defer w.settle()
	world.NewCustomer("a")
	p.Ring(tenant, 1_000_000)
	p.Ring("nobody", 1)
	if w.round(t.Context()) {
		t.Error("the worker thinks that there is more: it would read in circles")
	}
	world.NewCustomer("b")
	p.Ring(tenant, world.Head())
	w.round(t.Context())
	if got := len(amounts(t, store, b)); got != 2 {
		t.Fatalf("%d events are folded, want 2", got)
	}
	// The sweep knows better, and tells who is asleep.
	wake, end := p.awaken(partitionOf(tenant))
	defer end()
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.knownHeads(partitionOf(tenant))[tenant]; got != world.Head() {
		t.Errorf("the head is %d after the sweep, want %d", got, world.Head())
	}
	if got, known := p.knownHeads(partitionOf("nobody"))["nobody"]; known {
		t.Errorf("a tenant that does not exist has the head %d", got)
	}
	select {
	case <-wake:
	default:
		t.Error("nobody was woken")
	}
	// From here bells are heard as before.
	world.NewCustomer("c")
	p.Ring(tenant, world.Head())
	if got := p.knownHeads(partitionOf(tenant))[tenant]; got != world.Head() {
		t.Errorf("the head is %d after a bell, want %d", got, world.Head())
	}
}
