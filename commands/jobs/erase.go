package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// Erase removes what jobs keep of somebody who was erased, at a position of the log. A row of an uploaded file that names the customer is emptied, and
// refused if it is still to be imported. Of the file of an export it is not known who is in it, so each goes that was asked for before the erasure and is
// of a position from the customer's creation on and before that, or has none yet, and the log says why. It can be repeated, and has to be until all is
// gone: whoever makes a file at the moment needs a while to notice.
func (r *Runner) Erase(ctx context.Context, by commands.By, who uuid.UUID, created, erased int64) (gone bool, err error) {
	// A file that is being made may have no part yet. Whoever makes it has told a moment ago how far it has come, or can keep no part any more.
	rows, err := r.parts.db.Query(ctx, `select j.job, e.type from (select distinct job from job_parts where tenant = $1
			union select job from job_progress where tenant = $1 and updated_at > now() - make_interval(secs => $3)
			union select split_part(key, ':', 2)::uuid from policy_due where tenant = $1 and key like 'export:%') j(job)
		cross join lateral (select type from events where tenant = $1 and stream = 'job-' || j.job::text and version >= 1 and version <= 1 and position < $2
			order by version offset 0) e`,
		by.Tenant, erased, (2 * freeze).Seconds())
	if err != nil {
		return false, fmt.Errorf("jobs: erase: %w", err)
	}
	type kept struct {
		ID   uuid.UUID
		Type string
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[kept])
	if err != nil {
		return false, fmt.Errorf("jobs: erase: %w", err)
	}
	gone = true
	for _, k := range all {
		dropped := true
		switch k.Type {
		case "import.uploaded":
			err = r.eraseRows(ctx, by.Tenant, k.ID, who)
		case "export.requested":
			dropped, err = r.eraseExport(ctx, by, k.ID, created, erased)
		}
		if err != nil {
			return false, err
		}
		gone = gone && dropped
	}
	return gone, nil
}

// eraseExport discards the file of an export, if somebody may be in it who was a customer from one position on and before another. It is not gone while a
// process works on it.
func (r *Runner) eraseExport(ctx context.Context, by commands.By, id uuid.UUID, from, to int64) (gone bool, err error) {
	if _, err := (commands.DiscardExport{Export: id, Code: domain.CodeCustomerErased, From: from, To: to}).Run(ctx, r.center, by); err != nil {
		return false, fmt.Errorf("jobs: erase: %w", err)
	}
	work, _, err := r.catalogues.Export(ctx, by.Tenant, id)
	switch {
	case err != nil:
		return false, fmt.Errorf("jobs: erase: %w", err)
	case work.Status == job.Completed && !work.Expired:
		return true, nil // they are not in it
	case work.Status == job.Completed:
		return true, r.parts.drop(ctx, by.Tenant, id, 0)
	}
	own, err := r.take(ctx, id)
	if own == nil || err != nil {
		return false, err
	}
	defer own.release()
	return true, dropParts(ctx, own, by.Tenant, id, 0)
}

// eraseRows empties the rows of an uploaded file that name a customer.
func (r *Runner) eraseRows(ctx context.Context, tenant string, id, who uuid.UUID) error {
	work, _, err := r.catalogues.Import(ctx, tenant, id)
	if err != nil {
		return fmt.Errorf("jobs: erase: %w", err)
	}
	err = r.eachPart(ctx, tenant, id, work.File.Rows, func(part int, rows []imports.Row) error {
		found := false
		for i := range rows {
			named, err := r.names(ctx, tenant, &work, rows[i], who)
			if err != nil {
				return err
			}
			if named {
				found, rows[i] = true, imports.Row{Number: rows[i].Number, Cells: []string{}, Erased: true}
			}
		}
		if !found {
			return nil
		}
		content, err := encodeRows(rows)
		if err != nil {
			return err
		}
		// Only if it is there still; and it is no older by that.
		if _, err := r.parts.db.Exec(ctx, `update job_parts set content = $4 where tenant = $1 and job = $2 and part = $3`, tenant, id, part, content); err != nil {
			return fmt.Errorf("jobs: erase: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Forget(id) // rows that are in memory
	return nil
}

// eachPart goes through the rows of an uploaded file, as far as they are kept.
func (r *Runner) eachPart(ctx context.Context, tenant string, id uuid.UUID, count int, do func(part int, rows []imports.Row) error) error {
	for first := 0; first < count; first += job.Chunk {
		rows, _, err := r.parts.rows(ctx, tenant, id, first)
		if errors.Is(err, errGone) {
			return nil // its time is over
		}
		if err == nil {
			err = do(first/job.Chunk, rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// names reports whether a row of an uploaded file names a customer.
func (r *Runner) names(ctx context.Context, tenant string, work *imports.State, row imports.Row, who uuid.UUID) (bool, error) {
	named, told, err := r.center.RowCustomer(ctx, tenant, work, row)
	if err != nil {
		return false, fmt.Errorf("jobs: rows: %w", err)
	}
	return told && named == who, nil
}

// Naming returns the rows of an uploaded file that name a customer, in the order of the file: those that are kept still. None if that is no import.
func (r *Runner) Naming(ctx context.Context, tenant string, id, who uuid.UUID) (found []imports.Row, err error) {
	work, version, err := r.catalogues.Import(ctx, tenant, id)
	if err != nil || version == 0 {
		return nil, err
	}
	err = r.eachPart(ctx, tenant, id, work.File.Rows, func(_ int, rows []imports.Row) error {
		for _, row := range rows {
			named, err := r.names(ctx, tenant, &work, row, who)
			if err != nil {
				return err
			}
			if named {
				found = append(found, row)
			}
		}
		return nil
	})
	return found, err
}
