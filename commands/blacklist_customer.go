package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
)

// CauseBlacklisted is the cause of the end of a session that ended because its customer was blacklisted.
const CauseBlacklisted = "blacklisted"

// BlacklistCustomer puts a customer on the blacklist: from now on their messages are suppressed and open no session. It is an edit.
// An unfinished session goes on to its end, unless EndSession ends it in the same append; then Done.Session is that session.
//
// Refused: NOT_FOUND, at session_id or external_id if the customer is named by a session; PRECONDITION_FAILED; ID_INVALID; as in
// customer.State.Blacklist; and FORBIDDEN at end_session as OnlyOf says, after which the customer is not listed either.
type BlacklistCustomer struct {
	// Customer is who is meant; if it is zero, Session says whose session it is, or whose identity.
	Customer   uuid.UUID
	Session    SessionRef
	Reason     string
	ExpiresAt  time.Time // zero: never
	EndSession bool
	OnlyOf     string // if set, a session that is to be ended must be this agent's
	// IfVersion is the Done.Version that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd BlacklistCustomer) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.whom(ctx, cmd.Customer, cmd.Session)
		if err != nil {
			return err
		}
		err = a.edit(found.who, found.whoseID, cmd.IfVersion, func() ([]customer.Event, error) {
			return found.who.state.Blacklist(cmd.Reason, cmd.ExpiresAt, a.now)
		})
		open := found.who.state.Unfinished.ID
		if err != nil || !cmd.EndSession || open == uuid.Nil {
			return err
		}
		if found.talk, err = a.session(ctx, open, found.talk); err != nil {
			return err
		}
		if err := mustBeOf(found.talk.state, cmd.OnlyOf); err != nil {
			return domain.Refuse(CodeForbidden).At("end_session")
		}
		found.id = open
		ended, err := found.talk.state.Close(domain.PartyAgent, CauseBlacklisted)
		if err != nil {
			return err
		}
		return a.ended(found, ended)
	})
}

// whom loads a customer who is named by id or, if that is zero, by a session or identity; and, where it is at hand, a session of theirs.
// Refused: NOT_FOUND at session_id or external_id, ID_INVALID. Whether there is a customer with that id is for the decision to say.
func (a *attempt) whom(ctx context.Context, id uuid.UUID, ref SessionRef) (conversation, error) {
	switch {
	case id != uuid.Nil:
		found := conversation{who: customerOf(id), whoseID: id}
		streams := []stream{found.who}
		if found.talk = a.believed(found.who); found.talk != nil {
			streams = append(streams, found.talk)
		}
		return found, a.load(ctx, streams...)
	case ref.ID != uuid.Nil:
		return a.findByID(ctx, ref)
	}
	who, id, open, err := a.findCustomer(ctx, ref.Association, ref.ExternalID)
	return conversation{talk: open, who: who, whoseID: id}, err
}
