package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
)

var exportsPage = page{
	place:  &place{Section: "data", Order: 20, Name: "exports", Icon: "export", Path: "/exports", Operation: "list-exports"},
	words:  exportsWords,
	routes: (*Pages).exportsPages,
}

func (p *Pages) exportsPages(r chi.Router) {
	r.Get("/exports", p.listExports)
	r.Get("/exports/{id}/events", p.jobEvents)
	r.Get("/exports/{id}/file", p.downloadExport)
	r.Get("/exports/{id}/downloads", p.showDownloads)
	r.Get("/exports/{id}/customers", p.narrowExport)
	r.Post("/exports/{id}/again", p.exportAgain)
	r.Get("/exports/{id}/cancel", p.askCancelExport)
	r.Post("/exports/{id}/cancel", p.cancelExport)
}

// exportsView is the view of the list of exports.
type exportsView struct {
	Rows  []exportRow
	Pager onward
	Empty *empty
	Told  string // to readers, of the latest one, when it has gone on
}

type exportRow struct {
	Name, Filter  string
	State         status
	Detail        string // why it failed, and what to do
	Progress      *jobProgress
	Rows, Size    string // empty: there is no file
	Until         *moment
	Over          bool
	Actor         string
	When          *moment
	Downloads     int
	DownloadsPath string
	File, Cancel  string // addresses; empty: it cannot be
	Again         string // of a form
	Narrow        string // to the filter, of what was too large
}

func (p *Pages) listExports(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var list api.List[api.Export]
	if err := v.get("/v1/exports?"+url.Values{"cursor": {r.URL.Query().Get("cursor")}}.Encode(), &list); err != nil {
		v.fail(err)
		return
	}
	view := exportsView{Pager: onwardOf(r.URL, v.t("exports.pager"), v.t("exports.shown", "n", len(list.Items)), list.Next)}
	for i := range list.Items {
		view.Rows = append(view.Rows, v.exportRow(&list.Items[i]))
	}
	followed := 0
	for i := len(view.Rows) - 1; i >= 0; i-- { // those that were asked for first are made first
		if view.Rows[i].Progress == nil {
			continue
		}
		v.follows()
		if followed++; followed > mostFollowed {
			view.Rows[i].Progress.Events = ""
		}
	}
	if len(view.Rows) > 0 {
		view.Told = v.t("exports.told", "name", view.Rows[0].Name, "state", view.Rows[0].State.Text)
	} else {
		view.Empty = &empty{Icon: "export", Title: v.t("exports.none"), Text: v.t("exports.none_text"),
			Actions: []action{{Path: "/customers", Text: v.t("exports.new"), Icon: "users", Primary: true}}}
	}
	v.show(http.StatusOK, "exports", v.t("exports.title"), view)
}

func (v *visit) exportRow(e *api.Export) exportRow {
	path := "/exports/" + e.ID.String()
	row := exportRow{
		Name: e.FileName, Filter: e.Description, State: v.exportStatus(e), Detail: e.Detail, Actor: v.actor(e.CreatedBy), When: v.moment(&e.CreatedAt),
		Downloads: e.Downloads, DownloadsPath: path + "/downloads", Until: v.moment(e.ExpiresAt), Over: e.Expired,
	}
	switch e.Status {
	case "queued", "running":
		row.Progress = jobProgressOf(&e.Job, path, "exports", v.t("exports.progress", "name", e.FileName), v.t("exports.rows_unit"))
		row.Cancel = path + "/cancel"
	case "completed":
		row.Rows, row.Size = grouped(int64(e.Rows)), size(e.Bytes)
		if e.Expired {
			row.Again = path + "/again"
		} else {
			row.File = path + "/file"
		}
	case "failed":
		row.Again = path + "/again"
		if strings.HasSuffix(e.Code, "_TOO_LARGE") || strings.HasSuffix(e.Code, "_TOO_MANY_ROWS") { // the same would fail again
			row.Again, row.Narrow = "", path+"/customers"
		}
	default:
		row.Again = path + "/again"
	}
	return row
}

// soon is how long before its end people are warned that a file will be gone.
const soon = 24 * time.Hour

