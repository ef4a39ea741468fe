package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore/tenancy"
)

// A rotation replaces the master key. What was sealed stays as it is: customers' keys and tenants' secrets are the same, they are wrapped by another key.
//
//	1. turn    from its commit on, the new one wraps: the database refuses what was wrapped by another one
//	2. settle  what was being inserted then is in
//	3. wrap    secrets and keys are wrapped anew, some at a time
//	4. retire  when nothing is left, in the same transaction that sees it
//
// It can end anywhere and be begun again, also twice at once: each step finds what is left of it.

// rotateChunk is how many keys are wrapped anew in one transaction. Whoever erases one of these customers waits for that long.
const rotateChunk = 1000

var (
	// ErrRetired says that the master key was replaced once, and cannot become the one that wraps again.
	ErrRetired = errors.New("keyring: the master key was replaced before, and cannot wrap again")
	// ErrOtherRotation says that somebody has begun to replace the master key by another one meanwhile.
	ErrOtherRotation = errors.New("keyring: the master key is being replaced by another one")
)

// Rotated is what a rotation has done.
type Rotated struct {
	ID      string   // of the master key that wraps now
	Retired []string // those by which nothing is wrapped any more since this rotation
	Keys    int64    // how many customers' keys it has wrapped anew
}

// Rotate makes the first master key that was given the one that wraps, wraps by it what is wrapped by others, and retires those. Everybody may go on meanwhile.
// progress hears how many keys are done, of how many.
//
// Errors: *MissingError, *HoldersError and ErrRetired mean that nothing was changed; with others, what is done stays done, and Rotate goes on with it.
func (r *Keyring) Rotate(ctx context.Context, progress func(done, total int64)) (Rotated, error) {
	ctx = tenancy.Widen(ctx)
	done := Rotated{ID: r.master.first()}
	if err := r.change(ctx, func(tx pgx.Tx) error { return r.turn(ctx, tx, done.ID) }); err != nil {
		return done, err
	}
	r.wraps.Store(&done.ID)
	if err := r.settle(ctx); err != nil {
		return done, err
	}
	total, err := r.Older(ctx)
	if err != nil {
		return done, err
	}
	for {
		if err := r.wrapSecrets(ctx, done.ID); err != nil {
			return done, err
		}
		if err := r.wrapKeys(ctx, done.ID, func(n int) {
			done.Keys += int64(n)
			progress(done.Keys, max(total, done.Keys))
		}); err != nil {
			return done, err
		}
		if done.Retired, err = r.retire(ctx, done.ID); err != nil || done.Retired != nil {
			return done, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil { // somebody else holds the rows that are left
			return done, err
		}
	}
}

// turn makes a master key the one that wraps, if all processes have it.
func (r *Keyring) turn(ctx context.Context, tx pgx.Tx, id string) error {
	if err := r.check(ctx, tx); err != nil {
		return err
	}
	known, err := masters(ctx, tx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(m MasterKey) bool { return m.ID == id && m.Retired != nil }) {
		return fmt.Errorf("%w: %s", ErrRetired, id)
	}
	if known[0].ID == id {
		return nil
	}
	rows, err := tx.Query(ctx, `select name, holds, started_at, seen_at from master_key_holders
		where seen_at > clock_timestamp() - $2::interval and not $1 = any(holds) order by name, started_at`, id, gone)
	if err != nil {
		return err
	}
	without, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Holder])
	if err != nil {
		return err
	}
	if len(without) > 0 {
		return &HoldersError{ID: id, Without: without}
	}
	if _, err := tx.Exec(ctx, `update master_keys set wraps = false where wraps`); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into master_keys (id, wraps) values ($1, true) on conflict (id) do update set wraps = true, since = now()`, id)
	return err
}

// settle waits for the transactions that were inserting when the new key began to wrap: they may have looked before.
func (r *Keyring) settle(ctx context.Context) error {
	const inserting = `select coalesce(array_agg(distinct virtualtransaction), '{}') from pg_locks where locktype = 'relation' and granted and mode = 'RowExclusiveLock'
		and database = (select oid from pg_database where datname = current_database()) and relation in ('customer_keys'::regclass, 'tenants'::regclass)`
	var before []string
	for began := true; began || len(before) > 0; began = false {
		var now []string
		if err := r.db.QueryRow(ctx, inserting).Scan(&now); err != nil {
			return fmt.Errorf("keyring: rotate: %w", err)
		}
		if began {
			before = now
		}
		before = slices.DeleteFunc(before, func(transaction string) bool { return !slices.Contains(now, transaction) })
		if len(before) > 0 {
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// stillWraps fails when another rotation has begun, and keeps one from beginning until the transaction ends.
func stillWraps(ctx context.Context, tx pgx.Tx, id string) error {
	var wraps bool
	err := tx.QueryRow(ctx, `select wraps from master_keys where id = $1 for share`, id).Scan(&wraps)
	if err == nil && !wraps {
		return fmt.Errorf("%w: it was to be %s", ErrOtherRotation, id)
	}
	return err
}

// wrapSecrets wraps all tenants' secrets anew that nobody else is about to.
func (r *Keyring) wrapSecrets(ctx context.Context, id string) error {
	err := pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
		if err := stillWraps(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select slug, master, secret from tenants where master <> $1 for no key update skip locked`, id)
		if err != nil {
			return err
		}
		var slugs []string
		var secrets [][]byte
		var slug, by string
		var wrapped []byte
		if _, err := pgx.ForEachRow(rows, []any{&slug, &by, &wrapped}, func() error {
			secret, err := r.master.again(id, by, wrapped, tenantPlace(slug))
			slugs, secrets = append(slugs, slug), append(secrets, secret)
			return err
		}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update tenants t set master = $1, secret = u.secret from unnest($2::text[], $3::bytea[]) u(slug, secret) where t.slug = u.slug`, id, slugs, secrets)
		return err
	})
	return during("rotate: secrets", err)
}

// wrapKeys goes through all customers' keys once. Those that somebody else holds, another rotation or an erasure, are passed over.
func (r *Keyring) wrapKeys(ctx context.Context, id string, wrapped func(n int)) error {
	var from keyPlace
	for {
		n, err := r.wrapChunk(ctx, id, &from)
		if err != nil {
			return during("rotate", err)
		}
		if n == 0 {
			return nil
		}
		wrapped(n)
	}
}

// keyPlace is where a walk over the keys is.
type keyPlace struct {
	tenant     string
	customer   uuid.UUID
	generation int
}

// wrapChunk wraps the next keys anew. Should the server lose the last chunks, it loses all that came later with them, and they are found again.
func (r *Keyring) wrapChunk(ctx context.Context, id string, from *keyPlace) (n int, err error) {
	var tenants []string
	var wrapped []Wrapped
	err = pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local synchronous_commit = off`); err != nil {
			return err
		}
		if err := stillWraps(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select tenant, customer, generation, master, wrapped from customer_keys
			where (tenant, customer, generation) > ($1, $2::uuid, $3::int) and master <> $4 order by tenant, customer, generation limit $5 for no key update skip locked`,
			from.tenant, from.customer, from.generation, id, rotateChunk)
		if err != nil {
			return err
		}
		var tenant string
		var w Wrapped
		if _, err := pgx.ForEachRow(rows, []any{&tenant, &w.Customer, &w.Generation, &w.Master, &w.Bytes}, func() error {
			again, err := r.master.again(id, w.Master, w.Bytes, place(tenant, w.Customer, w.Generation))
			tenants, wrapped = append(tenants, tenant), append(wrapped, Wrapped{Customer: w.Customer, Generation: w.Generation, Bytes: again})
			return err
		}); err != nil {
			return err
		}
		if n = len(wrapped); n == 0 {
			return nil
		}
		*from = keyPlace{tenant, w.Customer, w.Generation}
		return replaceKeys(ctx, tx, id, tenants, wrapped)
	})
	return n, err
}

func replaceKeys(ctx context.Context, tx pgx.Tx, id string, tenants []string, keys []Wrapped) error {
	customers, generations, bytes := make([]uuid.UUID, len(keys)), make([]int, len(keys)), make([][]byte, len(keys))
	for i, k := range keys {
		customers[i], generations[i], bytes[i] = k.Customer, k.Generation, k.Bytes
	}
	_, err := tx.Exec(ctx, `update customer_keys k set master = $1, wrapped = u.wrapped
		from unnest($2::text[], $3::uuid[], $4::int[], $5::bytea[]) u(tenant, customer, generation, wrapped)
		where k.tenant = u.tenant and k.customer = u.customer and k.generation = u.generation`, id, tenants, customers, generations, bytes)
	return err
}

// retire notes that nothing is wrapped by other master keys any more, and says which those are; nil if something is.
func (r *Keyring) retire(ctx context.Context, id string) (retired []string, err error) {
	err = r.change(ctx, func(tx pgx.Tx) error {
		if err := stillWraps(ctx, tx, id); err != nil {
			return err
		}
		var left bool
		if err := tx.QueryRow(ctx, `select exists (select from customer_keys where master <> $1) or exists (select from tenants where master <> $1)`, id).Scan(&left); err != nil || left {
			return err
		}
		rows, err := tx.Query(ctx, `update master_keys set retired_at = now() where not wraps and retired_at is null returning id`)
		if err != nil {
			return err
		}
		if retired, err = pgx.CollectRows(rows, pgx.RowTo[string]); retired == nil {
			retired = []string{}
		}
		return err
	})
	return retired, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
