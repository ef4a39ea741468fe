package pages

import (
	"net/http"
	"net/url"
	"strings"

	"customercenter/api"
)

// historyView is what happened with an entry of a catalogue, the latest first. It is a section of a page, or a page of its own.
type historyView struct {
	Title          string
	Back, BackText string // of a page of its own
	Items          []historyItem
	Older          string // the address of what happened before; empty: that was all
	Newest         string // the address of the latest; empty: they are shown
}

type historyItem struct {
	Icon    string
	Hue     int
	Text    string // empty: the changes tell it
	Changes []historyChange
	Actor   string
	Title   string // what the actor is
	When    *moment
}

type historyChange struct{ Label, Old, New string }

// historyIcons are those of what happens to entries, by how its type ends. All else is a change.
var historyIcons = map[string]string{"added": "plus", "created": "plus", "registered": "plus", "removed": "close", "deleted": "close", "shown": "eye", "reordered": "sort"}

// toldByText are endings of types of which the sentence says more than old and new values do.
var toldByText = []string{"added", "created", "registered", "removed", "deleted", "shown", "hidden", "enabled", "disabled", "granted", "revoked"}

// history asks the API for a history, as far back as this page's address says.
func (v *visit) history(path string) (*historyView, error) {
	before := v.r.URL.Query().Get("before")
	var page api.List[api.HistoryItem]
	if err := v.get(path+"?"+url.Values{"limit": {"20"}, "cursor": {before}}.Encode(), &page); err != nil {
		return nil, err
	}
	view := &historyView{Title: v.t("history.title")}
	for _, item := range page.Items {
		view.Items = append(view.Items, v.historyItem(&item))
	}
	if page.Next != "" {
		view.Older = v.r.URL.Path + "?" + url.Values{"before": {page.Next}}.Encode() + "#history"
	}
	if before != "" {
		view.Newest = v.r.URL.Path + "#history"
	}
	return view, nil
}

func (v *visit) historyItem(item *api.HistoryItem) historyItem {
	_, ending, _ := strings.Cut(item.Type, ".")
	shown := historyItem{Icon: "pencil", Hue: hueOf(item.Actor.ID), Actor: item.Actor.ID, Title: item.Actor.Label, When: v.moment(&item.At)}
	if icon, found := historyIcons[ending]; found {
		shown.Icon = icon
	}
	for _, c := range item.Changes {
		shown.Changes = append(shown.Changes, historyChange{c.Label, orEmpty(c.Old), orEmpty(c.New)})
	}
	for _, told := range toldByText {
		if ending == told || strings.HasSuffix(ending, "_"+told) {
			shown.Changes = nil
		}
	}
	if len(shown.Changes) == 0 {
		shown.Text = item.Text
	}
	return shown
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// historyPage answers with a history as a page of its own.
func (v *visit) historyPage(title, path, back, backText string) {
	view, err := v.history(path)
	if err != nil {
		v.fail(err)
		return
	}
	view.Title, view.Back, view.BackText = title, back, backText
	v.show(http.StatusOK, "history_page", title, view)
}
