package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"customercenter/domain/filter"
	"customercenter/eventstore"
)

// The first part is behind a fence: under row-level security Postgres uses no index for what is compared with coalesce(), and would read the whole log.
const servedSQL = `select c.position, coalesce(extract(epoch from clock_timestamp() - n.recorded_at), 0)::float8
	from (select coalesce((select position from projection_checkpoints where build = $1 and tenant = $2), 0) as position offset 0) c
	left join lateral (select recorded_at from events where tenant = $2 and position >= c.position + 1 and position <= c.position + 1 order by position offset 0) n on true`

// Served tells how far the live build of a read model has come with a tenant's log, and the age of the oldest event that it has not
// folded; 0 if it has them all. A build that knows nothing of the tenant is at 0.
func Served(ctx context.Context, store *eventstore.Store, builds Builds, name, tenant string) (position int64, behind time.Duration, err error) {
	build, err := builds.Live(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	var seconds float64
	err = store.DB().QueryRow(ctx, servedSQL, build.ID, tenant).Scan(&position, &seconds)
	if err != nil {
		return 0, 0, fmt.Errorf("projections: how far %s is: %w", name, err)
	}
	return position, time.Duration(max(seconds, 0) * float64(time.Second)), nil
}

// Ready reports whether the read models that a filter, in its canonical form, is answered from know all that happened up to a position of the log,
// and whether each group that it names has had its members found by its rule in force. behind is the age of the oldest event that one of them lacks.
func Ready(ctx context.Context, store *eventstore.Store, builds Builds, groups *Groups, tenant string, f json.RawMessage, position int64) (ready bool, behind time.Duration, err error) {
	models := []string{CustomersName}
	mentioned := filter.Mentions(f)
	if mentioned.Field("groups") {
		models = append(models, GroupsName)
	}
	ready = true
	for _, model := range models {
		at, late, err := Served(ctx, store, builds, model, tenant)
		if err != nil {
			return false, 0, err
		}
		ready, behind = ready && at >= position, max(behind, late)
	}
	if !ready || len(models) == 1 {
		return ready, behind, nil
	}
	named := mentioned["groups"]
	if filter.AsksEmpty(f, "groups") {
		named = nil // all of them matter
	}
	ready, err = groups.Filled(ctx, tenant, named)
	return ready, behind, err
}
