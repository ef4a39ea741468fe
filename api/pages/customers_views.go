package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain/view"
)

// viewRow is a saved view in the list of all.
type viewRow struct {
	Path, Name, Description string
	Owner                   string
	Shared                  bool
}

// listViews shows all saved views, of which few have a tab.
func (p *Pages) listViews(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var list api.List[api.View]
	if err := v.get("/v1/views", &list); err != nil {
		v.fail(err)
		return
	}
	view := struct {
		Crumbs []crumb
		Rows   []viewRow
	}{Crumbs: []crumb{{withMoment(customersPath, r.URL.Query().Get("as_of")), v.t("customers.title")}}}
	for _, s := range openable(list.Items) {
		view.Rows = append(view.Rows, viewRow{Path: withMoment(customersPath+"?saved="+s.ID.String(), r.URL.Query().Get("as_of")), Name: s.Name, Description: s.Description, Owner: s.Owner.ID, Shared: s.Shared})
	}
	v.show(http.StatusOK, "customers_views", v.t("customers.saved_views"), view)
}

// viewForm is the view of the dialog that saves a view or changes one.
type viewForm struct {
	Title, Text    string
	Action         string
	Query          []hiddenField
	Name           field
	MayShare       bool
	Shared         bool
	MayReplace     bool // what the list shows is another than what was saved
	Columns        bool // the columns that are shown are to be part of it
	Button, Delete string
	Back, ETag     string
	Wrong          *banner
}

func (p *Pages) askSaveView(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.customerQuery(r.URL.Query())
	if err != nil {
		v.fail(err)
		return
	}
	v.showSaveView(http.StatusOK, q, "", nil)
}

func (v *visit) showSaveView(status int, q *customerQuery, name string, err error) {
	t, failed := v.terms(needsOf(q.filter))
	if failed != nil {
		v.fail(failed)
		return
	}
	form := viewForm{Title: v.t("customers.save_view"), Text: t.told(v.language, q.filter), Action: customersPath + "/views", Query: q.hidden(),
		Name: v.viewName(name, err), MayShare: v.in.Role == access.Admin, Columns: true, Button: v.t("customers.save"), Back: q.path("")}
	form.Wrong = otherWrong(err, "name")
	v.showDialog(status, "customers_view", form.Title, form)
}

func (v *visit) viewName(name string, err error) field {
	return field{Name: "name", Label: v.t("customers.view_name"), Value: name, Wrong: wrong(err, "name", false), Max: view.MaxName, Required: true, Focus: true, Autocomplete: "off"}
}

// otherWrong is what the API refuses besides a field.
func otherWrong(err error, field string) *banner {
	problem, refused := refusal(err)
	if !refused || wrong(err, field, false) != "" {
		return nil
	}
	text := problem.Detail
	if len(problem.Errors) > 0 {
		text = problem.Errors[0].Detail
	}
	return &banner{Tone: "bad", Text: text}
}

// postedQuery reads the list that a form was sent from.
func (v *visit) postedQuery() (*customerQuery, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, errBroken
	}
	return v.customerQuery(v.r.PostForm)
}

func (p *Pages) saveView(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.postedQuery()
	if err != nil {
		v.fail(err)
		return
	}
	sort, shared := q.order(), r.PostForm.Get("shared") != ""
	in := api.ViewInput{Name: r.PostForm.Get("name"), Filter: q.filter, Sort: &sort, Shared: &shared}
	in.Columns = v.postedColumns(q)
	var made api.View
	err = v.send(http.MethodPost, "/v1/views", in, &made)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showSaveView(problem.Status, q, in.Name, err)
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.done(customersPath+"?saved="+made.ID.String(), notice{Tone: "good", Text: v.t("customers.view_saved", "name", made.Name)})
}

func (v *visit) columnNames(q *customerQuery) []string {
	names := []string{}
	for _, c := range v.columns(q) {
		names = append(names, c.name)
	}
	return names
}

// postedColumns are the columns that a view is to have: those that are shown, or, of an undo, those that it had; nil: as they are.
func (v *visit) postedColumns(q *customerQuery) *[]string {
	names := strings.Fields(v.r.PostForm.Get("column_names"))
	switch {
	case v.r.PostForm.Get("columns") != "":
		names = v.columnNames(q)
	case !v.r.PostForm.Has("column_names"):
		return nil
	}
	return &names
}

