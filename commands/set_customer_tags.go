package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/customer"
)

// SetCustomerTags makes these the customer's tags. Refused: NOT_FOUND, TAG_UNKNOWN, PRECONDITION_FAILED.
type SetCustomerTags struct {
	Customer uuid.UUID
	Tags     []uuid.UUID
	// IfVersion is the Done.Version that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd SetCustomerTags) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who, catalogue := customerOf(cmd.Customer), tags()
		if err := a.load(ctx, who, catalogue); err != nil {
			return err
		}
		a.guard(catalogue) // a tag that is deleted at the same time must not be put on
		return a.edit(who, cmd.Customer, cmd.IfVersion, func() ([]customer.Event, error) {
			return who.state.ReplaceTags(cmd.Tags, catalogue.state.Known)
		})
	})
}
