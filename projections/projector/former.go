package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/lease"
)

// This file removes what programs have left that are gone: versions of projections that nobody feeds any more.
//
// A process notes now and then that it feeds its versions. Dropping one and finding it live exclude each other: either the note comes first, and it
// stays, or it is gone, and whoever comes builds it anew.

const (
	// fedEvery is how often a process notes that it feeds.
	fedEvery = time.Minute
	// fedLately is for how long after a note a version counts as fed.
	fedLately = 2 * fedEvery
	// formerEvery is how often versions are looked for that have gone, unless they are kept for shorter.
	formerEvery = time.Hour
)

// ErrFed says that a process feeds the version, or did so a moment ago.
var ErrFed = errors.New("projector: a process feeds that version, or did so a moment ago")

// Former is a version of a projection that another program has built.
type Former struct {
	Projection string    `json:"projection"`
	Version    int       `json:"version"`
	FedAt      time.Time `json:"fed_at"`  // when a process last noted that it feeds it, to a minute
	Feeders    int       `json:"feeders"` // processes that feed it now
	Bytes      int64     `json:"bytes"`   // all its tables
}

// Former lists all versions of projections but those of this binary, by name and version.
func (p *Projector) Former(ctx context.Context) ([]Former, error) {
	names, versions := make([]string, 0, len(p.config.Definitions)), make([]int32, 0, len(p.config.Definitions))
	for _, d := range p.config.Definitions {
		names, versions = append(names, d.Name), append(versions, int32(d.Version))
	}
	rows, err := p.pool.Query(ctx, `select b.name, b.version, greatest(max(b.changed_at), max(l.fed_at)), 0, coalesce(sum(s.bytes), 0)::bigint
		from projection_builds b
		left join projection_live l on l.name = b.name and l.version = b.version
		left join lateral (select sum(pg_total_relation_size(c.oid)) as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = b.schema and c.relkind = 'r') s on true
		where b.status <> 'as_of' and not exists (select from unnest($1::text[], $2::int[]) d(name, version) where d.name = b.name and d.version = b.version)
		group by b.name, b.version order by b.name, b.version`, names, versions)
	if err != nil {
		return nil, fmt.Errorf("projector: former versions: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Former])
	if err != nil {
		return nil, fmt.Errorf("projector: former versions: %w", err)
	}
	for i := range all {
		all[i].FedAt = all[i].FedAt.UTC()
		if all[i].Feeders, err = lease.Members(ctx, p.pool, leaseName(all[i].Projection, all[i].Version)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// DropFormer removes all builds of a version that is not this binary's. ErrFed; ErrNoBuild if there is none.
func (p *Projector) DropFormer(ctx context.Context, name string, version int) error {
	if def, err := p.definition(name); err == nil && def.Version == version {
		return ErrNoBuild
	}
	return dropFormer(ctx, p.pool, name, version, fedLately)
}

// dropFormer removes all builds of a version that nobody has fed for some time, in one step. ErrFed, ErrNoBuild.
func dropFormer(ctx context.Context, pool *pgxpool.Pool, name string, version int, unfed time.Duration) error {
	err := locked(ctx, pool, buildLock(name, version), `select pg_try_advisory_lock($1)`, ErrFed, func() error {
		feeders, err := lease.Members(ctx, pool, leaseName(name, version))
		if err != nil {
			return err
		}
		if feeders > 0 {
			return ErrFed
		}
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return dropVersion(ctx, tx, name, version, unfed) })
	})
	if err != nil {
		return fmt.Errorf("projector: drop %s version %d: %w", name, version, err)
	}
	return nil
}

func dropVersion(ctx context.Context, tx pgx.Tx, name string, version int, unfed time.Duration) error {
	// Whoever reads is not waited for longer: others would stand in line behind this.
	if _, err := tx.Exec(ctx, `set local lock_timeout = '10s'`); err != nil {
		return err
	}
	// Who notes that it feeds waits here, and finds it gone.
	if _, err := tx.Exec(ctx, `select from projection_live where name = $1 and version = $2 for update`, name, version); err != nil {
		return err
	}
	var fed *bool
	if err := tx.QueryRow(ctx, `select max(at) > now() - $3::interval from (
		select fed_at as at from projection_live where name = $1 and version = $2
		union all select changed_at from projection_builds where name = $1 and version = $2 and status <> 'as_of') noted`, name, version, unfed).Scan(&fed); err != nil {
		return err
	}
	switch {
	case fed == nil:
		return ErrNoBuild
	case *fed:
		return ErrFed
	}
	const builds = `from projection_builds where name = $1 and version = $2 and status <> 'as_of'`
	for _, sql := range []string{ // checkpoints first, as whoever feeds does
		`delete from projection_checkpoints where build in (select id ` + builds + `)`,
		`delete from projection_live where name = $1 and version = $2`,
	} {
		if _, err := tx.Exec(ctx, sql, name, version); err != nil {
			return err
		}
	}
	rows, err := tx.Query(ctx, `delete `+builds+` returning schema`, name, version)
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		if _, err := tx.Exec(ctx, `drop schema if exists `+pgx.Identifier{schema}.Sanitize()+` cascade`); err != nil {
			return err
		}
	}
	return nil
}

// dropFormers takes part in dropping the former versions that nobody has fed for as long as Config.KeepFormer. One process at a time does so.
func (p *Projector) dropFormers(ctx context.Context) error {
	return lease.Group{
		Pool: p.pool, Name: "projector/former", Partitions: 1,
		Run: func(ctx context.Context, _ int) error {
			for {
				if err := p.dropUnfed(ctx); err != nil && ctx.Err() == nil {
					p.log.Warn("projector: former versions cannot be dropped", "error", err)
				}
				idle := time.NewTimer(max(min(p.config.KeepFormer/4, formerEvery), p.config.Sweep))
				select {
				case <-ctx.Done():
					idle.Stop()
					return nil
				case <-idle.C:
				}
			}
		},
	}.Loop(ctx)
}

// dropUnfed drops each version that is older than one of this binary's that is served, and that nobody has fed for as long as Config.KeepFormer.
func (p *Projector) dropUnfed(ctx context.Context) error {
	former, err := p.Former(ctx)
	if err != nil {
		return err
	}
	for _, f := range former {
		def, unknown := p.definition(f.Projection)
		if unknown != nil || f.Version > def.Version || f.Feeders > 0 || time.Since(f.FedAt) < p.config.KeepFormer {
			continue
		}
		if served, failed := p.isLive(ctx, def); failed != nil || !served {
			err = errors.Join(err, failed)
			continue
		}
		switch dropped := dropFormer(ctx, p.pool, f.Projection, f.Version, p.config.KeepFormer); {
		case dropped == nil:
			p.log.Info("projector: dropped a former version that nobody feeds", "projection", f.Projection, "version", f.Version, "fed_at", f.FedAt, "bytes", f.Bytes)
		case !errors.Is(dropped, ErrFed) && !errors.Is(dropped, ErrNoBuild):
			err = errors.Join(err, dropped)
		}
	}
	return err
}

// noteFeeding notes until the context ends that this process feeds its versions.
func (p *Projector) noteFeeding(ctx context.Context) {
	tick := time.NewTicker(fedEvery)
	defer tick.Stop()
	for {
		if err := p.noteFed(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("projector: it cannot be noted that the projections are fed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// noteFed notes it once. A version that was there and is not, because this process was away for so long that it was dropped, is built anew.
func (p *Projector) noteFed(ctx context.Context) (err error) {
	for i := range p.config.Definitions {
		def := &p.config.Definitions[i]
		p.mu.Lock()
		was := p.found[def.Name]
		p.mu.Unlock()
		live, failed := p.isLive(ctx, def)
		if failed == nil && !live && was {
			p.log.Warn("projector: this version was dropped while nobody fed it, and is built anew", "projection", def.Name, "version", def.Version)
			failed = p.ensure(ctx, def, nil)
			p.fed.forget(def)
		}
		err = errors.Join(err, failed)
	}
	return err
}
