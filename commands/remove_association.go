package commands

import (
	"context"
)

// RemoveAssociation disconnects an account; its customers stay. Refused: NOT_FOUND, PRECONDITION_FAILED.
type RemoveAssociation struct {
	Association int
	// IfVersion is the version of the association that the caller has seen; 0 for any.
	IfVersion int64
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
		now, _ := all.state.Find(cmd.Association)
		if err := seen(cmd.IfVersion, now.Version); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Association = cmd.Association
		return nil
	})
}
