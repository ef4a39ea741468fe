package projector

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"customercenter/eventstore"
)

// At two kinds of events the rows of a customer are made anew from the log up to there: when something is to be skipped (skip.go), and when the customer
// is erased. From an erasure on what was said of the person cannot be read any more, so the rows are those of a build that is made later, and hold nothing
// that was read before; whatever the fold makes of the event itself comes on top.

// erasedType is at which all fold a customer anew that read personal fields.
const erasedType = "customer.erased"

// cut ends a stretch before an event at which a customer is folded anew, or behind it, if it is the first. Such events of other projections are
// taken out, unless they are heard for what they say.
func (f *feeder) cut(s stretch) stretch {
	_, hears := f.heard[skippedType]
	for i := 0; i < len(s.events); i++ {
		e := &s.events[i]
		if e.Type != skippedType && !(e.Type == erasedType && f.reads) || s.failed[i] != nil {
			continue
		}
		ours := e.Type == erasedType
		if !ours {
			_, ours = f.skips(e)
		}
		switch {
		case ours && i == 0:
			return stretch{to: e.Position, events: s.events[:1], failed: s.failed[:1], full: true, anew: true}
		case ours:
			return stretch{to: e.Position - 1, events: s.events[:i], failed: s.failed[:i], full: true}
		case !hears:
			s.events, s.failed = slices.Delete(s.events, i, i+1), slices.Delete(s.failed, i, i+1)
			i--
		}
	}
	return s
}

// pass moves the checkpoint over an event at which its customer is folded anew, up to there. If another event of the
// customer cannot be applied then, it is parked there. Nothing may be folded that is not written.
func (f *feeder) pass(ctx context.Context, e *eventstore.Decoded) error {
	f.to = e.Position
	var still *parking
	var begin interface {
		Begin(ctx context.Context) (pgx.Tx, error)
	} = f.store.Pool()
	if f.tx != nil {
		begin = f.tx
	}
	err := pgx.BeginFunc(ctx, begin, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select projection_advance($1, $2, $3, $4, $5, null)`, f.build.ID, f.tenant, f.position, f.revision, e.Position); err != nil {
			return err
		}
		if err := f.anew(ctx, tx, e.Customer, e.Position, func(p parking) bool {
			still = &p
			return false
		}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from parked_customers where build = $1 and tenant = $2 and customer = $3`, f.build.ID, f.tenant, e.Customer); err != nil || still == nil {
			return err
		}
		_, err := tx.Exec(ctx, parkSQL, f.build.ID, f.tenant, still.customer, still.position, still.kind, still.reason)
		return err
	})
	f.to = f.position
	switch {
	case err == nil:
	case errors.Is(err, ErrStop):
		f.forget()
		stop := fmt.Sprintf("%s at %d: %v", e.Type, e.Position, err)
		if err := f.flush(ctx, stop); err != nil {
			return err
		}
		return &stoppedError{stop}
	case sqlState(err) == "CC010":
		f.lose()
		return errFenced
	default:
		f.lose()
		return fmt.Errorf("projector: fold a customer of %s anew: %w", f.def.Name, scrub(err))
	}
	delete(f.parked, e.Customer)
	if still != nil {
		f.parked[e.Customer] = struct{}{}
	}
	f.position, f.stopped, f.tending = e.Position, "", tending{}
	f.forget()
	f.committed(f.tenant, f.position)
	return nil
}
