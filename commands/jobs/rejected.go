package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/imports"
	"customercenter/internal/sheet"
)

// Words are what a file of refused rows says besides what was in the rows.
type Words struct {
	Sheet   string
	Heading func(column string) string // of a column of an import
	Added   func(column string) string // of imports.AddedRow and imports.AddedReason
	Reason  func(imports.Refused) string
}

// RowsKept reports whether the rows of an import are still kept. Refused: FILE_GONE.
func (r *Runner) RowsKept(ctx context.Context, tenant string, id uuid.UUID) error {
	_, _, err := r.parts.rows(ctx, tenant, id, 0)
	if errors.Is(err, errGone) {
		return domain.Refuse(domain.CodeFileGone)
	}
	return err
}

// WriteRejected writes the rows of an import that were refused as they were uploaded, with their numbers and why: so that they can be mended and
// uploaded again.
func (r *Runner) WriteRejected(ctx context.Context, tenant string, id uuid.UUID, w io.Writer, format sheet.Format, words Words) error {
	const page = 500
	work, _, err := r.catalogues.Import(ctx, tenant, id)
	if err != nil {
		return fmt.Errorf("jobs: refused rows: %w", err)
	}
	columns := work.File.Columns
	header := make([]string, 0, len(columns)+2)
	for _, column := range columns {
		heading := ""
		if column != "" {
			heading = words.Heading(column)
		}
		header = append(header, heading)
	}
	header = append(header, words.Added(imports.AddedRow), words.Added(imports.AddedReason))
	rows := rowsKept{r: r, tenant: tenant, id: id, total: work.File.Rows}
	out, err := sheet.NewWriter(w, format, words.Sheet, header)
	if err != nil {
		return fmt.Errorf("jobs: refused rows: %w", err)
	}
	for from, more := (Place{}), true; more; {
		var refused []Outcome
		if refused, from, err = r.Outcomes(ctx, tenant, id, from, true, page); err != nil {
			return err
		}
		for _, o := range refused {
			row, err := rows.find(ctx, o.Refused.Row)
			if err != nil {
				return err
			}
			cells := make([]string, len(columns), len(columns)+2)
			copy(cells, row.Cells)
			if err := out.Write(append(cells, strconv.Itoa(o.Refused.Row), words.Reason(*o.Refused))); err != nil {
				return fmt.Errorf("jobs: refused rows: %w", err)
			}
		}
		more = len(refused) == page
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("jobs: refused rows: %w", err)
	}
	return nil
}

// rowsKept looks rows up by their numbers, which ascend.
type rowsKept struct {
	r      *Runner
	tenant string
	id     uuid.UUID
	total  int

	rows []imports.Row
	next int // index of the first row behind those
}

// find is the first row whose number is at least that.
func (k *rowsKept) find(ctx context.Context, number int) (imports.Row, error) {
	for {
		for i, row := range k.rows {
			if row.Number >= number {
				k.rows = k.rows[i:]
				return row, nil
			}
		}
		if k.next >= k.total {
			return imports.Row{}, errGone
		}
		rows, first, err := k.r.parts.rows(ctx, k.tenant, k.id, k.next)
		if err != nil {
			return imports.Row{}, err
		}
		k.rows, k.next = rows, first+len(rows)
	}
}

// RefusedCells returns what is in the cells for which rows of an import were refused, by the numbers of the rows, as it was uploaded. Rows that were
// refused for no cell alone have none. refused must be in the order of the file. Refused: FILE_GONE.
func (r *Runner) RefusedCells(ctx context.Context, tenant string, id uuid.UUID, refused []imports.Refused) (map[int]string, error) {
	work, _, err := r.catalogues.Import(ctx, tenant, id)
	if err != nil {
		return nil, fmt.Errorf("jobs: refused cells: %w", err)
	}
	cells := map[int]string{}
	rows := rowsKept{r: r, tenant: tenant, id: id, total: work.File.Rows}
	for _, one := range refused {
		at := slices.Index(work.File.Columns, one.Column)
		if one.Column == "" || at < 0 {
			continue
		}
		err := rows.seek(ctx, one.Row)
		var row imports.Row
		if err == nil {
			row, err = rows.find(ctx, one.Row)
		}
		switch {
		case errors.Is(err, errGone):
			return nil, domain.Refuse(domain.CodeFileGone)
		case err != nil:
			return nil, err
		case at < len(row.Cells):
			cells[one.Row] = row.Cells[at]
		}
	}
	return cells, nil
}

// seek goes near the row with a number, without reading all that are before it: as the headings are row 1, its index is number-2 if no row above
// holds nothing, and less otherwise; between two rows that are kept there are at most as many rows as their numbers differ by.
func (k *rowsKept) seek(ctx context.Context, number int) error {
	if n := len(k.rows); n > 0 && k.rows[0].Number <= number && number <= k.rows[n-1].Number {
		return nil
	}
	for index := min(number-2, k.total-1); ; {
		rows, first, err := k.r.parts.rows(ctx, k.tenant, k.id, max(index, 0))
		if err != nil {
			return err
		}
		k.rows, k.next = rows, first+len(rows)
		if first == 0 || len(rows) == 0 || rows[0].Number <= number {
			return nil
		}
		index = min(first-(rows[0].Number-number), first-1)
	}
}
