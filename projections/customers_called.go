package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Called is what a customer is called.
type Called struct{ Nickname, ExternalID string }

const calledSQL = `select id, nickname, external_id from $.customer where tenant = $1 and id = any($2)`

// Called tells what customers are called. Whoever is not there is left out.
func (c *Customers) Called(ctx context.Context, tenant string, ids []uuid.UUID) (map[uuid.UUID]Called, error) {
	called := map[uuid.UUID]Called{}
	if len(ids) == 0 {
		return called, nil
	}
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return nil, err
	}
	rows, err := c.pool.Query(ctx, in(build.Schema, calledSQL), planned, tenant, ids)
	if err != nil {
		return nil, fmt.Errorf("projections: names of customers: %w", err)
	}
	var id uuid.UUID
	var one Called
	if _, err := pgx.ForEachRow(rows, []any{&id, &one.Nickname, &one.ExternalID}, func() error { called[id] = one; return nil }); err != nil {
		return nil, fmt.Errorf("projections: names of customers: %w", err)
	}
	return called, nil
}
