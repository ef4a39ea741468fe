package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// guarded is a table whose rows each belong to a tenant.
type guarded struct {
	name, column string
	writes       bool // the role customercenter_app may delete there
}

// isolated is a database in which acme and other have rows in all that a narrowed statement may read.
func isolated(t *testing.T) (*model, *projectionstest.World, []guarded) {
	m := newModel(t, 100)
	other := projectionstest.NewWorld(t, m.store, "other", 2, 100)
	m.World.Run(600)
	other.Run(600)
	for _, name := range []string{projections.CustomersName, projections.SessionsName, projections.HistoryName, projections.GroupsName} {
		m.sync(name)
		m.projector.Ring("other", other.Head())
		if _, fresh, err := m.projector.WaitFor(t.Context(), name, "other", other.Head(), 30*time.Second); err != nil || !fresh {
			t.Fatal(name, fresh, err)
		}
	}
	moment, err := m.projector.MomentAfter(t.Context(), "other", other.Head())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.projector.BuildAsOf(t.Context(), "as_of_isolated", "other", moment, asof.Models, nil); err != nil {
		t.Fatal(err)
	}
	pool := m.store.Pool()
	for _, sql := range []string{
		`insert into job_parts (tenant, job, part, content) select slug, gen_random_uuid(), 0, 'kept' from tenants`,
		`insert into job_progress (tenant, job, done, total) select slug, gen_random_uuid(), 0, 1 from tenants`,
		`insert into receipts select slug, 'a', 'r', 'k', '', '{}', gen_random_uuid(), 1, now() + interval '1 day' from tenants`,
		`insert into erasures (tenant, customer, generation, position, erased_at) select slug, gen_random_uuid(), 1, 1, now() from tenants`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	// What the role may read is held to a tenant, but for what is nobody's.
	var open []string
	if err := pool.QueryRow(t.Context(), `select array_agg(c.oid::regclass::text) from pg_class c where c.relkind = 'r' and has_table_privilege('customercenter_app', c.oid, 'select')
		and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema') and not (c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'one_tenant'))
		and c.relname not in ('log_epoch', 'projection_builds')`).Scan(&open); err != nil {
		t.Fatal(err)
	}
	if len(open) > 0 {
		t.Errorf("whoever is held to one tenant may read all rows of %v", open)
	}
	rows, err := pool.Query(t.Context(), `select c.oid::regclass::text, case c.relname when 'tenants' then 'slug' else 'tenant' end, has_table_privilege('customercenter_app', c.oid, 'delete')
		from pg_policy p join pg_class c on c.oid = p.polrelid where p.polname = 'one_tenant' and c.relrowsecurity and has_table_privilege('customercenter_app', c.oid, 'select') order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (g guarded, err error) {
		return g, row.Scan(&g.name, &g.column, &g.writes)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, other, tables
}

// statement makes up one that reads, and one way or another asks for more than one tenant's rows; its rows say whose they are.
func statement(random *rand.Rand, tables []guarded) (sql string, args []any) {
	one, two := tables[random.IntN(len(tables))], tables[random.IntN(len(tables))]
	tenant, second := "a."+one.column, "b."+two.column
	switch random.IntN(12) {
	case 0:
		sql, args = `select `+tenant+` from `+one.name+` a where `+tenant+` = $1`, []any{"other"}
	case 1:
		sql = `select ` + tenant + ` from ` + one.name + ` a`
	case 2:
		sql, args = `select `+tenant+` from `+one.name+` a where `+tenant+` <> $1 or true`, []any{"acme"}
	case 3:
		sql = `select ` + tenant + ` from ` + one.name + ` a where ` + tenant + ` in (select slug from tenants)`
	case 4:
		sql = `select ` + second + ` from ` + one.name + ` a join ` + two.name + ` b on ` + second + ` >= ` + tenant + ` limit 500`
	case 5:
		sql = `with x as materialized (select ` + tenant + ` as tenant from ` + one.name + ` a) select tenant from x`
	case 6:
		sql = `select ` + tenant + ` from ` + one.name + ` a union all select ` + second + ` from ` + two.name + ` b`
	case 7:
		sql = `select max(` + tenant + `) from ` + one.name + ` a having count(*) > 0`
	case 8: // who could be told by an error
		sql, args = `select `+tenant+` from `+one.name+` a where 1 / (case when `+tenant+` = $1 then 0 else 1 end) > 0`, []any{"other"}
	case 9:
		sql = `select 'other' where exists (select from ` + one.name + ` a where ` + tenant + ` = 'other')`
	case 10:
		sql, args = `select l.tenant from unnest($1::text[]) t(tenant) cross join lateral (select `+tenant+` as tenant from `+one.name+` a where `+tenant+` = t.tenant limit 3) l`, []any{[]string{"other", "acme"}}
	default:
		sql = `select ` + tenant + ` from ` + one.name + ` a order by ctid desc limit 5`
	}
	if random.IntN(2) == 0 {
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	return sql, args
}

func tenantsIn(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, sql string, args []any) ([]string, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Eight thousand made up statements that read, of acme, of nobody or of one who is not there, and ask for the rows of other.
func TestNoStatementReadsAnotherTenant(t *testing.T) {
	m, _, tables := isolated(t)
	if len(tables) < 25 {
		t.Fatalf("only %d tables are isolated: %v", len(tables), tables)
	}
	db, foreign := m.store.DB(), 0
	for seed := range uint64(200) { // they are worth something if they find what is foreign where nothing keeps them from it
		sql, args := statement(rand.New(rand.NewPCG(16, seed)), tables)
		found, err := tenantsIn(t.Context(), db, sql, args)
		if err == nil && slices.Contains(found, "other") || err != nil && strings.Contains(err.Error(), "division by zero") {
			foreign++
		}
	}
	if foreign < 100 {
		t.Fatalf("of 200 statements only %d reach other", foreign)
	}
	own := 0
	for seed := range uint64(8000) {
		random := rand.New(rand.NewPCG(16, seed))
		sql, args := statement(random, tables)
		tenant := []string{"acme", "acme", "acme", "", "nobody", "acme' or 'a' = 'a", "other "}[random.IntN(7)]
		found, err := tenantsIn(tenancy.Narrow(t.Context(), tenant), db, sql, args)
		if err != nil {
			t.Fatalf("seed %d, of %q: %s: %v", seed, tenant, sql, err)
		}
		for _, whose := range found {
			if whose != tenant {
				t.Fatalf("seed %d, of %q: %s: a row of %q", seed, tenant, sql, whose)
			}
		}
		own += len(found)
	}
	if own == 0 {
		t.Error("nobody found what is their own")
	}
}

// A thousand made up statements that write.
func TestNoStatementWritesAnotherTenant(t *testing.T) {
	m, _, tables := isolated(t)
	writable := slices.DeleteFunc(slices.Clone(tables), func(g guarded) bool { return !g.writes })
	if len(writable) < 3 {
		t.Fatalf("may write %v", writable)
	}
	sums := func() (sums []string) {
		for _, table := range tables {
			var sum string
			if err := m.store.Pool().QueryRow(t.Context(), `select count(*) || ' ' || coalesce(sum(hashtextextended(a::text, 0)), 0) from `+table.name+` a where `+table.column+` = 'other'`).Scan(&sum); err != nil {
				t.Fatal(err)
			}
			sums = append(sums, table.name+" "+sum)
		}
		return sums
	}
	before := sums()
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(17, seed))
		any := tables[random.IntN(len(tables))]
		one := writable[random.IntN(len(writable))]
		var sql string
		switch random.IntN(6) {
		case 0:
			sql = `delete from ` + one.name + ` where tenant = 'other'`
		case 1:
			sql = `delete from ` + one.name + ` a using ` + any.name + ` b where a.tenant = b.` + any.column + ` and a.tenant > 'acme'`
		case 2:
			sql = `update ` + one.name + ` set tenant = 'other'`
		case 3:
			sql = `insert into ` + one.name + ` select * from ` + one.name + ` where tenant <> 'acme' on conflict do nothing`
		case 4:
			sql = `with gone as (delete from ` + any.name + ` where ` + any.column + ` = 'other' returning 1) select from gone`
		default:
			sql = fmt.Sprintf(`insert into job_parts (tenant, job, part, content) values ('other', %s, %d, 'forged') on conflict (tenant, job, part) do update set content = 'forged'`,
				`(select coalesce(max(job::text), gen_random_uuid()::text)::uuid from job_parts where tenant = 'other')`, random.IntN(2))
		}
		tenant := []string{"acme", "", "nobody"}[random.IntN(3)]
		tag, err := m.store.DB().Exec(tenancy.Narrow(t.Context(), tenant), sql)
		var refused *pgconn.PgError
		if err != nil && (!errors.As(err, &refused) || refused.Code != "42501") {
			t.Fatalf("seed %d, of %q: %s: %v", seed, tenant, sql, err)
		}
		if err == nil && tag.RowsAffected() > 0 {
			t.Fatalf("seed %d, of %q: %s: %s", seed, tenant, sql, tag)
		}
	}
	if after := sums(); !slices.Equal(after, before) {
		t.Errorf("other had %v, and has %v", before, after)
	}
}

// A thousand times the product's own questions, about other, on behalf of acme or nobody. What is kept in memory must not answer them either.
func TestNoQuestionReachesAnotherTenant(t *testing.T) {
	m, other, _ := isolated(t)
	sessions := projections.NewSessions(m.store, m.projector)
	groups := projections.NewGroups(m.store, m.projector, m.catalogues)
	history := projections.NewHistory(m.store, m.projector)
	somebody := func(r *rand.Rand) uuid.UUID { return other.Customers[r.IntN(len(other.Customers))].ID }
	session := func(r *rand.Rand) uuid.UUID { return other.Sessions[r.IntN(len(other.Sessions))] }
	questions := map[string]func(ctx context.Context, r *rand.Rand) (any, error){
		"list": func(ctx context.Context, r *rand.Rand) (any, error) {
			return m.customers.List(ctx, "other", projections.ListQuery{Facets: projections.Facets()[:1], Sort: []string{"", projections.SortNickname}[r.IntN(2)]})
		},
		"tagged": func(ctx context.Context, r *rand.Rand) (any, error) {
			return m.customers.List(ctx, "other", tagged(t, other.Tags[r.IntN(len(other.Tags))]))
		},
		"named": func(ctx context.Context, _ *rand.Rand) (any, error) {
			return m.customers.List(ctx, "other", found(t, `{"field":"name","op":"contains","value":"小明"}`))
		},
		"one": func(ctx context.Context, r *rand.Rand) (any, error) {
			return m.customers.One(ctx, "other", somebody(r))
		},
		"called": func(ctx context.Context, r *rand.Rand) (any, error) {
			return m.customers.Called(ctx, "other", []uuid.UUID{somebody(r)})
		},
		"sessions": func(ctx context.Context, _ *rand.Rand) (any, error) {
			return sessions.List(ctx, "other", projections.SessionQuery{})
		},
		"session": func(ctx context.Context, r *rand.Rand) (any, error) { return sessions.One(ctx, "other", session(r)) },
		"agents":  func(ctx context.Context, _ *rand.Rand) (any, error) { return sessions.Agents(ctx, "other") },
		"transcript": func(ctx context.Context, r *rand.Rand) (any, error) {
			return sessions.Transcript(ctx, "other", projections.TranscriptQuery{Customer: somebody(r)})
		},
		"history": func(ctx context.Context, r *rand.Rand) (any, error) {
			return history.Of(ctx, "other", projections.HistoryQuery{Customer: somebody(r)})
		},
		"groups": func(ctx context.Context, r *rand.Rand) (any, error) { return groups.Of(ctx, "other", somebody(r)) },
		"tags": func(ctx context.Context, _ *rand.Rand) (any, error) {
			state, _, err := m.catalogues.Tags(ctx, "other")
			return state, err
		},
		"tag usage": func(ctx context.Context, _ *rand.Rand) (any, error) { return m.customers.TagUsage(ctx, "other", nil) },
		"log": func(ctx context.Context, r *rand.Rand) (any, error) {
			return m.store.ReadLog(ctx, "other", int64(r.IntN(300)), 100)
		},
		"stream": func(ctx context.Context, r *rand.Rand) (any, error) {
			return m.store.ReadStream(ctx, "other", "customer-"+somebody(r).String(), 0, 100)
		},
		"streams": func(ctx context.Context, _ *rand.Rand) (any, error) {
			return m.store.Streams(ctx, "other", "customer-", "", 100)
		},
		"secret": func(ctx context.Context, _ *rand.Rand) (any, error) { return m.store.Secret(ctx, "other") },
		"receipt": func(ctx context.Context, _ *rand.Rand) (any, error) {
			return m.store.Answered(ctx, "other", "a", "r", "k")
		},
		"append": func(ctx context.Context, _ *rand.Rand) (any, error) {
			return m.store.Append(ctx, eventstore.Append{Tenant: "other", ID: uuid.New(), Now: time.Now(), Streams: nil, Receipt: &eventstore.Receipt{Actor: "a", Route: "r", Key: "new"}})
		},
		"opened": func(ctx context.Context, r *rand.Rand) (any, error) { // who has got hold of sealed events does not get the key
			events, err := m.store.ReadStream(t.Context(), "other", "customer-"+somebody(r).String(), 0, 100)
			if err != nil {
				return nil, err
			}
			_, err = m.store.Reveal(ctx, events, false)
			if slices.ContainsFunc(events, func(e eventstore.Event) bool { return strings.Contains(string(e.Data), `"nickname":`) }) {
				return "agent-1", err // that is, it tells
			}
			return nil, err
		},
	}
	marks := []string{`"王小明"`, `"李 雷"`, "tag 0", "agent-"}
	for _, p := range other.Customers {
		marks = append(marks, p.ID.String())
	}
	for _, id := range slices.Concat(other.Sessions, other.Tags) {
		marks = append(marks, id.String())
	}
	told := func(answer any) string {
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, mark := range marks {
			if strings.Contains(string(text), mark) {
				return mark
			}
		}
		return ""
	}
	names := make([]string, 0, len(questions))
	telling := 0
	for name, ask := range questions {
		names = append(names, name)
		answer, err := ask(t.Context(), rand.New(rand.NewPCG(18, 0)))
		if err != nil {
			t.Errorf("%s, of the process: %v", name, err)
		}
		if told(answer) != "" {
			telling++
		}
	}
	slices.Sort(names)
	if telling < 12 {
		t.Errorf("of the process, only %d questions tell of other", telling)
	}
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(18, seed))
		name, tenant := names[random.IntN(len(names))], []string{"acme", "acme", "", "nobody"}[random.IntN(4)]
		answer, err := questions[name](tenancy.Narrow(t.Context(), tenant), random)
		if mark := told(answer); err == nil && mark != "" {
			t.Fatalf("seed %d: %s, of %q, tells %q", seed, name, tenant, mark)
		}
		if err != nil && !errors.Is(err, projections.ErrNotFound) && !errors.Is(err, eventstore.ErrUnknownTenant) && !errors.Is(err, projector.ErrNotBuilt) {
			t.Fatalf("seed %d: %s, of %q: %v", seed, name, tenant, err)
		}
		if err == nil && slices.Contains([]string{"secret", "append", "one", "session"}, name) {
			t.Fatalf("seed %d: %s, of %q, is answered", seed, name, tenant)
		}
	}
	// And other has what it had.
	page, err := m.customers.List(tenancy.Narrow(t.Context(), "other"), "other", projections.ListQuery{})
	if err != nil || len(page.Items) == 0 {
		t.Errorf("other sees %d customers: %v", len(page.Items), err)
	}
}
