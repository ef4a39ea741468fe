package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain/association"
	"customercenter/projections"
)

var associationsPage = page{
	place:  &place{Section: "settings", Order: 30, Name: "associations", Icon: "link", Path: "/associations", Operation: "list-associations", Center: true},
	words:  associationWords,
	routes: (*Pages).associationPages,
}

func (p *Pages) associationPages(r chi.Router) {
	r.Get("/associations", p.listAssociations)
	r.Post("/associations", p.connectAssociation)
	r.Get("/associations/new", p.askConnectAssociation)
	r.Get("/associations/{id}/rename", p.askRenameAssociation)
	r.Post("/associations/{id}/rename", p.renameAssociation)
	r.Get("/associations/{id}/remove", p.askRemoveAssociation)
	r.Post("/associations/{id}/remove", p.removeAssociation)
	r.Post("/associations/{id}/restore", p.restoreAssociation)
	r.Get("/associations/{id}/history", p.associationHistory)
}

// associationsView is the view of the connected accounts, or of those that were.
type associationsView struct {
	May   bool // change them
	Tabs  tabs
	Rows  []associationRow
	Empty *empty
}

type associationRow struct {
	api.Association
	Icon      string
	Channel   string
	Customers string // empty: not known to the visitor
	Token     string // the address of the form of a token for it
	Path      string
}

const (
	connected    = "/associations"
	disconnected = "/associations?removed=1"
)

func (v *visit) mayConnect() bool { return access.May(v.in.Role, "register-association") }

func (p *Pages) listAssociations(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	all, err := v.allAssociations()
	if err != nil {
		v.fail(err)
		return
	}
	customers, err := v.customersByAssociation()
	if err != nil {
		v.fail(err)
		return
	}
	removed := r.URL.Query().Get("removed") != ""
	view := associationsView{May: v.mayConnect()}
	gone := int64(0)
	for _, a := range all {
		if a.Removed {
			gone++
		}
		if a.Removed != removed {
			continue
		}
		id := strconv.Itoa(a.ID)
		row := associationRow{Association: a, Icon: iconOfChannel(a.Channel), Channel: v.speech.one("associations.channel", a.Channel), Path: "/associations/" + id,
			Token: "/tokens/new?" + url.Values{"role": {string(access.Channel)}, "association": {id}, "actor": {a.Channel + "-" + id}}.Encode()}
		if customers != nil {
			row.Customers = grouped(customers[id])
		}
		view.Rows = append(view.Rows, row)
	}
	count := func(n int64) *projections.Count { return &projections.Count{Value: n, Exact: true} }
	view.Tabs = tabs{Label: v.t("associations.views"), Groups: []tabGroup{{Tabs: []tab{
		{Path: connected, Text: v.t("associations.connected"), Count: count(int64(len(all)) - gone), Current: !removed},
		{Path: disconnected, Text: v.t("associations.removed"), Count: count(gone), Current: removed},
	}}}}
	switch {
	case len(view.Rows) > 0:
	case removed:
		view.Empty = &empty{Icon: "link", Title: v.t("associations.none_removed"), Text: v.t("associations.none_removed_text")}
	case view.May:
		view.Empty = &empty{Icon: "link", Title: v.t("associations.none"), Text: v.t("associations.none_text"), Actions: []action{{Path: "/associations/new", Text: v.t("associations.connect"), Icon: "plus"}}}
	default:
		view.Empty = &empty{Icon: "link", Title: v.t("associations.none"), Text: v.t("associations.none_others")}
	}
	v.show(http.StatusOK, "associations", v.t("associations.title"), view)
}

// customersByAssociation is how many customers each association has that the visitor may see, by id; nil if that cannot be told quickly, or not to
// this visitor.
func (v *visit) customersByAssociation() (map[string]int64, error) {
	if v.in.Role == access.Agent { // who sees the customers they served; of all, their number is not theirs to know
		return nil, nil
	}
	var page projections.Page
	if err := v.get("/v1/customers?"+url.Values{"filter": {"{}"}, "limit": {"1"}, "facets": {"association"}}.Encode(), &page); err != nil {
		return nil, err
	}
	if page.Facets == nil {
		return nil, nil
	}
	return page.Facets["association"], nil
}

// association asks the API for the association of this page's address, and for its ETag.
func (v *visit) association() (a api.Association, etag string, err error) {
	id, err := strconv.Atoi(chi.URLParam(v.r, "id"))
	if err != nil {
		return a, "", errNotFound
	}
	header, err := v.ask(call{method: http.MethodGet, path: "/v1/associations/" + strconv.Itoa(id)}, &a)
	return a, header.Get("ETag"), err
}

func (p *Pages) askConnectAssociation(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).showConnect(http.StatusOK, &api.AssociationInput{Channel: "app"}, nil)
}

