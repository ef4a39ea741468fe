package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
	"customercenter/projections"
)

// Import is a file of customers, and what became of its rows.
type Import struct {
	Job
	FileName   string     `json:"file_name"`
	Format     string     `json:"format" enum:"csv,xlsx"`
	Bytes      int64      `json:"bytes"`
	CreateTags bool       `json:"create_tags" doc:"Tags that are not in the catalogue are created."`
	DryRun     bool       `json:"dry_run" doc:"So far it was only found out what each row would do."`
	Rows       int        `json:"rows" doc:"Below the header, those that hold nothing apart."`
	Created    int        `json:"created" doc:"Rows that made a customer, or would in a dry run."`
	Rejected   int        `json:"rejected" doc:"Rows that were refused."`
	Withdrawn  int        `json:"withdrawn" doc:"Customers who were taken back by a revert."`
	Kept       int        `json:"kept" doc:"Customers whom a revert left alone, as something has happened to them since."`
	Reverting  bool       `json:"reverting"`
	KeptUntil  *time.Time `json:"kept_until,omitempty" doc:"Until then the rows are kept: for a start, and for the file of refused rows."`
}

func importOf(l locale.Language, j *projections.Job) Import {
	s := j.Import
	until := s.UploadedAt.Add(jobs.KeptFor)
	return Import{
		Job: jobOf(l, j), FileName: s.File.FileName, Format: s.File.Format, Bytes: s.File.Bytes, CreateTags: s.File.CreateTags, DryRun: s.DryRun,
		Rows: s.File.Rows, Created: s.Created, Rejected: s.Rejected, Withdrawn: s.Withdrawn, Kept: s.Kept, Reverting: s.Reverting, KeptUntil: &until,
	}
}

