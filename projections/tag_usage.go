package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// TagUsage tells how many customers carry each of these tags. A tag that nobody carries is absent.
func (c *Customers) TagUsage(ctx context.Context, tenant string, tags []uuid.UUID) (map[uuid.UUID]int64, error) {
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return nil, err
	}
	facets := tagFacets(tags)
	of := make(map[int64]uuid.UUID, len(tags))
	for i, tag := range tags {
		of[facets[i]] = tag
	}
	rows, err := c.pool.Query(ctx, in(build.Schema, `select facet, sum(bit_count(bits))::bigint from $.customer_bits where tenant = $1 and facet = any($2) group by facet`),
		planned, tenant, facets)
	if err != nil {
		return nil, fmt.Errorf("projections: tag usage: %w", err)
	}
	counts := map[uuid.UUID]int64{}
	var set, n int64
	if _, err := pgx.ForEachRow(rows, []any{&set, &n}, func() error { counts[of[set]] = n; return nil }); err != nil {
		return nil, fmt.Errorf("projections: tag usage: %w", err)
	}
	return counts, nil
}
