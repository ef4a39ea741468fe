package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/imports"
)

// CancelImport leaves the rows of an import that are left. What was done stays. Refused as in imports.State.Cancel.
type CancelImport struct{ Import uuid.UUID }

// Run carries it out.
func (cmd CancelImport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, importOf(cmd.Import), cmd.Import, (*imports.State).Cancel)
	})
}
