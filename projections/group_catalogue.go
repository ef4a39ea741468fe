package projections

import (
	"context"

	"customercenter/domain/group"
)

// Groups is the catalogue of a tenant's groups, and the version of its stream. Who is in them is in the read model "groups".
func (c *Catalogues) Groups(ctx context.Context, tenant string) (group.State, int64, error) {
	return read[group.State](ctx, c, tenant, group.Stream)
}
