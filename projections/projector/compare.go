package projector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Difference is a table that is not the same in two builds at the same position.
type Difference struct {
	Tenant   string `json:"tenant"`
	Position int64  `json:"position"`
	Table    string `json:"table"`
	// Rows are the numbers of rows in the live build and in the other one.
	Rows [2]int64 `json:"rows"`
	// Keys are the primary keys (without the tenant) of some rows that are not the same: at most ten.
	Keys []string `json:"keys"`
}

// Compare brings a build and the live one to the same position and clock, tenant by tenant, and compares all rows. None means that they are
// equal. Feeding goes on; only the last steps to the same position hold it up. ErrUnknownProjection, ErrNotBuilt, ErrNoBuild, ErrBehind.
func (p *Projector) Compare(ctx context.Context, name string, build int64) ([]Difference, error) {
	def, err := p.definition(name)
	if err != nil {
		return nil, err
	}
	live, err := p.Live(ctx, name)
	if err != nil {
		return nil, err
	}
	others, err := p.queryBuilds(ctx, `id = $1 and name = $2 and version = $3 and status = 'beside'`, build, def.Name, def.Version)
	if err != nil {
		return nil, err
	}
	if len(others) == 0 {
		return nil, ErrNoBuild
	}
	heads, err := p.logHeads(ctx)
	if err != nil {
		return nil, err
	}
	var differences []Difference
	for tenant := range heads {
		found, err := p.compareTenant(ctx, def, live, others[0], tenant)
		if err != nil {
			return nil, fmt.Errorf("projector: compare %s: %w", name, err)
		}
		differences = append(differences, found...)
	}
	return differences, nil
}

// errMoved says that one of the builds was fed between bringing them to one position and looking.
var errMoved = errors.New("projector: a build was fed meanwhile")

func (p *Projector) compareTenant(ctx context.Context, def *Definition, live, other Build, tenant string) (found []Difference, err error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		var aligned [2]standing
		if aligned, err = p.align(ctx, def, live, other, tenant); err == nil {
			// One snapshot over both builds: it shows by itself whether they are still where they were brought.
			err = pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
				found, err = p.differences(ctx, tx, def, live, other, tenant, aligned)
				return err
			})
		}
		if err == nil || !errors.Is(err, errMoved) && !errors.Is(err, ErrBehind) || time.Now().After(deadline) {
			return found, err
		}
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, context.Cause(ctx)
		case <-pause.C:
		}
	}
}

// nearly is how far apart two builds may be to be brought to one position while feeding is held up.
const nearly = 2000

// standing is where a build's checkpoint of a tenant is.
type standing struct {
	position, revision int64
	clock, goal        time.Time
}

// align locks both checkpoints and brings the build that is behind up to exactly where the other is: the position first, then the clock.
func (p *Projector) align(ctx context.Context, def *Definition, live, other Build, tenant string) (at [2]standing, err error) {
	for _, b := range []Build{live, other} {
		if err := p.newFeeder(def, b, tenant).open(ctx); err != nil {
			return at, err
		}
	}
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if at, err = standings(ctx, tx, live, other, tenant, "for update"); err != nil {
			return err
		}
		position := max(at[0].position, at[1].position)
		if position-min(at[0].position, at[1].position) > nearly {
			return ErrBehind
		}
		clock := later(later(at[0].clock, at[0].goal), later(at[1].clock, at[1].goal))
		for _, b := range []Build{live, other} {
			f := p.newFeeder(def, b, tenant)
			f.tx = tx
			if err := f.open(ctx); err != nil {
				return err
			}
			if f.position < position {
				s, err := f.read(ctx, f.position, int(position-f.position))
				if err == nil {
					err = f.try(ctx, s)
				}
				if err != nil {
					return err
				}
			}
			if err := f.tendTo(ctx, clock); err != nil {
				return err
			}
		}
		at, err = standings(ctx, tx, live, other, tenant, "")
		return err
	})
	return at, err
}

