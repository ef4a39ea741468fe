package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
)

// WithholdAutoMessage notes, with a code, that the channel does not get an auto message that was sent to a customer, because of what
// happened since. What is noted already, or was never sent, changes nothing. It refuses nothing.
type WithholdAutoMessage struct {
	Recipient uuid.UUID
	Code      string
}

// Run carries it out.
func (cmd WithholdAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.recipient(ctx, cmd.Recipient, func(r *automessage.Recipient) []automessage.RecipientEvent { return r.Withhold(cmd.Code) })
	})
}

// recipient adds what follows for one recipient.
func (a *attempt) recipient(ctx context.Context, id uuid.UUID, decide func(*automessage.Recipient) []automessage.RecipientEvent) error {
	to := recipientOf(id)
	if err := a.load(ctx, to); err != nil {
		return err
	}
	a.done.Customer = to.state.Customer
	add(a, to, to.state.Customer, decide(to.state))
	return nil
}

// withheld is the code of why a customer must not get an auto message; empty if nothing speaks against it. Whether the association is still
// there is not looked at.
func withheld(who *customerEntity, a *attempt) string {
	switch {
	case !who.state.Exists, who.state.ExternalID == "": // without one the customer's key is gone
		return domain.CodeNotFound
	case !automessage.Reaches(who.state.Channel):
		return domain.CodeChannelNotReached
	case who.state.Blacklisted(a.now):
		return domain.CodeCustomerBlacklisted
	}
	return ""
}
