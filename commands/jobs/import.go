package jobs

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// importStep deals with the next rows of an import, or takes back the customers of some.
func (w *walk) importStep(ctx context.Context) (rest time.Duration, ended bool, err error) {
	work, _, err := w.catalogues.Import(ctx, w.Tenant, w.ID)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("jobs: import: %w", err)
	case work.Status != job.Running:
		return 0, true, nil
	case work.Reverting:
		return 0, false, w.revertStep(ctx, &work)
	}
	if err := w.catchUp(ctx, &work); err != nil {
		return 0, false, err
	}
	rows, err := w.rowsFrom(ctx, work.Done)
	if err != nil {
		return 0, false, err
	}
	rows = rows[:min(w.manners.most(w.together), len(rows))]
	done, err := commands.ImportRows{Import: w.ID, From: work.Done, Rows: rows, Seen: w.seen}.Run(ctx, w.center, w.By)
	if err != nil {
		return 0, false, fmt.Errorf("jobs: import: %w", err)
	}
	w.manners.appended(done)
	return 0, false, nil
}

// rowsFrom are the rows of an import from one on, as far as they are kept in one part: at least that one. errGone.
func (w *walk) rowsFrom(ctx context.Context, row int) ([]imports.Row, error) {
	if row < w.partFirst || row >= w.partFirst+len(w.part) {
		part, first, err := w.parts.rows(ctx, w.Tenant, w.ID, row)
		if err != nil {
			return nil, err
		}
		w.part, w.partFirst = part, first
	}
	if row-w.partFirst >= len(w.part) {
		return nil, errGone
	}
	return w.part[row-w.partFirst:], nil
}

// catchUp finds out whom the rows ask for that were dealt with: a row of the same customer further down is refused.
func (w *walk) catchUp(ctx context.Context, work *imports.State) error {
	if w.seenTo > work.Done { // it was started anew, in earnest or once more for a trial
		clear(w.seen)
		w.seenTo = 0
	}
	for w.seenTo < work.Done {
		rows, err := w.rowsFrom(ctx, w.seenTo)
		if err != nil {
			return err
		}
		for _, row := range rows[:min(len(rows), work.Done-w.seenTo)] {
			id, told, err := w.center.RowCustomer(ctx, w.Tenant, work, row)
			if err != nil {
				return fmt.Errorf("jobs: import: %w", err)
			}
			if _, twice := w.seen[id]; told && !twice {
				w.seen[id] = row.Number
			}
			w.seenTo++
		}
	}
	return nil
}

// revertStep takes back the customers of the next rows.
func (w *walk) revertStep(ctx context.Context, work *imports.State) error {
	if w.version == 0 {
		var err error
		if w.version, err = w.lastStart(ctx, w.Tenant, w.ID); err != nil {
			return err
		}
	}
	rows, err := next(ctx, w, func(e imports.RowsRecorded) bool { return e.From == work.Looked })
	if err != nil {
		return err
	}
	done, err := commands.RevertImportRows{Import: w.ID, Rows: rows}.Run(ctx, w.center, w.By)
	if err != nil {
		return fmt.Errorf("jobs: revert: %w", err)
	}
	w.manners.appended(done)
	return nil
}

// lastStart is the version of an import's stream at which its rows were begun to be dealt with last: before that there may be a dry run.
func (r *Runner) lastStart(ctx context.Context, tenant string, id uuid.UUID) (version int64, err error) {
	found, err := r.store.ReadBefore(ctx, tenant, []string{job.Stream(id)}, math.MaxInt64, []string{imports.Started{}.EventType()}, "", 1)
	if err != nil {
		return 0, fmt.Errorf("jobs: import: %w", err)
	}
	if len(found) == 0 {
		return 0, nil
	}
	return found[0].Version, nil
}
