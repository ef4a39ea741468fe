package pages

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
)

// jobProgress is how far a job is, for the part "job_progress": it follows the job's events, and has its region of the page made anew when the
// job ends. Without script the page refreshes itself, see (*visit).follows.
//
// Inside the region, an element with data-live="progress.done" shows that number of the job as it is; its names are those of the API's JSON.
type jobProgress struct {
	Events string // address of the events: a route to (*Pages).jobEvents; empty: they are not followed
	Region string // the id of the element that is made anew
	Label  string // for those who do not see it
	Unit   string // what is counted, as "rows"
	Done   int64
	Total  int64 // 0: not known yet
}

// jobProgressOf is the progress of a job whose page is at an address.
func jobProgressOf(j *api.Job, path, region, label, unit string) *jobProgress {
	return &jobProgress{Events: path + "/events", Region: region, Label: label, Unit: unit, Done: j.Progress.Done, Total: j.Progress.Total}
}

// jobEvents passes on the events of a job of any kind, as whoever asks may see it.
func (p *Pages) jobEvents(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).pass(http.MethodGet, "/v1/jobs/"+url.PathEscape(chi.URLParam(r, "id"))+"/events")
}

// follows says that the page shows what goes on by itself: a browser without script looks again every few seconds.
func (v *visit) follows() { v.refresh = 3 }

// onward leads on in a list that is read forwards only.
type onward struct {
	Label, Summary string
	First, Next    string // empty: it is the first page, or the last
}

func onwardOf(u *url.URL, label, summary, next string) onward {
	o := onward{Label: label, Summary: summary, Next: pagerOf(u, "", "", "", next).Next}
	if query := u.Query(); query.Has("cursor") {
		query.Del("cursor")
		o.First = u.Path
		if len(query) > 0 {
			o.First += "?" + query.Encode()
		}
	}
	return o
}
