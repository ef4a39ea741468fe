package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// StillParkedError says that an event of the customer still cannot be applied.
type StillParkedError struct {
	Position int64
	Type     string
	Reason   string
}

func (e *StillParkedError) Error() string {
	return fmt.Sprintf("projector: still parked: %s at %d: %s", e.Type, e.Position, e.Reason)
}

// Retry folds a parked customer anew in every build that has parked it: its rows are deleted and all its events up to the checkpoint are
// applied, in one transaction, under the fence. It returns how many builds have the customer again. *StillParkedError, ErrUnknownProjection.
func (p *Projector) Retry(ctx context.Context, name, tenant string, id uuid.UUID) (mended int, err error) {
	def, err := p.definition(name)
	if err != nil {
		return 0, err
	}
	builds, err := p.parkedIn(ctx, def, tenant, id)
	if err != nil {
		return 0, err
	}
	for _, b := range builds {
		if err := p.newFeeder(def, b, tenant).refold(ctx, id); err != nil {
			return mended, err
		}
		mended++
	}
	return mended, nil
}

// refold folds one customer anew and takes it off the parked ones. The revision of the checkpoint moves, so whoever feeds the tenant
// finds out that rows changed under it.
func (f *feeder) refold(ctx context.Context, id uuid.UUID) error {
	return f.revise(ctx, func(tx pgx.Tx) error {
		var still *StillParkedError
		if err := f.anew(ctx, tx, id, f.position, func(p parking) bool {
			still = &StillParkedError{Position: p.position, Type: p.kind, Reason: p.reason}
			return false
		}); err != nil {
			return err
		}
		if still != nil {
			return still
		}
		_, err := tx.Exec(ctx, `delete from parked_customers where build = $1 and tenant = $2 and customer = $3`, f.build.ID, f.tenant, id)
		return err
	})
}

// revise changes rows although no event is folded, in one transaction, under the fence.
func (f *feeder) revise(ctx context.Context, change func(tx pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, f.store.Pool(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `update projection_checkpoints set revision = revision + 1 where build = $1 and tenant = $2 returning position, clock`,
			f.build.ID, f.tenant).Scan(&f.position, &f.clock); err != nil {
			return err
		}
		return change(tx)
	})
	var still *StillParkedError
	if err == nil || errors.As(err, &still) {
		return err
	}
	return fmt.Errorf("projector: fold a customer of %s anew: %w", f.def.Name, scrub(err))
}

// anew deletes a customer's rows and applies all its events up to a position again, but those that are skipped. One that cannot be applied is told to
// fails, which says whether to go on behind it; if not, the rest is passed over, as of a customer who is parked there. Rows are written, who is parked is
// not. It is called once, on a fold of its own.
//
// Rows that the database refuses as a whole are written after each event instead: so it is found out with which of them it begins.
func (f *feeder) anew(ctx context.Context, tx pgx.Tx, id uuid.UUID, upTo int64, fails func(parking) (goOn bool)) error {
	h, err := f.history(ctx, id, upTo)
	if err != nil {
		return err
	}
	attempt := func(stepwise bool) error {
		f.forget()
		return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return f.reapply(ctx, tx, id, h, stepwise, fails) })
	}
	err = attempt(false)
	if refused(err) != "" {
		err = attempt(true)
	}
	return err
}

// reapply is one attempt of anew.
func (f *feeder) reapply(ctx context.Context, tx pgx.Tx, id uuid.UUID, h history, stepwise bool, fails func(parking) (goOn bool)) error {
	f.fold.Recall(id, h.events)
	if err := f.load(ctx, tx); err != nil {
		return err
	}
	if err := f.fold.Forget(id, h.events); err != nil {
		return fmt.Errorf("its rows: %w", err)
	}
	for i := range h.events {
		f.fold.Touch(&h.events[i])
	}
	if err := f.load(ctx, tx); err != nil {
		return err
	}
	var broken error // of the database, and nobody's fault
	step := func(change func() error) error {
		return f.wholly(func() error {
			err := change()
			if err != nil || !stepwise {
				return err
			}
			err = f.writeRows(ctx, tx)
			if code := refused(err); code != "" {
				return fmt.Errorf("the database refuses the rows: %s", code)
			}
			broken = err
			return err
		})
	}
	passing := false
	for i := range h.events {
		e := &h.events[i]
		if _, skipped := h.skipped[e.Position]; skipped || passing {
			f.fold.Skip(&e.Event)
			continue
		}
		err := h.failed[i]
		if err == nil {
			err = step(func() error { return f.fold.Apply(e) })
		}
		if broken != nil || errors.Is(err, ErrStop) {
			return errors.Join(broken, err)
		}
		if err != nil {
			f.fold.Skip(&e.Event)
			passing = !fails(parking{id, e.Position, e.Type, err.Error()})
		}
	}
	if fold, ok := f.fold.(Timed); ok {
		if err := step(func() error { return fold.Settle(id, f.clock.UTC()) }); err != nil && broken == nil && !passing {
			fails(parking{id, f.position, parkedByClock, err.Error()})
		}
	}
	return errors.Join(broken, f.writeRows(ctx, tx))
}

// writeRows writes what was changed and is not written yet, in a transaction of its own within another.
func (f *feeder) writeRows(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	for _, t := range f.tables {
		t.write(batch)
	}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err == nil {
		for _, t := range f.tables {
			t.written()
		}
	}
	return err
}

// history is what a customer is folded anew from, in the order of the log.
type history struct {
	events  []eventstore.Decoded
	failed  []error            // why an event cannot be decoded
	skipped map[int64]struct{} // positions of events that are to be passed over
}

// history reads the events that are heard, up to a position, of the customer's own streams and of those of its sessions and of the auto
// messages it got.
func (f *feeder) history(ctx context.Context, id uuid.UUID, upTo int64) (h history, err error) {
	own, err := f.store.ReadStreamsTo(ctx, f.tenant, ownStreams(id), upTo, nil)
	if err != nil {
		return h, err
	}
	own = slices.DeleteFunc(own, func(e eventstore.Event) bool { return e.Customer != id })
	decoded, failed, err := f.decode(ctx, own)
	if err != nil {
		return h, err
	}
	h.skipped = map[int64]struct{}{}
	var streams []string
	for i := range decoded {
		if failed[i] != nil {
			continue
		}
		if opened, ok := decoded[i].Payload.(customer.SessionOpened); ok {
			streams = append(streams, session.Stream(opened.Session))
		}
		if skips, ours := f.skips(&decoded[i]); ours {
			for _, at := range skips.Positions {
				h.skipped[at] = struct{}{}
			}
		}
	}
	got, err := f.recipients(ctx, id, decoded)
	if err != nil {
		return h, err
	}
	streams = append(streams, got...)
	talk, err := f.store.ReadStreamsTo(ctx, f.tenant, streams, upTo, f.def.Types)
	if err != nil {
		return h, err
	}
	heard := slices.DeleteFunc(append(own, talk...), func(e eventstore.Event) bool {
		_, ok := f.heard[e.Type]
		return !ok
	})
	slices.SortFunc(heard, func(a, b eventstore.Event) int { return cmp.Compare(a.Position, b.Position) })
	h.events, h.failed, err = f.decode(ctx, heard)
	return h, err
}
