package pages

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
)

var bulkPage = page{words: bulkWords, routes: (*Pages).bulkPages}

func (p *Pages) bulkPages(r chi.Router) {
	r.Get("/bulk/{id}", p.showBulk)
	r.Get("/bulk/{id}/events", p.jobEvents)
	r.Get("/bulk/{id}/undo", p.askUndoBulk)
	r.Post("/bulk/{id}/undo", p.undoBulk)
	r.Post("/bulk/{id}/cancel", p.cancelBulk)
}

// bulkView is the view of the page of a bulk action.
type bulkView struct {
	Title    string
	Status   status
	Facts    []fact
	Progress *jobProgress // nil: nothing more happens by itself
	Failed   *banner
	Cancel   string
	Undo     string
	Refused  *bulkOutcomes
	Kept     *bulkOutcomes
	Back     string
	BackTo   string // hidden field of the forms
}

// bulkOutcomes are customers to whom something did not happen, and why.
type bulkOutcomes struct {
	Title string
	Rows  []bulkOutcome
	Next  string
}

type bulkOutcome struct {
	Who    who
	Detail string
}

// backOf is the query that leads back to a list.
func backOf(q *customerQuery) string { return url.Values{"back": {q.path("")}}.Encode() }

func (v *visit) bulkJob() (job api.Bulk, path string, err error) {
	path = "/v1/customers/bulk/" + url.PathEscape(chi.URLParam(v.r, "id"))
	err = v.get(path, &job)
	return job, path, err
}

func (p *Pages) showBulk(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	job, path, err := v.bulkJob()
	if err != nil {
		v.fail(err)
		return
	}
	view, err := v.bulkView(&job)
	if err == nil && job.Refused > 0 {
		view.Refused, err = v.bulkOutcomes(path+"/refused", "refused", v.t("bulk.refused_title", "n", job.Refused))
	}
	if err == nil && job.Kept > 0 {
		view.Kept, err = v.bulkOutcomes(path+"/kept", "kept", v.t("bulk.kept_title", "n", job.Kept))
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.show(http.StatusOK, "bulk", view.Title, view)
}

func (v *visit) bulkView(job *api.Bulk) (*bulkView, error) {
	here := "/bulk/" + job.ID.String()
	view := &bulkView{Title: v.t("bulk.title." + job.Action), Back: v.back(customersPath), BackTo: v.r.FormValue("back"),
		Status: status{Text: v.t("bulk.status." + job.Status)}}
	if job.Undoing {
		view.Title = v.t("bulk.undoing")
	}
	switch job.Status {
	case "queued", "running":
		v.follows()
		view.Status.Tone = "live"
		view.Progress = jobProgressOf(&job.Job, here, "bulk-job", view.Title, v.t("bulk.unit"))
		if !job.Undoing {
			view.Cancel = here + "/cancel"
		}
	case "completed":
		view.Status.Tone = "good"
	case "failed":
		view.Status.Tone, view.Failed = "bad", &banner{Tone: "bad", Text: job.Detail, More: v.t("bulk.failed_text")}
	}
	if view.Progress == nil && job.Status != "reverted" && job.Changed > 0 {
		view.Undo = here + "/undo?" + url.Values{"back": {view.Back}}.Encode()
	}
	add := func(key, value string) {
		view.Facts = append(view.Facts, fact{Name: v.t("bulk.fact." + key), Value: value})
	}
	switch {
	case job.Description != "":
		add("who", job.Description)
	default:
		add("who", v.t("bulk.chosen"))
	}
	if job.TagID != nil {
		tag, err := v.tagName(job.TagID.String())
		if err != nil {
			return nil, err
		}
		add("tag", tag)
	}
	if job.Reason != "" {
		add("reason", job.Reason)
	}
	if at := v.moment(job.ExpiresAt); at != nil {
		add("expires", at.Exact)
	}
	count := func(key string, n int) {
		view.Facts = append(view.Facts, fact{Name: v.t("bulk.fact." + key), Value: grouped(int64(n)), Live: key})
	}
	count("selected", job.Selected)
	count("changed", job.Changed)
	count("refused", job.Refused)
	if job.Undoing || job.Undone > 0 || job.Kept > 0 {
		count("undone", job.Undone)
		count("kept", job.Kept)
	}
	add("actor", v.actor(job.CreatedBy))
	add("asked", v.moment(&job.CreatedAt).Exact)
	if at := v.moment(job.FinishedAt); at != nil {
		add("finished", at.Exact)
	}
	return view, nil
}

// tagName is what a tag is called; of one that is gone, that it is.
func (v *visit) tagName(id string) (string, error) {
	t, _, err := v.tag(id)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusNotFound {
		return v.t("conditions.gone", "id", short(id)), nil
	}
	return t.Name, err
}

// bulkOutcomes are a page of those of whom it was refused, or not undone.
func (v *visit) bulkOutcomes(path, name, title string) (*bulkOutcomes, error) {
	var list api.List[api.BulkRefusal]
	cursor := v.r.URL.Query().Get(name)
	if err := v.get(path+"?"+url.Values{"limit": {"20"}, "cursor": {cursor}}.Encode(), &list); err != nil {
		return nil, err
	}
	out := &bulkOutcomes{Title: title}
	for _, refused := range list.Items {
		id := refused.CustomerID.String()
		row := bulkOutcome{Who: who{Avatar: avatarOf(id), Nameless: short(id), Path: customersPath + "/" + id}, Detail: refused.Detail}
		customer, err := v.customer(id)
		if err == nil {
			row.Who.Name, row.Who.Avatar = v.nameOf(customer), avatarOf(v.nameOf(customer))
		} else if _, gone := refusal(err); !gone {
			return nil, err
		}
		out.Rows = append(out.Rows, row)
	}
	if list.Next != "" {
		query := v.r.URL.Query()
		query.Set(name, list.Next)
		out.Next = v.r.URL.Path + "?" + query.Encode()
	}
	return out, nil
}

func (p *Pages) askUndoBulk(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	job, _, err := v.bulkJob()
	if err != nil {
		v.fail(err)
		return
	}
	here := "/bulk/" + job.ID.String()
	back := v.back(customersPath)
	c := confirm{Title: v.t("bulk.undo_ask"), Text: v.t("bulk.undo_text", "n", job.Changed), Action: here + "/undo", Fields: hidden{"back": back}, Button: v.t("bulk.undo"),
		Back: here + "?" + url.Values{"back": {back}}.Encode()}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) undoBulk(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).changeBulk("undo")
}

func (p *Pages) cancelBulk(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).changeBulk("cancel")
}

// changeBulk has the API do something to the job, and leads back to its page.
func (v *visit) changeBulk(what string) {
	id := url.PathEscape(chi.URLParam(v.r, "id"))
	here := "/bulk/" + id
	if back := v.r.PostFormValue("back"); back != "" {
		here += "?" + url.Values{"back": {local(back)}}.Encode()
	}
	if err := v.send(http.MethodPost, "/v1/customers/bulk/"+id+"/"+what, nil, nil); err != nil {
		v.refused(here, err)
		return
	}
	v.done(here, notice{Tone: "good", Text: v.t("bulk.done." + what)})
}
