package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/job"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
	"customercenter/projections"
)

// An export is one piece of work, as all that is in its file is of one instant: when it is interrupted, it is begun anew. Its file is kept in
// parts until it has expired. One that failed or was canceled leaves none: what a process leaves that dies on the way is deleted by the next
// try, or by the policy, which hears of the end of every export.

// exportStep makes the file of an export, or deletes it when its time is over.
func (w *walk) exportStep(ctx context.Context) (rest time.Duration, ended bool, err error) {
	work, _, err := w.catalogues.Export(ctx, w.Tenant, w.ID)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("jobs: export: %w", err)
	case work.Status == job.Running:
		return w.export(ctx, &work.Asked)
	case work.Status != job.Completed:
		return 0, true, w.parts.drop(ctx, w.Tenant, w.ID, 0)
	case !work.Over(w.now()):
		return 0, true, nil
	}
	if err := w.parts.drop(ctx, w.Tenant, w.ID, 0); err != nil {
		return 0, false, err
	}
	if _, err := (commands.ExpireExport{Export: w.ID}).Run(ctx, w.center, w.By); err != nil {
		return 0, false, fmt.Errorf("jobs: export: %w", err)
	}
	return 0, true, nil
}

const (
	// heldRest is how long an export rests that another process is working on.
	heldRest = time.Second
	// countFor is how long it may take to find out beforehand how many rows there will be.
	countFor = 2 * time.Second
	// Of a file that is too large, no more than so much is written to learn how large it would be, and for no longer than that.
	weighedBytes = 10 * exports.MaxBytes
	weighedFor   = 10 * time.Second
)

var errWeighed = errors.New("jobs: the file is far too large")

// export makes the file.
func (w *walk) export(ctx context.Context, asked *exports.Requested) (rest time.Duration, ended bool, err error) {
	if rest, err := w.awaitsExport(ctx, asked); rest > 0 || err != nil {
		return rest, false, err
	}
	if w.made == nil {
		if err := w.mayBegin(ctx, asked.Filter); err != nil {
			return 0, false, err
		}
	}
	own, err := w.take(ctx, w.ID)
	if own == nil || err != nil {
		return heldRest, false, err
	}
	defer own.release()
	// Another one may have made the file just before.
	work, _, err := w.catalogues.Export(ctx, w.Tenant, w.ID)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("jobs: export: %w", err)
	case work.Status != job.Running:
		return 0, false, nil
	}
	if w.made != nil { // the log may be about to say so
		_, bytes, err := w.parts.measure(ctx, w.Tenant, w.ID)
		switch {
		case err != nil:
			return 0, false, err
		case bytes == w.made.bytes:
			return 0, false, w.complete(ctx, own)
		}
		w.made = nil // another one has begun anew since
	}
	if err := dropParts(ctx, own, w.Tenant, w.ID, 0); err != nil { // of an earlier try
		return 0, false, err
	}
	// The parts wait for no disk: the commit that tells of the file does, and with it all that was written before. Should the database lose some of
	// them until then, there are fewer bytes than were made, and the file is begun anew, see above.
	if _, err := own.Exec(ctx, `set synchronous_commit = off`); err != nil {
		return 0, false, fmt.Errorf("jobs: export: %w", err)
	}
	made, err := w.write(ctx, own, asked)
	switch {
	case errors.Is(err, errUnwanted):
		if now, _, err := w.catalogues.Export(ctx, w.Tenant, w.ID); err != nil || now.Status == job.Completed {
			return 0, true, err // by another process, whose file it is
		}
		return 0, true, dropParts(ctx, own, w.Tenant, w.ID, 0)
	case err != nil:
		return 0, false, err
	case made.code != "":
		if err := dropParts(ctx, own, w.Tenant, w.ID, 0); err != nil {
			return 0, false, err
		}
		return w.fail(ctx, made.code, made.args)
	}
	w.made = &made
	return 0, false, w.complete(ctx, own)
}

// complete says in the log that the file is there. If it was canceled just before, or was to be discarded, the file goes: whoever heard of that may have looked before its
// last part was written.
func (w *walk) complete(ctx context.Context, own *hold) error {
	_, err := commands.CompleteExport{Export: w.ID, Position: w.made.position, Rows: w.made.rows, Bytes: w.made.bytes}.Run(ctx, w.center, w.By)
	if err != nil {
		return fmt.Errorf("jobs: export: %w", err)
	}
	w.made = nil
	now, _, err := w.catalogues.Export(ctx, w.Tenant, w.ID)
	if err != nil {
		return fmt.Errorf("jobs: export: %w", err)
	}
	if now.Status != job.Completed {
		return dropParts(ctx, own, w.Tenant, w.ID, 0)
	}
	return nil
}

