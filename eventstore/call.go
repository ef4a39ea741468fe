package eventstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// One call of the append functions of the database: its arguments, its answer, and what that means for every append of a batch.

// call runs append_events, again while the connection is lost: append ids and expected versions make that safe.
func (s *Store) call(tenant string, batch []*prepared) (last int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.patient)
	defer cancel()
	if len(batch) == 1 && batch[0].simple() {
		last, err = s.callOne(ctx, tenant, batch[0])
		if last > 0 || (err != nil && !lost(err)) {
			return last, translate(err)
		}
	}
	args := arguments(tenant, batch)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var v verdicts
		args[1] = time.Now() // of this try: the clocks are compared when it arrives
		err = s.query(ctx, appendCall, args, &v)
		if err == nil {
			return s.settle(tenant, batch, v), nil
		}
		if !lost(err) {
			return 0, translate(err)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("eventstore: append: %w", unavailable(err))
		case <-time.After(pause):
		}
	}
}

// query runs one statement under the context's deadline. It sets the deadline on the connection itself: a context that can be
// cancelled costs a goroutine at every statement, which a lone append would feel.
func (s *Store) query(ctx context.Context, sql string, args []any, into ...any) error {
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
	return conn.QueryRow(context.Background(), sql, args...).Scan(into...)
}

// simple reports whether append_event can carry out the append.
func (p *prepared) simple() bool {
	return len(p.events) == 1 && len(p.Streams) == 1 && len(p.Guards) == 0 && p.Receipt == nil && len(p.keys) == 0
}

// callOne appends a single event the short way. Neither a position nor an error means that append_events has to find out why not.
func (s *Store) callOne(ctx context.Context, tenant string, p *prepared) (int64, error) {
	e := p.events[0]
	var place []int64
	err := s.query(ctx, `select append_event($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		[]any{tenant, time.Now(), e.stream, e.version, e.name, e.typeVersion, e.customer, e.data, e.meta}, &place)
	if err != nil || len(place) != 2 {
		return 0, err
	}
	p.result = p.written(place[0], time.UnixMicro(place[1]))
	return place[0], nil
}

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

const appendCall = `select append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)`

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

// arguments lays a batch out as the parallel arrays of append_events.
func arguments(tenant string, batch []*prepared) []any {
	n := 0
	for _, p := range batch {
		n += len(p.events)
	}
	ids := make([][16]byte, len(batch)) // pgx writes these without asking uuid.UUID for its text
	var x struct {
		append  []int32
		stream  []string
		version []int64
	}
	e := struct {
		append, typeVersion      []int32
		stream, name, data, meta []string
		version                  []int64
		customer                 []pgtype.UUID
	}{make([]int32, 0, n), make([]int32, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]int64, 0, n), make([]pgtype.UUID, 0, n)}
	var r struct {
		append, last               []int32
		actor, route, key, answers []string
		body                       [][]byte
		expires                    []time.Time
	}
	var k struct {
		append, generation []int32
		customer           [][16]byte
		master             []string
		wrapped            [][]byte
	}
	for i, p := range batch {
		a := int32(i + 1)
		ids[i] = p.ID
		for _, st := range p.Streams {
			x.append, x.stream, x.version = append(x.append, a), append(x.stream, st.Stream), append(x.version, st.Version)
		}
		for _, g := range p.Guards {
			x.append, x.stream, x.version = append(x.append, a), append(x.stream, g.Stream), append(x.version, g.Version)
		}
		for _, pe := range p.events {
			e.append, e.stream, e.version = append(e.append, a), append(e.stream, pe.stream), append(e.version, pe.version)
			e.name, e.typeVersion, e.customer = append(e.name, pe.name), append(e.typeVersion, int32(pe.typeVersion)), append(e.customer, pe.customer)
			e.data, e.meta = append(e.data, pe.data), append(e.meta, pe.meta)
		}
		if rc := p.Receipt; rc != nil {
			last := int32(0)
			if len(p.events) > 0 {
				last = int32(len(e.append))
			}
			r.append, r.last, r.actor, r.route, r.key = append(r.append, a), append(r.last, last), append(r.actor, rc.Actor), append(r.route, rc.Route), append(r.key, rc.Key)
			r.answers, r.body, r.expires = append(r.answers, rc.Answer), append(r.body, append([]byte{}, rc.Body...)), append(r.expires, rc.Expires)
		}
		for _, w := range p.keys {
			k.append, k.generation, k.customer = append(k.append, a), append(k.generation, int32(w.Generation)), append(k.customer, w.Customer)
			k.master, k.wrapped = append(k.master, w.Master), append(k.wrapped, w.Bytes)
		}
	}
	return []any{tenant, time.Time{}, ids, x.append, x.stream, x.version,
		e.append, e.stream, e.version, e.name, e.typeVersion, e.customer, e.data, e.meta,
		r.append, r.actor, r.route, r.key, r.body, r.answers, r.last, r.expires,
		k.append, k.customer, k.generation, k.master, k.wrapped}
}
