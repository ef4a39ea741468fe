package commands

import (
	"context"
)

// RevokeEntitlement takes a paid capability away. Refused: VALIDATION for one that does not exist.
type RevokeEntitlement struct {
	Entitlement string
}

// Run carries it out.
func (cmd RevokeEntitlement) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		events, err := own.state.RevokeEntitlement(cmd.Entitlement)
		add(a, own, nobody, events)
		return err
	})
}
