package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
)

// CreateCustomer makes somebody a customer who has not reached out by a channel; Done.Customer is the id.
//
// Refused: NOT_FOUND or ASSOCIATION_GONE at association_id, CUSTOMER_EXISTS at external_id, and as in customer.State.Create.
type CreateCustomer struct {
	Association int
	ExternalID  string
	Profile     customer.Profile
	Tags        []uuid.UUID
}

// Run carries it out.
func (cmd CreateCustomer) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		id, err := a.customerID(ctx, cmd.Association, cmd.ExternalID)
		if err != nil {
			return err
		}
		all, catalogue, who := associations(), tags(), customerOf(id)
		normal, err := a.loadWithFields(ctx, cmd.Profile.Custom, all, catalogue, who)
		if err != nil {
			return err
		}
		connected, err := all.state.Active(cmd.Association)
		if err != nil {
			return err
		}
		a.guard(all)
		if len(cmd.Tags) > 0 {
			a.guard(catalogue) // a tag that is deleted at the same time must not be put on
		}
		return a.create(who, id, customer.New{
			Association: cmd.Association, Channel: connected.Channel, ExternalID: cmd.ExternalID,
			Profile: cmd.Profile, Tags: cmd.Tags, Via: customer.ViaAPI,
		}, catalogue.state.Known, normal)
	})
}

// create begins a customer, with a sealing key of its own in the same append.
func (a *attempt) create(who *customerEntity, id uuid.UUID, n customer.New, known customer.Known, normal customer.Normal) error {
	events, err := who.state.Create(n, known, normal)
	if err != nil {
		return err
	}
	add(a, who, id, events)
	a.keys = append(a.keys, eventstore.NewCustomer{ID: id, Generation: who.state.Generation})
	a.done.Customer, a.done.Version = id, who.edited()
	return nil
}
