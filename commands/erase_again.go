package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/eventstore"
)

// EraseAgain writes the erasures that the log does not have, because a backup was restored that is older than they are, and returns how many customers
// are erased by that. Their keys are not there. It can be repeated.
func (c *Center) EraseAgain(ctx context.Context) (erased int, err error) {
	all, err := c.store.UnwrittenErasures(ctx)
	if err != nil {
		return 0, fmt.Errorf("commands: erase again: %w", err)
	}
	for _, one := range all {
		by := By{Tenant: one.Tenant, Actor: eventstore.Actor{Kind: "system", ID: "restore"}}
		done, err := c.execute(ctx, by, func(ctx context.Context, a *attempt) error { return a.eraseAgain(ctx, one.Customer) })
		if err != nil {
			return erased, err
		}
		if done.Changed {
			erased++
		}
		// Of a life that the log does not know nothing is left, either.
		if err := c.store.Written(ctx, one); err != nil {
			return erased, fmt.Errorf("commands: erase again: %w", err)
		}
	}
	return erased, nil
}

func (a *attempt) eraseAgain(ctx context.Context, id uuid.UUID) error {
	found, err := a.whom(ctx, id, SessionRef{})
	if err != nil {
		return err
	}
	erased, err := found.who.state.Erase()
	var none *domain.Refusal
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.erase(ctx, &found, erased)
}