// viewFields is a view as the forms that save and change one send it: what an undo brings back.
func viewFields(s *api.View) hidden {
	fields := hidden{"name": s.Name, "filter": string(orElse(s.Filter, everybody)), "sort": s.Sort, "column_names": strings.Join(s.Columns, " ")}
	if s.Shared {
		fields["shared"] = "1"
	}
	return fields
}

// savedView asks the API for the view that an address names, and for its ETag.
func (v *visit) savedView() (saved api.View, etag string, err error) {
	header, err := v.ask(call{method: http.MethodGet, path: viewPath(v.r)}, &saved)
	return saved, header.Get("ETag"), err
}

func viewPath(r *http.Request) string { return "/v1/views/" + url.PathEscape(chi.URLParam(r, "view")) }

func (p *Pages) askChangeView(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.customerQuery(r.URL.Query())
	if err != nil {
		v.fail(err)
		return
	}
	saved, etag, err := v.savedView()
	if err != nil {
		v.fail(err)
		return
	}
	v.showChangeView(http.StatusOK, q, &saved, etag, saved.Name, nil)
}

func (v *visit) showChangeView(status int, q *customerQuery, saved *api.View, etag, name string, err error) {
	path := customersPath + "/views/" + saved.ID.String()
	form := viewForm{Title: v.t("customers.change_view", "name", saved.Name), Text: saved.Description, Action: path, Query: q.hidden(), Name: v.viewName(name, err),
		MayShare: v.in.Role == access.Admin, Shared: saved.Shared, MayReplace: q.changed() || q.sort != "" && q.sort != saved.Sort, Button: v.t("customers.save"),
		Delete: path + "/delete", Back: q.path(""), ETag: etag, Wrong: otherWrong(err, "name")}
	v.showDialog(status, "customers_view", form.Title, form)
}

func (p *Pages) changeView(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.postedQuery()
	if err != nil {
		v.fail(err)
		return
	}
	saved, etag, err := v.savedView()
	if err != nil {
		v.fail(err)
		return
	}
	name := r.PostForm.Get("name")
	in := api.ViewChange{Name: &name}
	if v.in.Role == access.Admin {
		shared := r.PostForm.Get("shared") != ""
		in.Shared = &shared
	}
	if r.PostForm.Get("replace") != "" {
		sort := q.order()
		in.Filter, in.Sort = q.filter, &sort
	}
	in.Columns = v.postedColumns(q)
	answer, err := v.ask(call{method: http.MethodPatch, path: viewPath(r), body: in, ifMatch: r.PostForm.Get("etag")}, nil)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showChangeView(problem.Status, q, &saved, etag, name, err)
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	fields := viewFields(&saved)
	fields["saved"], fields["replace"], fields["etag"] = saved.ID.String(), "1", answer.Get("ETag")
	v.done(customersPath+"?saved="+saved.ID.String(), notice{Tone: "good", Text: v.t("customers.view_changed", "name", name),
		Undo: &undo{Action: customersPath + "/views/" + saved.ID.String(), Fields: fields}})
}

func (p *Pages) askDeleteView(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	saved, _, err := v.savedView()
	if err != nil {
		v.fail(err)
		return
	}
	c := confirm{Title: v.t("customers.delete_view", "name", saved.Name), Text: v.t("customers.delete_view_text"), Action: customersPath + "/views/" + saved.ID.String() + "/delete",
		Button: v.t("customers.delete_view_button"), Danger: true, Back: customersPath + "?saved=" + saved.ID.String()}
	if saved.Shared {
		c.Text = v.t("customers.delete_view_shared")
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) deleteView(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	saved, _, err := v.savedView()
	if err != nil {
		v.fail(err)
		return
	}
	if err := v.send(http.MethodDelete, viewPath(r), nil, nil); err != nil {
		v.refused(customersPath+"?saved="+saved.ID.String(), err)
		return
	}
	n := notice{Tone: "good", Text: v.t("customers.view_deleted", "name", saved.Name)}
	if saved.Mine && saved.Filter != nil { // whoever saves it again owns it
		n.Undo = &undo{Action: customersPath + "/views", Fields: viewFields(&saved)}
	}
	v.done(customersPath+"?view=all", n)
}
