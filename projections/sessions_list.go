package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/text"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// SessionQuery is what to list. Its zero value is all sessions, the latest first.
type SessionQuery struct {
	IDs      []uuid.UUID // one of these; none: any
	Customer uuid.UUID   // zero: anybody
	Channel  string      // empty: any
	// Association is the connected account; 0: any.
	Association int
	Agent       string // who has it or ever had it; empty: anybody
	State       string // waiting, processing, closed, aborted; empty: any
	Origin      string // OriginCustomer, OriginCallback; empty: either
	Rated       *bool  // whether there is a rating; nil: either
	Scores      []int  // a rating with one of these scores; empty: any or none
	// Text is part of the customer's external id, nickname or name; case and width do not matter. Empty: no condition.
	Text string
	// From and To bound started_at, half-open; zero is no bound.
	From, To time.Time
	Limit    int    // 1 to 200; 0 is 50
	Cursor   string // Next or Prev of another page with the same query
}

// Where a session comes from.
const (
	OriginCustomer = "customer" // the customer wrote
	OriginCallback = "callback" // an agent called the customer back
)

// SessionPage is one page of the history of sessions.
type SessionPage struct {
	Items []Session `json:"items"`
	Next  string    `json:"next,omitempty"`
	Prev  string    `json:"prev,omitempty"`
	Count Count     `json:"count"`
	// Partial says that the search for a text ran out of its budget before the page was full. Next, or Prev on the way back, goes on where it
	// stopped.
	Partial bool `json:"partial,omitempty"`
}

// Visitor is whose session it is, in short, as the customer is now.
type Visitor struct {
	ExternalID string `json:"external_id"`
	Nickname   string `json:"nickname"`
	Name       string `json:"name"`
	// Blacklisted says that their messages open no session now.
	Blacklisted bool `json:"blacklisted"`
}

// Session is a session as the API shows it.
type Session struct {
	ID            uuid.UUID  `json:"id"`
	CustomerID    uuid.UUID  `json:"customer_id"`
	Customer      *Visitor   `json:"customer,omitempty"` // nil if nothing is known of them
	Channel       string     `json:"channel"`
	AssociationID int        `json:"association_id"`
	State         string     `json:"state"`
	Initiator     string     `json:"initiator"`
	Callback      bool       `json:"callback"`
	Agent         *Agent     `json:"agent"` // nil: nobody yet
	StartedAt     time.Time  `json:"started_at"`
	AcceptedAt    *time.Time `json:"accepted_at"`
	EndedAt       *time.Time `json:"ended_at"`
	EndedBy       string     `json:"ended_by,omitempty"`
	EndCause      string     `json:"end_cause,omitempty"`
	MessageCount  int        `json:"message_count"`
	// CustomerMessageCount are those of MessageCount that the customer wrote.
	CustomerMessageCount int        `json:"customer_message_count"`
	LastMessageAt        *time.Time `json:"last_message_at"`
	Rating               *Rating    `json:"rating"` // nil: not rated
	Web                  *Web       `json:"web"`    // nil: nothing is known
}

// Agent is who has a session. There are no names yet: it is the id again.
type Agent struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Rating is a customer's verdict.
type Rating struct {
	Score   int       `json:"score"`
	Reasons []string  `json:"reasons"`
	Comment string    `json:"comment"`
	At      time.Time `json:"at"`
}

// Web is what a visitor's browser told.
type Web struct {
	IP        string `json:"ip"`
	Region    string `json:"region"`
	UserAgent string `json:"user_agent"`
	// Software is the user agent in words, as far as it is understood.
	Software string `json:"software"`
	Referrer string `json:"referrer"`
}

// Sessions asks the read model of sessions. It is safe for concurrent use.
type Sessions struct {
	store  *eventstore.Store
	pool   database
	builds Builds
	now    func() time.Time
	past   *projector.Moment // see AsOf; nil: now
}

// NewSessions returns the queries over the build that builds says is live.
func NewSessions(store *eventstore.Store, builds Builds) *Sessions {
	return &Sessions{store: store, pool: store.DB(), builds: builds, now: time.Now}
}

// WithClock returns the same queries with another clock, by which they judge whether a customer is on the blacklist.
func (s *Sessions) WithClock(now func() time.Time) *Sessions {
	other := *s
	other.now = now
	return &other
}

const sessionColumns = `id, customer, channel, association, state, initiator, callback, agent, started_at, accepted_at, ended_at, ended_by, end_cause,
	message_count, customer_message_count, last_message_at, rating_score, rating_reasons, rating_comment, rated_at, ip, region, user_agent, referrer`

// One returns a session. ErrNotFound.
func (s *Sessions) One(ctx context.Context, tenant string, id uuid.UUID) (Session, error) {
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return Session{}, err
	}
	found, err := s.query(ctx, in(build.Schema, `select `+sessionColumns+` from $.session where tenant = $1 and id = $2`), tenant, id)
	if err != nil {
		return Session{}, err
	}
	if len(found) == 0 {
		return Session{}, ErrNotFound
	}
	customers, err := s.builds.Live(ctx, CustomersName)
	if err == nil {
		err = s.name(ctx, customers.Schema, tenant, found)
	}
	return found[0], err
}

// Had reports whether an agent has or ever had a session.
func (s *Sessions) Had(ctx context.Context, tenant string, id uuid.UUID, agent string) (bool, error) {
	return s.exists(ctx, `select from $.session_agent where tenant = $1 and id = $2`, tenant, sessionAgent(id, agent))
}

// Served reports whether an agent has or ever had a session with a customer.
func (s *Sessions) Served(ctx context.Context, tenant string, customer uuid.UUID, agent string) (bool, error) {
	return s.exists(ctx, `select from $.session_agent where tenant = $1 and customer = $2 and agent = $3`, tenant, customer, agent)
}

