package commands

import (
	"context"
)

// TransferSession hands a session to another agent. Refused: NOT_FOUND, ID_INVALID, and as in session.State.Transfer.
type TransferSession struct {
	Session SessionRef
	To      string
}

// Run carries it out.
func (cmd TransferSession) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.find(ctx, cmd.Session, false)
		if err != nil {
			return err
		}
		events, err := found.talk.state.Transfer(cmd.To)
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		return err
	})
}
