package commands

import (
	"context"

	"customercenter/domain/settings"
)

// SetAgentAccess says what agents may do in the customer center. It is never refused.
type SetAgentAccess struct {
	Access settings.AgentAccess
}

// Run carries it out.
func (cmd SetAgentAccess) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		events, err := own.state.SetAgentAccess(cmd.Access)
		add(a, own, nobody, events)
		return err
	})
}
