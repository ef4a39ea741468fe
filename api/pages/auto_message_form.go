package pages

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/automessage"
)

// autoMessageFormView is the view of the form of an auto message, with how many it would reach.
type autoMessageFormView struct {
	Title, Action, Back string
	Crumbs              []crumb
	New                 bool
	Etag                string
	Wrong               *banner
	Name, Text, Rate    field
	Started             bool // text and audience are fixed
	Audience            string
	Copy                string // the address of the form that begins with this one
	Kind                string // groups, filter or customers
	Groups              []groupChoice
	Conditions          conditionsView
	Customers           field
	Listed              string // how many are on the list already; empty: it is new
	AudienceWrong       string
	Reach               reachView
}

// groupChoice is a group to choose.
type groupChoice struct {
	ID, Name, Members string
	Chosen            bool
}

var audienceUse = conditionsUse{At: "audience.filter", Groups: true}

// autoMessageForm is the form of an auto message as it was sent, or is to be shown.
type autoMessageForm struct {
	message       *api.AutoMessage // nil: a new one
	etag          string
	name, text    string
	rate          string
	kind          string
	groups        []uuid.UUID
	filter        *conditions
	customers     string
	preview       bool // it is sent only to see whom it would reach
	wrong         *banner
	wrongName     string
	wrongText     string
	wrongRate     string
	wrongAudience string
	wrongList     string
}

const usualRate = 600

func (p *Pages) newAutoMessage(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if err := v.get("/v1/auto-messages", nil); err != nil { // who may not see them, writes none
		v.fail(err)
		return
	}
	form := autoMessageForm{rate: strconv.Itoa(usualRate), kind: "groups"}
	if from := r.URL.Query().Get("from"); from != "" {
		m, _, err := v.autoMessage(from)
		if err != nil {
			v.fail(err)
			return
		}
		form.fill(&m)
		form.name = ""
	}
	v.openAutoMessageForm(&form, nil)
}

