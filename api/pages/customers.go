package pages

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/projections"
)

var customersPage = page{
	place:  &place{Section: "customers", Order: 10, Name: "customers", Icon: "users", Path: customersPath, Operation: "list-customers", Center: true},
	words:  customersWords,
	routes: (*Pages).customersPages,
}

func (p *Pages) customersPages(r chi.Router) {
	r.Get("/customers", p.listCustomers)
	r.Post("/customers", p.searchCustomers)
	r.Get("/customers/tabs", p.countTabs)
	r.Get("/customers/as-of", p.askPast)
	r.Get("/customers/columns", p.askColumns)
	r.Post("/customers/columns", p.keepColumns)
	r.Get("/customers/filter", p.askFilter)
	r.Post("/customers/filter", p.filterCustomers)
	r.Get("/customers/export", p.askExport)
	r.Post("/customers/export", p.exportCustomers)
	r.Get("/customers/new", p.askNewCustomer)
	r.Post("/customers/new", p.createCustomer)
	r.Get("/customers/views", p.listViews)
	r.Get("/customers/views/new", p.askSaveView)
	r.Post("/customers/views", p.saveView)
	r.Get("/customers/views/{view}", p.askChangeView)
	r.Post("/customers/views/{view}", p.changeView)
	r.Get("/customers/views/{view}/delete", p.askDeleteView)
	r.Post("/customers/views/{view}/delete", p.deleteView)
	r.Post("/customers/bulk", p.askBulk)
	r.Post("/customers/bulk/start", p.startBulk)
}

// customersView is the view of the list.
type customersView struct {
	May       customersMay
	PerDay    *perDayStrip // nil: the visitor is not told
	Tabs      tabs
	TabsPath  string // where the counts of the tabs come from
	Search    *customerSearch
	Filter    string // address of the dialog
	Query     []hiddenField
	Chips     []chip
	Clear     string
	SaveView  string // address of the dialog; empty: there is nothing to save
	Manage    string // the saved view's dialog
	Sort      sortMenu
	Columns   string // address of the dialog
	Heads     []head
	Rows      []customerLine
	Compact   bool
	Pager     pager
	Picker    string // address of the dialog that picks a moment; empty: the visitor may not look into the past
	Past      *past  // nil: the list is that of now
	Banner    *banner
	GoOn      string // where a partial page goes on
	Empty     *empty
	Export    string
	New       string
	Selection bool // there is something to do with customers who are selected
}

// customersMay is what the visitor may do.
type customersMay struct{ Create, Import, Export, Bulk, Blacklist, CallBack bool }

func (v *visit) customersMay() customersMay {
	may := func(operation string) bool { return access.May(v.in.Role, operation) }
	return customersMay{Create: may("create-customer"), Import: may("upload-import"), Export: may("request-export"), Bulk: may("start-bulk"),
		Blacklist: may("list-blacklist"), CallBack: may("request-callback")}
}

type customerSearch struct {
	Value string
	Label string
}

func (p *Pages) listCustomers(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	q, err := v.customerQuery(r.URL.Query())
	if err != nil {
		v.fail(err)
		return
	}
	v.showCustomers(q)
}

// customerPage asks the API for the page of the list. A cursor goes on at its moment, also if the address does not name that.
func (v *visit) customerPage(q *customerQuery, limit int, cursor string) (page projections.Page, err error) {
	query := api.SearchInput{Filter: q.filter, Sort: q.order(), Limit: limit, Cursor: cursor, AsOf: v.momentAsked(q.asOf)}
	answer, err := v.ask(call{method: http.MethodPost, path: "/v1/customers/search", body: query, reads: true}, &page)
	if v.isOf(answer); q.asOf == "" {
		q.asOf = answer.Get("X-As-Of-Time")
	}
	v.asOf = q.asOf
	return page, err
}

