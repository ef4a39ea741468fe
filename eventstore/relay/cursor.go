package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
)

// row is what the database knows about a tenant: how far its log goes and how far it was carried when the cursor was last written.
type row struct {
	slug     string
	head     int64     // last position of the log
	logEpoch uuid.UUID // of the log, now

	known      bool // whether there is a cursor; the rest is zero if not
	epoch      uuid.UUID
	position   int64
	created    time.Time // of the stream that was published to
	sequence   uint64    // of the message of position in it
	refill     int
	refillFrom int64
	stopped    string
}

// rows reads all tenants at one instant, by slug.
func rows(ctx context.Context, pool *pgxpool.Pool) ([]row, error) {
	found, err := pool.Query(ctx, `
		select t.slug, coalesce(h.position, 0), l.epoch, c.tenant is not null, coalesce(c.epoch, l.epoch), coalesce(c.position, 0),
		       coalesce(c.stream_created, to_timestamp(0)), coalesce(c.stream_sequence, 0), coalesce(c.refill, 0), coalesce(c.refill_from, 1),
		       coalesce(c.stopped, '')
		from tenants t
		cross join log_epoch l
		left join relay_cursors c on c.tenant = t.slug
		left join lateral (select position from events where tenant = t.slug order by position desc limit 1) h on true
		order by t.slug`)
	if err != nil {
		return nil, fmt.Errorf("relay: tenants: %w", err)
	}
	all, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (row, error) {
		var t row
		err := r.Scan(&t.slug, &t.head, &t.logEpoch, &t.known, &t.epoch, &t.position, &t.created, &t.sequence, &t.refill, &t.refillFrom, &t.stopped)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("relay: tenants: %w", err)
	}
	return all, nil
}

// cursor is what is written down about a tenant.
type cursor struct {
	tenant     string
	position   int64
	sequence   uint64
	refill     int
	refillFrom int64
}

// save writes cursors, of tenants that are not stopped. One whose refill or epoch has been overtaken by an operator's wish is left alone.
// Within a life of the stream a cursor goes back only where the stream was looked at and has lost its end: otherwise what is further was
// written by another relay, while this one was frozen and lost its lease.
func save(ctx context.Context, pool *pgxpool.Pool, epoch uuid.UUID, created time.Time, cursors []cursor, back bool) error {
	if len(cursors) == 0 {
		return nil
	}
	n := len(cursors)
	tenants, positions, sequences := make([]string, n), make([]int64, n), make([]int64, n)
	refills, froms := make([]int32, n), make([]int64, n)
	for i, c := range cursors {
		tenants[i], positions[i], sequences[i] = c.tenant, c.position, int64(c.sequence)
		refills[i], froms[i] = int32(c.refill), c.refillFrom
	}
	_, err := pool.Exec(ctx, `
		insert into relay_cursors as c (tenant, epoch, position, stream_created, stream_sequence, refill, refill_from, updated_at)
		select n.tenant, $1, n.position, $2, n.sequence, n.refill, n.refill_from, now()
		from unnest($3::text[], $4::bigint[], $5::bigint[], $6::int[], $7::bigint[]) n(tenant, position, sequence, refill, refill_from)
		where $1 = (select epoch from log_epoch)
		order by n.tenant
		on conflict (tenant) do update set epoch = excluded.epoch, position = excluded.position, stream_created = excluded.stream_created,
		  stream_sequence = excluded.stream_sequence, refill_from = excluded.refill_from, stopped = null, updated_at = excluded.updated_at
		where c.refill = excluded.refill
		  and ($8 or (c.stream_created, c.stream_sequence) <= (excluded.stream_created, excluded.stream_sequence))`,
		epoch, created, tenants, positions, sequences, refills, froms, back)
	if err != nil {
		return fmt.Errorf("relay: save cursors: %w", err)
	}
	return nil
}

// saveStopped writes down that a tenant is stopped, and leaves its cursor as it is.
func saveStopped(ctx context.Context, pool *pgxpool.Pool, epoch uuid.UUID, tenant, why string) error {
	_, err := pool.Exec(ctx, `
		insert into relay_cursors (tenant, epoch, position, stream_created, stream_sequence, stopped) values ($1, $2, 0, to_timestamp(0), 0, $3)
		on conflict (tenant) do update set stopped = excluded.stopped, updated_at = now()`, tenant, epoch, why)
	if err != nil {
		return fmt.Errorf("relay: save cursors: %w", err)
	}
	return nil
}

