package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// sessionFilter is what sessions are asked for, as the address has it: values from closed sets, ids and days. What was typed to find somebody
// is kept apart, see loadQuery.
type sessionFilter struct {
	values url.Values
	needle string
}

// sessionConditions are the parameters of the address, in the order in which they are told. The state is chosen by a tab.
var sessionConditions = []string{"period", "from", "to", "channel", "association", "agent", "origin", "rating"}

const sessionState = "state"

// sessionBesides is what the address has besides the conditions: the tab, what is looked for, and the moment of the past, see as_of.go.
var sessionBesides = []string{sessionState, "q", "as_of"}

// sessionScores are the ratings to choose from, as the API asks for them.
var sessionScores = []struct{ name, parameter, value string }{
	{"rated", "rated", "true"}, {"unrated", "rated", "false"}, {"low", "score", "1,2"}, {"middle", "score", "3"}, {"high", "score", "4,5"},
}

// sessionFilter reads the address. errQueryGone.
func (v *visit) sessionFilter() (sessionFilter, error) {
	var query struct{ Needle string }
	if err := v.loadQuery(&query); err != nil {
		return sessionFilter{}, err
	}
	given := v.r.URL.Query()
	f := sessionFilter{values: url.Values{}, needle: query.Needle}
	for _, name := range slices.Concat(sessionBesides, sessionConditions) {
		if value := given.Get(name); value != "" {
			f.values.Set(name, value)
		}
	}
	return f, nil
}

// none reports whether everything is asked for.
func (f sessionFilter) none() bool { return len(f.values) == 0 }

// address is that of the page with these conditions.
func (f sessionFilter) address() string {
	if f.none() {
		return "/sessions"
	}
	return "/sessions?" + f.values.Encode()
}

// with is the filter with another value; without one, if that is empty.
func (f sessionFilter) with(name, value string) sessionFilter {
	changed := sessionFilter{values: url.Values{}, needle: f.needle}
	for known, values := range f.values {
		changed.values[known] = values
	}
	if changed.values.Del(name); value != "" {
		changed.values.Set(name, value)
	}
	return changed
}

// cleared keeps the tab and the moment, and nothing else.
func (f sessionFilter) cleared() sessionFilter {
	return sessionFilter{values: url.Values{}}.with(sessionState, f.values.Get(sessionState)).with("as_of", f.values.Get("as_of"))
}

