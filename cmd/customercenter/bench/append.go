package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/domain/catalog"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
)

// Append measures appending sealed events against bare single-row INSERTs by as many clients, and batches against COPY, into a table
// of the same shape with the same indexes on the same server.
type Append struct {
	URL    string        // of an empty database; it is migrated
	Rounds int           // of baseline and product in turn
	Each   time.Duration // how long each measurement lasts
}

type appendBench struct {
	Append
	pool      *pgxpool.Pool // the product's
	raw       *pgxpool.Pool // the baseline's: one connection a client
	store     *eventstore.Store
	customers []uuid.UUID
	sample    eventstore.Event
	serial    atomic.Int64
}

const benchTenant = "bench"

// Run prints one line per case.
func (a Append) Run(ctx context.Context, report *Report) error {
	b := &appendBench{Append: a}
	if err := b.open(ctx); err != nil {
		return err
	}
	defer b.pool.Close()
	defer b.raw.Close()
	report.Heading("append: sealed events, against bare INSERTs by as many clients")
	for _, writers := range []int{1, 8, 32, 128} {
		for _, events := range []int{1, 10} {
			if err := b.writers(ctx, report, writers, events); err != nil {
				return err
			}
		}
	}
	if err := b.batches(ctx, report); err != nil {
		return err
	}
	return b.conflicts(ctx, report)
}

func (b *appendBench) open(ctx context.Context) (err error) {
	if b.pool, err = eventstore.Connect(ctx, b.URL, 16); err != nil {
		return err
	}
	if b.raw, err = eventstore.Connect(ctx, b.URL, 130); err != nil {
		return err
	}
	if err = eventstore.Migrate(ctx, b.pool); err != nil {
		return err
	}
	if _, err = b.pool.Exec(ctx, `create table if not exists bare (like events including all)`); err != nil {
		return fmt.Errorf("bench: baseline table: %w", err)
	}
	master, err := keyring.NewMaster(make([]byte, 32))
	if err != nil {
		return err
	}
	b.store = eventstore.New(b.pool, eventstore.NewCodec(catalog.Events()...), keyring.New(b.pool, master))
	if err = b.store.CreateTenant(ctx, benchTenant, "Bench"); err != nil {
		return err
	}
	for range 128 { // whose keys seal the messages
		c := uuid.New()
		_, err = b.store.Append(ctx, eventstore.Append{Tenant: benchTenant, ID: uuid.New(), Now: time.Now(),
			NewCustomers: []eventstore.NewCustomer{{ID: c, Generation: 1}},
			Streams:      []eventstore.StreamAppend{{Stream: "customer-" + c.String(), Events: []eventstore.NewEvent{{Payload: message(0), Customer: c}}}}})
		if err != nil {
			return err
		}
		b.customers = append(b.customers, c)
	}
	events, err := b.store.ReadLog(ctx, benchTenant, 0, 1)
	if err != nil {
		return err
	}
	b.sample = events[0]
	return nil
}

func message(i int) session.MessageRecorded {
	return session.MessageRecorded{Message: fmt.Sprintf("msg-%08d", i), Sender: session.Sender{Kind: "customer"}, Kind: "text",
		Text: "你好，我上周买的东西还没有收到，订单号 2026112200123，麻烦帮我查一下，谢谢"}
}

