package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/exports"
	"customercenter/domain/job"
	"customercenter/internal/locale"
	"customercenter/projections"
)

// Export is a file of customers.
type Export struct {
	Job
	Filter      json.RawMessage `json:"filter"`
	Description string          `json:"description" doc:"The filter in words, in the language of Accept-Language."`
	Sort        string          `json:"sort"`
	Columns     []string        `json:"columns" nullable:"false"`
	Format      string          `json:"format" enum:"csv,xlsx"`
	Language    string          `json:"language" enum:"zh,en" doc:"Of the headings and of words in the cells."`
	FileName    string          `json:"file_name"`
	Rows        int             `json:"rows"`
	Bytes       int64           `json:"bytes"`
	Position    int64           `json:"position,omitempty" doc:"Of the log: who matched then is in the file."`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty" doc:"The file can be had until then."`
	Expired     bool            `json:"expired"`
	Downloads   int             `json:"downloads" doc:"How often it was downloaded."`
}

// ExportInput is what is to be exported.
type ExportInput struct {
	Filter   json.RawMessage `json:"filter,omitempty" doc:"A filter; absent or {} is everybody."`
	Sort     string          `json:"sort,omitempty" doc:"As of the customer list; -created_at if it is absent."`
	Columns  []string        `json:"columns,omitempty" maxItems:"200" doc:"As of saved views. Absent: the fields that are shown, in the tenant's order, tags and times."`
	Format   string          `json:"format,omitempty" doc:"csv or xlsx; csv if it is absent."`
	Language string          `json:"language,omitempty" doc:"zh or en; by Accept-Language if it is absent."`
}

// ExportDownload is that somebody got the file of an export.
type ExportDownload struct {
	At time.Time         `json:"at"`
	By projections.Actor `json:"by"`
}

func (s *server) exportOperations() {
	const tag = "Exports"
	register(s, operation{id: "list-exports", method: http.MethodGet, path: "/v1/exports", tag: tag,
		summary: "List the exports, the newest first"}, s.listExports)
	register(s, operation{id: "request-export", method: http.MethodPost, path: "/v1/exports", tag: tag, status: http.StatusAccepted,
		summary: "Ask for a file of the customers who match a filter", notes: "All that is in it was so at one position of the log; groups, while events come in without a pause, a moment before or after. A file of over 50 MiB fails with EXPORT_TOO_LARGE: narrow the filter. " +
			"It can be had for 7 days, and every download is recorded."}, s.requestExport)
	register(s, operation{id: "get-export", method: http.MethodGet, path: "/v1/exports/{id}", tag: tag,
		summary: "Show an export"}, s.getExport)
	register(s, operation{id: "cancel-export", method: http.MethodPost, path: "/v1/exports/{id}/cancel", tag: tag, status: http.StatusOK,
		summary: "Cancel an export", errors: []int{http.StatusConflict}}, s.cancelExport)
	register(s, operation{id: "download-export", method: http.MethodGet, path: "/v1/exports/{id}/file", tag: tag,
		summary: "Download the file of an export", notes: "Who downloads it is recorded. 410 EXPORT_EXPIRED when its time is over.",
		stream: true, produces: mediaTypes["csv"], errors: []int{http.StatusConflict, http.StatusGone}}, s.downloadExport)
	register(s, operation{id: "list-export-downloads", method: http.MethodGet, path: "/v1/exports/{id}/downloads", tag: tag,
		summary: "List who downloaded the file of an export", notes: "The latest first, up to 200."}, s.listDownloads)
}

func (s *server) exportOf(ctx context.Context, r *request, j *projections.Job) (Export, error) {
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return Export{}, err
	}
	return words.export(r.language, j, s.Now()), nil
}

func (v *vocabulary) export(l locale.Language, j *projections.Job, now time.Time) Export {
	e := j.Export
	shown := Export{
		Job: jobOf(l, j), Sort: e.Asked.Sort, Columns: e.Asked.Columns, Format: e.Asked.Format, Language: e.Asked.Language, FileName: exportName(e),
		Rows: e.File.Rows, Bytes: e.File.Bytes, Position: e.File.Position, Expired: e.Over(now), Downloads: e.Downloads,
	}
	shown.Filter, shown.Description = v.tell(e.Asked.Filter)
	if !e.File.ExpiresAt.IsZero() {
		shown.ExpiresAt = &e.File.ExpiresAt
	}
	return shown
}

