package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore/tenancy"
)

// Which master key wraps is not said by the order in which a process was given its keys, as processes are not restarted all at once: the database says
// it, and refuses what was wrapped by another one (see 00017_master_keys.sql). Whoever is refused learns which one wraps, and wraps anew.

// MasterKey is a master key as the database knows it.
type MasterKey struct {
	ID      string     `json:"id"`                   // made from the key; it does not tell it
	Wraps   bool       `json:"wraps"`                // new keys are wrapped by it
	Since   time.Time  `json:"since"`                // when it began to wrap, or was seen first
	Retired *time.Time `json:"retired_at,omitempty"` // since when nothing is wrapped by it; null: something may be
	Keys    int64      `json:"keys"`                 // customers' keys that are wrapped by it
	Secrets int64      `json:"secrets"`              // tenants' secrets that are
}

// MissingError says that something is wrapped by a master key that this process was not given. It is ErrMaster.
type MissingError struct {
	ID       string    // of the missing one
	Wraps    string    // of the one that wraps; empty if the database does not know one
	Replaced string    // a key that was given and by which nothing is wrapped any more; empty if there is none
	Since    time.Time // when that was replaced
}

func (e *MissingError) Error() string {
	switch {
	case e.Replaced != "" && e.ID == e.Wraps:
		return fmt.Sprintf("%v: %s. It has replaced %s, which was given, since %s", ErrMaster, e.ID, e.Replaced, e.Since.UTC().Format(time.DateTime))
	case e.Wraps != "" && e.ID != e.Wraps:
		return fmt.Sprintf("%v: %s. It is being replaced by %s, and until that is done both are needed", ErrMaster, e.ID, e.Wraps)
	case e.Wraps == e.ID && e.ID != "":
		return fmt.Sprintf("%v: %s, which wraps", ErrMaster, e.ID)
	}
	return fmt.Sprintf("%v: %s", ErrMaster, e.ID)
}

// Is reports that it is ErrMaster.
func (e *MissingError) Is(target error) bool { return target == ErrMaster }

// lockMasters is held while somebody changes which master keys there are, or who holds them.
const lockMasters = `select pg_advisory_xact_lock(hashtextextended('customercenter/master keys', 0))`

// Check learns which master key wraps, and returns a *MissingError, which is ErrMaster, if something is wrapped by one that was not given.
func (r *Keyring) Check(ctx context.Context) error {
	return r.change(ctx, func(tx pgx.Tx) error { return r.check(ctx, tx) })
}

// change runs a transaction that nobody else who changes master keys comes between.
func (r *Keyring) change(ctx context.Context, do func(pgx.Tx) error) error {
	ctx = tenancy.Widen(ctx)
	err := pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockMasters); err != nil {
			return err
		}
		return do(tx)
	})
	return during("master keys", err)
}

// during says what failed, unless the error says it.
func during(what string, err error) error {
	if err == nil || errors.Is(err, ErrMaster) || errors.Is(err, ErrBroken) || errors.Is(err, ErrRetired) || errors.Is(err, ErrOtherRotation) || errors.As(err, new(*HoldersError)) {
		return err
	}
	return fmt.Errorf("keyring: %s: %w", what, err)
}

func (r *Keyring) check(ctx context.Context, tx pgx.Tx) error {
	known, err := masters(ctx, tx)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		if known, err = r.meet(ctx, tx); err != nil {
			return err
		}
	}
	missing := MissingError{}
	for _, m := range known {
		if m.Wraps {
			missing.Wraps = m.ID
		}
		if m.Retired != nil && r.master.keys[m.ID] != nil {
			missing.Replaced, missing.Since = m.ID, *m.Retired
		}
	}
	for _, m := range known { // the one that wraps is the first
		if m.Retired == nil && r.master.keys[m.ID] == nil {
			missing.ID = m.ID
			return &missing
		}
	}
	r.wraps.Store(&missing.Wraps)
	return nil
}

