package eventstore

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore/keyring"
)

// One call of append_events, or of an INSERT in its place: its arguments, its answer, and what that means for every append of a batch.

// call runs append_events, again while the connection is lost: append ids and expected versions make that safe. settle sets the result of every
// append and returns the new last position, 0 if there is none.
func (s *Store) call(tenant string, batch []*prepared) (settle func() (last int64), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.patient)
	defer cancel()
	if len(batch) == 1 && batch[0].simple() {
		last, err := s.callOne(ctx, tenant, batch[0])
		if last > 0 || (err != nil && !lost(err)) {
			return func() int64 { return last }, translate(err)
		}
	}
	layout := layouts.Get().(*layout)
	defer layouts.Put(layout)
	// Who repeats an append with a receipt learns from the check of its streams when it was recorded.
	careful := slices.ContainsFunc(batch, func(p *prepared) bool { return p.Receipt != nil })
	args := layout.arguments(tenant, batch, careful)
	for pause := 10 * time.Millisecond; ; {
		var v verdicts
		args[1], args[2] = wireTime(time.Now()), wireInt8(s.near(tenant)) // of this try: the clocks are compared when it arrives
		err = s.run(ctx, func(conn *pgx.Conn) error {
			row, err := query(conn, tenant, "append_events", appendCall, args)
			if err != nil {
				return err
			}
			return json.Unmarshal(row[0], &v)
		})
		if err == nil {
			return func() int64 { return s.settle(tenant, batch, v) }, nil
		}
		if !careful && exists(err) {
			careful = true
			args = layout.arguments(tenant, batch, careful)
			continue
		}
		if keyring.Outdated(err) {
			if err = s.wrapAnew(ctx, tenant, batch); err == nil {
				args = layout.arguments(tenant, batch, careful)
				continue
			}
		}
		if !lost(err) {
			return nil, translate(err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("eventstore: append: %w", unavailable(err))
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		}
	}
}

// wrapAnew wraps the keys of new customers by the master key that wraps by now.
func (s *Store) wrapAnew(ctx context.Context, tenant string, batch []*prepared) error {
	if err := s.keys.Learn(ctx); err != nil {
		return err
	}
	for _, p := range batch {
		if err := s.keys.Anew(tenant, p.keys); err != nil {
			return err
		}
	}
	return nil
}

// near returns a position of the tenant's log that this process has seen, the later the better.
func (s *Store) near(tenant string) int64 {
	position, _ := s.seen.Load(tenant)
	near, _ := position.(int64)
	return near
}

