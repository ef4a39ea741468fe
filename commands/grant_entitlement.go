package commands

import (
	"context"
)

// GrantEntitlement lets the tenant use a paid capability. Refused: VALIDATION for one that does not exist.
type GrantEntitlement struct {
	Entitlement string
}

// Run carries it out.
func (cmd GrantEntitlement) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		events, err := own.state.GrantEntitlement(cmd.Entitlement)
		add(a, own, nobody, events)
		return err
	})
}
