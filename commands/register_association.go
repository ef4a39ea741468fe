package commands

import (
	"context"

	"customercenter/domain/association"
)

// RegisterAssociation connects an account of a channel. Done.Association is its number; an account that was removed gets the
// number it had. Refused as in association.State.Register.
type RegisterAssociation struct {
	Channel string
	Account string
	Name    string
}

// Run carries it out.
func (cmd RegisterAssociation) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := associations()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Register(cmd.Channel, cmd.Account, cmd.Name)
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		for _, e := range events {
			if registered, ok := e.(association.Registered); ok {
				a.done.Association = registered.Association
			}
		}
		return nil
	})
}
