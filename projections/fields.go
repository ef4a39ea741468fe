package projections

import (
	"context"

	"customercenter/domain/field"
)

// Fields is the catalogue of a tenant's fields, and the version of its stream.
func (c *Catalogues) Fields(ctx context.Context, tenant string) (field.State, int64, error) {
	return read[field.State](ctx, c, tenant, field.Stream)
}
