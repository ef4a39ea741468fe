package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Timed is a Fold of which rows change although nothing happens: because time has passed, or because an event led to more work than one
// batch can do. Such rows must be a pure function of the log and the clock. The clock of a build, its checkpoint's, says up to which instant
// all has been done that fell due; it goes no further than a watermark of the log that has been folded.
//
// The work is done in pieces between batches of events, each piece one transaction behind the fence of the checkpoint: it may end after any
// piece and be gone on with by another process.
type Timed interface {
	Fold
	// Idle reports that there is nothing to be done until an event comes, whatever the time.
	Idle() bool
	// Next is the earliest instant at which something may be to be done, as far as is known without looking; the year 1: at once. It is
	// asked after a batch of events, and counts in addition to what Gather said.
	Next() (at time.Time, any bool)
	// Gather looks for rows to be changed, at most limit, and touches them. What falls due after until must be left alone. If none is
	// found, next is when it may be worth looking again; zero: not before an event comes.
	Gather(ctx context.Context, from Reader, until time.Time, limit int) (found bool, next time.Time, err error)
	// Tend changes what Gather has found. What concerns one customer alone it has one do. If that fails or panics, all of it is undone, the
	// customer is parked, and the answer is false: Tend then sees to it that Gather does not find the customer again. Any other error has
	// nothing written, and it is tried again. No error may hold personal data.
	Tend(one func(customer uuid.UUID, do func() error) bool) error
	// Settle brings a customer, who was folded anew up to the checkpoint, to where all others are by its clock.
	Settle(customer uuid.UUID, clock time.Time) error
}

// Reader reads committed rows of one tenant in one build.
type Reader struct {
	Tenant string
	Schema string
	db     interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}
}

// Query runs a query. Tables are to be named with the schema.
func (r Reader) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return r.db.Query(ctx, sql, args...)
}

// Bounds of a piece of work. A batch of events waits for no more than one piece, so pieces are made as large as they may last. Within each, and behind
// it, there are rests, unless a build is being made in large pieces: a rule that is filled a little later is noticed by nobody, a list that takes
// twice as long by everybody.
const (
	pieceLong  = 50 * time.Millisecond // a piece that lasted longer is followed by smaller ones
	pieceShort = 20 * time.Millisecond // one that lasted shorter by larger ones
	pieceRest  = 1.0                   // how long the rest is, in lengths of the piece
	restMost   = 250 * time.Millisecond
	restWithin = 10 * time.Millisecond // at most at a time; a process may have been stopped meanwhile
	pieceFirst = 500
	pieceLeast = 500 // with fewer, a busy machine would do little but begin and end
	// clockStep is how far the clock of the checkpoint lags when nothing falls due: it costs a write to move it.
	clockStep = 10 * time.Second
	// clockRest is how long it stays where it is at most, while there is anything that depends on it.
	clockRest = time.Minute
	// markedFor is how long a watermark is good for while there is work: what falls due meanwhile is not to wait for the end of it.
	markedFor = time.Second
)

// tending is how far a feeder is with the work of a Timed fold. Its zero value is after the checkpoint was read.
type tending struct {
	marked bool
	head   int64     // of the log at the watermark
	until  time.Time // the watermark
	local  time.Time // when it was read, by the clock of the process
	limit  int
	worked bool      // something was done under this watermark
	next   time.Time // when to look again, by the clock of the process; zero: at once
	rest   time.Time // and not before
	never  bool      // not before events come

	// Of the piece that is being done:
	gentle bool          // it rests within
	began  time.Time     // when the fold was asked to do it
	since  time.Time     // the end of the last rest
	rested time.Duration // in all
}

// due reports whether it is time to look for work.
func (t *tending) due(now time.Time) bool { return !t.never && !now.Before(t.when()) }

// when is the time to look for work, unless it is never.
func (t *tending) when() time.Time { return later(t.next, t.rest) }

// wake has the feeder look for work at an instant of the tenant's clock, if it would not look earlier.
func (t *tending) wake(at time.Time) {
	local := t.local.Add(at.Sub(t.until))
	if t.never || local.Before(t.next) {
		t.never, t.next = false, local
	}
}