// standings reads where both builds are, in the order of their ids while they are locked.
func standings(ctx context.Context, tx pgx.Tx, live, other Build, tenant, lock string) (at [2]standing, err error) {
	rows, err := tx.Query(ctx, `select build, position, revision, clock, goal from projection_checkpoints where tenant = $1 and build in ($2, $3) order by build `+lock,
		tenant, live.ID, other.ID)
	if err != nil {
		return at, err
	}
	var build int64
	var s standing
	_, err = pgx.ForEachRow(rows, []any{&build, &s.position, &s.revision, &s.clock, &s.goal}, func() error {
		s.clock, s.goal = s.clock.UTC(), s.goal.UTC()
		if build == live.ID {
			at[0] = s
		} else {
			at[1] = s
		}
		return nil
	})
	return at, err
}

func (p *Projector) differences(ctx context.Context, tx pgx.Tx, def *Definition, live, other Build, tenant string, aligned [2]standing) ([]Difference, error) {
	at, err := standings(ctx, tx, live, other, tenant, "")
	if err != nil {
		return nil, err
	}
	if at != aligned {
		return nil, errMoved
	}
	tables, err := p.tables(ctx, live)
	if err != nil {
		return nil, err
	}
	var found []Difference
	for _, table := range tables {
		if slices.Contains(def.Aside, table) {
			continue
		}
		d := Difference{Tenant: tenant, Position: at[0].position, Table: table}
		row, err := comparedRow(ctx, tx, def, live, table)
		if err != nil {
			return nil, err
		}
		var sums [2]string
		for i, b := range []Build{live, other} {
			if err := tx.QueryRow(ctx, fmt.Sprintf(`select count(*), coalesce(sum(hashtextextended(%s::text, 0)), 0)::text from %s t where t.tenant = $1`,
				row, pgx.Identifier{b.Schema, table}.Sanitize()), tenant).Scan(&d.Rows[i], &sums[i]); err != nil {
				return nil, err
			}
		}
		if d.Rows[0] == d.Rows[1] && sums[0] == sums[1] {
			continue
		}
		if d.Keys, err = differingKeys(ctx, tx, live, other, table, row, tenant); err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}

// comparedRow is the SQL of what is compared of a row t: all columns but those that the definition sets aside.
func comparedRow(ctx context.Context, tx pgx.Tx, def *Definition, b Build, table string) (string, error) {
	rows, err := tx.Query(ctx, `select attname::text from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
		and $2 || '.' || attname <> all ($3) order by attnum`, pgx.Identifier{b.Schema, table}.Sanitize(), table, def.aside())
	if err != nil {
		return "", err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", err
	}
	for i, c := range columns {
		columns[i] = "t." + pgx.Identifier{c}.Sanitize()
	}
	return "row(" + strings.Join(columns, ", ") + ")", nil
}

// differingKeys names some rows that are not the same in both builds.
func differingKeys(ctx context.Context, tx pgx.Tx, live, other Build, table, row, tenant string) ([]string, error) {
	rows, err := tx.Query(ctx, `select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
		where i.indrelid = $1::regclass and i.indisprimary and a.attname <> 'tenant' order by a.attnum`, pgx.Identifier{live.Schema, table}.Sanitize())
	if err != nil {
		return nil, err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for i, c := range columns {
		columns[i] = "t." + pgx.Identifier{c}.Sanitize()
	}
	one := func(b Build) string {
		return fmt.Sprintf(`select concat_ws(',', %s) as k, hashtextextended(%s::text, 0) as h from %s t where t.tenant = $1`,
			strings.Join(columns, ", "), row, pgx.Identifier{b.Schema, table}.Sanitize())
	}
	rows, err = tx.Query(ctx, fmt.Sprintf(`select k from (%s) l full join (%s) o using (k) where l.h is distinct from o.h order by k limit 10`,
		one(live), one(other)), tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
