package eventstore

import (
	"context"
	"database/sql"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"customercenter/eventstore/keyring"
	"customercenter/internal/pgtest"
)

type noted struct {
	Number int `json:"number"`
}

func (noted) EventType() string { return "test.noted" }

// with are all migrations, and others.
func with(t *testing.T, more fstest.MapFS) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	entries, err := fs.ReadDir(Migrations(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(Migrations(), e.Name())
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = &fstest.MapFile{Data: text}
	}
	maps.Copy(files, more)
	return files
}

// All migrations are applied while events are appended, and somebody has the log open meanwhile for as long as he likes: a report, a backup. Writers do not stand in line
// behind the migration that waits for him.
func TestMigrationsUnderTraffic(t *testing.T) {
	ctx := t.Context()
	pool := pgtest.New(t, pgtest.Template{Name: "empty"})
	nothing := func(context.Context, *sql.DB) error { return nil }
	first := fstest.MapFS{}
	maps.Copy(first, with(t, nil))
	maps.DeleteFunc(first, func(name string, _ *fstest.MapFile) bool { return name > "00001~" })
	if err := migrate(ctx, pool, first, nothing); err != nil {
		t.Fatal(err)
	}
	// An older program appends without it; this one's appends ask for it.
	if _, err := pool.Exec(ctx, `create function for_tenant(p_tenant text) returns text language sql volatile as 'select p_tenant'`); err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMaster(strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	store := New(pool, NewCodec(noted{}), keyring.New(pool, master))
	if err := store.CreateTenant(ctx, "acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	var appended atomic.Int64
	stop := make(chan struct{})
	var writers sync.WaitGroup
	halt := sync.OnceFunc(func() { close(stop); writers.Wait() })
	t.Cleanup(halt)
	for range 4 {
		writers.Go(func() {
			stream := "notes-" + uuid.NewString()
			for version := int64(0); ; version++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := store.Append(ctx, Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: Actor{Kind: "system", ID: "test"},
					Streams: []StreamAppend{{Stream: stream, Version: version, Events: []NewEvent{{Payload: noted{int(version)}}}}}})
				if err != nil {
					t.Error(err)
					return
				}
				appended.Add(1)
			}
		})
	}

	reader, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(ctx) }()
	if _, err := reader.Exec(ctx, `select from events limit 1`); err != nil {
		t.Fatal(err)
	}
	grow := with(t, fstest.MapFS{"99998_test.sql": {Data: []byte("-- +goose Up\nalter table events add column extra text;\n")}})
	done := make(chan error, 1)
	go func() { done <- migrate(ctx, pool, grow, nothing) }()
	await := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) || t.Failed() {
				t.Fatalf("%s: not within two minutes", what)
			}
		}
	}
	for range 2 { // it waits in turns, and between them, others pass
		await("the migration waits", func() bool {
			var waits bool
			if err := pool.QueryRow(ctx, `select exists (select from pg_locks where relation = 'events'::regclass and mode = 'AccessExclusiveLock' and not granted)`).Scan(&waits); err != nil {
				t.Fatal(err)
			}
			return waits
		})
		before := appended.Load()
		await("writers go on", func() bool { return appended.Load() > before+100 })
	}
	select {
	case err := <-done:
		t.Fatalf("it ended while the log was in use: %v", err)
	default:
	}
	if err := reader.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	before := appended.Load()
	await("writers go on", func() bool { return appended.Load() > before+100 })
	halt()

	head, err := store.Head(ctx, "acme")
	if err != nil || head != appended.Load() {
		t.Errorf("%d events were appended, the log ends at %d: %v", appended.Load(), head, err)
	}
	// A process of the version before, which is started once more, leaves the newer database as it is.
	if err := Migrate(ctx, pool); err != nil {
		t.Errorf("a binary that is older than the database: %v", err)
	}
}

// Tenants are held apart in tables that have no policy yet, while somebody has one of them open. Whoever uses another table does not stand in line behind that.
func TestHoldingTenantsApartHoldsUpNobody(t *testing.T) {
	ctx := t.Context()
	pool := pgtest.New(t, pgtest.Template{Name: "empty"})
	if err := Migrate(ctx, pool); err != nil {
		t.Fatal(err)
	}
	bound := func() (n int) {
		if err := pool.QueryRow(ctx, `select count(*) from pg_policies where policyname = 'one_tenant'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	all := bound()
	if _, err := pool.Exec(ctx, `do $$ declare p record; begin
		for p in select format('%I.%I', schemaname, tablename) as of from pg_policies where policyname = 'one_tenant' loop
			execute format('drop policy one_tenant on %s', p.of);
			execute format('alter table %s disable row level security', p.of);
		end loop; end $$`); err != nil {
		t.Fatal(err)
	}
	reader, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(ctx) }()
	if _, err := reader.Exec(ctx, `select from receipts limit 1`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Migrate(ctx, pool) }()
	for waits, end := false, time.Now().Add(2*time.Minute); !waits; time.Sleep(5 * time.Millisecond) {
		if err := pool.QueryRow(ctx, `select exists (select from pg_locks where relation = 'receipts'::regclass and mode = 'AccessExclusiveLock' and not granted)`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("receipts are not waited for")
		}
	}
	var held []string
	if err := pool.QueryRow(ctx, `select array_agg(relation::regclass::text) from pg_locks
		where database = (select oid from pg_database where datname = current_database()) and mode = 'AccessExclusiveLock' and granted`).Scan(&held); err != nil {
		t.Fatal(err)
	}
	if len(held) > 0 {
		t.Errorf("while receipts are waited for, nobody gets at %v", held)
	}
	if err := reader.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := bound(); n != all || n < 10 {
		t.Errorf("%d tables have a policy, before there were %d", n, all)
	}
}

// What would lock a large table for long must not be in a migration of a system that runs.
var (
	blockingIndex = regexp.MustCompile(`(?i)create (unique )?index (if not exists )?[a-z_]* ?on (events|receipts|customer_keys|job_parts)\b`)
	rewritten     = regexp.MustCompile(`(?is)alter table (events|receipts|customer_keys|job_parts)\b[^;]*(\btype\b|\bset not null\b|\badd constraint\b|default [a-z_]+\()`)
	createdTable  = regexp.MustCompile(`(?i)create table ([a-z_]+)`)
)

func TestMigrationsLockNothingLarge(t *testing.T) {
	entries, err := fs.ReadDir(Migrations(), ".")
	if err != nil || len(entries) < 10 {
		t.Fatal(len(entries), err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(Migrations(), e.Name())
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		var created []string
		for _, m := range createdTable.FindAllStringSubmatch(up, -1) {
			created = append(created, m[1])
		}
		for _, m := range blockingIndex.FindAllStringSubmatch(up, -1) {
			if !slices.Contains(created, m[3]) {
				t.Errorf("%s: %s keeps everybody from writing while it is made: make it concurrently, in a file of its own with NO TRANSACTION", e.Name(), m[0])
			}
		}
		for _, m := range rewritten.FindAllStringSubmatch(up, -1) {
			if !slices.Contains(created, m[1]) {
				t.Errorf("%s: %s rewrites or reads the whole table under a lock", e.Name(), m[0])
			}
		}
	}
	for _, bad := range []string{"create index x on events (type)", "CREATE UNIQUE INDEX ON receipts (key)"} {
		if !blockingIndex.MatchString(bad) {
			t.Errorf("%q is not seen", bad)
		}
	}
	if !rewritten.MatchString("alter table events\n  alter data type jsonb") || rewritten.MatchString("alter table events add column extra text") {
		t.Error("a table that is rewritten is not told from one that is not")
	}
}
