package pages

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/internal/locale"
	"customercenter/projections"
)

// customerPage is the page of one customer: who it is on the left, what happened on the right. Its place in the navigation is that of the list.
var customerPage = page{words: customerWords, routes: (*Pages).customerPages}

func (p *Pages) customerPages(r chi.Router) {
	r.Get("/customers/{id}", func(_ http.ResponseWriter, r *http.Request) {
		visitOf(r).showCustomer(chi.URLParam(r, "id"), customerAsk{})
	})
	r.Get("/customers/{id}/changes", func(_ http.ResponseWriter, r *http.Request) {
		visitOf(r).showCustomer(chi.URLParam(r, "id"), customerAsk{changes: true})
	})
	r.Get("/customers/{id}/as-of", p.askPast)
	r.Get("/customers/{id}/changes/as-of", p.askPast)
	r.Get("/customers/{id}/fields/{key}", func(_ http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		v.showCustomer(chi.URLParam(r, "id"), customerAsk{edit: &profileEdit{key: chi.URLParam(r, "key")}})
	})
	r.Post("/customers/{id}/fields/{key}", p.editField)
	r.Post("/customers/{id}/tags", p.addTag)
	r.Post("/customers/{id}/tags/{tag}/remove", p.removeTag)
	r.Get("/customers/{id}/blacklist", p.askBlacklist)
	r.Post("/customers/{id}/blacklist", p.blacklist)
	r.Get("/customers/{id}/everything", p.everything)
	r.Get("/customers/{id}/erase", p.askErase)
	r.Post("/customers/{id}/erase", p.erase)
	r.Get("/customers/{id}/callback", p.askCallback)
	r.Post("/customers/{id}/callback", p.callBack)
	p.talkPages(r)
}

// customerAsk is what is asked for of the page besides the customer.
type customerAsk struct {
	status  int    // 0: 200
	here    string // where forms lead back to; empty: this address
	changes bool   // the history instead of what was said
	edit    *profileEdit
	reply   *field // what was written and is not sent, and why
}

// customerView is the view of the page.
type customerView struct {
	Head    customerHead
	Aside   *asideView // nil: the visitor may read what was said, and no more
	Tabs    tabs
	Talk    *talkView
	Changes *changesView
}

// customerHead is who the page is about.
type customerHead struct {
	Up, UpText  string
	Name        string
	Avatar      avatar
	Channel     string // its icon
	Association string
	Created     *moment
	Via         string
	Statuses    []status
	Call        *callView // nil: the visitor calls nobody back
	Picker      string    // address of the dialog that picks a moment; empty: the visitor may not look into the past
	Past        *past     // nil: who it is now
}

// callView leads to a session with the customer, or says why there cannot be one.
type callView struct {
	Ask  string // the address of the dialog; empty: not possible
	Go   string // the open session, if there is one
	Why  string // why not
	Note string // until when
}

// customerPath is the address of a customer's page.
func customerPath(id string) string { return "/customers/" + url.PathEscape(id) }

// isCustomerPage reports whether an address is that of a customer's page, and not that of a form on it.
func isCustomerPage(at, path string) bool { return at == path || at == path+"/changes" }

// showCustomer shows the page of a customer.
func (v *visit) showCustomer(id string, ask customerAsk) {
	path := customerPath(id)
	if ask.here == "" {
		ask.here = v.back(path)
		if v.r.Method == http.MethodGet && ask.edit == nil {
			ask.here = v.r.URL.RequestURI()
		}
	}
	if isCustomerPage(v.r.URL.Path, path) { // forms are about what is now
		v.asOf = v.r.URL.Query().Get("as_of")
	}
	if ask.status == 0 {
		ask.status = http.StatusOK
	}
	customer, etag, err := v.customerWithTag(id)
	known := err == nil
	if p, refused := refusal(err); refused && p.Status == http.StatusForbidden && v.in.Role == access.Agent && !ask.changes && v.asOf == "" {
		customer, err = v.customerOfTalks(id) // what was said with one's own customers may always be read
	}
	if err != nil {
		v.failCustomer(err)
		return
	}
	associations, err := v.associationNames()
	if err != nil {
		v.fail(err)
		return
	}
	view := customerView{}
	if view.Head, err = v.customerHead(customer, associations[customer.AssociationID], known); err != nil {
		v.fail(err)
		return
	}
	if known {
		if view.Aside, err = v.aside(customer, etag, &ask); err != nil {
			v.fail(err)
			return
		}
	}
	if ask.changes {
		view.Changes, err = v.changes(customer)
	} else {
		view.Talk, err = v.talk(customer, associations, &ask)
	}
	if err != nil {
		v.fail(err)
		return
	}
	view.Tabs = v.customerTabs(customer, path, &ask, known)
	v.show(ask.status, "customer", view.Head.Name, view)
}

