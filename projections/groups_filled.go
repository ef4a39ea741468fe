package projections

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Filled reports whether all of these groups, given by their ids, have had their members found by the rules in force, so that who is in them and who
// is not is known; without ids all groups of the tenant. It is false while a rule is being filled: for a revised one, too, the former rule's members
// would be asked, among whom are those whom the revision was to keep out. Groups that have ended, or that the read model has not heard of, do not matter.
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
		filled = !slices.ContainsFunc(rules, func(r servedRule) bool { return r.filling() })
		return err
	})
	return filled && err == nil, err
}