// stirred is called after a batch of events: it may have led to work.
func (f *feeder) stirred() {
	fold, timed := f.fold.(Timed)
	if !timed {
		return
	}
	if at, any := fold.Next(); any {
		f.tending.wake(at)
	}
}

// watermark is Config.Watermark.
type watermark func(ctx context.Context, tenant string) (head int64, at time.Time, err error)

// aheadMost is how far a watermark may be ahead of the clock of this process: as far as an append may be of the database's.
const aheadMost = time.Minute

// careful is a watermark that does not follow the database's clock when it jumps ahead: what falls due then would be done for good. An earlier
// instant is a watermark as well.
func careful(read watermark, now func() time.Time) watermark {
	return func(ctx context.Context, tenant string) (int64, time.Time, error) {
		head, at, err := read(ctx, tenant)
		if most := now().Add(aheadMost); err == nil && at.After(most) {
			at = most
		}
		return head, at, err
	}
}

// tend does one piece of work and reports whether there may be more at once: after a rest, see tending, unless pieces are large. The checkpoint must be known, and nothing folded that is not written.
func (f *feeder) tend(ctx context.Context, watermark watermark) (more bool, err error) {
	fold, timed := f.fold.(Timed)
	if !timed {
		f.tending.never = true
		return false, nil
	}
	if err := f.load(ctx, f.db()); err != nil {
		return false, err
	}
	t := &f.tending
	if fold.Idle() {
		t.never = true
		return false, nil
	}
	if !t.marked || time.Since(t.local) > markedFor {
		head, at, err := watermark(ctx, f.tenant)
		if err != nil {
			return false, fmt.Errorf("projector: watermark of %s: %w", f.def.Name, err)
		}
		t.worked = t.marked && t.worked
		t.marked, t.head, t.until, t.local = true, head, later(at.UTC().Truncate(time.Microsecond), f.clock), time.Now()
	}
	reached := f.position >= t.head
	until := f.clock
	if reached {
		until = t.until
	}
	began := time.Now()
	t.gentle, t.rested = !f.bulk, 0
	found, next, err := f.piece(ctx, fold, until)
	t.gentle = false
	if err != nil {
		return false, err
	}
	if found {
		lasted := time.Since(began)
		t.worked, t.never, t.next = true, false, time.Time{}
		t.resize(lasted, f.most)
		if !f.bulk {
			t.rest = time.Now().Add(min(time.Duration(pieceRest*float64(lasted-t.rested))-t.rested, restMost))
		}
		return f.bulk, nil
	}
	if !reached { // events come first
		t.next, t.never = time.Now().Add(time.Millisecond), false
		return false, nil
	}
	if t.worked || until.Sub(f.clock) >= clockStep {
		if err := f.moveClock(ctx, until, until); err != nil {
			return false, err
		}
	}
	t.marked, t.never = false, true
	t.wake(until.Add(clockRest))
	if !next.IsZero() {
		t.wake(next)
	}
	return false, nil
}

// resize chooses how much is done in the next piece.
func (t *tending) resize(lasted time.Duration, most int) {
	switch {
	case lasted > pieceLong:
		t.limit = min(max(int(int64(t.limit)*int64(pieceLong)/int64(lasted)), pieceLeast), most)
	case lasted < pieceShort:
		t.limit = min(t.limit*2, most)
	}
}

// piece does one piece of work, unless there is none.
func (f *feeder) piece(ctx context.Context, fold Timed, until time.Time) (found bool, next time.Time, err error) {
	if f.tending.limit == 0 {
		f.tending.limit = min(pieceFirst, f.most)
	}
	found, next, err = fold.Gather(ctx, f.reader(), until, f.tending.limit)
	if err != nil {
		f.forget()
		return false, next, fmt.Errorf("projector: gather %s: %w", f.def.Name, scrub(err))
	}
	if !found {
		return false, next, nil
	}
	if err := f.load(ctx, f.db()); err != nil {
		f.forget()
		return false, next, err
	}
	if err := f.tendRows(fold); err != nil {
		f.forget()
		return false, next, fmt.Errorf("projector: tend %s: %w", f.def.Name, err)
	}
	return true, next, f.moveClock(ctx, f.clock, until)
}

