package projections

import (
	"context"

	"customercenter/domain/tag"
)

// Tags is the catalogue of a tenant's tags, and the version of its stream.
func (c *Catalogues) Tags(ctx context.Context, tenant string) (tag.State, int64, error) {
	return read[tag.State](ctx, c, tenant, tag.Stream)
}
