package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/filter"
	"customercenter/domain/view"
	"customercenter/projections"
)

// customerQuery is what a list of customers shows, as its address says it:
//
//	view=all, view=week, group=<id> or saved=<id>   where it begins; none is this week
//	filter=<JSON>, or q=<id> if it looks at personal data   the filter in place of that of the beginning
//	drop=<n>   conditions of it that were taken away, one by one
//	as_of=<moment>   the list as it was then, see as_of.go; none is now
//	sort, cursor, limit
type customerQuery struct {
	view  string // all, week, group or saved
	id    string // of the group or the saved view
	saved *api.View

	base    json.RawMessage // the filter of the beginning
	given   string          // the filter in the address; empty: none
	q       string
	source  json.RawMessage // what drop counts in
	dropped []int
	filter  json.RawMessage // what is shown
	parts   []json.RawMessage
	indexes []int // of parts, in source

	asOf   string // the moment of the past, as the address has it; empty: now
	sort   string
	masked bool // the visitor cannot sort by personal data
	limit  int
}

// Filters in which lists begin.
var (
	everybody = json.RawMessage(`{}`)
	thisWeek  = json.RawMessage(`{"all":[{"field":"created_at","op":"in","value":{"period":"this_week"}}]}`)
)

// longestFilter is how long a filter in an address may be; a longer one is kept by an id.
const longestFilter = 1500

// customerQuery reads an address, or a form that carries one.
func (v *visit) customerQuery(values url.Values) (*customerQuery, error) {
	q := &customerQuery{view: "week", base: thisWeek, given: values.Get("filter"), q: values.Get("q"), masked: !v.in.Personal, limit: 50}
	switch {
	case values.Get("group") != "":
		id, err := uuid.Parse(values.Get("group"))
		if err != nil {
			return nil, errNotFound
		}
		q.view, q.id, q.base = "group", id.String(), inGroup(id)
	case values.Get("saved") != "":
		q.view, q.id = "saved", values.Get("saved")
		if err := v.get("/v1/views/"+url.PathEscape(q.id), &q.saved); err != nil {
			return nil, err
		}
		if q.base = q.saved.Filter; q.base == nil {
			return nil, errNotFound // it looks at what the visitor sees masked
		}
	case values.Get("view") == "all":
		q.view, q.base = "all", everybody
	}
	q.source = q.base
	switch {
	case q.q != "":
		var kept struct{ Filter json.RawMessage }
		if err := v.loadKept(q.q, &kept); err != nil {
			return nil, err
		}
		q.source = orElse(kept.Filter, everybody)
	case q.given != "":
		q.source = json.RawMessage(q.given)
		if !json.Valid(q.source) {
			return nil, errNotFound
		}
	}
	for _, index := range values["drop"] {
		if i, err := strconv.Atoi(index); err == nil {
			q.dropped = append(q.dropped, i)
		}
	}
	for i, part := range conditionsIn(q.source) {
		if !slices.Contains(q.dropped, i) {
			q.parts, q.indexes = append(q.parts, part), append(q.indexes, i)
		}
	}
	q.filter = q.source
	if len(q.dropped) > 0 {
		q.filter = allOf(q.parts)
	}
	q.sort, q.asOf = values.Get("sort"), values.Get("as_of")
	if limit, err := strconv.Atoi(values.Get("limit")); err == nil && (limit == 100 || limit == 200) {
		q.limit = limit
	}
	return q, nil
}

func orElse(raw, other json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return other
	}
	return raw
}

// inGroup is the filter of who is in a group.
func inGroup(id uuid.UUID) json.RawMessage {
	return json.RawMessage(`{"all":[{"field":"groups","op":"has_any","value":["` + id.String() + `"]}]}`)
}

// conditionsIn are the conditions that must hold together; a filter of another kind is one.
func conditionsIn(raw json.RawMessage) []json.RawMessage {
	var root struct{ All *[]json.RawMessage }
	if json.Unmarshal(raw, &root) == nil && root.All != nil {
		return *root.All
	}
	if compact(raw) == "{}" {
		return nil
	}
	return []json.RawMessage{raw}
}