// TenantStatus says how far a tenant's log has been carried, as the cursor tells it: it is up to a fifth of a second behind.
type TenantStatus struct {
	Tenant   string
	Position int64 // carried up to here
	Head     int64 // the log's last position
	// Behind is the age of the oldest event that was not carried; 0 when all were.
	Behind time.Duration
	// Stopped is empty, or why nothing of the tenant is carried until an operator acts: StoppedAhead.
	Stopped string
}

// Lag is how many events were not carried yet.
func (s TenantStatus) Lag() int64 { return s.Head - s.Position }

// StoppedAhead says that the stream has events which the log has not, so that the log must have been restored from a backup. It
// needs a new epoch, under which the stream is filled again.
const StoppedAhead = "stream_ahead_of_log"

// Status tells how far each tenant's log has been carried, by slug. Any process may ask, whoever does the work.
func Status(ctx context.Context, store *eventstore.Store) ([]TenantStatus, error) {
	found, err := store.Pool().Query(ctx, `
		select t.slug, c.position, coalesce(h.position, 0), coalesce(extract(epoch from clock_timestamp() - n.recorded_at), 0)::float8, c.stopped
		from tenants t
		cross join log_epoch l
		left join relay_cursors r on r.tenant = t.slug
		cross join lateral (select case when r.epoch = l.epoch then r.position else 0 end as position, coalesce(r.stopped, '') as stopped) c
		left join lateral (select position from events where tenant = t.slug order by position desc limit 1) h on true
		left join lateral (select recorded_at from events where tenant = t.slug and position >= c.position + 1 and position <= c.position + 1 order by position offset 0) n on true
		order by t.slug`)
	if err != nil {
		return nil, fmt.Errorf("relay: status: %w", err)
	}
	all, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (TenantStatus, error) {
		var s TenantStatus
		var seconds float64
		err := r.Scan(&s.Tenant, &s.Position, &s.Head, &seconds, &s.Stopped)
		s.Behind = time.Duration(max(seconds, 0) * float64(time.Second))
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("relay: status: %w", err)
	}
	return all, nil
}

// Renew gives the log a new epoch, under which the relay publishes all of it again, beginning within a sweep. It is for a log that was restored from a
// backup: others have heard events of which it knows nothing (StoppedAhead), and its next positions mean something else than before.
func Renew(ctx context.Context, store *eventstore.Store) error {
	if _, err := store.Pool().Exec(ctx, `update log_epoch set epoch = gen_random_uuid()`); err != nil {
		return fmt.Errorf("relay: renew: %w", err)
	}
	return nil
}

// ErrRefillFrom says that a refill was asked to begin before the first event or behind the end of the log.
var ErrRefillFrom = errors.New("relay: a refill begins at a position of the log")

// Refill has a tenant's events published again from a position on; the relay begins within a sweep. What the stream holds stays,
// so consumers meet events again, with the same ce-id. ErrRefillFrom, eventstore.ErrUnknownTenant.
func Refill(ctx context.Context, store *eventstore.Store, tenant string, from int64) error {
	var exists, within bool
	err := store.Pool().QueryRow(ctx, `
		with t as (select slug from tenants where slug = $1),
		ok as (select slug from t where $2 >= 1 and
		  $2 <= coalesce((select position from events where tenant = $1 order by position desc limit 1), 0)),
		done as (
		  insert into relay_cursors as c (tenant, epoch, position, stream_created, stream_sequence, refill, refill_from)
		  select ok.slug, l.epoch, $2 - 1, to_timestamp(0), 0, 1, $2 from ok, log_epoch l
		  on conflict (tenant) do update set epoch = excluded.epoch, position = excluded.position, refill = c.refill + 1,
		    refill_from = excluded.refill_from, updated_at = now())
		select exists (select from t), exists (select from ok)`, tenant, from).Scan(&exists, &within)
	switch {
	case err != nil:
		return fmt.Errorf("relay: refill: %w", err)
	case !exists:
		return eventstore.ErrUnknownTenant
	case !within:
		return ErrRefillFrom
	}
	return nil
}
