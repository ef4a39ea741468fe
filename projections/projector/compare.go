package projector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
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

// Compare brings a build and the live one to the same position and clock, table by table, and compares all rows, and who is parked. None means that they are
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
		differences = append(differences, found.differences...)
	}
	return differences, nil
}

// errMoved says that one of the builds was fed between bringing them to one position and looking.
var errMoved = errors.New("projector: a build was fed meanwhile")

// comparison is what was found of one tenant.
type comparison struct {
	position    int64 // at which the last table was compared
	rows        int64 // of the live build, in all tables
	differences []Difference
}

// compareTenant compares one table after the other, each at one position and clock: no snapshot is held for longer than a table takes.
func (p *Projector) compareTenant(ctx context.Context, def *Definition, live, other Build, tenant string) (c comparison, err error) {
	tables, err := p.comparedTables(ctx, def, other)
	if err != nil {
		return c, err
	}
	blank := map[uuid.UUID]bool{} // who was folded anew in both
	for _, table := range tables {
		err := p.together(ctx, def, live, other, tenant, blank, func(tx pgx.Tx, position int64) error {
			d, err := table.compare(ctx, tx, live, other, tenant)
			if err != nil {
				return err
			}
			c.position, c.rows = position, c.rows+d.Rows[0]
			if d.Keys != nil {
				if err := erasedBehind(ctx, tx, tenant, position, blank); err != nil {
					return err
				}
				d.Position = position
				c.differences = append(c.differences, d)
			}
			return nil
		})
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// erasedError says that customers were erased behind the position at which builds are compared. Their keys are destroyed already: what a build has folded
// before that differs from what one has folded since, until both come to the erasure.
type erasedError struct{ customers []uuid.UUID }

func (e *erasedError) Error() string {
	return fmt.Sprintf("projector: %d customers were erased since", len(e.customers))
}

// erasedBehind returns an erasedError if there are such customers who are not blank yet.
func erasedBehind(ctx context.Context, tx pgx.Tx, tenant string, position int64, blank map[uuid.UUID]bool) error {
	rows, err := tx.Query(ctx, `select distinct customer from erasures where tenant = $1 and position > $2`, tenant, position)
	if err != nil {
		return err
	}
	customers, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	customers = slices.DeleteFunc(customers, func(id uuid.UUID) bool { return blank[id] })
	if err == nil && len(customers) > 0 {
		err = &erasedError{customers}
	}
	return err
}

// refoldErased folds customers anew in both builds who are erased further on: so neither knows more of them than the other.
func (p *Projector) refoldErased(ctx context.Context, def *Definition, live, other Build, tenant string, customers []uuid.UUID) error {
	for _, b := range []Build{live, other} {
		for _, id := range customers {
			var still *StillParkedError
			if err := p.newFeeder(def, b, tenant).refold(ctx, id); err != nil && !errors.As(err, &still) { // who is parked is so in both
				return err
			}
		}
	}
	return nil
}

// together looks at both builds in one snapshot in which they are at the same position and clock.
func (p *Projector) together(ctx context.Context, def *Definition, live, other Build, tenant string, blank map[uuid.UUID]bool, look func(tx pgx.Tx, position int64) error) error {
	if err := p.follow(ctx, def, live, other, tenant, newReport(nil)); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		aligned, err := p.align(ctx, def, live, other, tenant)
		if err == nil {
			err = pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
				// The snapshot shows by itself whether they are still where they were brought.
				at, err := standings(ctx, tx, live, other, tenant, "")
				if err == nil && at != aligned {
					err = errMoved
				}
				if err != nil {
					return err
				}
				return look(tx, at[0].position)
			})
		}
		var erased *erasedError
		if errors.As(err, &erased) && !time.Now().After(deadline) {
			if err := p.refoldErased(ctx, def, live, other, tenant, erased.customers); err != nil {
				return err
			}
			for _, id := range erased.customers {
				blank[id] = true
			}
			continue
		}
		if err == nil || !errors.Is(err, errMoved) && !errors.Is(err, ErrBehind) || time.Now().After(deadline) {
			return err
		}
		if errors.Is(err, ErrBehind) {
			if err := p.follow(ctx, def, live, other, tenant, newReport(nil)); err != nil {
				return err
			}
		}
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-pause.C:
		}
	}
}

// follow brings a build that nobody feeds near to where the live one is. It must not get ahead: the two could not be brought together then.
func (p *Projector) follow(ctx context.Context, def *Definition, live, other Build, tenant string, report *report) error {
	if other.Status != StatusVerifying {
		return nil
	}
	position, err := p.checkpoint(ctx, live, tenant)
	if err != nil {
		return err
	}
	f := p.newFeeder(def, other, tenant)
	f.keep = keepBulk
	f.committed = func(tenant string, done int64) { report.set(tenant, done, position) }
	f.folded = f.committed
	if err := f.catchUp(ctx, position); err != nil {
		return err
	}
	return f.tendAll(ctx)
}

// nearly is how far apart two builds may be to be brought to one position while feeding is held up.
const nearly = 2000

// alignMost is how many pieces of work are done while feeding is held up.
const alignMost = 20

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
			for f.position < position {
				s, err := f.read(ctx, f.position, int(position-f.position))
				if err == nil {
					err = f.try(ctx, s)
				}
				if err != nil {
					return err
				}
			}
			if err := f.tendTo(ctx, clock, alignMost); err != nil {
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
