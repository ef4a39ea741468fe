package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DropOlder removes all builds that nobody folds anything into: of older versions than these definitions have, those that were given up, and those that a
// process that died has left an hour ago. Nobody takes somebody out of them who is erased. A version that a process feeds, or has fed within two minutes, stays:
// whoever feeds it takes them out, and Folded waits for that.
func DropOlder(ctx context.Context, pool *pgxpool.Pool, definitions []Definition) error {
	for _, d := range definitions {
		rows, err := pool.Query(ctx, `select distinct version from projection_builds where name = $1 and version < $2 and status <> 'as_of'`, d.Name, d.Version)
		if err != nil {
			return fmt.Errorf("projector: older versions: %w", err)
		}
		versions, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return fmt.Errorf("projector: older versions: %w", err)
		}
		for _, version := range versions {
			if err := dropFormer(ctx, pool, d.Name, version, fedLately); err != nil && !errors.Is(err, ErrFed) && !errors.Is(err, ErrNoBuild) {
				return err
			}
		}
		if err := dropGivenUp(ctx, pool, d); err != nil {
			return fmt.Errorf("projector: builds of %s that were given up: %w", d.Name, err)
		}
	}
	return nil
}

// dropGivenUp removes builds beside those that are fed: failed ones, and those that nobody has gone on with for an hour. Not while a process
// builds or verifies that version.
func dropGivenUp(ctx context.Context, pool *pgxpool.Pool, d Definition) error {
	rows, err := pool.Query(ctx, `select `+buildColumns+` from projection_builds b
		where name = $1 and version <= $2 and (status = 'failed'
		or status = 'building' and created_at < now() - interval '1 hour'
		and not exists (select from projection_checkpoints c where c.build = b.id and c.updated_at > now() - interval '1 hour')
		and exists (select from projection_live l where l.name = b.name and l.version = b.version))`, d.Name, d.Version)
	if err != nil {
		return err
	}
	builds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Build])
	if err != nil {
		return err
	}
	for _, b := range builds {
		lock := buildLock(b.Name, b.Version)
		if b.Status == StatusVerifying {
			lock = verifyLock(b.Name, b.Version)
		}
		err := locked(ctx, pool, lock, `select pg_try_advisory_lock($1)`, errAtWork, func() error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `set local lock_timeout = '10s'`); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `delete from projection_builds where id = $1`, b.ID); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `drop schema if exists `+pgx.Identifier{b.Schema}.Sanitize()+` cascade`)
				return err
			})
		})
		if err != nil && !errors.Is(err, errAtWork) {
			return err
		}
	}
	return nil
}

// errAtWork says that a process is at work on builds of that version.
var errAtWork = errors.New("projector: a process is at work on it")

// Folded reports whether all builds that hold rows of a tenant have folded its log up to a position.
func Folded(ctx context.Context, pool *pgxpool.Pool, tenant string, position int64) (folded bool, err error) {
	err = pool.QueryRow(ctx, `select not exists (select from projection_builds b join projection_checkpoints c on c.build = b.id
		where c.tenant = $1 and c.position < $2 and b.status <> 'as_of')`, tenant, position).Scan(&folded)
	if err != nil {
		return false, fmt.Errorf("projector: builds: %w", err)
	}
	return folded, nil
}