// insertBare is one round of the baseline: a prepared single-row INSERT into an own stream.
func (b *appendBench) insertBare(ctx context.Context, customer uuid.UUID) error {
	n := b.serial.Add(1)
	_, err := b.raw.Exec(ctx, `insert into bare (tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		benchTenant, n, "session-"+uuid.NewString(), 1, b.sample.Type, 1, customer, b.sample.Data, b.sample.Meta, time.Now())
	return err
}

func (b *appendBench) append(ctx context.Context, customer uuid.UUID, stream string, version int64, events int) (eventstore.Result, error) {
	list := make([]eventstore.NewEvent, events)
	for i := range list {
		list[i] = eventstore.NewEvent{Payload: message(i), Customer: customer}
	}
	return b.store.Append(ctx, eventstore.Append{Tenant: benchTenant, ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "channel", ID: "1"},
		Streams: []eventstore.StreamAppend{{Stream: stream, Version: version, Events: list}}})
}

// writers compares n writers with n clients that insert single rows.
func (b *appendBench) writers(ctx context.Context, report *Report, writers, events int) error {
	var rates, bases []float64
	var took []time.Duration
	for range b.Rounds {
		base, _, err := run(ctx, writers, b.Each, func(ctx context.Context, w, _ int) error { return b.insertBare(ctx, b.customers[w]) })
		if err != nil {
			return err
		}
		rate, t, err := run(ctx, writers, b.Each, func(ctx context.Context, w, _ int) error {
			_, err := b.append(ctx, b.customers[w], "session-"+uuid.NewString(), 0, events)
			return err
		})
		if err != nil {
			return err
		}
		bases, rates, took = append(bases, base), append(rates, rate*float64(events)), append(took, t...)
	}
	report.Print(Line{Case: fmt.Sprintf("append %d writers x %d events", writers, events), Unit: "events/s", Value: Median(rates)}.Against(Median(bases)).Latency(took))
	return nil
}

// batches compares appends of 500 events with COPY of 500 rows into the same table, one client each.
func (b *appendBench) batches(ctx context.Context, report *Report) error {
	const size = 500
	var rates, bases []float64
	var took []time.Duration
	for range b.Rounds {
		base, _, err := run(ctx, 1, b.Each, func(ctx context.Context, _, _ int) error {
			stream, first := "import-"+uuid.NewString(), b.serial.Add(size)-size+1
			_, err := b.raw.CopyFrom(ctx, pgx.Identifier{"bare"},
				[]string{"tenant", "position", "stream", "version", "type", "type_version", "customer", "data", "meta", "recorded_at"},
				pgx.CopyFromSlice(size, func(i int) ([]any, error) {
					return []any{benchTenant, first + int64(i), stream, i + 1, b.sample.Type, 1, b.customers[0], b.sample.Data, b.sample.Meta, time.Now()}, nil
				}))
			return err
		})
		if err != nil {
			return err
		}
		rate, t, err := run(ctx, 1, b.Each, func(ctx context.Context, _, _ int) error {
			_, err := b.append(ctx, b.customers[0], "import-"+uuid.NewString(), 0, size)
			return err
		})
		if err != nil {
			return err
		}
		bases, rates, took = append(bases, base*size), append(rates, rate*size), append(took, t...)
	}
	report.Print(Line{Case: "append 500-event batches", Unit: "events/s", Value: Median(rates), Note: "baseline: COPY of 500 rows"}.Against(Median(bases)).Latency(took))
	return nil
}

// conflicts compares 32 writers of which one append in ten expects a stale version with 32 writers without, and checks every verdict.
func (b *appendBench) conflicts(ctx context.Context, report *Report) error {
	const writers = 32
	var rates, bases []float64
	var took []time.Duration
	for range b.Rounds {
		measure := func(stale int) (float64, []time.Duration, error) {
			versions, streams := make([]int64, writers), make([]string, writers)
			for w := range streams {
				streams[w] = "session-" + uuid.NewString()
			}
			return run(ctx, writers, b.Each, func(ctx context.Context, w, i int) error {
				expected := versions[w]
				wrong := stale > 0 && i%stale == stale-1 && expected > 0
				if wrong {
					expected--
				}
				_, err := b.append(ctx, b.customers[w], streams[w], expected, 1)
				var conflict *eventstore.ConflictError
				switch {
				case wrong && errors.As(err, &conflict) && conflict.Actual == versions[w]:
					return nil
				case wrong:
					return fmt.Errorf("bench: a stale append got the verdict %w", err)
				case err != nil:
					return err
				}
				versions[w]++
				return nil
			})
		}
		base, _, err := measure(0)
		if err != nil {
			return err
		}
		rate, t, err := measure(10)
		if err != nil {
			return err
		}
		bases, rates, took = append(bases, base), append(rates, rate), append(took, t...)
	}
	report.Print(Line{Case: "append 32 writers, 10 % conflicting", Unit: "appends/s", Value: Median(rates), Note: "baseline: without conflicts; every verdict checked"}.Against(Median(bases)).Latency(took))
	return nil
}
