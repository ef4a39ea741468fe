package commands

import (
	"context"

	"github.com/google/uuid"
)

// DeleteGroup ends a group. Refused: NOT_FOUND, PRECONDITION_FAILED.
type DeleteGroup struct {
	Group uuid.UUID
	// IfVersion is the version of the group that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd DeleteGroup) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := groups()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Delete(cmd.Group)
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.All[cmd.Group].Version); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Group = cmd.Group
		return nil
	})
}
