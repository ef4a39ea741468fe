package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/exports"
)

// CompleteExport says that the file of an export is there, and can be had from now on for exports.Keep. If nobody waits for it any more, it
// changes nothing.
type CompleteExport struct {
	Export   uuid.UUID
	Position int64 // of the log, at which who matched is in the file
	Rows     int
	Bytes    int64
}

// Run carries it out.
func (cmd CompleteExport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, exportOf(cmd.Export), cmd.Export, func(s *exports.State) ([]exports.Event, error) {
			return s.Complete(exports.Completed{Position: cmd.Position, Rows: cmd.Rows, Bytes: cmd.Bytes, ExpiresAt: a.now.Add(exports.Keep).UTC()}), nil
		})
	})
}
