package pages

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
)

// Pages of the past have their moment in the address. as_of is what the API takes, a time or a position of the log, or a time in the tenant's zone,
// as the control sends it. What such a page shows is of then; it offers nothing that would change something, and its times are told exactly.

var asOfPage = page{words: asOfWords, routes: (*Pages).asOfPages}

func (p *Pages) asOfPages(r chi.Router) {
	r.Get("/as-of/{id}", p.awaitPast)
}

// localMinute is a time as the control holds and sends it, in the tenant's zone.
const localMinute = "2006-01-02T15:04"

// momentAsked is a moment of an address as the API takes it.
func (v *visit) momentAsked(asOf string) string {
	for _, layout := range []string{localMinute, localMinute + ":05"} {
		if at, err := time.ParseInLocation(layout, asOf, v.location()); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	return asOf
}

// isOf notes the moment of the past that an answer of the API is of, if it is of one.
func (v *visit) isOf(answer http.Header) {
	if at, err := time.Parse(time.RFC3339Nano, answer.Get("X-As-Of-Time")); err == nil {
		v.then = at
	}
}

// pastPicker is the view of the dialog that picks a moment for a page.
type pastPicker struct {
	Path  string        // of the page
	Query []hiddenField // of its address, without the moment
	Value string        // the moment that is shown; empty: now, or a position of the log
	Zone  string
	Back  string
}

// of is the path of something in the API, as of the moment of the page.
func (v *visit) of(path string) string {
	if v.asOf == "" {
		return path
	}
	return withMoment(path, v.momentAsked(v.asOf))
}

// stays is the address of a page, at the moment of this one.
func (v *visit) stays(path string) string {
	if v.asOf == "" {
		return path
	}
	return withMoment(path, v.asOf)
}

// may reports whether the visitor may do something to what the page shows: to what was, nothing.
func (v *visit) may(operation string) bool { return v.asOf == "" && access.May(v.in.Role, operation) }

// mayPast reports whether the visitor may look into the past.
func (v *visit) mayPast() bool { return access.May(v.in.Role, "get-as-of-job") }

// askPast asks for the moment of the page that the address lies below, with that page's query.
func (p *Pages) askPast(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	path, query := strings.TrimSuffix(r.URL.Path, "/as-of"), r.URL.Query()
	picker := pastPicker{Path: path, Zone: v.location().String(), Back: addressOf(path, query)}
	if at, err := time.Parse(time.RFC3339Nano, v.momentAsked(query.Get("as_of"))); err == nil {
		picker.Value = at.In(v.location()).Format(localMinute)
	}
	leaveMoment(query)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			picker.Query = append(picker.Query, hiddenField{name, value})
		}
	}
	v.showDialog(http.StatusOK, "as_of_picker", v.t("as_of.title"), picker)
}

// past tells what moment a page is of, or why that cannot be shown, and leads back.
type past struct {
	Banner banner
	Now    string // the page as it is now
}

// past tells what moment the page is of, or why that cannot be shown; nil if the page is of now.
func (v *visit) past(wrong, text, more string) *past {
	notice := &past{Banner: banner{Tone: "live", Text: text, More: more}, Now: nowOf(v.r.URL)}
	switch {
	case wrong != "":
		notice.Banner = banner{Tone: "bad", Text: v.t("as_of.refused"), More: wrong}
	case v.then.IsZero():
		return nil
	}
	return notice
}

// now is the instant that the page is of.
func (v *visit) now() time.Time {
	if !v.then.IsZero() {
		return v.then
	}
	return v.p.Now()
}

// thenExact is the moment of the page; to the second if it is not a whole minute.
func (v *visit) thenExact() string {
	layout := exactly
	if v.then.Truncate(time.Minute) != v.then {
		layout += ":05"
	}
	return v.then.In(v.location()).Format(layout)
}

// nowOf is the address of a page of the past as it is now.
func nowOf(u *url.URL) string {
	query := u.Query()
	leaveMoment(query)
	return addressOf(u.Path, query)
}

// leaveMoment takes a moment out of the query of an address, and what belongs to it: the places in its lists.
func leaveMoment(query url.Values) {
	for _, name := range []string{"as_of", "cursor", "before", "after"} {
		query.Del(name)
	}
}

// withMoment is the address of a page as of a moment.
func withMoment(path, asOf string) string {
	if asOf == "" {
		return path
	}
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	return path + mark + url.Values{"as_of": {asOf}}.Encode()
}

// preparing is the answer of the API that what was asked as of a moment can be told only when read models are built.
type preparing struct{ api.PastJob }

// Error implements error.
func (p *preparing) Error() string { return "pages: the past is being prepared" }

// preparingView is the view of the page that stands in the place of one of the past while that is prepared.
type preparingView struct {
	Watch    *watch
	Text     string
	Progress progress
	To, Now  string // the page that is waited for, and the same as it is now
}

// showPreparing shows how far what a page needs is, in place of that page.
func (v *visit) showPreparing(j *api.PastJob, to *url.URL) {
	view := preparingView{To: to.RequestURI(), Now: nowOf(to), Text: v.t("as_of.preparing_text", "at", j.AsOf.In(v.location()).Format(exactly))}
	path := addressOf("/as-of/"+j.ID.String(), url.Values{"to": {view.To}, "tick": {"1"}})
	if chi.URLParam(v.r, "id") == j.ID.String() {
		path = v.again()
	}
	view.Watch = &watch{ID: "as-of", Path: path, Seconds: 1, Here: view.To}
	view.Progress = progress{Label: v.t("as_of.preparing"), Done: j.Progress.Done, Total: j.Progress.Total, Text: v.t("as_of.queued")}
	if j.Status == "running" {
		view.Progress.Text = v.t("as_of.progress", "done", j.Progress.Done, "total", j.Progress.Total)
	}
	v.follows()
	v.show(http.StatusAccepted, "as_of_preparing", v.t("as_of.preparing"), view)
}

// awaitPast shows how far it is, and leads to the page that is waited for when that can be shown, or can say why not.
func (p *Pages) awaitPast(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	to := local(r.URL.Query().Get("to"))
	var j api.PastJob
	err := v.get("/v1/as-of/"+url.PathEscape(chi.URLParam(r, "id")), &j)
	if problem, refused := refusal(err); err != nil && !(refused && problem.Status == http.StatusNotFound) {
		v.fail(err)
		return
	}
	u, bad := url.Parse(to)
	if bad != nil || err != nil || j.Status == "completed" || j.Status == "failed" {
		v.leave(to)
		return
	}
	v.showPreparing(&j, u)
}
