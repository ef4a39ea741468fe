package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/domain/filter"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// prepare loads the year, builds the read models over it as the product does when it starts, and makes what the parts share.
func (b *groupsBench) prepare(ctx context.Context) error {
	b.list = &listBench{List: List{URL: b.URL, Rounds: b.Rounds, Each: b.Each, Customers: b.Customers}, report: b.report, plant: b.plant}
	if err := b.list.fill(ctx); err != nil {
		return err
	}
	engine, err := projector.New(projector.Config{Store: b.plant.store, Definitions: models()})
	if err != nil {
		return err
	}
	for _, model := range models() {
		if err := b.list.buildModel(ctx, model); err != nil {
			return err
		}
		live, err := engine.Live(ctx, model.Name)
		if err != nil {
			return err
		}
		b.schema = pgx.Identifier{live.Schema}.Sanitize()
		b.list.schema = b.schema
		if err := b.list.settle(ctx); err != nil {
			return err
		}
		if model.Name == projections.CustomersName {
			if err := b.copy(ctx); err != nil {
				return err
			}
		}
	}
	catalogues := projections.NewCatalogues(b.plant.store)
	b.groups = projections.NewGroups(b.plant.store, engine, catalogues)
	b.customers = projections.NewCustomers(b.plant.store, engine, catalogues).WithGroups(b.groups)
	b.list.engine, b.list.customers = engine, b.customers
	zone, err := time.LoadLocation("Asia/Shanghai") // a tenant's, unless it says otherwise
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	b.list.calendar = filter.Calendar{Zone: zone, WeekStart: time.Monday}
	if b.people, err = b.list.whose(ctx, `select id from plainly.customer order by md5(ordinal::text) limit 2000`); err != nil {
		return err
	}
	if err := b.tidy(ctx); err != nil {
		return err
	}
	done, err := commands.CreateTag{Name: fmt.Sprintf("put on meanwhile %d", time.Now().UnixMilli())}.Run(ctx, b.plant.center, b.plant.by())
	if err != nil {
		return fmt.Errorf("bench: tag: %w", err)
	}
	b.tag = done.Tag
	return b.fed(ctx, func(ctx context.Context, _ *projector.Projector) error { return b.now(ctx) })
}

// now is what the list is asked as of.
func (b *groupsBench) now(ctx context.Context) (err error) {
	_, b.list.at, err = b.plant.store.Watermark(ctx, b.plant.tenant)
	return err
}

// copy makes the narrow copy for plain SQL, and a table for members.
func (b *groupsBench) copy(ctx context.Context) error {
	for _, statement := range []string{
		`drop schema if exists plainly cascade`, `create schema plainly`,
		`create table plainly.customer as select c.ordinal, c.id, c.channel, c.association, c.phone, c.created_at, a.session_count, a.last_session_at
			from ` + b.schema + `.customer c join ` + b.schema + `.customer_activity a on a.tenant = c.tenant and a.id = c.id order by c.ordinal`,
		`alter table plainly.customer add primary key (id)`,
		`create table plainly.member (rule text not null, customer uuid not null, primary key (rule, customer))`,
		`create index on plainly.member (customer)`,
		`vacuum (analyze) plainly.customer`,
	} {
		if _, err := b.plant.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("bench: copy: %w", err)
		}
	}
	return nil
}

// plain runs a statement over the copy, with %s for the condition, and tells how long it took and what it counted or changed.
func (b *groupsBench) plain(ctx context.Context, statement string, c condition) (n int64, took time.Duration, err error) {
	if _, err := b.plant.pool.Exec(ctx, `vacuum (analyze) plainly.member`); err != nil {
		return 0, 0, fmt.Errorf("bench: vacuum: %w", err)
	}
	q := c.question()
	began := time.Now()
	done, err := b.plant.pool.Exec(ctx, fmt.Sprintf(statement, q.where), append([]any{pgx.QueryExecModeCacheDescribe}, q.args...)...)
	if err != nil {
		return 0, 0, fmt.Errorf("bench: plain: %w", err)
	}
	return done.RowsAffected(), time.Since(began), nil
}

// counted is how many of the copy a condition matches.
func (b *groupsBench) counted(ctx context.Context, c condition) (n int64, err error) {
	q := c.question()
	err = b.plant.pool.QueryRow(ctx, `select count(*) from plainly.customer where `+q.where, append([]any{pgx.QueryExecModeCacheDescribe}, q.args...)...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("bench: plain count: %w", err)
	}
	return n, nil
}

// tidy ends the groups of an earlier run.
func (b *groupsBench) tidy(ctx context.Context) error {
	known, _, err := projections.NewCatalogues(b.plant.store).Groups(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	own := b.list.year.rules(b.list.at)
	for _, g := range known.Sorted() {
		if _, ofTheYear := own[g.Name]; ofTheYear {
			continue
		}
		if _, err := (commands.DeleteGroup{Group: g.ID}).Run(ctx, b.plant.center, b.plant.by()); err != nil {
			return fmt.Errorf("bench: delete a group: %w", err)
		}
	}
	return nil
}

// jump lets the log say that it is as late as that: a tag is recorded then, and nothing that comes later is recorded earlier. Nobody may append
// meanwhile, and no projector run that sleeps until something is due by the clock on the wall.
func (b *groupsBench) jump(ctx context.Context, at time.Time) error {
	known, version, err := projections.NewCatalogues(b.plant.store).Tags(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	events, err := known.Create(b.list.year.id(at), fmt.Sprintf("jump %d", version))
	if err != nil {
		return fmt.Errorf("bench: tag: %w", err)
	}
	added := eventstore.StreamAppend{Stream: tag.Stream, Version: version}
	for _, e := range events {
		added.Events = append(added.Events, eventstore.NewEvent{Payload: e})
	}
	past := b.list.year.past(at, "system", uuid.Nil, added)
	if err := b.plant.store.Load(ctx, b.plant.tenant, slices.Values([]eventstore.Past{past}), nil); err != nil {
		return err
	}
	return b.now(ctx)
}
