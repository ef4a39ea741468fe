package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/session"
)

// RateSession records a customer's verdict on a session. Named by its customer, it is the latest one; but while that waits for an
// agent, there is nothing in it to judge yet, and the one before is meant.
// Refused: NOT_FOUND at session_id or external_id, ID_INVALID, and as in session.State.Rate.
type RateSession struct {
	Session SessionRef
	Score   int
	Reasons []string
	Comment string
}

// Run carries it out.
func (cmd RateSession) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.find(ctx, cmd.Session, true)
		if err != nil {
			return err
		}
		ended := found.who.state.Finished
		if cmd.Session.ID == uuid.Nil && found.talk.state.Status == session.StatusWaiting && len(ended) > 0 {
			found.id = ended[len(ended)-1].ID
			if found.talk, err = a.session(ctx, found.id, nil); err != nil {
				return err
			}
		}
		events, err := found.talk.state.Rate(session.Rated{Score: cmd.Score, Reasons: cmd.Reasons, Comment: cmd.Comment})
		a.comesAfter(found)
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		return err
	})
}
