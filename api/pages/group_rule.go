package pages

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/group"
	"customercenter/projections"
)

// groupFormView is the view of the form of a group, with who would be in it.
type groupFormView struct {
	Title      string
	Action     string // where the form is sent
	Back       string
	Crumbs     []crumb
	New        bool
	Etag       string
	Name       field
	Visible    bool
	Conditions conditionsView
	Wrong      *banner
	Preview    groupPreview
	WhatIf     groupWhatIf
}

// groupPreview is who would be in a group.
type groupPreview struct {
	Known      bool
	Unfinished bool   // some conditions lack their value, and are left out
	Rule       string // in words
	Count      string
	Enter      string
	Leave      string
	Moves      bool // the group is there, so that customers enter and leave it
	People     []movingPerson
	Text       string // why nothing is known
}

// movingPerson is a customer in a preview, and what would become of them.
type movingPerson struct {
	Who  who
	Move string // enter, leave or stay
}

// crumb is a step of the way to a page.
type crumb struct{ Path, Text string }

var ruleUse = conditionsUse{At: "rule"}

// groupForm is the form of a group as it was sent, or is to be shown.
type groupForm struct {
	group   *api.Group // nil: a new one
	etag    string
	name    string
	visible bool
	rule    *conditions
	preview bool   // it is sent only to see who would be in the group
	whatIf  bool   // it is sent only to see what the rule would have done
	since   string // from how many days ago
	taken   string
	wrong   *banner
}

func (p *Pages) newGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	form := groupForm{}
	var err error
	if form.rule, err = v.conditions(ruleUse, nil); err != nil {
		v.fail(err)
		return
	}
	form.rule.suggest("tags", "last_session_at")
	v.showGroupForm(http.StatusOK, &form)
}

func (p *Pages) editGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	g, etag, err := v.group(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	form := groupForm{group: &g, etag: etag, name: g.Name, visible: g.AgentVisible}
	if form.rule, err = v.conditions(ruleUse, g.Rule); err != nil {
		v.fail(err)
		return
	}
	v.showGroupForm(http.StatusOK, &form)
}

// looks reports whether nothing is to be saved.
func (f *groupForm) looks() bool { return f.preview || f.whatIf || f.rule.Edited }

// postedGroup reads the form of a group.
func (v *visit) postedGroup() (*groupForm, error) {
	rule, err := v.postedConditions(ruleUse)
	if err != nil {
		return nil, err
	}
	return &groupForm{etag: v.r.PostFormValue("etag"), name: v.r.PostFormValue("name"), visible: v.r.PostFormValue("visible") != "", rule: rule,
		preview: v.r.PostFormValue("do") == "preview", whatIf: v.r.PostFormValue("do") == "whatif", since: v.r.PostFormValue("since")}, nil
}

func (p *Pages) defineGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	form, err := v.postedGroup()
	if err != nil {
		v.fail(err)
		return
	}
	if form.looks() {
		v.showGroupForm(http.StatusOK, form)
		return
	}
	var g api.Group
	if err := v.send(http.MethodPost, "/v1/groups", api.GroupInput{Name: form.name, Rule: form.rule.JSON(), AgentVisible: form.visible}, &g); err != nil {
		v.refusedGroup(form, err)
		return
	}
	v.done("/groups/"+g.ID.String(), notice{Tone: "good", Text: v.t("groups.defined", "name", g.Name)})
}

