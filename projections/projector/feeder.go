package projector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
)

// feeder folds one tenant's log into one build. Feeding as it happens and rebuilding are the same but for when and how rows are
// written: after every batch by arrays, or when there are many by COPY.
type feeder struct {
	store  *eventstore.Store
	def    *Definition
	build  Build
	tenant string
	heard  map[string]bool // event type → whether it is blind
	types  []string        // that are heard, and those at which a customer is folded anew
	reads  bool            // the fold reads personal fields
	recent *recent         // of those that follow the log; nil: nothing is shared
	bulk   bool
	tx     pgx.Tx // if set, everything happens in this transaction
	keep   int    // rows kept in memory per table
	most   int    // rows changed in one piece, see Timed

	fold   Fold
	tables []Table

	known    bool  // the checkpoint has been read
	position int64 // of the checkpoint
	revision int64
	clock    time.Time // of the checkpoint
	stopped  string
	parked   map[uuid.UUID]struct{}

	// What is folded and not yet written.
	to      int64
	parking []parking

	tending   tending
	changes   int // how many events were folded and customers tended, see polite
	committed func(tenant string, position int64)
	folded    func(tenant string, position int64) // of what is folded in large steps, and may not be written yet
}

// parking is a customer to be parked.
type parking struct {
	customer uuid.UUID
	position int64
	kind     string
	reason   string
}

// stretch is a part of the log: the events that are heard, and where it ends.
type stretch struct {
	to     int64
	events []eventstore.Decoded
	failed []error // why an event cannot be decoded
	full   bool    // there may be more
	anew   bool    // its one event has a customer folded anew, see anew.go
}

func (p *Projector) newFeeder(def *Definition, build Build, tenant string) *feeder {
	f := &feeder{
		store: p.store, def: def, build: build, tenant: tenant, heard: def.heard(), types: def.Types, keep: keepLive, most: p.config.Piece,
		committed: func(string, int64) {}, folded: func(string, int64) {},
	}
	for _, t := range def.Types {
		f.reads = f.reads || !f.heard[t] && len(p.store.Codec().PersonalFields(t)) > 0
	}
	again := []string{skippedType}
	if f.reads {
		again = append(again, erasedType)
	}
	for _, t := range again {
		if !slices.Contains(f.types, t) {
			f.types = append(slices.Clone(f.types), t)
		}
	}
	f.forget()
	return f
}

// forget drops everything in memory that the checkpoint does not cover.
func (f *feeder) forget() {
	f.fold = f.def.New()
	f.tables = f.fold.Tables()
	for _, t := range f.tables {
		t.bind(f.build.Schema, f.tenant)
	}
	for _, p := range f.parking {
		delete(f.parked, p.customer)
	}
	f.to, f.parking = f.position, nil
}

// lose forgets the checkpoint too: it may not be what it was.
func (f *feeder) lose() {
	f.known = false
	f.forget()
}

// open reads the checkpoint, and makes it for a tenant that is new to the build.
func (f *feeder) open(ctx context.Context) error {
	if f.known {
		return nil
	}
	batch := &pgx.Batch{}
	batch.Queue(`insert into projection_checkpoints (build, tenant) values ($1, $2) on conflict do nothing`, f.build.ID, f.tenant)
	batch.Queue(`select position, revision, clock, coalesce(stopped, '') from projection_checkpoints where build = $1 and tenant = $2`, f.build.ID, f.tenant).
		QueryRow(func(row pgx.Row) error { return row.Scan(&f.position, &f.revision, &f.clock, &f.stopped) })
	f.parked = map[uuid.UUID]struct{}{}
	batch.Queue(`select customer from parked_customers where build = $1 and tenant = $2`, f.build.ID, f.tenant).Query(func(rows pgx.Rows) error {
		customers, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, c := range customers {
			f.parked[c] = struct{}{}
		}
		return err
	})
	if err := f.db().SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("projector: checkpoint of %s: %w", f.def.Name, err)
	}
	f.clock = f.clock.UTC()
	f.known, f.to, f.tending = true, f.position, tending{}
	f.committed(f.tenant, f.position)
	return nil
}

// read reads and decodes the log after a position.
func (f *feeder) read(ctx context.Context, after int64, limit int) (stretch, error) {
	heard, last, err := f.store.ReadHeard(ctx, f.tenant, after, limit, f.types)
	if err != nil || last == after {
		return stretch{to: after}, err
	}
	s := stretch{to: last, full: last == after+int64(limit)}
	s.events, s.failed, err = f.decodeOnce(ctx, heard)
	return f.cut(s), err
}

// apply folds a stretch and writes it. If the database refuses the rows, halves are tried until the culprit is found.
func (f *feeder) apply(ctx context.Context, s stretch) error {
	if s.to <= f.position {
		return nil
	}
	err := f.try(ctx, s)
	code := refused(err)
	if code == "" || len(s.events) == 0 {
		return err
	}
	if len(s.events) == 1 {
		s.failed = []error{fmt.Errorf("the database refuses the rows: %s", code)}
		return f.try(ctx, s)
	}
	middle := len(s.events) / 2
	if err := f.apply(ctx, stretch{to: s.events[middle-1].Position, events: s.events[:middle], failed: s.failed[:middle]}); err != nil {
		return err
	}
	return f.apply(ctx, stretch{to: s.to, events: s.events[middle:], failed: s.failed[middle:]})
}