func (s *Sessions) exists(ctx context.Context, sql string, args ...any) (found bool, err error) {
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return false, err
	}
	if err := s.pool.QueryRow(ctx, in(build.Schema, `select exists (`+sql+`)`), append([]any{planned}, args...)...).Scan(&found); err != nil {
		return false, fmt.Errorf("projections: sessions: %w", err)
	}
	return found, nil
}

// List returns one page. ErrCursor.
//
// What the customer is called is looked up in the read model of customers when the list is asked for, so a new name counts at once. A
// search for a text walks the list in its order and gives up after 200 ms; what it has found by then is the answer, marked as partial.
func (s *Sessions) List(ctx context.Context, tenant string, q SessionQuery) (SessionPage, error) {
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return SessionPage{}, err
	}
	customers, err := s.builds.Live(ctx, CustomersName)
	if err != nil {
		return SessionPage{}, err
	}
	w := &sessionWalk{ctx: ctx, pool: s.pool, schema: build.Schema, customers: customers.Schema, tenant: tenant, q: q}
	w.q.Limit, w.q.Text = limit(q.Limit), text.Fold(q.Text)
	if w.from, w.given, err = parseCursor(q.Cursor, sessionSort); err != nil {
		return SessionPage{}, err
	}
	if w.past = s.past; w.given && !w.from.of(w.past) {
		return SessionPage{}, ErrCursor
	}
	keys, err := w.page()
	if err != nil {
		return SessionPage{}, fmt.Errorf("projections: list sessions: %w", err)
	}
	page := SessionPage{Items: []Session{}, Partial: w.partial}
	page.Next, page.Prev = w.cursors(keys)
	if page.Count, err = w.count(keys); err != nil {
		return SessionPage{}, fmt.Errorf("projections: count sessions: %w", err)
	}
	if len(keys) == 0 {
		return page, nil
	}
	ids := make([]uuid.UUID, len(keys))
	place := make(map[uuid.UUID]int, len(keys))
	for i, k := range keys {
		ids[i], place[k.ID] = k.ID, i
	}
	if page.Items, err = s.query(ctx, in(build.Schema, `select `+sessionColumns+` from $.session where tenant = $1 and id = any($2)`), tenant, ids); err != nil {
		return SessionPage{}, err
	}
	slices.SortFunc(page.Items, func(a, b Session) int { return place[a.ID] - place[b.ID] })
	return page, s.name(ctx, customers.Schema, tenant, page.Items)
}

// name says of each session whose it is.
func (s *Sessions) name(ctx context.Context, schema, tenant string, sessions []Session) error {
	var ids []uuid.UUID
	for _, of := range sessions {
		if !slices.Contains(ids, of.CustomerID) {
			ids = append(ids, of.CustomerID)
		}
	}
	rows, err := s.pool.Query(ctx, in(schema, `select c.id, c.external_id, c.nickname, c.name,
		exists (select from $.customer_listing l where l.tenant = c.tenant and l.customer = c.id and (l.expires_at is null or l.expires_at > $3))
		from $.customer c where c.tenant = $1 and c.id = any($2)`), planned, tenant, ids, s.now())
	if err != nil {
		return fmt.Errorf("projections: visitors: %w", err)
	}
	visitors := make(map[uuid.UUID]*Visitor, len(ids))
	var id uuid.UUID
	var v Visitor
	if _, err = pgx.ForEachRow(rows, []any{&id, &v.ExternalID, &v.Nickname, &v.Name, &v.Blacklisted}, func() error {
		known := v
		visitors[id] = &known
		return nil
	}); err != nil {
		return fmt.Errorf("projections: visitors: %w", err)
	}
	for i := range sessions {
		sessions[i].Customer = visitors[sessions[i].CustomerID]
	}
	return nil
}

func (s *Sessions) query(ctx context.Context, sql string, args ...any) ([]Session, error) {
	rows, err := s.pool.Query(ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("projections: sessions: %w", err)
	}
	sessions, err := pgx.CollectRows(rows, scanSession)
	if err != nil {
		return nil, fmt.Errorf("projections: sessions: %w", err)
	}
	return sessions, nil
}

func scanSession(row pgx.CollectableRow) (Session, error) {
	var s Session
	var agent, comment string
	var score *int
	var reasons []byte
	var ratedAt *time.Time
	var w Web
	err := row.Scan(&s.ID, &s.CustomerID, &s.Channel, &s.AssociationID, &s.State, &s.Initiator, &s.Callback, &agent,
		&s.StartedAt, &s.AcceptedAt, &s.EndedAt, &s.EndedBy, &s.EndCause,
		&s.MessageCount, &s.CustomerMessageCount, &s.LastMessageAt, &score, &reasons, &comment, &ratedAt, &w.IP, &w.Region, &w.UserAgent, &w.Referrer)
	if err != nil {
		return s, err
	}
	s.StartedAt, s.AcceptedAt, s.EndedAt, s.LastMessageAt = s.StartedAt.UTC(), utc(s.AcceptedAt), utc(s.EndedAt), utc(s.LastMessageAt)
	if agent != "" {
		s.Agent = &Agent{ID: agent, Name: agent}
	}
	if score != nil && ratedAt != nil {
		s.Rating = &Rating{Score: *score, Comment: comment, At: ratedAt.UTC()}
		if err := json.Unmarshal(reasons, &s.Rating.Reasons); err != nil {
			return s, err
		}
	}
	if w != (Web{}) {
		w.Software = software(w.UserAgent)
		s.Web = &w
	}
	return s, nil
}
