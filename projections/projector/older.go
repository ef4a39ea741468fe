package projector

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DropOlder removes builds of older versions than these definitions have, those that were given up, and those that a process that died has left, which nobody
// has folded anything into for an hour: nobody takes somebody out of them who is erased. A program of an older version that is running still has its readers
// fail, and builds them anew at its next start.
func DropOlder(ctx context.Context, pool *pgxpool.Pool, definitions []Definition) error {
	for _, d := range definitions {
		rows, err := pool.Query(ctx, `select `+buildColumns+` from projection_builds
			where name = $1 and (version < $2 and status <> 'as_of' or version = $2 and status = 'failed'
			or version = $2 and status = 'building' and created_at < now() - interval '1 hour'
			and not exists (select from projection_checkpoints c where c.build = projection_builds.id and c.updated_at > now() - interval '1 hour')
			and exists (select from projection_live l where l.name = $1 and l.version = $2))`, d.Name, d.Version)
		if err != nil {
			return fmt.Errorf("projector: older builds: %w", err)
		}
		builds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Build])
		if err != nil {
			return fmt.Errorf("projector: older builds: %w", err)
		}
		for _, b := range builds {
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `set local lock_timeout = '10s'`); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `delete from projection_live where build = $1`, b.ID); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `delete from projection_builds where id = $1`, b.ID); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `drop schema if exists `+pgx.Identifier{b.Schema}.Sanitize()+` cascade`)
				return err
			})
			if err != nil {
				return fmt.Errorf("projector: drop %s: %w", b.Schema, err)
			}
		}
	}
	return nil
}

// Folded reports whether all builds that hold rows of a tenant have folded its log up to a position.
func Folded(ctx context.Context, pool *pgxpool.Pool, tenant string, position int64) (folded bool, err error) {
	err = pool.QueryRow(ctx, `select not exists (select from projection_builds b join projection_checkpoints c on c.build = b.id
		where c.tenant = $1 and c.position < $2 and b.status <> 'as_of')`, tenant, position).Scan(&folded)
	if err != nil {
		return false, fmt.Errorf("projector: builds: %w", err)
	}
	return folded, nil
}
