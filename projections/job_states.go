package projections

import (
	"context"

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
