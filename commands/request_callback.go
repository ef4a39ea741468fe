package commands

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
)

// RequestCallback opens a session towards a customer: at once in processing, owned by the agent, marked as a callback. Done has the
// session and the customer. A text, if any, is recorded as the agent's first message in the same append, and goes out by the policy
// that sends messages.
//
// Refused, in this order: VALIDATION at agent; NOT_FOUND; ASSOCIATION_GONE at association_id; CUSTOMER_BLACKLISTED, SESSION_OPEN and
// CHANNEL_WINDOW_CLOSED as in customer.State.MayBeCalledBack; VALIDATION at text.
type RequestCallback struct {
	Customer uuid.UUID
	Agent    string
	Text     string // empty for none
}

// Run carries it out.
func (cmd RequestCallback) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, cmd.decide)
}

func (cmd RequestCallback) decide(ctx context.Context, a *attempt) error {
	if cmd.Agent == "" {
		return domain.Invalid("agent", domain.RuleRequired) // without an agent it would be the customer's session
	}
	all, who := associations(), customerOf(cmd.Customer)
	if err := a.load(ctx, all, who); err != nil {
		return err
	}
	if !who.state.Exists {
		return domain.Refuse(domain.CodeNotFound)
	}
	connected, err := all.state.Active(who.state.Association)
	if err != nil {
		return err
	}
	if err := a.mayBeCalledBack(ctx, who, cmd.Customer); err != nil {
		return err
	}
	a.guard(all) // nothing begins through an association behind its removal in the log
	found := conversation{who: who, whoseID: cmd.Customer}
	err = a.open(&found, session.New{
		Customer: cmd.Customer, Association: who.state.Association, Channel: connected.Channel, CallbackBy: cmd.Agent,
	})
	if err != nil {
		return err
	}
	a.concerns(found)
	if cmd.Text == "" {
		return nil
	}
	message := Message{ID: callbackMessage(found.id), Kind: session.KindText, Text: cmd.Text}
	from := session.Sender{Kind: domain.PartyAgent, ID: found.talk.state.Agent}
	recorded, err := found.talk.state.RecordMessage(message.from(from), a.at(), a.now)
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && refusal.Location == "message.text" {
		return refusal.At("text")
	}
	if err != nil {
		return err
	}
	add(a, found.talk, found.whoseID, recorded)
	return nil
}

// mayBeCalledBack asks the customer. Before a channel's window is said to be closed it looks for what the customer's stream does not
// know: what they wrote while they were blacklisted, and late messages, which the channel counts as any other. That can only open
// the window, so nothing has to be guarded.
func (a *attempt) mayBeCalledBack(ctx context.Context, who *customerEntity, id uuid.UUID) error {
	err := who.state.MayBeCalledBack(a.now)
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Code != domain.CodeChannelWindowClosed {
		return err
	}
	dropped := suppressedOf(id)
	streams := []stream{dropped}
	var talks []*sessionEntity
	for _, ended := range who.state.Finished {
		if a.now.Before(ended.ClosedAt.Add(customer.WechatWindow)) { // late messages were written before the end
			talk := sessionOf(ended.ID)
			talks, streams = append(talks, talk), append(streams, talk)
		}
	}
	if err := a.load(ctx, streams...); err != nil {
		return err
	}
	known := who.state.Clone()
	known.Wrote(dropped.state.LastAt)
	for _, talk := range talks {
		known.Wrote(talk.state.LastCustomerMessageAt)
	}
	return known.MayBeCalledBack(a.now)
}

// callbackMessage is the id of the message that opens a callback. It follows from the session's, as there is one at most.
func callbackMessage(session uuid.UUID) string {
	return uuid.NewSHA1(session, []byte("callback")).String()
}
