package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrVerifying says that the projection is being verified already, by this process or another.
var ErrVerifying = errors.New("projector: the projection is being verified already")

// Verification is what the last refold of a tenant's log said of the rows of a build.
type Verification struct {
	Projection  string       `json:"projection"`
	Version     int          `json:"version"`
	Build       int64        `json:"build"`
	Tenant      string       `json:"tenant"`
	Position    int64        `json:"position" doc:"Of the log, at which the last table was compared."`
	Rows        int64        `json:"rows" doc:"Of the build, in all tables that were compared."`
	Differences []Difference `json:"differences" nullable:"false" doc:"Tables that are not what the log says. None: all are."`
	VerifiedAt  time.Time    `json:"verified_at"`
}

// Verify folds the whole log into tables of its own, compares them with those of the live build, and removes them. Both are brought to one
// position and clock for each table; the live build is fed and served all the while, and nothing of it is changed, but that those are folded anew who were
// erased and whose erasure it has not come to. What was found is kept, see
// Verifications; rows that are not what the log says are logged as errors, without what is in them.
//
// One process at a time verifies a projection: ErrVerifying. One that dies leaves tables which the next who verifies anything removes.
// progress as in EnsureBuilt, and once with zeros when it has begun. ErrUnknownProjection, ErrNotBuilt; ErrNoBuild when the live build was replaced and
// removed meanwhile; ErrBehind when there was too much to do in it for too long.
func (p *Projector) Verify(ctx context.Context, name string, progress func(done, total int64)) ([]Verification, error) {
	def, err := p.definition(name)
	if err != nil {
		return nil, err
	}
	if err := p.tidy(ctx); err != nil {
		return nil, err
	}
	var found []Verification
	err = p.verifying(ctx, def.Name, def.Version, func() error {
		live, err := p.Live(ctx, name)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(0, 0)
		}
		found, err = p.verify(ctx, def, live, progress)
		return err
	})
	return found, err
}

// verifying runs work while no other process verifies this version.
func (p *Projector) verifying(ctx context.Context, name string, version int, work func() error) error {
	return locked(ctx, p.pool, verifyLock(name, version), `select pg_try_advisory_lock($1)`, ErrVerifying, work)
}

func verifyLock(name string, version int) string {
	return fmt.Sprintf("projector/verify/%s/%d", name, version)
}

// tidy removes what processes have left that died while they verified, of whichever version.
func (p *Projector) tidy(ctx context.Context) error {
	left, err := p.queryBuilds(ctx, `verifying`)
	if err != nil {
		return err
	}
	for _, b := range left {
		err := p.verifying(ctx, b.Name, b.Version, func() error { return p.drop(ctx, b) })
		if err != nil && !errors.Is(err, ErrVerifying) && !errors.Is(err, ErrNoBuild) {
			return err
		}
	}
	return nil
}

func (p *Projector) verify(ctx context.Context, def *Definition, live Build, progress func(done, total int64)) (found []Verification, err error) {
	other, err := p.create(ctx, def, StatusVerifying)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.drop(context.WithoutCancel(ctx), other)) }()
	heads, err := p.logHeads(ctx)
	if err != nil {
		return nil, err
	}
	report := newReport(progress)
	for tenant := range heads {
		if err := p.follow(ctx, def, live, other, tenant, report); err != nil {
			return nil, err
		}
	}
	if err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return index(ctx, tx, def, other) }); err != nil {
		return nil, fmt.Errorf("projector: index build %d of %s: %w", other.ID, def.Name, err)
	}
	for tenant := range heads {
		c, err := p.compareTenant(ctx, def, live, other, tenant)
		if err == nil {
			var v Verification
			v, err = p.note(ctx, def, live, tenant, c)
			found = append(found, v)
		}
		if err != nil {
			if kept, query := p.queryBuilds(ctx, `id = $1`, live.ID); query == nil && len(kept) == 0 {
				err = ErrNoBuild
			}
			return nil, fmt.Errorf("projector: verify %s: %w", def.Name, err)
		}
	}
	return found, nil
}

// note keeps what was found of a tenant, and says so.
func (p *Projector) note(ctx context.Context, def *Definition, live Build, tenant string, c comparison) (Verification, error) {
	v := Verification{
		Projection: def.Name, Version: def.Version, Build: live.ID, Tenant: tenant,
		Position: c.position, Rows: c.rows, Differences: append([]Difference{}, c.differences...),
	}
	kept, err := json.Marshal(v.Differences)
	if err != nil {
		return v, err
	}
	if err := p.pool.QueryRow(ctx, `insert into projection_verifications (build, tenant, position, rows, differences) values ($1, $2, $3, $4, $5)
		on conflict (build, tenant) do update set position = excluded.position, rows = excluded.rows, differences = excluded.differences, verified_at = excluded.verified_at
		returning verified_at`, live.ID, tenant, v.Position, v.Rows, kept).Scan(&v.VerifiedAt); err != nil {
		return v, err
	}
	log := p.log.With("projection", def.Name, "version", def.Version, "build", live.ID, "tenant", tenant)
	for _, d := range v.Differences {
		log.Error("projector: rows are not what the log says", "table", d.Table, "position", d.Position, "rows", d.Rows[0], "rows_of_the_log", d.Rows[1], "keys", d.Keys)
	}
	log.Info("projector: verified", "position", v.Position, "rows", v.Rows, "differing_tables", len(v.Differences))
	return v, nil
}

// Verifications tells what the last verification said of the live build of a projection, of one tenant or (empty) of all, by tenant.
// ErrUnknownProjection.
func (p *Projector) Verifications(ctx context.Context, name, tenant string) ([]Verification, error) {
	def, err := p.definition(name)
	if err != nil {
		return nil, err
	}
	rows, err := p.pool.Query(ctx, `select l.name, l.version, v.build, v.tenant, v.position, v.rows, v.differences, v.verified_at
		from projection_live l join projection_verifications v on v.build = l.build
		where l.name = $1 and l.version = $2 and (v.tenant = $3 or $3 = '') order by v.tenant`, def.Name, def.Version, tenant)
	if err != nil {
		return nil, fmt.Errorf("projector: verifications: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Verification])
	if err != nil {
		return nil, fmt.Errorf("projector: verifications: %w", err)
	}
	return found, nil
}
