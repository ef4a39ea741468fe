package pages

import (
	"hash/fnv"
	"net/url"
	"strings"
	"time"
	"unicode"

	"customercenter/projections"
)

// The views of the parts: what the templates in parts/ are given. /_parts shows them all.

// moment is an instant as people read it, in the tenant's time zone: how long ago or ahead, and exactly.
type moment struct{ Relative, Exact, ISO string }

const exactly = "2006-01-02 15:04"

// moment tells an instant; nil for none.
func (v *visit) moment(t *time.Time) *moment {
	if t == nil || t.IsZero() {
		return nil
	}
	zone := v.location()
	local := t.In(zone)
	m := &moment{Relative: local.Format(exactly), Exact: local.Format(exactly), ISO: t.UTC().Format(time.RFC3339)}
	if v.then.IsZero() { // of the past, no distance is told: it would have to be from then
		m.Relative = v.relative(local, v.p.Now().In(zone))
	}
	return m
}

// relative tells an instant by its distance, if that is less than a week, and exactly if it is more.
func (v *visit) relative(t, now time.Time) string {
	when, distance := "ago", now.Sub(t)
	if distance < 0 {
		when, distance = "ahead", -distance
	}
	switch {
	case distance < time.Minute:
		return v.t("time.now")
	case distance < time.Hour:
		return v.t("time.minutes_"+when, "n", int(distance.Minutes()))
	case distance < 24*time.Hour:
		return v.t("time.hours_"+when, "n", int(distance.Hours()))
	case distance < 7*24*time.Hour:
		return v.t("time.days_"+when, "n", int(distance.Hours())/24)
	}
	return t.Format(exactly)
}

// avatar stands for a person: the first letter of the name, in a hue that is the same everywhere.
type avatar struct {
	Letter string
	Hue    int // 1 to 6
}

func avatarOf(name string) avatar {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return avatar{Letter: strings.ToUpper(string(r)), Hue: hueOf(name)}
		}
	}
	return avatar{Letter: "·", Hue: hueOf(name)}
}

// hueOf picks one of the six hues for a name or an id.
func hueOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return int(h.Sum32()%6) + 1
}

// tag is a label with a hue.
type tag struct {
	Name string
	Hue  int
}

// who is a person in a list.
type who struct {
	Avatar   avatar
	Name     string // empty: without a name
	Below    string // in small print; may be empty
	Path     string // of the person's page; empty: there is none to go to
	Nameless string // what to say instead of a name
}

// status is a state with a tone, never told by the colour alone.
type status struct {
	Tone   string // good, warn, bad, live; empty: none
	Hollow bool
	Text   string
	Title  string
}

// pager leads to the pages before and after. An empty path leads nowhere.
type pager struct {
	Label      string // of what, for those who do not see it
	Summary    string // "5 customers"
	Prev, Next string
}

// pagerOf is the pager of a page of the API, at an address that keeps all else of the query.
func pagerOf(u *url.URL, label, summary, prev, next string) pager {
	to := func(cursor string) string {
		if cursor == "" {
			return ""
		}
		query := u.Query()
		query.Set("cursor", cursor)
		return u.Path + "?" + query.Encode()
	}
	return pager{Label: label, Summary: summary, Prev: to(prev), Next: to(next)}
}

// chip is a condition that can be taken away.
type chip struct {
	Name, Value string
	Without     string // the address without it
}

// tabs lead to views of the same thing, in groups.
type tabs struct {
	Label  string
	Groups []tabGroup
}

type tabGroup struct {
	Label string
	Tabs  []tab
}

type tab struct {
	Path, Text, Icon string
	Count            *projections.Count
	Current          bool
}

// field is an input with its label, and what is wrong with it.
type field struct {
	Name, Label, Value string
	Type               string // text, search, number, date …; empty: text
	Hint, Wrong        string
	Placeholder        string
	Autocomplete       string
	Required, Focus    bool
	Max                int // characters; 0: no bound
	Lines              int // of a text of several; 0: one line
	Options            []option
	Known              []option // what is offered to whoever types
	Sunken             bool     // read only
}

// option is one of the values of a field to choose from.
type option struct {
	Value, Text string
	Chosen      bool
}

// empty says that there is nothing, why, and how to get the first.
type empty struct {
	Icon, Title, Text string
	Actions           []action
}

// action leads somewhere.
type action struct {
	Path, Text, Icon string
	Primary          bool
}

// banner tells something about the page.
type banner struct {
	Tone, Text, More string
}

// progress is how far long work is.
type progress struct {
	Label       string
	Done, Total int64 // a total of 0 is not known
	Text        string
}

// step is one of the steps of a task.
type step struct {
	Text          string
	Done, Current bool
}

// fact is a name and what it stands for.
type fact struct {
	Name, Value string
	When        *moment // in place of the value
	Unset       bool
	Live        string // the name of this number in what a job tells, see jobProgress; empty: it stays
}

// happening is something that happened, in a timeline.
type happening struct {
	Icon     string
	Hue      int
	Text     string
	Old, New string // of a change
	Small    string
	When     *moment
}

// said is a message of a conversation.
type said struct {
	Avatar avatar
	Name   string
	When   *moment
	Agent  bool
	Text   string
}

// edge is where a session begins or ends, in a conversation.
type edge struct{ Title, Text string }

// drop takes a file, dropped or chosen.
type drop struct {
	Name, Label, Hint, Accept string
}

// hidden are the fields of a form that nobody sees.
type hidden map[string]string

// confirm asks before something is done that somebody may not want: what, to which thing, and with what effect.
type confirm struct {
	Title  string // what is to be done, and to what
	Text   string // the effect
	Action string // where the form is sent
	Fields hidden
	Inputs []field
	Uses   []use   // what it is used in
	Wrong  *banner // why it could not be done
	Button string
	Danger bool
	Back   string // where to go if not
}

// use is something that something else is used in.
type use struct {
	Kind, Name string
	Path       string // of its page; empty: there is none to go to
}

// usePath is the page of something that another thing is used in. A view has none: it may be somebody's own.
func usePath(kind, id string) string {
	switch kind {
	case "group":
		return "/groups/" + id
	case "auto_message":
		return "/auto-messages/" + id
	}
	return ""
}

// searchBox looks for something that is typed.
type searchBox struct {
	Action, Label, Value string
}

// pair are two values for a part that takes two.
type pair struct{ A, B any }
