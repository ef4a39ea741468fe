package pages

import (
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/internal/locale"
	"customercenter/projections"
)

// talkView is what was said with the customer: the sessions to choose from, and one continuous flow over them all.
type talkView struct {
	Path     string
	Shows    []tab // which sessions are listed
	Sessions []talkRow
	Pager    pager
	None     string // instead of sessions
	Empty    *empty // nothing was ever said
	Earlier  string // the address of what was said before; empty: nothing was
	Items    []talkItem
	Later    string
	Next     bool   // what comes later begins with another session
	Latest   string // the address of the end, where the flow does not show it
	FromTop  bool   // the reader begins at the beginning of what is shown, not at its end
	Live     *liveView
	Reply    *replyView
	// Held is how many messages were held back, which no session has; HeldURL where they are.
	Held    int
	HeldURL string
}

// talkRow is a session to choose.
type talkRow struct {
	Path, Title string
	Status      *status // nil: it has ended, see Score
	Score       int     // 0: not rated
	Begun       *moment
	Agent       string
	Current     bool
}

// talkItem is a piece of the flow.
type talkItem struct {
	ID     string
	Edge   *talkEdge
	Web    []fact
	Said   *bubble
	Rating *ratingView
}

// talkEdge is where a session begins or ends.
type talkEdge struct {
	Title, Text string
	When        *moment
}

// bubble is a message.
type bubble struct {
	Avatar avatar
	Name   string
	When   *moment
	Agent  bool // it was said to the customer, not by the customer
	Late   bool
	Text   string
	Kind   string // in words; empty: a text
	File   string // what it is called
	URL    string
	Erased bool
}

type ratingView struct {
	Score   int
	Reasons []string
	Comment string
	When    *moment
}

// liveView asks for what was said since.
type liveView struct{ Path string }

// replyView is where one writes to the customer, and what else can be done with the open session.
type replyView struct {
	Session, Back           string
	ID                      string // of the message, so that it is not sent twice
	Text                    *field
	Note                    string // why one cannot write
	Accept, Transfer, Close string // addresses; empty: not possible
	Latest                  string // the address of the open session's end, where something else is shown
}

// talkShows are the kinds of sessions that may be listed, and what the API is asked for them.
var talkShows = []struct{ Name, Query string }{
	{"all", ""}, {"rated", "rated=true"}, {"low", "score=1&score=2"}, {"callback", "origin=callback"}, {"mine", "agent=me"},
}

const talkPage = "50"

func (v *visit) talk(c *projections.Customer, associations map[int]string, ask *customerAsk) (*talkView, error) {
	id := c.ID.String()
	t := &talkView{Path: customerPath(id), Held: c.SuppressedCount}
	if v.in.Role != access.Agent {
		t.HeldURL = v.stays(t.Path + "/changes?kind=held")
	}
	query := v.r.URL.Query()
	if v.r.URL.Path != t.Path {
		query = url.Values{} // a form or a part of the page: what is shown is the end
	}
	list, err := v.listTalks(t, id, query)
	if err != nil {
		return nil, err
	}
	var page projections.TranscriptPage
	which := url.Values{"limit": {talkPage}}
	for _, key := range []string{"session", "before", "after"} {
		if value := query.Get(key); value != "" {
			which.Set(key, value)
			t.FromTop = key != "before"
		}
	}
	if err := v.get(v.of("/v1"+t.Path+"/transcript?"+which.Encode()), &page); err != nil {
		return nil, err
	}
	f := &flow{v: v, customer: c, associations: associations, sessions: map[uuid.UUID]*projections.Session{}}
	for i := range list {
		f.sessions[list[i].ID] = &list[i]
	}
	if t.Items, err = f.items(page.Items); err != nil {
		return nil, err
	}
	kept := url.Values{} // which sessions are listed stays, whatever is read
	for _, key := range []string{"show", "cursor", "as_of"} {
		if value := query.Get(key); value != "" {
			kept.Set(key, value)
		}
	}
	at := func(key, value string) string {
		to := maps.Clone(kept)
		to.Set(key, value)
		return t.Path + "?" + to.Encode()
	}
	if page.Before != "" {
		t.Earlier = at("before", page.Before)
	}
	if page.After != "" {
		t.Later, t.Latest = at("after", page.After), v.stays(t.Path)
		t.Next = page.Items[len(page.Items)-1].Kind == projections.ItemSessionEnded
	}
	if len(page.Items) == 0 {
		t.Empty = &empty{Icon: "chat", Title: v.t("customer.silent"), Text: v.t("customer.silent_text")}
		if v.in.Role == access.Agent {
			t.Empty.Text = v.t("customer.silent_agent")
		}
	}
	current := query.Get("session")
	if current == "" && page.After == "" && len(page.Items) > 0 {
		current = page.Items[len(page.Items)-1].SessionID.String()
	}
	for i := range list {
		t.Sessions = append(t.Sessions, v.talkRow(&list[i], at("session", list[i].ID.String()), associations, current))
	}
	if c.OpenSession != nil && v.asOf == "" {
		open := f.sessions[*c.OpenSession]
		if open == nil {
			if open, err = v.sessionSeen(c.OpenSession.String()); err != nil {
				return nil, err
			}
		}
		v.goingOn(t, open, page, ask)
	}
	if ask.reply != nil && (t.Reply == nil || t.Reply.Text == nil) { // what was written is not lost because the session is over or another's
		t.Reply = &replyView{Note: v.t("customer.reply_kept"), Text: &field{Name: "text", Label: v.t("customer.reply"), Lines: 3, Value: ask.reply.Value, Wrong: ask.reply.Wrong, Sunken: true}}
	}
	return t, nil
}

