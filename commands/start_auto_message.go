package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// StartAutoMessage begins to send an auto message to whoever belongs to its audience and has not got it yet, until it is stopped.
//
// Refused: NOT_FOUND, PRECONDITION_FAILED. What is so already changes nothing.
type StartAutoMessage struct {
	AutoMessage uuid.UUID
	// IfVersion is the version of the auto message that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd StartAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := autoMessages()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		return a.autoMessage(all, cmd.AutoMessage, cmd.IfVersion, func() ([]automessage.Event, error) {
			return all.state.Start(cmd.AutoMessage)
		})
	})
}
