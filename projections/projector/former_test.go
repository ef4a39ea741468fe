package projector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
)

// ledgersOf are processes of a program that has a version of the ledger.
func ledgersOf(t testing.TB, store *eventstore.Store, version int, keep time.Duration) *Projector {
	t.Helper()
	p := ledgers(t, store, one)
	p.config.Definitions[0].Version = version
	p.config.KeepFormer = keep
	return p
}

// aged makes it so long ago that somebody fed a version, or built it.
func aged(t testing.TB, store *eventstore.Store, version int, by time.Duration) {
	t.Helper()
	for _, sql := range []string{
		`update projection_live set fed_at = now() - $2::interval where version = $1`,
		`update projection_builds set changed_at = now() - $2::interval where version = $1`,
	} {
		if _, err := store.Pool().Exec(t.Context(), sql, version, by); err != nil {
			t.Fatal(err)
		}
	}
}

// versions are those that the database has: in its tables, and as schemas.
func versions(t testing.TB, store *eventstore.Store) (noted []int, schemas int) {
	t.Helper()
	if err := store.Pool().QueryRow(t.Context(), `select (select coalesce(array_agg(distinct version order by version), '{}') from projection_builds),
		(select count(*) from pg_namespace where nspname like 'ledger%')`).Scan(&noted, &schemas); err != nil {
		t.Fatal(err)
	}
	return noted, schemas
}