func (v *visit) showCustomers(q *customerQuery) {
	page, err := v.customerPage(q, q.limit, v.r.URL.Query().Get("cursor"))
	problem, refused := refusal(err)
	asOfWrong := wrong(err, "as_of", false)
	status := http.StatusOK
	if refused && problem.Status != http.StatusForbidden && problem.Status < http.StatusInternalServerError && len(problem.Errors) > 0 {
		status = problem.Status // the conditions are shown, so that what is wrong can be taken away
	} else if err != nil {
		v.fail(err)
		return
	}
	columns := v.columns(q)
	need := needsOf(q.filter)
	need.associations = true
	need.fields = need.fields || anyCustom(columns)
	t, err := v.terms(need)
	if err != nil {
		v.fail(err)
		return
	}
	v.nameGone(t, q.filter)
	view, err := v.customersView(q, &page, t, columns)
	if err != nil {
		v.fail(err)
		return
	}
	view.Past = v.past(asOfWrong, v.t("as_of.customers", "at", v.thenExact()), v.t("as_of.customers_text"))
	switch {
	case asOfWrong != "":
	case status != http.StatusOK:
		view.Banner = &banner{Tone: "bad", Text: v.t("customers.refused"), More: problem.Errors[0].Detail}
		if part := q.partAt(problem.Errors[0].Location); part != nil {
			view.Banner.More = v.t("customers.refused_part", "condition", t.told(v.language, part), "why", problem.Errors[0].Detail)
		}
	case page.Partial:
		view.Banner, view.GoOn = &banner{Tone: "warn", Text: v.t("customers.partial"), More: v.t("customers.partial_text")}, view.Pager.Next
	}
	if len(view.Rows) == 0 && status == http.StatusOK && !page.Partial {
		if view.Empty, err = v.noCustomers(q, t, view); err != nil {
			v.fail(err)
			return
		}
	}
	v.show(status, "customers", v.t("customers.title"), view)
}

// nameGone gives the tags and groups that a filter names, and that are not there any more, names by which a person knows what is wrong.
func (v *visit) nameGone(t *terms, raw json.RawMessage) {
	f, err := filter.Parse(raw, &t.language, "filter")
	if err != nil {
		return
	}
	tags, groups, _ := f.References()
	name := func(ids []uuid.UUID, names map[uuid.UUID]string) {
		for _, id := range ids {
			if _, known := names[id]; !known {
				names[id] = v.t("customers.gone")
			}
		}
	}
	name(tags, t.names.Tags)
	name(groups, t.names.Groups)
}

func (v *visit) customersView(q *customerQuery, page *projections.Page, t *terms, columns []column) (*customersView, error) {
	may := v.customersMay()
	if q.asOf != "" { // what was is not changed
		may = customersMay{}
	}
	view := &customersView{
		May: may, Filter: q.path("/filter"), Query: q.hidden(), Clear: addressOf(customersPath, clearOf(q)),
		TabsPath: q.tabsPath(), Compact: v.compactRows(), Selection: may.Bulk,
	}
	if q.asOf == "" { // it tells of the days until now
		view.PerDay = v.perDayStrip("customers")
	}
	if v.mayPast() {
		view.Picker = q.path("/as-of")
	}
	var err error
	if view.Tabs, err = v.listTabs(q, &page.Count, nil); err != nil {
		return nil, err
	}
	if v.in.Personal { // what is masked cannot be looked for
		text, _ := q.needle()
		view.Search = &customerSearch{Value: text, Label: v.t("customers.search")}
	}
	for i, part := range q.parts {
		view.Chips = append(view.Chips, chip{Value: t.told(v.language, part), Without: q.without(i)})
	}
	if access.May(v.in.Role, "save-view") && q.asOf == "" && (q.changed() || q.sort != "") {
		view.SaveView = q.path("/views/new")
	}
	if q.saved != nil && q.asOf == "" && (q.saved.Mine || v.in.Role == access.Admin) {
		view.Manage = q.path("/views/" + q.id)
	}
	if may.Export {
		view.Export = q.path("/export")
	}
	if may.Create {
		view.New = customersPath + "/new"
	}
	view.Sort, view.Columns = v.sortMenu(q, t), q.path("/columns")
	view.Heads = v.heads(q, columns, t)
	lines := lineMaker{v: v, columns: columns, terms: t, mayCall: may.CallBack}
	if err := lines.associations(); err != nil {
		return nil, err
	}
	if slices.Contains(columns, column{"last_session_at"}) {
		if err := lines.sessions(page.Items); err != nil {
			return nil, err
		}
	}
	for i := range page.Items {
		view.Rows = append(view.Rows, lines.line(&page.Items[i]))
	}
	summary := v.t("customers.count", "n", page.Count)
	if page.Partial && !page.Count.Exact {
		summary = v.t("customers.count_so_far", "n", len(page.Items))
	}
	view.Pager = pagerOf(v.r.URL, v.t("customers.pager"), summary, page.Prev, page.Next)
	return view, nil
}

// clearOf is the address of everybody, in the order that was chosen.
func clearOf(q *customerQuery) map[string][]string {
	values := map[string][]string{"view": {"all"}}
	if q.sort != "" {
		values["sort"] = []string{q.sort}
	}
	if q.asOf != "" {
		values["as_of"] = []string{q.asOf}
	}
	return values
}

