package commands

import (
	"context"
)

// SetWeekStart sets the day on which a week begins. Refused: VALIDATION.
type SetWeekStart struct {
	Day string // "monday" … "sunday"
}

// Run carries it out.
func (cmd SetWeekStart) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		events, err := own.state.SetWeekStart(cmd.Day)
		add(a, own, nobody, events)
		return err
	})
}
