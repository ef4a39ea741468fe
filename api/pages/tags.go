package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
)

var tagsPage = page{
	place:  &place{Section: "settings", Order: 20, Name: "tags", Icon: "tag", Path: "/tags", Operation: "list-tags"},
	words:  tagWords,
	routes: (*Pages).tagPages,
}

func (p *Pages) tagPages(r chi.Router) {
	r.Get("/tags", func(_ http.ResponseWriter, r *http.Request) { visitOf(r).showTags(http.StatusOK, nil) })
	r.Post("/tags", p.createTag)
	r.Get("/tags/{id}/rename", p.askRenameTag)
	r.Post("/tags/{id}/rename", p.renameTag)
	r.Get("/tags/{id}/delete", p.askDeleteTag)
	r.Post("/tags/{id}/delete", p.deleteTag)
	r.Get("/tags/{id}/history", p.tagHistory)
}

// tagsView is the view of the catalogue of tags.
type tagsView struct {
	Summary string
	New     *field // nil: the visitor may not change tags
	Rows    []tagRow
	Empty   *empty
}

type tagRow struct {
	Tag            tag
	Customers      string
	Rename, Delete string
	History        string
}

const mostInTag = 50

// showTags shows the catalogue, with what is wrong with the tag that was to be added.
func (v *visit) showTags(status int, wrongTag *field) {
	var tags api.List[api.Tag]
	if err := v.get("/v1/tags", &tags); err != nil {
		v.fail(err)
		return
	}
	view := tagsView{Summary: v.t("tags.summary", "n", len(tags.Items))}
	if access.May(v.in.Role, "create-tag") {
		view.New = &field{Name: "name", Label: v.t("tags.new"), Placeholder: v.t("tags.new_hint"), Max: mostInTag, Required: true, Autocomplete: "off"}
		if wrongTag != nil {
			view.New.Value, view.New.Wrong, view.New.Focus = wrongTag.Value, wrongTag.Wrong, true
		}
	}
	for _, t := range tags.Items {
		path := "/tags/" + t.ID.String()
		view.Rows = append(view.Rows, tagRow{Tag: tag{t.Name, hueOf(t.ID.String())}, Customers: grouped(t.Customers), Rename: path + "/rename", Delete: path + "/delete", History: path + "/history"})
	}
	if len(view.Rows) == 0 {
		view.Empty = &empty{Icon: "tag", Title: v.t("tags.none"), Text: v.t("tags.none_text")}
	}
	v.show(status, "tags", v.t("tags.title"), view)
}

func (p *Pages) createTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	name := r.PostFormValue("name")
	var made api.Tag
	err := v.send(http.MethodPost, "/v1/tags", api.TagInput{Name: name}, &made)
	if text := wrong(err, "name", true); text != "" {
		v.showTags(http.StatusUnprocessableEntity, &field{Value: name, Wrong: text})
		return
	}
	if err != nil {
		v.refused("/tags", err)
		return
	}
	v.done("/tags", notice{Tone: "good", Text: v.t("tags.created", "name", made.Name)})
}

// tag asks the API for a tag, and for its ETag.
func (v *visit) tag(id string) (t api.Tag, etag string, err error) {
	header, err := v.ask(call{method: http.MethodGet, path: "/v1/tags/" + url.PathEscape(id)}, &t)
	return t, header.Get("ETag"), err
}

func (p *Pages) askRenameTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, etag, err := v.tag(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	v.showRenameTag(http.StatusOK, &t, etag, t.Name, "")
}

