package projector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

// trap is a customers' projection that cannot apply what bad names.
type trap struct {
	projector.Fold
	bad func(e *eventstore.Decoded) error
}

func (f trap) Apply(e *eventstore.Decoded) error {
	err := f.Fold.Apply(e) // first, so that there is something to undo
	if bad := f.bad(e); bad != nil {
		return bad
	}
	return err
}

// trapped is the customers' read model with a fold that fails where bad says.
func trapped(bad func(e *eventstore.Decoded) error) projector.Definition {
	d := projections.CustomersDefinition()
	inner := d.New
	d.New = func() projector.Fold { return trap{inner(), bad} }
	return d
}

func open(t testing.TB, store *eventstore.Store, batch int, definitions ...projector.Definition) *projector.Projector {
	t.Helper()
	p, err := projector.New(projector.Config{Store: store, Definitions: definitions, Batch: batch, Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func built(t testing.TB, store *eventstore.Store, batch int, definitions ...projector.Definition) *projector.Projector {
	t.Helper()
	p := open(t, store, batch, definitions...)
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// run feeds until stop is called, which waits, or the test ends.
func run(t testing.TB, p *projector.Projector) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func caughtUp(t testing.TB, p *projector.Projector, name string, position int64) {
	t.Helper()
	served, fresh, err := p.WaitFor(t.Context(), name, tenant, position, time.Minute)
	if err != nil || !fresh {
		t.Fatalf("%s: served %d of %d, %v", name, served, position, err)
	}
}

// sameAsRebuilt rebuilds and compares.
func sameAsRebuilt(t testing.TB, p *projector.Projector, name string) projector.Build {
	t.Helper()
	b, err := p.Rebuild(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, p, name, b)
	return b
}

func same(t testing.TB, p *projector.Projector, name string, b projector.Build) {
	t.Helper()
	differences, err := p.Compare(t.Context(), name, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Errorf("%s at %d: %v rows live and rebuilt, for example %v", d.Table, d.Position, d.Rows, d.Keys)
	}
}

// count counts rows of a build.
func count(t testing.TB, store *eventstore.Store, b projector.Build, table string) (n int) {
	t.Helper()
	if err := store.Pool().QueryRow(t.Context(), fmt.Sprintf("select count(*) from %s.%s", b.Schema, table)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func live(t testing.TB, p *projector.Projector, name string) projector.Build {
	t.Helper()
	b, err := p.Live(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Two processes feed in small odd batches, are stopped in the middle of what they do and started again, connections are cut, some
// customers' events cannot be applied; what comes out is what a rebuild from zero gives.
func TestFedAsItHappensIsTheSameAsRebuilt(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			store := projectionstest.Store(t, tenant, "other")
			definitions := []projector.Definition{trapped(func(e *eventstore.Decoded) error {
				if e.Position%97 == 13 {
					return errors.New("no event is applied at such a position")
				}
				return nil
			}), projections.SessionsDefinition()}
			world := projectionstest.NewWorld(t, store, tenant, seed, 1+int(seed)*20)
			world.Erasing = true
			world.Run(int(seed) * 300) // some of it before the first build
			first := built(t, store, 1, definitions...)

			written := make(chan struct{})
			go func() {
				defer close(written)
				for range 15 {
					world.Run(40)
				}
			}()
			var wait sync.WaitGroup
			for n := range 2 {
				chance := rand.New(rand.NewPCG(seed, uint64(3+n)))
				name := fmt.Sprint("process ", n)
				wait.Go(func() { feedAndFall(t, process(t, store, name), name, chance, written, definitions) })
			}
			wait.Wait()
			world.Recreate(world.Customers[0], "a second life")
			run(t, first)
			for _, d := range definitions {
				caughtUp(t, first, d.Name, world.Head())
				b := sameAsRebuilt(t, first, d.Name)
				world.Run(100) // both are fed
				caughtUp(t, first, d.Name, world.Head())
				same(t, first, d.Name, b)
			}
			if n := count(t, store, live(t, first, projections.CustomersName), "customer"); n < 20 {
				t.Errorf("only %d customers", n)
			}
			if parked, err := first.Parked(t.Context(), projections.CustomersName, tenant); err != nil || len(parked) < 5 {
				t.Errorf("%d customers are parked, %v", len(parked), err)
			}
		})
	}
}

// process is a store on connections of its own, which are called by a name.
func process(t *testing.T, store *eventstore.Store, name string) *eventstore.Store {
	t.Helper()
	config := store.Pool().Config()
	config.ConnConfig.RuntimeParams["application_name"] = name
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return eventstoretest.On(t, pool, projectionstest.Codec())
}

// feedAndFall feeds for a moment again and again, in batches of another size, until all is written. Now and then all connections of
// the process are cut meanwhile, that of the leases too.
func feedAndFall(t *testing.T, store *eventstore.Store, name string, chance *rand.Rand, written <-chan struct{}, definitions []projector.Definition) {
	for more := true; more; {
		select {
		case <-written:
			more = false
		default:
		}
		p, err := projector.New(projector.Config{Store: store, Definitions: definitions, Batch: 1 + chance.IntN(40), Sweep: 20 * time.Millisecond,
			Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(50+chance.IntN(200))*time.Millisecond)
		var cut *time.Timer
		if chance.IntN(2) == 0 {
			cut = time.AfterFunc(time.Duration(chance.IntN(100))*time.Millisecond, func() {
				// It may cut itself off, and then there is an error.
				_, _ = store.Pool().Exec(context.Background(), `select pg_terminate_backend(pid) from pg_stat_activity
					where datname = current_database() and application_name = $1 and pid <> pg_backend_pid()`, name)
			})
		}
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
		if cut != nil {
			cut.Stop()
		}
		cancel()
	}
}

func TestPoisonParksOneCustomerUntilRetried(t *testing.T) {
	for _, kind := range []string{"error", "panic"} {
		t.Run(kind, func(t *testing.T) {
			store := projectionstest.Store(t, tenant)
			world := projectionstest.NewWorld(t, store, tenant, 7, 1)
			var broken atomic.Bool
			var culprit atomic.Pointer[uuid.UUID]
			broken.Store(true)
			p := built(t, store, 7, trapped(func(e *eventstore.Decoded) error {
				if _, created := e.Payload.(customer.Created); created || !broken.Load() || culprit.Load() == nil || e.Customer != *culprit.Load() {
					return nil
				}
				if kind == "panic" {
					panic("secret words")
				}
				return errors.New("the fold has a fault")
			}))
			run(t, p)
			first := world.NewCustomer("before")
			victim := world.NewCustomer("victim")
			culprit.Store(&victim.ID)
			world.Rename(victim, "new name")
			world.OpenSession(victim)
			world.Accept(victim, "agent-1")
			world.Blacklist(victim, time.Time{})
			world.Suppress(victim)
			session := world.OpenSession(first)
			next := world.NewCustomer("after")
			world.Rename(next, "renamed")
			caughtUp(t, p, projections.CustomersName, world.Head())

			parked, err := p.Parked(t.Context(), projections.CustomersName, "")
			if err != nil || len(parked) != 1 || parked[0].Customer != victim.ID || parked[0].Type != "customer.profile_changed" || parked[0].Position != 3 {
				t.Fatalf("parked: %+v, %v", parked, err)
			}
			if want := map[string]string{"error": "the fold has a fault", "panic": "panic of type string"}[kind]; parked[0].Reason != want {
				t.Errorf("reason %q, want %q", parked[0].Reason, want)
			}
			list := projections.NewCustomers(store, p, projections.NewCatalogues(store))
			for id, want := range map[uuid.UUID]string{first.ID: "before", victim.ID: "victim", next.ID: "renamed"} {
				if c, err := list.One(t.Context(), tenant, id); err != nil || c.Profile.Nickname != want {
					t.Errorf("%q, %v, want %q", c.Profile.Nickname, err, want)
				}
			}
			if c, err := list.One(t.Context(), tenant, first.ID); err != nil || c.OpenSession == nil || *c.OpenSession != session {
				t.Errorf("%+v, %v", c, err)
			}

			var still *projector.StillParkedError
			if _, err := p.Retry(t.Context(), projections.CustomersName, tenant, victim.ID); !errors.As(err, &still) || still.Position != 3 {
				t.Fatalf("retry with the fault: %v", err)
			}
			broken.Store(false)
			if n, err := p.Retry(t.Context(), projections.CustomersName, tenant, victim.ID); n != 1 || err != nil {
				t.Fatalf("retry: %d, %v", n, err)
			}
			if c, err := list.One(t.Context(), tenant, victim.ID); err != nil || c.Profile.Nickname != "new name" || c.SessionCount != 1 || c.MessageCount != 1 {
				t.Errorf("after the retry: %+v, %v", c, err)
			}
			world.Rename(victim, "newest name")
			caughtUp(t, p, projections.CustomersName, world.Head())
			if c, err := list.One(t.Context(), tenant, victim.ID); err != nil || c.Profile.Nickname != "newest name" {
				t.Errorf("after that: %+v, %v", c, err)
			}
			sameAsRebuilt(t, p, projections.CustomersName)
		})
	}
}

// A customer whose very creation was passed over keeps the place in the list that it would have had.
func TestParkedCustomersHaveAnOrdinal(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 7, 1)
	var fixed atomic.Bool
	p := built(t, store, 3, trapped(func(e *eventstore.Decoded) error {
		if !fixed.Load() && e.Type == "customer.created" && e.Position%2 == 0 {
			return errors.New("even positions are not liked")
		}
		return nil
	}))
	for n := range 6 {
		world.NewCustomer(fmt.Sprint(n))
	}
	world.CallBack(world.Customers[1], "agent-1")
	world.CallBack(world.Customers[0], "agent-1")
	world.Recreate(world.Customers[0], "again") // at 13
	world.Recreate(world.Customers[1], "again") // at 14, parked since 2
	world.CallBack(world.Customers[1], "agent-1")
	run(t, p)
	caughtUp(t, p, projections.CustomersName, world.Head())
	fixed.Store(true)
	for _, n := range []int{5, 1, 3} {
		if n, err := p.Retry(t.Context(), projections.CustomersName, tenant, world.Customers[n].ID); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	sameAsRebuilt(t, p, projections.CustomersName)
	page, err := projections.NewCustomers(store, p, projections.NewCatalogues(store)).List(t.Context(), tenant, projections.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var order []uuid.UUID
	for _, c := range page.Items {
		order = append(order, c.ID)
	}
	for i, n := range []int{1, 0, 5, 4, 3, 2} {
		if order[i] != world.Customers[n].ID {
			t.Errorf("place %d of the list is not customer %d", i, n)
		}
	}
}

// Somebody is withdrawn, and comes back: whichever of the events cannot be applied at first, who is folded anew is where a rebuild has them, and in
// the place that the latest creation has in the log.
func TestParkedAroundAWithdrawal(t *testing.T) {
	for _, back := range []bool{false, true} {
		for version := int64(1); version <= 5 && (back || version <= 2); version++ { // created, withdrawn, created again, session opened, renamed
			t.Run(fmt.Sprint("version ", version, ", back ", back), func(t *testing.T) {
				store := projectionstest.Store(t, tenant)
				world := projectionstest.NewWorld(t, store, tenant, 7, 1)
				world.NewCustomer("before")
				victim := world.Import("王小明", world.NewTag("VIP"))
				world.NewCustomer("between")
				world.Withdraw(victim)
				want := world.Customers[:1:1]
				if want = append(want, world.Customers[2]); back {
					want = append(want, world.NewCustomer("meanwhile"), victim)
					world.ComeBack(victim)
					world.Rename(victim, "后来")
				}
				want = append(want, world.NewCustomer("after"))
				var fixed atomic.Bool
				p := built(t, store, 2, trapped(func(e *eventstore.Decoded) error {
					if !fixed.Load() && e.Stream == customer.Stream(victim.ID) && e.Version == version {
						return errors.New("this one is not liked")
					}
					return nil
				}))
				run(t, p)
				caughtUp(t, p, projections.CustomersName, world.Head())
				parked, err := p.Parked(t.Context(), projections.CustomersName, tenant)
				if err != nil || len(parked) != 1 || parked[0].Customer != victim.ID {
					t.Fatalf("parked: %+v, %v", parked, err)
				}
				fixed.Store(true)
				if n, err := p.Retry(t.Context(), projections.CustomersName, tenant, victim.ID); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				sameAsRebuilt(t, p, projections.CustomersName)
				page, err := projections.NewCustomers(store, p, projections.NewCatalogues(store)).List(t.Context(), tenant, projections.ListQuery{})
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Items) != len(want) {
					t.Fatalf("%d customers are listed, want %d", len(page.Items), len(want))
				}
				for i, c := range page.Items {
					if c.ID != want[len(want)-1-i].ID {
						t.Errorf("place %d of the list is somebody else's", i)
					}
				}
			})
		}
	}
}
