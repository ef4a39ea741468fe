package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrBehind says that a build is too far behind the live one to be compared with it or served in its place.
var ErrBehind = errors.New("projector: the build has not caught up")

// grace is how long a build that was served stays at least: readers may still ask it.
const grace = 5 * liveFor

// Rebuild folds the whole log into a second build of the same version, beside the live one, and lets it be fed from then on. It is not
// served: see Compare and Switch. What else stands beside is dropped first, the build to roll back to too.
// progress as in EnsureBuilt. ErrUnknownProjection, ErrNotBuilt.
func (p *Projector) Rebuild(ctx context.Context, name string, progress func(done, total int64)) (Build, error) {
	def, err := p.definition(name)
	if err != nil {
		return Build{}, err
	}
	if _, err := p.Live(ctx, name); err != nil {
		return Build{}, err
	}
	var built Build
	err = p.exclusive(ctx, def, func() error {
		others, err := p.queryBuilds(ctx, `name = $1 and version = $2 and status <> 'live' and not verifying`, def.Name, def.Version)
		if err != nil {
			return err
		}
		for _, b := range others {
			if err := p.drop(ctx, b); err != nil {
				return err
			}
		}
		b, err := p.create(ctx, def, StatusBuilding)
		if err == nil {
			err = p.fill(ctx, def, b, progress)
		}
		if err == nil {
			built, err = p.finish(ctx, def, b)
		}
		if err != nil && b.ID != 0 {
			_, mark := p.pool.Exec(context.WithoutCancel(ctx), `update projection_builds set status = 'failed', changed_at = now() where id = $1 and status = 'building'`, b.ID)
			err = errors.Join(err, mark)
		}
		return err
	})
	return built, err
}

// Drop removes a build that is not live. ErrUnknownProjection, ErrNoBuild.
func (p *Projector) Drop(ctx context.Context, name string, build int64) error {
	def, err := p.definition(name)
	if err != nil {
		return err
	}
	return p.exclusive(ctx, def, func() error {
		builds, err := p.queryBuilds(ctx, `id = $3 and name = $1 and version = $2 and status <> 'live' and not verifying`, def.Name, def.Version, build)
		if err != nil {
			return err
		}
		if len(builds) == 0 {
			return ErrNoBuild
		}
		return p.drop(ctx, builds[0])
	})
}

// drop waits until nobody can be reading the build any more, and removes it. Who feeds it finds the checkpoint gone.
func (p *Projector) drop(ctx context.Context, b Build) error {
	var rest float64
	if err := p.pool.QueryRow(ctx, `select greatest(0, extract(epoch from changed_at + $2::interval - now()))::float8 from projection_builds
		where id = $1 and exists (select from projection_live where previous = $1)
		union all select 0 limit 1`, b.ID, grace).Scan(&rest); err != nil {
		return fmt.Errorf("projector: drop build %d: %w", b.ID, err)
	}
	wait := time.NewTimer(time.Duration(rest * float64(time.Second)))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// First nobody feeds it any more, at once, whoever has locked its tables: those who feed it feed others, too, and would stand in line. What dies, or is
	// refused, behind that leaves a build that was given up.
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// Checkpoints first, as whoever feeds does.
		if _, err := tx.Exec(ctx, `delete from projection_checkpoints where build = $1`, b.ID); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `update projection_builds set status = 'failed', changed_at = now() where id = $1 and status <> 'live'`, b.ID)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNoBuild
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("projector: drop build %d: %w", b.ID, err)
	}
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local lock_timeout = '10s'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from projection_builds where id = $1 and status <> 'live'`, b.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `drop schema if exists `+pgx.Identifier{b.Schema}.Sanitize()+` cascade`)
		return err
	})
	if err != nil {
		return fmt.Errorf("projector: drop build %d: %w", b.ID, err)
	}
	return nil
}

// Switch serves another build that stands beside the live one. It waits up to ten seconds until that is as far as the live one. The build
// served until now stays beside it, fed, to go back to. Readers notice within a second and see no error.
// ErrUnknownProjection, ErrNotBuilt, ErrNoBuild, ErrBehind.
func (p *Projector) Switch(ctx context.Context, name string, build int64) error {
	def, err := p.definition(name)
	if err != nil {
		return err
	}
	return p.exclusive(ctx, def, func() error { return p.point(ctx, def, build) })
}

// Rollback serves the build again that was served before the last switch. ErrNoBuild if it is gone; else as Switch.
func (p *Projector) Rollback(ctx context.Context, name string) error {
	def, err := p.definition(name)
	if err != nil {
		return err
	}
	return p.exclusive(ctx, def, func() error {
		var previous *int64
		err := p.pool.QueryRow(ctx, `select previous from projection_live where name = $1 and version = $2`, def.Name, def.Version).Scan(&previous)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotBuilt
		case err != nil:
			return fmt.Errorf("projector: rollback: %w", err)
		case previous == nil:
			return ErrNoBuild
		}
		return p.point(ctx, def, *previous)
	})
}

func (p *Projector) point(ctx context.Context, def *Definition, build int64) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return point(ctx, tx, def, build) })
		switch {
		case err == nil:
			p.mu.Lock()
			delete(p.live, def.Name)
			p.mu.Unlock()
			return nil
		case !errors.Is(err, ErrBehind) || time.Now().After(deadline):
			return fmt.Errorf("projector: switch %s to build %d: %w", def.Name, build, err)
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-pause.C:
		}
	}
}

func point(ctx context.Context, tx pgx.Tx, def *Definition, build int64) error {
	var live int64
	err := tx.QueryRow(ctx, `select build from projection_live where name = $1 and version = $2 for update`, def.Name, def.Version).Scan(&live)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotBuilt
	}
	if err != nil {
		return err
	}
	var known, behind bool
	if err := tx.QueryRow(ctx, `select
		exists (select from projection_builds where id = $3 and name = $4 and version = $5 and status = 'beside'),
		exists (select from projection_checkpoints l where l.build = $1 and l.position >
			coalesce((select n.position from projection_checkpoints n where n.build = $2 and n.tenant = l.tenant), 0))`,
		live, build, build, def.Name, def.Version).Scan(&known, &behind); err != nil {
		return err
	}
	switch {
	case !known:
		return ErrNoBuild
	case behind:
		return ErrBehind
	}
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`update projection_builds set status = 'beside', changed_at = now() where id = $1`, []any{live}},
		{`update projection_builds set status = 'live', changed_at = now() where id = $1`, []any{build}},
		{`update projection_live set build = $3, previous = $4 where name = $1 and version = $2`, []any{def.Name, def.Version, build, live}},
	} {
		if _, err := tx.Exec(ctx, s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}
