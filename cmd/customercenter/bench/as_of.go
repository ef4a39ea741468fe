package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// AsOf measures how long it takes until somebody who asks for a moment of the past can be answered: from the asking to the schema being ready,
// against the same read models being built from zero as at a first start; and for one customer, whose streams are folded at once, against the
// same as of now.
type AsOf struct {
	URL    string // of an empty database; it is migrated
	Rounds int    // moments that are asked for
	Each   time.Duration
	Events int // channel events of which the log is made
}

type asOfBench struct {
	AsOf
	plant  *plant
	engine *projector.Projector
	report *Report
	head   int64
}

// asOfRules are rules of groups that events, time and both move.
var asOfRules = []string{
	`{"field":"session_count","op":"gte","value":2}`,
	`{"field":"message_count","op":"gte","value":5}`,
	`{"field":"last_session_at","op":"older_than","value":{"minutes":30}}`,
	`{"field":"created_at","op":"within","value":{"hours":1}}`,
	`{"all":[{"field":"channel","op":"in","value":["wechat"]},{"field":"rating_avg","op":"gte","value":4}]}`,
}

// Run prints a line for the schema and one for a customer.
func (a AsOf) Run(ctx context.Context, report *Report) (err error) {
	b := &asOfBench{AsOf: a, report: report}
	if b.plant, err = openPlant(ctx, a.URL, "bench"); err != nil {
		return err
	}
	defer b.plant.close()
	for i, rule := range asOfRules {
		if _, err := (commands.DefineGroup{Name: fmt.Sprint("group ", i), Rule: json.RawMessage(rule)}).Run(ctx, b.plant.center, b.plant.by()); err != nil {
			return fmt.Errorf("bench: a group: %w", err)
		}
	}
	if b.head, err = b.plant.fill(ctx, a.Events); err != nil {
		return err
	}
	models := []projector.Definition{projections.CustomersDefinition(), projections.SessionsDefinition(), projections.GroupsDefinition()}
	if b.engine, err = projector.New(projector.Config{Store: b.plant.store, Definitions: models}); err != nil {
		return err
	}
	report.Heading("asof: read models of customers, sessions and groups (%d rules) as of a moment of a log of %d events, against building them from zero", len(asOfRules), b.head)
	if err := b.schemas(ctx); err != nil {
		return err
	}
	return b.customers(ctx)
}

// schemas asks for several moments, the last ones of the log, one after the other.
func (b *asOfBench) schemas(ctx context.Context) error {
	began := time.Now()
	if err := b.engine.EnsureBuilt(ctx, nil); err != nil {
		return err
	}
	base := float64(b.head) / time.Since(began).Seconds()
	whole, err := projector.New(projector.Config{Store: b.plant.store, Definitions: projections.Definitions()})
	if err != nil {
		return err
	}
	past, err := asof.New(asof.Config{Store: b.plant.store, Projector: whole, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	measured, stop := running(ctx, past.Run)
	var rates []float64
	var longest time.Duration
	var bytes int64
	for round := range b.Rounds {
		m, err := whole.MomentAfter(measured, b.plant.tenant, b.head-int64(round))
		if err != nil {
			return errors.Join(err, stop())
		}
		began := time.Now()
		ready, err := past.Ask(measured, b.plant.tenant, m, eventstore.Actor{Kind: "system", ID: "bench"}, tooLong)
		took := time.Since(began)
		if err == nil && ready.State != asof.Ready {
			err = fmt.Errorf("bench: after %s the schema is %s %s", took, ready.State, ready.Code)
		}
		if err != nil {
			return errors.Join(err, stop())
		}
		rates, longest, bytes = append(rates, float64(m.Position)/took.Seconds()), max(longest, took), ready.Bytes
	}
	b.report.Print(Line{Case: "asof schema", Unit: "events/s", Value: Median(rates),
		Note: fmt.Sprintf("ready after %.1f s at most, %d MiB", longest.Seconds(), bytes>>20)}.Against(base))
	return stop()
}

// customers asks for customers as of the middle of the log, one at a time.
func (b *asOfBench) customers(ctx context.Context) error {
	m, err := b.engine.MomentAfter(ctx, b.plant.tenant, b.head/2)
	if err != nil {
		return err
	}
	rows, err := b.plant.pool.Query(ctx, `select customer from events where tenant = $1 and position <= $2 and type = 'customer.created' order by position desc limit 500`, b.plant.tenant, m.Position)
	if err != nil {
		return fmt.Errorf("bench: customers: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return fmt.Errorf("bench: %d customers, %w", len(ids), err)
	}
	catalogues := projections.NewCatalogues(b.plant.store)
	groups := projections.NewGroups(b.plant.store, b.engine, catalogues)
	live, sessions := projections.NewCustomers(b.plant.store, b.engine, catalogues).WithGroups(groups), projections.NewSessions(b.plant.store, b.engine)
	base, _, err := run(ctx, 1, b.Each, func(ctx context.Context, _, i int) error {
		_, err := live.One(ctx, b.plant.tenant, ids[i%len(ids)])
		return err
	})
	if err != nil {
		return err
	}
	rate, took, err := run(ctx, 1, b.Each, func(ctx context.Context, _, i int) error {
		id := ids[i%len(ids)]
		return b.engine.CustomerAsOf(ctx, b.plant.tenant, id, m, asof.Models, func(tx pgx.Tx, schema string) error {
			_, err := projections.NewAsOfIn(tx, live, sessions, schema, m).Customers.One(ctx, b.plant.tenant, id)
			return err
		})
	})
	if err != nil {
		return err
	}
	b.report.Print(Line{Case: "asof customer, from the streams", Unit: "1/s", Value: rate}.Against(base).Latency(took))
	return nil
}
