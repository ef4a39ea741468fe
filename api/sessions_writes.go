package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/projections"
)

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
		return nil, notThere(err)
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
	if r.scope == access.Own {
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
	if r.scope == access.Own && agent != r.who.ID {
		return nil, domain.Refuse(codeForbidden).At("agent_id")
	}
	done, err := commands.AcceptSession{Session: commands.SessionRef{ID: in.ID}, Agent: agent}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && refusal.Location == "agent" {
		err = refusal.At("agent_id") // as the body calls it
	}
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
