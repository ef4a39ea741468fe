package commands

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
)

// AddRecipients puts customers on the list of an auto message, whatever its audience is besides. While it is running they get it at once.
// Who is on the list, or has got it, does not get it again.
//
// Refused: NOT_FOUND; as in automessage.List.Add; VALIDATION at customers[3] for who is no customer, and CHANNEL_NOT_REACHED there for one
// whose channel takes no auto messages. Then nobody is added. Who is on the blacklist may be added, and is left out while that is so.
type AddRecipients struct {
	AutoMessage uuid.UUID
	Customers   []uuid.UUID
}

// Run carries it out.
func (cmd AddRecipients) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, list := autoMessages(), listOf(cmd.AutoMessage)
		if err := a.load(ctx, all); err != nil {
			return err
		}
		if _, found := all.state.Find(cmd.AutoMessage); !found {
			return domain.Refuse(domain.CodeNotFound)
		}
		a.guard(all) // it must not be deleted at the same time
		a.done.AutoMessage = cmd.AutoMessage
		return a.addRecipients(ctx, list, cmd.AutoMessage, cmd.Customers)
	})
}

// addRecipients adds to a list what is to be added.
func (a *attempt) addRecipients(ctx context.Context, list *listEntity, id uuid.UUID, customers []uuid.UUID) error {
	if err := a.load(ctx, list); err != nil {
		return err
	}
	events, err := list.state.Add(id, customers)
	if err != nil || len(events) == 0 {
		return err
	}
	added := events[0].(automessage.RecipientsAdded).Customers
	whos, streams := make([]*customerEntity, len(added)), make([]stream, len(added))
	for i, id := range added {
		whos[i] = customerOf(id)
		streams[i] = whos[i]
	}
	if err := a.load(ctx, streams...); err != nil {
		return err
	}
	for i, who := range whos {
		place := fmt.Sprintf("customers[%d]", slices.Index(customers, added[i]))
		switch {
		case !who.state.Exists:
			return domain.Invalid(place, domain.RuleOneOf)
		case !automessage.Reaches(who.state.Channel):
			return domain.Refuse(domain.CodeChannelNotReached).At(place)
		}
	}
	add(a, list, nobody, events)
	return nil
}
