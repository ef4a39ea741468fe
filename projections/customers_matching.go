package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
)

// Match is a customer whom a filter found.
type Match struct {
	ID      uuid.UUID
	Ordinal int64
}

// Matching returns the first customers who match a filter at an instant, in the order of creation, of those whose ordinal is above after.
// Fewer than limit mean that nobody is left. It takes as long as it takes: it is for exports, bulk actions and audiences, which want
// everybody. Who begins or ceases to match between two calls may be found or not.
func (c *Customers) Matching(ctx context.Context, tenant string, f *filter.Filter, cal filter.Calendar, at time.Time, after int64, limit int) ([]Match, error) {
	l := listing{query: &ListQuery{Filter: f, Calendar: cal, At: at}}
	var found []Match
	err := c.ask(ctx, tenant, &l, func() error {
		w := l.answer.walk(true, after)
		for len(found) < limit && !w.ended() { // once, unless somebody leaves the list meanwhile
			ordinals, err := w.next(limit-len(found), budget{})
			if err != nil {
				return err
			}
			sql, args := matchSQL(l.answer.schema, tenant, ordinals)
			rows, err := l.answer.db.Query(ctx, sql, append([]any{planned}, args...)...)
			if err != nil {
				return err
			}
			some, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Match])
			if err != nil {
				return err
			}
			found = append(found, some...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Select tells everybody who matches a filter at an instant, in the order of creation, some at a time, and the position of the log at which they do: all
// of them at the same, but for groups under steady writes, see togetherFor: who is in them may be of a moment before or after, for all the same. It takes as long as it takes, and keeps one snapshot of the database meanwhile.
func (c *Customers) Select(ctx context.Context, tenant string, f *filter.Filter, cal filter.Calendar, at time.Time, take func([]uuid.UUID) error) (position int64, err error) {
	const some = 10_000
	l := listing{query: &ListQuery{Filter: f, Calendar: cal, At: at}}
	err = c.askTogether(ctx, tenant, &l, func() error {
		if position, err = l.answer.position(); err != nil {
			return err
		}
		w := l.answer.walk(true, 0)
		for !w.ended() {
			ordinals, err := w.next(some, budget{})
			if err != nil {
				return err
			}
			sql, args := matchSQL(l.answer.schema, tenant, ordinals)
			rows, err := l.answer.db.Query(ctx, sql, append([]any{planned}, args...)...)
			if err != nil {
				return err
			}
			found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Match])
			if err != nil {
				return err
			}
			ids := make([]uuid.UUID, len(found))
			for i, m := range found {
				ids[i] = m.ID
			}
			if err := take(ids); err != nil {
				return err
			}
		}
		return nil
	})
	return position, err
}

// position is that of the log which the answer shows.
func (a *answer) position() (position int64, err error) {
	return positionOf(a.ctx, a.db, a.schema, a.tenant)
}

// positionOf is that of the log which a build of a read model shows.
func positionOf(ctx context.Context, db reader, schema, tenant string) (position int64, err error) {
	err = db.QueryRow(ctx, `select coalesce((select c.position from projection_checkpoints c join projection_builds b on b.id = c.build
		where b.schema = $1 and c.tenant = $2), 0)`, schema, tenant).Scan(&position)
	return position, err
}

const (
	// togetherFor is for how long a snapshot is looked for in which customers and groups are of one position. Each is fed for itself, so while
	// events come in without a pause there may be none.
	togetherFor = 3 * time.Second
	// togetherAgain is after how long it is looked again.
	togetherAgain = 10 * time.Millisecond
)

var errApart = errors.New("projections: customers and groups are not of one position")

// together reports with errApart whether a snapshot has customers and groups of different positions.
func together(ctx context.Context, db reader, tenant, schema string, groups groupFacets) error {
	position, err := positionOf(ctx, db, schema, tenant)
	if err != nil {
		return err
	}
	other, _, err := groups(ctx, db, tenant, nil)
	if err != nil {
		return err
	}
	of, err := positionOf(ctx, db, other, tenant)
	if err == nil && of != position {
		err = errApart
	}
	return err
}

// askTogether is ask, of customers and groups at one position, if there is such a snapshot within togetherFor.
func (c *Customers) askTogether(ctx context.Context, tenant string, l *listing, do func() error) error {
	for until := time.Now().Add(c.together); ; {
		l.together = time.Now().Before(until)
		if err := c.ask(ctx, tenant, l, do); !errors.Is(err, errApart) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("projections: customers: %w", context.Cause(ctx))
		case <-time.After(togetherAgain):
		}
	}
}

func matchSQL(schema, tenant string, ordinals []int64) (string, []any) {
	return in(schema, "select c.id, c.ordinal from $.customer c where c.tenant = $1 and c.ordinal = any($2) order by c.ordinal"), []any{tenant, ordinals}
}

// CountOf counts the customers of a query; sort, limit, cursor and facets do not matter. What sets do not decide is counted for so long
// at most; the count is not exact if there may be more.
func (c *Customers) CountOf(ctx context.Context, tenant string, q ListQuery, within time.Duration) (Count, error) {
	q.Facets = nil
	l := listing{query: &q}
	var count Count
	err := c.ask(ctx, tenant, &l, func() (err error) {
		count, err = l.answer.tell(spend(within))
		return err
	})
	return count, err
}
