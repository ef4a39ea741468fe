package projections

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Filled reports whether all of these groups, given by their ids, have had their members found at least once, so that who is in none of them
// is known; without ids all groups of the tenant. Groups that have ended, or that the read model has not heard of, do not matter.
func (g *Groups) Filled(ctx context.Context, tenant string, ids []string) (filled bool, err error) {
	var groups []uuid.UUID
	for _, id := range ids {
		group, err := uuid.Parse(id)
		if err != nil {
			return false, fmt.Errorf("projections: the id of a group: %w", err)
		}
		groups = append(groups, group)
	}
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		rules, err := servedRules(ctx, tx, schema, tenant, groups)
		filled = !slices.ContainsFunc(rules, func(r servedRule) bool { return r.served == 0 })
		return err
	})
	return filled && err == nil, err
}
