package pages

import (
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
)

// importPath is where files are uploaded.
const importPath = "/import"

var importPage = page{
	place:     &place{Section: "data", Order: 10, Name: "import", Icon: "import", Path: importPath, Operation: "list-imports"},
	words:     importWords,
	takesFile: importPath,
	routes:    (*Pages).importPages,
}

func (p *Pages) importPages(r chi.Router) {
	r.Get(importPath, func(_ http.ResponseWriter, r *http.Request) { visitOf(r).showImports(http.StatusOK, nil) })
	r.Post(importPath, p.uploadImport)
	r.Get("/import/template", func(_ http.ResponseWriter, r *http.Request) {
		path := "/v1/imports/template"
		if language := r.URL.Query().Get("lang"); language != "" { // else it is the visitor's
			path += "?" + url.Values{"lang": {language}}.Encode()
		}
		visitOf(r).pass(http.MethodGet, path)
	})
	r.Get("/import/{id}", p.showImport)
	r.Get("/import/{id}/events", p.jobEvents)
	r.Get("/import/{id}/rejected", func(_ http.ResponseWriter, r *http.Request) {
		path := "/v1/imports/" + url.PathEscape(chi.URLParam(r, "id")) + "/rejected"
		if format := r.URL.Query().Get("format"); format != "" {
			path += "?" + url.Values{"format": {format}}.Encode()
		}
		visitOf(r).pass(http.MethodGet, path)
	})
	r.Get("/import/{id}/start", p.askStartImport)
	r.Post("/import/{id}/start", p.startImport)
	r.Get("/import/{id}/cancel", p.askCancelImport)
	r.Post("/import/{id}/cancel", p.cancelImport)
	r.Get("/import/{id}/revert", p.askRevertImport)
	r.Post("/import/{id}/revert", p.revertImport)
}

// importsView is the view of the page where files are uploaded, with the imports so far.
type importsView struct {
	Steps    []step
	Wrong    *banner
	Entitled bool
	Tenant   string // the slug, by which an operator knows it
	Drop     drop
	Most     int64 // bytes
	Apps     []api.Association
	Rows     []importRow
	Pager    onward
}

type importRow struct {
	Name, Path string
	State      status
	Outcome    string
	Progress   *jobProgress
	Actor      string
	When       *moment
}

// mostUpload is what the API takes of a file, in bytes. It is said before the file is sent; the API sees to it.
const mostUpload = 20 << 20

// showImports shows the page, with why a file was refused.
func (v *visit) showImports(status int, wrong *banner) {
	var list api.List[api.Import]
	if err := v.get("/v1/imports?"+url.Values{"limit": {"20"}, "cursor": {v.r.URL.Query().Get("cursor")}}.Encode(), &list); err != nil {
		v.fail(err)
		return
	}
	var associations api.List[api.Association]
	if err := v.get("/v1/associations", &associations); err != nil {
		v.fail(err)
		return
	}
	view := importsView{
		Steps: v.importSteps(0), Wrong: wrong, Entitled: slices.Contains(v.settings().Entitlements, "import"), Tenant: v.in.Tenant, Most: mostUpload,
		Drop:  drop{Name: "file", Label: v.t("import.drop"), Hint: v.t("import.drop_hint"), Accept: ".xlsx,.csv"},
		Pager: onwardOf(v.r.URL, v.t("import.pager"), v.t("import.shown", "n", len(list.Items)), list.Next),
	}
	for _, a := range associations.Items {
		if a.Channel == "app" && !a.Removed {
			view.Apps = append(view.Apps, a)
		}
	}
	followed := 0
	for i := range list.Items {
		row := v.importRow(&list.Items[i])
		if row.Progress != nil {
			v.follows()
			if followed++; followed > mostFollowed {
				row.Progress.Events = ""
			}
		}
		view.Rows = append(view.Rows, row)
	}
	v.show(status, "import", v.t("import.title"), view)
}

// mostFollowed is how many jobs a list follows at once: a browser has few connections to one server. When one of them ends, the list is made
// anew, and the next is followed.
const mostFollowed = 2

