package asof

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"customercenter/domain/field"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

var analyst = eventstore.Actor{Kind: "analyst", ID: "analyst-1"}

// world is a tenant with a history, and processes that keep its past.
type world struct {
	*projectionstest.World
	t     *testing.T
	store *eventstore.Store
	p     *projector.Projector
}

func newWorld(t *testing.T, events int) *world {
	t.Helper()
	store := projectionstest.Store(t, tenant)
	w := &world{World: projectionstest.NewWorld(t, store, tenant, 1, 100), t: t, store: store}
	w.Run(events)
	var err error
	if w.p, err = projector.New(projector.Config{Store: store, Definitions: projections.Definitions()}); err != nil {
		t.Fatal(err)
	}
	return w
}

// process is one that asks, and builds when it runs.
func (w *world) process(change func(c *Config)) *Schemas {
	w.t.Helper()
	c := Config{Store: w.store, Projector: w.p}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// run has a process build until the test ends, or until it is stopped.
func (w *world) run(s *Schemas) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(stop)
	return stop
}

func (w *world) moment(position int64) projector.Moment {
	w.t.Helper()
	m, err := w.p.MomentAfter(w.t.Context(), tenant, position)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) ask(s *Schemas, position int64, patience time.Duration) Schema {
	w.t.Helper()
	found, err := s.Ask(w.t.Context(), tenant, w.moment(position), analyst, patience)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// await is true as soon as it holds; the test fails if that takes a minute.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

// there are the schemas of the past that the database really has.
func (w *world) there() (names []string) {
	w.t.Helper()
	err := w.store.Pool().QueryRow(w.t.Context(), `select coalesce(array_agg(distinct n.nspname::text order by n.nspname::text), '{}') from pg_namespace n
		where nspname like 'as\_of\_%' or nspname like 'then\_%' or exists (select from projection_builds b where b.schema = n.nspname)`).Scan(&names)
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

func (w *world) customers(schema string) (n int64) {
	w.t.Helper()
	if err := w.store.Pool().QueryRow(w.t.Context(), fmt.Sprintf(`select count(*) from %s.customer where tenant = $1`, schema), tenant).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Many who ask for the same moment at once, in several processes that all build, share one schema, which is built once.
func TestWhoAsksForTheSameMomentSharesIt(t *testing.T) {
	w := newWorld(t, 600)
	one, two := w.process(nil), w.process(nil)
	w.run(one)
	w.run(two)
	var wait sync.WaitGroup
	names := make([]string, 12)
	for i := range names {
		wait.Go(func() {
			found, err := []*Schemas{one, two}[i%2].Ask(t.Context(), tenant, w.moment(400), analyst, time.Minute)
			if err != nil || found.State != Ready {
				t.Errorf("%+v, %v", found, err)
			}
			names[i] = found.Name
		})
	}
	wait.Wait()
	if slices.Sort(names); names[0] != names[len(names)-1] || w.customers(names[0]) == 0 {
		t.Errorf("they got %v", names)
	}
	if all, err := one.List(t.Context(), tenant); err != nil || len(all) != 1 || all[0].Done != all[0].Total || all[0].Bytes == 0 {
		t.Errorf("there are %+v, %v", all, err)
	}
	if there := w.there(); len(there) != 1 {
		t.Errorf("the database has %v", there)
	}
}

// A moment that takes longer is told of as it is, and asked for again.
func TestWhoHasNoPatienceIsToldHowFarItIs(t *testing.T) {
	w := newWorld(t, 100)
	s := w.process(nil)
	asked := w.ask(s, 50, 0)
	if asked.State != Queued || asked.Total != 50*int64(len(Models)) || asked.Position != 50 || asked.Actor != analyst {
		t.Fatalf("%+v", asked)
	}
	if again := w.ask(s, 50, 0); again.ID != asked.ID {
		t.Errorf("asked again: %+v", again)
	}
	for i := range MostQueued - 1 {
		w.ask(s, 51+int64(i), 0)
	}
	if _, err := s.Ask(t.Context(), tenant, w.moment(99), analyst, 0); !errors.Is(err, ErrMany) {
		t.Errorf("one too many: %v", err)
	}
	w.run(s)
	if ready := w.ask(s, 50, time.Minute); ready.ID != asked.ID || ready.State != Ready {
		t.Errorf("%+v", ready)
	}
	if found, known, err := s.Find(t.Context(), "other", asked.ID); known || err != nil {
		t.Errorf("another tenant finds %+v, %v", found, err)
	}
}

// What a process left in the middle of a build is dropped, and begun anew by the next.
func TestAProcessDiesInTheMiddleOfABuild(t *testing.T) {
	w := newWorld(t, 300)
	s := w.process(nil)
	asked := w.ask(s, 200, 0)
	if _, found, err := s.one(t.Context(), `update as_of_schemas set state = 'building', done = 17, changed_at = clock_timestamp() where id = $1 returning `+columns, asked.ID); !found || err != nil {
		t.Fatal(found, err)
	}
	ctx, die := context.WithCancel(t.Context())
	err := w.p.BuildAsOf(ctx, asked.Name, tenant, asked.Moment(), Models, func(done, _ int64) {
		if done > 0 {
			die()
		}
	})
	if err == nil {
		t.Fatal("the build was not interrupted")
	}
	if there := w.there(); !slices.Equal(there, []string{asked.Name}) {
		t.Fatalf("nothing was left: %v", there)
	}
	w.run(w.process(nil))
	ready := w.ask(s, 200, time.Minute)
	if ready.ID != asked.ID || ready.State != Ready {
		t.Fatalf("%+v", ready)
	}
	var want int64
	if err := w.store.Pool().QueryRow(t.Context(), `select count(*) from events where position <= 200 and type = 'customer.created'`).Scan(&want); err != nil {
		t.Fatal(err)
	}
	var ordinals int64
	if err := w.store.Pool().QueryRow(t.Context(), fmt.Sprintf(`select value from %s.counter where name = 'ordinal'`, ready.Name)).Scan(&ordinals); err != nil || ordinals != want {
		t.Errorf("%d customers were created, %d are in it, %v", want, ordinals, err)
	}
}

// Nobody asks any more: it goes, but not while somebody may still be reading.
func TestASchemaThatIsAskedNoMoreGoes(t *testing.T) {
	w := newWorld(t, 100)
	s := w.process(func(c *Config) { c.Keep, c.Grace = time.Hour, time.Hour })
	stop := w.run(s)
	ready := w.ask(s, 80, time.Minute)
	stop()
	age := func(column, by string) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), fmt.Sprintf(`update as_of_schemas set %[1]s = %[1]s - $1::interval`, column), by); err != nil {
			t.Fatal(err)
		}
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	age("asked_at", "50 minutes")
	if found := w.ask(s, 80, 0); found.ID != ready.ID {
		t.Fatalf("it is gone already: %+v", found)
	}
	age("asked_at", "50 minutes") // since it was asked a moment ago
	if found := w.ask(s, 80, 0); found.ID != ready.ID {
		t.Fatalf("asking has not kept it: %+v", found)
	}
	age("asked_at", "61 minutes")
	if w.customers(ready.Name) == 0 {
		t.Error("who reads from it finds nothing any more")
	}
	if found := w.ask(s, 80, 0); found.ID == ready.ID || found.State != Queued {
		t.Errorf("who asks gets one that is leaving: %+v", found)
	}
	age("changed_at", "61 minutes")
	if there := w.there(); len(there) != 0 {
		t.Errorf("the database has %v", there)
	}
	if left, known, err := s.Find(t.Context(), tenant, ready.ID); known || err != nil {
		t.Errorf("it is still known: %+v, %v", left, err)
	}
}

// Disk is bounded: the one that was not asked for the longest time goes, and what is larger than all of it is not built.
func TestTheRoomIsBounded(t *testing.T) {
	w := newWorld(t, 200)
	s := w.process(func(c *Config) { c.Grace = time.Nanosecond })
	stop := w.run(s)
	first, second := w.ask(s, 100, time.Minute), w.ask(s, 110, time.Minute)
	stop()
	if _, err := w.store.Pool().Exec(t.Context(), `update as_of_schemas set asked_at = asked_at - interval '1 minute' where id = $1`, second.ID); err != nil {
		t.Fatal(err)
	}
	tight := w.process(func(c *Config) { c.Room, c.Grace = first.Bytes*5/2, time.Nanosecond })
	stop = w.run(tight)
	third := w.ask(tight, 120, time.Minute)
	w.await("the second is dropped", func() bool {
		return slices.Equal(w.there(), slices.Sorted(slices.Values([]string{first.Name, third.Name})))
	})
	stop()
	w.run(w.process(func(c *Config) { c.Room, c.Grace = first.Bytes/2, time.Nanosecond }))
	fourth := w.ask(tight, 130, time.Minute)
	if fourth.State != Failed || fourth.Code != CodeTooLarge {
		t.Errorf("there is room for %+v", fourth)
	}
	if again := w.ask(tight, 130, time.Minute); again.ID != fourth.ID {
		t.Errorf("what cannot be built is tried at once again: %+v", again)
	}
}

// An event that cannot be applied ends it with a reason.
func TestAnEventThatCannotBeApplied(t *testing.T) {
	w := newWorld(t, 100)
	w.Append(field.Stream, uuid.Nil, field.Added{Field: "level", Type: field.TypeText, Label: "Level"})
	if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = 99 where position = $1`, w.Head()); err != nil {
		t.Fatal(err)
	}
	s := w.process(nil)
	w.run(s)
	if failed := w.ask(s, w.Head(), time.Minute); failed.State != Failed || failed.Code != CodeStopped {
		t.Errorf("%+v", failed)
	}
	if there := w.there(); len(there) != 0 {
		t.Errorf("the database has %v", there)
	}
	if before := w.ask(s, w.Head()-1, time.Minute); before.State != Ready {
		t.Errorf("before the event: %+v", before)
	}
}

// Somebody else's schema, made under the name before it is built, stays; and no name is one that a version of a read model could have.
func TestASchemaOfSomebodyElsesStays(t *testing.T) {
	w := newWorld(t, 50)
	s := w.process(nil)
	for _, name := range []string{"customers_v9", "groups_v1_b12"} {
		if _, err := s.Name(t.Context(), name, tenant, w.moment(10), analyst, time.Hour); !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	made, err := s.Name(t.Context(), "reports", tenant, w.moment(10), analyst, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), `create schema reports create table precious (n int)`); err != nil {
		t.Fatal(err)
	}
	w.run(s)
	w.await("it fails", func() bool {
		found, known, err := s.Find(t.Context(), tenant, made.ID)
		return err == nil && known && found.State == Failed
	})
	if err := s.Drop(t.Context(), "reports"); err != nil {
		t.Error(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), `select from reports.precious`); err != nil {
		t.Errorf("somebody else's schema: %v", err)
	}
}

// A schema with a name has all read models, stays for its time whether or not it is asked, and can be dropped.
func TestASchemaWithAName(t *testing.T) {
	w := newWorld(t, 200)
	s := w.process(func(c *Config) { c.Grace = time.Nanosecond })
	w.run(s)
	for _, name := range []string{"", "Then", "9", "as_of_x", "pg_x", "public", "then_a; drop table events", "äh"} {
		if made, err := s.Name(t.Context(), name, tenant, w.moment(100), analyst, time.Hour); !errors.Is(err, ErrName) {
			t.Errorf("%q: %+v, %v", name, made, err)
		}
	}
	made, err := s.Name(t.Context(), "then_one", tenant, w.moment(100), analyst, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Name(t.Context(), "then_one", tenant, w.moment(50), analyst, time.Hour); !errors.Is(err, ErrName) {
		t.Errorf("the name was free: %v", err)
	}
	w.await("it is ready", func() bool {
		found, known, err := s.Find(t.Context(), tenant, made.ID)
		return err == nil && known && found.State == Ready
	})
	for _, table := range []string{"customer", "session", "group_change", "history_mark", "job", "auto_message_count"} {
		if _, err := w.store.Pool().Exec(t.Context(), "select from then_one."+table); err != nil {
			t.Error(err)
		}
	}
	if shared := w.ask(s, 100, time.Minute); shared.ID == made.ID {
		t.Error("who asks gets the one with a name")
	}
	if _, err := w.store.Pool().Exec(t.Context(), `update as_of_schemas set asked_at = asked_at - interval '1 year' where id = $1`, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.there(), "then_one") {
		t.Error("it was removed before its time")
	}
	if err := s.Drop(t.Context(), "then_one"); err != nil || slices.Contains(w.there(), "then_one") {
		t.Errorf("dropped: %v", err)
	}
	if err := s.Drop(t.Context(), "then_one"); !errors.Is(err, ErrUnknown) {
		t.Errorf("dropped twice: %v", err)
	}
	if made, err = s.Name(t.Context(), "then_one", tenant, w.moment(50), analyst, time.Hour); err != nil {
		t.Fatal(err)
	}
	w.await("it is ready again", func() bool {
		found, known, err := s.Find(t.Context(), tenant, made.ID)
		return err == nil && known && found.State == Ready
	})
	if _, err := w.store.Pool().Exec(t.Context(), `update as_of_schemas set ends_at = now() - interval '1 second' where id = $1`, made.ID); err != nil {
		t.Fatal(err)
	}
	w.await("its time is over", func() bool { return !slices.Contains(w.there(), "then_one") })
}
