package policies

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
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
