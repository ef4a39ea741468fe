package commands

import (
	"context"
)

// AcceptSession gives a waiting session to an agent. Refused: NOT_FOUND, ID_INVALID, and as in session.State.Accept.
type AcceptSession struct {
	Session SessionRef
	Agent   string
}

// Run carries it out.
func (cmd AcceptSession) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.find(ctx, cmd.Session, false)
		if err != nil {
			return err
		}
		events, err := found.talk.state.Accept(cmd.Agent)
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		return err
	})
}
