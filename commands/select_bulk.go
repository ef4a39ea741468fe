package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
)

// SelectBulk settles whom a bulk action is about; who they are is kept apart. If it was settled before it changes nothing.
type SelectBulk struct {
	Bulk     uuid.UUID
	Selected bulk.Selected
}

// Run carries it out.
func (cmd SelectBulk) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, bulkOf(cmd.Bulk), cmd.Bulk, func(s *bulk.State) ([]bulk.Event, error) { return s.Select(cmd.Selected), nil })
	})
}
