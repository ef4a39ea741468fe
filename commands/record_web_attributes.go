package commands

import (
	"context"

	"customercenter/domain/session"
)

// RecordWebAttributes records what a web visitor's browser told. The session is found as by RecordMessage.
// Refused: NOT_FOUND at session_id or external_id, ID_INVALID, and as in session.State.RecordWebAttributes.
type RecordWebAttributes struct {
	Session SessionRef
	Web     session.WebAttributesRecorded
}

// Run carries it out.
func (cmd RecordWebAttributes) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.findAt(ctx, cmd.Session)
		if err != nil {
			return err
		}
		events, err := found.talk.state.RecordWebAttributes(cmd.Web, a.at(), a.now)
		a.comesAfter(found)
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		return err
	})
}
