package policies

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/tenancy"
)

// errMoved says that somebody else has moved the position, after which nothing was written.
var errMoved = errors.New("policies: the position was moved by somebody else")

// loadPosition reads a policy's position in a tenant's log, and makes it for a tenant that is new to the policy: at the beginning.
func loadPosition(ctx context.Context, pool *pgxpool.Pool, policy, tenant string) (position int64, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`insert into policy_positions (tenant, policy) values ($1, $2) on conflict do nothing`, tenant, policy)
	batch.Queue(`select position from policy_positions where tenant = $1 and policy = $2`, tenant, policy).
		QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
	if err := pool.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("policies: position: %w", err)
	}
	return position, nil
}

// savePosition moves a position, and writes what is noted, in one transaction. errMoved.
func savePosition(ctx context.Context, pool *pgxpool.Pool, policy, tenant string, from, to int64, notes []statement) error {
	batch := &pgx.Batch{} // sent as one, which makes it a transaction
	batch.Queue(`select policy_advance($1, $2, $3, $4)`, tenant, policy, from, to)
	if len(notes) > 0 {
		batch.Queue(tenancy.ByIndex)
	}
	for _, n := range notes {
		batch.Queue(n.sql, n.args...)
	}
	err := pool.SendBatch(ctx, batch).Close()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "CC020" {
		return errMoved
	}
	if err != nil {
		return fmt.Errorf("policies: save position: %w", err)
	}
	return nil
}

// Status says how far a policy has come with a tenant's log. What irrelevant events move a position by is written down with a delay of
// about a second.
type Status struct {
	Policy   string
	Tenant   string
	Position int64 // dealt with up to here
	Head     int64 // the log's last position
	// Behind is the age of the oldest event that was not dealt with; 0 when all were.
	Behind time.Duration
	// Due says that something is to be done by now that an earlier event led to.
	Due bool
}

// Lag is how many events were not dealt with yet.
func (s Status) Lag() int64 { return max(s.Head-s.Position, 0) }

// isDue is true of the rows of policy_due of a tenant ($1) and a policy ($2) that are due. With clock_timestamp, which may move while the statement runs, no
// index would serve, and every customer who may still reply would be looked at each time. The text of tenant and policy is, letter for letter, what the index
// policy_due_by_time is of: if that began with the two of them, who knows the key of a row would be led through all that waits, as the planner takes one
// index to be as good as the other while there are few rows.
const isDue = `tenant || '/' || policy = $1::text || '/' || $2::text and next_at <= statement_timestamp()`

// The next event is looked up by itself, so that a plan that was made while there were few events does not read all of them.
const statusSQL = `
	select t.slug, p.name, c.position, coalesce(h.position, 0),
	       coalesce(extract(epoch from clock_timestamp() - n.recorded_at), 0)::float8,
	       exists (select from policy_due d where d.tenant || '/' || d.policy = t.slug || '/' || p.name and d.next_at <= statement_timestamp())
	from tenants t
	cross join unnest($1::text[]) p(name)
	left join policy_positions s on s.tenant = t.slug and s.policy = p.name
	cross join lateral (select coalesce(s.position, 0) as position) c
	left join lateral (select position from events where tenant = t.slug order by position desc limit 1) h on true
	left join lateral (select recorded_at from events where tenant = t.slug and position >= c.position + 1 and position <= c.position + 1 order by position offset 0) n on true
	order by t.slug, p.name`

// Status tells how far every policy has come, by tenant and policy. Any process may ask, whoever does the work.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	names := make([]string, len(r.policies))
	for i, p := range r.policies {
		names[i] = p.name
	}
	rows, err := r.store.Pool().Query(ctx, statusSQL, planned, names)
	if err != nil {
		return nil, fmt.Errorf("policies: status: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Status, error) {
		var s Status
		var seconds float64
		err := row.Scan(&s.Tenant, &s.Policy, &s.Position, &s.Head, &seconds, &s.Due)
		s.Behind = time.Duration(max(seconds, 0) * float64(time.Second))
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("policies: status: %w", err)
	}
	return all, nil
}
