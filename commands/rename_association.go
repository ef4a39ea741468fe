package commands

import (
	"context"
)

// RenameAssociation changes what people call an association. Refused as in association.State.Rename.
type RenameAssociation struct {
	Association int
	Name        string
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
		add(a, all, nobody, events)
		a.done.Association = cmd.Association
		return nil
	})
}