// customerWithTag asks the API for a customer, and for the ETag.
func (v *visit) customerWithTag(id string) (*projections.Customer, string, error) {
	var c projections.Customer
	header, err := v.ask(call{method: http.MethodGet, path: v.of("/v1" + customerPath(id))}, &c)
	v.isOf(header)
	return &c, header.Get("ETag"), err
}

// customerOfTalks is what an agent knows of a customer who may not look into the customer center: what the sessions tell.
func (v *visit) customerOfTalks(id string) (*projections.Customer, error) {
	var page projections.SessionPage
	if err := v.get("/v1"+customerPath(id)+"/sessions", &page); err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, errNotFound
	}
	last := &page.Items[0]
	c := &projections.Customer{ID: last.CustomerID, AssociationID: last.AssociationID, Channel: last.Channel}
	if last.Customer != nil {
		c.ExternalID, c.Profile.Nickname, c.Profile.Name = last.Customer.ExternalID, last.Customer.Nickname, last.Customer.Name
	}
	if last.EndedAt == nil {
		c.OpenSession, c.SessionOpen = &last.ID, true
	}
	return c, nil
}

// failCustomer says why there is no such customer: there are more reasons than a wrong address.
func (v *visit) failCustomer(err error) {
	p, refused := refusal(err)
	if own, ok := err.(pageError); !(refused && p.Status == http.StatusNotFound) && !(ok && own == errNotFound) {
		v.fail(err)
		return
	}
	f := failure{Status: http.StatusNotFound, Title: v.t("customer.gone"), Text: v.t("customer.gone_text"), ID: v.id, Icon: "search", Back: "/"}
	if v.in.Role == access.Agent {
		f.Text = v.t("customer.gone_agent")
	}
	if v.asOf != "" {
		f.Title, f.Text, f.Now = v.t("as_of.no_customer"), v.t("as_of.no_customer_text"), nowOf(v.r.URL)
	}
	if text := v.erasedText(chi.URLParam(v.r, "id")); text != "" {
		f.Title, f.Text = v.t("customer.erased_title"), text
	}
	if refused {
		f.Code = p.Code
	}
	v.show(f.Status, "failure", f.Title, f)
}

func (v *visit) customerHead(c *projections.Customer, association string, known bool) (customerHead, error) {
	h := customerHead{Up: v.stays("/customers"), UpText: v.t("customer.up"), Name: v.nameOf(c), Channel: iconOfChannel(c.Channel), Association: association}
	h.Avatar = avatarOf(h.Name)
	if association == "" {
		h.Association = locale.Word(v.language, "channel", c.Channel)
	}
	if !known {
		h.Up, h.UpText = "/sessions", v.t("customer.up_sessions")
	} else {
		h.Created, h.Via = v.moment(&c.CreatedAt), locale.Word(v.language, "via", c.CreatedVia)
	}
	if c.OpenSession != nil {
		open, err := v.sessionSeen(c.OpenSession.String())
		if err != nil {
			return h, err
		}
		h.Statuses = append(h.Statuses, v.openStatus(open))
	}
	if c.Blacklisted {
		h.Statuses = append(h.Statuses, status{Tone: "bad", Text: v.t("customer.listed")})
	}
	if known && v.may("request-callback") && c.Callback != nil {
		h.Call = v.callView(c)
	}
	h.Past = v.past("", v.t("as_of.customer", "at", v.thenExact()), v.t("as_of.customer_text"))
	if path := customerPath(c.ID.String()); known && v.mayPast() {
		h.Picker = path + "/as-of"
		if at := v.r.URL; isCustomerPage(at.Path, path) {
			h.Picker = addressOf(at.Path+"/as-of", at.Query())
		}
	}
	return h, nil
}

// openStatus is the state of the open session, and who has it; nil: it is another agent's.
func (v *visit) openStatus(s *projections.Session) status {
	if s == nil {
		return status{Tone: "live", Text: v.t("customer.open_elsewhere")}
	}
	state := v.sessionState(s)
	if s.State == "processing" && s.Agent != nil {
		state.Text += " · " + s.Agent.Name
	}
	return state
}

