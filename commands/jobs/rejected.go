package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Uploaded returns rows of an import as they were uploaded, by their numbers, and the names of their columns. A row may have fewer cells than there
// are columns. numbers must ascend. Refused: FILE_GONE.
func (r *Runner) Uploaded(ctx context.Context, tenant string, id uuid.UUID, numbers []int) (columns []string, cells map[int][]string, err error) {
	work, _, err := r.catalogues.Import(ctx, tenant, id)
	if err != nil {
		return nil, nil, fmt.Errorf("jobs: uploaded rows: %w", err)
	}
	cells = make(map[int][]string, len(numbers))
	rows := rowsKept{r: r, tenant: tenant, id: id, total: work.File.Rows}
	for _, number := range numbers {
		err := rows.seek(ctx, number)
		var row imports.Row
		if err == nil {
			row, err = rows.find(ctx, number)
		}
		switch {
		case errors.Is(err, errGone):
			return nil, nil, domain.Refuse(domain.CodeFileGone)
		case err != nil:
			return nil, nil, err
		}
		cells[number] = row.Cells
	}
	return work.File.Columns, cells, nil
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
