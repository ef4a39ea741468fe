package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Groups measures how groups keep themselves, over the year of the list: how long a rule takes that 30 % of the customers match, how long
// a midnight takes at which 5 % of them change, how soon an event is seen meanwhile, and whether a build from zero is the same.
type Groups struct {
	URL       string // as of List
	Customers int
}

type groupsBench struct {
	*listBench
	groups *projections.Groups
	ahead  atomic.Int64 // how far the clock is ahead, in nanoseconds
	live   string       // schema
	some   []uuid.UUID  // customers
	edits  int
	stop   func() error // see feed
}

// Run prints one line per figure.
func (g Groups) Run(ctx context.Context, report *Report) (err error) {
	list := &listBench{List: List{URL: g.URL, Customers: g.Customers}, report: report}
	if list.plant, err = connectPlant(ctx, g.URL, "bench"); err != nil {
		return err
	}
	defer list.plant.close()
	if err := list.fill(ctx); err != nil {
		return err
	}
	b := &groupsBench{listBench: list}
	if err := b.build(ctx); err != nil {
		return err
	}
	report.Heading("groups: %d customers", g.Customers)
	b.feed(ctx)
	err = b.figures(ctx)
	return errors.Join(err, b.stop())
}

// feed keeps the read model up to date until stop is called.
func (b *groupsBench) feed(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	fed := make(chan error, 1)
	go func() { fed <- b.engine.Run(ctx) }()
	b.stop = func() error {
		cancel()
		return <-fed
	}
}

// build folds the log, as the product does when it starts.
func (b *groupsBench) build(ctx context.Context) (err error) {
	b.engine, err = projector.New(projector.Config{
		Store: b.plant.store, Definitions: []projector.Definition{projections.GroupsDefinition()},
		Watermark: func(ctx context.Context, tenant string) (int64, time.Time, error) {
			head, at, err := b.plant.store.Watermark(ctx, tenant)
			return head, at.Add(time.Duration(b.ahead.Load())), err
		},
	})
	if err != nil {
		return err
	}
	progress, folded := b.progress("read model groups: %d events"), int64(0)
	began := time.Now()
	err = b.engine.EnsureBuilt(ctx, func(done, _ int64) { folded = done; progress(done) })
	if err != nil {
		return err
	}
	if folded > 0 {
		rate := float64(folded) / time.Since(began).Seconds()
		copied, err := b.copyLog(ctx)
		if err != nil {
			return err
		}
		b.report.Print(Line{Case: "groups, rebuild without rules", Unit: "events/s", Value: rate}.Against(float64(folded) / copied))
	}
	b.groups = projections.NewGroups(b.plant.store, b.engine, projections.NewCatalogues(b.plant.store))
	build, err := b.engine.Live(ctx, projections.GroupsName)
	if err != nil {
		return err
	}
	b.live = pgx.Identifier{build.Schema}.Sanitize()
	rows, err := b.plant.pool.Query(ctx, `select id from `+b.live+`.group_subject where tenant = $1 order by id limit 2000`, b.plant.tenant)
	if err == nil {
		b.some, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	}
	return err
}

func (b *groupsBench) figures(ctx context.Context) error {
	// Customers are spread evenly over the year.
	within := fmt.Sprintf(`{"field":"created_at","op":"within","value":{"days":%d}}`, 110)
	for _, rule := range []struct{ what, rule string }{
		{"sets: created in the last 110 days", fmt.Sprintf(`{"field":"created_at","op":"after","value":%q}`, b.at.AddDate(0, 0, -110).Format(time.RFC3339))},
		{"time: within 110 days", within},
	} {
		var id uuid.UUID
		err := b.timed(ctx, "a rule for 30 %, "+rule.what, 3, func() error {
			done, err := commands.DefineGroup{Name: rule.what, Rule: json.RawMessage(rule.rule)}.Run(ctx, b.plant.center, b.plant.by())
			id = done.Group
			return err
		}, func() (bool, string, error) {
			all, err := b.groups.Status(ctx, b.plant.tenant)
			s, known := all[id]
			return known && s.Filling == nil, fmt.Sprintf("%d members", s.Members), err
		})
		if err != nil {
			return err
		}
	}
	var due int64
	until := time.Now().Add(18 * 24 * time.Hour)
	if err := b.plant.pool.QueryRow(ctx, `select count(*) from `+b.live+`.group_standing where tenant = $1 and due_at <= $2`, b.plant.tenant, until).Scan(&due); err != nil {
		return err
	}
	err := b.timed(ctx, "5 % change at once by the clock", 20, func() error {
		err := b.stop() // it sleeps until something is due by the clock that there was
		b.ahead.Store(int64(time.Until(until)))
		b.feed(ctx)
		return err
	}, func() (bool, string, error) {
		var left int64
		err := b.plant.pool.QueryRow(ctx, `select count(*) from (select from `+b.live+`.group_standing where tenant = $1 and due_at <= $2 limit 1) s`, b.plant.tenant, until).Scan(&left)
		return left == 0, fmt.Sprintf("%d customers", due), err
	})
	if err != nil {
		return err
	}
	began := time.Now()
	build, err := b.engine.Rebuild(ctx, projections.GroupsName, nil)
	if err != nil {
		return err
	}
	rebuilt := time.Since(began)
	began = time.Now()
	differences, err := b.engine.Compare(ctx, projections.GroupsName, build.ID)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return fmt.Errorf("bench: rebuilt from zero, %d tables of groups differ: %+v", len(differences), differences)
	}
	note := fmt.Sprintf("equal; compared in %s", time.Since(began).Round(time.Second))
	copied, err := b.copyLog(ctx)
	if err != nil {
		return err
	}
	b.report.Print(Line{Case: "groups, rebuilt from zero, rules included", Unit: "s", Value: rebuilt.Seconds(), Note: note}.Against(copied))
	return nil
}

