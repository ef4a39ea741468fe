package eventstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"customercenter/eventstore/keyring"
)

// Group commit. Appends of one tenant that arrive while a call is under way go out together as the next call, with no timer:
// a lone append goes at once.

// Bounds of one call; the next takes what is left.
const (
	batchAppends = 512
	batchEvents  = 4000
	batchBytes   = 24 << 20
	// secondFlight is how many appends must wait before a second call goes out beside the first: it is parsed and planned while the first
	// commits, then gets the lock at once.
	secondFlight = 16
)

// prepared is an append ready to be sent: payloads encoded and sealed.
type prepared struct {
	*Append
	events   []preparedEvent
	bytes    int
	keys     []keyring.Wrapped
	fresh    map[uuid.UUID]keyring.Key // keys of NewCustomers, valid once committed
	done     chan struct{}             // closed when result and err are set
	result   Result
	err      error
	recorded bool // in the log, by this call or an earlier one
}

type preparedEvent struct {
	stream      string
	version     int64
	name        string
	typeVersion int
	customer    pgtype.UUID // not valid: nobody
	data, meta  string
}

// queue holds the appends of one tenant that wait for the next call.
type queue struct {
	waiting []*prepared
	flights int // calls under way
}

// Append writes one append and returns what it wrote.
//
// Errors: *ConflictError, *RepeatedError, ErrClocks, ErrUnknownTenant, ErrTooLarge, ErrUnknownType and keyring.ErrNoKey mean that
// nothing was written. ErrUnavailable and a context error mean that it is not known; appending again with the same ID is safe.
func (s *Store) Append(ctx context.Context, a Append) (Result, error) {
	p, err := s.prepare(ctx, &a)
	if err != nil {
		return Result{}, err
	}
	s.mu.Lock()
	q := s.queues[a.Tenant]
	if q == nil {
		q = &queue{}
		s.queues[a.Tenant] = q
	}
	q.waiting = append(q.waiting, p)
	alone := q.flights == 0
	more := q.flights == 1 && len(q.waiting) >= secondFlight
	if alone || more {
		q.flights++
	}
	s.mu.Unlock()
	switch {
	case alone:
		// The first call goes out from here, which saves a lone append a goroutine; whoever queued meanwhile is not our caller's business.
		if s.next(a.Tenant, q) {
			go s.fly(a.Tenant, q)
		}
	case more:
		go s.fly(a.Tenant, q)
	}
	select {
	case <-p.done:
		return p.result, p.err
	default: // what is known is never reported as unknown
	}
	select {
	case <-p.done:
		return p.result, p.err
	case <-ctx.Done():
		return Result{}, fmt.Errorf("eventstore: append: outcome unknown: %w", context.Cause(ctx))
	}
}

// fly sends batches until nobody waits.
func (s *Store) fly(tenant string, q *queue) {
	for more := true; more; {
		s.gather(q)
		more = s.next(tenant, q)
	}
}

// gather lets the writers that a batch has just answered queue their next append, so that calls are few and full. It waits for
// nobody: it yields the processor, no longer than the queue grows.
func (s *Store) gather(q *queue) {
	for before := -1; ; {
		s.mu.Lock()
		now := len(q.waiting)
		s.mu.Unlock()
		if now <= before || now >= batchAppends {
			return
		}
		before = now
		runtime.Gosched()
	}
}

