package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	domain "customercenter/domain/field"
	"customercenter/projections"
)

var fieldsPage = page{
	place:  &place{Section: "settings", Order: 10, Name: "fields", Icon: "card", Path: "/fields", Operation: "list-fields", Center: true},
	words:  fieldWords,
	routes: (*Pages).fieldPages,
}

// newFieldPath is no key: those have no hyphen.
const newFieldPath = "/fields/new-field"

func (p *Pages) fieldPages(r chi.Router) {
	r.Get("/fields", func(_ http.ResponseWriter, r *http.Request) { visitOf(r).showFields(http.StatusOK) })
	r.Post("/fields", p.addField)
	r.Post("/fields/order", p.reorderFields)
	r.Get(newFieldPath, p.askAddField)
	r.Get("/fields/{key}", p.showField)
	r.Post("/fields/{key}", p.changeField)
	r.Post("/fields/{key}/shown", p.setFieldShown)
	r.Get("/fields/{key}/disable", p.askDisableField)
	r.Post("/fields/{key}/enabled", p.setFieldEnabled)
	r.Get("/fields/{key}/remove", p.askRemoveField)
	r.Post("/fields/{key}/remove", p.removeField)
}

// fieldsView is the view of all fields in their order.
type fieldsView struct {
	Summary string
	May     bool   // change them
	New     string // the address of the form for another one; empty: there are as many as there may be
	ETag    string // of the order
	Rows    []fieldRow
	Profile []sampleFact
}

type fieldRow struct {
	api.Field
	Path    string
	Pinned  bool   // always shown
	Options string // how many there are; empty if the type has none
}

// sampleFact is a field of a profile as those who serve the customer see it.
type sampleFact struct {
	Key, Label, Value, Hint string
}

// pinned are the fields that cannot be hidden.
var pinned = []string{"external_id", "nickname"}

func (v *visit) mayChangeFields() bool { return access.May(v.in.Role, "change-field") }

func (v *visit) showFields(status int) {
	var fields api.List[api.Field]
	if err := v.get("/v1/fields", &fields); err != nil {
		v.fail(err)
		return
	}
	header, err := v.ask(call{method: http.MethodGet, path: "/v1/fields/order"}, nil)
	if err != nil {
		v.fail(err)
		return
	}
	view := fieldsView{May: v.mayChangeFields(), New: newFieldPath, ETag: header.Get("ETag")}
	custom := 0
	for _, f := range fields.Items {
		row := fieldRow{Field: f, Path: "/fields/" + f.Key, Pinned: slices.Contains(pinned, f.Key)}
		if n := countOptions(f.Options); n > 0 {
			row.Options = v.t("fields.options_count", "n", n)
		}
		if !f.System {
			custom++
		}
		view.Rows = append(view.Rows, row)
		if f.Shown && f.Enabled {
			view.Profile = append(view.Profile, v.sampleFact(&f))
		}
	}
	view.Summary = v.t("fields.summary", "system", len(fields.Items)-custom, "n", custom, "max", domain.MaxCustom)
	if custom >= domain.MaxCustom {
		view.New = ""
	}
	v.show(status, "fields", v.t("fields.title"), view)
}

func countOptions(options []api.FieldOption) int {
	n := len(options)
	for _, o := range options {
		n += countOptions(o.Options)
	}
	return n
}

// sampleFact is how a field could look in a profile.
func (v *visit) sampleFact(f *api.Field) sampleFact {
	sample := sampleFact{Key: f.Key, Label: f.Label, Hint: f.Hint, Value: v.speech.one("fields.sample_type", f.Type)}
	if f.System {
		sample.Value = v.speech.one("fields.sample", f.Key)
	}
	var first []string
	for options := f.Options; len(options) > 0; options = options[0].Options {
		first = append(first, options[0].Label)
	}
	if len(first) > 0 {
		sample.Value = strings.Join(first, " / ")
	}
	return sample
}

// reorderFields takes the order as the form has it, and what is to be moved in it by one place, such as "up.phone".
func (p *Pages) reorderFields(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var before api.FieldOrder
	if err := v.get("/v1/fields/order", &before); err != nil {
		v.fail(err)
		return
	}
	way, key, moved := strings.Cut(r.PostFormValue("move"), ".") // which reads the form
	order := slices.Clone(r.PostForm["order"])
	if moved {
		order = movedBy(order, key, way)
	}
	if text := r.PostFormValue("order_before"); text != "" { // of an undo
		order = strings.Split(text, ",")
	}
	var now api.FieldOrder
	answer, err := v.ask(call{method: http.MethodPut, path: "/v1/fields/order", body: api.OrderInput{Order: order}, ifMatch: r.PostFormValue("etag")}, &now)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusPreconditionFailed {
		v.done("/fields", notice{Tone: "bad", Text: v.t("fields.order_lost")})
		return
	}
	if err != nil {
		v.refused("/fields", err)
		return
	}
	if slices.Equal(before.Order, now.Order) {
		http.Redirect(v.w, v.r, "/fields", http.StatusSeeOther)
		return
	}
	v.done("/fields", notice{Tone: "good", Text: v.t("fields.reordered"),
		Undo: &undo{Action: "/fields/order", Fields: hidden{"order_before": strings.Join(before.Order, ","), "etag": answer.Get("ETag")}}})
}

// movedBy is a list in which one is moved by a place, up or down, if there is one.
func movedBy(list []string, one, way string) []string {
	at := slices.Index(list, one)
	to := at + 1
	if way == "up" {
		to = at - 1
	}
	if at < 0 || to < 0 || to >= len(list) {
		return list
	}
	list = slices.Clone(list)
	list[at], list[to] = list[to], list[at]
	return list
}

