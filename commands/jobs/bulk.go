package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/bulk"
	"customercenter/domain/filter"
	"customercenter/domain/job"
)

// bulkStep settles who a bulk action is about, does it to the next ones, or undoes it for some.
func (w *walk) bulkStep(ctx context.Context) (rest time.Duration, ended bool, err error) {
	work, _, err := w.catalogues.Bulk(ctx, w.Tenant, w.ID)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("jobs: bulk: %w", err)
	case work.Status != job.Running:
		return 0, true, nil
	case work.Undoing:
		return 0, false, w.undoStep(ctx, &work)
	case !work.Chosen:
		if rest, err := w.awaits(ctx, work.Asked.Filter); rest > 0 || err != nil {
			return rest, false, err
		}
		rest, err := w.choose(ctx, &work)
		return rest, false, err
	}
	ids, err := w.parts.ids(ctx, w.Tenant, w.ID, work.Done)
	if err != nil {
		return 0, false, err
	}
	ids = ids[:min(len(ids), w.manners.most(w.together), work.Selected.Customers-work.Done)]
	done, err := commands.ApplyBulk{Bulk: w.ID, From: work.Done, Customers: ids}.Run(ctx, w.center, w.By)
	if err != nil {
		return 0, false, fmt.Errorf("jobs: bulk: %w", err)
	}
	w.manners.appended(done)
	return 0, false, nil
}

// choose settles who is meant, and keeps who they are.
func (w *walk) choose(ctx context.Context, work *bulk.State) (rest time.Duration, err error) {
	if w.selected == nil {
		if err := w.mayBegin(ctx, work.Asked.Filter); err != nil {
			return 0, err
		}
		own, err := w.take(ctx, w.ID)
		if own == nil || err != nil {
			return heldRest, err
		}
		defer own.release()
		// Another one may have chosen just before.
		if now, _, err := w.catalogues.Bulk(ctx, w.Tenant, w.ID); err != nil || now.Chosen || !now.Going() {
			return 0, err
		}
		if w.selected, err = w.keepChosen(ctx, own, work); errors.Is(err, errUnwanted) {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
	}
	// Should it not be known whether this was written, it is tried again with the same: others might be chosen just when the log says who is meant.
	if _, err := (commands.SelectBulk{Bulk: w.ID, Selected: *w.selected}).Run(ctx, w.center, w.By); err != nil {
		return 0, fmt.Errorf("jobs: bulk: %w", err)
	}
	w.selected = nil
	return 0, nil
}

// keepChosen finds and keeps who is meant. errUnwanted.
func (w *walk) keepChosen(ctx context.Context, own *hold, work *bulk.State) (*bulk.Selected, error) {
	// Few may be found in a long time, and nothing is written until they fill a part.
	ctx, stop := own.watched(ctx, nil, func(ctx context.Context) (bool, error) {
		now, _, err := w.catalogues.Bulk(ctx, w.Tenant, w.ID)
		return now.Going() && !now.Chosen, err
	})
	defer stop()
	ids, n := make([]byte, 0, 16*idsAPart), 0
	keep := func() error {
		err := own.keep(ctx, w.Tenant, w.ID, (n-1)/idsAPart, ids)
		ids = ids[:0]
		return err
	}
	choose := func(some []uuid.UUID) error {
		for _, id := range some {
			ids = append(ids, id[:]...)
			if n++; n%idsAPart == 0 {
				if err := keep(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	position := w.Position
	var err error
	if work.Asked.Filter == nil {
		err = choose(work.Asked.Customers)
	} else {
		position, err = w.everybody(ctx, work.Asked.Filter, choose)
	}
	if err == nil && len(ids) > 0 {
		err = keep()
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("jobs: bulk: %w", context.Cause(ctx))
	case err != nil:
		return nil, err
	}
	return &bulk.Selected{Position: position, Customers: n}, nil
}

// everybody tells who matches a filter, all at one position of the log.
func (w *walk) everybody(ctx context.Context, raw json.RawMessage, take func([]uuid.UUID) error) (position int64, err error) {
	parsed, calendar, err := w.filter(ctx, raw)
	if err != nil {
		return 0, err
	}
	position, err = w.customers.Select(ctx, w.Tenant, parsed, calendar, w.now(), take)
	if err != nil {
		return 0, fmt.Errorf("jobs: who matches: %w", err)
	}
	return position, nil
}

// filter reads a filter that was accepted once, with the tenant's calendar.
// Refused: TAG_UNKNOWN or GROUP_UNKNOWN if it leaves customers out by what was deleted since: without the tag, whoever was left out for having it would be found.
func (w *walk) filter(ctx context.Context, raw json.RawMessage) (*filter.Filter, filter.Calendar, error) {
	fields, _, err := w.catalogues.Fields(ctx, w.Tenant)
	if err != nil {
		return nil, filter.Calendar{}, fmt.Errorf("jobs: filter: %w", err)
	}
	// Fields that are gone since are still known: what is asked of them nobody fulfils.
	parsed, err := filter.Parse(raw, &filter.Language{Custom: fields.Ever(), Groups: true}, "filter")
	if err != nil {
		return nil, filter.Calendar{}, fmt.Errorf("jobs: filter: %w", err)
	}
	tags, _, err := w.catalogues.Tags(ctx, w.Tenant)
	if err != nil {
		return nil, filter.Calendar{}, fmt.Errorf("jobs: filter: %w", err)
	}
	groups, _, err := w.catalogues.Groups(ctx, w.Tenant)
	if err != nil {
		return nil, filter.Calendar{}, fmt.Errorf("jobs: filter: %w", err)
	}
	if err := parsed.CheckSpared(tags.Known, groups.Known); err != nil {
		return nil, filter.Calendar{}, fmt.Errorf("jobs: filter: %w", err)
	}
	calendar, err := w.catalogues.Calendar(ctx, w.Tenant)
	if err != nil {
		return nil, filter.Calendar{}, fmt.Errorf("jobs: filter: %w", err)
	}
	return parsed, calendar, nil
}

// undoStep undoes a bulk action for the customers of the next of its appends.
func (w *walk) undoStep(ctx context.Context, work *bulk.State) error {
	applied, err := next(ctx, w, func(e bulk.Applied) bool { return e.From == work.Looked })
	if err != nil {
		return err
	}
	done, err := commands.UndoBulkChanges{Bulk: w.ID, Applied: applied}.Run(ctx, w.center, w.By)
	if err != nil {
		return fmt.Errorf("jobs: undo: %w", err)
	}
	w.manners.appended(done)
	return nil
}
