package projections

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Why tells since when and why customers are in a group that they are in, by customer. Of one who has just left it, it tells the last entry; who
// never was in it is not there.
func (g *Groups) Why(ctx context.Context, tenant string, group uuid.UUID, customers []uuid.UUID) (members map[uuid.UUID]Member, err error) {
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		if members, err = whyMembers(ctx, tx, schema, tenant, group, customers); err != nil {
			return err
		}
		for id, m := range members {
			if m.Since.IsZero() {
				delete(members, id)
			}
		}
		return nil
	})
	return members, err
}