// ImportRow is what became of a row of a file.
type ImportRow struct {
	Row        int        `json:"row" doc:"As the spreadsheet program numbers it: the header is 1."`
	Outcome    string     `json:"outcome" enum:"created,rejected"`
	CustomerID *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"Who was created; absent in a dry run."`
	ExternalID string     `json:"external_id,omitempty" doc:"Of the customer as they are now; of a row that has created none, as it was uploaded, up to 200 characters. Absent if there is none any more."`
	Nickname   string     `json:"nickname,omitempty" doc:"Likewise."`
	Column     string     `json:"column,omitempty" doc:"The column that is wrong, by the name of its field."`
	Heading    string     `json:"heading,omitempty" doc:"What that column is called, in the language of Accept-Language; absent if there is no such field any more."`
	Value      string     `json:"value,omitempty" doc:"What is in the cell that is wrong, as it was uploaded, up to 200 characters; absent if it is no cell alone, and when the rows are not kept any more."`
	Code       string     `json:"code,omitempty"`
	Detail     string     `json:"detail,omitempty" doc:"What is wrong and what to do about it, in the language of Accept-Language."`
}

func (s *server) importOperations() {
	const tag = "Imports"
	conflict := http.StatusConflict
	register(s, operation{id: "get-import-template", method: http.MethodGet, path: "/v1/imports/template", tag: tag,
		summary: "Download the template of a file to import", notes: "An xlsx with the tenant's own fields, an example row and a sheet of notes. Any file with these headings in its first row will do, csv too.",
		produces: mediaTypes["xlsx"]}, s.importTemplate)
	register(s, operation{id: "list-imports", method: http.MethodGet, path: "/v1/imports", tag: tag,
		summary: "List the imports, the newest first"}, s.listImports)
	register(s, operation{id: "upload-import", method: http.MethodPost, path: "/v1/imports", tag: tag, status: http.StatusCreated, upload: imports.MaxBytes,
		summary: "Upload a file of customers",
		notes: "xlsx, or csv in UTF-8 or GB18030, parted by commas, semicolons or tabs; up to 100,000 rows and 20 MiB. It is read at once, and refused as a whole if it cannot be imported. " +
			"Nobody is a customer before it is started.", errors: []int{conflict}}, s.uploadImport)
	register(s, operation{id: "get-import", method: http.MethodGet, path: "/v1/imports/{id}", tag: tag,
		summary: "Show an import"}, s.getImport)
	register(s, operation{id: "list-import-rows", method: http.MethodGet, path: "/v1/imports/{id}/rows", tag: tag,
		summary: "List what became of each row, in the order of the file", notes: "Of the last start: what each row would do after a dry run, what it has done after an import. While it is running, those so far."}, s.listImportRows)
	register(s, operation{id: "list-import-kept", method: http.MethodGet, path: "/v1/imports/{id}/kept", tag: tag,
		summary: "List the customers whom a revert has left alone"}, s.listImportKept)
	register(s, operation{id: "get-import-rejected", method: http.MethodGet, path: "/v1/imports/{id}/rejected", tag: tag,
		summary: "Download the refused rows with the reasons", notes: "As they were uploaded, with two columns more: so they can be mended and uploaded again as they are.",
		stream: true, produces: mediaTypes["xlsx"], errors: []int{http.StatusGone}}, s.importRejected)
	register(s, operation{id: "start-import", method: http.MethodPost, path: "/v1/imports/{id}/start", tag: tag, status: http.StatusAccepted,
		summary: "Start an import", notes: "Every row that nothing is wrong with makes a customer, the others are refused with their reasons. A dry run may be repeated, an import happens once.",
		errors: []int{conflict}}, s.startImport)
	register(s, operation{id: "cancel-import", method: http.MethodPost, path: "/v1/imports/{id}/cancel", tag: tag, status: http.StatusOK,
		summary: "Cancel an import", notes: "The rows that are left are not dealt with; those who are customers already stay, unless it is reverted.", errors: []int{conflict}}, s.cancelImport)
	register(s, operation{id: "revert-import", method: http.MethodPost, path: "/v1/imports/{id}/revert", tag: tag, status: http.StatusAccepted,
		summary: "Take an import back", notes: "Whom it created and nobody has touched since is no customer any more. The others stay, and are listed.", errors: []int{conflict}}, s.revertImport)
}

type templateInput struct {
	After        // it is read from the log, which has every position
	Lang  string `query:"lang" enum:"zh,en" doc:"Of the headings and the notes. Default: by Accept-Language."`
}

func (s *server) importTemplate(ctx context.Context, r *request, in *templateInput) (*huma.StreamResponse, error) {
	language := r.language
	if in.Lang != "" {
		language = locale.Parse(in.Lang)
	}
	e, err := s.entries(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	return file{name: "import-template.xlsx", format: "xlsx", write: func(w io.Writer) error {
		return writeImportTemplate(w, &e.fields, &e.associations, language)
	}}.answer(ctx), nil
}

type importsOutput struct {
	Served
	Body List[Import]
}

func (s *server) listImports(ctx context.Context, r *request, in *jobsInput) (*importsOutput, error) {
	served, page, err := s.jobsPage(ctx, r, in, job.KindImport)
	if err != nil {
		return nil, err
	}
	list := List[Import]{Items: make([]Import, len(page.Items)), Next: page.Next}
	for i := range page.Items {
		list.Items[i] = importOf(r.language, &page.Items[i])
	}
	return &importsOutput{Served: served, Body: list}, nil
}

type importOutput struct {
	Served
	Body Import
}

func (s *server) getImport(ctx context.Context, r *request, in *oneJobInput) (*importOutput, error) {
	served, j, err := s.job(ctx, r, in, job.KindImport)
	if err != nil {
		return nil, err
	}
	return &importOutput{Served: served, Body: importOf(r.language, &j)}, nil
}

type writtenImport struct {
	Written
	Location string `header:"Location"`
	Body     Import
}

// importWritten is the answer to a write.
func (s *server) importWritten(ctx context.Context, r *request, done commands.Done) (*writtenImport, error) {
	j, err := s.jobWritten(ctx, r, done)
	if err != nil {
		return nil, err
	}
	return &writtenImport{Written: Written{LogPosition: done.Position}, Location: "/v1/imports/" + j.ID.String(), Body: importOf(r.language, &j)}, nil
}

func (s *server) uploadImport(ctx context.Context, r *request, in *struct{ Write }) (*writtenImport, error) {
	u := r.upload
	done, err := s.Jobs.Upload(ctx, r.by(in.IdempotencyKey), jobs.Upload{Name: u.name, File: u.file, Size: u.size, CreateTags: u.flags["create_tags"]})
	if err != nil {
		return nil, err
	}
	if u.flags["dry_run"] {
		by := r.by(in.IdempotencyKey)
		if by.Once != nil { // it is started once, too: the import may have gone on when the request is repeated
			by.Once.Route += " dry run"
		}
		if done, err = (commands.StartImport{Import: done.Job, DryRun: true}).Run(ctx, s.Center, by); err != nil {
			return nil, err
		}
	}
	return s.importWritten(ctx, r, done)
}

type importRowsInput struct {
	OutcomesPage
	Outcome string `query:"outcome" enum:"rejected" doc:"Only the rows that were refused."`
}

type importRowsOutput struct {
	Served
	Body List[ImportRow]
}

func (s *server) listImportRows(ctx context.Context, r *request, in *importRowsInput) (*importRowsOutput, error) {
	served, _, err := s.job(ctx, r, &oneJobInput{ID: in.ID, After: in.After}, job.KindImport)
	if err != nil {
		return nil, err
	}
	from, err := in.place()
	if err != nil {
		return nil, err
	}
	found, behind, err := s.Jobs.Outcomes(ctx, r.who.Tenant, in.ID, from, in.Outcome != "", in.Limit)
	if err != nil {
		return nil, err
	}
	reason, labels, err := s.reasons(ctx, r)
	if err != nil {
		return nil, err
	}
	cell, called, err := s.inRows(ctx, r, in.ID, found)
	if err != nil {
		return nil, err
	}
	list := List[ImportRow]{Items: make([]ImportRow, len(found))}
	for i, o := range found {
		row := ImportRow{Row: o.Row(), Outcome: "created", ExternalID: cell(o.Row(), "external_id"), Nickname: cell(o.Row(), "nickname")}
		if o.Refused != nil {
			row.Outcome, row.Column, row.Code, row.Detail = "rejected", o.Refused.Column, o.Refused.Code, reason(*o.Refused)
			row.Heading, row.Value = labels[o.Refused.Column], cell(o.Row(), o.Refused.Column)
		} else if id := o.Created.Customer; id != uuid.Nil { // whoever was erased since is not called as they were
			row.CustomerID, row.ExternalID, row.Nickname = &id, called[id].ExternalID, called[id].Nickname
		}
		list.Items[i] = row
	}
	if len(found) == in.Limit {
		list.Next, err = placeCursor(behind)
	}
	return &importRowsOutput{Served: served, Body: list}, err
}

// mostOfCell is how much of a cell is shown, in characters.
const mostOfCell = 200

// inRows tells what is in a cell of a row, empty if the rows are not kept any more, and what those are called whom rows have created.
func (s *server) inRows(ctx context.Context, r *request, id uuid.UUID, found []jobs.Outcome) (cell func(row int, column string) string, called map[uuid.UUID]projections.Called, err error) {
	var numbers []int
	var created []uuid.UUID
	for _, o := range found {
		if o.Created != nil && o.Created.Customer != uuid.Nil {
			created = append(created, o.Created.Customer)
		} else {
			numbers = append(numbers, o.Row())
		}
	}
	if called, err = s.Customers.Called(ctx, r.who.Tenant, created); err != nil {
		return nil, nil, err
	}
	columns, cells, err := s.Jobs.Uploaded(ctx, r.who.Tenant, id, numbers)
	var refusal *domain.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return nil, nil, err
	}
	return func(row int, column string) string {
		at := slices.Index(columns, column)
		if at < 0 || at >= len(cells[row]) {
			return ""
		}
		if runes := []rune(cells[row][at]); len(runes) > mostOfCell {
			return string(runes[:mostOfCell]) + "…"
		}
		return cells[row][at]
	}, called, nil
}

// reasons puts into words why rows were refused. labels are what columns are called, by their names.
func (s *server) reasons(ctx context.Context, r *request) (reason func(imports.Refused) string, labels map[string]string, err error) {
	fields, _, err := s.Catalogues.Fields(ctx, r.who.Tenant)
	if err != nil {
		return nil, nil, err
	}
	labels = map[string]string{}
	for _, c := range imports.Columns(&fields) {
		labels[c.Name] = c.Heading(r.language == locale.Chinese)
	}
	return func(refused imports.Refused) string {
		return locale.RowReason(r.language, refused.Code, labels[refused.Column], refused.Args)
	}, labels, nil
}

// ImportKept is a customer whom a revert has left alone.
type ImportKept struct {
	Row        int       `json:"row"`
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
}

type importKeptOutput struct {
	Served
	Body List[ImportKept]
}

func (s *server) listImportKept(ctx context.Context, r *request, in *OutcomesPage) (*importKeptOutput, error) {
	served, _, err := s.job(ctx, r, &oneJobInput{ID: in.ID, After: in.After}, job.KindImport)
	if err != nil {
		return nil, err
	}
	from, err := in.place()
	if err != nil {
		return nil, err
	}
	found, behind, err := s.Jobs.Kept(ctx, r.who.Tenant, in.ID, from, in.Limit)
	if err != nil {
		return nil, err
	}
	list := List[ImportKept]{Items: make([]ImportKept, len(found))}
	for i, kept := range found {
		list.Items[i] = ImportKept{Row: kept.Row, CustomerID: kept.Customer}
	}
	if len(found) == in.Limit {
		list.Next, err = placeCursor(behind)
	}
	return &importKeptOutput{Served: served, Body: list}, err
}

type rejectedInput struct {
	After
	ID     uuid.UUID `path:"id" format:"uuid"`
	Format string    `query:"format" enum:"csv,xlsx" doc:"Default: as it was uploaded."`
}

func (s *server) importRejected(ctx context.Context, r *request, in *rejectedInput) (*huma.StreamResponse, error) {
	_, j, err := s.job(ctx, r, &oneJobInput{ID: in.ID, After: in.After}, job.KindImport)
	if err != nil {
		return nil, err
	}
	reason, _, err := s.reasons(ctx, r)
	if err != nil {
		return nil, err
	}
	fields, _, err := s.Catalogues.Fields(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	format := j.Import.File.Format
	if in.Format != "" {
		format = in.Format
	}
	chinese := r.language == locale.Chinese
	columns := map[string]imports.Column{}
	for _, c := range imports.Columns(&fields) {
		columns[c.Name] = c
	}
	words := jobs.Words{
		Sheet: locale.RowsSheet(r.language),
		Heading: func(column string) string {
			if c, known := columns[column]; known {
				return c.Heading(chinese)
			}
			return column // of a field that is gone
		},
		Added: func(column string) string { return imports.AddedHeading(column, chinese) }, Reason: reason,
	}
	if err := s.Jobs.RowsKept(ctx, r.who.Tenant, in.ID); err != nil {
		return nil, err
	}
	return file{name: "rejected-" + in.ID.String() + "." + format, format: format, write: func(w io.Writer) error {
		return s.Jobs.WriteRejected(ctx, r.who.Tenant, in.ID, w, sheet.Format(format), words)
	}}.answer(ctx), nil
}

// StartInput says how an import is to be started.
type StartInput struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Only find out what each row would do."`
}

func (s *server) startImport(ctx context.Context, r *request, in *struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body *StartInput
}) (*writtenImport, error) {
	start := commands.StartImport{Import: in.ID}
	if in.Body != nil {
		start.DryRun = in.Body.DryRun
	}
	done, err := start.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.importWritten(ctx, r, done)
}

type changeJobInput struct {
	Write
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) cancelImport(ctx context.Context, r *request, in *changeJobInput) (*writtenImport, error) {
	done, err := commands.CancelImport{Import: in.ID}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.importWritten(ctx, r, done)
}

func (s *server) revertImport(ctx context.Context, r *request, in *changeJobInput) (*writtenImport, error) {
	done, err := commands.RevertImport{Import: in.ID}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.importWritten(ctx, r, done)
}
