package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// DeleteAutoMessage takes an auto message out of the catalogue; what was sent stays in the log.
//
// Refused: NOT_FOUND, PRECONDITION_FAILED; AUTO_MESSAGE_RUNNING until it is stopped.
type DeleteAutoMessage struct {
	AutoMessage uuid.UUID
	// IfVersion is the version of the auto message that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd DeleteAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := autoMessages()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		return a.autoMessage(all, cmd.AutoMessage, cmd.IfVersion, func() ([]automessage.Event, error) {
			return all.state.Delete(cmd.AutoMessage)
		})
	})
}
