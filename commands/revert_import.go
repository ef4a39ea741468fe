package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/imports"
)

// RevertImport has the customers taken back whom an import made and nobody has touched since. Refused as in imports.State.Revert.
type RevertImport struct{ Import uuid.UUID }

// Run carries it out.
func (cmd RevertImport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, importOf(cmd.Import), cmd.Import, (*imports.State).Revert)
	})
}
