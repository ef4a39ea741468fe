//go:build unix

package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"customercenter/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var migrations atomic.Int64

// template has one table with one row.
var template = pgtest.Template{
	Name: "pgtest: one row in t",
	Migrate: func(ctx context.Context, pool *pgxpool.Pool) error {
		migrations.Add(1)
		_, err := pool.Exec(ctx, "create table t (n int); insert into t values (1)")
		return err
	},
}

func count(t *testing.T, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "select count(*) from t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t, template)
			if n := count(t, pool); n != 1 {
				t.Errorf("%d rows at the beginning, want 1", n)
			}
			if _, err := pool.Exec(t.Context(), "insert into t values (2)"); err != nil {
				t.Fatal(err)
			}
			if n := count(t, pool); n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
		})
	}
}

func TestATemplateIsMigratedOnce(t *testing.T) {
	pgtest.New(t, template)
	before := migrations.Load()
	pgtest.New(t, template)
	pgtest.DSN(t, template)
	if after := migrations.Load(); after != before || after > 1 {
		t.Errorf("migrated %d times, then %d", before, after-before)
	}
}

func TestTemplatesAreToldApartByName(t *testing.T) {
	empty := pgtest.New(t, pgtest.Template{Name: "pgtest: empty"})
	var there bool
	if err := empty.QueryRow(t.Context(), "select to_regclass('t') is not null").Scan(&there); err != nil {
		t.Fatal(err)
	}
	if there {
		t.Error("the empty template has the table of another")
	}
}

func TestDSNReachesTheDatabase(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t, template))
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// failure is a testing.TB that notes what fails instead of failing.
type failure struct {
	testing.TB
	message string
}

var errFatal = errors.New("fatal")

func (f *failure) Helper() {}

func (f *failure) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(errFatal)
}

// failing returns with what message use fails.
func failing(t *testing.T, use func(t testing.TB)) (message string) {
	t.Helper()
	f := &failure{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(errFatal) {
			panic(r)
		}
		message = f.message
	}()
	use(f)
	return f.message
}

func TestAFailedMigrationFailsTheTest(t *testing.T) {
	broken := pgtest.Template{Name: "pgtest: broken", Migrate: func(ctx context.Context, pool *pgxpool.Pool) error {
		_, err := pool.Exec(ctx, "create tabel")
		return err
	}}
	for range 2 { // what is left half-way must not be taken for a template
		if got := failing(t, func(t testing.TB) { pgtest.New(t, broken) }); got == "" {
			t.Fatal("it did not fail")
		}
	}
	if got := failing(t, func(t testing.TB) { pgtest.New(t, pgtest.Template{}) }); got == "" {
		t.Fatal("a template without a name did not fail")
	}
}

func TestAClusterOfOnesOwnSurvivesCrashes(t *testing.T) {
	for _, durable := range []bool{true, false} {
		t.Run(fmt.Sprintf("durable=%v", durable), func(t *testing.T) {
			c := pgtest.NewCluster(t, durable)
			if err := c.EnsureDatabase(t.Context(), "centre"); err != nil {
				t.Fatal(err)
			}
			dsn := c.DSN("centre")
			with(t, dsn, func(conn *pgx.Conn) {
				var fsync string
				if err := conn.QueryRow(t.Context(), "show fsync").Scan(&fsync); err != nil {
					t.Fatal(err)
				}
				if (fsync == "on") != durable {
					t.Errorf("fsync is %s", fsync)
				}
				if _, err := conn.Exec(t.Context(), "create table t (n int); insert into t values (1)"); err != nil {
					t.Fatal(err)
				}
			})
			for _, halt := range []func() error{c.Crash, c.Stop} {
				if err := halt(); err != nil {
					t.Fatal(err)
				}
				if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
					t.Errorf("a stopped server takes connections")
					_ = conn.Close(t.Context())
				}
				if err := c.EnsureDatabase(t.Context(), "other"); err == nil {
					t.Error("a stopped server makes databases")
				}
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				with(t, dsn, func(conn *pgx.Conn) {
					if n := count(t, conn); n != 1 {
						t.Errorf("%d rows, want 1", n)
					}
				})
			}
		})
	}
}

func with(t *testing.T, dsn string, use func(conn *pgx.Conn)) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	use(conn)
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkNew is what each test pays.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		pgtest.DSN(b, template)
	}
}

// TestHoldsADatabaseUntilKilled is the program that lifecycle tests start and
// kill; by itself it makes a database and ends.
func TestHoldsADatabaseUntilKilled(t *testing.T) {
	dsn := pgtest.DSN(t, template)
	if os.Getenv(holdEnv) != "" {
		fmt.Println("holds", dsn)
		select {}
	}
}
