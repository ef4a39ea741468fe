package commands

import (
	"context"

	"customercenter/domain/session"
)

// CloseSession ends a session; one that nobody accepted is aborted instead. Ending an ended session changes nothing.
// Refused: NOT_FOUND at session_id or external_id, ID_INVALID, FORBIDDEN as OnlyOf says, and as in session.State.Close.
type CloseSession struct {
	Session SessionRef
	By      string // domain.PartyCustomer, PartyAgent or PartySystem
	Cause   string // a short code; may be empty
	OnlyOf  string // if set, the session must be this agent's
}

// Run carries it out.
func (cmd CloseSession) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.end(ctx, cmd.Session, func(s *session.State) ([]session.Event, error) {
			if err := mustBeOf(s, cmd.OnlyOf); err != nil {
				return nil, err
			}
			return s.Close(cmd.By, cmd.Cause)
		})
	})
}

// end appends what ends a session to both streams at once, so that the customer has no unfinished session at the same instant.
func (a *attempt) end(ctx context.Context, ref SessionRef, decide func(*session.State) ([]session.Event, error)) error {
	found, err := a.find(ctx, ref, true)
	if err != nil {
		return err
	}
	ended, err := decide(found.talk.state)
	if err != nil {
		return err
	}
	return a.ended(found, ended)
}

// ended adds what was decided to end a session, if anything, and that its customer has no unfinished session any more.
func (a *attempt) ended(found conversation, ended []session.Event) error {
	a.concerns(found)
	if len(ended) == 0 {
		return nil
	}
	add(a, found.talk, found.whoseID, ended)
	aborted := found.talk.state.Status == session.StatusAborted
	closed, err := found.who.state.CloseSession(found.id, aborted, found.talk.state.LastCustomerMessageAt)
	add(a, found.who, found.whoseID, closed)
	return err
}
