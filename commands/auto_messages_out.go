package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
)

// AutoMessageOut is what a channel needs to send an auto message to one customer.
type AutoMessageOut struct {
	Text string
	To   Addressee
	// Withheld is the code of why the channel must not get it after all; empty if it may.
	Withheld string
}

// AutoMessagesOut tells of each of these recipients what to hand to the channel, as it is now: who was erased or put on the blacklist since
// it was sent, or whose association was removed, is left alone. recipients[i] is the id for sent[i].
func (c *Center) AutoMessagesOut(ctx context.Context, tenant string, recipients []uuid.UUID, sent []automessage.Sent) ([]AutoMessageOut, error) {
	a := &attempt{center: c, by: By{Tenant: tenant}, now: c.now()}
	all, connected := autoMessages(), associations()
	whos := make(map[uuid.UUID]*customerEntity, len(sent))
	streams := []stream{all, connected}
	for _, s := range sent {
		if whos[s.Customer] == nil {
			whos[s.Customer] = customerOf(s.Customer)
			streams = append(streams, whos[s.Customer])
		}
	}
	if err := a.load(ctx, streams...); err != nil {
		return nil, err
	}
	out := make([]AutoMessageOut, len(sent))
	for i, s := range sent {
		who := whos[s.Customer]
		out[i].Text, _ = all.state.Text(s.AutoMessage)
		out[i].To = Addressee{
			Customer: s.Customer, Association: who.state.Association, Channel: who.state.Channel, ExternalID: who.state.ExternalID,
		}
		_, gone := connected.state.Active(s.Association)
		switch out[i].Withheld = withheld(who, a); {
		case out[i].Withheld != "":
		case automessage.RecipientID(s.AutoMessage, s.Customer, who.state.Generation) != recipients[i]: // another life of the customer
			out[i].Withheld = domain.CodeNotFound
		case gone != nil:
			out[i].Withheld = domain.CodeAssociationGone
		}
	}
	return out, nil
}
