package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Project measures how fast the read models are filled from a log of simulated traffic, as when it grows (in batches of 500, the log being there
// already) and when they are rebuilt, against one goroutine that reads the log, opens and decodes every event and folds it in memory.
type Project struct {
	URL    string // of an empty database; it is migrated
	Rounds int    // of baseline and product in turn
	Events int    // channel events of which the log is made
}

type projectBench struct {
	Project
	plant *plant
	head  int64
}

const (
	liveBatch   = 500
	rebuildPage = 2000 // events that the baseline reads at once
	tooLong     = 10 * time.Minute
)

// Run prints two lines per read model.
func (p Project) Run(ctx context.Context, report *Report) (err error) {
	b := &projectBench{Project: p}
	if b.plant, err = openPlant(ctx, p.URL, "bench"); err != nil {
		return err
	}
	defer b.plant.close()
	// The tables are made, and served, while there is nothing to fold: so everything below is fed as the log grows.
	for _, d := range projections.Definitions() {
		engine, err := b.projector(d)
		if err == nil {
			err = engine.EnsureBuilt(ctx, nil)
		}
		if err != nil {
			return err
		}
	}
	if b.head, err = b.plant.fill(ctx, p.Events); err != nil {
		return err
	}
	report.Heading("project: %d sealed events of one tenant, against reading, opening and folding in memory by one goroutine", b.head)
	for _, d := range projections.Definitions() {
		if err := b.model(ctx, report, d); err != nil {
			return err
		}
	}
	return nil
}

func (b *projectBench) projector(d projector.Definition) (*projector.Projector, error) {
	return projector.New(projector.Config{Store: b.plant.store, Definitions: []projector.Definition{d}, Batch: liveBatch})
}

// model measures one read model.
func (b *projectBench) model(ctx context.Context, report *Report, d projector.Definition) error {
	var bases, lives, rebuilds []float64
	for range b.Rounds {
		for _, m := range []struct {
			measure func(context.Context, projector.Definition) (time.Duration, error)
			into    *[]float64
		}{{b.inMemory, &bases}, {b.live, &lives}, {b.rebuild, &rebuilds}} {
			took, err := m.measure(ctx, d)
			if err != nil {
				return err
			}
			*m.into = append(*m.into, float64(b.head)/took.Seconds())
		}
	}
	base := Median(bases)
	report.Print(Line{Case: fmt.Sprintf("project %s live, batches of %d", d.Name, liveBatch), Unit: "events/s", Value: Median(lives)}.Against(base))
	report.Print(Line{Case: fmt.Sprintf("project %s rebuild", d.Name), Unit: "events/s", Value: Median(rebuilds)}.Against(base))
	return nil
}

// live empties the tables and feeds them from the first event to the last, with a projector that has just been started.
func (b *projectBench) live(ctx context.Context, d projector.Definition) (time.Duration, error) {
	engine, err := b.projector(d)
	if err != nil {
		return 0, err
	}
	build, err := engine.Live(ctx, d.Name)
	if err != nil {
		return 0, err
	}
	if err := b.empty(ctx, build); err != nil {
		return 0, err
	}
	began := time.Now()
	measured, stop := running(ctx, engine.Run)
	_, fresh, err := engine.WaitFor(measured, d.Name, b.plant.tenant, b.head, tooLong)
	took := time.Since(began)
	if err == nil && !fresh {
		err = fmt.Errorf("bench: %s has not caught up within %s", d.Name, tooLong)
	}
	return took, errors.Join(err, stop())
}

// empty makes a build as if nothing had been folded. Nobody may be feeding it.
func (b *projectBench) empty(ctx context.Context, build projector.Build) error {
	rows, err := b.plant.pool.Query(ctx, `select tablename::text from pg_tables where schemaname = $1`, build.Schema)
	if err != nil {
		return fmt.Errorf("bench: tables of %s: %w", build.Schema, err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("bench: tables of %s: %w", build.Schema, err)
	}
	for _, table := range tables {
		if _, err := b.plant.pool.Exec(ctx, `truncate `+pgx.Identifier{build.Schema, table}.Sanitize()); err != nil {
			return fmt.Errorf("bench: empty %s: %w", build.Schema, err)
		}
	}
	if _, err := b.plant.pool.Exec(ctx, `delete from projection_checkpoints where build = $1`, build.ID); err != nil {
		return fmt.Errorf("bench: empty %s: %w", build.Schema, err)
	}
	return nil
}

// rebuild folds the whole log into tables beside the live ones and makes their indexes. Then, with the clock stopped, it compares both, row by row,
// and drops them.
func (b *projectBench) rebuild(ctx context.Context, d projector.Definition) (time.Duration, error) {
	engine, err := b.projector(d)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	build, err := engine.Rebuild(ctx, d.Name, nil)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	differences, err := engine.Compare(ctx, d.Name, build.ID)
	if err == nil && len(differences) > 0 {
		err = fmt.Errorf("bench: %s is not the same live and rebuilt: table %s", d.Name, differences[0].Table)
	}
	return took, errors.Join(err, engine.Drop(ctx, d.Name, build.ID))
}

// inMemory is the baseline: a page of the log at a time, every event opened, and what the read model shows kept in maps.
func (b *projectBench) inMemory(ctx context.Context, d projector.Definition) (time.Duration, error) {
	began := time.Now()
	fold := newSimpleFold()
	for at := int64(0); at < b.head; {
		events, err := b.plant.store.ReadLog(ctx, b.plant.tenant, at, rebuildPage)
		if err != nil {
			return 0, err
		}
		decoded, err := b.plant.store.Open(ctx, events)
		if err != nil {
			return 0, err
		}
		for i := range decoded {
			fold.apply(d.Name, &decoded[i])
		}
		at = events[len(events)-1].Position
	}
	took := time.Since(began)
	if len(fold.customers)+len(fold.sessions) == 0 {
		return 0, errors.New("bench: the log holds nobody")
	}
	return took, nil
}

// simpleFold is what a read model shows, in maps.
type simpleFold struct {
	customers map[uuid.UUID]*simpleCustomer
	sessions  map[string]*session.State
}

type simpleCustomer struct {
	customer.State
	messages, ratings, sum int
	last                   time.Time
}

func newSimpleFold() *simpleFold {
	return &simpleFold{customers: map[uuid.UUID]*simpleCustomer{}, sessions: map[string]*session.State{}}
}

func (f *simpleFold) apply(model string, e *eventstore.Decoded) {
	switch event := e.Payload.(type) {
	case customer.Event:
		if model == projections.CustomersName {
			f.customer(e).Apply(event, e.OccurredAt())
		}
	case session.Event:
		if model == projections.SessionsName {
			s := f.sessions[e.Stream]
			if s == nil {
				s = new(session.State)
				f.sessions[e.Stream] = s
			}
			s.Apply(event, e.OccurredAt())
			return
		}
		c := f.customer(e)
		switch event := event.(type) {
		case session.MessageRecorded:
			c.messages++
			c.last = e.OccurredAt()
		case session.Rated:
			c.ratings++
			c.sum += event.Score
		}
	}
}

func (f *simpleFold) customer(e *eventstore.Decoded) *simpleCustomer {
	c := f.customers[e.Customer]
	if c == nil {
		c = new(simpleCustomer)
		f.customers[e.Customer] = c
	}
	return c
}
