package policies

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/eventstore"
)

// liftName is the name of the policy, and the id of its actor.
const liftName = "lift-expired-blacklistings"

// dueAtOnce is how many listings are lifted before the log is looked at again.
const dueAtOnce = 100

// lifter takes customers off the blacklist whose listing has expired, so that the log says so. An expired listing does not count from
// its instant on, whether or not it was lifted.
//
// It keeps the listings that will expire in policy_due; a row goes when the log says that the customer is off the list, and not before. So
// a crash at any point repeats the command, which then changes nothing.
type lifter struct {
	pool   *pgxpool.Pool
	center *commands.Center
	log    *slog.Logger
}

func liftExpiredBlacklistings(c Config) *policy {
	l := &lifter{pool: c.Store.Pool(), center: c.Center, log: c.Log}
	return &policy{
		name: liftName, types: []string{customer.Blacklisted{}.EventType(), customer.Unblacklisted{}.EventType(), customer.Erased{}.EventType()},
		note: l.note, due: l.lift,
	}
}

// note remembers when a listing ends.
func (l *lifter) note(d *eventstore.Decoded) []statement {
	if listed, ok := d.Payload.(customer.Blacklisted); ok && listed.ExpiresAt != nil {
		return []statement{{`insert into policy_due (tenant, policy, key, position, due_at, next_at) values ($1, $2, $3, $4, $5, $5)
			on conflict (tenant, policy, key) do update set position = excluded.position, due_at = excluded.due_at, next_at = excluded.next_at`,
			[]any{d.Tenant, liftName, d.Customer.String(), d.Position, *listed.ExpiresAt}}}
	}
	return []statement{{`delete from policy_due where tenant = $1 and policy = $2 and key = $3`, []any{d.Tenant, liftName, d.Customer.String()}}}
}

// expired is a listing that has ended by the database's clock.
type expired struct {
	customer uuid.UUID
	position int64 // of the event that began it
}

// lift lifts what has expired. The command judges by the log as it is then, so who was taken off the list meanwhile, or listed anew,
// is left alone.
func (l *lifter) lift(ctx context.Context, tenant string) (more bool, err error) {
	found, err := l.expired(ctx, tenant)
	if err != nil {
		return false, err
	}
	for _, e := range found {
		by := commands.By{
			Tenant: tenant, Actor: eventstore.Actor{Kind: "policy", ID: liftName},
			Cause: tenant + ":" + strconv.FormatInt(e.position, 10),
		}
		done, err := commands.LiftBlacklisting{Customer: e.customer}.Run(ctx, l.center, by)
		var refusal *domain.Refusal
		switch {
		case err != nil && !errors.As(err, &refusal):
			return false, fmt.Errorf("policies: lift: %w", err)
		case err != nil:
			l.log.ErrorContext(ctx, "policies: an expired listing cannot be lifted", "tenant", tenant, "customer", e.customer, "error", err)
		}
		if !done.Changed {
			// Either the log is ahead of us, and will tell; or this process's clock is behind the database's.
			if err := l.postpone(ctx, tenant, e); err != nil {
				return false, err
			}
		}
	}
	return len(found) == dueAtOnce, nil
}

const expiredSQL = `select key::uuid, position from policy_due where ` + isDue + ` order by next_at limit $3`

func (l *lifter) expired(ctx context.Context, tenant string) ([]expired, error) {
	rows, err := l.pool.Query(ctx, expiredSQL, planned, tenant, liftName, dueAtOnce)
	if err != nil {
		return nil, fmt.Errorf("policies: due: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (expired, error) {
		var e expired
		err := row.Scan(&e.customer, &e.position)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("policies: due: %w", err)
	}
	return found, nil
}

// postpone puts off what could not be lifted: for a second at first, and longer the longer it is due.
func (l *lifter) postpone(ctx context.Context, tenant string, e expired) error {
	_, err := l.pool.Exec(ctx, `update policy_due
		set next_at = clock_timestamp() + least(interval '1 hour', greatest(interval '1 second', (clock_timestamp() - due_at) / 4))
		where tenant = $1 and policy = $2 and key = $3 and position = $4`, planned, tenant, liftName, e.customer.String(), e.position)
	if err != nil {
		return fmt.Errorf("policies: postpone: %w", err)
	}
	return nil
}
