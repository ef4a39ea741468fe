package pages

import (
	"cmp"
	"slices"
	"strings"

	"customercenter/api/access"
)

// place is where a page stands in the navigation. Its title is the words "<name>.title".
type place struct {
	Section   string // customers, operations, data, settings
	Order     int    // in its section
	Name      string // of the page
	Icon      string
	Path      string
	Operation string // of the API: whoever may call it sees the place
	Center    bool   // agents see it only if the tenant lets them into the customer center
}

// sectionOrder is the order of the sections. What they are called, the words nav.<section> say.
var sectionOrder = []string{"customers", "operations", "data", "settings"}

// section is a part of the navigation as a visitor sees it.
type section struct {
	Name   string
	Places []shownPlace
}

type shownPlace struct {
	Path, Icon, Title string
	Current           bool
}

// navigation is what the visitor may see, with the place that this page belongs to marked.
func (v *visit) navigation() []section {
	var places []*place
	for _, page := range v.p.pages {
		if page.place != nil && v.mayVisit(page.place) {
			places = append(places, page.place)
		}
	}
	slices.SortStableFunc(places, func(a, b *place) int { return cmp.Compare(a.Order, b.Order) })
	var sections []section
	for _, name := range sectionOrder {
		s := section{Name: v.speech.one("nav", name)}
		for _, p := range places {
			if p.Section == name {
				s.Places = append(s.Places, shownPlace{p.Path, p.Icon, v.t(p.Name + ".title"), under(v.r.URL.Path, p.Path)})
			}
		}
		if len(s.Places) > 0 {
			sections = append(sections, s)
		}
	}
	return sections
}

func (v *visit) mayVisit(p *place) bool {
	return access.May(v.in.Role, p.Operation) && !(p.Center && v.in.Role == access.Agent && !v.settings().AgentAccess.CustomerCenter)
}

// under reports whether an address belongs to a place.
func under(path, place string) bool { return path == place || strings.HasPrefix(path, place+"/") }
