package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/customer"
)

// LiftBlacklisting takes a customer off the blacklist whose listing has expired; otherwise nothing changes, so it may be run at any
// time and any number of times. The listing did not count any more: this makes the log say so. It refuses nothing.
type LiftBlacklisting struct {
	Customer uuid.UUID
}

// Run carries it out.
func (cmd LiftBlacklisting) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who := customerOf(cmd.Customer)
		if err := a.load(ctx, who); err != nil {
			return err
		}
		return a.edit(who, cmd.Customer, 0, func() ([]customer.Event, error) {
			return who.state.LiftExpired(a.now)
		})
	})
}