func (f *feeder) try(ctx context.Context, s stretch) error {
	if s.anew {
		return f.pass(ctx, &s.events[0])
	}
	stop, err := f.foldIn(ctx, s)
	if err == nil {
		err = f.flush(ctx, stop)
	}
	if err == nil && stop != "" {
		err = &stoppedError{stop}
	}
	return err
}

// polite is after how many events that are folded, or customers who are tended, others get the processor, if somebody waits for it. Go itself takes it away
// after 10 ms, which is longer than a command takes.
const polite = 32

// foldIn folds a stretch in memory. stop is why it did not get to its end.
func (f *feeder) foldIn(ctx context.Context, s stretch) (stop string, err error) {
	for i := range s.events {
		f.fold.Touch(&s.events[i])
	}
	if err := f.load(ctx, f.db()); err != nil {
		f.forget()
		return "", err
	}
	for i := range s.events {
		e := &s.events[i]
		if _, parked := f.parked[e.Customer]; parked {
			f.fold.Skip(&e.Event)
			continue
		}
		err := s.failed[i]
		if err == nil {
			err = f.applyOne(e)
		}
		switch {
		case err == nil:
		case e.Customer == uuid.Nil || errors.Is(err, ErrStop):
			f.to = e.Position - 1
			return fmt.Sprintf("%s at %d: %v", e.Type, e.Position, err), nil
		default:
			f.parking = append(f.parking, parking{e.Customer, e.Position, e.Type, err.Error()})
			f.parked[e.Customer] = struct{}{}
			f.fold.Skip(&e.Event)
		}
	}
	f.to = s.to
	return "", nil
}

// applyOne applies an event, or nothing of it.
func (f *feeder) applyOne(e *eventstore.Decoded) error {
	return f.wholly(func() error { return f.fold.Apply(e) })
}

// wholly changes rows, or none if that fails or panics.
func (f *feeder) wholly(do func() error) (err error) {
	if f.changes++; f.changes%polite == 0 {
		runtime.Gosched()
	}
	for _, t := range f.tables {
		t.begin()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic of type %T", p) // its text may quote a value
		}
		if err != nil {
			for _, t := range f.tables {
				t.undo()
			}
		}
	}()
	return do()
}

// database is a pool or a transaction.
type database interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (f *feeder) db() database {
	if f.tx != nil {
		return f.tx
	}
	return f.store.Pool()
}

// load brings the touched rows into memory, in one round trip.
func (f *feeder) load(ctx context.Context, db database) error {
	batch := &pgx.Batch{}
	batch.Queue(tenancy.ByIndex)
	for _, t := range f.tables {
		t.load(batch)
	}
	if batch.Len() == 1 {
		return nil
	}
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("projector: load rows of %s: %w", f.def.Name, scrub(err))
	}
	return nil
}

// flush writes what is folded, with the checkpoint, in one transaction.
func (f *feeder) flush(ctx context.Context, stop string) error {
	if f.to == f.position && stop == f.stopped {
		return nil
	}
	batch := &pgx.Batch{}
	var reason *string
	if stop != "" {
		reason = &stop
	}
	batch.Queue(`select projection_advance($1, $2, $3, $4, $5, $6)`, f.build.ID, f.tenant, f.position, f.revision, f.to, reason)
	f.queueParking(batch)
	if err := f.write(ctx, batch); err != nil {
		return err
	}
	f.position, f.stopped = f.to, stop
	f.parking = nil
	f.committed(f.tenant, f.position)
	return nil
}

const parkSQL = `insert into parked_customers (build, tenant, customer, position, type, reason) values ($1, $2, $3, $4, $5, $6)`

func (f *feeder) queueParking(batch *pgx.Batch) {
	for _, p := range f.parking {
		batch.Queue(parkSQL, f.build.ID, f.tenant, p.customer, p.position, p.kind, p.reason)
	}
}

// write runs the statements that move the checkpoint, and writes the changed rows, in one transaction: as one pipelined round trip, or by COPY.
func (f *feeder) write(ctx context.Context, batch *pgx.Batch) (err error) {
	if f.bulk {
		err = pgx.BeginFunc(ctx, f.store.Pool(), func(tx pgx.Tx) error {
			if err := tx.SendBatch(ctx, batch).Close(); err != nil {
				return err
			}
			for _, t := range f.tables {
				if err := t.copyNew(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		})
	} else {
		for _, t := range f.tables {
			t.write(batch)
		}
		err = f.db().SendBatch(ctx, batch).Close() // one transaction: the pipeline's own
	}
	err = scrub(err)
	switch {
	case err == nil:
	case sqlState(err) == "CC010":
		f.lose()
		return errFenced
	case refused(err) != "":
		f.forget()
		return fmt.Errorf("projector: write %s: %w", f.def.Name, err)
	default:
		f.lose() // whether it was committed is not known
		return fmt.Errorf("projector: write %s: %w", f.def.Name, err)
	}
	for _, t := range f.tables {
		t.written()
		t.trim(f.keep)
	}
	return nil
}

// Rows kept in memory per table.
const (
	keepLive = 4_096
	keepBulk = 150_000
)
