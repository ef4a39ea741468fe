package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/field"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/domain/settings"
	"customercenter/internal/sheet"
)

// Upload is a file of customers that somebody wants to import.
type Upload struct {
	Name       string
	File       io.ReaderAt
	Size       int64
	CreateTags bool
}

// Upload reads a file to its end, keeps its rows and begins an import; Done.Job is its id. Nobody is a customer by that. Memory does not grow with
// the file.
//
// Refused: NOT_ENTITLED; at file, with row and column as far as they are known, what package sheet finds wrong with it, SHEET_EMPTY also for one
// that has a header and no rows; HEADER_UNKNOWN, HEADER_TWICE, HEADER_MISSING; and as in imports.State.Upload. Then nothing is kept of the file.
func (r *Runner) Upload(ctx context.Context, by commands.By, u Upload) (done commands.Done, err error) {
	own, _, err := r.catalogues.Settings(ctx, by.Tenant)
	if err != nil {
		return done, fmt.Errorf("jobs: upload: %w", err)
	}
	fields, _, err := r.catalogues.Fields(ctx, by.Tenant)
	if err != nil {
		return done, fmt.Errorf("jobs: upload: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return done, fmt.Errorf("jobs: upload: %w", err)
	}
	begin := commands.UploadImport{Import: id}
	if own.Entitled(settings.EntitlementImport) {
		begin.File, err = r.keepRows(ctx, by.Tenant, id, u, &fields)
		begin.File.FileName, begin.File.CreateTags = u.Name, u.CreateTags
		err = refusedFile(err)
	} else { // before the work, and again with the command
		err = domain.Refuse(domain.CodeNotEntitled).With("entitlement", settings.EntitlementImport)
	}
	if err == nil || errors.As(err, &begin.Wrong) {
		done, err = begin.Run(ctx, r.center, by)
		var refusal *domain.Refusal
		if err != nil && !errors.As(err, &refusal) {
			return done, err // it may have begun, and needs its rows then; else the sweep finds them
		}
	}
	if err != nil || done.Job != id {
		// The caller may be gone; what stays all the same, the sweep finds.
		if drop := r.parts.drop(context.WithoutCancel(ctx), by.Tenant, id, 0); drop != nil && err == nil {
			err = drop
		}
	}
	return done, err
}

// mostKept is how much text of an xlsx may be in the rows that are kept in one part, in bytes: 32 kB in each on average. A csv has no more than the file, or
// three times that in some encodings.
const mostKept = 16 << 20

// keepRows reads a file and keeps its rows.
func (r *Runner) keepRows(ctx context.Context, tenant string, id uuid.UUID, u Upload, fields *field.State) (file imports.Uploaded, err error) {
	in, err := sheet.Open(u.File, u.Size, sheet.Limits{Bytes: imports.MaxBytes, Rows: imports.MaxRows + 1})
	if err != nil {
		return file, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	header, err := in.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return file, err
	}
	file = imports.Uploaded{Format: string(in.Format()), Bytes: u.Size}
	if file.Columns, err = imports.Header(texts(header), fields); err != nil {
		return file, err
	}
	rows, size := make([]imports.Row, 0, job.Chunk), 0
	keep := func() error {
		content, err := encodeRows(rows)
		if err != nil {
			return err
		}
		rows, size = rows[:0], 0
		return r.parts.put(ctx, tenant, id, (file.Rows-1)/job.Chunk, content)
	}
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return file, err
		}
		cells := texts(row)
		if !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue
		}
		for _, cell := range cells {
			size += len(cell)
		}
		if in.Format() == sheet.XLSX && size > mostKept { // texts that are in the file once and shown again and again
			return file, &sheet.Error{Code: sheet.Bomb, Row: row.Number}
		}
		rows = append(rows, imports.Row{Number: row.Number, Cells: cells})
		if file.Rows++; len(rows) == job.Chunk {
			if err := keep(); err != nil {
				return file, err
			}
		}
	}
	if file.Rows == 0 {
		return file, &sheet.Error{Code: sheet.Empty}
	}
	if len(rows) > 0 {
		err = keep()
	}
	return file, err
}

// encodeRows are the rows as they are kept.
func encodeRows(rows []imports.Row) ([]byte, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false) // which would make six bytes of one
	if err := encoder.Encode(rows); err != nil {
		return nil, errors.New("jobs: rows cannot be written as JSON")
	}
	return content.Bytes(), nil
}

func texts(row sheet.Row) []string {
	cells := make([]string, len(row.Cells))
	for i, cell := range row.Cells {
		cells[i] = sheet.Armed(cell.Text)
	}
	return cells
}

// refusedFile is the refusal of a file that something is wrong with.
func refusedFile(err error) error {
	var wrong *sheet.Error
	if !errors.As(err, &wrong) {
		return err
	}
	refusal := domain.Refuse(string(wrong.Code)).At("file")
	if wrong.Row > 0 {
		refusal.With("row", wrong.Row)
	}
	if wrong.Column > 0 {
		refusal.With("column", wrong.Column)
	}
	switch wrong.Code {
	case sheet.TooManyRows:
		refusal.With("max", imports.MaxRows)
	case sheet.TooLarge:
		refusal.With("max", imports.MaxBytes)
	}
	return refusal
}
