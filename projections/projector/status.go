package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Status says how far one build has folded one tenant's log.
type Status struct {
	Projection string  `json:"projection"`
	Version    int     `json:"version"`
	Build      int64   `json:"build"`
	State      string  `json:"state"` // building, beside, live, verifying
	Tenant     string  `json:"tenant"`
	Position   int64   `json:"position"`
	Head       int64   `json:"head"`
	LagEvents  int64   `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds"` // age of the oldest event that is not folded yet
	Parked     int     `json:"parked"`      // customers
	// Stopped says at which event the tenant's projection stands still, and why; empty if it does not.
	Stopped string `json:"stopped,omitempty"`
	// VerifiedAt is when the rows were last compared with the log; nil if they never were. Differing is how many tables were not what it says then.
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
	Differing  int        `json:"differing_tables"`
}

// Status tells about all builds of this binary's projections, by projection, build and tenant.
func (p *Projector) Status(ctx context.Context) ([]Status, error) {
	names, versions := make([]string, 0, len(p.config.Definitions)), make([]int32, 0, len(p.config.Definitions))
	for _, d := range p.config.Definitions {
		names, versions = append(names, d.Name), append(versions, int32(d.Version))
	}
	rows, err := p.pool.Query(ctx, `
		select b.name, b.version, b.id, case when b.verifying then 'verifying' else b.status end, t.slug, coalesce(c.position, 0), h.position, greatest(h.position - coalesce(c.position, 0), 0),
		       coalesce(greatest(extract(epoch from clock_timestamp() - n.recorded_at), 0), 0)::float8,
		       (select count(*)::int from parked_customers k where k.build = b.id and k.tenant = t.slug), coalesce(c.stopped, ''),
		       v.verified_at, coalesce(json_array_length(v.differences), 0)
		from unnest($1::text[], $2::int[]) d(name, version)
		join projection_builds b on b.name = d.name and b.version = d.version and b.status not in ('failed', 'as_of')
		cross join tenants t
		left join projection_checkpoints c on c.build = b.id and c.tenant = t.slug
		left join projection_verifications v on v.build = b.id and v.tenant = t.slug
		cross join lateral (select coalesce((select e.position from events e where e.tenant = t.slug order by e.position desc limit 1), 0) as position) h
		left join lateral (select recorded_at from events where tenant = t.slug and position >= coalesce(c.position, 0) + 1 and position <= coalesce(c.position, 0) + 1
			order by position offset 0) n on true
		order by b.name, b.id, t.slug`, names, versions)
	if err != nil {
		return nil, fmt.Errorf("projector: status: %w", err)
	}
	status, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Status])
	if err != nil {
		return nil, fmt.Errorf("projector: status: %w", err)
	}
	return status, nil
}

// Parked is a customer of whom a build passes over the events, and the event that could not be applied. Its type is "clock" where it was no
// event but the passing of time, or a change that concerns everybody: the position is where the log was then.
type Parked struct {
	Projection string    `json:"projection"`
	Build      int64     `json:"build"`
	Tenant     string    `json:"tenant"`
	Customer   uuid.UUID `json:"customer"`
	Position   int64     `json:"position"`
	Type       string    `json:"type"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
}

// Parked lists the parked customers of a projection's builds, of one tenant or (empty) of all, the latest 1,000.
func (p *Projector) Parked(ctx context.Context, name, tenant string) ([]Parked, error) {
	def, err := p.definition(name)
	if err != nil {
		return nil, err
	}
	rows, err := p.pool.Query(ctx, `select b.name, b.id, k.tenant, k.customer, k.position, k.type, k.reason, k.since
		from parked_customers k join projection_builds b on b.id = k.build
		where b.name = $1 and b.version = $2 and not b.verifying and b.status <> 'as_of' and (k.tenant = $3 or $3 = '')
		order by k.since desc, k.tenant, k.customer limit 1000`, def.Name, def.Version, tenant)
	if err != nil {
		return nil, fmt.Errorf("projector: parked: %w", err)
	}
	parked, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Parked])
	if err != nil {
		return nil, fmt.Errorf("projector: parked: %w", err)
	}
	return parked, nil
}
