package pages

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"customercenter/domain/filter"
	"customercenter/projections"
)

// This file is the part that shows a filter as a form, for pages that find, group or address customers. A page uses it so:
//
//	form, err := v.conditions(conditionsUse{At: "rule"}, group.Rule)  // to show a filter that there is
//	form, err := v.postedConditions(conditionsUse{At: "rule"})        // what was sent: c.… of the form that the part stands in
//	if form.Edited { … }      // a button of the part itself was pressed, without script: show the page again, with 200
//	body := form.JSON()       // the filter, to send to the API
//	if form.refused(err) { …} // the API refuses it: show the page again, each refusal stands at its row
//	view := form.view(v)      // for {{template "conditions" .}}, in a <form method="post">
//
// There may be one such part in a page. What it cannot show as rows, it shows in words and keeps as it is, until it is taken away.
// With script, rows are added, changed and taken away at /conditions, without the page.

// conditionsUse is what a filter is for.
type conditionsUse struct {
	At      string // what the locations of the API's refusals begin with: filter, rule, audience.filter
	Groups  bool   // it may read groups; rules of groups may not
	Counted bool   // show how many match, and how many of them have each tag and channel
}

// conditions is a filter as a form.
type conditions struct {
	use    conditionsUse
	terms  *terms
	root   *part
	Edited bool // the form itself is being changed, it is not sent yet
	focus  string
	counts counts
}

// counts are how many match, and how many of them have each value. A nil total is not known.
type counts struct {
	total  *projections.Count
	facets map[string]map[string]int64
}

// part is a part of a filter: a group of others, a condition, or one that is kept as it is.
type part struct {
	match string // of a group: all, any, none
	parts []*part

	field    string
	op       filter.Op
	values   []string // as they are typed
	unit     string   // of a length
	unset    bool
	optional bool // was put there by us: means nothing as long as it has no value

	kept json.RawMessage

	at    string // where it is in the JSON; empty: it is not there
	wrong string
}

func (p *part) isGroup() bool { return p.match != "" }

var conditionsPage = page{words: conditionWords, routes: (*Pages).conditionPages}

func (p *Pages) conditionPages(r chi.Router) {
	r.Post("/conditions", p.changeConditions)
}

// conditions makes the form of a filter; an empty one is everybody.
func (v *visit) conditions(use conditionsUse, raw json.RawMessage) (*conditions, error) {
	t, err := v.terms(needs{fields: true, tags: true, groups: use.Groups, associations: true})
	if err != nil {
		return nil, err
	}
	c := &conditions{use: use, terms: t}
	c.root = c.readRoot(raw)
	return c, nil
}

// changeConditions is what the script asks when a button or a choice changes the form: it gets the part anew.
func (p *Pages) changeConditions(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	use := conditionsUse{At: r.PostFormValue("c.at"), Groups: r.PostFormValue("c.groups") != "", Counted: r.PostFormValue("c.counted") != ""}
	form, err := v.postedConditions(use)
	if err != nil {
		v.fail(err)
		return
	}
	form.count(v)
	inside, err := v.execute("conditions", form.view(v))
	if err != nil {
		v.broken(err)
		return
	}
	v.write(http.StatusOK, []byte(inside))
}

// count asks how many match. A filter that is not whole yet is not counted.
func (c *conditions) count(v *visit) {
	if !c.use.Counted {
		return
	}
	var page projections.Page
	facets := []string{"tags", "channel", "association", "created_via"}
	if c.use.Groups {
		facets = append(facets, "groups")
	}
	if err := v.find("/v1/customers/search", map[string]any{"filter": c.JSON(), "limit": 1, "facets": facets}, &page); err != nil {
		return
	}
	c.counts = counts{total: &page.Count, facets: page.Facets}
}

// suggest offers a row for each of these fields, unless one of the conditions is about it already.
func (c *conditions) suggest(fields ...string) {
	if c.root.match != "all" {
		return
	}
	place := 0
	for _, name := range fields {
		if i := slices.IndexFunc(c.root.parts, func(p *part) bool { return p.field == name }); i >= 0 {
			place = max(place, i+1)
		} else if t, known := c.terms.find(name); known {
			c.root.parts = slices.Insert(c.root.parts, place, &part{field: t.name, op: t.ops()[0], optional: true})
			place++
		}
	}
}

// refused puts what the API refuses of the filter at the rows that it is about, and reports whether it is about the filter at all.
func (c *conditions) refused(err error) bool {
	p, ok := refusal(err)
	if !ok {
		return false
	}
	about := false
	for _, e := range p.Errors {
		location := strings.TrimPrefix(e.Location, "body.")
		if !within(location, c.use.At) {
			continue
		}
		about = true
		wrong, depth := c.root, 0
		c.root.each(func(p *part) {
			if p.at != "" && within(location, p.at) && len(p.at) > depth {
				wrong, depth = p, len(p.at)
			}
		})
		wrong.wrong = e.Detail
	}
	return about
}

// within reports whether a location lies at another one, or in it.
func within(location, at string) bool {
	rest, begins := strings.CutPrefix(location, at)
	return begins && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// each calls f for the part and all that are in it.
func (p *part) each(f func(*part)) {
	f(p)
	for _, inner := range p.parts {
		inner.each(f)
	}
}

// told is a filter in words, as chips show it: one for each condition that must hold.
func (t *terms) told(l language, raw json.RawMessage) string {
	f, err := filter.Parse(raw, &t.language, "filter")
	if err != nil {
		return string(raw) // of what is not there any more; the API says what is wrong with it
	}
	return f.Describe(l.Tag(), t.names)
}
