package commands

import (
	"context"

	"customercenter/domain/session"
)

// AbortSession ends a session that nobody accepted. Refused: NOT_FOUND at session_id or external_id, ID_INVALID, and as in
// session.State.Abort.
type AbortSession struct {
	Session SessionRef
	By      string // domain.PartyCustomer, PartyAgent or PartySystem
	Cause   string // a short code; may be empty
}

// Run carries it out.
func (cmd AbortSession) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.end(ctx, cmd.Session, func(s *session.State) ([]session.Event, error) { return s.Abort(cmd.By, cmd.Cause) })
	})
}
