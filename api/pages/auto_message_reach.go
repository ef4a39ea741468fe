package pages

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/projections"
)

// reachView is whom an auto message would reach now.
type reachView struct {
	Known      bool
	Count      string // who would get it
	Match      string // who belongs to the audience; the others cannot be reached
	Takes      string // how long that takes
	People     []who
	Text       string // why nothing is known
	Unfinished bool   // some conditions lack their value, and are left out
	Missing    bool   // some of the audience cannot be reached
}

// shownReached is how many of those who would get it are shown.
const shownReached = 5

// reach tells whom the audience in the form has now, and who of them can be reached.
func (v *visit) reach(form *autoMessageForm) (reachView, error) {
	var asks any
	whole := true
	switch form.kind {
	case "filter":
		asks, whole = form.filter.finished()
	case "groups":
		if len(form.groups) == 0 {
			return reachView{Text: v.t("auto_messages.choose_group")}, nil
		}
		asks = map[string]any{"field": "groups", "op": "has_any", "value": form.groups}
	default:
		return v.reachListed(form)
	}
	match, err := v.whoMatches(asks, 1)
	if err != nil || match == nil {
		return reachView{Text: v.t("auto_messages.unfinished")}, err
	}
	reached, err := v.whoMatches(map[string]any{"all": []any{asks, automessage.Reached().JSON()}}, shownReached)
	if err != nil || reached == nil {
		return reachView{Text: v.t("auto_messages.unfinished")}, err
	}
	view := v.reachOf(form, match.Count, reached.Count, reached.Items)
	view.Unfinished = !whole
	return view, nil
}

func (v *visit) reachOf(form *autoMessageForm, match, reached projections.Count, people []projections.Customer) reachView {
	view := reachView{Known: true, Count: counted(reached), Match: counted(match), Missing: match != reached}
	if rate, err := strconv.ParseInt(form.rate, 10, 64); err == nil && rate > 0 {
		if minutes := (reached.Value + rate - 1) / rate; minutes > 1 {
			view.Takes = v.t("auto_messages.takes", "minutes", minutes)
		}
	}
	for _, c := range people {
		one := v.person(&c)
		one.Path = "" // whoever goes there loses the form
		view.People = append(view.People, one)
	}
	return view
}

// whoMatches asks for customers; nil if the filter is not whole yet.
func (v *visit) whoMatches(filter any, limit int) (*projections.Page, error) {
	var page projections.Page
	err := v.find("/v1/customers/search", map[string]any{"filter": filter, "limit": limit}, &page)
	if problem, refused := refusal(err); refused && problem.Status == http.StatusUnprocessableEntity {
		return nil, nil
	}
	return &page, err
}

// reachListed is reach for customers who are named one by one.
func (v *visit) reachListed(form *autoMessageForm) (reachView, error) {
	if form.message != nil {
		n := projections.Count{Value: int64(form.message.Audience.Listed), Exact: true}
		return v.reachOf(form, n, n, nil), nil
	}
	found, unknown, err := v.findByID(idsIn(form.customers))
	if err != nil {
		return reachView{}, err
	}
	if len(found)+len(unknown) == 0 {
		return reachView{Text: v.t("auto_messages.type_ids")}, nil
	}
	all := projections.Count{Value: int64(len(found) + len(unknown)), Exact: true}
	reached := slices.DeleteFunc(slices.Clone(found), func(c projections.Customer) bool { return !automessage.Reaches(c.Channel) || c.Blacklisted })
	n := projections.Count{Value: int64(len(reached)), Exact: true}
	return v.reachOf(form, all, n, reached[:min(len(reached), shownReached)]), nil
}

// idsIn are the ids that somebody typed or pasted: apart by spaces, commas or lines, each once.
func idsIn(typed string) (ids []string) {
	for _, id := range strings.FieldsFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;，；、", r) }) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// customersByID are the customers whose ids somebody typed, or what is wrong with that.
func (v *visit) customersByID(typed string) (ids []uuid.UUID, wrong string, err error) {
	wanted := idsIn(typed)
	switch {
	case len(wanted) == 0:
		return nil, v.t("auto_messages.type_ids"), nil
	case len(wanted) > automessage.MaxAdded:
		return nil, v.t("auto_messages.too_many_ids", "n", len(wanted), "max", automessage.MaxAdded), nil
	}
	found, unknown, err := v.findByID(wanted)
	if err != nil {
		return nil, "", err
	}
	if len(unknown) > 0 {
		return nil, v.t("auto_messages.unknown_ids", "ids", some(unknown)), nil
	}
	var elsewhere []string
	for _, c := range found {
		if automessage.Reaches(c.Channel) {
			ids = append(ids, c.ID)
		} else {
			elsewhere = append(elsewhere, c.ExternalID)
		}
	}
	if len(elsewhere) > 0 {
		return nil, v.t("auto_messages.unreached_ids", "ids", some(elsewhere)), nil
	}
	return ids, "", nil
}

// some are the first of a list.
func some(ids []string) string {
	const most = 5
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + " …"
	}
	return strings.Join(ids, ", ")
}

// findByID looks for customers by their ids, and tells which there are not. An id that several channels have is all of them.
func (v *visit) findByID(wanted []string) (found []projections.Customer, unknown []string, err error) {
	const atOnce, pages = 200, 50 // values of a filter; a search that runs out of its budget leads on
	have := map[string]bool{}
	for part := range slices.Chunk(wanted, atOnce) {
		filter, err := json.Marshal(map[string]any{"field": "external_id", "op": "in", "value": part})
		if err != nil {
			return nil, nil, err
		}
		cursor := ""
		for range pages {
			var page projections.Page
			if err := v.find("/v1/customers/search", map[string]any{"filter": json.RawMessage(filter), "limit": atOnce, "cursor": cursor}, &page); err != nil {
				return nil, nil, err
			}
			found = append(found, slices.DeleteFunc(page.Items, func(c projections.Customer) bool { return !slices.Contains(part, c.ExternalID) })...) // case matters in ids
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	for _, c := range found {
		have[c.ExternalID] = true
	}
	for _, id := range wanted {
		if !have[id] {
			unknown = append(unknown, id)
		}
	}
	return found, unknown, nil
}
