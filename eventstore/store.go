package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/keyring"
	"customercenter/eventstore/tenancy"
)

// Store appends to and reads from the logs of all tenants. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	db      *tenancy.DB
	codec   *Codec
	keys    *keyring.Keyring
	ring    func(tenant string, position int64)
	patient time.Duration

	mu     sync.Mutex
	queues map[string]*queue // appends of one tenant that wait for the next call

	seen    sync.Map // tenant -> the last position that this process has appended at, an int64
	secrets sync.Map // tenant -> []byte
}

// Option changes how a store works.
type Option func(*Store)

// WithBell calls ring after every commit that this process made, with the tenant's new last position. It must not block.
func WithBell(ring func(tenant string, position int64)) Option {
	return func(s *Store) { s.ring = ring }
}

// WithPatience sets how long an append keeps trying while the database cannot be reached; default 10 s.
func WithPatience(d time.Duration) Option { return func(s *Store) { s.patient = d } }

// New returns a store on a migrated database.
func New(pool *pgxpool.Pool, codec *Codec, keys *keyring.Keyring, options ...Option) *Store {
	s := &Store{pool: pool, db: tenancy.Over(pool), codec: codec, keys: keys, ring: func(string, int64) {}, patient: 10 * time.Second, queues: map[string]*queue{}}
	for _, o := range options {
		o(s)
	}
	return s
}

// Connect opens a pool as the store wants it: UTC, no JIT (its compilation costs more than any of our statements).
func Connect(ctx context.Context, url string, conns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("eventstore: the database URL cannot be parsed") // the cause may quote the password
	}
	config.ConnConfig.RuntimeParams["jit"] = "off"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.RuntimeParams["application_name"] = "customercenter"
	if conns > 0 {
		config.MaxConns = conns
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("eventstore: connect: %w", err)
	}
	return pool, nil
}

// Pool is the database the store works on, as the process itself sees it: all tenants.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// DB is the same database, as the context of each statement may see it.
func (s *Store) DB() *tenancy.DB { return s.db }

// Codec is what the store encodes payloads with.
func (s *Store) Codec() *Codec { return s.codec }

const logSQL = `select ` + eventColumns + ` from events where tenant = $1 and position > $2 order by position limit $3`

const eventColumns = `tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at`

// ReadLog returns up to limit events of a tenant's log after a position, in order. A short answer means the end of the log,
// as it was when the statement began.
func (s *Store) ReadLog(ctx context.Context, tenant string, after int64, limit int) ([]Event, error) {
	return s.read(ctx, "read log", logSQL, limit, tenant, after, limit)
}

// ReadHeard returns those events of a tenant's log that are of some types, in order, among the next limit ones after a position; and the position
// of the last of these, which is after itself at the end of the log, as it was when the statement began. Others are not sent at all.
func (s *Store) ReadHeard(ctx context.Context, tenant string, after int64, limit int, types []string) (heard []Event, last int64, err error) {
	// Positions are dense, so the next ones are those up to here, or up to the end.
	rows, err := s.db.QueryByIndex(ctx, `with last as (select position from events where tenant = $1 and position > $2 and position <= $2 + $3 order by position desc limit 1)
		select $1, l.position, '', 0, '', 0, null::uuid, '{}'::json, '{}'::json, 'epoch'::timestamptz from last l
		union all
		(select `+eventColumns+` from events where tenant = $1 and position > $2 and position <= (select position from last) and type = any($4) order by position)`,
		tenant, after, limit, types)
	if err == nil {
		heard, err = s.scan(rows, 0)
	}
	if err != nil {
		return nil, after, fmt.Errorf("eventstore: read heard: %w", unavailable(err))
	}
	if len(heard) == 0 {
		return nil, after, nil
	}
	return heard[1:], heard[0].Position, nil
}

// ReadStream returns up to limit events of a stream after a version, in order; empty for a stream that does not exist.
func (s *Store) ReadStream(ctx context.Context, tenant, stream string, after int64, limit int) ([]Event, error) {
	return s.read(ctx, "read stream", `select `+eventColumns+` from events
		where tenant = $1 and stream = $2 and version > $3 order by version limit $4`, 0, tenant, stream, after, limit)
}

// ReadStreams returns all events of these streams after the versions given, in the order of the log, in one round trip.
func (s *Store) ReadStreams(ctx context.Context, tenant string, streams []string, after []int64) ([]Event, error) {
	return s.read(ctx, "read streams", `select e.tenant, e.position, e.stream, e.version, e.type, e.type_version, e.customer, e.data, e.meta, e.recorded_at
		from unnest($2::text[], $3::bigint[]) s(stream, version)
		cross join lateral (select `+eventColumns+` from events where tenant = $1 and stream = s.stream and version > s.version
			order by version offset 0) e
		order by e.position`, 0, tenant, streams, after)
}