// A version goes when nobody has fed it for so long and a later one is served: with all its builds, and not before.
func TestAFormerVersionGoes(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	projectionstest.NewWorld(t, store, tenant, 1, 200).Run(300)
	old, newer := ledgersOf(t, store, 2, 0), ledgersOf(t, store, 3, time.Hour)
	ensure(t, old)
	if _, err := old.Rebuild(t.Context(), "ledger", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := old.create(t.Context(), &old.config.Definitions[0], StatusVerifying); err != nil { // and then the process died
		t.Fatal(err)
	}
	stays := func(why string) {
		t.Helper()
		if err := newer.dropUnfed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if noted, _ := versions(t, store); len(noted) == 0 || noted[0] != 2 {
			t.Fatalf("%s: there are %v", why, noted)
		}
	}
	aged(t, store, 2, 2*time.Hour)
	stays("no later one is served")
	ensure(t, newer)
	aged(t, store, 2, 59*time.Minute)
	stays("it was fed less than an hour ago")
	aged(t, store, 2, 2*time.Hour)
	if err := old.noteFed(t.Context()); err != nil {
		t.Fatal(err)
	}
	stays("somebody has noted that it is fed")
	aged(t, store, 2, 2*time.Hour)
	if err := old.dropUnfed(t.Context()); err != nil { // has nothing older than its own
		t.Fatal(err)
	}
	aged(t, store, 3, 3*time.Hour)
	if err := old.dropUnfed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if noted, schemas := versions(t, store); len(noted) != 2 || schemas != 4 {
		t.Fatalf("an old program leaves %v and %d schemas", noted, schemas)
	}
	aged(t, store, 2, 2*time.Hour)
	former, err := newer.Former(t.Context())
	if err != nil || len(former) != 1 || former[0].Version != 2 || former[0].Feeders != 0 || former[0].Bytes == 0 || time.Since(former[0].FedAt) < time.Hour {
		t.Fatalf("former versions: %+v, %v", former, err)
	}
	if err := newer.dropUnfed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if noted, schemas := versions(t, store); len(noted) != 1 || noted[0] != 3 || schemas != 1 {
		t.Errorf("left are %v and %d schemas", noted, schemas)
	}
	var checkpoints int
	if err := store.Pool().QueryRow(t.Context(), `select count(*) from projection_checkpoints c where not exists (select from projection_builds b where b.id = c.build)`).Scan(&checkpoints); err != nil || checkpoints != 0 {
		t.Errorf("%d checkpoints are left, %v", checkpoints, err)
	}
}

// While a process feeds a version it stays, whatever was noted, and however many processes look.
func TestAFormerVersionThatIsFedStays(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	projectionstest.NewWorld(t, store, tenant, 1, 200).Run(300)
	old, newer := ledgersOf(t, store, 2, 0), ledgersOf(t, store, 3, time.Hour)
	ensure(t, old)
	ensure(t, newer)
	start(t, old)
	for end := time.Now().Add(time.Minute); ; {
		former, err := newer.Former(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if former[0].Feeders > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it never feeds")
		}
	}
	aged(t, store, 2, 2*time.Hour) // a note that was lost
	if err := newer.dropUnfed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := newer.DropFormer(t.Context(), "ledger", 2); !errors.Is(err, ErrFed) {
		t.Errorf("by hand: %v", err)
	}
	if noted, _ := versions(t, store); len(noted) != 2 {
		t.Errorf("there are %v", noted)
	}
}

// Who completes an erasure waits for an older version that is fed, and drops one that is not any more, with what was given up.
func TestAnErasureAndOlderVersions(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 200)
	world.Run(300)
	old, newer := ledgersOf(t, store, 2, 0), ledgersOf(t, store, 3, time.Hour)
	served := map[*Projector]Build{old: ensure(t, old), newer: ensure(t, newer)}
	catchUp := func(p *Projector) {
		t.Helper()
		if err := p.newFeeder(&p.config.Definitions[0], served[p], tenant).catchUp(t.Context(), world.Head()); err != nil {
			t.Fatal(err)
		}
	}
	world.Run(100)
	catchUp(newer)
	for p := range served {
		givenUp, err := p.create(t.Context(), &p.config.Definitions[0], "building")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Pool().Exec(t.Context(), `update projection_builds set status = $2 where id = $1`, givenUp.ID, StatusFailed); err != nil {
			t.Fatal(err)
		}
	}
	drop := func() bool {
		t.Helper()
		if err := DropOlder(t.Context(), store.Pool(), newer.config.Definitions); err != nil {
			t.Fatal(err)
		}
		folded, err := Folded(t.Context(), store.Pool(), tenant, world.Head())
		if err != nil {
			t.Fatal(err)
		}
		return folded
	}
	if drop() {
		t.Error("a version that is fed, and has not come so far, is not waited for")
	}
	if noted, schemas := versions(t, store); len(noted) != 2 || schemas != 2 {
		t.Errorf("while the older one is fed there are %v and %d schemas", noted, schemas)
	}
	catchUp(old)
	if !drop() {
		t.Error("all have come so far")
	}
	world.Run(100)
	catchUp(newer)
	aged(t, store, 2, time.Hour)
	if !drop() {
		t.Error("a version that nobody feeds is waited for")
	}
	if noted, schemas := versions(t, store); len(noted) != 1 || schemas != 1 {
		t.Errorf("left are %v and %d schemas", noted, schemas)
	}
}

