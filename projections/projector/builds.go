package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status of a build.
const (
	StatusBuilding = "building" // only the process that builds it feeds it
	StatusBeside   = "beside"   // fed as the log grows, but not served
	StatusLive     = "live"     // fed and served
	StatusFailed   = "failed"   // building it was given up
	// StatusVerifying is of a build that is only made to be compared with the live one, see Verify.
	StatusVerifying = "verifying"
	StatusAsOf      = "as_of" // of one tenant up to a moment, see BuildAsOf; it is in no list of builds
)

// Build is one set of tables of a projection, in a schema of its own.
type Build struct {
	ID        int64
	Name      string
	Version   int
	Schema    string
	Status    string
	CreatedAt time.Time
}

var (
	// ErrUnknownProjection says that this binary has no projection of that name.
	ErrUnknownProjection = errors.New("projector: unknown projection")
	// ErrNotBuilt says that the projection's version of this binary has not been built yet, see EnsureBuilt.
	ErrNotBuilt = errors.New("projector: the projection is not built yet")
	// ErrDefinition says that the database holds other tables under this name and version: the definition was changed and its
	// version was not.
	ErrDefinition = errors.New("projector: the tables of the projection changed without a new version")
	// ErrNoBuild says that there is no such build, or that it is not in a state in which this can be done with it.
	ErrNoBuild = errors.New("projector: there is no such build, or not in that state")
)

const buildColumns = `id, name, version, schema, case when verifying then 'verifying' else status end, created_at`

func (p *Projector) queryBuilds(ctx context.Context, where string, args ...any) ([]Build, error) {
	rows, err := p.pool.Query(ctx, `select `+buildColumns+` from projection_builds where status <> 'as_of' and (`+where+`) order by id`, args...)
	if err != nil {
		return nil, fmt.Errorf("projector: builds: %w", err)
	}
	builds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Build])
	if err != nil {
		return nil, fmt.Errorf("projector: builds: %w", err)
	}
	return builds, nil
}

// Builds lists all builds of this binary's version of a projection, oldest first. ErrUnknownProjection.
func (p *Projector) Builds(ctx context.Context, name string) ([]Build, error) {
	def, err := p.definition(name)
	if err != nil {
		return nil, err
	}
	return p.queryBuilds(ctx, `name = $1 and version = $2`, def.Name, def.Version)
}

// Live returns the build that readers of this binary's version use. The answer may be a second old; a build that is replaced stays
// for longer than that. ErrUnknownProjection, ErrNotBuilt.
func (p *Projector) Live(ctx context.Context, name string) (Build, error) {
	def, err := p.definition(name)
	if err != nil {
		return Build{}, err
	}
	p.mu.Lock()
	cached, ok := p.live[name]
	p.mu.Unlock()
	if ok && time.Since(cached.at) < liveFor {
		return cached.build, nil
	}
	builds, err := p.queryBuilds(ctx, `id = (select build from projection_live where name = $1 and version = $2)`, def.Name, def.Version)
	if err != nil {
		return Build{}, err
	}
	if len(builds) == 0 {
		return Build{}, fmt.Errorf("%w: %s version %d", ErrNotBuilt, def.Name, def.Version)
	}
	p.mu.Lock()
	p.live[name] = liveBuild{builds[0], time.Now()}
	p.mu.Unlock()
	return builds[0], nil
}

// liveFor is how long a process believes that a build is the live one.
const liveFor = time.Second

type liveBuild struct {
	build Build
	at    time.Time
}

// fedBuilds remembers which builds are to be fed, for all workers of a process.
type fedBuilds struct {
	mu sync.Mutex
	of map[*Definition]fedBuildsOf
}

type fedBuildsOf struct {
	builds []Build
	at     time.Time
}

// forget has them read anew when they are next asked for.
func (r *fedBuilds) forget(def *Definition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, def)
}

// fedBuilds are the builds that are fed as the log grows, as they were at most a sweep ago.
func (p *Projector) fedBuilds(ctx context.Context, def *Definition) ([]Build, error) {
	p.fed.mu.Lock()
	defer p.fed.mu.Unlock()
	if known, ok := p.fed.of[def]; ok && time.Since(known.at) < p.config.Sweep {
		return known.builds, nil
	}
	builds, err := p.queryBuilds(ctx, `name = $1 and version = $2 and status in ('live', 'beside')`, def.Name, def.Version)
	if err != nil {
		return nil, err
	}
	if p.fed.of == nil {
		p.fed.of = map[*Definition]fedBuildsOf{}
	}
	p.fed.of[def] = fedBuildsOf{builds, time.Now()}
	return builds, nil
}