// ReadStreamsTo returns all events of these streams up to a position, in the order of the log, in one round trip; of these types, or nil for all.
func (s *Store) ReadStreamsTo(ctx context.Context, tenant string, streams []string, position int64, types []string) ([]Event, error) {
	return s.read(ctx, "read streams", `select e.tenant, e.position, e.stream, e.version, e.type, e.type_version, e.customer, e.data, e.meta, e.recorded_at
		from unnest($2::text[]) s(stream)
		cross join lateral (select `+eventColumns+` from events where tenant = $1 and stream = s.stream and position <= $3 and ($4::text[] is null or type = any($4))
			order by version offset 0) e
		order by e.position`, 0, tenant, streams, position, types)
}

// ReadAcross goes through several streams one after the other, in the order given, and returns up to limit events of these types, in one
// round trip: of each stream those after the version given, in order; with back those before it, the latest first; none that was recorded after
// the position to. Of no stream more than limit events of these types are read, so it costs little however long the streams are.
func (s *Store) ReadAcross(ctx context.Context, tenant string, streams []string, from []int64, types []string, to int64, back bool, limit int) ([]Event, error) {
	after, order := ">", "asc"
	if back {
		after, order = "<", "desc"
	}
	return s.read(ctx, "read across streams", `select e.tenant, e.position, e.stream, e.version, e.type, e.type_version, e.customer, e.data, e.meta, e.recorded_at
		from unnest($2::text[], $3::bigint[]) with ordinality s(stream, version, place)
		cross join lateral (select `+eventColumns+` from events where tenant = $1 and stream = s.stream and version `+after+` s.version and type = any($4) and position <= $6
			order by version `+order+` limit $5) e
		order by s.place, e.version `+order+` limit $5`, limit, tenant, streams, from, types, limit, to)
}

func (s *Store) read(ctx context.Context, what, sql string, expect int, args ...any) ([]Event, error) {
	rows, err := s.db.QueryByIndex(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("eventstore: %s: %w", what, unavailable(err))
	}
	events, err := s.scan(rows, min(expect, 1000))
	if err != nil {
		return nil, fmt.Errorf("eventstore: %s: %w", what, unavailable(err))
	}
	return events, nil
}

// fewEvents is for how many events there is room before the first is read. Who follows a log asks for many and gets few.
const fewEvents = 32

func (s *Store) scan(rows pgx.Rows, most int) ([]Event, error) {
	p := Page{Events: make([]Event, 0, min(most, fewEvents))}
	err := p.scan(s.codec, rows)
	return p.Events, err
}

// Head returns the last position of a tenant's log (0 for an empty one), as this moment shows it.
func (s *Store) Head(ctx context.Context, tenant string) (int64, error) {
	var head int64
	err := s.db.QueryRow(ctx, `select coalesce((select position from events where tenant = $1 order by position desc limit 1), 0)`, tenant).Scan(&head)
	if err != nil {
		return 0, fmt.Errorf("eventstore: head: %w", unavailable(err))
	}
	return head, nil
}

// Watermark reads the last position and the database's clock under the append lock: every event recorded up to that instant
// is at or below that position, and every later one is recorded after it.
func (s *Store) Watermark(ctx context.Context, tenant string) (position int64, at time.Time, err error) {
	if err := s.db.QueryRow(ctx, `select head, at from log_head($1)`, tenant).Scan(&position, &at); err != nil {
		return 0, time.Time{}, fmt.Errorf("eventstore: watermark: %w", unavailable(err))
	}
	return position, at.UTC(), nil
}

// PositionAt returns the last position recorded at or before an instant; 0 if there is none.
// recorded_at never runs backwards inside a tenant, so a search by halves over the dense positions finds it.
func (s *Store) PositionAt(ctx context.Context, tenant string, at time.Time) (int64, error) {
	low, high := int64(0), int64(0)
	high, _, err := s.Watermark(ctx, tenant)
	if err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low+1)/2
		var recorded time.Time
		if err := s.db.QueryRow(ctx, `select recorded_at from events where tenant = $1 and position >= $2 and position <= $2 order by position`, tenant, middle).Scan(&recorded); err != nil {
			return 0, fmt.Errorf("eventstore: position at: %w", unavailable(err))
		}
		if recorded.After(at) {
			high = middle - 1
		} else {
			low = middle
		}
	}
	return low, nil
}

// unavailable marks an error as ErrUnavailable if it says that the database cannot be reached or is going down.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || !lost(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Unavailable reports whether an error, of this package or of the database, says that the database cannot be reached or cannot work just now: it is away, going
// down, out of connections, memory or disk, or only to be read from. Trying again later may help.
func Unavailable(err error) bool { return errors.Is(err, ErrUnavailable) || lost(err) }

// lost reports whether the connection is gone or the server cannot work just now. The outcome of a statement may be unknown then.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "40", "53", "57", "58": // connection; deadlock and the like; disk, memory or connections used up; shutdown or cancellation; the system beneath
			return true
		}
		return pg.Code == "25006" || pg.Code == "55P03" // a primary that has become a standby; a lock not available
	}
	var network net.Error // timeouts too
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}
