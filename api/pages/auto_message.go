package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/domain/automessage"
)

// autoMessageView is the view of one auto message: what it says to whom, and what became of it.
type autoMessageView struct {
	Path, Name, Text string
	Crumbs           []crumb
	Status           status
	Draft, Running   bool
	Audience         string
	Groups           []action // that it goes to
	Listed           string   // how many were put on its list besides
	Rate             string
	Started, Defined *moment
	Reach            string
	Counts           autoMessageCounts
	Rows             []recipientRow
	Pager            pager
	Nobody           string  // why there are no recipients
	Gone             *banner // its audience names a tag or a group that was deleted
	Watch            *watch  // while it runs
}

type recipientRow struct {
	Who   who
	Sent  *moment
	State status
	When  *moment
}

func (p *Pages) showAutoMessage(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	m, _, err := v.autoMessage(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	path := "/auto-messages/" + m.ID.String()
	var recipients api.List[api.Recipient]
	if err := v.get("/v1"+path+"/recipients?"+url.Values{"cursor": {r.URL.Query().Get("cursor")}}.Encode(), &recipients); err != nil {
		v.fail(err)
		return
	}
	names, err := v.groupNames()
	if err != nil {
		v.fail(err)
		return
	}
	view := autoMessageView{
		Path: path, Name: m.Name, Text: m.Text, Crumbs: []crumb{{"/auto-messages", v.t("auto_messages.title")}}, Status: v.standing(&m),
		Draft: m.StartedAt == nil, Running: m.Status == "running", Audience: v.audienceOf(&m, names),
		Rate: v.t("auto_messages.per_minute", "n", m.Rate), Started: v.moment(m.StartedAt), Defined: v.moment(&m.DefinedAt), Counts: countsOf(&m),
		Pager: pagerOf(v.still(), v.t("auto_messages.pager"), v.t("auto_messages.recipient_count", "n", recipients.Count), recipients.Prev, recipients.Next),
	}
	for _, id := range m.Audience.Groups {
		if name, known := names[id]; known {
			view.Groups = append(view.Groups, action{Path: "/groups/" + id.String(), Text: name})
		}
	}
	if m.Audience.Listed > 0 && len(view.Groups) > 0 {
		view.Listed = v.t("auto_messages.listed", "n", m.Audience.Listed)
	}
	if m.Counts.Audience != nil {
		view.Reach = counted(*m.Counts.Audience)
	}
	if len(m.Gone) > 0 {
		view.Gone = &banner{Tone: "bad", Text: v.t("auto_messages.gone"), More: v.t("auto_messages.gone_started")}
		if view.Draft {
			view.Gone.More = v.t("auto_messages.gone_draft")
		}
	}
	view.Watch = v.watch(view.Running, "auto-message", 3)
	for _, one := range recipients.Items {
		view.Rows = append(view.Rows, v.recipientRow(&one))
	}
	switch {
	case view.Draft:
		view.Nobody = v.t("auto_messages.nobody_draft")
	case view.Running:
		view.Nobody = v.t("auto_messages.nobody_yet")
	default:
		view.Nobody = v.t("auto_messages.nobody_got")
	}
	v.show(http.StatusOK, "auto_message", m.Name, view)
}

func (v *visit) recipientRow(r *api.Recipient) recipientRow {
	row := recipientRow{Who: v.called(r.CustomerID, r.Nickname, r.ExternalID), Sent: v.moment(&r.SentAt)}
	switch {
	case r.Code != "":
		row.State = status{Tone: "bad", Text: v.speech.one("auto_messages.withheld", r.Code)}
	case r.RepliedAt != nil:
		row.State, row.When = status{Tone: "good", Text: v.t("auto_messages.replied")}, v.moment(r.RepliedAt)
	case r.ReadAt != nil:
		row.State, row.When = status{Tone: "good", Text: v.t("auto_messages.read")}, v.moment(r.ReadAt)
	case r.DeliveredAt != nil:
		row.State, row.When = status{Tone: "live", Text: v.t("auto_messages.delivered")}, v.moment(r.DeliveredAt)
	default:
		row.State = status{Hollow: true, Text: v.t("auto_messages.sent")}
	}
	return row
}

// askAutoMessage says what it means to start, stop or delete an auto message.
func (v *visit) askAutoMessage(act string) {
	m, etag, err := v.autoMessage(chi.URLParam(v.r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	path := "/auto-messages/" + m.ID.String()
	c := confirm{Action: path + "/" + act, Fields: hidden{"etag": etag}, Back: path}
	switch act {
	case "start":
		c.Title, c.Button = v.t("auto_messages.start_title", "name", m.Name), v.t("auto_messages.start_button")
		c.Text = v.startEffect(&m)
	case "stop":
		c.Title, c.Button, c.Danger = v.t("auto_messages.stop_title", "name", m.Name), v.t("auto_messages.stop_button"), true
		c.Text = v.t("auto_messages.stop_text", "n", m.Counts.Sent)
	default:
		c.Title, c.Button, c.Danger = v.t("auto_messages.delete_title", "name", m.Name), v.t("auto_messages.delete_button"), true
		c.Text = v.t("auto_messages.delete_text")
		if m.Counts.Sent > 0 {
			c.Text = v.t("auto_messages.delete_text_sent", "n", m.Counts.Sent)
		}
	}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}

// startEffect says who gets an auto message once it is started, how long that takes, and that it cannot be taken back.
func (v *visit) startEffect(m *api.AutoMessage) string {
	n := m.Counts.Audience
	left := max(n.Value-m.Counts.Sent-m.Counts.Withheld, 0)
	text := v.t("auto_messages.start_text", "n", counted(*n), "rate", m.Rate)
	if m.Counts.Sent > 0 {
		text = v.t("auto_messages.start_text_again", "n", counted(*n), "sent", m.Counts.Sent, "rate", m.Rate)
	}
	if minutes := (left + int64(m.Rate) - 1) / int64(m.Rate); minutes > 1 {
		text += v.t("auto_messages.takes", "minutes", minutes)
	}
	if len(m.Audience.Groups) > 0 || len(m.Audience.Filter) > 0 {
		text += v.t("auto_messages.later_too")
	}
	return text + v.t("auto_messages.no_way_back")
}

func (v *visit) doAutoMessage(act string) {
	path := "/auto-messages/" + url.PathEscape(chi.URLParam(v.r, "id"))
	var m api.AutoMessage
	c := call{method: http.MethodPost, path: "/v1" + path + "/" + act, ifMatch: v.r.PostFormValue("etag")}
	if act == "delete" {
		before, _, err := v.autoMessage(chi.URLParam(v.r, "id"))
		if err != nil {
			v.fail(err)
			return
		}
		if _, err := v.ask(call{method: http.MethodDelete, path: "/v1" + path, ifMatch: c.ifMatch}, nil); err != nil {
			v.refused(path, err)
			return
		}
		v.done("/auto-messages", notice{Tone: "good", Text: v.t("auto_messages.deleted", "name", before.Name)})
		return
	}
	if _, err := v.ask(c, &m); err != nil {
		v.refused(path, err)
		return
	}
	n := notice{Tone: "good", Text: v.t("auto_messages.started", "name", m.Name)}
	if act == "stop" {
		n = notice{Tone: "good", Text: v.t("auto_messages.stopped", "name", m.Name), Undo: &undo{Action: path + "/start"}}
	}
	v.done(path, n)
}

// askAddRecipients asks for customers to put on the list of an auto message.
func (p *Pages) askAddRecipients(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	m, _, err := v.autoMessage(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	v.showAddRecipients(http.StatusOK, &m, "", "")
}

func (v *visit) showAddRecipients(status int, m *api.AutoMessage, typed, wrong string) {
	path := "/auto-messages/" + m.ID.String()
	c := confirm{Title: v.t("auto_messages.add_title", "name", m.Name), Text: v.t("auto_messages.add_text"), Action: path + "/recipients", Back: path,
		Button: v.t("auto_messages.add_button"), Inputs: []field{v.customersField(typed, wrong)}}
	if m.Status == "running" {
		c.Text = v.t("auto_messages.add_text_running")
	}
	v.showDialog(status, "confirm", c.Title, c)
}

// customersField takes the ids of customers.
func (v *visit) customersField(typed, wrong string) field {
	return field{Name: "customers", Label: v.t("auto_messages.customers"), Value: typed, Wrong: wrong, Lines: 5, Autocomplete: "off",
		Hint: v.t("auto_messages.customers_hint", "max", automessage.MaxAdded)}
}

func (p *Pages) addRecipients(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	m, _, err := v.autoMessage(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	typed := r.PostFormValue("customers")
	ids, wrongIDs, err := v.customersByID(typed)
	if err != nil {
		v.fail(err)
		return
	}
	if wrongIDs != "" {
		v.showAddRecipients(http.StatusUnprocessableEntity, &m, typed, wrongIDs)
		return
	}
	path := "/auto-messages/" + m.ID.String()
	err = v.send(http.MethodPost, "/v1"+path+"/recipients", api.RecipientsInput{Customers: ids}, nil)
	if problem, refused := refusal(err); refused && problem.Status < http.StatusInternalServerError {
		v.showAddRecipients(http.StatusUnprocessableEntity, &m, typed, reasons(problem))
		return
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.done(path, notice{Tone: "good", Text: v.t("auto_messages.added", "n", len(ids))})
}

// reasons are all that the API has to say of a request.
func reasons(p *api.Problem) string {
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Detail)
	}
	if len(all) == 0 {
		return p.Detail
	}
	return strings.Join(all, " ")
}
