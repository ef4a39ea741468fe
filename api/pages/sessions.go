package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain/session"
	"customercenter/projections"
)

var sessionsPage = page{
	place:  &place{Section: "customers", Order: 30, Name: "sessions", Icon: "history", Path: "/sessions", Operation: "list-sessions"},
	words:  sessionWords,
	routes: (*Pages).sessionPages,
}

func (p *Pages) sessionPages(r chi.Router) {
	r.Get("/sessions", p.listSessions)
	r.Post("/sessions", p.searchSessions)
	r.Post("/sessions/filter", p.filterSessions)
	r.Get("/sessions/as-of", p.askPast)
	r.Get("/sessions/{id}/blacklist", p.askBlacklistSession)
	r.Post("/sessions/{id}/blacklist", p.blacklistSession)
}

// sessionsView is the view of the history.
type sessionsView struct {
	Summary string
	PerDay  *perDayStrip // nil: the visitor is not told
	Tabs    tabs
	Search  *searchBox // nil: the visitor may not search
	Filter  sessionFilterView
	Chips   []chip
	Clear   string // the address without conditions; empty: there are none
	Rows    []sessionRow
	Partial string // says that the search stopped before the page was full; empty: it did not
	Pager   pager
	Empty   *empty
	Picker  string // address of the dialog that picks a moment; empty: the visitor may not look into the past
	Past    *past  // nil: the history is that of now
	May     bool   // put somebody on the blacklist
}

type sessionRow struct {
	Who      who
	Channel  sessionChannel
	Agent    string // empty: nobody yet
	Waited   string // until it was accepted, or until now
	Started  *moment
	Lasted   string // empty: it has not ended, or nobody accepted it
	Messages string
	Rating   *sessionRating // nil: not rated
	State    status
	Over     bool // it has ended
	Callback bool
	Listed   bool // the customer is on the blacklist
	Act      string
}

type sessionChannel struct{ Icon, Name string }

// sessionRating is a customer's verdict.
type sessionRating struct {
	Given, Left string // stars
	Label       string
	Words       string // what the customer said, if anything
}

func (p *Pages) listSessions(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	filter, err := v.sessionFilter()
	if err != nil {
		v.fail(err)
		return
	}
	page, err := v.sessionPage(filter, r.URL.Query().Get("cursor"))
	status, asOfWrong := http.StatusOK, wrong(err, "query.as_of", false)
	if problem, refused := refusal(err); refused && asOfWrong != "" {
		status = problem.Status
	} else if err != nil {
		v.fail(err)
		return
	}
	choices, err := v.sessionChoices()
	if err != nil {
		v.fail(err)
		return
	}
	view := sessionsView{
		Summary: v.t("sessions.summary"), Tabs: v.sessionTabs(filter), Filter: v.sessionFilterView(filter, choices), Chips: v.sessionChips(filter, choices),
		Pager: pagerOf(r.URL, v.t("sessions.pager"), v.t("sessions.count", "n", page.Count), page.Prev, page.Next), May: v.asOf == "" && v.mayBlacklistFromSessions(),
		Past: v.past(asOfWrong, v.t("as_of.sessions", "at", v.thenExact()), v.t("as_of.sessions_text")),
	}
	if view.Past == nil {
		view.PerDay = v.perDayStrip("sessions")
	}
	if v.mayPast() {
		view.Picker = addressOf("/sessions/as-of", filter.values)
	}
	if v.in.Role == access.Agent {
		view.Summary = v.t("sessions.summary_own")
	}
	if v.in.Personal { // what is masked cannot be looked for
		view.Search = &searchBox{Action: filter.address(), Label: v.t("sessions.search"), Value: filter.needle}
	}
	if len(view.Chips) > 0 {
		view.Clear = filter.cleared().address()
	}
	if page.Partial {
		view.Partial = v.t("sessions.partial")
	}
	for i := range page.Items {
		view.Rows = append(view.Rows, v.sessionRow(&page.Items[i], choices))
	}
	if len(view.Rows) == 0 && asOfWrong == "" {
		view.Empty = v.noSessions(filter, page)
	}
	v.show(status, "sessions", v.t("sessions.title"), view)
}

// sessionPage asks the API for the page of the history. A cursor goes on at its moment, also if the address does not name that.
func (v *visit) sessionPage(filter sessionFilter, cursor string) (*projections.SessionPage, error) {
	path := "/v1/sessions?" + filter.query(v.location(), cursor)
	if asOf := filter.values.Get("as_of"); asOf != "" {
		path = withMoment(path, v.momentAsked(asOf))
	}
	page := &projections.SessionPage{}
	answer, err := v.ask(call{method: http.MethodGet, path: path}, page)
	if v.isOf(answer); !filter.values.Has("as_of") && !v.then.IsZero() {
		filter.values.Set("as_of", answer.Get("X-As-Of-Time"))
	}
	v.asOf = filter.values.Get("as_of")
	return page, err
}

