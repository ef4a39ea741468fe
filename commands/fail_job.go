package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// FailJob says that an import, an export or a bulk action cannot go on. What was done stays. One that is not going on is left as it is.
type FailJob struct {
	Kind string // job.KindImport …
	Job  uuid.UUID
	Code string
	Args map[string]any // of an export
}

// Run carries it out.
func (cmd FailJob) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		switch cmd.Kind {
		case job.KindImport:
			return onJob(ctx, a, importOf(cmd.Job), cmd.Job, func(s *imports.State) ([]imports.Event, error) { return s.Fail(cmd.Code), nil })
		case job.KindExport:
			return onJob(ctx, a, exportOf(cmd.Job), cmd.Job, func(s *exports.State) ([]exports.Event, error) {
				return s.Fail(exports.Failed{Code: cmd.Code, Args: cmd.Args}), nil
			})
		}
		return onJob(ctx, a, bulkOf(cmd.Job), cmd.Job, func(s *bulk.State) ([]bulk.Event, error) { return s.Fail(cmd.Code), nil })
	})
}