// next sends one batch and reports whether more are waiting; if not, the flight has ended.
func (s *Store) next(tenant string, q *queue) bool {
	s.mu.Lock()
	batch := takeBatch(q)
	s.mu.Unlock()
	if len(batch) > 0 {
		s.send(tenant, batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.waiting) > 0 {
		return true
	}
	q.flights--
	if q.flights == 0 {
		delete(s.queues, tenant)
	}
	return false
}

// takeBatch takes, in order, the waiting appends that do not touch what an earlier one of the batch or of those left waiting touches.
// So every check under the lock sees the state that each append will find.
func takeBatch(q *queue) []*prepared {
	if len(q.waiting) == 1 {
		batch := q.waiting
		q.waiting = nil
		return batch
	}
	var batch, rest []*prepared
	written, guarded, receipts := map[string]bool{}, map[string]bool{}, map[[3]string]bool{}
	events, bytes := 0, 0
	for _, p := range q.waiting {
		full := len(batch) > 0 && (len(batch) == batchAppends || events+len(p.events) > batchEvents || bytes+p.bytes > batchBytes)
		clash := full
		for _, st := range p.Streams {
			clash = clash || written[st.Stream] || guarded[st.Stream]
		}
		for _, g := range p.Guards {
			clash = clash || written[g.Stream]
		}
		if r := p.Receipt; r != nil {
			clash = clash || receipts[[3]string{r.Actor, r.Route, r.Key}]
			receipts[[3]string{r.Actor, r.Route, r.Key}] = true
		}
		for _, st := range p.Streams {
			written[st.Stream] = true
		}
		for _, g := range p.Guards {
			guarded[g.Stream] = true
		}
		if clash {
			rest = append(rest, p)
			continue
		}
		batch = append(batch, p)
		events += len(p.events)
		bytes += p.bytes
	}
	q.waiting = rest
	return batch
}

// prepare encodes and seals outside of any lock, in the caller's goroutine.
func (s *Store) prepare(ctx context.Context, a *Append) (*prepared, error) {
	p := &prepared{Append: a, done: make(chan struct{})}
	if a.ID == uuid.Nil || a.Tenant == "" || a.Now.IsZero() {
		return nil, errors.New("eventstore: an append needs a tenant, an id and the caller's time")
	}
	for _, c := range a.NewCustomers {
		k, wrapped := s.keys.Create(a.Tenant, c.ID, c.Generation)
		p.keys = append(p.keys, wrapped)
		if p.fresh == nil {
			p.fresh = make(map[uuid.UUID]keyring.Key, len(a.NewCustomers))
		}
		p.fresh[c.ID] = k
	}
	seen := make(map[string]bool, len(a.Streams))
	meta := Meta{Append: a.ID, Actor: a.Actor, Cause: a.Cause, Correlation: a.Correlation}
	plain, err := json.Marshal(meta) // shared by all events that did not happen outside
	if err != nil {
		return nil, fmt.Errorf("eventstore: envelope: %w", err)
	}
	for _, st := range a.Streams {
		if seen[st.Stream] || st.Stream == "" || len(st.Events) == 0 || st.Version < 0 {
			return nil, fmt.Errorf("eventstore: append names stream %q twice, without events or without a version", st.Stream)
		}
		seen[st.Stream] = true
		for i, e := range st.Events {
			pe := preparedEvent{stream: st.Stream, version: st.Version + int64(i) + 1, meta: string(plain)}
			if e.Customer != uuid.Nil {
				pe.customer = pgtype.UUID{Bytes: e.Customer, Valid: true}
			}
			if !e.OccurredAt.IsZero() {
				at := e.OccurredAt.UTC()
				meta.OccurredAt = &at
				b, err := json.Marshal(meta)
				if err != nil {
					return nil, fmt.Errorf("eventstore: envelope: %w", err)
				}
				pe.meta = string(b)
			}
			data, name, version, err := s.codec.encode(e.Payload, place(a.Tenant, st.Stream, pe.version), func() (keyring.Key, error) {
				if k, ok := p.fresh[e.Customer]; ok {
					return k, nil
				}
				return s.keys.Current(ctx, a.Tenant, e.Customer)
			})
			if err != nil {
				return nil, fmt.Errorf("eventstore: encode: %w", unavailable(err))
			}
			pe.data, pe.name, pe.typeVersion = string(data), name, version
			p.bytes += len(pe.data) + len(pe.meta)
			p.events = append(p.events, pe)
		}
	}
	if len(p.events) > MaxEvents || p.bytes > MaxBytes {
		return nil, ErrTooLarge
	}
	return p, nil
}

// send carries out one batch and settles every append in it. A batch that fails as a statement is halved and tried again, so that
// one impossible append does not take others with it.
func (s *Store) send(tenant string, batch []*prepared) {
	last, err := s.call(tenant, batch)
	switch {
	case err == nil:
		if last > 0 {
			s.ring(tenant, last)
		}
	case len(batch) > 1 && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrClocks) && !errors.Is(err, ErrUnknownTenant):
		s.send(tenant, batch[:len(batch)/2])
		s.send(tenant, batch[len(batch)/2:])
		return
	default:
		for _, p := range batch {
			p.err = err
		}
	}
	for _, p := range batch {
		close(p.done)
	}
}

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
