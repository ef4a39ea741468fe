package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/domain/job"
)

// groupWhatIf is what a rule would have done over the last days: asked for, being found out, or found.
type groupWhatIf struct {
	Watch *watch   // while it is being found out
	Ask   bool     // it can be asked, with the form of the rule
	Days  []option // from how many days ago
	Since int      // which of them is chosen; 0: it does not stand beside a form
	Path  string   // its page; empty: nobody has asked
	Wrong string   // why there is nothing to show
	// While it is being found out.
	Progress *progress
	// Once it is found.
	Found   bool
	Rule    string // in words
	Members string
	Entered string
	Left    string
	Summary string
	Chart   *chart // nil: too few days
}

// whatIfDays are the choices of how far to look back, the first by itself.
var whatIfDays = []int{30, 7, 90, 365}

// whatIfForm is the part in the form of a rule: it asks if the form was sent for that.
func (v *visit) whatIfForm(form *groupForm) (groupWhatIf, error) {
	part, days := v.whatIfChoice(form.since)
	if !form.whatIf {
		return part, nil
	}
	rule, whole := form.rule.finished()
	if !whole {
		part.Wrong = v.t("groups.preview_unfinished")
		return part, nil
	}
	today := v.p.Now().In(v.location())
	from := today.AddDate(0, 0, -days)
	var asked api.WhatIf
	err := v.find("/v1/groups/whatif", api.WhatIfInput{Rule: rule, From: from}, &asked)
	switch problem, refused := refusal(err); {
	case refused && problem.Code == "ALREADY_RUNNING":
		part.Wrong = v.t("groups.whatif_other")
	case refused && problem.Status == http.StatusUnprocessableEntity:
		part.Wrong = v.t("groups.preview_unfinished")
	case refused && problem.Code == "BUSY":
		part.Wrong = v.t("groups.whatif_busy")
	case err != nil:
		return part, err
	default:
		v.showWhatIf(&part, &asked)
		if part.Watch != nil { // the form cannot be looked at again, this can
			part.Watch.Path, part.Watch.Here = part.Page()+"&tick=1", part.Page()
		}
	}
	return part, nil
}

// whatIfChoice offers to ask, with a number of days chosen.
func (v *visit) whatIfChoice(since string) (part groupWhatIf, days int) {
	days = whatIfDays[0]
	for _, n := range whatIfDays {
		if since == strconv.Itoa(n) {
			days = n
		}
	}
	part = groupWhatIf{Ask: true, Since: days}
	for _, n := range whatIfDays {
		part.Days = append(part.Days, option{Value: strconv.Itoa(n), Text: v.t("groups.whatif_days", "n", n), Chosen: n == days})
	}
	return part, days
}

// Page is the address of what was asked; beside the form of a rule it says what was chosen there.
func (w groupWhatIf) Page() string { return w.Path + w.query() }

// Cancel is the address at which it is stopped.
func (w groupWhatIf) Cancel() string { return w.Path + "/cancel" + w.query() }

func (w groupWhatIf) query() string {
	if w.Since == 0 {
		return ""
	}
	return "?since=" + strconv.Itoa(w.Since)
}

// whatIf shows what was asked, by itself.
func (p *Pages) whatIf(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var found api.WhatIf
	if err := v.get("/v1/groups/whatif/"+url.PathEscape(chi.URLParam(r, "id")), &found); err != nil {
		v.fail(err)
		return
	}
	v.showWhatIfPage(&found)
}

// cancelWhatIf stops it.
func (p *Pages) cancelWhatIf(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var found api.WhatIf
	if err := v.find("/v1/groups/whatif/"+url.PathEscape(chi.URLParam(r, "id"))+"/cancel", nil, &found); err != nil {
		v.fail(err)
		return
	}
	v.showWhatIfPage(&found)
}

func (v *visit) showWhatIfPage(found *api.WhatIf) {
	var part groupWhatIf
	if since := v.r.URL.Query().Get("since"); since != "" { // it goes into the page of the form
		part, _ = v.whatIfChoice(since)
	}
	v.showWhatIf(&part, found)
	if part.Watch != nil {
		v.follows()
	}
	v.show(http.StatusOK, "group_whatif_page", v.t("groups.whatif"), part)
}

// showWhatIf fills in how far it is, or what was found.
func (v *visit) showWhatIf(part *groupWhatIf, found *api.WhatIf) {
	part.Path, part.Rule = "/groups/whatif/"+found.ID.String(), found.Description
	switch job.Status(found.Status) {
	case job.Running:
		part.Watch = v.watch(true, "whatif", 1)
		part.Progress = &progress{Label: v.t("groups.whatif"), Done: found.Progress.Done, Total: found.Progress.Total, Text: v.t("groups.whatif_soon")}
		if found.Progress.Total > 0 {
			part.Progress.Text = v.t("groups.filling", "done", found.Progress.Done, "total", found.Progress.Total)
		}
	case job.Completed:
		r := found.Result
		part.Found, part.Members, part.Entered, part.Left = true, grouped(r.Members), moved("+", r.Entered), moved("−", r.Left)
		part.Summary = v.t("groups.whatif_found", "start", r.Start, "from", r.Days[0].Date)
		part.Chart = v.chartOf(r.Days, v.t("groups.whatif_title", "n", len(r.Days)))
	case job.Canceled:
		part.Wrong = v.t("groups.whatif_stopped")
	default:
		part.Wrong = found.Detail
	}
}
