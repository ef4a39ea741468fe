package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// TagUsage tells how many customers carry each of these tags. A tag that nobody carries is absent.
func (c *Customers) TagUsage(ctx context.Context, tenant string, tags []uuid.UUID) (map[uuid.UUID]int64, error) {
	values := make(map[int64]facetValue, len(tags))
	for _, tag := range tags {
		values[facet(facetTag, tag.String())] = facetValue{FacetTags, tag.String()}
	}
	counted := map[string]int64{}
	everybody := listing{query: &ListQuery{}}
	err := c.ask(ctx, tenant, &everybody, func() error {
		a := everybody.answer
		if err := a.loadAll(); err != nil {
			return err
		}
		return a.tally(setTable{a.schema, "customer_bits", "facet"}, values, map[string]map[string]int64{FacetTags: counted})
	})
	if err != nil {
		return nil, fmt.Errorf("projections: tag usage: %w", err)
	}
	usage := make(map[uuid.UUID]int64, len(counted))
	for _, tag := range tags {
		if n := counted[tag.String()]; n > 0 {
			usage[tag] = n
		}
	}
	return usage, nil
}