// noSessions says why there are none, and what would help.
func (v *visit) noSessions(filter sessionFilter, page *projections.SessionPage) *empty {
	switch next := page.Next; {
	case !v.then.IsZero() && !page.Partial:
		return &empty{Icon: "history", Title: v.t("as_of.no_sessions"), Text: v.t("as_of.nobody_text")}
	case page.Partial && next != "":
		to := pagerOf(v.r.URL, "", "", "", next).Next
		return &empty{Icon: "search", Title: v.t("sessions.none_yet"), Text: v.t("sessions.none_yet_text"), Actions: []action{{Path: to, Text: v.t("sessions.go_on"), Primary: true}}}
	case !filter.none():
		return &empty{Icon: "search", Title: v.t("sessions.none_found"), Text: v.t("sessions.none_found_text"),
			Actions: []action{{Path: "/sessions", Text: v.t("filter.clear")}}}
	case v.in.Role == access.Agent:
		return &empty{Icon: "history", Title: v.t("sessions.none_own"), Text: v.t("sessions.none_own_text")}
	}
	return &empty{Icon: "history", Title: v.t("sessions.none"), Text: v.t("sessions.none_text"), Actions: []action{{Path: "/associations", Text: v.t("sessions.none_action"), Icon: "link"}}}
}

func (v *visit) sessionRow(s *projections.Session, choices *sessionChoices) sessionRow {
	row := sessionRow{
		Who: who{Avatar: avatarOf(""), Path: "/sessions/" + s.ID.String(), Nameless: v.t("nobody")}, Channel: choices.channelOf(s.AssociationID, s.Channel, v),
		Started: v.moment(&s.StartedAt), Messages: grouped(int64(s.MessageCount)), Rating: v.sessionRating(s.Rating), State: v.sessionState(s), Callback: s.Callback, Over: s.EndedAt != nil,
	}
	if v.asOf != "" { // as far as it had got
		row.Who.Path = v.stays(talkOf(s))
	}
	if c := s.Customer; c != nil {
		name := c.Nickname
		if name == "" {
			name = c.Name
		}
		row.Who.Name, row.Who.Below, row.Who.Avatar, row.Listed = name, c.ExternalID, avatarOf(name), c.Blacklisted
	}
	if s.Agent != nil {
		row.Agent = s.Agent.Name
	}
	switch {
	case s.Callback: // the agent began
	case s.AcceptedAt != nil:
		row.Waited = v.t("sessions.waited", "time", v.lasted(s.AcceptedAt.Sub(s.StartedAt)))
	case s.State == "waiting":
		row.Waited = v.t("sessions.waiting_for", "time", v.lasted(v.now().Sub(s.StartedAt)))
	case s.EndedAt != nil:
		row.Waited = v.t("sessions.left_after", "time", v.lasted(s.EndedAt.Sub(s.StartedAt)))
	}
	if s.EndedAt != nil && s.AcceptedAt != nil {
		row.Lasted = v.t("sessions.lasted", "time", v.lasted(s.EndedAt.Sub(*s.AcceptedAt)))
	}
	back := url.Values{"back": {v.here()}}.Encode()
	if row.Act = "/sessions/" + s.ID.String() + "/blacklist?" + back; row.Listed {
		row.Act = "/blacklist/" + s.CustomerID.String() + "/remove?" + back
	}
	return row
}

// lasted is a length of time as people say it.
func (v *visit) lasted(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return v.t("sessions.seconds", "n", int(d.Seconds()))
	case d < time.Hour:
		return v.t("sessions.minutes", "n", int(d.Minutes()))
	case d < 48*time.Hour:
		return v.t("sessions.hours", "h", int(d.Hours()), "m", int(d.Minutes())%60)
	}
	return v.t("sessions.days", "n", int(d.Hours())/24)
}

func (v *visit) sessionState(s *projections.Session) status {
	told := status{Text: v.speech.one("session_state", s.State)}
	switch s.State {
	case "waiting":
		told.Tone = "warn"
	case "processing":
		told.Tone = "live"
	default:
		told.Hollow = true
		if s.EndedBy != "" {
			told.Title = v.speech.one("session_ended_by", s.EndedBy)
		}
	}
	return told
}

func (v *visit) sessionRating(r *projections.Rating) *sessionRating {
	if r == nil {
		return nil
	}
	words := append(slices.Clone(r.Reasons), r.Comment)
	return &sessionRating{Given: strings.Repeat("★", r.Score), Left: strings.Repeat("★", session.MaxScore-r.Score), Label: v.t("sessions.score", "n", r.Score),
		Words: strings.TrimSpace(strings.Join(words, " "))}
}

// sessionChoices is what the conditions can be chosen from, and what the rows are told with.
type sessionChoices struct {
	associations []api.Association
	agents       []projections.Agent
}

func (v *visit) sessionChoices() (*sessionChoices, error) {
	var c sessionChoices
	var err error
	if c.associations, err = v.allAssociations(); err != nil {
		return nil, err
	}
	if v.in.Role != access.Agent { // who sees nobody else's
		var agents api.List[projections.Agent]
		if err := v.get("/v1/agents", &agents); err != nil {
			return nil, err
		}
		c.agents = agents.Items
	}
	return &c, nil
}

// channelOf is by which account a session came.
func (c *sessionChoices) channelOf(id int, channel string, v *visit) sessionChannel {
	told := sessionChannel{Icon: iconOfChannel(channel), Name: v.speech.one("session_channel", channel)}
	for _, a := range c.associations {
		if a.ID == id {
			told.Name = a.Name
		}
	}
	return told
}

// associationName is what an account is called; its number if it is not known.
func (c *sessionChoices) associationName(id string) string {
	for _, a := range c.associations {
		if strconv.Itoa(a.ID) == id {
			return a.Name
		}
	}
	return id
}

// mayBlacklistFromSessions reports whether the visitor may put the customers of sessions on the blacklist: agents only where they may open the list.
func (v *visit) mayBlacklistFromSessions() bool {
	return v.mayBlacklist() && (v.in.Role != access.Agent || v.settings().AgentAccess.CustomerCenter)
}