// sessionSeen asks the API for a session; nil if the visitor may not see it or it is not there.
func (v *visit) sessionSeen(id string) (*projections.Session, error) {
	var s projections.Session
	err := v.get(v.of("/v1/sessions/"+url.PathEscape(id)), &s)
	if p, refused := refusal(err); refused && (p.Status == http.StatusForbidden || p.Status == http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// callView tells what the API says of calling the customer back.
func (v *visit) callView(c *projections.Customer) *callView {
	call := &callView{}
	if c.Callback.Allowed {
		call.Ask = customerPath(c.ID.String()) + "/callback"
		if at := c.Callback.WindowEndsAt; at != nil {
			call.Note = v.t("customer.window_until", "time", v.clock(*at, time.Time{}).Exact)
		}
		return call
	}
	if c.Callback.SessionID != nil {
		call.Go = customerPath(c.ID.String()) + "?session=" + c.Callback.SessionID.String()
		return call
	}
	switch c.Callback.Code {
	case "CHANNEL_WINDOW_CLOSED":
		call.Why = v.t("customer.call_window")
		if c.LastCustomerMessageAt == nil {
			call.Why = v.t("customer.call_never")
		}
	case "CUSTOMER_BLACKLISTED":
		call.Why = v.t("customer.call_listed")
	case "ASSOCIATION_GONE":
		call.Why = v.t("customer.call_gone")
	default:
		call.Why = locale.Title(v.language, c.Callback.Code)
	}
	return call
}

// clock tells an instant by the time of the day, and with the day if that is another one than that of the instant before.
func (v *visit) clock(t, before time.Time) *moment {
	local := t.In(v.location())
	m := &moment{Exact: local.Format(exactly), ISO: t.UTC().Format(time.RFC3339)}
	m.Relative = m.Exact
	if !before.IsZero() && before.In(v.location()).Format(time.DateOnly) == local.Format(time.DateOnly) {
		m.Relative = local.Format("15:04")
	}
	return m
}

func (v *visit) customerTabs(c *projections.Customer, path string, ask *customerAsk, known bool) tabs {
	talks := tab{Path: v.stays(path), Text: v.t("customer.talks"), Icon: "chat", Current: !ask.changes}
	if v.in.Role != access.Agent { // of an agent's page others' sessions are no part
		talks.Count = &projections.Count{Value: int64(c.SessionCount), Exact: true}
	}
	all := []tab{talks}
	if known && access.May(v.in.Role, "customer-history") {
		all = append(all, tab{Path: v.stays(path + "/changes"), Text: v.t("customer.changes"), Icon: "history", Current: ask.changes})
	}
	return tabs{Label: v.t("customer.records"), Groups: []tabGroup{{Tabs: all}}}
}

// askCallback asks for the first message of a session that an agent begins.
func (p *Pages) askCallback(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).showCallback(http.StatusOK, chi.URLParam(r, "id"), "", "", nil)
}

func (v *visit) showCallback(code int, id, text, wrongText string, refused *banner) {
	customer, err := v.customer(id)
	if err != nil {
		v.failCustomer(err)
		return
	}
	path := customerPath(id)
	c := confirm{
		Title: v.t("customer.call_title", "name", v.nameOf(customer)), Text: v.t("customer.call_text"), Action: path + "/callback", Wrong: refused,
		Inputs: []field{{Name: "text", Label: v.t("customer.call_first"), Hint: v.t("customer.call_hint"), Lines: 3, Value: text, Wrong: wrongText, Focus: true}},
		Fields: hidden{"back": v.back("")}, Button: v.t("customer.call_button"), Back: v.back(path),
	}
	if customer.Callback != nil && refused == nil {
		if call := v.callView(customer); call.Ask == "" {
			why := call.Why
			if call.Go != "" {
				why = v.t("customer.call_open")
			}
			c.Wrong = &banner{Tone: "warn", Text: why}
		} else if call.Note != "" {
			c.Text = strings.TrimSpace(c.Text + " " + call.Note)
		}
	}
	v.showDialog(code, "confirm", c.Title, c)
}

func (p *Pages) callBack(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	id, text := chi.URLParam(r, "id"), strings.TrimSpace(r.PostFormValue("text"))
	var begun projections.Session
	err := v.send(http.MethodPost, "/v1"+customerPath(id)+"/callback", api.CallbackInput{Text: text}, &begun)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		if wrongText := wrong(err, "text", false); wrongText != "" {
			v.showCallback(http.StatusUnprocessableEntity, id, text, wrongText, nil)
			return
		}
		v.showCallback(problem.Status, id, text, "", &banner{Tone: "bad", Text: problem.Detail})
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.done(v.back(customerPath(id)), notice{Tone: "good", Text: v.t("customer.called")})
}
