package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
)

// CancelBulk stops a bulk action. What was done stays. Refused as in bulk.State.Cancel.
type CancelBulk struct{ Bulk uuid.UUID }

// Run carries it out.
func (cmd CancelBulk) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, bulkOf(cmd.Bulk), cmd.Bulk, (*bulk.State).Cancel)
	})
}
