package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// StopAutoMessage ends what StartAutoMessage began. What the log says was sent by then still goes out to the channels.
//
// Refused: NOT_FOUND, PRECONDITION_FAILED. What is so already changes nothing.
type StopAutoMessage struct {
	AutoMessage uuid.UUID
	// IfVersion is the version of the auto message that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd StopAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := autoMessages()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		return a.autoMessage(all, cmd.AutoMessage, cmd.IfVersion, func() ([]automessage.Event, error) {
			return all.state.Stop(cmd.AutoMessage)
		})
	})
}
