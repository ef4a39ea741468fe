package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// Import is how an import stands by the log, and the version of its stream: 0 if there is none.
func (c *Catalogues) Import(ctx context.Context, tenant string, id uuid.UUID) (imports.State, int64, error) {
	return read[imports.State](ctx, c, tenant, job.Stream(id))
}

// Export is how an export stands by the log, and the version of its stream: 0 if there is none.
func (c *Catalogues) Export(ctx context.Context, tenant string, id uuid.UUID) (exports.State, int64, error) {
	return read[exports.State](ctx, c, tenant, job.Stream(id))
}

// Bulk is how a bulk action stands by the log, and the version of its stream: 0 if there is none.
func (c *Catalogues) Bulk(ctx context.Context, tenant string, id uuid.UUID) (bulk.State, int64, error) {
	return read[bulk.State](ctx, c, tenant, job.Stream(id))
}

// Job is how a job stands by the log, of whatever kind; false if there is none.
func (c *Catalogues) Job(ctx context.Context, tenant string, id uuid.UUID) (j Job, found bool, err error) {
	first, err := c.store.ReadStream(ctx, tenant, job.Stream(id), 0, 1)
	if err != nil {
		return j, false, fmt.Errorf("projections: a job: %w", err)
	}
	opened, err := c.store.Open(ctx, first)
	if err != nil {
		return j, false, fmt.Errorf("projections: a job: %w", err)
	}
	if len(opened) == 0 {
		return j, false, nil
	}
	j.ID, j.Actor = id, opened[0].Envelope.Actor
	j.Kind, _, _ = strings.Cut(opened[0].Type, ".")
	switch j.Kind {
	case job.KindImport:
		state, version, err := c.Import(ctx, tenant, id)
		j.Import, j.Version = &state, version
		return j, true, err
	case job.KindExport:
		state, version, err := c.Export(ctx, tenant, id)
		j.Export, j.Version = &state, version
		return j, true, err
	}
	state, version, err := c.Bulk(ctx, tenant, id)
	j.Bulk, j.Version = &state, version
	return j, true, err
}
