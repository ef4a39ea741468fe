package keyring

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore/tenancy"
)

// A key is destroyed in the transaction that writes the event of the erasure. A process finds out in two ways: whoever reads the event in the log says
// so (Destroyed), and before keys in memory are used, the table of erasures is asked, if that was not done within the last second. So nothing is
// opened with a destroyed key for longer than that, and nothing at all in the order of the log: what is read behind the event is read without the key.

const (
	lookEvery = time.Second
	// recent is how far back behind the last look the table is looked at each time. It is longer than an append can take from its instant to its commit.
	recent = 5 * time.Minute
)

// destroyed remembers which keys are.
type destroyed struct {
	upTo *lru.Cache[name, int] // the last generation that is destroyed

	mu     sync.Mutex   // held while the table is asked
	at     time.Time    // of the last look, by the database's clock
	looked atomic.Int64 // when that was begun last, in nanoseconds since began
	began  time.Time
}

func newDestroyed() *destroyed {
	upTo, err := lru.New[name, int](cached)
	if err != nil {
		panic(err) // only a size below 1
	}
	return &destroyed{upTo: upTo, began: time.Now()}
}

// is reports whether a key is destroyed, as far as is known.
func (d *destroyed) is(n name, k Key) bool {
	last, any := d.upTo.Get(n)
	return any && k.generation <= last
}

// Destroyed says that a customer's keys up to a generation are destroyed, as the log tells. They are not used any more.
func (r *Keyring) Destroyed(tenant string, customer uuid.UUID, generation int) {
	n := name{tenant, customer}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, any := r.destroyed.upTo.Peek(n); !any || last < generation {
		r.destroyed.upTo.Add(n, generation)
	}
	if k, known := r.keys.get(n); known && r.destroyed.is(n, k) {
		r.keys.put(n, Key{})
	}
}

// look asks the table of erasures, if that was not done within the last second.
func (r *Keyring) look(ctx context.Context) error {
	d := r.destroyed
	if d.fresh() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fresh() {
		return nil
	}
	now := time.Since(d.began)
	err := r.readErasures(ctx)
	if err != nil && ctx.Err() == nil {
		err = r.readErasures(ctx) // a lost connection takes the answer with it; reading again does no harm
	}
	if err != nil {
		return err
	}
	d.looked.Store(int64(now))
	return nil
}

// readErasures notes who was erased since the last look, however long ago that was: a process that had nothing to open, or was frozen, still has its keys.
func (r *Keyring) readErasures(ctx context.Context) error {
	var since *time.Time // nil: never. Keys that this process made itself are there since it began, at most.
	back := recent
	if at := r.destroyed.at; !at.IsZero() {
		since = &at
	} else {
		back += time.Since(r.destroyed.began)
	}
	rows, err := r.db.Query(tenancy.Widen(ctx), `select now.at, e.tenant, e.customer, e.generation from (select statement_timestamp() as at) now
		left join erasures e on e.erased_at > least($1::timestamptz, now.at) - $2::interval`, since, back)
	if err != nil {
		return fmt.Errorf("keyring: erasures: %w", err)
	}
	var at time.Time
	var tenant *string
	var customer *uuid.UUID
	var generation *int
	if _, err := pgx.ForEachRow(rows, []any{&at, &tenant, &customer, &generation}, func() error {
		if tenant != nil {
			r.Destroyed(*tenant, *customer, *generation)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("keyring: erasures: %w", err)
	}
	r.destroyed.at = at
	return nil
}

// fresh reports whether the table was asked within the last second. A process that has just started has no keys yet.
func (d *destroyed) fresh() bool {
	return time.Since(d.began)-time.Duration(d.looked.Load()) < lookEvery
}
