package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/projections"
)

// talkPages are what can be done with one session. It is shown where it belongs: in the flow of what was said with its customer.
func (p *Pages) talkPages(r chi.Router) {
	r.Get("/sessions/{id}", p.openSession)
	r.Get("/sessions/{id}/next", p.nextMessages)
	r.Post("/sessions/{id}/messages", p.reply)
	r.Post("/sessions/{id}/accept", p.acceptSession)
	r.Get("/sessions/{id}/transfer", p.askTransfer)
	r.Post("/sessions/{id}/transfer", p.transferSession)
	r.Get("/sessions/{id}/close", p.askClose)
	r.Post("/sessions/{id}/close", p.closeSession)
}

// sessionAt asks the API for the session that the address names.
func (v *visit) sessionAt() (*projections.Session, error) {
	var s projections.Session
	err := v.get("/v1/sessions/"+url.PathEscape(chi.URLParam(v.r, "id")), &s)
	return &s, err
}

// talkOf is where a session is shown.
func talkOf(s *projections.Session) string {
	return customerPath(s.CustomerID.String()) + "?session=" + s.ID.String()
}

func (p *Pages) openSession(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	s, err := v.sessionAt()
	if err != nil {
		v.fail(err)
		return
	}
	http.Redirect(w, r, talkOf(s), http.StatusSeeOther)
}

// nextMessages answers with what was said in an open session after a version of it; with nothing if nothing was. If somebody else has the session
// now, or nobody, all that was said is shown anew.
func (p *Pages) nextMessages(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	s, err := v.sessionAt()
	if err != nil {
		v.fail(err)
		return
	}
	customer := s.CustomerID.String()
	if seen := r.URL.Query().Get("seen"); seen != stateOf(s) || r.Header.Get("HX-Request") == "" {
		h := w.Header()
		h.Set("HX-Retarget", "#records")
		h.Set("HX-Reselect", "#records")
		h.Set("HX-Reswap", "outerHTML")
		v.showCustomer(customer, customerAsk{here: customerPath(customer)})
		return
	}
	after := r.URL.Query().Get("after")
	var page api.List[projections.TranscriptItem]
	if err := v.get("/v1/sessions/"+s.ID.String()+"/messages?"+url.Values{"cursor": {after}, "limit": {"200"}}.Encode(), &page); err != nil {
		v.fail(err)
		return
	}
	if len(page.Items) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	names, err := v.associationNames()
	if err != nil {
		v.fail(err)
		return
	}
	c := &projections.Customer{ID: s.CustomerID}
	if known, err := v.customer(customer); err == nil {
		c = known
	} else if talks, err := v.customerOfTalks(customer); err == nil {
		c = talks
	}
	f := &flow{v: v, customer: c, associations: names, sessions: map[uuid.UUID]*projections.Session{s.ID: s}, last: s.StartedAt}
	view := talkView{Live: v.live(s, page.Items[len(page.Items)-1].Version)}
	if view.Items, err = f.items(page.Items); err != nil {
		v.fail(err)
		return
	}
	part, err := v.execute("talk_items", view)
	if err != nil {
		v.broken(err)
		return
	}
	v.write(http.StatusOK, []byte(part))
}

// reply writes to the customer. What could not be sent stays in the form, with why.
func (p *Pages) reply(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	s, err := v.sessionAt()
	if err != nil {
		v.fail(err)
		return
	}
	customer, text := s.CustomerID.String(), r.PostFormValue("text")
	if strings.TrimSpace(text) == "" {
		v.showCustomer(customer, customerAsk{status: http.StatusUnprocessableEntity, reply: &field{Wrong: v.t("customer.reply_empty")}})
		return
	}
	err = v.send(http.MethodPost, "/v1/sessions/"+s.ID.String()+"/messages", api.MessageInput{Kind: "text", Text: text, ID: r.PostFormValue("id")}, nil)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showCustomer(customer, customerAsk{status: problem.Status, reply: &field{Value: text, Wrong: firstWrong(problem)}})
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	http.Redirect(v.w, r, customerPath(customer), http.StatusSeeOther) // the message is there to be seen: nothing else needs to be told
}

func (p *Pages) acceptSession(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var s projections.Session
	err := v.send(http.MethodPost, "/v1/sessions/"+url.PathEscape(chi.URLParam(r, "id"))+"/accept", nil, &s)
	if err != nil {
		v.refused(v.back("/"), err)
		return
	}
	v.done(v.back(talkOf(&s)), notice{Tone: "good", Text: v.t("customer.accepted")})
}

func (p *Pages) askTransfer(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).showTransfer(http.StatusOK, "", "")
}

func (v *visit) showTransfer(code int, to, wrongTo string) {
	s, err := v.sessionAt()
	if err != nil {
		v.fail(err)
		return
	}
	var agents api.List[projections.Agent]
	if err := v.get("/v1/agents", &agents); err != nil {
		v.fail(err)
		return
	}
	var known []option // to an agent, nobody else
	for _, a := range agents.Items {
		if s.Agent == nil || a.ID != s.Agent.ID {
			known = append(known, option{Value: a.ID, Text: a.Name})
		}
	}
	c := confirm{
		Title: v.t("customer.transfer_title"), Text: v.t("customer.transfer_text"), Action: "/sessions/" + s.ID.String() + "/transfer",
		Inputs: []field{{Name: "to", Label: v.t("customer.transfer_to"), Value: to, Wrong: wrongTo, Known: known, Required: true, Focus: true, Autocomplete: "off"}},
		Button: v.t("customer.transfer_button"), Back: talkOf(s),
	}
	v.showDialog(code, "confirm", c.Title, c)
}

func (p *Pages) transferSession(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	to := r.PostFormValue("to")
	var s projections.Session
	err := v.send(http.MethodPost, "/v1/sessions/"+url.PathEscape(chi.URLParam(r, "id"))+"/transfer", api.TransferInput{To: to}, &s)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showTransfer(problem.Status, to, firstWrong(problem))
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.done(customerPath(s.CustomerID.String()), notice{Tone: "good", Text: v.t("customer.transferred", "agent", to)})
}

func (p *Pages) askClose(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	s, err := v.sessionAt()
	if err != nil {
		v.fail(err)
		return
	}
	c := confirm{
		Title: v.t("customer.close_title"), Text: v.t("customer.close_text"), Action: "/sessions/" + s.ID.String() + "/close",
		Button: v.t("customer.close_button"), Danger: true, Back: talkOf(s),
	}
	if s.State == "waiting" {
		c.Text = v.t("customer.close_waiting")
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

func (p *Pages) closeSession(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var s projections.Session
	if err := v.send(http.MethodPost, "/v1/sessions/"+url.PathEscape(chi.URLParam(r, "id"))+"/close", nil, &s); err != nil {
		v.refused(v.back("/"), err)
		return
	}
	v.done(customerPath(s.CustomerID.String()), notice{Tone: "good", Text: v.t("customer.closed")})
}
