package pages

import (
	"errors"
	"net/http"

	"customercenter/api/access"
)

// pageError is something that only pages refuse. What it is about, the words error.<key> and error.<key>_text say.
type pageError struct {
	status int
	key    string
}

func (e pageError) Error() string { return "pages: " + e.key }

var (
	errNotFound = pageError{http.StatusNotFound, "missing"}
	errBroken   = pageError{http.StatusInternalServerError, "broken"}
	errCrossing = pageError{http.StatusForbidden, "crossing"}
	errTooLarge = pageError{http.StatusRequestEntityTooLarge, "too_large"}
	// errUnreadable and errNoForm say that what came is nothing that our pages send, errSlow that it did not come, or not to its end.
	errUnreadable = pageError{http.StatusBadRequest, "unreadable"}
	errNoForm     = pageError{http.StatusUnsupportedMediaType, "no_form"}
	errSlow       = pageError{http.StatusRequestTimeout, "slow"}
	// errQueryGone says that what was looked for is not known any more.
	errQueryGone = pageError{http.StatusGone, "query_gone"}
)

// failure is the view of the page of an error.
type failure struct {
	Status      int
	Title, Text string
	Code        string // of the API; empty if it was not asked
	ID          string // of the request
	Icon        string
	Again       bool // trying again may help
	Back        string
	Now         string // the page as it is now; empty: that is what was asked for
}

// fail answers with the page of an error: what happened, and what to do. If the past is being prepared, it says so and waits for it; if what was
// looked for is not known any more, it leads to the page without it.
func (v *visit) fail(err error) {
	var wait *preparing
	if errors.As(err, &wait) {
		v.showPreparing(&wait.PastJob, v.r.URL)
		return
	}
	if query := v.r.URL.Query(); err == errQueryGone && v.r.Method == http.MethodGet && query.Has("q") { // the same page shows all there is
		for _, name := range []string{"q", "drop", "cursor"} {
			query.Del(name)
		}
		v.done(addressOf(v.r.URL.Path, query), notice{Tone: "warn", Text: v.t("error.query_gone_text")})
		return
	}
	f := failure{Status: http.StatusInternalServerError, ID: v.id, Icon: "warn", Back: "/"}
	var own pageError
	p, refused := refusal(err)
	switch own, _ = err.(pageError); {
	case refused:
		f.Status, f.Title, f.Text, f.Code = p.Status, p.Title, p.Detail, p.Code
	case own.key != "":
		f.Status, f.Title, f.Text = own.status, v.t("error."+own.key), v.t("error."+own.key+"_text")
	case access.Unavailable(err):
		f.Status, f.Title, f.Text = http.StatusServiceUnavailable, v.t("error.unavailable"), v.t("error.unavailable_text")
	default:
		f.Title, f.Text = v.t("error.broken"), v.t("error.broken_text")
	}
	if f.Status >= 500 && !refused && own.key == "" {
		attributes := []any{"request", v.id}
		if sqlstate, ok := access.Database(err); ok {
			attributes = append(attributes, "sqlstate", sqlstate) // the message may quote a value
		} else {
			attributes = append(attributes, "error", err)
		}
		v.p.Log.ErrorContext(v.r.Context(), "pages: a page failed", attributes...)
	}
	f.Again = f.Status >= 500 || f.Status == http.StatusTooManyRequests
	if f.Status == http.StatusNotFound {
		f.Icon = "search"
	}
	if v.r.Method != http.MethodGet {
		f.Again = false
	}
	var again later
	if errors.As(err, &again) {
		v.w.Header().Set("Retry-After", again.after)
	} else if f.Status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "1")
	}
	if v.asOf != "" {
		f.Now = nowOf(v.r.URL)
		if text := wrong(err, "query.as_of", false); text != "" {
			f.Title, f.Text = v.t("as_of.refused"), text
		}
	}
	v.show(f.Status, "failure", f.Title, f)
}

// refused leads back to a page and tells there why something was not done.
func (v *visit) refused(back string, err error) {
	p, ok := refusal(err)
	if !ok || p.Status >= http.StatusInternalServerError {
		v.fail(err)
		return
	}
	v.done(back, notice{Tone: "bad", Text: p.Detail})
}
