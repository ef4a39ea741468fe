package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/exports"
)

// CancelExport ends the work on a file that nobody wants any more. Refused as in exports.State.Cancel.
type CancelExport struct{ Export uuid.UUID }

// Run carries it out.
func (cmd CancelExport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, exportOf(cmd.Export), cmd.Export, (*exports.State).Cancel)
	})
}