// showRenameTag asks for the new name. The form knows which version of the tag its reader saw, so that nobody renames what is not there any more.
func (v *visit) showRenameTag(status int, t *api.Tag, etag, name, wrong string) {
	c := confirm{
		Title: v.t("tags.rename_title", "name", t.Name), Text: v.t("tags.rename_text", "n", t.Customers), Action: "/tags/" + t.ID.String() + "/rename",
		Fields: hidden{"etag": etag}, Button: v.t("tags.rename_button"), Back: "/tags",
		Inputs: []field{{Name: "new_name", Label: v.t("tags.name"), Value: name, Wrong: wrong, Max: mostInTag, Required: true, Focus: true, Autocomplete: "off"}},
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (p *Pages) renameTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, etag, err := v.tag(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	name := r.PostFormValue("new_name")
	var renamed api.Tag
	answer, err := v.ask(call{method: http.MethodPatch, path: "/v1/tags/" + t.ID.String(), body: api.TagInput{Name: name}, ifMatch: r.PostFormValue("etag")}, &renamed)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusPreconditionFailed {
		v.showRenameTag(problem.Status, &t, etag, name, v.t("tags.rename_lost", "name", t.Name))
		return
	}
	if text := wrong(err, "name", true); text != "" {
		v.showRenameTag(http.StatusUnprocessableEntity, &t, etag, name, text)
		return
	}
	if err != nil {
		v.refused("/tags", err)
		return
	}
	n := notice{Tone: "good", Text: v.t("tags.renamed", "old", t.Name, "new", renamed.Name)}
	if renamed.Name != t.Name {
		n.Undo = &undo{Action: "/tags/" + t.ID.String() + "/rename", Fields: hidden{"new_name": t.Name, "etag": answer.Get("ETag")}}
	}
	v.done("/tags", n)
}

func (p *Pages) askDeleteTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, _, err := v.tag(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	uses, err := v.usesOf(t.ID.String(), "group", "view", "auto_message")
	if err != nil {
		v.fail(err)
		return
	}
	v.showDeleteTag(http.StatusOK, &t, uses, nil)
}

func (v *visit) showDeleteTag(status int, t *api.Tag, uses []use, wrong *banner) {
	c := confirm{
		Title: v.t("tags.delete_title", "name", t.Name), Text: v.t("tags.delete_text", "n", t.Customers), Action: "/tags/" + t.ID.String() + "/delete",
		Uses: uses, Wrong: wrong, Button: v.t("tags.delete_button"), Danger: true, Back: "/tags",
	}
	if len(uses) > 0 {
		c.Text = v.t("tags.delete_text_used", "n", t.Customers)
	}
	v.showDialog(status, "confirm", c.Title, c)
}

// usesOf are the groups, views and auto messages that name something by its id in their rules. They stay as they are when it goes.
func (v *visit) usesOf(id string, kinds ...string) (uses []use, err error) {
	for _, list := range []struct{ kind, path, operation string }{
		{"group", "/v1/groups", "list-groups"}, {"view", "/v1/views", "list-views"}, {"auto_message", "/v1/auto-messages", "list-auto-messages"},
	} {
		if !slices.Contains(kinds, list.kind) || !access.May(v.in.Role, list.operation) {
			continue
		}
		var found api.List[json.RawMessage]
		if err := v.get(list.path, &found); err != nil {
			return nil, err
		}
		for _, item := range found.Items {
			var named struct{ ID, Name string }
			if strings.Contains(string(item), id) && json.Unmarshal(item, &named) == nil {
				uses = append(uses, use{list.kind, named.Name, usePath(list.kind, named.ID)})
			}
		}
	}
	return uses, nil
}

func (p *Pages) deleteTag(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, _, err := v.tag(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	err = v.send(http.MethodDelete, "/v1/tags/"+t.ID.String(), nil, nil)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusConflict {
		v.showDeleteTag(problem.Status, &t, usesIn(problem), &banner{Tone: "bad", Text: problem.Detail})
		return
	}
	if err != nil {
		v.refused("/tags", err)
		return
	}
	v.done("/tags", notice{Tone: "good", Text: v.t("tags.deleted", "name", t.Name)})
}

// usesIn are the uses that a refusal names.
func usesIn(p *api.Problem) (uses []use) {
	for _, u := range p.UsedBy {
		uses = append(uses, use{u.Kind, u.Name, usePath(u.Kind, u.ID.String())})
	}
	return uses
}

func (p *Pages) tagHistory(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	t, _, err := v.tag(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	v.historyPage(v.t("tags.history_title", "name", t.Name), "/v1/tags/"+t.ID.String()+"/history", "/tags", v.t("tags.title"))
}