// allOf is the filter of conditions that must hold together.
func allOf(parts []json.RawMessage) json.RawMessage {
	if len(parts) == 0 {
		return everybody
	}
	raw, err := json.Marshal(map[string]any{"all": parts})
	if err != nil {
		panic("pages: " + err.Error()) // the parts were JSON
	}
	return raw
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

func personal(raw json.RawMessage) bool { return filter.Mentions(raw).Personal() }

// changed reports whether the filter is another than that of the beginning.
func (q *customerQuery) changed() bool { return compact(q.filter) != compact(q.base) }

// order is how the list is sorted.
func (q *customerQuery) order() string {
	if q.sort != "" {
		return q.sort
	}
	if q.saved != nil && !(q.masked && projections.SortsByPersonal(q.saved.Sort)) {
		return q.saved.Sort
	}
	return view.DefaultSort
}

// values are the address of the list, without a cursor.
func (q *customerQuery) values() url.Values {
	values := url.Values{}
	switch q.view {
	case "all":
		values.Set("view", "all")
	case "group", "saved":
		values.Set(q.view, q.id)
	}
	if q.q != "" {
		values.Set("q", q.q)
	} else if q.given != "" {
		values.Set("filter", q.given)
	}
	for _, i := range q.dropped {
		values.Add("drop", strconv.Itoa(i))
	}
	if q.sort != "" {
		values.Set("sort", q.sort)
	}
	if q.asOf != "" {
		values.Set("as_of", q.asOf)
	}
	if q.limit != 50 {
		values.Set("limit", strconv.Itoa(q.limit))
	}
	return values
}

// hidden are the same for a form.
func (q *customerQuery) hidden() []hiddenField {
	var fields []hiddenField
	values := q.values()
	for _, name := range []string{"view", "group", "saved", "q", "filter", "drop", "sort", "as_of", "limit"} {
		for _, value := range values[name] {
			fields = append(fields, hiddenField{name, value})
		}
	}
	return fields
}

type hiddenField struct{ Name, Value string }

const customersPath = "/customers"

// path is the address of a page about the list: "" is the list itself.
func (q *customerQuery) path(page string) string { return addressOf(customersPath+page, q.values()) }

func addressOf(path string, values url.Values) string {
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// tabsPath is where the counts of the tabs come from: they are the same whatever the list is filtered by.
func (q *customerQuery) tabsPath() string {
	return (&customerQuery{view: q.view, id: q.id, asOf: q.asOf, limit: q.limit}).path("/tabs")
}

// sorted is the address of the list in another order.
func (q *customerQuery) sorted(sort string) string {
	other := *q
	other.sort = sort
	return other.path("")
}

// without is the address of the list without its i-th condition.
func (q *customerQuery) without(i int) string {
	other := *q
	rest := allOf(slices.Delete(slices.Clone(q.parts), i, i+1))
	if personal(rest) {
		other.dropped = append(slices.Clone(q.dropped), q.indexes[i])
	} else {
		other.q, other.dropped, other.given = "", nil, compact(rest)
	}
	return other.path("")
}

// partAt is the condition that a place in the filter belongs to; nil if it is none of the parts.
func (q *customerQuery) partAt(location string) json.RawMessage {
	if len(q.parts) == 1 && strings.HasPrefix(location, "filter") {
		return q.parts[0]
	}
	for i, part := range q.parts {
		if strings.HasPrefix(location, fmt.Sprintf("filter.all[%d]", i)) {
			return part
		}
	}
	return nil
}

// leadTo is the address of the list with another filter. One that looks at personal data is kept by an id.
func (v *visit) leadTo(q *customerQuery, raw json.RawMessage) (string, error) {
	other := *q
	other.q, other.dropped, other.given = "", nil, ""
	text := compact(raw)
	switch {
	case text == compact(q.base):
	case len(text) <= longestFilter && !personal(raw):
		other.given = text
	default:
		id, err := v.saveQuery(struct{ Filter json.RawMessage }{raw})
		if err != nil {
			return "", err
		}
		other.q = id
	}
	return other.path(""), nil
}

// needle is what the quick search looks for: the text of a condition of its kind, and its place among the conditions; -1: there is none.
func (q *customerQuery) needle() (text string, at int) {
	for i, part := range q.parts {
		var c struct {
			Field, Op string
			Value     any
		}
		if json.Unmarshal(part, &c) == nil && c.Field == filter.AnyText && c.Op == string(filter.Contains) {
			text, _ := c.Value.(string)
			return strings.TrimSpace(text), i
		}
	}
	return "", -1
}
