package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/exports"
)

// DownloadExport records that somebody gets the file of an export: whoever asks. Refused as in exports.State.Download.
type DownloadExport struct{ Export uuid.UUID }

// Run carries it out.
func (cmd DownloadExport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return onJob(ctx, a, exportOf(cmd.Export), cmd.Export, func(s *exports.State) ([]exports.Event, error) { return s.Download(a.now) })
	})
}
