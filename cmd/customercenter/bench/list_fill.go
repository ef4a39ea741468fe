package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"customercenter/projections"
	"customercenter/projections/projector"
)

// fill loads the year into an empty database.
func (b *listBench) fill(ctx context.Context) error {
	pool := b.plant.pool
	if _, err := pool.Exec(ctx, `create table if not exists bench_year (customers int not null, ended_at timestamptz not null)`); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	var customers int
	err := pool.QueryRow(ctx, `select customers, ended_at from bench_year`).Scan(&customers, &b.at)
	switch {
	case err == nil && customers != b.Customers:
		return fmt.Errorf("bench: the database holds a list of %d customers, not of %d", customers, b.Customers)
	case err == nil:
		b.report.Tell("the log is there from an earlier run")
		return b.newYear(ctx)
	case !errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("bench: %w", err)
	}
	if err := b.plant.begin(ctx); err != nil {
		return err
	}
	b.at = time.Now().UTC().Truncate(time.Second)
	if err := b.newYear(ctx); err != nil {
		return err
	}
	progress, last := b.progress("log: %d events"), int64(0)
	began := time.Now()
	err = b.plant.store.Load(ctx, b.plant.tenant, b.year.log(), func(head int64) {
		last = head
		progress(head)
	})
	if err = errors.Join(err, b.year.err); err != nil {
		return err
	}
	b.done("log", last, began)
	if err := b.plant.settle(ctx); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, `insert into bench_year values ($1, $2)`, b.Customers, b.at); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

func (b *listBench) newYear(ctx context.Context) error {
	secret, err := b.plant.store.Secret(ctx, b.plant.tenant)
	if err == nil {
		b.year, err = newYear(secret, b.Customers, b.at)
	}
	return err
}

// progress tells how far something is, every five seconds.
func (b *listBench) progress(format string) func(done int64) {
	told := time.Now()
	return func(done int64) {
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			b.report.Tell(format, done)
		}
	}
}

func (b *listBench) done(what string, events int64, began time.Time) {
	took := time.Since(began)
	b.report.Tell("%s: %d events in %s, %.0f a second", what, events, took.Round(100*time.Millisecond), float64(events)/took.Seconds())
}

// models are the read models behind the list, that of the customers first.
func models() []projector.Definition {
	return []projector.Definition{projections.CustomersDefinition(), projections.GroupsDefinition()}
}

// build folds the log into the read models, as the product does when it starts, and copies the rows for the baselines.
func (b *listBench) build(ctx context.Context) (err error) {
	builds, building := errgroup.WithContext(ctx) // side by side: each is at work in the database or in memory, in turn
	wanted := models()
	if b.Ungrouped {
		wanted = wanted[:1]
	} else if strings.Contains("pages", b.Kinds) { // which say who serves whom
		wanted = append(wanted, projections.SessionsDefinition())
	}
	for _, model := range wanted {
		builds.Go(func() error { return b.buildModel(building, model) })
	}
	if err := builds.Wait(); err != nil {
		return err
	}
	if b.engine, err = projector.New(projector.Config{Store: b.plant.store, Definitions: wanted}); err != nil {
		return err
	}
	live, err := b.engine.Live(ctx, projections.CustomersName)
	if err != nil {
		return err
	}
	b.schema = pgx.Identifier{live.Schema}.Sanitize()
	catalogues := projections.NewCatalogues(b.plant.store)
	b.customers = projections.NewCustomers(b.plant.store, b.engine, catalogues)
	b.groups = map[string]uuid.UUID{}
	if !b.Ungrouped {
		b.customers = b.customers.WithGroups(projections.NewGroups(b.plant.store, b.engine, catalogues))
		known, _, err := catalogues.Groups(ctx, b.plant.tenant)
		if err != nil {
			return err
		}
		for id, g := range known.All {
			b.groups[g.Name] = id
		}
		if err := b.wind(ctx); err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	var customers int64
	if err := b.plant.pool.QueryRow(ctx, `select count(*) from `+b.schema+`.customer`).Scan(&customers); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	b.plain = &plain{pool: b.plant.pool, schema: b.schema}
	if b.Alone {
		return nil
	}
	return b.plain.build(ctx, customers, b.report.Tell)
}

// buildModel folds the log into one read model, unless an earlier run has.
func (b *listBench) buildModel(ctx context.Context, model projector.Definition) error {
	engine, err := projector.New(projector.Config{Store: b.plant.store, Definitions: []projector.Definition{model}})
	if err != nil {
		return err
	}
	progress, folded := b.progress("read model "+model.Name+": %d events"), int64(0)
	began := time.Now()
	if err := engine.EnsureBuilt(ctx, func(done, _ int64) {
		folded = done
		progress(done)
	}); err != nil {
		return err
	}
	if folded > 0 {
		b.done("read model "+model.Name+", indexes included", folded, began)
	}
	return nil
}

// wind lets the clock of the groups go on to now, and stops it there: who is in them by then does not change while questions are asked.
func (b *listBench) wind(ctx context.Context) error {
	live, err := b.engine.Live(ctx, projections.GroupsName)
	if err != nil {
		return err
	}
	engine, err := projector.New(projector.Config{Store: b.plant.store, Definitions: []projector.Definition{projections.GroupsDefinition()}})
	if err != nil {
		return err
	}
	began := time.Now()
	fed, stop := running(ctx, engine.Run)
	err = until(fed, often, func() (bool, error) {
		if err := b.plant.pool.QueryRow(ctx, `select clock from projection_checkpoints where build = $1 and tenant = $2`, live.ID, b.plant.tenant).Scan(&b.wound); err != nil {
			return false, fmt.Errorf("bench: clock of the groups: %w", err)
		}
		return b.wound.After(began), nil
	})
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	// It may have moved on before it stopped.
	if err := b.plant.pool.QueryRow(ctx, `select clock from projection_checkpoints where build = $1 and tenant = $2`, live.ID, b.plant.tenant).Scan(&b.wound); err != nil {
		return fmt.Errorf("bench: clock of the groups: %w", err)
	}
	b.report.Tell("groups: the clock has reached now in %s", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// settle does at once what autovacuum would do in the middle of a measurement.
func (b *listBench) settle(ctx context.Context) error {
	rows, err := b.plant.pool.Query(ctx, `select relname::text from pg_class where relnamespace = to_regnamespace($1) and relkind = 'r' order by relname`, b.schema)
	if err != nil {
		return fmt.Errorf("bench: tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("bench: tables: %w", err)
	}
	for _, table := range tables {
		if _, err := b.plant.pool.Exec(ctx, `vacuum (analyze) `+b.schema+`.`+pgx.Identifier{table}.Sanitize()); err != nil {
			return fmt.Errorf("bench: vacuum: %w", err)
		}
	}
	return nil
}
