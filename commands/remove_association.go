package commands

import (
	"context"
)

// RemoveAssociation disconnects an account; its customers stay. Refused: NOT_FOUND.
type RemoveAssociation struct {
	Association int
}

// Run carries it out.
func (cmd RemoveAssociation) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := associations()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Remove(cmd.Association)
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Association = cmd.Association
		return nil
	})
}