func (f *feeder) tendRows(fold Timed) (err error) {
	for _, t := range f.tables {
		t.begin()
	}
	f.tending.began = time.Now()
	f.tending.since = f.tending.began
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic of type %T", p) // its text may quote a value
		}
	}()
	return fold.Tend(f.tendOne)
}

// breathe rests after every few customers, so that others wait for the processor not for a piece, but for a moment. What is rested within a piece is not
// rested behind it; in one that lasts too long nothing is, as events wait for it.
func (f *feeder) breathe() {
	t := &f.tending
	now := time.Now()
	if !t.gentle || f.changes%polite != 0 || now.Sub(t.began) > pieceLong {
		return
	}
	time.Sleep(min(time.Duration(pieceRest*float64(now.Sub(t.since))), restWithin))
	t.since = time.Now()
	t.rested += t.since.Sub(now) // more than was asked for: a short sleep lasts longer
}

// parkedByClock stands where the type of an event would, of a customer who was parked although nothing happened to them.
const parkedByClock = "clock"

// tendOne does what concerns one customer, or nothing of it: then the customer is parked, and nobody else suffers.
func (f *feeder) tendOne(id uuid.UUID, do func() error) bool {
	f.breathe()
	err := f.wholly(do)
	if err == nil {
		return true
	}
	if _, parked := f.parked[id]; !parked {
		f.parking = append(f.parking, parking{id, f.position, parkedByClock, err.Error()})
		f.parked[id] = struct{}{}
	}
	return false
}

// moveClock writes the changed rows with the clock of the checkpoint, which may stay where it is, and where it is going.
func (f *feeder) moveClock(ctx context.Context, to, goal time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`select projection_tend($1, $2, $3, $4, $5, $6)`, f.build.ID, f.tenant, f.position, f.revision, to, goal)
	f.queueParking(batch)
	if err := f.write(ctx, batch); err != nil {
		return err
	}
	f.revision++
	f.clock, f.parking = to, nil
	return nil
}

// tendAll does all work there is, in large pieces. The log may be growing faster than it is folded, so the clock goes as far as what is folded
// allows: what comes after an event is recorded at the same instant or later.
func (f *feeder) tendAll(ctx context.Context) error {
	if _, timed := f.fold.(Timed); !timed || f.stopped != "" {
		return nil
	}
	f.bulk = true
	defer func() { f.bulk = false }()
	folded := func(ctx context.Context, tenant string) (int64, time.Time, error) {
		last, err := f.store.ReadPositions(ctx, tenant, []int64{f.position})
		if err != nil || len(last) == 0 {
			return f.position, f.clock, err
		}
		return f.position, last[0].RecordedAt.Add(-time.Microsecond), nil
	}
	for more := true; more; {
		f.tending.limit = f.most
		var err error
		if more, err = f.tend(ctx, folded); err != nil {
			return err
		}
	}
	f.tending = tending{}
	return nil
}

// tendTo does all work there is up to an instant. ErrBehind when it is more than so many pieces.
func (f *feeder) tendTo(ctx context.Context, clock time.Time, most int) error {
	fold, timed := f.fold.(Timed)
	if !timed {
		return nil
	}
	if err := f.load(ctx, f.db()); err != nil {
		return err
	}
	for range most {
		found, _, err := f.piece(ctx, fold, clock)
		if err != nil {
			return err
		}
		if found {
			continue
		}
		if f.clock.Before(clock) {
			return f.moveClock(ctx, clock, clock)
		}
		return nil
	}
	return ErrBehind
}

// reader reads where the feeder writes.
func (f *feeder) reader() Reader {
	r := Reader{Tenant: f.tenant, Schema: f.build.Schema, db: f.store.Pool()}
	if f.tx != nil {
		r.db = f.tx
	}
	return r
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