// importSteps are the steps of importing, of which one is the current one.
func (v *visit) importSteps(current int) (steps []step) {
	for i, text := range []string{v.t("import.step_file"), v.t("import.step_try"), v.t("import.step_import")} {
		steps = append(steps, step{Text: text, Done: i < current, Current: i == current})
	}
	return steps
}

func (v *visit) importRow(i *api.Import) importRow {
	state := importState(i)
	row := importRow{
		Name: i.FileName, Path: "/import/" + i.ID.String(), State: v.importStatus(state), Actor: v.actor(i.CreatedBy), When: v.moment(&i.CreatedAt),
		Outcome: v.importOutcome(state, i),
	}
	if i.Status == "running" {
		row.Progress = jobProgressOf(&i.Job, row.Path, "imports", v.t("import.progress", "name", i.FileName), v.t("import.rows_unit"))
	}
	return row
}

// importState is how far somebody has come with an import: the status of its job, of which it has two that may be repeated.
func importState(i *api.Import) string {
	switch {
	case i.Status == "queued":
		return "waiting"
	case i.Status == "running" && i.Reverting:
		return "reverting"
	case i.Status == "running" && i.DryRun:
		return "trying"
	case i.Status == "running":
		return "importing"
	case i.Status == "completed" && i.DryRun:
		return "tried"
	case i.Status == "completed":
		return "imported"
	case i.Status == "failed" && i.Reverting:
		return "revert_failed"
	}
	return i.Status
}

func (v *visit) importStatus(state string) status {
	s := status{Text: v.speech.one("import_state", state)}
	switch state {
	case "trying", "importing", "reverting":
		s.Tone = "live"
	case "tried":
		s.Tone = "warn"
	case "imported":
		s.Tone = "good"
	case "failed", "revert_failed":
		s.Tone = "bad"
	default:
		s.Hollow = true
	}
	return s
}

// importOutcome says in one line what has come of an import so far.
func (v *visit) importOutcome(state string, i *api.Import) string {
	switch state {
	case "waiting":
		return v.t("import.outcome_waiting", "n", i.Rows)
	case "tried":
		return v.t("import.outcome_tried", "created", i.Created, "rejected", i.Rejected)
	case "imported":
		return v.t("import.outcome_imported", "created", i.Created, "rejected", i.Rejected)
	case "failed", "revert_failed":
		return i.Detail
	case "canceled":
		if i.DryRun || i.Created == 0 {
			return v.t("import.outcome_nothing")
		}
		return v.t("import.outcome_canceled", "created", i.Created)
	case "reverted":
		return v.t("import.outcome_reverted", "withdrawn", i.Withdrawn, "kept", i.Kept)
	}
	return ""
}

// uploadImport hands the form on to the API as it is, and leads to the import. The script asks for the same, and goes where it is led.
func (p *Pages) uploadImport(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	request, err := v.request(http.MethodPost, "/v1/imports", r.Body)
	if err != nil {
		v.fail(err)
		return
	}
	request.ContentLength = r.ContentLength
	request.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	out := &received{recorder: recorder{header: http.Header{}}, connection: v.w}
	p.API.ServeHTTP(out, request)
	var made api.Import
	err = out.read(&made)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		// A browser that is still sending would not read why not.
		_, _ = io.CopyN(io.Discard, r.Body, 4*mostUpload)
		v.w.Header().Set("Connection", "close")
		v.showImports(problem.Status, &banner{Tone: "bad", Text: v.t("import.refused"), More: problem.Detail})
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.note(false, out.header)
	v.done("/import/"+made.ID.String(), notice{Tone: "good", Text: v.t("import.uploaded", "n", made.Rows)})
}

// received keeps the API's answer to a file. The API may prolong the connection's deadlines, as receiving a file takes its time.
type received struct {
	recorder
	connection http.ResponseWriter
}

func (a *received) Unwrap() http.ResponseWriter { return a.connection }

// mayImport reports whether the visitor's tenant has the capability. Imports of before can be looked at and taken back without it.
func (v *visit) mayImport() bool {
	return access.May(v.in.Role, "start-import") && slices.Contains(v.settings().Entitlements, "import")
}
