package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
)

// UndoBulk has a bulk action undone, but where what it did was changed since. Refused as in bulk.State.Undo.
type UndoBulk struct{ Bulk uuid.UUID }

// Run carries it out.
func (cmd UndoBulk) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, bulkOf(cmd.Bulk), cmd.Bulk, (*bulk.State).Undo)
	})
}
