package policies

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
)

const (
	pageEvents = 500 // read at once
	// breath is how long a worker that has come to the end of the log rests, so that under steady traffic it reads many events at once. It is longer
	// where there was nothing of its concern.
	breath     = 10 * time.Millisecond
	longBreath = 50 * time.Millisecond
	firstPause = 50 * time.Millisecond // after a failure; each further one doubles it
	lastPause  = 10 * time.Second
	// complainEvery keeps a long outage from filling the disk with complaints.
	complainEvery = 30 * time.Second
)

// worker is one policy at work for one tenant, in one goroutine at a time.
type worker struct {
	*Runner
	policy *policy
	tenant string

	mu      sync.Mutex
	again   bool // there may be something to do
	swept   bool // and what is due is to be looked at
	running bool

	// of the goroutine that works
	known      bool
	saved      int64 // the position, as it is in the database
	read       int64 // up to here nothing is left to be done; from saved on, nothing was to be done
	heard      bool  // there was something in what it read last
	failed     int   // times in a row
	complained time.Time
}

// wanted notes that there may be something to do, and reports whether run must be called for it.
func (w *worker) wanted(swept bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again, w.swept = true, w.swept || swept
	start := !w.running
	w.running = true
	return start
}

// next reports whether there may be something to do; if not, run must end.
func (w *worker) next(ctx context.Context) (swept, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.again || ctx.Err() != nil {
		w.running = false
		return false, false
	}
	swept = w.swept
	w.again, w.swept = false, false
	return swept, true
}

// run works until nothing is left to do.
func (w *worker) run(ctx context.Context) {
	for {
		swept, ok := w.next(ctx)
		if !ok {
			return
		}
		more, err := w.turn(tenancy.Narrow(ctx, w.tenant), swept)
		switch {
		case err == nil && !more:
			w.failed = 0
			wait(ctx, w.breath())
		case err == nil:
			w.failed = 0
			w.wanted(swept || w.heard && w.policy.atOnce)
		default:
			w.known = false // whether it was saved is not known
			w.wanted(swept)
			wait(ctx, w.report(ctx, err))
		}
	}
}

func (w *worker) breath() time.Duration {
	if w.heard {
		return breath
	}
	return longBreath
}

// turn is a step, when it is the worker's turn among the policy's tenants.
func (w *worker) turn(ctx context.Context, swept bool) (more bool, err error) {
	slot := w.slots[w.policy]
	select {
	case slot <- struct{}{}:
		defer func() { <-slot }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return w.step(ctx, swept)
}

// step deals with the next page of the log and, at its end, with what is due.
func (w *worker) step(ctx context.Context, swept bool) (more bool, err error) {
	if !w.known {
		if w.saved, err = loadPosition(ctx, w.store.Pool(), w.policy.name, w.tenant); err != nil {
			return false, err
		}
		w.known, w.read = true, w.saved
	}
	from := w.read
	heard, last, err := w.store.ReadHeard(ctx, w.tenant, from, pageEvents, w.policy.types)
	if err != nil {
		return false, err
	}
	w.heard = len(heard) > 0
	if err := w.handle(ctx, heard, last, swept); err != nil {
		return false, err
	}
	if last == from+pageEvents {
		return true, nil
	}
	if (swept || w.heard && w.policy.atOnce) && w.policy.due != nil {
		return w.policy.due(ctx, w.tenant)
	}
	return false, nil
}

// handle does what follows from a page of the log, which ends at a position, and moves the policy's position. If something fails, it moves up to there.
func (w *worker) handle(ctx context.Context, heard []eventstore.Event, last int64, swept bool) error {
	to := last
	if w.policy.wants != nil {
		heard = slices.DeleteFunc(heard, func(e eventstore.Event) bool { return !w.policy.wants(&e) })
	}
	var notes []statement
	var fine []*eventstore.Decoded
	var failure error
	if len(heard) > 0 {
		decoded, broken, err := w.store.OpenEach(ctx, heard)
		if err != nil {
			return err
		}
		for i := range decoded {
			noted, err := w.one(ctx, &decoded[i], broken[i])
			if err != nil {
				to, failure = heard[i].Position-1, err
				break
			}
			notes = append(notes, noted...)
			if broken[i] == nil {
				fine = append(fine, &decoded[i])
			}
		}
	}
	if w.policy.reactAll != nil && len(fine) > 0 {
		if err := w.policy.reactAll(ctx, w.tenant, fine); err != nil {
			to, notes, failure = w.read, nil, err
		}
	}
	w.read = to
	// Passing over what is of no concern need not be remembered at once: it costs little to do it again.
	if to > w.saved && (len(heard) > 0 || swept || to-w.saved >= pageEvents) {
		if err := savePosition(ctx, w.store.Pool(), w.policy.name, w.tenant, w.saved, to, notes); err != nil {
			return errors.Join(failure, err)
		}
		w.saved = to
	}
	return failure
}

// one deals with one event, and returns what is to be noted of it. broken is why it cannot be decoded.
func (w *worker) one(ctx context.Context, d *eventstore.Decoded, broken error) ([]statement, error) {
	if errors.Is(broken, eventstore.ErrUnknownType) {
		return nil, broken // a newer process knows the version; this one waits until it takes over
	}
	err := broken
	if err == nil && w.policy.react != nil {
		err = w.policy.react(ctx, d)
		var refusal *domain.Refusal
		if err != nil && !errors.As(err, &refusal) {
			return nil, err
		}
	}
	if err != nil {
		w.log.ErrorContext(ctx, "policies: an event is passed over, as what follows from it cannot be done", "policy", w.policy.name,
			"tenant", w.tenant, "position", d.Position, "type", d.Type, "error", err)
		return nil, nil
	}
	if w.policy.note == nil {
		return nil, nil
	}
	return w.policy.note(d), nil
}

// report says what went wrong, and for how long to pause.
func (w *worker) report(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil || errors.Is(err, errMoved) {
		return breath
	}
	w.failed++
	if time.Since(w.complained) > complainEvery {
		w.complained = time.Now()
		w.log.WarnContext(ctx, "policies: cannot go on, trying again", "policy", w.policy.name, "tenant", w.tenant, "position", w.read, "error", err)
	}
	return min(firstPause<<min(w.failed-1, 10), lastPause)
}
