package projections

import (
	"context"

	"customercenter/domain/association"
)

// Associations are the accounts connected to a tenant, removed ones included, and the version of their stream.
func (c *Catalogues) Associations(ctx context.Context, tenant string) (association.State, int64, error) {
	return read[association.State](ctx, c, tenant, association.Stream)
}
