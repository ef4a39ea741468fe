package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/tenancy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parts returns a database with one connection, on which acme and other have a part of a job each.
func parts(t *testing.T) (*tenancy.DB, *pgxpool.Pool) {
	t.Helper()
	config := eventstoretest.Pool(t).Config()
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	eventstoretest.On(t, pool, eventstore.NewCodec[eventstore.Payload](), "acme", "other")
	if _, err := pool.Exec(t.Context(), `insert into job_parts (tenant, job, part, content) select slug, $1, 0, 'kept' from tenants`, uuid.New()); err != nil {
		t.Fatal(err)
	}
	return tenancy.Over(pool), pool
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// byIndex asks all by index.
type byIndex struct{ *tenancy.DB }

func (db byIndex) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return db.QueryByIndex(ctx, sql+" -- by index", args...)
}

func tenantsOf(ctx context.Context, t *testing.T, db querier, sql string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const all = `select tenant from job_parts where content = $1 order by tenant`

// Whatever way a statement is run, it finds what its context may see; and a connection that was narrowed is the process's own again.
func TestAContextSeesOneTenant(t *testing.T) {
	db, _ := parts(t)
	acme := tenancy.Narrow(t.Context(), "acme")
	for name, c := range map[string]struct {
		ctx  context.Context
		want []string
	}{
		"of the process":       {t.Context(), []string{"acme", "other"}},
		"of one tenant":        {acme, []string{"acme"}},
		"of nobody":            {tenancy.Narrow(t.Context(), ""), nil},
		"of one that is not":   {tenancy.Narrow(t.Context(), "acme' or true --"), nil},
		"narrowed twice":       {tenancy.Narrow(acme, "acme"), []string{"acme"}},
		"narrowed to a second": {tenancy.Narrow(acme, "other"), nil},
		"widened":              {tenancy.Widen(acme), []string{"acme", "other"}},
	} {
		for range 2 { // prepared, too
			got := map[string][]string{
				"prepared": tenantsOf(c.ctx, t, db, all, []byte("kept")),
				"by index": tenantsOf(c.ctx, t, byIndex{db}, all, []byte("kept")),
				"planned":  tenantsOf(c.ctx, t, db, all, pgx.QueryExecModeCacheDescribe, []byte("kept")),
				"binary":   tenantsOf(c.ctx, t, db, all, pgx.QueryExecModeCacheDescribe, pgx.QueryResultFormats{pgx.BinaryFormatCode}, []byte("kept")),
			}
			if err := pgx.BeginTxFunc(c.ctx, db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
				got["in a transaction"] = tenantsOf(t.Context(), t, tx, all, []byte("kept"))
				var isolation string
				if err := tx.QueryRow(t.Context(), `select current_setting('transaction_isolation') || current_setting('transaction_read_only')`).Scan(&isolation); err != nil || isolation != "repeatable readon" {
					t.Errorf("%s: %q %v", name, isolation, err)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.QueryRow(c.ctx, `select count(*) from job_parts`).Scan(&n); err != nil || n != len(c.want) {
				t.Errorf("%s: counted %d, want %v: %v", name, n, c.want, err)
			}
			for way, found := range got {
				if !slices.Equal(found, c.want) {
					t.Errorf("%s, %s: found %v, want %v", name, way, found, c.want)
				}
			}
		}
	}
	if err := db.QueryRow(acme, `select tenant from job_parts where tenant = 'other'`).Scan(new(string)); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("got %v, want no rows", err)
	}
}

// What is another tenant's cannot be changed, nor can anything be made another's.
func TestAContextWritesOneTenant(t *testing.T) {
	db, pool := parts(t)
	acme := tenancy.Narrow(t.Context(), "acme")
	for _, sql := range []string{
		`update job_parts set content = 'taken' where tenant = 'other'`,
		`delete from job_parts where tenant <> 'acme'`,
	} {
		if tag, err := db.Exec(acme, sql); err != nil || tag.RowsAffected() != 0 {
			t.Errorf("%s: %s %v", sql, tag, err)
		}
	}
	for _, sql := range []string{
		`update job_parts set tenant = 'other'`,
		`insert into job_parts (tenant, job, part, content) values ('other', gen_random_uuid(), 0, 'forged')`,
		`insert into events values ('other', 1, 's', 1, 't', 1, null, '{}', '{}', now())`,
		`delete from events`, `update events set type = ''`, `update receipts set answer = ''`, `select * from tokens`, `select * from events_v`, // not even its own
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe} {
			var refused *pgconn.PgError
			args := []any{mode}
			if mode == pgx.QueryExecModeCacheStatement {
				args = nil
			}
			if _, err := db.Exec(acme, sql, args...); !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s: got %v, want it refused", sql, err)
			}
		}
	}
	if tag, err := db.Exec(acme, `update job_parts set content = $1`, []byte("own")); err != nil || tag.RowsAffected() != 1 {
		t.Errorf("its own: %s %v", tag, err)
	}
	if got := tenantsOf(t.Context(), t, pool, all, []byte("kept")); !slices.Equal(got, []string{"other"}) {
		t.Errorf("what was not touched: %v", got)
	}
}

