package commands

import (
	"context"

	"github.com/google/uuid"
)

// DeleteGroup ends a group. Refused: NOT_FOUND, PRECONDITION_FAILED, and GROUP_IN_USE while an auto message is running whose audience depends on it.
type DeleteGroup struct {
	Group uuid.UUID
	// IfVersion is the version of the group that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd DeleteGroup) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, messages := groups(), autoMessages()
		if err := a.load(ctx, all, messages); err != nil {
			return err
		}
		events, err := all.state.Delete(cmd.Group, messages.state.Sending(nil, []uuid.UUID{cmd.Group}))
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.All[cmd.Group].Version); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.guard(messages) // or one could be started at the same time
		a.done.Group = cmd.Group
		return nil
	})
}
