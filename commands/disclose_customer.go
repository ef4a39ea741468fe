package commands

import (
	"context"

	"github.com/google/uuid"
)

// DiscloseCustomer records that somebody gets all that is known of a customer: whoever asks. Refused as in customer.State.Disclose.
type DiscloseCustomer struct{ Customer uuid.UUID }

// Run carries it out.
func (cmd DiscloseCustomer) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		who := customerOf(cmd.Customer)
		if err := a.load(ctx, who); err != nil {
			return err
		}
		disclosed, err := who.state.Disclose()
		if err != nil {
			return err
		}
		a.done.Customer = cmd.Customer
		add(a, who, cmd.Customer, disclosed)
		return nil
	})
}
