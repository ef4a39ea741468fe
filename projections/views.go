package projections

import (
	"context"

	"customercenter/domain/view"
)

// Views is the catalogue of a tenant's saved views, everybody's private ones included, and the version of its stream.
func (c *Catalogues) Views(ctx context.Context, tenant string) (view.State, int64, error) {
	return read[view.State](ctx, c, tenant, view.Stream)
}
