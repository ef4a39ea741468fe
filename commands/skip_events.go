package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/projection"
)

// SkipEvents has a read model go on with a customer without some of the customer's events. Which of them cannot be applied is for whoever runs the
// read model to say. Refused: as in projection.State.SkipEvents.
type SkipEvents struct {
	Customer   uuid.UUID
	Projection string
	Version    int
	Positions  []int64
	Reason     string
}

// Run carries it out.
func (cmd SkipEvents) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := skipped()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.SkipEvents(projection.EventsSkipped{
			Projection: cmd.Projection, Version: cmd.Version, Positions: cmd.Positions, Reason: cmd.Reason,
		})
		add(a, all, cmd.Customer, events)
		a.done.Customer = cmd.Customer
		return err
	})
}