func (v *visit) showConnect(status int, in *api.AssociationInput, problem error) {
	if !v.mayConnect() {
		v.fail(errNotFound)
		return
	}
	channels := field{Name: "channel", Label: v.t("associations.channel"), Wrong: wrong(problem, "channel", false)}
	for _, channel := range []string{"app", "web", "wechat", "weibo", "phone", "api"} {
		channels.Options = append(channels.Options, option{channel, v.speech.one("associations.channel", channel), in.Channel == channel})
	}
	c := confirm{
		Title: v.t("associations.connect"), Text: v.t("associations.connect_text"), Action: connected, Button: v.t("associations.connect_button"), Back: connected,
		Inputs: []field{
			channels,
			{Name: "account", Label: v.t("associations.account"), Hint: v.t("associations.account_help"), Value: in.Account, Max: association.MaxAccount, Required: true, Focus: true,
				Autocomplete: "off", Wrong: wrong(problem, "account", false)},
			{Name: "name", Label: v.t("associations.name"), Hint: v.t("associations.name_help"), Value: in.Name, Max: association.MaxName, Required: true, Autocomplete: "off", Wrong: wrong(problem, "name", false)},
		},
	}
	if p, refused := refusal(problem); refused && c.Inputs[0].Wrong+c.Inputs[1].Wrong+c.Inputs[2].Wrong == "" {
		c.Wrong = &banner{Tone: "bad", Text: p.Detail}
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (p *Pages) connectAssociation(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	in := api.AssociationInput{Channel: r.PostFormValue("channel"), Account: r.PostFormValue("account"), Name: r.PostFormValue("name")}
	var made api.Association
	err := v.send(http.MethodPost, "/v1/associations", in, &made)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusForbidden {
		v.showConnect(problem.Status, &in, err)
		return
	}
	if err != nil {
		v.refused(connected, err)
		return
	}
	v.done(connected, notice{Tone: "good", Text: v.t("associations.now_connected", "name", made.Name, "id", strconv.Itoa(made.ID))})
}

func (p *Pages) askRenameAssociation(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	a, etag, err := v.association()
	if err != nil {
		v.fail(err)
		return
	}
	v.showRenameAssociation(http.StatusOK, &a, etag, a.Name, "")
}

func (v *visit) showRenameAssociation(status int, a *api.Association, etag, name, wrong string) {
	c := confirm{
		Title: v.t("associations.rename_title", "name", a.Name), Text: v.t("associations.rename_text"), Action: "/associations/" + strconv.Itoa(a.ID) + "/rename",
		Fields: hidden{"etag": etag}, Button: v.t("associations.rename"), Back: connected,
		Inputs: []field{{Name: "new_name", Label: v.t("associations.name"), Value: name, Wrong: wrong, Max: association.MaxName, Required: true, Focus: true, Autocomplete: "off"}},
	}
	v.showDialog(status, "confirm", c.Title, c)
}

func (p *Pages) renameAssociation(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	a, etag, err := v.association()
	if err != nil {
		v.fail(err)
		return
	}
	name, path := r.PostFormValue("new_name"), "/associations/"+strconv.Itoa(a.ID)
	var renamed api.Association
	answer, err := v.ask(call{method: http.MethodPatch, path: "/v1" + path, body: api.NameInput{Name: name}, ifMatch: r.PostFormValue("etag")}, &renamed)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusPreconditionFailed {
		v.showRenameAssociation(problem.Status, &a, etag, name, v.t("associations.rename_lost", "name", a.Name))
		return
	}
	if text := wrong(err, "name", true); text != "" {
		v.showRenameAssociation(http.StatusUnprocessableEntity, &a, etag, name, text)
		return
	}
	if err != nil {
		v.refused(connected, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("associations.renamed", "old", a.Name, "new", renamed.Name)}
	if renamed.Name != a.Name {
		n.Undo = &undo{Action: path + "/rename", Fields: hidden{"new_name": a.Name, "etag": answer.Get("ETag")}}
	}
	v.done(connected, n)
}

func (p *Pages) askRemoveAssociation(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	a, _, err := v.association()
	if err != nil {
		v.fail(err)
		return
	}
	if !v.mayConnect() {
		v.fail(errNotFound)
		return
	}
	customers, err := v.customersByAssociation()
	if err != nil {
		v.fail(err)
		return
	}
	id := strconv.Itoa(a.ID)
	c := confirm{Title: v.t("associations.remove_title", "name", a.Name), Text: v.t("associations.remove_text", "n", customers[id]), Action: "/associations/" + id + "/remove",
		Button: v.t("associations.remove_button"), Danger: true, Back: connected}
	if customers == nil {
		c.Text = v.t("associations.remove_text_all")
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) removeAssociation(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	a, _, err := v.association()
	if err == nil {
		err = v.send(http.MethodDelete, "/v1/associations/"+strconv.Itoa(a.ID), nil, nil)
	}
	if err != nil {
		v.refusedUnlessMissing(connected, err)
		return
	}
	v.done(connected, notice{Tone: "good", Text: v.t("associations.now_removed", "name", a.Name), Undo: &undo{Action: "/associations/" + strconv.Itoa(a.ID) + "/restore"}})
}

// refusedUnlessMissing leads back and tells why something was not done; what does not exist has the page for that.
func (v *visit) refusedUnlessMissing(back string, err error) {
	if errors.Is(err, errNotFound) {
		v.fail(err)
		return
	}
	v.refused(back, err)
}

// restoreAssociation connects the account again: it gets its number back.
func (p *Pages) restoreAssociation(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	a, _, err := v.association()
	if err == nil {
		err = v.send(http.MethodPost, "/v1/associations", api.AssociationInput{Channel: a.Channel, Account: a.Account, Name: a.Name}, nil)
	}
	if err != nil {
		v.refusedUnlessMissing(disconnected, err)
		return
	}
	v.done(connected, notice{Tone: "good", Text: v.t("associations.restored", "name", a.Name, "id", strconv.Itoa(a.ID))})
}

func (p *Pages) associationHistory(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	a, _, err := v.association()
	if err != nil {
		v.fail(err)
		return
	}
	v.historyPage(v.t("associations.history_title", "name", a.Name), "/v1/associations/"+strconv.Itoa(a.ID)+"/history", connected, v.t("associations.title"))
}
