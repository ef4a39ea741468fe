package projector

import (
	"context"
	"errors"
	"time"
)

// Hand feeds builds step by step, in the calling goroutine, as Run does by itself: for whoever wants to choose when, such as a test of what
// happens in between. Several may be at work, beside each other or beside Run; they fence each other. One is used by one goroutine.
type Hand struct {
	p       *Projector
	workers []*worker
}

// ByHand returns a hand that knows nothing yet. It is to be closed.
func (p *Projector) ByHand() *Hand {
	h := &Hand{p: p}
	for i := range p.config.Definitions {
		h.workers = append(h.workers, &worker{p: p, def: &p.config.Definitions[i], feeders: map[place]*feeding{}})
	}
	return h
}

// Turn gives one tenant a turn in every build that is fed: a batch of events, and a piece of other work. It looks for both, whatever is
// known of when there will be any, and reports whether there may be more. What Run logs and tries again, it returns.
func (h *Hand) Turn(ctx context.Context, tenant string) (more bool, err error) {
	for _, w := range h.workers {
		h.p.fed.forget(w.def)
		if err := w.lookAtBuilds(ctx); err != nil {
			return false, err
		}
		for _, b := range w.builds {
			f := w.feeding(b, tenant)
			f.tending.never, f.tending.next, f.tending.rest = false, time.Time{}, time.Time{}
			again, err := w.turn(ctx, f, f.seen+1)
			if err != nil && !errors.Is(err, errFenced) {
				return false, err
			}
			more = more || again || !f.tending.rest.IsZero() || err != nil
		}
	}
	return more, nil
}

// Close waits for what reads ahead.
func (h *Hand) Close() {
	for _, w := range h.workers {
		w.settle()
	}
}
