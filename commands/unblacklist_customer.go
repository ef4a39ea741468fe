package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/customer"
)

// UnblacklistCustomer takes a customer off the blacklist; the next message opens a session again. It is an edit.
// Refused: PRECONDITION_FAILED, and as in customer.State.Unblacklist.
type UnblacklistCustomer struct {
	Customer uuid.UUID
	// IfVersion is the Done.Version that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd UnblacklistCustomer) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who := customerOf(cmd.Customer)
		if err := a.load(ctx, who); err != nil {
			return err
		}
		return a.edit(who, cmd.Customer, cmd.IfVersion, func() ([]customer.Event, error) {
			return who.state.Unblacklist(a.now)
		})
	})
}
