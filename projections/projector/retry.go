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
	builds, err := p.queryBuilds(ctx, `name = $1 and version = $2 and id in (select build from parked_customers where tenant = $3 and customer = $4)`,
		def.Name, def.Version, tenant, id)
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
	err := pgx.BeginFunc(ctx, f.store.Pool(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `update projection_checkpoints set revision = revision + 1 where build = $1 and tenant = $2 returning position, clock`,
			f.build.ID, f.tenant).Scan(&f.position, &f.clock); err != nil {
			return err
		}
		events, failed, err := f.history(ctx, id)
		if err != nil {
			return err
		}
		f.fold.Recall(id, events)
		if err := f.load(ctx, tx); err != nil {
			return err
		}
		if err := f.fold.Forget(id, events); err != nil {
			return fmt.Errorf("its rows: %w", err)
		}
		for i := range events {
			f.fold.Touch(&events[i])
		}
		if err := f.load(ctx, tx); err != nil {
			return err
		}
		for i := range events {
			e := &events[i]
			err := failed[i]
			if err == nil {
				err = f.applyOne(e)
			}
			if err != nil {
				return &StillParkedError{Position: e.Position, Type: e.Type, Reason: err.Error()}
			}
		}
		if fold, ok := f.fold.(Timed); ok {
			if err := fold.Settle(id, f.clock.UTC()); err != nil {
				return fmt.Errorf("its rows: %w", err)
			}
		}
		batch := &pgx.Batch{}
		batch.Queue(`delete from parked_customers where build = $1 and tenant = $2 and customer = $3`, f.build.ID, f.tenant, id)
		for _, t := range f.tables {
			t.write(batch)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	var still *StillParkedError
	if err == nil || errors.As(err, &still) {
		return err
	}
	return fmt.Errorf("projector: fold a customer of %s anew: %w", f.def.Name, scrub(err))
}

// history are the events that are heard, up to the checkpoint, of the customer's own streams and of those of its sessions and of the auto
// messages it got, in the order of the log.
func (f *feeder) history(ctx context.Context, id uuid.UUID) ([]eventstore.Decoded, []error, error) {
	own, err := f.store.ReadStreams(ctx, f.tenant, []string{customer.Stream(id), "suppressed-" + id.String()}, []int64{0, 0})
	if err != nil {
		return nil, nil, err
	}
	decoded, failed, err := f.store.OpenEach(ctx, own)
	if err != nil {
		return nil, nil, fmt.Errorf("projector: open: %w", err)
	}
	var streams []string
	for i := range decoded {
		if opened, ok := decoded[i].Payload.(customer.SessionOpened); ok && failed[i] == nil {
			streams = append(streams, session.Stream(opened.Session))
		}
	}
	got, err := f.recipients(ctx, id, decoded)
	if err != nil {
		return nil, nil, err
	}
	streams = append(streams, got...)
	talk, err := f.store.ReadStreams(ctx, f.tenant, streams, make([]int64, len(streams)))
	if err != nil {
		return nil, nil, err
	}
	heard := slices.DeleteFunc(append(own, talk...), func(e eventstore.Event) bool {
		_, ok := f.heard[e.Type]
		return !ok || e.Position > f.position
	})
	slices.SortFunc(heard, func(a, b eventstore.Event) int { return cmp.Compare(a.Position, b.Position) })
	return f.decode(ctx, heard)
}
