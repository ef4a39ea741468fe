package projections

import (
	"context"

	"customercenter/domain/automessage"
)

// AutoMessages is the catalogue of a tenant's auto messages, and the version of its stream.
func (c *Catalogues) AutoMessages(ctx context.Context, tenant string) (automessage.State, int64, error) {
	return read[automessage.State](ctx, c, tenant, automessage.Stream)
}
