package projector

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/tag"
	"customercenter/eventstore"
)

// ledger is a small projection: one row per customer with the number of its events, and one per tag. amount is what an event counts.
type ledger struct {
	rows   *Rows[string, ledgerRow]
	amount func(e *eventstore.Decoded) (int64, error)
}

type ledgerRow struct {
	Name   string
	Amount int64
}

func ledgerOf(amount func(e *eventstore.Decoded) (int64, error)) Definition {
	return Definition{
		Name: "ledger", Version: 1,
		Types:  []string{"tag.created", "customer.created", "customer.profile_changed"},
		Tables: `create table entry (tenant text not null, name text not null, amount int not null check (amount < 1000), primary key (tenant, name));`,
		New: func() Fold {
			return &ledger{amount: amount, rows: NewRows("entry", "name", "text", func(r *ledgerRow) *string { return &r.Name },
				Value("amount", "int", func(r *ledgerRow) *int64 { return &r.Amount }))}
		},
	}
}

func one(*eventstore.Decoded) (int64, error) { return 1, nil }

func (f *ledger) name(e *eventstore.Decoded) string {
	if created, ok := e.Payload.(tag.Created); ok {
		return created.Name
	}
	return e.Customer.String()
}

func (f *ledger) Tables() []Table             { return []Table{f.rows} }
func (f *ledger) Touch(e *eventstore.Decoded) { f.rows.Touch(f.name(e)) }
func (f *ledger) Skip(*eventstore.Event)      {}

func (f *ledger) Apply(e *eventstore.Decoded) error {
	row, found := f.rows.Edit(f.name(e))
	if !found {
		row = f.rows.Create(ledgerRow{Name: f.name(e)})
	}
	amount, err := f.amount(e)
	row.Amount += amount
	return err
}

func (f *ledger) Recall(id uuid.UUID, _ []eventstore.Decoded) { f.rows.Touch(id.String()) }

func (f *ledger) Forget(id uuid.UUID, _ []eventstore.Decoded) error {
	f.rows.Delete(id.String())
	return nil
}

const tenant = "acme"

func ledgers(t testing.TB, store *eventstore.Store, amount func(e *eventstore.Decoded) (int64, error)) *Projector {
	t.Helper()
	p, err := New(Config{Store: store, Definitions: []Definition{ledgerOf(amount)}, Sweep: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ensure(t testing.TB, p *Projector) Build {
	t.Helper()
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b, err := p.Live(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// amounts reads the ledger.
func amounts(t testing.TB, store *eventstore.Store, b Build) map[string]int64 {
	t.Helper()
	rows, err := store.Pool().Query(t.Context(), fmt.Sprintf("select name, amount from %s.entry", b.Schema))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]int64{}
	for rows.Next() {
		var name string
		var amount int64
		if err := rows.Scan(&name, &amount); err != nil {
			t.Fatal(err)
		}
		all[name] = amount
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func start(t testing.TB, p *Projector) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func await(t testing.TB, p *Projector, position int64) {
	t.Helper()
	if served, fresh, err := p.WaitFor(t.Context(), "ledger", tenant, position, 30*time.Second); err != nil || !fresh {
		t.Fatalf("served %d of %d, %v", served, position, err)
	}
}
