package projections

import (
	"context"

	"customercenter/domain/settings"
)

// Settings are what a tenant has set for itself, and the version of their stream.
func (c *Catalogues) Settings(ctx context.Context, tenant string) (settings.State, int64, error) {
	return read[settings.State](ctx, c, tenant, settings.Stream)
}