// masters are the master keys that the database knows, the one that wraps first.
func masters(ctx context.Context, tx pgx.Tx) ([]MasterKey, error) {
	rows, err := tx.Query(ctx, `select id, wraps, since, retired_at, 0, 0 from master_keys order by wraps desc, retired_at desc nulls first, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[MasterKey])
}

// meet writes down the master keys of a database that knows none yet, if all of them were given: those by which something is wrapped. The first one given
// that tenants' secrets are wrapped by wraps; in a new database, the first one given.
func (r *Keyring) meet(ctx context.Context, tx pgx.Tx) ([]MasterKey, error) {
	rows, err := tx.Query(ctx, `select master, bool_or(secret) from (
		select master, true as secret from tenants union select master, false from customer_keys) used group by master order by master`)
	if err != nil {
		return nil, err
	}
	var used, ofSecrets []string
	var id string
	var secret bool
	if _, err := pgx.ForEachRow(rows, []any{&id, &secret}, func() error {
		used = append(used, id)
		if secret {
			ofSecrets = append(ofSecrets, id)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for _, id := range used {
		if r.master.keys[id] == nil {
			return nil, &MissingError{ID: id}
		}
	}
	wraps := r.master.first()
	if i := slices.IndexFunc(r.master.order, func(id string) bool { return slices.Contains(ofSecrets, id) }); i >= 0 {
		wraps = r.master.order[i]
	}
	if !slices.Contains(used, wraps) {
		used = append(used, wraps)
	}
	if _, err := tx.Exec(ctx, `insert into master_keys (id, wraps) select id, id = $2 from unnest($1::text[]) u(id)`, used, wraps); err != nil {
		return nil, err
	}
	return masters(ctx, tx)
}

// wrapping is the id of the master key that wraps, as far as this process knows.
func (r *Keyring) wrapping() string {
	if id := r.wraps.Load(); id != nil {
		return *id
	}
	return r.master.first()
}

// Outdated reports that the database refused a key because it was wrapped by a master key that wraps no more. Nothing was written; see Anew.
func Outdated(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "CC003"
}

// Learn asks which master key wraps. It returns ErrMaster if that was not given.
func (r *Keyring) Learn(ctx context.Context) error {
	var id string
	err := r.db.QueryRow(tenancy.Widen(ctx), `select id from master_keys where wraps`).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keyring: master keys: %w", err)
	}
	if r.master.keys[id] == nil {
		return &MissingError{ID: id, Wraps: id}
	}
	r.wraps.Store(&id)
	return nil
}

// Anew wraps keys that were not inserted yet by the master key that wraps. ErrMaster, ErrBroken.
func (r *Keyring) Anew(tenant string, keys []Wrapped) error {
	current := r.wrapping()
	for i, w := range keys {
		if w.Master == current {
			continue
		}
		wrapped, err := r.master.again(current, w.Master, w.Bytes, place(tenant, w.Customer, w.Generation))
		if err != nil {
			return err
		}
		keys[i].Master, keys[i].Bytes = current, wrapped
	}
	return nil
}

// Masters tells of all master keys what is wrapped by each, the one that wraps first. It reads all keys.
func (r *Keyring) Masters(ctx context.Context) ([]MasterKey, error) {
	rows, err := r.db.Query(tenancy.Widen(ctx), `select m.id, m.wraps, m.since, m.retired_at, coalesce(k.n, 0), coalesce(t.n, 0) from master_keys m
		left join (select master, count(*) n from customer_keys group by master) k on k.master = m.id
		left join (select master, count(*) n from tenants group by master) t on t.master = m.id
		order by m.wraps desc, m.retired_at desc nulls first, m.id`)
	if err != nil {
		return nil, fmt.Errorf("keyring: master keys: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[MasterKey])
	if err != nil {
		return nil, fmt.Errorf("keyring: master keys: %w", err)
	}
	return all, nil
}

// Older counts the customers' keys and tenants' secrets that are wrapped by another master key than the one that wraps. While none is being replaced it reads
// no keys: there can be none then.
func (r *Keyring) Older(ctx context.Context) (n int64, err error) {
	var replaced []string
	ctx = tenancy.Widen(ctx)
	if err = r.db.QueryRow(ctx, `select coalesce(array_agg(id), '{}') from master_keys where not wraps and retired_at is null`).Scan(&replaced); err == nil && len(replaced) > 0 {
		err = r.db.QueryRow(ctx, `select (select count(*) from customer_keys where master = any($1)) + (select count(*) from tenants where master = any($1))`, replaced).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("keyring: older keys: %w", err)
	}
	return n, nil
}

// Given are the ids of the master keys that were given, in their order.
func (m *Master) Given() []string { return slices.Clone(m.order) }

// String names the master keys that were given, and does not tell them.
func (m *Master) String() string { return strings.Join(m.order, ",") }