// exportName is the name of the file of an export.
func exportName(e *exports.State) string {
	return "customers-" + e.RequestedAt.UTC().Format("20060102-150405") + "." + e.Asked.Format
}

type exportsOutput struct {
	Served
	Body List[Export]
}

func (s *server) listExports(ctx context.Context, r *request, in *jobsInput) (*exportsOutput, error) {
	served, page, err := s.jobsPage(ctx, r, in, job.KindExport)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	list := List[Export]{Items: make([]Export, len(page.Items)), Next: page.Next}
	for i := range page.Items {
		list.Items[i] = words.export(r.language, &page.Items[i], s.Now())
	}
	return &exportsOutput{Served: served, Body: list}, nil
}

type exportOutput struct {
	Served
	Body Export
}

func (s *server) getExport(ctx context.Context, r *request, in *oneJobInput) (*exportOutput, error) {
	served, j, err := s.job(ctx, r, in, job.KindExport)
	if err != nil {
		return nil, err
	}
	shown, err := s.exportOf(ctx, r, &j)
	return &exportOutput{Served: served, Body: shown}, err
}

type writtenExport struct {
	Written
	Location string `header:"Location"`
	Body     Export
}

func (s *server) exportWritten(ctx context.Context, r *request, done commands.Done) (*writtenExport, error) {
	j, err := s.jobWritten(ctx, r, done)
	if err != nil {
		return nil, err
	}
	shown, err := s.exportOf(ctx, r, &j)
	return &writtenExport{Written: Written{LogPosition: done.Position}, Location: "/v1/exports/" + j.ID.String(), Body: shown}, err
}

func (s *server) requestExport(ctx context.Context, r *request, in *struct {
	Write
	Body ExportInput
}) (*writtenExport, error) {
	b := in.Body
	if b.Language == "" {
		b.Language = r.language.Tag()
	}
	done, err := commands.RequestExport{Filter: b.Filter, Sort: b.Sort, Columns: b.Columns, Format: b.Format, Language: b.Language}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.exportWritten(ctx, r, done)
}

func (s *server) cancelExport(ctx context.Context, r *request, in *changeJobInput) (*writtenExport, error) {
	done, err := commands.CancelExport{Export: in.ID}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.exportWritten(ctx, r, done)
}

func (s *server) downloadExport(ctx context.Context, r *request, in *oneJobInput) (*huma.StreamResponse, error) {
	export, version, err := s.Catalogues.Export(ctx, r.who.Tenant, in.ID)
	switch {
	case err != nil:
		return nil, err
	case version == 0 || export.Status == "": // another kind of job
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if _, err := export.Download(s.Now()); err != nil {
		return nil, err
	}
	return file{name: exportName(&export), format: export.Asked.Format, size: export.File.Bytes, write: func(w io.Writer) error {
		// First it is looked for, then recorded, and then it happens: nobody gets the file unseen, and nobody is said to have got what is not there.
		return s.Jobs.Download(ctx, r.who.Tenant, in.ID, func() error {
			_, err := commands.DownloadExport{Export: in.ID}.Run(ctx, s.Center, r.by(""))
			return err
		}, w)
	}}.answer(ctx), nil
}

type downloadsOutput struct {
	Served
	Body List[ExportDownload]
}

func (s *server) listDownloads(ctx context.Context, r *request, in *oneJobInput) (*downloadsOutput, error) {
	served, j, err := s.job(ctx, r, in, job.KindExport)
	if err != nil {
		return nil, err
	}
	found, err := s.jobs().Downloads(ctx, r.who.Tenant, j.ID)
	if err != nil {
		return nil, err
	}
	list := List[ExportDownload]{Items: make([]ExportDownload, len(found)), Count: &projections.Count{Value: int64(j.Export.Downloads), Exact: true}}
	for i, d := range found {
		list.Items[i] = ExportDownload{At: d.At, By: projections.Actor{Kind: d.Actor.Kind, ID: d.Actor.ID, Name: d.Actor.ID}}
	}
	return &downloadsOutput{Served: served, Body: list}, nil
}
