package projector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
)

// Open decodes events as the definition hears them, which is without the personal fields of those of Blind. failed[i] says why events[i] cannot be
// decoded.
func (d *Definition) Open(ctx context.Context, store *eventstore.Store, events []eventstore.Event) (decoded []eventstore.Decoded, failed []error, err error) {
	f := feeder{store: store, heard: d.heard()}
	return f.decode(ctx, events)
}

// heard are the types of events that are heard, and whether they are blind.
func (d *Definition) heard() map[string]bool {
	heard := make(map[string]bool, len(d.Types))
	for _, t := range d.Types {
		heard[t] = false
	}
	for _, t := range d.Blind {
		heard[t] = true
	}
	return heard
}

// decodeOnce opens events of the log's end, but those that another feeder has opened a moment ago. Whoever folds a customer anew must not use it: what was opened then
// may not be opened now.
func (f *feeder) decodeOnce(ctx context.Context, events []eventstore.Event) ([]eventstore.Decoded, []error, error) {
	if f.recent == nil {
		return f.decode(ctx, events)
	}
	log := f.recent.of(f.tenant)
	log.Lock()
	defer log.Unlock()
	now := time.Now()
	decoded, failed := make([]eventstore.Decoded, len(events)), make([]error, len(events))
	var missing []eventstore.Event
	var at []int
	for i := range events {
		var known bool
		if decoded[i], known = log.get(&events[i], f.heard[events[i].Type], now); !known {
			missing, at = append(missing, events[i]), append(at, i)
		}
	}
	if len(missing) == 0 {
		return decoded, failed, nil
	}
	opened, why, err := f.decode(ctx, missing)
	if err != nil {
		return nil, nil, err
	}
	for j, i := range at {
		decoded[i], failed[i] = opened[j], why[j]
		if why[j] == nil && !opened[j].Erased {
			log.put(&opened[j], f.heard[events[i].Type], now)
		}
	}
	return decoded, failed, nil
}

// decode opens events on all processors.
func (f *feeder) decode(ctx context.Context, events []eventstore.Event) ([]eventstore.Decoded, []error, error) {
	decoded, failed := make([]eventstore.Decoded, len(events)), make([]error, len(events))
	const fewest = 128 // a smaller part is not worth a goroutine
	part := max(fewest, (len(events)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	errs := make([]error, (len(events)+part-1)/part)
	for i := range errs {
		low, high := i*part, min((i+1)*part, len(events))
		work := func() { errs[i] = f.decodePart(ctx, events[low:high], decoded[low:high], failed[low:high]) }
		if i == len(errs)-1 {
			work()
		} else {
			wait.Go(work)
		}
	}
	wait.Wait()
	return decoded, failed, errors.Join(errs...)
}

func (f *feeder) decodePart(ctx context.Context, events []eventstore.Event, decoded []eventstore.Decoded, failed []error) error {
	closed := make([]eventstore.Event, len(events))
	for i, e := range events {
		if f.heard[e.Type] {
			e.Customer = uuid.Nil // without a customer there is no key to open it with
		}
		closed[i] = e
	}
	out, reasons, err := f.store.OpenEach(ctx, closed)
	if err != nil && !transient(err) && !errors.Is(err, keyring.ErrMaster) && len(events) > 1 {
		// One customer's key is broken: the others need not suffer.
		for i := range events {
			if err := f.decodePart(ctx, events[i:i+1], decoded[i:i+1], failed[i:i+1]); err != nil {
				if transient(err) {
					return err
				}
				decoded[i].Event, failed[i] = events[i], err
			}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("projector: open: %w", err)
	}
	for i := range out {
		decoded[i], failed[i] = out[i], reasons[i]
		if f.heard[events[i].Type] {
			decoded[i].Customer, decoded[i].Erased = events[i].Customer, false
		}
	}
	return nil
}
