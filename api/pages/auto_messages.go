package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/automessage"
)

var autoMessagesPage = page{
	place:  &place{Section: "operations", Order: 20, Name: "auto_messages", Icon: "send", Path: "/auto-messages", Operation: "list-auto-messages"},
	words:  autoMessageWords,
	routes: (*Pages).autoMessagePages,
}

func (p *Pages) autoMessagePages(r chi.Router) {
	r.Get("/auto-messages", p.listAutoMessages)
	r.Get("/auto-messages/new", p.newAutoMessage)
	r.Post("/auto-messages/new", p.defineAutoMessage)
	r.Get("/auto-messages/{id}", p.showAutoMessage)
	r.Get("/auto-messages/{id}/edit", p.editAutoMessage)
	r.Post("/auto-messages/{id}/edit", p.changeAutoMessage)
	r.Get("/auto-messages/{id}/recipients", p.askAddRecipients)
	r.Post("/auto-messages/{id}/recipients", p.addRecipients)
	for _, act := range []string{"start", "stop", "delete"} {
		r.Get("/auto-messages/{id}/"+act, func(_ http.ResponseWriter, r *http.Request) { visitOf(r).askAutoMessage(act) })
		r.Post("/auto-messages/{id}/"+act, func(_ http.ResponseWriter, r *http.Request) { visitOf(r).doAutoMessage(act) })
	}
}

// autoMessagesView is the view of the list of auto messages.
type autoMessagesView struct {
	Summary string
	Full    bool
	Rows    []autoMessageRow
	Watch   *watch // while one is running
	Empty   *empty
}

type autoMessageRow struct {
	Path, Name, Text, Audience string
	Status                     status
	Started                    *moment
	Counts                     autoMessageCounts
}

// autoMessageCounts are what became of a message, in words.
type autoMessageCounts struct{ Sent, Delivered, Read, Replied, Withheld string }

func countsOf(m *api.AutoMessage) autoMessageCounts {
	c := m.Counts
	return autoMessageCounts{grouped(c.Sent), grouped(c.Delivered), grouped(c.Read), grouped(c.Replied), grouped(c.Withheld)}
}

func (p *Pages) listAutoMessages(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	var all api.List[api.AutoMessage]
	if err := v.get("/v1/auto-messages", &all); err != nil {
		v.fail(err)
		return
	}
	groups, err := v.groupNames()
	if err != nil {
		v.fail(err)
		return
	}
	view := autoMessagesView{Summary: v.t("auto_messages.summary", "n", len(all.Items), "max", automessage.MaxMessages), Full: len(all.Items) >= automessage.MaxMessages}
	running := false
	for i := len(all.Items) - 1; i >= 0; i-- { // the latest first
		m := &all.Items[i]
		running = running || m.Status == "running"
		view.Rows = append(view.Rows, autoMessageRow{Path: "/auto-messages/" + m.ID.String(), Name: m.Name, Text: m.Text, Audience: v.audienceOf(m, groups),
			Status: v.standing(m), Started: v.moment(m.StartedAt), Counts: countsOf(m)})
	}
	view.Watch = v.watch(running, "auto-messages", 3)
	if len(view.Rows) == 0 {
		view.Empty = &empty{Icon: "send", Title: v.t("auto_messages.none"), Text: v.t("auto_messages.none_text"),
			Actions: []action{{Path: "/auto-messages/new", Text: v.t("auto_messages.new"), Icon: "plus", Primary: true}}}
	}
	v.show(http.StatusOK, "auto_messages", v.t("auto_messages.title"), view)
}

// standing is the state of an auto message.
func (v *visit) standing(m *api.AutoMessage) status {
	text := v.speech.one("auto_messages.status", m.Status)
	switch m.Status {
	case "running":
		return status{Tone: "live", Text: text}
	case "stopped":
		return status{Tone: "warn", Text: text}
	}
	return status{Hollow: true, Text: text}
}

// groupNames are the names of the groups that there are.
func (v *visit) groupNames() (map[uuid.UUID]string, error) {
	var groups api.List[api.Group]
	if err := v.get("/v1/groups", &groups); err != nil {
		return nil, err
	}
	names := map[uuid.UUID]string{}
	for _, g := range groups.Items {
		names[g.ID] = g.Name
	}
	return names, nil
}

// audienceOf is who gets an auto message, in words.
func (v *visit) audienceOf(m *api.AutoMessage, groups map[uuid.UUID]string) string {
	var parts []string
	switch {
	case len(m.Audience.Groups) > 0:
		var names []string
		for _, id := range m.Audience.Groups {
			if name, known := groups[id]; known {
				names = append(names, name)
			} else {
				names = append(names, v.t("auto_messages.group_gone"))
			}
		}
		parts = append(parts, v.t("auto_messages.of_groups", "names", strings.Join(names, v.t("auto_messages.and"))))
	case len(m.Audience.Filter) > 0:
		parts = append(parts, m.Description)
	}
	if m.Audience.Listed > 0 {
		parts = append(parts, v.t("auto_messages.listed", "n", m.Audience.Listed))
	}
	return strings.Join(parts, v.t("auto_messages.plus"))
}

// autoMessage asks the API for an auto message, and for its ETag.
func (v *visit) autoMessage(id string) (m api.AutoMessage, etag string, err error) {
	header, err := v.ask(call{method: http.MethodGet, path: "/v1/auto-messages/" + url.PathEscape(id)}, &m)
	return m, header.Get("ETag"), err
}