// While a build that is dropped waits for who reads from it, the one that is served is fed on.
func TestDroppingABuildHoldsUpNobody(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 200)
	world.Run(300)
	p := ledgersOf(t, store, 2, 0)
	ensure(t, p)
	beside, err := p.Rebuild(t.Context(), "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	start(t, p)
	await(t, p, world.Head())
	reader, err := store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback(context.Background())
	if _, err := reader.Exec(t.Context(), `select from `+beside.Schema+`.entry`); err != nil {
		t.Fatal(err)
	}
	dropped := make(chan error, 1)
	go func() { dropped <- p.Drop(context.Background(), "ledger", beside.ID) }()
	for end := time.Now().Add(time.Minute); ; {
		var waits bool
		if err := store.Pool().QueryRow(t.Context(), `select exists (select from pg_locks where not granted and locktype = 'relation' and mode = 'AccessExclusiveLock')`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if waits {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not wait for who reads")
		}
	}
	world.Run(50)
	await(t, p, world.Head())
	if err := reader.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil { // a slow machine took longer than it waits: it was given up, and can be dropped again
		if err := p.Drop(t.Context(), "ledger", beside.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, schemas := versions(t, store); schemas != 1 {
		t.Errorf("%d schemas are left", schemas)
	}
}

// Several processes that drop at once, one of which dies in the middle, leave nothing or all.
func TestManyDropAFormerVersion(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	projectionstest.NewWorld(t, store, tenant, 1, 200).Run(300)
	old := ledgersOf(t, store, 2, 0)
	ensure(t, old)
	reader, err := store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback(context.Background())
	if _, err := reader.Exec(t.Context(), `select from ledger_v2.entry`); err != nil {
		t.Fatal(err)
	}
	processes := make([]*Projector, 4)
	for i := range processes {
		processes[i] = ledgersOf(t, store, 3, time.Hour)
	}
	ensure(t, processes[0])
	aged(t, store, 2, 2*time.Hour)
	dying, die := context.WithCancel(t.Context())
	died := make(chan error, 1)
	go func() { died <- dropFormer(dying, processes[0].pool, "ledger", 2, time.Hour) }()
	for end := time.Now().Add(time.Minute); ; { // until it waits for the reader, with all but the schema deleted
		var waits bool
		if err := store.Pool().QueryRow(t.Context(), `select exists (select from pg_locks where not granted and locktype = 'relation' and mode = 'AccessExclusiveLock')`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if waits {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not wait for who reads")
		}
	}
	die()
	if err := <-died; err == nil {
		t.Fatal("it was not interrupted")
	}
	if noted, schemas := versions(t, store); len(noted) != 2 || schemas != 2 {
		t.Fatalf("the process that died left %v and %d schemas", noted, schemas)
	}
	if err := reader.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, p := range processes {
		all.Go(func() {
			if err := p.dropUnfed(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if noted, schemas := versions(t, store); len(noted) != 1 || schemas != 1 {
		t.Errorf("left are %v and %d schemas", noted, schemas)
	}
}

// A program that comes back finds its version gone, and builds it anew; so does a process that was only asleep.
func TestAnOldProgramComesBack(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 200)
	world.Run(300)
	asleep, newer := ledgersOf(t, store, 2, 0), ledgersOf(t, store, 3, time.Hour)
	before := ensure(t, asleep)
	ensure(t, newer)
	gone := func() {
		t.Helper()
		aged(t, store, 2, 2*time.Hour)
		if err := newer.dropUnfed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if noted, _ := versions(t, store); len(noted) != 1 {
			t.Fatalf("there are %v", noted)
		}
	}
	gone()
	if err := asleep.noteFed(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, asleep)
	world.Run(50)
	await(t, asleep, world.Head())
	after, err := asleep.Live(t.Context(), "ledger")
	if err != nil || after.ID == before.ID {
		t.Fatalf("it serves %+v, %v", after, err)
	}
	if found, err := asleep.Verify(t.Context(), "ledger", nil); err != nil || len(found) != 1 || len(found[0].Differences) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// By hand any version but the program's own goes that nobody feeds, also a later one, or one of a read model that there is not any more.
func TestAFormerVersionIsDroppedByHand(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	projectionstest.NewWorld(t, store, tenant, 1, 200).Run(100)
	p, later := ledgersOf(t, store, 2, 0), ledgersOf(t, store, 3, 0)
	ensure(t, p)
	ensure(t, later)
	if err := p.DropFormer(t.Context(), "ledger", 2); !errors.Is(err, ErrNoBuild) {
		t.Errorf("its own: %v", err)
	}
	if err := p.DropFormer(t.Context(), "ledger", 9); !errors.Is(err, ErrNoBuild) {
		t.Errorf("one that there is not: %v", err)
	}
	if err := p.DropFormer(t.Context(), "ledger", 3); !errors.Is(err, ErrFed) {
		t.Errorf("one that was fed a moment ago: %v", err)
	}
	aged(t, store, 3, 3*time.Minute)
	if err := p.DropFormer(t.Context(), "ledger", 3); err != nil {
		t.Error(err)
	}
	if noted, schemas := versions(t, store); len(noted) != 1 || schemas != 1 {
		t.Errorf("left are %v and %d schemas", noted, schemas)
	}
}
