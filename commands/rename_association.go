package commands

import (
	"context"
)

// RenameAssociation changes what people call an association. Refused: PRECONDITION_FAILED, and as in
// association.State.Rename.
type RenameAssociation struct {
	Association int
	Name        string
	// IfVersion is the version of the association that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd RenameAssociation) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := associations()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Rename(cmd.Association, cmd.Name)
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
