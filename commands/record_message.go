package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/session"
)

// RecordMessage is what an agent or the system wrote to a customer. Who tells decides what becomes of it: what a channel reports
// (By.Actor of the kind "channel") has reached the customer already; what an agent writes, told by anybody else, still has to, and the
// policy that sends messages sees to it. Named by its customer, the session is the one in which the
// message was written, which may have ended since; then it is marked late.
//
// Refused: NOT_FOUND at session_id or external_id; SESSION_ENDED, as an agent's message opens nothing; ID_INVALID;
// OCCURRED_IN_FUTURE; and as in session.State.RecordMessage.
type RecordMessage struct {
	Session SessionRef
	Sender  session.Sender // of the kind domain.PartyAgent or domain.PartySystem
	Message Message
}

// Run carries it out.
func (cmd RecordMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		if cmd.Sender.Kind == domain.PartyCustomer {
			return domain.Invalid("message.sender", domain.RuleOneOf) // who comes through ReceiveMessage
		}
		found, err := a.findAt(ctx, cmd.Session)
		if err != nil {
			return err
		}
		events, err := found.talk.state.RecordMessage(cmd.Message.from(cmd.Sender), a.at(), a.now)
		if err != nil {
			return err
		}
		a.comesAfter(found)
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		a.done.Late = found.talk.state.Ended()
		return nil
	})
}

// findAt is find for what has its place in the transcript by when it happened.
func (a *attempt) findAt(ctx context.Context, ref SessionRef) (conversation, error) {
	if ref.ID != uuid.Nil {
		return a.findByID(ctx, ref)
	}
	who, id, open, err := a.findCustomer(ctx, ref.Association, ref.ExternalID)
	if err != nil {
		return conversation{}, err
	}
	place, err := who.state.SessionFor(a.at(), a.now)
	if err != nil {
		return conversation{}, err
	}
	if place.Opens() && len(who.state.Finished) > 0 {
		return conversation{}, domain.Refuse(domain.CodeSessionEnded)
	}
	talk, err := a.session(ctx, place.Session, open)
	return conversation{id: place.Session, talk: talk, who: who, whoseID: id}, err
}
