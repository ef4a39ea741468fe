package pages

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

// mostTabs are how many groups, and how many saved views, have a tab.
const mostTabs = 12

// listTabs are the beginnings of lists: everybody, this week, groups and saved views. The one that is shown has been counted; the others are
// counted where counts has them, by their address.
func (v *visit) listTabs(q *customerQuery, shown *projections.Count, counts map[string]projections.Count) (tabs, error) {
	t := tabs{Label: v.t("customers.views")}
	add := func(group *tabGroup, path, text, icon string, current bool, known *projections.Count) {
		path = withMoment(path, q.asOf)
		one := tab{Path: path, Text: text, Icon: icon, Current: current, Count: known}
		if current && shown != nil && !q.changed() {
			one.Count = shown
		} else if count, counted := counts[path]; counted {
			one.Count = &count
		}
		group.Tabs = append(group.Tabs, one)
	}
	var first, groups, views tabGroup
	add(&first, customersPath+"?view=all", v.t("customers.all"), "", q.view == "all", nil)
	add(&first, customersPath, v.t("customers.week"), "", q.view == "week", nil)
	if access.May(v.in.Role, "list-groups") {
		var list api.List[api.Group]
		if err := v.get("/v1/groups", &list); err != nil {
			return t, err
		}
		groups.Label = v.t("customers.groups")
		for i, g := range list.Items {
			id := g.ID.String()
			if i < mostTabs || q.id == id {
				count := projections.Count{Value: g.Members, Exact: true}
				known := &count
				if v.in.Role == access.Agent || q.asOf != "" { // the members are everybody's, the list only the agent's own; and they are those of now
					known = nil
				}
				add(&groups, customersPath+"?group="+id, g.Name, "layers", q.view == "group" && q.id == id, known)
			}
		}
		if more := len(list.Items) - mostTabs; more > 0 {
			groups.Tabs = append(groups.Tabs, tab{Path: "/groups", Text: v.t("customers.more_groups", "n", more)})
		}
	}
	var list api.List[api.View]
	if err := v.get("/v1/views", &list); err != nil {
		return t, err
	}
	views.Label = v.t("customers.saved_views")
	more := 0
	for i, s := range openable(list.Items) {
		if id := s.ID.String(); i < mostTabs || q.id == id {
			add(&views, customersPath+"?saved="+id, s.Name, "bookmark", q.view == "saved" && q.id == id, nil)
		} else {
			more++
		}
	}
	if more > 0 {
		views.Tabs = append(views.Tabs, tab{Path: withMoment(customersPath+"/views", q.asOf), Text: v.t("customers.more_views", "n", more)})
	}
	for _, group := range []tabGroup{first, groups, views} {
		if len(group.Tabs) > 0 {
			t.Groups = append(t.Groups, group)
		}
	}
	return t, nil
}

// openable are the views that the visitor can open: not those that look at what the visitor sees masked.
func openable(views []api.View) []api.View {
	return slices.DeleteFunc(views, func(s api.View) bool { return s.Filter == nil })
}

// countTabs answers the script with the tabs, all counted; with nothing if they cannot be, as they are there already.
func (p *Pages) countTabs(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	inside, err := v.countedTabs()
	if err != nil { // the API has logged why
		p.Log.WarnContext(r.Context(), "pages: the tabs are not counted", "request", v.id)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	v.write(http.StatusOK, []byte(inside))
}

func (v *visit) countedTabs() (template.HTML, error) {
	q, err := v.customerQuery(v.r.URL.Query())
	if err != nil {
		return "", err
	}
	counts := map[string]projections.Count{}
	t, err := v.listTabs(q, nil, nil)
	if err != nil {
		return "", err
	}
	filters, err := v.beginnings()
	if err != nil {
		return "", err
	}
	for _, group := range t.Groups {
		for _, tab := range group.Tabs {
			if tab.Count != nil || !strings.HasPrefix(tab.Path, customersPath) || strings.HasPrefix(tab.Path, customersPath+"/") {
				continue
			}
			count, err := v.countAsOf(q.asOf, filters(tab.Path))
			if _, refused := refusal(err); refused {
				continue // of a tag that is gone, for example: the view itself says so
			}
			if err != nil {
				return "", err
			}
			counts[tab.Path] = count
		}
	}
	if t, err = v.listTabs(q, nil, counts); err != nil {
		return "", err
	}
	return v.execute("tabs", t)
}

// beginnings tells the filter in which the list at an address of a tab begins.
func (v *visit) beginnings() (func(path string) json.RawMessage, error) {
	var list api.List[api.View]
	if err := v.get("/v1/views", &list); err != nil {
		return nil, err
	}
	saved := map[string]json.RawMessage{}
	for _, s := range list.Items {
		saved[s.ID.String()] = s.Filter
	}
	return func(path string) json.RawMessage {
		u, err := url.Parse(path)
		if err != nil {
			panic("pages: " + err.Error()) // our own address
		}
		switch values := u.Query(); {
		case values.Has("saved"):
			return orElse(saved[values.Get("saved")], everybody)
		case values.Has("group"):
			return inGroup(uuid.MustParse(values.Get("group"))) // of our own address
		case values.Has("view"):
			return everybody
		}
		return thisWeek
	}, nil
}
