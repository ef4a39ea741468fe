package commands

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
)

// CauseErased is the cause of the end of a session that ended because its customer was erased.
const CauseErased = "erased"

// EraseCustomer ends being a customer, and destroys the keys of all that the log knows of the person, in one append; an unfinished session ends in it,
// too. Whoever was withdrawn can be erased as well. What is kept beside the log is removed afterwards, by the policy that erases. The same visitor may
// come back, as a new customer under the same id.
//
// Refused: NOT_FOUND as in customer.State.Erase; VALIDATION at confirm if that is not the customer's external id.
type EraseCustomer struct {
	Customer uuid.UUID
	// Confirm is the customer's external id, in any spelling that its channel allows.
	Confirm string
}

// Run carries it out.
func (cmd EraseCustomer) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.whom(ctx, cmd.Customer, SessionRef{})
		if err != nil {
			return err
		}
		erased, err := found.who.state.Erase()
		if err != nil {
			return err
		}
		if err := a.confirms(ctx, found, cmd.Confirm); err != nil {
			return err
		}
		return a.erase(ctx, &found, erased)
	})
}

// erase adds what was decided to erase somebody, and before that the end of the unfinished session, if there is one.
func (a *attempt) erase(ctx context.Context, found *conversation, erased []customer.Event) (err error) {
	if open := found.who.state.Unfinished.ID; open != uuid.Nil {
		if found.talk, err = a.session(ctx, open, found.talk); err != nil {
			return err
		}
		found.id = open
		ended, err := found.talk.state.Close(domain.PartySystem, CauseErased)
		if err == nil {
			err = a.ended(*found, ended)
		}
		if err != nil {
			return err
		}
	}
	a.done.Customer = found.whoseID
	add(a, found.who, found.whoseID, erased)
	return nil
}

// confirms refuses an external id that is not the customer's: nobody is erased by a wrong click. Of whoever was withdrawn the id tells it.
func (a *attempt) confirms(ctx context.Context, found conversation, externalID string) error {
	wrong := domain.Invalid("confirm", domain.RuleConfirm)
	who := found.who.state
	given, err := customer.NormalizeExternalID(who.Channel, externalID)
	if err != nil {
		return wrong
	}
	if who.Exists && who.ExternalID != "" {
		if given != who.ExternalID {
			return wrong
		}
		return nil
	}
	secret, err := a.center.store.Secret(ctx, a.by.Tenant)
	if err != nil {
		return fmt.Errorf("commands: %w", err)
	}
	if customer.ID(secret, who.Association, who.Channel, given) != found.whoseID {
		return wrong
	}
	return nil
}