// listTalks lists the customer's sessions, as far as they are asked for.
func (v *visit) listTalks(t *talkView, id string, query url.Values) ([]projections.Session, error) {
	var page projections.SessionPage
	path := "/v1" + customerPath(id) + "/sessions?" + url.Values{"cursor": {query.Get("cursor")}, "limit": {talkPage}}.Encode()
	for i, show := range talkShows {
		if show.Name == "mine" && v.in.Role != access.Admin {
			continue // an agent sees no others, an analyst has none
		}
		shown := tab{Path: t.Path, Text: v.t("customer.show_" + show.Name), Current: query.Get("show") == show.Name || i == 0 && query.Get("show") == ""}
		if i > 0 {
			shown.Path += "?show=" + show.Name
		}
		shown.Path = v.stays(shown.Path)
		if shown.Current && show.Query != "" {
			path += "&" + show.Query
		}
		t.Shows = append(t.Shows, shown)
	}
	if err := v.get(v.of(path), &page); err != nil {
		return nil, err
	}
	u := *v.r.URL
	u.Path = t.Path
	t.Pager = pagerOf(&u, v.t("customer.sessions_pager"), "", page.Prev, page.Next)
	if len(page.Items) == 0 && query.Get("show") != "" {
		t.None = v.t("customer.no_such_sessions")
	}
	return page.Items, nil
}

func (v *visit) talkRow(s *projections.Session, path string, associations map[int]string, current string) talkRow {
	id := s.ID.String()
	row := talkRow{Path: path, Title: v.accountName(associations, s), Begun: v.clock(s.StartedAt, time.Time{}), Current: id == current}
	if s.Callback {
		row.Title = v.t("customer.callback_of", "account", row.Title)
	}
	if s.Agent != nil {
		row.Agent = s.Agent.Name
	}
	switch {
	case s.EndedAt == nil:
		state := v.sessionState(s)
		row.Status = &state
	case s.Rating != nil:
		row.Score = s.Rating.Score
	case s.State == "aborted":
		state := v.sessionState(s)
		row.Status = &state
	}
	return row
}

func (v *visit) accountName(associations map[int]string, s *projections.Session) string {
	if name := associations[s.AssociationID]; name != "" {
		return name
	}
	return locale.Word(v.language, "channel", s.Channel)
}

// goingOn adds what can be done with the open session, and looks for what is said in it from now on. Without a session it is another agent's.
func (v *visit) goingOn(t *talkView, open *projections.Session, page projections.TranscriptPage, ask *customerAsk) {
	if open == nil || open.EndedAt != nil {
		return
	}
	id := open.ID.String()
	if page.After == "" {
		var last int64
		for _, item := range page.Items {
			if item.SessionID == open.ID {
				last = item.Version
			}
		}
		t.Live = v.live(open, last)
	}
	if !access.May(v.in.Role, "send-message") {
		return
	}
	reply := &replyView{Session: id, Back: t.Path}
	if page.After != "" {
		reply.Latest = t.Latest
	}
	path := "/sessions/" + id
	switch {
	case open.State == "waiting":
		reply.Note, reply.Accept = v.t("customer.reply_waiting"), path+"/accept"
	case v.in.Role == access.Agent && (open.Agent == nil || open.Agent.ID != v.in.ID):
		reply.Note = v.t("customer.reply_others")
	default:
		reply.ID = uuid.Must(uuid.NewV7()).String()
		reply.Text = &field{Name: "text", Label: v.t("customer.reply"), Placeholder: v.t("customer.reply_hint"), Lines: 3}
		if ask.reply != nil {
			reply.Text.Value, reply.Text.Wrong = ask.reply.Value, ask.reply.Wrong
		}
		reply.Transfer = path + "/transfer"
	}
	if reply.Text != nil || open.State == "waiting" {
		reply.Close = path + "/close"
	}
	t.Reply = reply
}

// live is where to ask for what comes after a version of a session, and how it would be noticed that its state has changed.
func (v *visit) live(s *projections.Session, version int64) *liveView {
	query := url.Values{"after": {strconv.FormatInt(version, 10)}, "seen": {stateOf(s)}}
	return &liveView{Path: "/sessions/" + s.ID.String() + "/next?" + query.Encode()}
}

// stateOf is who has a session.
func stateOf(s *projections.Session) string {
	if s.Agent != nil {
		return s.State + " " + s.Agent.ID
	}
	return s.State
}
