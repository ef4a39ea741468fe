package commands

import (
	"context"
	"time"
)

// SetTimeZone sets the zone in which the tenant counts days. Refused as in settings.State.SetTimeZone.
type SetTimeZone struct {
	TimeZone string // IANA name
}

// Run carries it out.
func (cmd SetTimeZone) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		own := settingsOf()
		if err := a.load(ctx, own); err != nil {
			return err
		}
		events, err := own.state.SetTimeZone(cmd.TimeZone, time.LoadLocation)
		add(a, own, nobody, events)
		return err
	})
}
