package commands

import (
	"context"

	"github.com/google/uuid"
)

// DeleteView ends a view. Refused: PRECONDITION_FAILED, and as in view.State.Delete.
type DeleteView struct {
	View uuid.UUID
	// Admin is set if the actor is an admin.
	Admin bool
	// IfVersion is the version of the view that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd DeleteView) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := views()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Delete(cmd.View, by.person(cmd.Admin))
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.All[cmd.View].Version); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.View = cmd.View
		return nil
	})
}
