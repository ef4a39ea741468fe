package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/imports"
)

// UploadImport begins an import of a file whose rows are kept under that id; Done.Job is the id. Refused with Wrong, and as in imports.State.Upload.
type UploadImport struct {
	Import uuid.UUID // a new id
	File   imports.Uploaded
	// Wrong is what is wrong with the file, if anything is: so that a request that is repeated is refused again, as any other.
	Wrong *domain.Refusal
}

// Run carries it out.
func (cmd UploadImport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		if cmd.Wrong != nil {
			return cmd.Wrong
		}
		work, may := importOf(cmd.Import), settingsOf()
		if err := a.load(ctx, work, may); err != nil {
			return err
		}
		events, err := work.state.Upload(cmd.Import, cmd.File, may.state)
		if err != nil {
			return err
		}
		a.guard(may)
		add(a, work, nobody, events)
		a.done.Job = cmd.Import
		return nil
	})
}