// The rows of a statement that fails, or is left in the middle, give the connection back.
func TestAConnectionComesBack(t *testing.T) {
	db, pool := parts(t)
	acme := tenancy.Narrow(t.Context(), "acme")
	for name, mode := range map[string][]any{"prepared": nil, "planned": {pgx.QueryExecModeCacheDescribe}} {
		if _, err := db.Query(acme, `select nothing from nowhere`, mode...); err == nil {
			t.Errorf("%s: a wrong statement was run", name)
		}
		if _, err := db.Query(acme, `select $1::int`, append(slices.Clone(mode), "no number")...); err == nil {
			t.Errorf("%s: a wrong argument was taken", name)
		}
		var n int
		if err := db.QueryRow(acme, `select 1/(select count(*) from job_parts where part = 7)`, mode...).Scan(&n); err == nil {
			t.Errorf("%s: divided by zero", name)
		}
		rows, err := db.Query(acme, `select generate_series(1, 100000)`, mode...)
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			t.Errorf("%s: rows that are not wanted: %v", name, err)
		}
		if rows, err = db.Query(acme, `select 'no number'`, mode...); err != nil || !rows.Next() || rows.Scan(&n) == nil {
			t.Errorf("%s: a text was taken for a number: %v", name, err)
		}
		ended, cancel := context.WithCancel(acme)
		cancel()
		if _, err := db.Exec(ended, `select 1`, mode...); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		if got := tenantsOf(acme, t, db, all, append(slices.Clone(mode), []byte("kept"))...); !slices.Equal(got, []string{"acme"}) {
			t.Errorf("%s: afterwards %v", name, got)
		}
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are not back", n)
	}
}

// What holds a statement to an index holds no other to it, and its connection comes back however it ends.
func TestOneStatementIsByIndex(t *testing.T) {
	db, pool := parts(t)
	for name, ctx := range map[string]context.Context{"one tenant": tenancy.Narrow(t.Context(), "acme"), "the process": t.Context()} {
		if _, err := db.QueryByIndex(ctx, `select nothing from nowhere`); err == nil {
			t.Errorf("%s: a wrong statement was run", name)
		}
		rows, err := db.QueryByIndex(ctx, `select current_setting('enable_sort') from generate_series(1, 100000)`)
		if err != nil || !rows.Next() {
			t.Fatal(name, err)
		}
		var sorts string
		if err := rows.Scan(&sorts); err != nil || sorts != "off" {
			t.Errorf("%s: %s %v", name, sorts, err)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			t.Errorf("%s: rows that are not wanted: %v", name, err)
		}
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are not back", n)
	}
	for _, conn := range pool.AcquireAllIdle(t.Context()) {
		var sorts string
		if err := conn.QueryRow(t.Context(), `select current_setting('enable_sort')`).Scan(&sorts); err != nil || sorts != "on" {
			t.Errorf("afterwards: %s %v", sorts, err)
		}
		conn.Release()
	}
}

// A table that changes its types under a statement that is known is asked again by the next.
func TestAStatementIsDescribedAnew(t *testing.T) {
	db, pool := parts(t)
	acme := tenancy.Narrow(t.Context(), "acme")
	const sql = `select tenant from job_parts where part = $1`
	if got := tenantsOf(acme, t, db, sql, pgx.QueryExecModeCacheDescribe, 0); len(got) != 1 {
		t.Fatal(got)
	}
	if _, err := pool.Exec(t.Context(), `alter table job_parts alter part type text`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Query(acme, sql, pgx.QueryExecModeCacheDescribe, 0); err == nil {
		t.Fatal("a number was compared with a text")
	}
	if got := tenantsOf(acme, t, db, sql, pgx.QueryExecModeCacheDescribe, "0"); len(got) != 1 {
		t.Error(got)
	}
}

// Who may neither make the role nor take it works as before, and is told so; given the role, the next start uses it.
func TestAUserWithoutRights(t *testing.T) {
	admin := eventstoretest.Pool(t)
	user := fmt.Sprintf("plain_%s", admin.Config().ConnConfig.Database)
	run := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`create role ` + user + ` login password 'plain'`)
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), `reassign owned by `+user+` to current_user; drop owned by `+user+`; drop role `+user); err != nil {
			t.Error(err)
		}
	})
	run(`do $$ declare o text; begin
		for o in select format('alter table %s owner to ` + user + `', c.oid::regclass) from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') loop execute o; end loop;
		for o in select format('alter function %s owner to ` + user + `', p.oid::regprocedure) from pg_proc p where pronamespace = 'public'::regnamespace loop execute o; end loop;
	end $$; alter schema public owner to ` + user + `; alter function arraycontains(anyarray, anyarray) not leakproof`)
	config := admin.Config()
	config.ConnConfig.User, config.ConnConfig.Password = user, "plain"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db, acme := tenancy.Over(pool), tenancy.Narrow(t.Context(), "acme")
	for _, c := range []struct {
		given    string
		isolated bool
		seen     int
	}{{`select 1`, false, 2}, {`grant customercenter_app to ` + user, true, 1}, {`revoke customercenter_app from ` + user, false, 2}} {
		run(c.given)
		if err := eventstore.Migrate(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		if c.seen == 2 && !c.isolated {
			eventstoretest.On(t, pool, eventstore.NewCodec[eventstore.Payload](), "acme", "other")
		}
		isolated, err := tenancy.Isolated(t.Context(), pool)
		if err != nil || isolated != c.isolated {
			t.Errorf("%s: isolated %v, want %v: %v", c.given, isolated, c.isolated, err)
		}
		var n int
		if err := db.QueryRow(acme, `select count(*) from tenants`).Scan(&n); err != nil || n != c.seen {
			t.Errorf("%s: sees %d tenants, want %d: %v", c.given, n, c.seen, err)
		}
	}
}