func (p *Pages) changeGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	form, err := v.postedGroup()
	if err != nil {
		v.fail(err)
		return
	}
	before, etag, err := v.group(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	form.group = &before
	if form.looks() {
		v.showGroupForm(http.StatusOK, form)
		return
	}
	path := "/groups/" + before.ID.String()
	var g api.Group
	change := api.GroupChange{Name: &form.name, Rule: form.rule.JSON(), AgentVisible: &form.visible}
	if raw := r.PostFormValue("rule"); json.Valid([]byte(raw)) { // what an undo brings back
		change.Rule = json.RawMessage(raw)
		if form.rule, err = v.conditions(ruleUse, change.Rule); err != nil {
			v.fail(err)
			return
		}
	}
	answer, err := v.ask(call{method: http.MethodPatch, path: "/v1" + path, body: change, ifMatch: form.etag}, &g)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusPreconditionFailed {
		form.etag = etag
		form.wrong = &banner{Tone: "warn", Text: v.t("groups.lost", "name", before.Name), More: v.t("groups.lost_text", "rule", before.Description)}
		v.showGroupForm(problem.Status, form)
		return
	}
	if err != nil {
		v.refusedGroup(form, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("groups.changed", "name", g.Name)}
	if g.Revision > before.Revision {
		n.Text = v.t("groups.revised", "name", g.Name)
	}
	if g.Version > before.Version {
		n.Undo = &undo{Action: path + "/edit", Fields: hidden{"name": before.Name, "rule": string(before.Rule), "c.match": "all", "etag": answer.Get("ETag")}}
		if before.AgentVisible {
			n.Undo.Fields["visible"] = "true"
		}
	}
	v.done(path, n)
}

// refusedGroup shows the form again, with what the API refuses of it where it belongs.
func (v *visit) refusedGroup(form *groupForm, err error) {
	problem, refused := refusal(err)
	if !refused || problem.Status >= http.StatusInternalServerError || problem.Status == http.StatusForbidden || problem.Status == http.StatusNotFound {
		v.fail(err)
		return
	}
	form.taken = wrong(err, "name", false)
	about := form.rule.refused(err)
	if form.taken == "" && !about {
		form.wrong = &banner{Tone: "bad", Text: problem.Title, More: problem.Detail}
	}
	v.showGroupForm(http.StatusUnprocessableEntity, form)
}

func (v *visit) showGroupForm(status int, form *groupForm) {
	view := groupFormView{
		Title: v.t("groups.new"), Action: "/groups/new", Back: "/groups", New: true, Etag: form.etag, Visible: form.visible, Wrong: form.wrong,
		Crumbs: []crumb{{"/groups", v.t("groups.title")}},
		Name: field{Name: "name", Label: v.t("groups.name"), Value: form.name, Wrong: form.taken, Max: group.MaxName, Required: true, Autocomplete: "off",
			Placeholder: v.t("groups.name_hint"), Focus: form.taken != "" || form.group == nil && status == http.StatusOK && !form.rule.Edited && !form.preview && !form.whatIf},
	}
	if g := form.group; g != nil {
		path := "/groups/" + g.ID.String()
		view.Title, view.Action, view.Back, view.New = v.t("groups.edit_title", "name", g.Name), path+"/edit", path, false
		view.Crumbs = append(view.Crumbs, crumb{path, g.Name})
	}
	var err error
	if view.Preview, err = v.previewGroup(form); err != nil {
		v.fail(err)
		return
	}
	if view.WhatIf, err = v.whatIfForm(form); err != nil {
		v.fail(err)
		return
	}
	view.Conditions = form.rule.view(v)
	v.show(status, "group_form", view.Title, view)
}

// Of those who would move or stay, so many are shown.
const (
	shownMovers  = 4
	shownStayers = 4
)

// previewGroup tells who would be in a group by the rule in the form, if that is whole.
func (v *visit) previewGroup(form *groupForm) (groupPreview, error) {
	var in api.PreviewInput
	var whole bool
	in.Rule, whole = form.rule.finished()
	if form.group != nil {
		in.GroupID = &form.group.ID
	}
	var found api.Preview
	err := v.find("/v1/groups/preview", in, &found)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusUnprocessableEntity {
		if string(in.Rule) == "{}" {
			return groupPreview{Text: v.t("groups.preview_none")}, nil
		}
		return groupPreview{Text: v.t("groups.preview_unfinished")}, nil
	}
	if err != nil {
		return groupPreview{}, err
	}
	p := groupPreview{Known: true, Unfinished: !whole, Rule: found.Description, Count: counted(found.Count), Enter: "+" + counted(found.Enter), Leave: "−" + counted(found.Leave), Moves: form.group != nil}
	if found.Enter.Value == 0 {
		p.Enter = "0"
	}
	if found.Leave.Value == 0 {
		p.Leave = "0"
	}
	if form.group == nil {
		p.People = v.moving(nil, found.Sample, shownMovers+shownStayers, "enter")
		return p, nil
	}
	p.People = v.moving(p.People, found.Entering, shownMovers, "enter")
	p.People = v.moving(p.People, found.Leaving, shownMovers, "leave")
	stays := slices.DeleteFunc(found.Sample, func(c projections.Customer) bool { return !isIn(&c, *in.GroupID) })
	p.People = v.moving(p.People, stays, shownStayers, "stay")
	return p, nil
}

func isIn(c *projections.Customer, group uuid.UUID) bool {
	return slices.ContainsFunc(c.Groups, func(in projections.Named) bool { return in.ID == group })
}

// moving adds some customers to a sample, with what would become of them.
func (v *visit) moving(people []movingPerson, customers []projections.Customer, most int, move string) []movingPerson {
	for _, c := range customers[:min(most, len(customers))] {
		one := v.person(&c)
		one.Path = "" // whoever goes there loses the form
		people = append(people, movingPerson{Who: one, Move: move})
	}
	return people
}
