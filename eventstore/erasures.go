package eventstore

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Unwritten is an erasure that the log does not have, because a backup was restored that is older than it is. The customer's keys are not there.
type Unwritten struct {
	Tenant   string
	Customer uuid.UUID
}

// UnwrittenErasures lists them.
func (s *Store) UnwrittenErasures(ctx context.Context) ([]Unwritten, error) {
	rows, err := s.db.Query(ctx, `select distinct tenant, customer from erasures where position = 0`)
	if err != nil {
		return nil, fmt.Errorf("eventstore: erasures: %w", unavailable(err))
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Unwritten])
	if err != nil {
		return nil, fmt.Errorf("eventstore: erasures: %w", unavailable(err))
	}
	return all, nil
}

// Written says that nothing is left to be written of a customer's erasures.
func (s *Store) Written(ctx context.Context, u Unwritten) error {
	if _, err := s.db.Exec(ctx, `delete from erasures where tenant = $1 and customer = $2 and position = 0`, u.Tenant, u.Customer); err != nil {
		return fmt.Errorf("eventstore: erasures: %w", unavailable(err))
	}
	return nil
}
