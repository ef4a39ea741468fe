package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore"
)

// Outcome is what became of a row of an import: one of the two is set.
type Outcome struct {
	Created *imports.Created
	Refused *imports.Refused
}

// Row is its number, as spreadsheet programs count.
func (o Outcome) Row() int {
	if o.Created != nil {
		return o.Created.Row
	}
	return o.Refused.Row
}

// Place is behind an outcome: the version of the job's stream that has it, and how many of that event's outcomes are before it. Its zero value
// is before the first one.
type Place struct {
	Version int64
	Passed  int
}

// pageOfChunks is how many appends of a job are read at once.
const pageOfChunks = 10

// Outcomes returns what became of the next rows of an import since it was started last, at most limit, in the order of the file, and the place behind
// them. Fewer than limit mean that there are no more yet.
func (r *Runner) Outcomes(ctx context.Context, tenant string, id uuid.UUID, from Place, refusedOnly bool, limit int) ([]Outcome, Place, error) {
	if from.Version == 0 {
		started, err := r.lastStart(ctx, tenant, id)
		if err != nil {
			return nil, from, err
		}
		from.Version = started + 1
	}
	return collect(ctx, r, tenant, id, from, limit, func(d *eventstore.Decoded) []Outcome {
		rows, _ := d.Payload.(imports.RowsRecorded)
		return outcomes(&rows, refusedOnly)
	})
}

// Refusals returns the next customers of a bulk action of whom it was refused, and the place behind them.
func (r *Runner) Refusals(ctx context.Context, tenant string, id uuid.UUID, from Place, limit int) ([]bulk.Refused, Place, error) {
	return collect(ctx, r, tenant, id, from, limit, func(d *eventstore.Decoded) []bulk.Refused {
		applied, _ := d.Payload.(bulk.Applied)
		return applied.Refused
	})
}

// NotUndone returns the next customers of a bulk action of whom it was not undone, and the place behind them.
func (r *Runner) NotUndone(ctx context.Context, tenant string, id uuid.UUID, from Place, limit int) ([]bulk.Refused, Place, error) {
	return collect(ctx, r, tenant, id, from, limit, func(d *eventstore.Decoded) []bulk.Refused {
		undone, _ := d.Payload.(bulk.Undone)
		return undone.Kept
	})
}

// Kept returns the next customers of an import whom its revert has left alone, and the place behind them.
func (r *Runner) Kept(ctx context.Context, tenant string, id uuid.UUID, from Place, limit int) ([]imports.Created, Place, error) {
	return collect(ctx, r, tenant, id, from, limit, func(d *eventstore.Decoded) []imports.Created {
		reverted, _ := d.Payload.(imports.RowsReverted)
		return reverted.Kept
	})
}

// collect gathers what the events of a job tell, from a place on.
func collect[T any](ctx context.Context, r *Runner, tenant string, id uuid.UUID, from Place, limit int, of func(*eventstore.Decoded) []T) (found []T, behind Place, err error) {
	behind = from
	behind.Version = max(behind.Version, 1)
	err = r.chunks(ctx, tenant, id, behind.Version-1, func(d *eventstore.Decoded) bool {
		if d.Version > behind.Version {
			behind = Place{Version: d.Version}
		}
		all := of(d)
		for _, one := range all[min(behind.Passed, len(all)):] {
			if len(found) == limit {
				return true
			}
			found = append(found, one)
			behind.Passed++
		}
		return false
	})
	return found, behind, err
}

func outcomes(rows *imports.RowsRecorded, refusedOnly bool) []Outcome {
	var all []Outcome
	for i := range rows.Rejected {
		all = append(all, Outcome{Refused: &rows.Rejected[i]})
	}
	if !refusedOnly {
		for i := range rows.Created {
			all = append(all, Outcome{Created: &rows.Created[i]})
		}
		slices.SortFunc(all, func(a, b Outcome) int { return a.Row() - b.Row() })
	}
	return all
}

// chunks tells the events of a job after a version until it is told that it is enough.
func (r *Runner) chunks(ctx context.Context, tenant string, id uuid.UUID, after int64, each func(*eventstore.Decoded) (enough bool)) error {
	for {
		events, err := r.store.ReadStream(ctx, tenant, job.Stream(id), after, pageOfChunks)
		if err != nil {
			return fmt.Errorf("jobs: outcomes: %w", err)
		}
		decoded, err := r.store.Open(ctx, events)
		if err != nil {
			return fmt.Errorf("jobs: outcomes: %w", err)
		}
		for i := range decoded {
			if each(&decoded[i]) {
				return nil
			}
			after = decoded[i].Version
		}
		if len(events) < pageOfChunks {
			return nil
		}
	}
}

// next is the event of a job that comes next to be taken back. Those before it are not looked at again.
func next[E domain.Event](ctx context.Context, w *walk, is func(E) bool) (found E, err error) {
	there := false
	err = w.chunks(ctx, w.Tenant, w.ID, w.version, func(d *eventstore.Decoded) bool {
		e, of := d.Payload.(E)
		if there = of && is(e); there {
			found = e
			return true
		}
		w.version = d.Version
		return false
	})
	if err == nil && !there {
		w.version = 0 // another look, from the beginning
		err = errors.New("jobs: what is to be taken back is not in the log")
	}
	return found, err
}
