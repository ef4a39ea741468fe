package projections

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// GroupChange is an entry into a group, or a leave.
type GroupChange struct {
	ID       uuid.UUID // the same in every build; another change has another one
	Group    uuid.UUID
	Customer uuid.UUID
	Revision int // of the rule that judged; 0 at the end of a group
	Entered  bool
	At       time.Time
	Cause    Cause
}

// ChangesCursor is how far somebody has come with the changes of a tenant. Its zero value is at the beginning.
//
// Changes are numbered in the order in which a build made them; another build has the same ones under other numbers. So there is also an
// instant: all changes before SafeAt are behind the cursor, whatever their numbers.
type ChangesCursor struct {
	Build   int64
	Written int64
	SafeAt  time.Time
	// Of the numbers up to RepeatTo, which the build had when it was met first, those before RepeatFrom are passed over.
	RepeatTo   int64
	RepeatFrom time.Time
}

// ChangesAfter returns the next changes after a cursor, at most limit, and the cursor behind them. Of one customer and group they come in the
// order in which they happened. None is left out; where another build is served than before, some come again.
func (g *Groups) ChangesAfter(ctx context.Context, tenant string, after ChangesCursor, limit int) (changes []GroupChange, behind ChangesCursor, err error) {
	build, err := g.builds.Live(ctx, GroupsName)
	if err != nil {
		return nil, after, err
	}
	behind = after
	err = pgx.BeginTxFunc(ctx, g.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var written int64
		var clock time.Time
		var pending bool // something that happened before the clock may be found later: a rule is being filled, or a customer is parked
		rows, err := tx.Query(ctx, in(build.Schema, `select s.written, c.clock, exists (select from $.group_rule r where r.tenant = $1 and r.served <> r.epoch)
			or exists (select from parked_customers k where k.build = $2 and k.tenant = $1)
			from $.group_state s join projection_checkpoints c on c.build = $2 and c.tenant = s.tenant where s.tenant = $1`), tenant, build.ID)
		if err != nil {
			return err
		}
		if _, err := pgx.ForEachRow(rows, []any{&written, &clock, &pending}, func() error { return nil }); err != nil {
			return err
		}
		if behind.Build != build.ID {
			behind = ChangesCursor{Build: build.ID, SafeAt: after.SafeAt, RepeatTo: written, RepeatFrom: after.SafeAt}
		}
		rows, err = tx.Query(ctx, in(build.Schema, `select written, group_id, customer, revision, entered, at, kind, position from $.group_change
			where tenant = $1 and written > $2 and (written > $3 or at >= $4) order by written limit $5`),
			tenant, behind.Written, behind.RepeatTo, behind.RepeatFrom, limit)
		if err != nil {
			return err
		}
		changes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (GroupChange, error) { return scanGroupChange(row, &behind.Written) })
		if err == nil && len(changes) < limit {
			behind.Written = written
			if clock = clock.UTC(); !pending && clock.After(behind.SafeAt) {
				behind.SafeAt = clock // what comes from now on happened later
			}
		}
		return err
	})
	if err != nil {
		return nil, after, fmt.Errorf("projections: changes of groups: %w", err)
	}
	return changes, behind, nil
}

func scanGroupChange(row pgx.CollectableRow, written *int64) (GroupChange, error) {
	var c GroupChange
	var position int64
	if err := row.Scan(written, &c.Group, &c.Customer, &c.Revision, &c.Entered, &c.At, &c.Cause.Kind, &position); err != nil {
		return c, err
	}
	c.At = c.At.UTC()
	c.Cause.At = c.At
	if position > 0 {
		c.Cause.EventPosition = &position
	}
	c.ID = uuid.NewSHA1(c.Group, []byte(strings.Join([]string{
		c.Customer.String(), strconv.FormatBool(c.Entered), c.Cause.Kind, strconv.FormatInt(position, 10), strconv.FormatInt(c.At.UnixMicro(), 10),
	}, "\x00")))
	return c, nil
}

// WithChanges names the tenants that have changes behind a cursor kept in group_publications, or whose cursor can move otherwise.
func (g *Groups) WithChanges(ctx context.Context) ([]string, error) {
	build, err := g.builds.Live(ctx, GroupsName)
	if err != nil {
		return nil, err
	}
	rows, err := g.pool.Query(ctx, in(build.Schema, `select s.tenant from $.group_state s
		join projection_checkpoints c on c.build = $1 and c.tenant = s.tenant
		left join group_publications p on p.tenant = s.tenant
		where s.written > coalesce(case when p.build = $1 then p.written end, 0) or s.written > 0 and c.clock > p.safe_at + interval '1 minute'
			and not exists (select from parked_customers k where k.build = $1 and k.tenant = s.tenant)
		order by s.tenant`), build.ID)
	if err != nil {
		return nil, fmt.Errorf("projections: changes of groups: %w", err)
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("projections: changes of groups: %w", err)
	}
	return tenants, nil
}