// searchCustomers looks for a name or an id. Whoever has just come here looks for it among all, not among those of this week.
func (p *Pages) searchCustomers(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if err := r.ParseForm(); err != nil {
		v.fail(errBroken)
		return
	}
	q, err := v.customerQuery(r.PostForm)
	if err != nil {
		v.fail(err)
		return
	}
	if q.view == "week" && !q.changed() {
		values := q.values()
		values.Set("view", "all")
		if q, err = v.customerQuery(values); err != nil {
			v.fail(err)
			return
		}
	}
	parts := q.parts
	if _, at := q.needle(); at >= 0 {
		parts = append(append([]json.RawMessage{}, parts[:at]...), parts[at+1:]...)
	}
	if needle := r.PostFormValue("needle"); needle != "" {
		parts = append(parts, condition(filter.AnyText, string(filter.Contains), needle))
	}
	to, err := v.leadTo(q, allOf(parts))
	if err != nil {
		v.fail(err)
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// condition is a condition as JSON.
func condition(field, op string, value any) json.RawMessage {
	raw, err := json.Marshal(map[string]any{"field": field, "op": op, "value": value})
	if err != nil {
		panic("pages: " + err.Error()) // texts
	}
	return raw
}

// noCustomers says why nobody is shown, and what would help.
func (v *visit) noCustomers(q *customerQuery, t *terms, view *customersView) (*empty, error) {
	toAll := action{Path: customersPath + "?view=all", Text: v.t("customers.all")}
	switch {
	case q.asOf != "":
		return &empty{Icon: "history", Title: v.t("as_of.nobody"), Text: v.t("as_of.nobody_text"),
			Actions: []action{{Path: addressOf(customersPath, clearOf(q)), Text: v.t("as_of.everybody")}}}, nil
	case q.view == "week" && !q.changed():
		if all, err := v.countOf(everybody); err != nil || all.Value > 0 {
			return &empty{Icon: "users", Title: v.t("customers.none_week"), Text: v.t("customers.none_week_text", "n", all), Actions: []action{toAll}}, err
		}
	case len(q.parts) > 0:
		return v.noMatch(q, t)
	}
	e := &empty{Icon: "users", Title: v.t("customers.none"), Text: v.t("customers.none_text")}
	if v.in.Role == access.Agent {
		e.Text = v.t("customers.none_agent")
	}
	if view.May.Import {
		e.Actions = append(e.Actions, action{Path: "/import", Text: v.t("customers.import"), Icon: "import"},
			action{Path: "/associations", Text: v.t("customers.connect"), Icon: "link"})
	}
	return e, nil
}

// mostHints is of how many conditions it is tried whether somebody is found without them.
const mostHints = 6

// noMatch says which of the conditions stands in the way.
func (v *visit) noMatch(q *customerQuery, t *terms) (*empty, error) {
	e := &empty{Icon: "search", Title: v.t("customers.none_found", "n", len(q.parts)), Text: v.t("customers.none_found_text")}
	helped := false
	for i := range min(len(q.parts), mostHints) {
		if len(q.parts) == 1 {
			break // without it, there is no condition
		}
		rest := *q
		rest.parts = append(append([]json.RawMessage{}, q.parts[:i]...), q.parts[i+1:]...)
		n, err := v.countOf(allOf(rest.parts))
		if _, refused := refusal(err); err != nil && !refused {
			return nil, err
		}
		if n.Value > 0 {
			helped = true
			e.Actions = append(e.Actions, action{Path: q.without(i), Text: v.t("customers.without", "condition", t.told(v.language, q.parts[i]), "n", n)})
		}
	}
	if helped {
		e.Text = v.t("customers.none_found_hint")
	}
	e.Actions = append(e.Actions, action{Path: customersPath + "?view=all", Text: v.t("filter.clear")})
	return e, nil
}

// countOf is how many match a filter.
func (v *visit) countOf(raw json.RawMessage) (projections.Count, error) { return v.countAsOf("", raw) }

// countAsOf is how many matched a filter at a moment of an address; with an empty one, how many match it now.
func (v *visit) countAsOf(asOf string, raw json.RawMessage) (projections.Count, error) {
	var page projections.Page
	err := v.find("/v1/customers/search", api.SearchInput{Filter: raw, Limit: 1, AsOf: v.momentAsked(asOf)}, &page)
	return page.Count, err
}

// callbackRefused is why a customer cannot be called back, as far as the list tells; empty if nothing stands in the way.
func (l *lineMaker) callbackRefused(c *projections.Customer) string {
	switch {
	case c.Blacklisted:
		return domain.CodeCustomerBlacklisted
	case c.OpenSession != nil:
		return domain.CodeSessionOpen
	case l.removed[c.AssociationID]:
		return domain.CodeAssociationGone
	}
	if ends, limited := l.windowEnds(c); limited && !l.v.p.Now().Before(ends) {
		return domain.CodeChannelWindowClosed
	}
	return ""
}
