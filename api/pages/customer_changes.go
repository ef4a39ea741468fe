package pages

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

// changesView is everything that happened with the customer, the latest first.
type changesView struct {
	Kinds   []tab
	Items   []changeItem
	Partial bool   // the search for these kinds stopped before it had a page full
	Older   string // the address of what was before; empty: nothing was
	Empty   *empty
}

// changeItem is an event in words.
type changeItem struct {
	Icon    string
	Hue     int
	Text    string
	Changes []fieldChange
	Who     string
	When    *moment
	From    string // the request or event that it came of
	Session string // the address of the session it was in
	Erased  bool
	Then    string // the address of the page as of this event; empty: the visitor may not look into the past
}

type fieldChange struct{ Label, Old, New string }

// changeKind is a kind of events to choose. What agents are told of is what was changed of the customer.
type changeKind struct {
	Name   string
	Agents bool
	Types  []string // none: whatever the visitor may see
}

// changeKinds are the kinds to choose from. The first one is everything but what was said, which the transcript tells better; that a session is open
// is told by the session's own events, which agents do not see here.
var changeKinds = func() []changeKind {
	kinds := []changeKind{
		{"all", true, nil},
		{"profile", true, []string{"customer.created", "customer.profile_changed", "customer.withdrawn", "customer.erased", "customer.disclosed"}},
		{"tags", true, []string{"customer.tagged", "customer.untagged"}},
		{"blacklist", true, []string{"customer.blacklisted", "customer.unblacklisted"}},
		{"sessions", false, []string{"session.started", "session.accepted", "session.transferred", "session.closed", "session.aborted", "session.rated", "session.web_attributes_recorded"}},
		{"held", false, []string{"suppressed.message_recorded"}},
		{"auto", false, []string{"auto_message.sent", "auto_message.withheld", "auto_message.delivered", "auto_message.read", "auto_message.replied"}},
		{"skipped", false, []string{"projection.events_skipped"}},
	}
	for _, kind := range kinds[1:] {
		kinds[0].Types = append(kinds[0].Types, kind.Types...)
	}
	return append(kinds, changeKind{"messages", false, []string{"session.message_recorded"}})
}()

func (v *visit) changes(c *projections.Customer) (*changesView, error) {
	path := customerPath(c.ID.String())
	asked := v.r.URL.Query()
	query := url.Values{"limit": {"50"}, "cursor": {asked.Get("cursor")}}
	view := &changesView{}
	for i, kind := range changeKinds {
		if v.in.Role == access.Agent && !kind.Agents {
			continue
		}
		shown := tab{Path: path + "/changes", Text: v.t("customer.kind_" + kind.Name), Current: asked.Get("kind") == kind.Name || i == 0 && asked.Get("kind") == ""}
		if i > 0 {
			shown.Path += "?kind=" + kind.Name
		}
		shown.Path = v.stays(shown.Path)
		if shown.Current && (i > 0 || v.in.Role != access.Agent) {
			query.Set("type", strings.Join(kind.Types, ","))
		}
		view.Kinds = append(view.Kinds, shown)
	}
	var list api.List[api.HistoryItem]
	if err := v.get(v.of("/v1"+path+"/history?"+query.Encode()), &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		view.Items = append(view.Items, v.changeItem(&list.Items[i], path))
	}
	view.Partial = list.Partial
	if list.Next != "" {
		older := url.Values{"cursor": {list.Next}}
		if kind := asked.Get("kind"); kind != "" {
			older.Set("kind", kind)
		}
		view.Older = v.stays(path + "/changes?" + older.Encode())
	}
	if len(list.Items) == 0 && list.Next == "" {
		view.Empty = &empty{Icon: "history", Title: v.t("customer.no_changes"), Actions: []action{{Path: v.stays(path + "/changes"), Text: v.t("customer.all_changes")}}}
	}
	return view, nil
}

func (v *visit) changeItem(h *api.HistoryItem, path string) changeItem {
	when := h.At
	if h.OccurredAt != nil {
		when = *h.OccurredAt
	}
	item := changeItem{Icon: changeIcon(h.Type), Hue: hueOf(h.Actor.ID), Text: h.Text, When: v.clock(when, time.Time{}), From: h.From.Text, Erased: h.Erased}
	item.Who = h.Actor.Label
	if h.Actor.Kind == "admin" || h.Actor.Kind == "agent" {
		item.Who = v.t("customer.by", "name", h.Actor.ID, "role", h.Actor.Label)
	}
	if h.SessionID != nil {
		item.Session = v.stays(path + "?session=" + h.SessionID.String())
	}
	if v.mayPast() {
		item.Then = withMoment(path, strconv.FormatInt(h.Position, 10))
	}
	// Of other events the sentence says it all.
	if h.Type == "customer.profile_changed" || h.Type == "customer.created" {
		for _, c := range h.Changes {
			change := fieldChange{Label: c.Label}
			if c.Old != nil {
				change.Old = *c.Old
			}
			if c.New != nil {
				change.New = *c.New
			}
			item.Changes = append(item.Changes, change)
		}
		if h.Type == "customer.profile_changed" && len(item.Changes) > 0 {
			item.Text = v.t("customer.profile_changed")
		}
	}
	return item
}

// changeIcon is the icon of a type of event.
func changeIcon(kind string) string {
	switch kind {
	case "customer.created":
		return "plus"
	case "customer.withdrawn":
		return "undo"
	case "customer.tagged", "customer.untagged":
		return "tag"
	case "customer.blacklisted", "customer.unblacklisted", "suppressed.message_recorded":
		return "ban"
	case "session.rated":
		return "star"
	case "session.web_attributes_recorded":
		return "web"
	}
	switch kind, _, _ := strings.Cut(kind, "."); kind {
	case "session":
		return "chat"
	case "auto_message":
		return "send"
	}
	if strings.HasPrefix(kind, "customer.session_") {
		return "chat"
	}
	return "pencil"
}
