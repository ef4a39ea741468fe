package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/projections"
)

type sessionPage struct {
	Served
	Body projections.SessionPage
}

type sessionOutput struct {
	Served
	Body projections.Session
}

func (s *server) sessionOperations() {
	const tag = "Sessions"
	register(s, operation{id: "list-sessions", method: http.MethodGet, path: "/v1/sessions", tag: tag,
		summary: "List sessions, the latest first", notes: "An agent sees the own ones."}, s.listSessions)
	register(s, operation{id: "get-session", method: http.MethodGet, path: "/v1/sessions/{id}", tag: tag,
		summary: "Show a session", notes: "An agent sees the own ones."}, s.getSession)
	register(s, operation{id: "list-session-messages", method: http.MethodGet, path: "/v1/sessions/{id}/messages", tag: tag,
		summary: "List the messages of a session, in order", notes: "Marks of its beginning and end are among them. An agent sees the own sessions."}, s.listMessages)
	s.sessionWrites(tag)
}

// SessionFilter is what to list of the sessions.
type SessionFilter struct {
	After
	Channel string    `query:"channel" enum:"app,web,wechat,weibo,phone,api"`
	Agent   string    `query:"agent" maxLength:"128" doc:"Who has it or had it last; me is oneself."`
	State   string    `query:"state" enum:"waiting,processing,closed,aborted"`
	From    time.Time `query:"from" doc:"Begun at this time or later."`
	To      time.Time `query:"to" doc:"Begun before this time."`
	Limit   int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor  string    `query:"cursor" maxLength:"1000"`
}

func (s *server) listSessions(ctx context.Context, r *request, in *SessionFilter) (*sessionPage, error) {
	return s.sessions(ctx, r, uuid.Nil, in)
}

type customerSessionsInput struct {
	SessionFilter
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) listCustomerSessions(ctx context.Context, r *request, in *customerSessionsInput) (*sessionPage, error) {
	if r.who.Role != access.Agent { // to an agent, a customer without own sessions and none at all look the same
		if _, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After); err != nil {
			return nil, err
		}
		if _, err := s.Customers.One(ctx, r.who.Tenant, in.ID); err != nil {
			return nil, err
		}
	}
	return s.sessions(ctx, r, in.ID, &in.SessionFilter)
}

func (s *server) sessions(ctx context.Context, r *request, customer uuid.UUID, in *SessionFilter) (*sessionPage, error) {
	if in.Agent == "me" {
		in.Agent = r.who.ID
	}
	if r.who.Role == access.Agent {
		if in.Agent != "" && in.Agent != r.who.ID {
			return nil, domain.Refuse(codeForbidden).At("query.agent")
		}
		in.Agent = r.who.ID
	}
	if !in.From.IsZero() && !in.To.IsZero() && in.To.Before(in.From) {
		return nil, invalid("query.to", ruleOrder)
	}
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	page, err := s.Sessions.List(ctx, r.who.Tenant, projections.SessionQuery{Customer: customer, Channel: in.Channel, Agent: in.Agent,
		State: in.State, From: in.From, To: in.To, Limit: in.Limit, Cursor: in.Cursor})
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid("query.cursor", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	if !r.who.Personal {
		for i := range page.Items {
			maskSession(&page.Items[i])
		}
	}
	return &sessionPage{Served: served, Body: page}, nil
}

// SessionAddress names a session.
type SessionAddress struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) getSession(ctx context.Context, r *request, in *SessionAddress) (*sessionOutput, error) {
	served, found, err := s.session(ctx, r, in.After, in.ID)
	if err != nil {
		return nil, err
	}
	return &sessionOutput{Served: served, Body: found}, nil
}

// session returns a session as the caller may see it. Refused: NOT_FOUND, FORBIDDEN to an agent whose session it is not.
func (s *server) session(ctx context.Context, r *request, after After, id uuid.UUID) (Served, projections.Session, error) {
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, after)
	if err != nil {
		return served, projections.Session{}, err
	}
	found, err := s.Sessions.One(ctx, r.who.Tenant, id)
	if err != nil {
		return served, projections.Session{}, err
	}
	if r.who.Role == access.Agent && !owns(r, &found) {
		return served, projections.Session{}, domain.Refuse(codeForbidden)
	}
	if !r.who.Personal {
		maskSession(&found)
	}
	return served, found, nil
}

func owns(r *request, s *projections.Session) bool { return s.Agent != nil && s.Agent.ID == r.who.ID }