// copyLog is the baseline of folding the log: how long Postgres takes to copy it, in seconds.
func (b *groupsBench) copyLog(ctx context.Context) (float64, error) {
	return b.statement(ctx, `create table bench_copy as select * from events where tenant = $1`)
}

// mark is the baseline of members coming and going: how long Postgres takes to mark one in so many customers with one statement, in seconds.
func (b *groupsBench) mark(ctx context.Context, of int) (float64, error) {
	return b.statement(ctx, fmt.Sprintf(`create table bench_copy as select id, ordinal, ordinal %% %d = 0 as member, now() as since from `+b.live+`.group_subject where tenant = $1`, of),
		`alter table bench_copy add primary key (id)`, `update bench_copy set member = true, since = now() where member`)
}

// statement runs statements that make a table, which is dropped again, and returns how long they took.
func (b *groupsBench) statement(ctx context.Context, statements ...string) (float64, error) {
	if _, err := b.plant.pool.Exec(ctx, `drop table if exists bench_copy`); err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	began := time.Now()
	for i, sql := range statements {
		args := []any{b.plant.tenant}
		if i > 0 {
			args = nil
		}
		if _, err := b.plant.pool.Exec(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...); err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
	}
	took := time.Since(began).Seconds()
	if _, err := b.plant.pool.Exec(ctx, `drop table bench_copy`); err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	return took, nil
}

// timed begins something that changes one in so many customers, and prints how long it takes until it is done, and how long events take to be seen
// meanwhile.
func (b *groupsBench) timed(ctx context.Context, what string, of int, begin func() error, done func() (bool, string, error)) error {
	took, err := b.seen(ctx, 20) // nothing else going on
	if err != nil {
		return err
	}
	quiet := Percentile(took, 99)
	if err := begin(); err != nil {
		return err
	}
	began := time.Now()
	took = nil
	for {
		ok, note, err := done()
		if err != nil {
			return err
		}
		if ok {
			l := Line{Case: "groups, " + what, Unit: "s", Value: time.Since(began).Seconds(), Note: fmt.Sprintf("%s; events seen in (p50, p99, max), quiet p99 %.0f ms", note, quiet)}
			if len(took) > 0 {
				l = l.Latency(took)
				most := Percentile(took, 100)
				l.Max = &most
			}
			marked, err := b.mark(ctx, of)
			if err != nil {
				return err
			}
			b.report.Print(l.Against(marked))
			return nil
		}
		some, err := b.seen(ctx, 3)
		if err != nil {
			return err
		}
		took = append(took, some...)
	}
}

// seen appends events, one after the other, and measures how long each takes to be seen.
func (b *groupsBench) seen(ctx context.Context, n int) (took []time.Duration, err error) {
	for range n {
		b.edits++
		name := fmt.Sprintf("edited %d", b.edits)
		began := time.Now()
		done, err := commands.EditProfile{Customer: b.some[b.edits%len(b.some)], Changes: map[string]*string{"name": &name}}.Run(ctx, b.plant.center, b.plant.by())
		if err != nil {
			return nil, err
		}
		b.engine.Ring(b.plant.tenant, done.Position)
		if _, fresh, err := b.engine.WaitFor(ctx, projections.GroupsName, b.plant.tenant, done.Position, 30*time.Second); err != nil || !fresh {
			return nil, errors.Join(err, errors.New("bench: an event was not seen within 30 s"))
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
