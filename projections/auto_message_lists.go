package projections

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
)

// AutoMessageListed is how many customers were put on the list of an auto message by hand.
func (c *Catalogues) AutoMessageListed(ctx context.Context, tenant string, autoMessage uuid.UUID) (int, error) {
	list, _, err := read[automessage.ListSize](ctx, c, tenant, automessage.ListStream(autoMessage))
	return list.Customers, err
}
