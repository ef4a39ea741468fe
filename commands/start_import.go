package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/imports"
)

// StartImport has the rows of an import dealt with; with DryRun it is only found out what each would do. Refused as in imports.State.Start.
type StartImport struct {
	Import uuid.UUID
	DryRun bool
}

// Run carries it out.
func (cmd StartImport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		may := settingsOf()
		return onJob(ctx, a, importOf(cmd.Import), cmd.Import, func(s *imports.State) ([]imports.Event, error) {
			events, err := s.Start(cmd.DryRun, may.state)
			a.guard(may)
			return events, err
		}, may)
	})
}
