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
		return a.importing(ctx, cmd.Import, func(s *imports.State) ([]imports.Event, error) {
			events, err := s.Start(cmd.DryRun, may.state)
			a.guard(may)
			return events, err
		}, may)
	})
}

// importing loads an import, and others with it, and appends what is decided.
func (a *attempt) importing(ctx context.Context, id uuid.UUID, decide func(*imports.State) ([]imports.Event, error), others ...stream) error {
	work := importOf(id)
	if err := a.load(ctx, append(others, work)...); err != nil {
		return err
	}
	events, err := decide(work.state)
	if err != nil {
		return err
	}
	add(a, work, nobody, events)
	a.done.Job = id
	return nil
}