func (p *Pages) editAutoMessage(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	m, etag, err := v.autoMessage(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	form := autoMessageForm{etag: etag}
	form.fill(&m)
	v.openAutoMessageForm(&form, &m)
}

// fill takes what an auto message has.
func (f *autoMessageForm) fill(m *api.AutoMessage) {
	f.message, f.name, f.text, f.rate, f.groups = m, m.Name, m.Text, strconv.Itoa(m.Rate), m.Audience.Groups
	switch {
	case len(m.Audience.Groups) > 0:
		f.kind = "groups"
	case len(m.Audience.Filter) > 0:
		f.kind = "filter"
	default:
		f.kind = "customers"
	}
}

// openAutoMessageForm shows the form for the first time; of a message, or of a new one that may begin with another.
func (v *visit) openAutoMessageForm(form *autoMessageForm, m *api.AutoMessage) {
	var asked []byte
	if form.message != nil {
		asked = form.message.Audience.Filter
	}
	form.message = m
	var err error
	if form.filter, err = v.conditions(audienceUse, asked); err != nil {
		v.fail(err)
		return
	}
	if len(asked) == 0 {
		form.filter.suggest("tags", "channel")
	}
	v.showAutoMessageForm(http.StatusOK, form)
}

// postedAutoMessage reads the form of an auto message.
func (v *visit) postedAutoMessage() (*autoMessageForm, error) {
	filter, err := v.postedConditions(audienceUse)
	if err != nil {
		return nil, err
	}
	post := v.r.PostForm
	form := &autoMessageForm{etag: post.Get("etag"), name: post.Get("name"), text: strings.ReplaceAll(post.Get("text"), "\r\n", "\n"), rate: strings.TrimSpace(post.Get("rate")),
		kind: oneOf(post.Get("kind"), "groups", "filter", "customers"), filter: filter, customers: post.Get("customers"), preview: post.Get("do") == "preview"}
	for _, one := range post["group"] {
		if id, err := uuid.Parse(one); err == nil {
			form.groups = append(form.groups, id)
		}
	}
	return form, nil
}

// input is the audience as the API takes it. What is wrong with a list of customers, it notes in the form.
func (v *visit) audienceInput(form *autoMessageForm) (in api.AudienceInput, err error) {
	switch form.kind {
	case "filter":
		in.Filter = form.filter.JSON()
	case "customers":
		in.Customers, form.wrongList, err = v.customersByID(form.customers)
	default:
		in.Groups = form.groups
		if len(form.groups) == 0 {
			form.wrongAudience = v.t("auto_messages.choose_group")
		}
	}
	return in, err
}

func (p *Pages) defineAutoMessage(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	form, err := v.postedAutoMessage()
	if err != nil {
		v.fail(err)
		return
	}
	if form.preview || form.filter.Edited {
		v.showAutoMessageForm(http.StatusOK, form)
		return
	}
	in := api.AutoMessageInput{Name: form.name, Text: form.text}
	if in.Audience, err = v.audienceInput(form); err != nil {
		v.fail(err)
		return
	}
	in.Rate = form.readRate(v)
	if form.wrongAudience != "" || form.wrongList != "" || form.wrongRate != "" {
		v.showAutoMessageForm(http.StatusUnprocessableEntity, form)
		return
	}
	var m api.AutoMessage
	if err := v.send(http.MethodPost, "/v1/auto-messages", in, &m); err != nil {
		v.refusedAutoMessage(form, err)
		return
	}
	v.done("/auto-messages/"+m.ID.String(), notice{Tone: "good", Text: v.t("auto_messages.defined", "name", m.Name)})
}

// readRate reads the rate; what is no number is wrong.
func (f *autoMessageForm) readRate(v *visit) int {
	n, err := strconv.Atoi(f.rate)
	if err != nil || n < 1 || n > automessage.MaxRate {
		f.wrongRate = v.t("auto_messages.wrong_rate", "max", automessage.MaxRate)
	}
	return n
}

func (p *Pages) changeAutoMessage(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	form, err := v.postedAutoMessage()
	if err != nil {
		v.fail(err)
		return
	}
	before, etag, err := v.autoMessage(chi.URLParam(r, "id"))
	if err != nil {
		v.fail(err)
		return
	}
	form.message = &before
	if form.preview || form.filter.Edited {
		v.showAutoMessageForm(http.StatusOK, form)
		return
	}
	rate := form.readRate(v)
	change := api.AutoMessageChange{Name: &form.name, Rate: &rate}
	if before.StartedAt == nil {
		change.Text = &form.text
		if form.kind != "customers" { // a list is only added to, on the message's page
			in, err := v.audienceInput(form)
			if err != nil {
				v.fail(err)
				return
			}
			change.Audience = &in
		}
	}
	if form.wrongAudience != "" || form.wrongRate != "" {
		v.showAutoMessageForm(http.StatusUnprocessableEntity, form)
		return
	}
	path := "/auto-messages/" + before.ID.String()
	_, err = v.ask(call{method: http.MethodPatch, path: "/v1" + path, body: change, ifMatch: form.etag}, nil)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusPreconditionFailed {
		form.etag = etag
		form.wrong = &banner{Tone: "warn", Text: v.t("auto_messages.lost", "name", before.Name), More: v.t("auto_messages.lost_text")}
		v.showAutoMessageForm(problem.Status, form)
		return
	}
	if err != nil {
		v.refusedAutoMessage(form, err)
		return
	}
	v.done(path, notice{Tone: "good", Text: v.t("auto_messages.changed", "name", form.name)})
}

// refusedAutoMessage shows the form again, with what the API refuses of it where it belongs.
func (v *visit) refusedAutoMessage(form *autoMessageForm, err error) {
	problem, refused := refusal(err)
	if !refused || problem.Status >= http.StatusInternalServerError || problem.Status == http.StatusForbidden || problem.Status == http.StatusNotFound {
		v.fail(err)
		return
	}
	form.wrongName, form.wrongText, form.wrongRate = wrong(err, "name", false), wrong(err, "text", false), wrong(err, "rate", false)
	about := form.filter.refused(err)
	for _, e := range problem.Errors {
		location := strings.TrimPrefix(e.Location, "body.")
		if within(location, "audience") && !within(location, audienceUse.At) {
			form.wrongAudience = e.Detail
		}
	}
	if form.wrongName+form.wrongText+form.wrongRate+form.wrongAudience == "" && !about {
		form.wrong = &banner{Tone: "bad", Text: problem.Title, More: problem.Detail}
	}
	v.showAutoMessageForm(http.StatusUnprocessableEntity, form)
}

func (v *visit) showAutoMessageForm(status int, form *autoMessageForm) {
	view := autoMessageFormView{
		Title: v.t("auto_messages.new"), Action: "/auto-messages/new", Back: "/auto-messages", New: form.message == nil, Etag: form.etag, Wrong: form.wrong,
		Crumbs: []crumb{{"/auto-messages", v.t("auto_messages.title")}}, Kind: form.kind, AudienceWrong: form.wrongAudience,
		Name: field{Name: "name", Label: v.t("auto_messages.name"), Value: form.name, Wrong: form.wrongName, Max: automessage.MaxName, Required: true, Autocomplete: "off",
			Placeholder: v.t("auto_messages.name_hint"), Focus: form.wrongName != ""},
		Text: field{Name: "text", Label: v.t("auto_messages.text"), Value: form.text, Wrong: form.wrongText, Lines: 5, Max: automessage.MaxText, Required: true,
			Hint: v.t("auto_messages.text_hint", "max", automessage.MaxText)},
		Rate:      field{Name: "rate", Label: v.t("auto_messages.rate"), Value: form.rate, Type: "number", Wrong: form.wrongRate, Required: true, Hint: v.t("auto_messages.rate_hint", "max", automessage.MaxRate)},
		Customers: v.customersField(form.customers, form.wrongList),
	}
	groups, err := v.groupChoices(form.groups)
	if err != nil {
		v.fail(err)
		return
	}
	view.Groups = groups
	if m := form.message; m != nil {
		path := "/auto-messages/" + m.ID.String()
		view.Title, view.Action, view.Back = v.t("auto_messages.edit_title", "name", m.Name), path+"/edit", path
		view.Crumbs = append(view.Crumbs, crumb{path, m.Name})
		view.Started, view.Copy = m.StartedAt != nil, "/auto-messages/new?from="+m.ID.String()
		if view.Started {
			view.Text.Value, view.Text.Sunken, view.Text.Hint = m.Text, true, v.t("auto_messages.fixed")
			names, err := v.groupNames()
			if err != nil {
				v.fail(err)
				return
			}
			view.Audience = v.audienceOf(m, names)
		}
		if m.Audience.Listed > 0 {
			view.Listed = v.t("auto_messages.listed", "n", m.Audience.Listed)
		}
	}
	if !view.Started {
		if view.Reach, err = v.reach(form); err != nil {
			v.fail(err)
			return
		}
	}
	view.Conditions = form.filter.view(v)
	v.show(status, "auto_message_form", view.Title, view)
}

// groupChoices are the groups that there are.
func (v *visit) groupChoices(chosen []uuid.UUID) (choices []groupChoice, err error) {
	var groups api.List[api.Group]
	if err := v.get("/v1/groups", &groups); err != nil {
		return nil, err
	}
	for _, g := range groups.Items {
		choices = append(choices, groupChoice{ID: g.ID.String(), Name: g.Name, Members: grouped(g.Members), Chosen: slices.Contains(chosen, g.ID)})
	}
	return choices, nil
}