// field asks the API for a field, and for its ETag.
func (v *visit) field(key string) (f api.Field, etag string, err error) {
	header, err := v.ask(call{method: http.MethodGet, path: "/v1/fields/" + url.PathEscape(key)}, &f)
	return f, header.Get("ETag"), err
}

// changeTheField changes a field, goes back to where the form was, and tells what was done.
func (v *visit) changeTheField(key string, in api.FieldInput, n func(f *api.Field) notice) {
	var f api.Field
	back := v.back("/fields")
	if err := v.send(http.MethodPatch, "/v1/fields/"+url.PathEscape(key), in, &f); err != nil {
		v.refused(back, err)
		return
	}
	v.done(back, n(&f))
}

func (p *Pages) setFieldShown(_ http.ResponseWriter, r *http.Request) {
	v, shown := visitOf(r), r.PostFormValue("shown") == "true"
	v.changeTheField(chi.URLParam(r, "key"), api.FieldInput{Shown: &shown}, func(f *api.Field) notice {
		text := v.t("fields.now_hidden", "name", f.Label)
		if shown {
			text = v.t("fields.now_shown", "name", f.Label)
		}
		return notice{Tone: "good", Text: text, Undo: &undo{Action: "/fields/" + f.Key + "/shown", Fields: hidden{"shown": strconv.FormatBool(!shown), "back": v.back("/fields")}}}
	})
}

// withValue is how many customers have something in a custom field, or of one of its options.
func (v *visit) withValue(key string) (projections.Count, error) {
	filter, err := json.Marshal(map[string]string{"field": domain.Prefix + key, "op": "is_set"})
	if err != nil {
		return projections.Count{}, err
	}
	var page projections.Page
	err = v.get("/v1/customers?"+url.Values{"filter": {string(filter)}, "limit": {"1"}}.Encode(), &page)
	return page.Count, err
}

func (p *Pages) askDisableField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.askAboutField(http.StatusOK, chi.URLParam(r, "key"), "disable", nil)
}

// askAboutField asks before a field is disabled or removed: what is to be done to which field, and how many customers have something in it.
func (v *visit) askAboutField(status int, key, what string, problem *api.Problem) {
	f, _, err := v.field(key)
	if err != nil {
		v.fail(err)
		return
	}
	filled := projections.Count{Exact: true}
	if f.Enabled { // of one that is not, filters cannot speak
		if filled, err = v.withValue(key); err != nil {
			v.fail(err)
			return
		}
	}
	path := "/fields/" + f.Key
	c := confirm{Back: path, Fields: hidden{"back": path}}
	switch {
	case what == "disable":
		c.Title, c.Text, c.Button = v.t("fields.disable_title", "name", f.Label), v.t("fields.disable_text", "n", filled), v.t("fields.disable_button")
		c.Action, c.Fields["enabled"] = path+"/enabled", "false"
	case f.Enabled:
		c.Title, c.Text = v.t("fields.remove_title", "name", f.Label), v.t("fields.remove_text", "n", filled)
	default:
		c.Title, c.Text = v.t("fields.remove_title", "name", f.Label), v.t("fields.remove_text_disabled")
	}
	if f.Enabled && filled == (projections.Count{Exact: true}) {
		c.Text = v.t("fields.remove_text_empty")
		if what == "disable" {
			c.Text = v.t("fields.disable_text_empty")
		}
	}
	if what == "remove" {
		c.Action, c.Button, c.Danger = path+"/remove", v.t("fields.remove_button"), true
	}
	if problem != nil {
		c.Wrong, c.Uses = &banner{Tone: "bad", Text: v.t("fields.in_use", "name", f.Label), More: v.t("fields.in_use_text")}, usesIn(problem)
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (p *Pages) setFieldEnabled(_ http.ResponseWriter, r *http.Request) {
	v, key, enabled := visitOf(r), chi.URLParam(r, "key"), r.PostFormValue("enabled") == "true"
	var f api.Field
	err := v.send(http.MethodPatch, "/v1/fields/"+url.PathEscape(key), api.FieldInput{Enabled: &enabled}, &f)
	if problem, refused := refusal(err); refused && len(problem.UsedBy) > 0 {
		v.askAboutField(problem.Status, key, "disable", problem)
		return
	}
	if err != nil {
		v.refused(v.back("/fields"), err)
		return
	}
	n := notice{Tone: "good", Text: v.t("fields.now_enabled", "name", f.Label)}
	if !enabled {
		n.Text = v.t("fields.now_disabled", "name", f.Label)
		n.Undo = &undo{Action: "/fields/" + key + "/enabled", Fields: hidden{"enabled": "true", "back": v.back("/fields")}}
	}
	v.done(v.back("/fields"), n)
}

func (p *Pages) askRemoveField(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).askAboutField(http.StatusOK, chi.URLParam(r, "key"), "remove", nil)
}

func (p *Pages) removeField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	f, _, err := v.field(chi.URLParam(r, "key"))
	if err != nil {
		v.fail(err)
		return
	}
	err = v.send(http.MethodDelete, "/v1/fields/"+f.Key, nil, nil)
	if problem, refused := refusal(err); refused && len(problem.UsedBy) > 0 {
		v.askAboutField(problem.Status, f.Key, "remove", problem)
		return
	}
	if err != nil {
		v.refused("/fields", err)
		return
	}
	v.done("/fields", notice{Tone: "good", Text: v.t("fields.removed", "name", f.Label)})
}
