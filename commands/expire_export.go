package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/exports"
)

// ExpireExport records that the file of an export was deleted because its time is over. Before that it changes nothing.
type ExpireExport struct{ Export uuid.UUID }

// Run carries it out.
func (cmd ExpireExport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, exportOf(cmd.Export), cmd.Export, func(s *exports.State) ([]exports.Event, error) { return s.Expire(a.now), nil })
	})
}