// awaitsExport is awaits, also for what the columns are answered from.
func (w *walk) awaitsExport(ctx context.Context, asked *exports.Requested) (time.Duration, error) {
	rest, err := w.awaits(ctx, asked.Filter)
	if rest > 0 || err != nil || !slices.Contains(asked.Columns, "groups") {
		return rest, err
	}
	at, _, err := projections.Served(ctx, w.store, w.builds, projections.GroupsName, w.Tenant)
	switch {
	case err != nil:
		return 0, fmt.Errorf("jobs: %w", err)
	case at < w.Position:
		return w.behind(), nil
	}
	return 0, nil
}

// made is what became of a file.
type made struct {
	position int64
	rows     int
	bytes    int64
	// code says why there is none.
	code string
	args map[string]any
}

// write writes the file. errUnwanted.
func (w *walk) write(ctx context.Context, own *hold, asked *exports.Requested) (made, error) {
	parsed, calendar, err := w.filter(ctx, asked.Filter)
	if err != nil {
		return made{}, err
	}
	fields, _, err := w.catalogues.Fields(ctx, w.Tenant)
	if err != nil {
		return made{}, fmt.Errorf("jobs: export: %w", err)
	}
	language := locale.English
	if asked.Language == "zh" {
		language = locale.Chinese
	}
	q := projections.ExportQuery{
		ListQuery: projections.ListQuery{Filter: parsed, Calendar: calendar, At: w.now(), Sort: asked.Sort}, Columns: asked.Columns,
		Word: func(kind, value string) string { return locale.Word(language, kind, value) },
	}
	count, err := w.customers.CountOf(ctx, w.Tenant, q.ListQuery, countFor)
	if err != nil {
		return made{}, fmt.Errorf("jobs: export: %w", err)
	}
	total := count.Value
	if !count.Exact {
		total = 0
	}
	var rows atomic.Int64
	ctx, stop := own.watched(ctx, func(ctx context.Context) error { return w.parts.progress(ctx, w.Tenant, w.ID, rows.Load(), total) },
		func(ctx context.Context) (bool, error) {
			work, _, err := w.catalogues.Export(ctx, w.Tenant, w.ID)
			return work.Status == job.Running, err
		})
	defer stop()
	to := &file{most: exports.MaxBytes, keep: func(part int, content []byte) error { return own.keep(ctx, w.Tenant, w.ID, part, content) }}
	out, err := sheet.NewWriter(to, sheet.Format(asked.Format), locale.Field(language, "customers"), headings(asked.Columns, &fields, language))
	if err != nil {
		return made{}, fmt.Errorf("jobs: export: %w", err)
	}
	position, err := w.customers.Export(ctx, w.Tenant, q, func(cells []string) error {
		if err := writeRow(out, cells); err != nil {
			return err
		}
		rows.Add(1)
		if to.tooLarge() && (to.bytes > weighedBytes || time.Since(to.full) > weighedFor) {
			return errWeighed
		}
		return nil
	})
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = to.finish()
	} else {
		err = errors.Join(err, to.settled())
	}
	var refused *sheet.Error
	switch {
	case ctx.Err() != nil:
		return made{}, fmt.Errorf("jobs: export: %w", context.Cause(ctx))
	case errors.As(err, &refused) && refused.Code == sheet.TooManyRows:
		return made{code: string(refused.Code), args: map[string]any{"max": refused.Row - 2}}, nil // without the headings
	case err != nil && !errors.Is(err, errWeighed):
		return made{}, fmt.Errorf("jobs: export: %w", err)
	case to.tooLarge():
		return made{code: domain.CodeExportTooLarge, args: map[string]any{"max": to.most, "over": to.bytes - to.most}}, nil
	}
	return made{position: position, rows: int(rows.Load()), bytes: to.bytes}, nil
}

// headings are what stands above the columns.
func headings(columns []string, fields *field.State, language locale.Language) []string {
	labels := field.SystemLabels()
	all := make([]string, len(columns))
	for i, name := range columns {
		own, system := labels[name]
		key, isCustom := strings.CutPrefix(name, customer.CustomPrefix)
		switch {
		case system && language == locale.Chinese:
			all[i] = own[1]
		case system:
			all[i] = own[0]
		case isCustom:
			f, _ := fields.Custom(key) // one that was removed since has its name still
			all[i] = f.Label
		default:
			all[i] = locale.Column(language, name)
		}
	}
	return all
}
