package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/exports"
)

// DiscardExport ends the work on the file of an export, or records that it was deleted before its time, for a reason that lies in some positions of
// the log: see exports.State.Discard. Where there is no file of them, and nobody works on one, it changes nothing.
type DiscardExport struct {
	Export   uuid.UUID
	Code     string
	From, To int64
}

// Run carries it out.
func (cmd DiscardExport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, exportOf(cmd.Export), cmd.Export, func(s *exports.State) ([]exports.Event, error) { return s.Discard(cmd.Code, cmd.From, cmd.To), nil })
	})
}
