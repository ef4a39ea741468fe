package commands

import (
	"context"
)

// SetOrderLink sets the template of the link from a customer to their orders; empty removes it. Refused: VALIDATION.
type SetOrderLink struct {
	Template string
}

// Run carries it out.
func (cmd SetOrderLink) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		events, err := own.state.SetOrderLink(cmd.Template)
		add(a, own, nobody, events)
		return err
	})
}
