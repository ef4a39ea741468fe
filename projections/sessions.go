package projections

import (
	_ "embed"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

//go:embed sessions.sql
var sessionsSQL string

// SessionsName is the name of the read model behind the history of sessions.
const SessionsName = "sessions"

// SessionsDefinition is the read model behind the history of sessions.
func SessionsDefinition() projector.Definition {
	tables, indexes := projector.Sections(sessionsSQL)
	return projector.Definition{
		Name: SessionsName, Version: 4,
		Types: []string{
			"session.started", "session.accepted", "session.transferred", "session.message_recorded",
			"session.web_attributes_recorded", "session.rated", "session.closed", "session.aborted",
		},
		Blind:  []string{"session.message_recorded"},
		Tables: tables, Indexes: indexes,
		New: newSessionsFold,
	}
}

type sessionRow struct {
	ID               uuid.UUID
	Customer         uuid.UUID
	Association      int
	Channel          string
	Initiator        string
	Callback         bool
	State            string
	Agent            string
	StartedAt        time.Time
	AcceptedAt       *time.Time
	EndedAt          *time.Time
	EndedBy          string
	EndCause         string
	Messages         int
	CustomerMessages int
	LastMessageAt    *time.Time
	Score            *int
	Reasons          string // JSON array
	Comment          string
	RatedAt          *time.Time
	Web              session.WebAttributesRecorded
}

// sessionAgentRow says that an agent has or had a session.
type sessionAgentRow struct {
	ID        string
	Session   uuid.UUID
	Agent     string
	Customer  uuid.UUID
	StartedAt time.Time
}

// sessionAgent is the key of a session's agent.
func sessionAgent(id uuid.UUID, agent string) string { return id.String() + "/" + agent }

// sessionsFold is the fold of the read model "sessions".
type sessionsFold struct {
	sessions *projector.Rows[uuid.UUID, sessionRow]
	agents   *projector.Rows[string, sessionAgentRow]
}

func newSessionsFold() projector.Fold {
	type s = sessionRow
	type a = sessionAgentRow
	sessions := projector.NewRows("session", "id", "uuid", func(r *s) *uuid.UUID { return &r.ID },
		projector.Value("customer", "uuid", func(r *s) *uuid.UUID { return &r.Customer }),
		projector.Value("association", "int", func(r *s) *int { return &r.Association }),
		projector.Value("channel", "text", func(r *s) *string { return &r.Channel }),
		projector.Value("initiator", "text", func(r *s) *string { return &r.Initiator }),
		projector.Value("callback", "boolean", func(r *s) *bool { return &r.Callback }),
		projector.Value("state", "text", func(r *s) *string { return &r.State }),
		projector.Value("agent", "text", func(r *s) *string { return &r.Agent }),
		projector.Value("started_at", "timestamptz", func(r *s) *time.Time { return &r.StartedAt }),
		projector.Value("accepted_at", "timestamptz", func(r *s) **time.Time { return &r.AcceptedAt }),
		projector.Value("ended_at", "timestamptz", func(r *s) **time.Time { return &r.EndedAt }),
		projector.Value("ended_by", "text", func(r *s) *string { return &r.EndedBy }),
		projector.Value("end_cause", "text", func(r *s) *string { return &r.EndCause }),
		projector.Value("message_count", "int", func(r *s) *int { return &r.Messages }),
		projector.Value("customer_message_count", "int", func(r *s) *int { return &r.CustomerMessages }),
		projector.Value("last_message_at", "timestamptz", func(r *s) **time.Time { return &r.LastMessageAt }),
		projector.Value("rating_score", "int", func(r *s) **int { return &r.Score }),
		projector.JSON("rating_reasons", func(r *s) *string { return &r.Reasons }),
		projector.Value("rating_comment", "text", func(r *s) *string { return &r.Comment }),
		projector.Value("rated_at", "timestamptz", func(r *s) **time.Time { return &r.RatedAt }),
		projector.Value("ip", "text", func(r *s) *string { return &r.Web.IP }),
		projector.Value("region", "text", func(r *s) *string { return &r.Web.Region }),
		projector.Value("user_agent", "text", func(r *s) *string { return &r.Web.UserAgent }),
		projector.Value("referrer", "text", func(r *s) *string { return &r.Web.Referrer }),
	)
	agents := projector.NewRows("session_agent", "id", "text", func(r *a) *string { return &r.ID },
		projector.Value("session", "uuid", func(r *a) *uuid.UUID { return &r.Session }),
		projector.Value("agent", "text", func(r *a) *string { return &r.Agent }),
		projector.Value("customer", "uuid", func(r *a) *uuid.UUID { return &r.Customer }),
		projector.Value("started_at", "timestamptz", func(r *a) *time.Time { return &r.StartedAt }),
	)
	return &sessionsFold{sessions: sessions, agents: agents}
}

func (f *sessionsFold) Tables() []projector.Table { return []projector.Table{f.sessions, f.agents} }

// sessionOf is the session whose stream that is.
func sessionOf(stream string) (uuid.UUID, bool) {
	id, ok := strings.CutPrefix(stream, "session-")
	if !ok {
		return uuid.Nil, false
	}
	parsed, err := uuid.Parse(id)
	return parsed, err == nil
}

func (f *sessionsFold) Touch(e *eventstore.Decoded) {
	if e.Type == "session.started" {
		return // there is no row before
	}
	if id, ok := sessionOf(e.Stream); ok {
		f.sessions.Touch(id)
	}
}

func (f *sessionsFold) Apply(e *eventstore.Decoded) error {
	id, ok := sessionOf(e.Stream)
	if !ok {
		return errors.New("not the stream of a session")
	}
	at := micros(e.OccurredAt())
	if started, ok := e.Payload.(session.Started); ok {
		f.sessions.Create(sessionRow{
			ID: id, Customer: started.Customer, Association: started.Association, Channel: started.Channel,
			Initiator: started.Initiator, Callback: started.Callback, State: string(session.StatusWaiting), StartedAt: at, Reasons: "[]",
		})
		return nil
	}
	row, found := f.sessions.Edit(id)
	if !found {
		return errors.New("the session was never started")
	}
	switch payload := e.Payload.(type) {
	case session.Accepted:
		row.State, row.AcceptedAt = string(session.StatusProcessing), &at
		f.given(row, payload.Agent)
	case session.Transferred:
		f.given(row, payload.To)
	case session.MessageRecorded:
		row.Messages++
		if payload.Sender.Kind == domain.PartyCustomer {
			row.CustomerMessages++
		}
		row.LastMessageAt = later(row.LastMessageAt, at)
	case session.WebAttributesRecorded:
		row.Web = payload
	case session.Rated:
		return row.rated(payload, at)
	case session.Closed:
		row.State, row.EndedAt, row.EndedBy, row.EndCause = string(session.StatusClosed), &at, payload.By, payload.Cause
	case session.Aborted:
		row.State, row.EndedAt, row.EndedBy, row.EndCause = string(session.StatusAborted), &at, payload.By, payload.Cause
	}
	return nil
}

// given notes who has the session from now on. Those who had it before keep it in their history.
func (f *sessionsFold) given(row *sessionRow, agent string) {
	row.Agent = agent
	f.agents.Put(sessionAgentRow{ID: sessionAgent(row.ID, agent), Session: row.ID, Agent: agent, Customer: row.Customer, StartedAt: row.StartedAt})
}

func (r *sessionRow) rated(payload session.Rated, at time.Time) error {
	if payload.Reasons == nil {
		payload.Reasons = []string{}
	}
	reasons, err := json.Marshal(payload.Reasons)
	if err != nil {
		return errors.New("the reasons cannot be written as JSON")
	}
	r.Score, r.Reasons, r.Comment, r.RatedAt = &payload.Score, string(reasons), payload.Comment, &at
	return nil
}

func (f *sessionsFold) Skip(*eventstore.Event) {}

func (f *sessionsFold) Recall(_ uuid.UUID, events []eventstore.Decoded) {
	f.each(events, f.sessions.Touch)
}

func (f *sessionsFold) Forget(_ uuid.UUID, events []eventstore.Decoded) error {
	f.each(events, func(id uuid.UUID) {
		if _, found := f.sessions.Peek(id); found {
			f.sessions.Delete(id)
		}
	})
	for _, e := range events {
		id, _ := sessionOf(e.Stream)
		switch payload := e.Payload.(type) {
		case session.Accepted:
			f.agents.Delete(sessionAgent(id, payload.Agent))
		case session.Transferred:
			f.agents.Delete(sessionAgent(id, payload.To))
		}
	}
	return nil
}

// each names the customer's sessions, from their own streams and from the customer's.
func (f *sessionsFold) each(events []eventstore.Decoded, do func(id uuid.UUID)) {
	for _, e := range events {
		if id, ok := sessionOf(e.Stream); ok {
			do(id)
		} else if opened, ok := e.Payload.(customer.SessionOpened); ok {
			do(opened.Session)
		}
	}
}
