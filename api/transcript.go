package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/projections"
)

func (s *server) transcriptOperations() {
	register(s, operation{id: "get-transcript", method: http.MethodGet, path: "/v1/customers/{id}/transcript", tag: "Customers",
		summary: "Show what was said with a customer, across sessions",
		notes: "One continuous flow: the sessions in the order in which they began, each with its messages between the marks of its beginning and end, the " +
			"earliest first. Without before, after and session it is the end. A message that came after the end of its session stays in it. " + ownSessions +
			" An agent may read them whether or not the tenant lets agents into the customer center."}, s.customerTranscript)
}

type transcriptInput struct {
	After
	Past
	ID      uuid.UUID `path:"id" format:"uuid"`
	Agent   string    `query:"agent" maxLength:"128" doc:"Only sessions that this agent has or ever had; me is oneself."`
	Earlier string    `query:"before" maxLength:"1000" doc:"before of another page: what is earlier."`
	Later   string    `query:"after" maxLength:"1000" doc:"after of another page: what is later."`
	Session uuid.UUID `query:"session" format:"uuid" doc:"From the beginning of this session on."`
	Limit   int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items."`
}

type transcriptOutput struct {
	ServedPast
	Body projections.TranscriptPage
}

func (s *server) customerTranscript(ctx context.Context, r *request, in *transcriptInput) (out *transcriptOutput, err error) {
	err = s.ofCustomer(ctx, r, in.AsOf, in.ID, func(then *server) error {
		out, err = then.transcript(ctx, r, in)
		return err
	})
	return out, err
}

func (s *server) transcript(ctx context.Context, r *request, in *transcriptInput) (*transcriptOutput, error) {
	agent, err := agentOf(r, in.Agent)
	if err != nil {
		return nil, err
	}
	if in.Later != "" && in.Earlier != "" {
		return nil, invalid("query.after", ruleInvalid)
	}
	if in.Session != uuid.Nil && in.Earlier+in.Later != "" {
		return nil, invalid("query.session", ruleInvalid)
	}
	if err := s.interaction(ctx, r, in.After, in.ID); err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	page, err := s.Sessions.Transcript(ctx, r.who.Tenant, projections.TranscriptQuery{
		Customer: in.ID, Agent: agent, Before: in.Earlier, After: in.Later, Session: in.Session, Limit: in.Limit,
	})
	if errors.Is(err, projections.ErrCursor) {
		if in.Later != "" {
			return nil, invalid("query.after", ruleCursor)
		}
		return nil, invalid("query.before", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	if !r.who.Personal {
		for i := range page.Items {
			maskItem(&page.Items[i])
		}
	}
	return &transcriptOutput{s.at(served), page}, nil
}