// exists reports that the database refused a row because it has one of that key.
func exists(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// run lends a connection under the context's deadline. It sets the deadline on the connection itself: a context that can be
// cancelled costs a goroutine at every statement, which a lone append would feel.
func (s *Store) run(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	deadline, _ := ctx.Deadline()
	socket := conn.Conn().PgConn().Conn()
	if err := socket.SetDeadline(deadline); err != nil {
		return err
	}
	defer func() { _ = socket.SetDeadline(time.Time{}) }() // whatever came of it: the connection goes back to others; it fails only on a closed one
	return do(conn.Conn())
}

// simple reports whether appendOne can carry out the append.
func (p *prepared) simple() bool {
	return len(p.events) == 1 && len(p.Streams) == 1 && len(p.Guards) == 0 && p.Receipt == nil && len(p.keys) == 0
}

// callOne appends a single event the short way, by a plain INSERT. Its snapshot may be older than the lock: if anything was
// appended in between, the position it wants is taken, and nothing is written. Neither a position nor an error means that
// append_events has to find out why not.
func (s *Store) callOne(ctx context.Context, tenant string, p *prepared) (int64, error) {
	e := p.events[0]
	var row [][]byte
	err := s.run(ctx, func(conn *pgx.Conn) (err error) {
		row, err = query(conn, tenant, "append_one", appendOne, [][]byte{[]byte(tenant), wireTime(time.Now()), wireInt8(s.near(tenant)),
			[]byte(e.stream), wireInt8(e.version), []byte(e.name), wireInt4(e.typeVersion), wireUUID(e.customer), []byte(e.data), []byte(e.meta)})
		return err
	})
	if err != nil || row == nil {
		return 0, err
	}
	first := int64(binary.BigEndian.Uint64(row[0]))
	p.result = p.written(first, timeOfPostgres(row[1]))
	return first, nil
}

const appendOne = `insert into events (tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at)
	select $1::text, h.position + 1, $4::text, $5::bigint, $6, $7::int, $8::uuid, $9::json, $10::json, greatest(clock_timestamp(), h.recorded_at)
	from (select e.position, e.recorded_at from events e where e.tenant = $1::text and e.position >= $3::bigint order by e.position desc limit 1) h
	where pg_advisory_xact_lock(hashtextextended('append/' || $1::text, 0)) is not null
	and ($5::bigint = 1 or (select e.version from events e where e.tenant = $1::text and e.stream = $4::text and e.version >= $5::bigint - 1 order by e.version limit 1) = $5::bigint - 1)
	and $2::timestamptz between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute'
	on conflict do nothing
	returning position, recorded_at`

func translate(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "CC001":
			return ErrClocks
		case "CC002":
			return ErrUnknownTenant
		}
		// The message of the database may quote a payload; code and constraint do not.
		return fmt.Errorf("eventstore: append: database error %s %s", pg.Code, pg.ConstraintName)
	}
	return fmt.Errorf("eventstore: append: %w", err)
}

const appendCall = `select append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`

// verdicts is what append_events answers.
type verdicts struct {
	Base      int64 `json:"base"`
	At        int64 `json:"at"`
	Conflicts []struct {
		Append int     `json:"append"` // from 1
		Stream string  `json:"stream"`
		Actual int64   `json:"actual"`
		Done   []int64 `json:"done"` // position and microseconds, or nothing
	} `json:"conflicts"`
	Receipts []struct {
		Append   int       `json:"append"`
		ID       uuid.UUID `json:"id"`
		Body     string    `json:"body"` // base64 with line breaks
		Answer   string    `json:"answer"`
		Position int64     `json:"position"`
	} `json:"receipts"`
}

// settle sets the result of every append of a batch that the database has answered, and returns the new last position, 0 if none.
func (s *Store) settle(tenant string, batch []*prepared, v verdicts) (last int64) {
	refused := make([]bool, len(batch))
	at := time.UnixMicro(v.At)
	for _, c := range v.Conflicts {
		p := batch[c.Append-1]
		refused[c.Append-1] = true
		if len(c.Done) == 2 { // an earlier call of this append was committed; its first event is that of one of its streams
			if first := c.Done[0]; !p.recorded || first < p.result.First {
				p.result = p.written(first, time.UnixMicro(c.Done[1]))
			}
			p.err, p.recorded = nil, true
		} else if !p.recorded {
			p.err = &ConflictError{Stream: c.Stream, Actual: c.Actual, Expected: p.expected(c.Stream)}
		}
	}
	for _, r := range v.Receipts {
		p := batch[r.Append-1]
		refused[r.Append-1] = true
		switch {
		case r.ID != p.ID:
			body, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(r.Body, "\n", ""))
			if err != nil {
				p.err = fmt.Errorf("eventstore: receipt: %w", err)
				continue
			}
			p.err = &RepeatedError{Body: body, Answer: r.Answer, Position: r.Position}
		case !p.recorded:
			first := r.Position - int64(max(len(p.events)-1, 0))
			p.err, p.result, p.recorded = nil, Result{First: first, Last: r.Position, RecordedAt: at.UTC()}, true
		}
	}
	next := v.Base
	for i, p := range batch {
		if !refused[i] {
			p.result = p.written(next+1, at)
			if len(p.events) == 0 { // as its receipt says, whatever stands before it in the batch
				p.result.First, p.result.Last = v.Base, v.Base
			}
			next += int64(len(p.events))
			p.recorded = true
			for customer, key := range p.fresh { // not those of an append that an earlier call wrote: its keys were others
				s.keys.Keep(tenant, customer, key)
			}
		}
	}
	if next == v.Base {
		return 0
	}
	return next
}

