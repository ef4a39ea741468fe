package eventstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
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

const eventColumns = `tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at`

// ReadLog returns up to limit events of a tenant's log after a position, in order. A short answer means the end of the log,
// as it was when the statement began.
func (s *Store) ReadLog(ctx context.Context, tenant string, after int64, limit int) ([]Event, error) {
	return s.read(ctx, "read log", `select `+eventColumns+` from events
		where tenant = $1 and position > $2 order by position limit $3`, limit, tenant, after, limit)
}

// ReadHeard returns those events of a tenant's log that are of some types, in order, among the next limit ones after a position; and the position
// of the last of these, which is after itself at the end of the log, as it was when the statement began. Others are not sent at all.
func (s *Store) ReadHeard(ctx context.Context, tenant string, after int64, limit int, types []string) (heard []Event, last int64, err error) {
	// Positions are dense, so the next ones are those up to here, or up to the end.
	rows, err := s.db.Query(ctx, `with last as (select position from events where tenant = $1 and position > $2 and position <= $2 + $3 order by position desc limit 1)
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
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("eventstore: %s: %w", what, unavailable(err))
	}
	events, err := s.scan(rows, min(expect, 1000))
	if err != nil {
		return nil, fmt.Errorf("eventstore: %s: %w", what, unavailable(err))
	}
	return events, nil
}

func (s *Store) scan(rows pgx.Rows, expect int) ([]Event, error) {
	p := Page{Events: make([]Event, 0, expect)}
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
		if err := s.db.QueryRow(ctx, `select recorded_at from events where tenant = $1 and position = $2`, tenant, middle).Scan(&recorded); err != nil {
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

// Open decodes events of one tenant and opens their personal fields, asking for missing keys once. The order is kept.
func (s *Store) Open(ctx context.Context, events []Event) ([]Decoded, error) {
	decoded, failed, err := s.OpenEach(ctx, events)
	if err != nil {
		return nil, err
	}
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// polite is after how many events that are decoded others get the processor, if somebody waits for it. Go itself takes it away after 10 ms, which is
// longer than a command takes.
const polite = 16

// OpenEach is Open for a reader that goes on after an event that cannot be decoded: failed[i] says why events[i] could not.
func (s *Store) OpenEach(ctx context.Context, events []Event) (decoded []Decoded, failed []error, err error) {
	if len(events) == 0 {
		return nil, nil, nil
	}
	s.noteDestroyed(events)
	keys, err := s.keysOf(ctx, events)
	if err != nil {
		return nil, nil, err
	}
	decoded, failed = make([]Decoded, len(events)), make([]error, len(events))
	var o opener
	var shut []uuid.UUID // customers of events whose key is not known
	for i, e := range events {
		if i%polite == polite-1 {
			runtime.Gosched()
		}
		decoded[i], failed[i] = s.codec.decode(&o, e, func(generation int) (keyring.Key, bool) { return keys.Of(e.Customer, generation) })
		if decoded[i].Erased {
			shut = append(shut, e.Customer)
		}
	}
	if len(shut) == 0 {
		return decoded, failed, nil
	}
	// Before a key is called destroyed the database is asked: what is cached may be older than the customer's latest generation.
	if keys, err = s.keys.Reload(ctx, events[0].Tenant, shut); err != nil {
		return nil, nil, unavailable(err)
	}
	for i, e := range events {
		if decoded[i].Erased {
			decoded[i], failed[i] = s.codec.decode(&o, e, func(generation int) (keyring.Key, bool) { return keys.Of(e.Customer, generation) })
		}
	}
	return decoded, failed, nil
}

// noteDestroyed tells the keyring which keys are destroyed by these events, before any of them is opened.
func (s *Store) noteDestroyed(events []Event) {
	for _, e := range events {
		if t := s.codec.types[e.Type]; t == nil || !t.destroys {
			continue
		}
		if d, err := s.codec.decode(new(opener), e, nil); err == nil { // what cannot be read is somebody else's business
			s.keys.Destroyed(e.Tenant, e.Customer, d.Payload.(Destroyer).DestroysKeys())
		}
	}
}

func (s *Store) keysOf(ctx context.Context, events []Event) (keyring.Keys, error) {
	customers := make([]uuid.UUID, 0, len(events))
	for _, e := range events {
		if e.Customer != uuid.Nil && bytes.Contains(e.Data, []byte(sealedMember)) { // nothing else is opened, nor held up by a broken key
			customers = append(customers, e.Customer)
		}
	}
	if len(customers) == 0 {
		return nil, nil
	}
	keys, err := s.keys.Of(ctx, events[0].Tenant, customers)
	if err != nil {
		return nil, unavailable(err)
	}
	return keys, nil
}

// Reveal opens the personal fields of events of one tenant where they stand: Data becomes the payload as JSON, unknown fields and older versions as stored.
// With masked, or when the customer was erased, the personal fields are absent. failed[i] is ErrUnreadable if events[i] cannot be opened, whose Data then is what
// is open in it; failed is nil if all can. Any other error is of the database or the context, and says nothing of the events.
func (s *Store) Reveal(ctx context.Context, events []Event, masked bool) (failed []error, err error) {
	s.noteDestroyed(events)
	var keys keyring.Keys
	var broken error
	if !masked {
		keys, err = s.keysOf(ctx, events)
		switch {
		case ofKeys(err):
			if len(events) > 1 {
				return s.revealAlone(ctx, events) // the others' keys may be good
			}
			broken = err
		case err != nil:
			return nil, err
		}
	}
	var o opener
	var e *Event
	find := func(generation int) (keyring.Key, bool) { return keys.Of(e.Customer, generation) }
	for i := range events {
		if i%polite == polite-1 {
			runtime.Gosched()
		}
		e = &events[i]
		open, secret, shut, err := o.unseal(e.Type, e, find)
		if err == nil && shut && !masked && broken == nil { // as in OpenEach
			var now keyring.Keys
			switch now, err = s.keys.Reload(ctx, e.Tenant, []uuid.UUID{e.Customer}); {
			case err == nil:
				open, secret, shut, err = o.unseal(e.Type, e, func(generation int) (keyring.Key, bool) { return now.Of(e.Customer, generation) })
			case !ofKeys(err):
				return nil, unavailable(err)
			}
		}
		if err = errors.Join(err, broken); err != nil {
			if failed == nil {
				failed = make([]error, len(events))
			}
			failed[i] = fmt.Errorf("%w: %w", ErrUnreadable, err)
			if open, sealed := cutSealed(e.Data); sealed != nil {
				e.Data = append(append(make([]byte, 0, len(open)+1), open...), '}')
			}
			continue
		}
		if e.Erased = shut && !masked; shut || len(secret) > 0 {
			e.Data = joinObjects(open, secret)
		}
	}
	return failed, nil
}

// revealAlone opens each event by itself.
func (s *Store) revealAlone(ctx context.Context, events []Event) (failed []error, err error) {
	for i := range events {
		one, err := s.Reveal(ctx, events[i:i+1], false)
		if err != nil {
			return nil, err
		}
		if one == nil {
			continue
		}
		if failed == nil {
			failed = make([]error, len(events))
		}
		failed[i] = one[0]
	}
	return failed, nil
}

// ErrUnreadable says that an event, or a key it was sealed with, is not what was written, or that the master key is not there.
var ErrUnreadable = errors.New("eventstore: an event cannot be opened")

// ofKeys reports whether an error is of the keys themselves, not of reading them.
func ofKeys(err error) bool {
	return errors.Is(err, keyring.ErrBroken) || errors.Is(err, keyring.ErrMaster)
}

// joinObjects puts the members of two JSON objects into a new one. The second may be missing.
func joinObjects(a, b []byte) []byte {
	out := make([]byte, 0, len(a)+len(b))
	switch {
	case len(b) <= 2:
		return append(out, a...)
	case len(a) <= 2:
		return append(out, b...)
	}
	return append(append(append(out, a[:len(a)-1]...), ','), b[1:]...)
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
