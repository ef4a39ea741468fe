package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
)

// SessionQuery is what to list. Its zero value is all sessions, the latest first.
type SessionQuery struct {
	Customer uuid.UUID // zero: anybody
	Channel  string    // empty: any
	Agent    string    // who has it or had it last; empty: anybody
	State    string    // waiting, processing, closed, aborted; empty: any
	// From and To bound started_at, half-open; zero is no bound.
	From, To time.Time
	Limit    int    // 1 to 200; 0 is 50
	Cursor   string // Next or Prev of another page with the same query
}

// SessionPage is one page of the history of sessions.
type SessionPage struct {
	Items []Session `json:"items"`
	Next  string    `json:"next,omitempty"`
	Prev  string    `json:"prev,omitempty"`
	Count Count     `json:"count"`
}

// Session is a session as the API shows it.
type Session struct {
	ID            uuid.UUID  `json:"id"`
	CustomerID    uuid.UUID  `json:"customer_id"`
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
	pool   *pgxpool.Pool
	builds Builds
}

// NewSessions returns the queries over the build that builds says is live.
func NewSessions(store *eventstore.Store, builds Builds) *Sessions {
	return &Sessions{pool: store.Pool(), builds: builds}
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
	return found[0], nil
}

const sessionSort = "-started_at"

// List returns one page. ErrCursor.
func (s *Sessions) List(ctx context.Context, tenant string, q SessionQuery) (SessionPage, error) {
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return SessionPage{}, err
	}
	from, given, err := parseCursor(q.Cursor, sessionSort)
	if err != nil {
		return SessionPage{}, err
	}
	q.Limit = limit(q.Limit)
	sql, args := sessionPageSQL(build.Schema, tenant, q, from, given)
	items, err := s.query(ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return SessionPage{}, err
	}
	more := len(items) > q.Limit
	if more {
		items = items[:q.Limit]
	}
	if from.Back {
		slices.Reverse(items)
	}
	page := SessionPage{Items: items, Count: Count{Value: int64(len(items)), Exact: true}}
	at := func(s Session, back bool) string {
		return cursor{Sort: sessionSort, Back: back, At: s.StartedAt, ID: s.ID}.String()
	}
	if n := len(items); n > 0 {
		if more && !from.Back || from.Back {
			page.Next = at(items[n-1], false)
		}
		if more && from.Back || given && !from.Back {
			page.Prev = at(items[0], true)
		}
	}
	if more || given {
		sql, args := sessionCountSQL(build.Schema, tenant, q)
		if err := s.pool.QueryRow(ctx, sql, append([]any{planned}, args...)...).Scan(&page.Count.Value); err != nil {
			return SessionPage{}, fmt.Errorf("projections: count sessions: %w", err)
		}
		if page.Count.Value > countBound {
			page.Count = Count{Value: countBound}
		}
	}
	return page, nil
}

// sessionWhere are the conditions of a query.
func sessionWhere(tenant string, q SessionQuery, args *arguments) []string {
	where := []string{"tenant = " + args.bind(tenant)}
	if q.Customer != uuid.Nil {
		where = append(where, "customer = "+args.bind(q.Customer))
	}
	for _, c := range []struct{ column, value string }{{"channel", q.Channel}, {"agent", q.Agent}, {"state", q.State}} {
		if c.value != "" {
			where = append(where, c.column+" = "+args.bind(c.value))
		}
	}
	if q.State == "waiting" || q.State == "processing" {
		where = append(where, "state in ('waiting', 'processing')") // so that the index of open sessions can be used
	}
	if !q.From.IsZero() {
		where = append(where, "started_at >= "+args.bind(q.From))
	}
	if !q.To.IsZero() {
		where = append(where, "started_at < "+args.bind(q.To))
	}
	return where
}

func sessionPageSQL(schema, tenant string, q SessionQuery, from cursor, given bool) (string, []any) {
	var args arguments
	where := sessionWhere(tenant, q, &args)
	less, direction := "<", "desc"
	if from.Back {
		less, direction = ">", "asc"
	}
	if given {
		where = append(where, fmt.Sprintf("(started_at, id) %s (%s, %s)", less, args.bind(from.At), args.bind(from.ID)))
	}
	return in(schema, fmt.Sprintf(`select %s from $.session where %s order by started_at %s, id %s limit %s`,
		sessionColumns, strings.Join(where, " and "), direction, direction, args.bind(q.Limit+1))), args
}

func sessionCountSQL(schema, tenant string, q SessionQuery) (string, []any) {
	var args arguments
	where := sessionWhere(tenant, q, &args)
	return in(schema, fmt.Sprintf(`select count(*) from (select from $.session where %s limit %s) s`, strings.Join(where, " and "), args.bind(countBound+1))), args
}

func (s *Sessions) query(ctx context.Context, sql string, args ...any) ([]Session, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
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
