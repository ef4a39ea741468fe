package pages

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain/group"
)

var groupsPage = page{
	place:  &place{Section: "operations", Order: 10, Name: "groups", Icon: "layers", Path: "/groups", Operation: "list-groups", Center: true},
	words:  groupWords,
	routes: (*Pages).groupPages,
}

func (p *Pages) groupPages(r chi.Router) {
	r.Get("/groups", p.listGroups)
	r.Get("/groups/new", p.newGroup)
	r.Post("/groups/new", p.defineGroup)
	r.Get("/groups/whatif/{id}", p.whatIf)
	r.Post("/groups/whatif/{id}/cancel", p.cancelWhatIf)
	r.Get("/groups/{id}", p.showGroup)
	r.Get("/groups/{id}/as-of", p.askPast)
	r.Get("/groups/{id}/moves", p.showGroupMoves)
	r.Get("/groups/{id}/edit", p.editGroup)
	r.Post("/groups/{id}/edit", p.changeGroup)
	r.Post("/groups/{id}/visible", p.setGroupVisible)
	r.Get("/groups/{id}/delete", p.askDeleteGroup)
	r.Post("/groups/{id}/delete", p.deleteGroup)
}

// groupsView is the view of the list of groups.
type groupsView struct {
	Summary string
	May     bool // define groups
	Full    bool // there are as many as there may be
	Rows    []groupRow
	Watch   *watch // while a rule is looking at everybody
	Empty   *empty
}

type groupRow struct {
	Path, Name, Rule string
	Members          string
	Visible          status
	Filling          *progress
}

func (p *Pages) listGroups(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var groups api.List[api.Group]
	if err := v.get("/v1/groups", &groups); err != nil {
		v.fail(err)
		return
	}
	view := groupsView{May: access.May(v.in.Role, "define-group"), Full: len(groups.Items) >= group.MaxGroups}
	view.Summary = v.t("groups.summary", "n", len(groups.Items))
	if view.May {
		view.Summary = v.t("groups.summary_of", "n", len(groups.Items), "max", group.MaxGroups)
	}
	filling := false
	for _, g := range groups.Items {
		row := groupRow{Path: "/groups/" + g.ID.String(), Name: g.Name, Rule: g.Description, Members: grouped(g.Members), Visible: v.visibility(&g), Filling: v.filling(&g)}
		filling = filling || row.Filling != nil
		view.Rows = append(view.Rows, row)
	}
	view.Watch = v.watch(filling, "groups", 2)
	if len(view.Rows) == 0 {
		view.Empty = &empty{Icon: "layers", Title: v.t("groups.none"), Text: v.t("groups.none_text")}
		if view.May {
			view.Empty.Actions = []action{{Path: "/groups/new", Text: v.t("groups.new"), Icon: "plus", Primary: true}}
		} else if v.in.Role == access.Agent {
			view.Empty.Text = v.t("groups.none_visible")
		}
	}
	v.show(http.StatusOK, "groups", v.t("groups.title"), view)
}

// visibility says who sees a group.
func (v *visit) visibility(g *api.Group) status {
	if g.AgentVisible {
		return status{Tone: "good", Text: v.t("groups.visible")}
	}
	return status{Hollow: true, Text: v.t("groups.hidden")}
}

// filling is how far the last rule of a group has come; nil if it has looked at everybody.
func (v *visit) filling(g *api.Group) *progress {
	switch {
	case g.Filling != nil:
		return &progress{Label: v.t("groups.filling_label", "name", g.Name), Done: g.Filling.Done, Total: g.Filling.Total,
			Text: v.t("groups.filling", "done", g.Filling.Done, "total", g.Filling.Total)}
	case g.ServedRevision < g.Revision: // the read model has not met it yet
		return &progress{Label: v.t("groups.filling_label", "name", g.Name), Text: v.t("groups.filling_soon")}
	}
	return nil
}

// group asks the API for a group, and for its ETag.
func (v *visit) group(id string) (g api.Group, etag string, err error) {
	header, err := v.ask(call{method: http.MethodGet, path: v.of("/v1/groups/" + url.PathEscape(id))}, &g)
	v.isOf(header)
	return g, header.Get("ETag"), err
}

// setGroupVisible shows a group to agents, or hides it from them.
func (p *Pages) setGroupVisible(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	path := "/groups/" + url.PathEscape(chi.URLParam(r, "id"))
	visible := r.PostFormValue("visible") == "true"
	var g api.Group
	if err := v.send(http.MethodPatch, "/v1"+path, api.GroupChange{AgentVisible: &visible}, &g); err != nil {
		v.refused(path, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("groups.now_hidden", "name", g.Name), Undo: &undo{Action: path + "/visible", Fields: hidden{"visible": "true"}}}
	if visible {
		n.Text, n.Undo.Fields = v.t("groups.now_visible", "name", g.Name), hidden{"visible": "false"}
	}
	v.done(path, n)
}

func (p *Pages) askDeleteGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	g, _, err := v.group(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	uses, err := v.usesOf(g.ID.String(), "view", "auto_message")
	if err != nil {
		v.fail(err)
		return
	}
	v.showDeleteGroup(http.StatusOK, &g, uses, nil)
}

func (v *visit) showDeleteGroup(status int, g *api.Group, uses []use, wrong *banner) {
	path := "/groups/" + g.ID.String()
	c := confirm{
		Title: v.t("groups.delete_title", "name", g.Name), Text: v.t("groups.delete_text", "n", g.Members), Action: path + "/delete",
		Uses: uses, Wrong: wrong, Button: v.t("groups.delete_button"), Danger: true, Back: path,
	}
	if len(uses) > 0 {
		c.Text = v.t("groups.delete_text_used", "n", g.Members)
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (p *Pages) deleteGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	g, _, err := v.group(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	err = v.send(http.MethodDelete, "/v1/groups/"+g.ID.String(), nil, nil)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusConflict {
		v.showDeleteGroup(problem.Status, &g, usesIn(problem), &banner{Tone: "bad", Text: problem.Detail})
		return
	}
	if err != nil {
		v.refused("/groups/"+g.ID.String(), err)
		return
	}
	v.done("/groups", notice{Tone: "good", Text: v.t("groups.deleted", "name", g.Name)})
}
