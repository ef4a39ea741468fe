package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// mix feeds the log of simulated traffic to the read models as it grows, for tenants with no groups and with some: to groups alone, and to customers
// and groups at once, as in the product. Each log is its own tenant's, beside the year.
func (b *groupsBench) mix(ctx context.Context) error {
	b.report.Heading("groups: live projection of the simulator's mix, against a tenant without groups; to reach: 10,000 events/s")
	alone, both := 0.0, 0.0
	for _, groups := range []int{0, 10, 50} {
		p, head, err := b.mixed(ctx, groups)
		if err != nil {
			return err
		}
		var lone, together []float64
		for range b.Rounds {
			for _, m := range []struct {
				models []projector.Definition
				into   *[]float64
			}{{[]projector.Definition{projections.GroupsDefinition()}, &lone}, {models(), &together}} {
				rate, err := b.feed(ctx, p, head, m.models)
				if err != nil {
					p.close()
					return err
				}
				*m.into = append(*m.into, rate)
			}
		}
		p.close()
		rate, rates := Median(lone), Median(together)
		if groups == 0 {
			alone, both = rate, rates
		}
		note := fmt.Sprintf("%d events", head)
		b.report.Print(Line{Case: fmt.Sprintf("groups live, %d groups: alone", groups), Unit: "events/s", Value: rate, Note: note}.Against(alone))
		b.report.Print(Line{Case: fmt.Sprintf("groups live, %d groups: with customers", groups), Unit: "events/s", Value: rates, Note: note}.Against(both))
	}
	return nil
}

// mixed makes a tenant with so many groups and a log of traffic.
func (b *groupsBench) mixed(ctx context.Context, groups int) (_ *plant, head int64, err error) {
	name := fmt.Sprintf("mix-%d-%d", groups, time.Now().Unix())
	p, err := connectPlant(ctx, b.URL, name)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.store.CreateTenant(ctx, name, name); err != nil {
		return nil, 0, err
	}
	if err := p.register(ctx); err != nil {
		return nil, 0, err
	}
	for i := range groups {
		if _, err := (commands.DefineGroup{Name: fmt.Sprintf("group %d", i), Rule: []byte(mixedRule(i).json)}).Run(ctx, p.center, p.by()); err != nil {
			return nil, 0, fmt.Errorf("bench: define a group: %w", err)
		}
	}
	head, err = p.fill(ctx, b.Events)
	return p, head, err
}

// mixedRule is the i-th rule of a tenant with many: some on what a customer is, more on what a customer does, and on how long ago.
func mixedRule(i int) condition {
	days := func(field, op string, n int) condition { return is(field, op, map[string]int{"days": n}, "") }
	n := 1 + i/10
	switch i % 10 {
	case 0:
		return is("session_count", "gte", n, "")
	case 1:
		return days("last_session_at", "older_than", 10*n)
	case 2:
		return all(channel(yearOptions().Associations[i/10%7].Channel), is("phone", "not_set", nil, ""))
	case 3:
		return is("message_count", "gte", 5*n, "")
	case 4:
		return days("last_message_at", "within", 7*n)
	case 5:
		return is("nickname", "contains", []string{"王", "李", "a", "小", "明"}[i/10%5], "")
	case 6:
		return is("rating_avg", "lte", n, "")
	case 7:
		return all(is("created_at", "in", map[string]string{"period": []string{"today", "yesterday", "this_week", "last_week", "this_month"}[i/10%5]}, ""), is("ever_served", "is", false, ""))
	case 8:
		return is("last_agent", "in", []string{fmt.Sprintf("agent-%02d", n)}, "")
	default:
		return either(is("blacklisted", "is", true, ""), is("suppressed_count", "gte", n, ""))
	}
}

// feed empties some read models of a tenant, feeds them from the first event to the last with a projector that has just been started, and returns
// how many events a second that was.
func (b *groupsBench) feed(ctx context.Context, p *plant, head int64, models []projector.Definition) (float64, error) {
	engine, err := projector.New(projector.Config{Store: p.store, Definitions: models, Batch: liveBatch})
	if err != nil {
		return 0, err
	}
	for _, m := range models {
		build, err := engine.Live(ctx, m.Name)
		if err != nil {
			return 0, err
		}
		if err := emptyOf(ctx, p, build); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	fed, stop := running(ctx, engine.Run)
	for _, m := range models {
		_, fresh, waited := engine.WaitFor(fed, m.Name, p.tenant, head, tooLong)
		if waited != nil || !fresh {
			err = orLate(waited)
			break
		}
	}
	took := time.Since(began)
	return float64(head) / took.Seconds(), errors.Join(err, stop())
}

// emptyOf makes a build as if nothing of one tenant had been folded. Nobody may be feeding it.
func emptyOf(ctx context.Context, p *plant, build projector.Build) error {
	rows, err := p.pool.Query(ctx, `select tablename::text from pg_tables where schemaname = $1`, build.Schema)
	if err != nil {
		return fmt.Errorf("bench: tables of %s: %w", build.Schema, err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("bench: tables of %s: %w", build.Schema, err)
	}
	for _, name := range tables {
		table := pgx.Identifier{build.Schema, name}.Sanitize()
		done, err := p.pool.Exec(ctx, `delete from `+table+` where tenant = $1`, p.tenant)
		if err == nil && done.RowsAffected() > 0 {
			_, err = p.pool.Exec(ctx, `vacuum `+table)
		}
		if err != nil {
			return fmt.Errorf("bench: empty %s: %w", build.Schema, err)
		}
	}
	if _, err := p.pool.Exec(ctx, `delete from projection_checkpoints where build = $1 and tenant = $2`, build.ID, p.tenant); err != nil {
		return fmt.Errorf("bench: empty %s: %w", build.Schema, err)
	}
	return nil
}
