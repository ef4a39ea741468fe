package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/customer"
)

// UntagCustomer takes a tag off a customer. Refused: NOT_FOUND, PRECONDITION_FAILED.
type UntagCustomer struct {
	Customer uuid.UUID
	Tag      uuid.UUID
	// IfVersion is the Done.Version that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd UntagCustomer) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who := customerOf(cmd.Customer)
		if err := a.load(ctx, who); err != nil {
			return err
		}
		return a.edit(who, cmd.Customer, cmd.IfVersion, func() ([]customer.Event, error) {
			return who.state.Untag(cmd.Tag)
		})
	})
}
