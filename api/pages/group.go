package pages

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

// groupView is the view of one group: its rule, who is in it since when and why, and what happened to it.
type groupView struct {
	Path    string
	Name    string
	Crumbs  []crumb
	Rule    string
	Visible status
	Shown   bool // to agents
	May     bool // change it
	Members string
	Filling *progress
	Watch   *watch
	Old     bool  // the members are those of the rule before
	Tabs    *tabs // nil: the visitor sees members only
	Rows    []memberRow
	Moves   []moveRow
	Pager   pager
	Empty   *empty
	Chart   *chart
	History []happening // nil: the visitor may not see it
	List    string      // of the same customers
	Picker  string      // address of the dialog that picks a moment; empty: the visitor may not look into the past
	Past    *past       // nil: the group is that of now
}

// memberRow is a customer who is in the group.
type memberRow struct {
	Who   who
	Since *moment
	Cause string
	Why   why
}

// why are the conditions that decided: what they saw.
type why struct {
	First string
	More  []string
}

// moveRow is a customer who entered the group or left it.
type moveRow struct {
	Who   who
	Move  status
	When  *moment
	Cause string
	Why   why
}

// showGroup shows a group and its members.
func (p *Pages) showGroup(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.asOf = r.URL.Query().Get("as_of")
	g, view, err := v.groupView(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	var members api.List[api.GroupMember]
	if err := v.get(v.of("/v1"+view.Path+"/members?"+url.Values{"cursor": {r.URL.Query().Get("cursor")}}.Encode()), &members); err != nil {
		v.fail(err)
		return
	}
	view.Pager = pagerOf(v.still(), v.t("groups.pager"), v.t("groups.member_count", "n", members.Count), members.Prev, members.Next)
	for _, m := range members.Items {
		view.Rows = append(view.Rows, v.memberRow(&m))
	}
	if len(view.Rows) == 0 {
		view.Empty = v.noMembers(g, view.Path, view.May)
	}
	v.show(http.StatusOK, "group", view.Name, view)
}

// showGroupMoves shows a group and who entered it and who left it.
func (p *Pages) showGroupMoves(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	_, view, err := v.groupView(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	var moves api.List[api.GroupMove]
	if err := v.get("/v1"+view.Path+"/moves?"+url.Values{"cursor": {r.URL.Query().Get("cursor")}}.Encode(), &moves); err != nil {
		v.fail(err)
		return
	}
	view.Pager = pagerOf(v.still(), v.t("groups.moves_pager"), v.t("groups.latest_first"), "", moves.Next)
	for _, m := range moves.Items {
		view.Moves = append(view.Moves, v.moveRow(&m))
	}
	if len(view.Moves) == 0 {
		view.Empty = &empty{Icon: "history", Title: v.t("groups.no_moves"), Text: v.t("groups.no_moves_text")}
	}
	v.show(http.StatusOK, "group", view.Name, view)
}

// groupView is what both pages of a group show. Of the past it has no more than the API tells of then.
func (v *visit) groupView(id string) (*api.Group, *groupView, error) {
	g, _, err := v.group(id)
	if err != nil {
		return nil, nil, err
	}
	path := "/groups/" + g.ID.String()
	view := &groupView{
		Path: path, Name: g.Name, Crumbs: []crumb{{"/groups", v.t("groups.title")}}, Rule: g.Description, Visible: v.visibility(&g),
		Shown: g.AgentVisible, May: v.may("change-group"), Members: grouped(g.Members), Filling: v.filling(&g),
		Old: g.ServedRevision > 0 && g.ServedRevision < g.Revision, Past: v.past("", v.t("as_of.group", "at", v.thenExact()), v.t("as_of.group_text")),
		List: v.stays("/customers?group=" + g.ID.String()),
	}
	if v.mayPast() {
		view.Picker = addressOf(path+"/as-of", v.still().Query())
	}
	if v.asOf != "" {
		return &g, view, nil
	}
	view.Watch = v.watch(view.Filling != nil, "group", 2)
	if access.May(v.in.Role, "list-group-moves") {
		at := v.r.URL.Path
		view.Tabs = &tabs{Label: v.t("groups.who"), Groups: []tabGroup{{Tabs: []tab{
			{Path: path, Text: v.t("groups.members"), Current: at == path}, {Path: path + "/moves", Text: v.t("groups.moves"), Current: at != path}}}}}
	}
	if view.May {
		if view.History, err = v.groupHistory(path); err != nil {
			return nil, nil, err
		}
	}
	view.Chart, err = v.groupChart(&g)
	return &g, view, err
}

func (v *visit) memberRow(m *api.GroupMember) memberRow {
	return memberRow{Who: v.person(&m.Customer), Since: v.moment(&m.Since), Cause: v.speech.one("groups.cause", m.Cause.Kind), Why: whyOf(m.Evidence)}
}

func (v *visit) moveRow(m *api.GroupMove) moveRow {
	row := moveRow{Who: v.called(m.CustomerID, m.Nickname, m.ExternalID), When: v.moment(&m.At), Cause: v.speech.one("groups.cause", m.Cause.Kind), Why: whyOf(m.Evidence)}
	row.Move = status{Tone: "bad", Text: v.t("groups.did_leave")}
	if m.Entered {
		row.Move = status{Tone: "good", Text: v.t("groups.did_enter")}
	}
	return row
}

func whyOf(evidence []api.GroupEvidence) (told why) {
	for i, e := range evidence {
		if i == 0 {
			told.First = e.Text
		} else {
			told.More = append(told.More, e.Text)
		}
	}
	return told
}

// person is a customer in a list, leading to the customer's page.
func (v *visit) person(c *projections.Customer) who {
	return v.called(c.ID, c.Profile.Nickname, c.ExternalID)
}

// called is a customer of whom only the names are known; without an id of the channel's, one who was erased.
func (v *visit) called(id uuid.UUID, nickname, externalID string) who {
	one := who{Avatar: avatarOf(nickname), Name: nickname, Nameless: v.t("nobody"), Below: externalID, Path: v.stays(customerPath(id.String()))}
	if nickname == externalID {
		one.Below = ""
	}
	if externalID == "" {
		one.Path, one.Nameless = "", v.t("groups.erased")
	}
	return one
}

// noMembers says why nobody is there.
func (v *visit) noMembers(g *api.Group, path string, may bool) *empty {
	switch {
	case v.asOf != "":
		return &empty{Icon: "history", Title: v.t("as_of.no_members"), Text: v.t("as_of.no_members_text")}
	case g.ServedRevision == 0:
		return &empty{Icon: "layers", Title: v.t("groups.first_filling"), Text: v.t("groups.first_filling_text")}
	case v.in.Role == access.Agent && g.Members > 0:
		return &empty{Icon: "users", Title: v.t("groups.none_of_yours"), Text: v.t("groups.none_of_yours_text")}
	}
	e := &empty{Icon: "users", Title: v.t("groups.nobody"), Text: v.t("groups.nobody_text")}
	if may {
		e.Actions = []action{{Path: path + "/edit", Text: v.t("groups.edit"), Icon: "pencil"}}
	}
	return e
}

// groupHistory is what was changed of a group, the latest first.
func (v *visit) groupHistory(path string) (told []happening, err error) {
	var history api.List[api.HistoryItem]
	if err := v.get("/v1"+path+"/history?limit=20", &history); err != nil {
		return nil, err
	}
	icons := map[string]string{"group.defined": "plus", "group.visibility_set": "eye", "group.revised": "filter"}
	for _, e := range history.Items {
		h := happening{Icon: "pencil", Hue: hueOf(e.Type), Text: e.Text, Small: v.actor(projections.Actor{Kind: e.Actor.Kind, ID: e.Actor.ID}), When: v.moment(&e.At)}
		if icon := icons[e.Type]; icon != "" {
			h.Icon = icon
		}
		if len(e.Changes) == 1 && e.Type == "group.revised" {
			h.Old, h.New = given(e.Changes[0].Old), given(e.Changes[0].New)
		}
		told = append(told, h)
	}
	return told, nil
}

// given is a text that may be missing.
func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
