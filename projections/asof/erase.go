package asof

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Erase has all schemas of a tenant leave, those with a name too, that were asked for before an instant, and reports whether all are gone. They were
// filled when somebody could be read who was erased since. One that is being built is given up; one that waits for its turn holds nothing yet.
func Erase(ctx context.Context, pool *pgxpool.Pool, tenant string, before time.Time) (gone bool, err error) {
	if _, err := pool.Exec(ctx, `update as_of_schemas set state = 'leaving', changed_at = now()
		where tenant = $1 and created_at < $2 and state in ('ready', 'building')`, tenant, before); err != nil {
		return false, fmt.Errorf("asof: erase: %w", err)
	}
	err = pool.QueryRow(ctx, `select not exists (select from as_of_schemas where tenant = $1 and created_at < $2 and state = 'leaving')`, tenant, before).Scan(&gone)
	if err != nil {
		return false, fmt.Errorf("asof: erase: %w", err)
	}
	return gone, nil
}
