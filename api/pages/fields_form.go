package pages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	domain "customercenter/domain/field"
)

// fieldView is the view of one field.
type fieldView struct {
	api.Field
	Place   historyView // the way back
	Facts   []fact
	Why     string     // why there is no form
	Form    *fieldForm // nil: there is nothing that the visitor may change
	May     bool       // show, hide, disable, remove
	Pinned  bool
	Path    string
	History *historyView // nil: the visitor may not see it
}

// fieldForm is the form of a custom field.
type fieldForm struct {
	Action      string
	ETag        string
	Wrong       *banner
	Uses        []use
	Label, Hint field
	Type        []option // of a new field; nil: it has one, which never changes
	Options     []optionRow
	Levels      bool   // options may lie below others
	More        *field // further options, one a line; nil: the type has none
	Shown       bool   // a new field is to be shown at once
}

// fieldDraft is a field as somebody wants to have it.
type fieldDraft struct {
	etag, label, hint string
	options           []optionDraft // in order
	more              string        // further options, one a line
}

type optionDraft struct {
	id, label string
	gone      bool
}

func draftOf(f *api.Field, etag string) fieldDraft {
	d := fieldDraft{etag: etag, label: f.Label, hint: f.Hint}
	var add func(options []api.FieldOption)
	add = func(options []api.FieldOption) {
		for _, o := range options {
			d.options = append(d.options, optionDraft{id: o.ID, label: o.Label})
			add(o.Options)
		}
	}
	add(f.Options)
	return d
}

// draftIn is the draft that a form holds.
func draftIn(r *http.Request) fieldDraft {
	d := fieldDraft{label: r.PostFormValue("label"), etag: r.PostFormValue("etag"), hint: r.PostFormValue("hint"), more: r.PostFormValue("more")}
	labels := r.PostForm["option_label"]
	for i, id := range r.PostForm["option_id"] {
		if i < len(labels) {
			d.options = append(d.options, optionDraft{id: id, label: labels[i], gone: slices.Contains(r.PostForm["gone"], id)})
		}
	}
	return d
}

func chooses(kind string) bool {
	return kind == domain.TypeSelect || kind == domain.TypeMultiSelect || kind == domain.TypeCascade
}

// formOf is the form of a field with a draft in it.
func (v *visit) formOf(f *api.Field, d *fieldDraft) *fieldForm {
	form := &fieldForm{
		Action: "/fields/" + f.Key, ETag: d.etag, Levels: f.Type == domain.TypeCascade,
		Label: field{Name: "label", Label: v.t("fields.label"), Value: d.label, Max: domain.MaxLabel, Required: true, Autocomplete: "off"},
		Hint:  field{Name: "hint", Label: v.t("fields.hint"), Hint: v.t("fields.hint_help"), Value: d.hint, Max: domain.MaxHint, Autocomplete: "off"},
	}
	if chooses(f.Type) {
		form.Options = d.rows(f)
		form.More = v.moreOptions(d.more, f.Type == domain.TypeCascade)
	}
	return form
}

// moreOptions takes further options, one a line.
func (v *visit) moreOptions(value string, levels bool) *field {
	more := &field{Name: "more", Label: v.t("fields.more"), Hint: v.t("fields.more_help"), Value: value, Lines: 4}
	if levels {
		more.Hint = v.t("fields.more_help_levels")
	}
	return more
}

// mark puts what the API says of a draft where it belongs, the rest above the form.
func (form *fieldForm) mark(p *api.Problem, where map[string]string) {
	form.Uses = usesIn(p)
	marked := false
	for _, e := range p.Errors {
		option, isOption := strings.CutSuffix(strings.TrimPrefix(e.Location, "body."), ".label")
		switch {
		case e.Location == "label" || e.Location == "body.label":
			form.Label.Wrong, form.Label.Focus, marked = e.Detail, true, true
		case e.Location == "hint" || e.Location == "body.hint":
			form.Hint.Wrong, form.Hint.Focus, marked = e.Detail, true, true
		case isOption && where[option] != "" && where[option] != "more":
			for i := range form.Options {
				if form.Options[i].ID == where[option] {
					form.Options[i].Wrong, marked = e.Detail, true
				}
			}
		case form.More != nil && strings.HasPrefix(option, "options") && len(form.Uses) == 0:
			form.More.Wrong, marked = e.Detail, true
		}
	}
	if !marked {
		form.Wrong = &banner{Tone: "bad", Text: p.Detail}
	}
}

func (p *Pages) showField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	f, etag, err := v.field(chi.URLParam(r, "key"))
	if err != nil {
		v.fail(err)
		return
	}
	d := draftOf(&f, etag)
	v.showTheField(http.StatusOK, &f, v.formOf(&f, &d))
}