func (v *visit) exportStatus(e *api.Export) status {
	state, s := e.Status, status{}
	switch {
	case state == "completed" && e.Expired:
		state, s.Hollow = "expired", true
	case state == "completed" && e.ExpiresAt != nil && e.ExpiresAt.Sub(v.p.Now()) < soon:
		state, s.Tone = "ends_soon", "warn"
	case state == "completed":
		s.Tone = "good"
	case state == "running":
		s.Tone = "live"
	case state == "failed":
		s.Tone = "bad"
	default:
		s.Hollow = true
	}
	s.Text = v.speech.one("export_state", state)
	return s
}

// size is a number of bytes as people read it.
func size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1<<20-1<<9: // else it would round to 1,024
		return fmt.Sprintf("%d KiB", (bytes+1<<9)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

// theExport asks the API for the export that the address names.
func (v *visit) theExport() (e api.Export, err error) {
	return e, v.get("/v1/exports/"+url.PathEscape(chi.URLParam(v.r, "id")), &e)
}

// downloadExport passes the file on. If there is none, the page says why and how to get it: a link to it may have been kept for long.
func (p *Pages) downloadExport(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	e, err := v.theExport()
	switch {
	case err != nil:
		v.fail(err)
	case e.Status == "completed" && e.Expired:
		v.show(http.StatusGone, "export_gone", v.t("exports.gone"), v.exportRow(&e))
	default:
		v.pass(http.MethodGet, "/v1/exports/"+e.ID.String()+"/file")
	}
}

// downloadsView is the view of the dialog that tells who has got a file.
type downloadsView struct {
	Title string
	Count string
	Rows  []downloadRow
}

type downloadRow struct {
	Actor  string
	Avatar avatar
	When   *moment
}

func (p *Pages) showDownloads(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	e, err := v.theExport()
	if err != nil {
		v.fail(err)
		return
	}
	var list api.List[api.ExportDownload]
	if err := v.get("/v1/exports/"+e.ID.String()+"/downloads", &list); err != nil {
		v.fail(err)
		return
	}
	view := downloadsView{Title: v.t("exports.downloads_of", "name", e.FileName), Count: v.t("exports.downloads_count", "n", e.Downloads)}
	if e.Downloads > len(list.Items) {
		view.Count = v.t("exports.downloads_latest", "n", e.Downloads, "shown", len(list.Items))
	}
	for _, d := range list.Items {
		name := v.actor(d.By)
		view.Rows = append(view.Rows, downloadRow{Actor: name, Avatar: avatarOf(name), When: v.moment(&d.At)})
	}
	v.showDialog(http.StatusOK, "downloads", view.Title, view)
}

// exportAgain asks for the same again: of those who match now.
func (p *Pages) exportAgain(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	e, err := v.theExport()
	if err != nil {
		v.fail(err)
		return
	}
	input := api.ExportInput{Filter: e.Filter, Sort: e.Sort, Columns: e.Columns, Format: e.Format, Language: e.Language}
	var made api.Export
	if err := v.send(http.MethodPost, "/v1/exports", input, &made); err != nil {
		v.refused("/exports", err)
		return
	}
	v.done("/exports", notice{Tone: "good", Text: v.t("exports.asked", "name", made.FileName)})
}

// narrowExport leads to the list of customers with the filter of an export, to be narrowed. What the filter looks for may be personal, so it goes by an
// id.
func (p *Pages) narrowExport(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	e, err := v.theExport()
	if err != nil {
		v.fail(err)
		return
	}
	id, err := v.saveQuery(struct{ Filter json.RawMessage }{e.Filter})
	if err != nil {
		v.fail(err)
		return
	}
	http.Redirect(w, r, "/customers?"+url.Values{"view": {"all"}, "q": {id}}.Encode(), http.StatusSeeOther)
}

func (p *Pages) askCancelExport(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	e, err := v.theExport()
	if err != nil {
		v.fail(err)
		return
	}
	c := confirm{Title: v.t("exports.ask_cancel", "name", e.FileName), Text: v.t("exports.ask_cancel_text"), Action: "/exports/" + e.ID.String() + "/cancel",
		Button: v.t("exports.ask_cancel_button"), Danger: true, Back: "/exports"}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) cancelExport(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var e api.Export
	if err := v.send(http.MethodPost, "/v1/exports/"+url.PathEscape(chi.URLParam(r, "id"))+"/cancel", nil, &e); err != nil {
		v.refused("/exports", err)
		return
	}
	v.done("/exports", notice{Tone: "good", Text: v.t("exports.canceled", "name", e.FileName)})
}