func (p *prepared) written(first int64, at time.Time) Result {
	return Result{First: first, Last: first + int64(len(p.events)) - 1, RecordedAt: at.UTC()}
}

func (p *prepared) expected(stream string) int64 {
	for _, st := range p.Streams {
		if st.Stream == stream {
			return st.Version
		}
	}
	for _, g := range p.Guards {
		if g.Stream == stream {
			return g.Version
		}
	}
	return 0
}

// layout holds the columns that append_events takes, for one call after another.
type layout struct {
	ids     column
	expects struct{ append, stream, version column }
	events  struct{ append, stream, version, name, typeVersion, customer, data, meta column }
	receipt struct{ append, actor, route, key, body, answer, last, expires column }
	keys    struct{ append, customer, generation, master, wrapped column }
}

// columns lists them in the order of append_events.
func (l *layout) columns() []*column {
	x, e, r, k := &l.expects, &l.events, &l.receipt, &l.keys
	return []*column{&l.ids, &x.append, &x.stream, &x.version,
		&e.append, &e.stream, &e.version, &e.name, &e.typeVersion, &e.customer, &e.data, &e.meta,
		&r.append, &r.actor, &r.route, &r.key, &r.body, &r.answer, &r.last, &r.expires,
		&k.append, &k.customer, &k.generation, &k.master, &k.wrapped}
}

var layouts = sync.Pool{New: func() any { return new(layout) }}

// arguments lays a batch out as the parallel arrays of append_events. Only a careful one has the streams that begin checked, which
// a unique index does as well. They are valid until the layout is used again.
func (l *layout) arguments(tenant string, batch []*prepared, careful bool) [][]byte {
	columns := l.columns()
	for _, c := range columns {
		c.reset()
	}
	x, e, r, k := &l.expects, &l.events, &l.receipt, &l.keys
	for i, p := range batch {
		a := i + 1
		l.ids.uuid(p.ID)
		for _, st := range p.Streams {
			if st.Version == 0 && !careful {
				continue
			}
			x.append.int4(a)
			x.stream.text(st.Stream)
			x.version.int8(st.Version)
		}
		for _, g := range p.Guards {
			x.append.int4(a)
			x.stream.text(g.Stream)
			x.version.int8(g.Version)
		}
		for _, pe := range p.events {
			e.append.int4(a)
			e.stream.text(pe.stream)
			e.version.int8(pe.version)
			e.name.text(pe.name)
			e.typeVersion.int4(pe.typeVersion)
			e.customer.uuid(pe.customer)
			e.data.text(pe.data)
			e.meta.text(pe.meta)
		}
		if rc := p.Receipt; rc != nil {
			last := 0
			if len(p.events) > 0 {
				last = e.append.n
			}
			r.append.int4(a)
			r.actor.text(rc.Actor)
			r.route.text(rc.Route)
			r.key.text(rc.Key)
			r.body.bytea(rc.Body)
			r.answer.text(rc.Answer)
			r.last.int4(last)
			r.expires.time(rc.Expires)
		}
		for _, w := range p.keys {
			k.append.int4(a)
			k.customer.uuid(w.Customer)
			k.generation.int4(w.Generation)
			k.master.text(w.Master)
			k.wrapped.bytea(w.Bytes)
		}
	}
	arguments := make([][]byte, 0, 3+len(columns))
	arguments = append(arguments, []byte(tenant), nil, nil)
	for _, c := range columns {
		arguments = append(arguments, c.wire())
	}
	return arguments
}