// showTheField shows a field with its form, which only those get who may change it.
func (v *visit) showTheField(status int, f *api.Field, form *fieldForm) {
	view := fieldView{Field: *f, Place: historyView{Title: f.Label, Back: "/fields", BackText: v.t("fields.title")}, Path: "/fields/" + f.Key,
		May: v.mayChangeFields(), Pinned: slices.Contains(pinned, f.Key)}
	kind := v.t("fields.custom")
	if f.System {
		kind = v.t("fields.system")
	}
	view.Facts = []fact{{Name: v.t("fields.type"), Value: v.speech.one("fields.type", f.Type)}, {Name: v.t("fields.kind"), Value: kind},
		{Name: v.t("fields.key"), Value: v.apiName(f)}}
	switch {
	case !view.May:
		view.Facts = append(view.Facts, fact{Name: v.t("fields.hint"), Value: f.Hint, Unset: f.Hint == ""})
	case f.System:
		view.Why = v.t("fields.system_why")
	default:
		view.Form = form
	}
	if view.May {
		history, err := v.history("/v1/fields/" + f.Key + "/history")
		if err != nil {
			v.fail(err)
			return
		}
		view.History = history
	}
	v.show(status, "one_field", f.Label, view)
}

// apiName is what programs call a field.
func (v *visit) apiName(f *api.Field) string {
	if f.System {
		return f.Key
	}
	return domain.Prefix + f.Key
}

func (p *Pages) changeField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	f, etag, err := v.field(chi.URLParam(r, "key"))
	if err != nil {
		v.fail(err)
		return
	}
	d := draftIn(r)
	if way, id, moved := strings.Cut(r.PostFormValue("move"), "."); moved { // not saved yet
		d.move(&f, id, way)
		form := v.formOf(&f, &d)
		form.Wrong = &banner{Tone: "live", Text: v.t("fields.unsaved")}
		v.showTheField(http.StatusOK, &f, form)
		return
	}
	in := api.FieldInput{Label: &d.label, Hint: &d.hint}
	options, where := d.tree(&f)
	if chooses(f.Type) {
		in.Options = &options
	}
	var changed api.Field
	_, err = v.ask(call{method: http.MethodPatch, path: "/v1/fields/" + f.Key, body: in, ifMatch: d.etag}, &changed)
	problem, refused := refusal(err)
	switch {
	case refused && problem.Status == http.StatusPreconditionFailed:
		// What was typed stays, where it still can; who sends it again knows what there is now.
		merged := d
		merged.etag, merged.options = etag, d.over(&f)
		form := v.formOf(&f, &merged)
		form.Wrong = &banner{Tone: "warn", Text: v.t("fields.lost"), More: v.t("fields.lost_text", "name", f.Label)}
		v.showTheField(problem.Status, &f, form)
	case refused && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusForbidden:
		form := v.formOf(&f, &d)
		form.mark(problem, where)
		v.showTheField(problem.Status, &f, form)
	case err != nil:
		v.fail(err)
	default:
		v.done("/fields/"+f.Key, notice{Tone: "good", Text: v.t("fields.changed", "name", changed.Label)})
	}
}

// over is the draft's options over those that the field has by now: ones that came meanwhile are added.
func (d *fieldDraft) over(f *api.Field) []optionDraft {
	merged := slices.Clone(d.options)
	now := draftOf(f, "")
	for _, o := range now.options {
		if !slices.ContainsFunc(merged, func(m optionDraft) bool { return m.id == o.id }) {
			merged = append(merged, o)
		}
	}
	return merged
}

func (p *Pages) askAddField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.showNewField(http.StatusOK, v.newForm(domain.TypeText, &fieldDraft{}, true))
}

// newForm is the form of a field that is to be added.
func (v *visit) newForm(kind string, d *fieldDraft, shown bool) *fieldForm {
	form := v.formOf(&api.Field{Type: kind}, d)
	form.Action, form.Shown, form.Label.Focus = "/fields", shown, true
	form.Label.Placeholder, form.More = v.t("fields.label_hint"), v.moreOptions(d.more, true)
	for _, t := range domain.Types() {
		form.Type = append(form.Type, option{Value: t, Text: v.speech.one("fields.type", t), Chosen: t == kind})
	}
	return form
}

func (v *visit) showNewField(status int, form *fieldForm) {
	if !v.mayChangeFields() {
		v.fail(errNotFound)
		return
	}
	v.show(status, "new_field", v.t("fields.new"), struct {
		Place historyView
		Form  *fieldForm
	}{historyView{Title: v.t("fields.new"), Back: "/fields", BackText: v.t("fields.title")}, form})
}

func (p *Pages) addField(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	d, kind, shown := draftIn(r), r.PostFormValue("type"), r.PostFormValue("shown") == "true"
	in := api.NewFieldInput{Type: kind, Label: d.label, Hint: d.hint}
	var where map[string]string
	if chooses(kind) { // what else was typed there does not count
		in.Options, where = d.tree(&api.Field{Type: kind})
	}
	var made api.Field
	err := v.send(http.MethodPost, "/v1/fields", in, &made)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusForbidden {
		form := v.newForm(kind, &d, shown)
		form.mark(problem, where)
		v.showNewField(problem.Status, form)
		return
	}
	if err != nil {
		v.refused("/fields", err)
		return
	}
	n := notice{Tone: "good", Text: v.t("fields.added", "name", made.Label)}
	if shown {
		if err := v.send(http.MethodPatch, "/v1/fields/"+made.Key, api.FieldInput{Shown: &shown}, nil); err != nil {
			n = notice{Tone: "warn", Text: v.t("fields.added_hidden", "name", made.Label)}
		}
	}
	v.done("/fields", n)
}