type messagesInput struct {
	SessionAddress
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"20"`
}

type messagesOutput struct {
	Served
	Body List[projections.TranscriptItem]
}

func (s *server) listMessages(ctx context.Context, r *request, in *messagesInput) (*messagesOutput, error) {
	var from int64
	if in.Cursor != "" {
		var err error
		if from, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || from < 0 {
			return nil, invalid("query.cursor", ruleCursor)
		}
	}
	served, _, err := s.session(ctx, r, in.After, in.ID)
	if err != nil {
		return nil, err
	}
	items, more, err := projections.Transcript(ctx, s.Store, r.who.Tenant, in.ID, from, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &messagesOutput{Served: served, Body: List[projections.TranscriptItem]{Items: items}}
	if more && len(items) > 0 {
		out.Body.Next = strconv.FormatInt(items[len(items)-1].Version, 10)
	}
	if !r.who.Personal {
		for i := range items {
			maskItem(&items[i])
		}
	}
	return out, nil
}

func (s *server) sessionWrites(tag string) {
	conflict := []int{http.StatusConflict}
	register(s, operation{id: "accept-session", method: http.MethodPost, path: "/v1/sessions/{id}/accept", tag: tag, status: http.StatusOK,
		summary: "Give a waiting session to an agent", notes: "An agent accepts for oneself.", errors: conflict}, s.acceptSession)
	register(s, operation{id: "transfer-session", method: http.MethodPost, path: "/v1/sessions/{id}/transfer", tag: tag, status: http.StatusOK,
		summary: "Hand a session to another agent", errors: conflict}, s.transferSession)
	register(s, operation{id: "close-session", method: http.MethodPost, path: "/v1/sessions/{id}/close", tag: tag, status: http.StatusOK,
		summary: "End a session", notes: "One that nobody accepted is aborted. Ending an ended session changes nothing.", errors: conflict}, s.closeSession)
	register(s, operation{id: "abort-session", method: http.MethodPost, path: "/v1/sessions/{id}/abort", tag: tag, status: http.StatusOK,
		summary: "End a session that nobody accepted", errors: conflict}, s.abortSession)
	register(s, operation{id: "rate-session", method: http.MethodPost, path: "/v1/sessions/{id}/rating", tag: tag, status: http.StatusOK,
		summary: "Record the customer's verdict, once", errors: conflict}, s.rateSession)
}

type writtenSession struct {
	Written
	Stale string `header:"X-Stale" enum:"true" doc:"Set if the session below does not show the write yet."`
	Body  projections.Session
}

// writtenSession answers a write with the session, once the history has it. The write is safe in the log, so nothing that goes wrong
// after it makes it fail: then the caller gets the id to ask for it again.
func (s *server) writtenSession(ctx context.Context, r *request, done commands.Done, err error) (*writtenSession, error) {
	if err != nil {
		return nil, err
	}
	out := &writtenSession{Written: Written{done.Position}}
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, After{AfterHeader: done.Position})
	if err == nil {
		out.Stale = served.Stale
		out.Body, err = s.Sessions.One(ctx, r.who.Tenant, done.Session)
	}
	if err != nil {
		s.unshown(ctx, r, done, err)
		out.Body, out.Stale = projections.Session{ID: done.Session, CustomerID: done.Customer}, "true"
	}
	return out, nil
}

// unshown notes that a write cannot be shown.
func (s *server) unshown(ctx context.Context, r *request, done commands.Done, err error) {
	if !errors.Is(err, projections.ErrNotFound) {
		s.log.WarnContext(ctx, "api: a write cannot be shown", "tenant", r.who.Tenant, "position", done.Position, "error", err)
	}
}

// onlyOf is whose a session must be for the caller to write to it: an agent's own; empty for others, who may write to all.
func onlyOf(r *request) string {
	if r.who.Role == access.Agent {
		return r.who.ID
	}
	return ""
}

// AcceptInput says who accepts a session.
type AcceptInput struct {
	AgentID string `json:"agent_id,omitempty" maxLength:"128" doc:"Absent: oneself."`
}

type acceptInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body *AcceptInput
}

func (s *server) acceptSession(ctx context.Context, r *request, in *acceptInput) (*writtenSession, error) {
	agent := r.who.ID
	if in.Body != nil && in.Body.AgentID != "" {
		agent = in.Body.AgentID
	}
	if r.who.Role == access.Agent && agent != r.who.ID {
		return nil, domain.Refuse(codeForbidden).At("agent_id")
	}
	done, err := commands.AcceptSession{Session: commands.SessionRef{ID: in.ID}, Agent: agent}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenSession(ctx, r, done, err)
}

// TransferInput says who gets a session.
type TransferInput struct {
	To string `json:"to" doc:"The agent who gets it."`
}

type transferInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body TransferInput
}

func (s *server) transferSession(ctx context.Context, r *request, in *transferInput) (*writtenSession, error) {
	done, err := commands.TransferSession{Session: commands.SessionRef{ID: in.ID}, To: in.Body.To, OnlyOf: onlyOf(r)}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenSession(ctx, r, done, err)
}

// EndInput says why a session ends.
type EndInput struct {
	Cause string `json:"cause,omitempty" doc:"A short code: up to 64 letters, digits, _ - and ."`
}

type endInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body *EndInput
}

func (in *endInput) cause() string {
	if in.Body == nil {
		return ""
	}
	return in.Body.Cause
}

func (s *server) closeSession(ctx context.Context, r *request, in *endInput) (*writtenSession, error) {
	done, err := commands.CloseSession{Session: commands.SessionRef{ID: in.ID}, By: domain.PartyAgent, Cause: in.cause(), OnlyOf: onlyOf(r)}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenSession(ctx, r, done, err)
}

func (s *server) abortSession(ctx context.Context, r *request, in *endInput) (*writtenSession, error) {
	done, err := commands.AbortSession{Session: commands.SessionRef{ID: in.ID}, By: domain.PartyAgent, Cause: in.cause()}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenSession(ctx, r, done, err)
}

// RatingInput is a customer's verdict.
type RatingInput struct {
	Score   int      `json:"score" minimum:"1" maximum:"5"`
	Reasons []string `json:"reasons,omitempty" maxItems:"10" nullable:"false"`
	Comment string   `json:"comment,omitempty" doc:"Up to 1,000 characters."`
}

type rateInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body RatingInput
}

func (s *server) rateSession(ctx context.Context, r *request, in *rateInput) (*writtenSession, error) {
	done, err := commands.RateSession{Session: commands.SessionRef{ID: in.ID}, Score: in.Body.Score, Reasons: in.Body.Reasons, Comment: in.Body.Comment}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenSession(ctx, r, done, err)
}
