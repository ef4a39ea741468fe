package commands

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/session"
)

// SendMessage is what somebody writes to the customer here, in a session that is going on. It is recorded; that it goes out to the
// channel is what a policy sees to. What was sent elsewhere and is only to be recorded comes through RecordMessage.
//
// Refused, in this order: NOT_FOUND; FORBIDDEN as OnlyOf says; SESSION_NOT_ACCEPTED while nobody has the session; SESSION_ENDED;
// ASSOCIATION_GONE, as nobody would send it on; VALIDATION at agent, id, kind, text, url or name as in session.State.RecordMessage.
type SendMessage struct {
	Session uuid.UUID
	Agent   string // who writes
	Message Message
	OnlyOf  string // if set, the session must be this agent's
}

// Run carries it out.
func (cmd SendMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.find(ctx, SessionRef{ID: cmd.Session}, false)
		if err != nil {
			return err
		}
		if err := mustBeOf(found.talk.state, cmd.OnlyOf); err != nil {
			return err
		}
		switch {
		case found.talk.state.Status == session.StatusWaiting:
			return domain.Refuse(domain.CodeSessionNotAccepted)
		case found.talk.state.Ended(): // whatever the clocks say
			return domain.Refuse(domain.CodeSessionEnded)
		}
		all := associations()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		if _, err := all.state.Active(found.talk.state.Association); err != nil {
			return domain.Refuse(domain.CodeAssociationGone)
		}
		sender := session.Sender{Kind: domain.PartyAgent, ID: cmd.Agent}
		events, err := found.talk.state.RecordMessage(cmd.Message.from(sender), a.at(), a.now)
		if err != nil {
			return asSent(err)
		}
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		return nil
	})
}

// asSent names what is wrong with a message as the command has it.
func asSent(err error) error {
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Location, "message.") {
		return err
	}
	own := *refusal
	if own.Location = strings.TrimPrefix(refusal.Location, "message."); own.Location == "sender" {
		own.Location = "agent"
	}
	return &own
}
