package projections

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// AutoMessageList is who was put on the list of an auto message by hand.
func (c *Catalogues) AutoMessageList(ctx context.Context, tenant string, autoMessage uuid.UUID) (automessage.List, error) {
	list, _, err := read[automessage.List](ctx, c, tenant, automessage.ListStream(autoMessage))
	return list, err
}
