package policies

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// However many wait for their time, who looks for what is due looks at that alone: an index serves, and no row is read in vain.
func TestWhatIsDueIsFoundByAnIndex(t *testing.T) {
	w := newWorld(t)
	pool := w.store.Pool()
	names := []string{liftName, addressName, replyName}
	_, err := pool.Exec(t.Context(), `insert into policy_due (tenant, policy, key, position, due_at, next_at)
		select $1, p, gen_random_uuid()::text, i, now() + interval '7 days', now() + interval '7 days' from unnest($2::text[]) p, generate_series(1, 5000) i`, tenant, names)
	if err == nil {
		_, err = pool.Exec(t.Context(), `analyze policy_due`)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]statement{
		"status": {statusSQL, []any{names}}, "running": {runningSQL, []any{tenant, addressName}},
		"expired": {expiredSQL, []any{tenant, liftName, dueAtOnce}}, "forget": {forgetSQL, []any{tenant, replyName, forgottenAtOnce}},
	} {
		rows, err := pool.Query(t.Context(), "explain analyze "+s.sql, s.args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); strings.Contains(plan, "Rows Removed") || !strings.Contains(plan, "(next_at <= statement_timestamp())") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

// A plan that is made while little is due is used when much is, until the server has analyzed the table: it must not be one that reads all of it.
func TestFewRowsAreReadOfAQueueThatHasGrown(t *testing.T) {
	w := newWorld(t)
	config := w.store.Pool().Config()
	config.MaxConns = 1 // whose plans they are
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	customers := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	add := func(key string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), `insert into policy_due (tenant, policy, key, position, due_at, next_at) values ($1, $2, $3, 1, now(), now() + interval '1 hour')`, tenant, replyName, key); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range customers {
		add(awaited(c, uuid.New()))
	}
	if _, err := pool.Exec(t.Context(), `analyze policy_due`); err != nil {
		t.Fatal(err)
	}
	noter := &replyNoter{pool: pool}
	lifter := &lifter{pool: pool}
	jobs := &jobRunner{pool: pool, name: replyName}
	eraser := &eraser{pool: pool}
	position, err := loadPosition(t.Context(), pool, replyName, tenant)
	if err != nil {
		t.Fatal(err)
	}
	// look does all that is done to a few keys, and tells how many rows were read for that.
	look := func() int64 {
		t.Helper()
		before := rowsRead(t, pool)
		found, err := noter.waiting(t.Context(), tenant, customers)
		if err != nil || len(found) != len(customers) {
			t.Fatal(found, err)
		}
		for _, c := range customers {
			gone := statement{`delete from policy_due where tenant = $1 and policy = $2 and key = $3`, []any{tenant, replyName, awaited(c, uuid.New())}}
			err := savePosition(t.Context(), pool, replyName, tenant, position, position+1, []statement{gone})
			position++
			if err == nil {
				err = lifter.postpone(t.Context(), tenant, expired{customer: c, position: 1})
			}
			if err == nil {
				err = jobs.rest(t.Context(), tenant, dueJob{key: awaited(c, found[c][0].id), position: 1}, time.Hour, nil)
			}
			if err == nil {
				_, err = jobs.work(t.Context(), tenant)
			}
			if err == nil {
				err = eraser.settle(t.Context(), erasure{tenant: tenant, customer: c, generation: 1}, c.String()+":1", "")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return rowsRead(t, pool) - before
	}
	for range 3 {
		look()
	}
	if _, err := pool.Exec(t.Context(), `insert into policy_due (tenant, policy, key, position, due_at, next_at)
		select $1, p, gen_random_uuid()::text || '/' || i, i, now(), now() + interval '7 days' from unnest($2::text[]) p, generate_series(1, 5000) i`, tenant, []string{replyName, liftName}); err != nil {
		t.Fatal(err)
	}
	if read := max(look(), look()); read > 100 { // once a second the server's statistics are told, and counting begins anew
		t.Errorf("%d rows were read", read)
	}
}

// rowsRead is how many rows of what is due the one connection of a pool has read, or a bit less: what it has told the server's statistics is not among them.
func rowsRead(t *testing.T, pool *pgxpool.Pool) (read int64) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::bigint from pg_stat_xact_user_tables where relname = 'policy_due'`).Scan(&read)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