// create makes a build with its tables, to be built or to be verifying. The first of a version has the plain schema name.
func (p *Projector) create(ctx context.Context, def *Definition, status string) (Build, error) {
	var b Build
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		var id int64
		var taken bool
		if err := tx.QueryRow(ctx, `select nextval(pg_get_serial_sequence('projection_builds', 'id')), exists (select from pg_namespace where nspname = $1)`,
			schemaName(def)).Scan(&id, &taken); err != nil {
			return err
		}
		schema := schemaName(def)
		if taken {
			schema = fmt.Sprintf("%s_b%d", schema, id)
		}
		rows, err := tx.Query(ctx, `insert into projection_builds (id, name, version, schema, status, verifying, fingerprint) overriding system value
			values ($1, $2, $3, $4, 'building', $5, $6) returning `+buildColumns, id, def.Name, def.Version, schema, status == StatusVerifying, def.fingerprint())
		if err != nil {
			return err
		}
		if b, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Build]); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `create schema `+pgx.Identifier{schema}.Sanitize()); err != nil {
			return err
		}
		if err := runIn(ctx, tx, schema, def.Tables); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `select analyze_often($1::text::regnamespace)`, pgx.Identifier{schema}.Sanitize()); err != nil {
			return err
		}
		return isolate(ctx, tx, schema)
	})
	if err != nil {
		return Build{}, fmt.Errorf("projector: create %s version %d: %w", def.Name, def.Version, err)
	}
	return b, nil
}

func schemaName(def *Definition) string { return fmt.Sprintf("%s_v%d", def.Name, def.Version) }

// isolate shows whom package tenancy holds to one tenant only its rows of the tables of a schema.
func isolate(ctx context.Context, tx pgx.Tx, schema string) error {
	_, err := tx.Exec(ctx, `select isolate_schema($1::text::regnamespace)`, pgx.Identifier{schema}.Sanitize())
	return err
}

// runIn runs several statements with a schema in front.
func runIn(ctx context.Context, tx pgx.Tx, schema, sql string) error {
	if _, err := tx.Exec(ctx, `set local search_path = `+pgx.Identifier{schema}.Sanitize()+`, public`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `set local search_path to default`)
	return err
}

// index makes the indexes of a build that has its rows.
func index(ctx context.Context, tx pgx.Tx, def *Definition, b Build) error {
	if def.Indexes == "" {
		return nil
	}
	return runIn(ctx, tx, b.Schema, def.Indexes)
}

// finish makes the indexes of a build that has its rows, and lets it be fed; the first build of its version goes live.
func (p *Projector) finish(ctx context.Context, def *Definition, b Build) (Build, error) {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if err := index(ctx, tx, def, b); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `insert into projection_live (name, version, build) values ($1, $2, $3) on conflict do nothing`, def.Name, def.Version, b.ID)
		if err != nil {
			return err
		}
		b.Status = StatusBeside
		if tag.RowsAffected() == 1 {
			b.Status = StatusLive
		}
		tag, err = tx.Exec(ctx, `update projection_builds set status = $2, changed_at = now() where id = $1 and status = 'building'`, b.ID, b.Status)
		if err == nil && tag.RowsAffected() != 1 {
			err = ErrNoBuild
		}
		return err
	})
	if err != nil {
		return b, fmt.Errorf("projector: finish build %d of %s: %w", b.ID, def.Name, err)
	}
	return b, p.analyze(ctx, b.Schema)
}

// analyze has the planner look at new tables, which have no statistics until autovacuum comes by.
func (p *Projector) analyze(ctx context.Context, schema string) error {
	tables, err := p.tables(ctx, schema)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := p.pool.Exec(ctx, `analyze `+pgx.Identifier{schema, table}.Sanitize()); err != nil {
			return fmt.Errorf("projector: analyze %s: %w", schema, err)
		}
	}
	return nil
}

// tables lists the tables of a schema by name.
func (p *Projector) tables(ctx context.Context, schema string) ([]string, error) {
	rows, err := p.pool.Query(ctx, `select tablename::text from pg_tables where schemaname = $1 order by tablename`, schema)
	if err != nil {
		return nil, fmt.Errorf("projector: tables of %s: %w", schema, err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("projector: tables of %s: %w", schema, err)
	}
	return tables, nil
}