// query is the filter as the API takes it. Days are those of the tenant's zone.
func (f sessionFilter) query(zone *time.Location, cursor string) string {
	query := url.Values{"limit": {"40"}} // a page of more would be slow to read, and to send
	for name := range f.values {
		switch value := f.values.Get(name); name {
		case "q", "as_of":
		case "rating":
			query.Set("score", value)
			for _, s := range sessionScores {
				if s.name == value {
					query.Del("score")
					query.Set(s.parameter, s.value)
				}
			}
		case "from", "to":
			query.Set(name, value) // the API says what is wrong with it if it is no day
			if day, err := time.ParseInLocation(time.DateOnly, value, zone); err == nil {
				if name == "to" { // the day is meant, too
					day = day.AddDate(0, 0, 1)
				}
				query.Set(name, day.UTC().Format(time.RFC3339))
			}
		default:
			query.Set(name, value)
		}
	}
	if f.needle != "" {
		query.Set("q", f.needle)
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query.Encode()
}

func (v *visit) sessionTabs(f sessionFilter) tabs {
	var shown []tab
	for _, state := range []string{"", "waiting", "processing", "closed", "aborted"} {
		text := v.t("sessions.all")
		if state != "" {
			text = v.speech.one("session_state", state)
		}
		shown = append(shown, tab{Path: f.with(sessionState, state).address(), Text: text, Current: f.values.Get(sessionState) == state})
	}
	return tabs{Label: v.t("sessions.states"), Groups: []tabGroup{{Tabs: shown}}}
}

func (v *visit) sessionChips(f sessionFilter, choices *sessionChoices) (chips []chip) {
	if f.needle != "" {
		chips = append(chips, chip{v.t("sessions.needle"), f.needle, f.with("q", "").address()})
	}
	for _, name := range sessionConditions {
		value := f.values.Get(name)
		if value == "" {
			continue
		}
		told := value
		switch name {
		case "period":
			told = v.speech.one("session_period", value)
		case "channel":
			told = v.speech.one("session_channel", value)
		case "origin":
			told = v.speech.one("session_origin", value)
		case "rating":
			told = v.speech.one("session_rating", value)
		case "association":
			told = choices.associationName(value)
		}
		chips = append(chips, chip{v.t("sessions.by_" + name), told, f.with(name, "").address()})
	}
	return chips
}

// sessionFilterView is the form of the conditions.
type sessionFilterView struct {
	Fields hidden // what the form keeps: the tab, what is looked for, and the moment
	Inputs []field
	Days   []field
}

func (v *visit) sessionFilterView(f sessionFilter, choices *sessionChoices) sessionFilterView {
	view := sessionFilterView{Fields: hidden{sessionState: f.values.Get(sessionState), "q": f.values.Get("q")}}
	if asOf := f.values.Get("as_of"); asOf != "" {
		view.Fields["as_of"] = asOf
	}
	choose := func(name string, options ...option) {
		all := append([]option{{Text: v.t("sessions.any")}}, options...)
		for i := range all {
			all[i].Chosen = all[i].Value == f.values.Get(name)
		}
		view.Inputs = append(view.Inputs, field{Name: name, Label: v.t("sessions.by_" + name), Options: all})
	}
	words := func(kind string, values ...string) (options []option) {
		for _, value := range values {
			options = append(options, option{Value: value, Text: v.speech.one(kind, value)})
		}
		return options
	}
	choose("period", words("session_period", "today", "yesterday", "this_week", "last_week", "this_month", "last_month", "last_7_days", "last_30_days")...)
	choose("channel", words("session_channel", "app", "web", "wechat", "weibo", "phone", "api")...)
	var associations, agents []option
	for _, a := range choices.associations {
		text := a.Name
		if a.Removed {
			text = v.t("sessions.removed", "name", a.Name)
		}
		associations = append(associations, option{Value: strconv.Itoa(a.ID), Text: text})
	}
	choose("association", associations...)
	for _, a := range choices.agents {
		agents = append(agents, option{Value: a.ID, Text: a.Name})
	}
	if len(agents) > 0 {
		choose("agent", agents...)
	}
	choose("origin", words("session_origin", "customer", "callback")...)
	choose("rating", words("session_rating", "rated", "unrated", "low", "middle", "high")...)
	for _, name := range []string{"from", "to"} {
		view.Days = append(view.Days, field{Name: name, Type: "date", Label: v.t("sessions.by_" + name), Value: f.values.Get(name)})
	}
	return view
}

// filterSessions leads from the form to the address that says the same. Days say more than a period, so they go before it.
func (p *Pages) filterSessions(w http.ResponseWriter, r *http.Request) {
	f := sessionFilter{values: url.Values{}}
	for _, name := range slices.Concat(sessionBesides, sessionConditions) {
		if value := r.PostFormValue(name); value != "" {
			f.values.Set(name, value)
		}
	}
	if f.values.Has("from") || f.values.Has("to") {
		f.values.Del("period")
	}
	http.Redirect(w, r, f.address(), http.StatusSeeOther)
}

// searchSessions keeps what was typed out of the address, and the other conditions in it.
func (p *Pages) searchSessions(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	f := sessionFilter{values: url.Values{}}
	for name, values := range r.URL.Query() {
		if name == sessionState || name == "as_of" || slices.Contains(sessionConditions, name) {
			f.values[name] = values
		}
	}
	if needle := r.PostFormValue("needle"); needle != "" {
		id, err := v.saveQuery(map[string]string{"Needle": needle})
		if err != nil {
			v.fail(err)
			return
		}
		f.values.Set("q", id)
	}
	http.Redirect(w, r, f.address(), http.StatusSeeOther)
}
