package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/projections"
)

// CallbackInput is what an agent begins a session with.
type CallbackInput struct {
	Text string `json:"text,omitempty" doc:"The first message, sent through the customer's channel. Absent: none."`
}

type callbackInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body *CallbackInput
}

func (s *server) callbackOperations() {
	register(s, operation{id: "request-callback", method: http.MethodPost, path: "/v1/customers/{id}/callback", tag: "Customers", status: http.StatusCreated,
		summary: "Open a session towards a customer",
		notes: "It is in processing at once and the caller's own. Refused: ASSOCIATION_GONE, CUSTOMER_BLACKLISTED, SESSION_OPEN, and CHANNEL_WINDOW_CLOSED " +
			"when the channel takes no messages to the customer any more. Whether it would be is shown with the customer, as callback.",
		errors: []int{http.StatusConflict}}, s.requestCallback)
}

func (s *server) requestCallback(ctx context.Context, r *request, in *callbackInput) (*startedSession, error) {
	if err := s.reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	cmd := commands.RequestCallback{Customer: in.ID, Agent: r.who.ID}
	if in.Body != nil {
		cmd.Text = in.Body.Text
	}
	done, err := cmd.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	shown, err := s.writtenSession(ctx, r, done, err)
	if err != nil {
		return nil, err
	}
	return &startedSession{Written: shown.Written, Stale: shown.Stale, Location: "/v1/sessions/" + done.Session.String(), Body: shown.Body}, nil
}

type startedSession struct {
	Written
	Stale    string `header:"X-Stale" enum:"true" doc:"Set if the session below does not show the write yet."`
	Location string `header:"Location"`
	Body     projections.Session
}

// shown is a customer as one customer is shown, to an agent if the agent owns or owned a session of theirs: with whether they may be
// called back. projections.ErrNotFound.
func (s *server) shown(ctx context.Context, r *request, agent string, id uuid.UUID) (projections.Customer, error) {
	one, err := s.Customers.OneServedBy(ctx, r.who.Tenant, agent, id)
	if err != nil {
		return one, err
	}
	shown := []projections.Customer{one}
	if err := s.showGroups(ctx, r, shown, nil); err != nil {
		return one, err
	}
	found := shown[0]
	found.Callback, err = s.callback(ctx, r, &found)
	return found, err
}

// callback tells beforehand what commands.RequestCallback would say, as far as the read model knows.
func (s *server) callback(ctx context.Context, r *request, c *projections.Customer) (*projections.Callback, error) {
	connected, _, err := s.Catalogues.Associations(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	state := customer.State{Exists: true, Channel: c.Channel}
	if c.LastCustomerMessageAt != nil {
		state.LastCustomerMessageAt = *c.LastCustomerMessageAt
	}
	if c.OpenSession != nil {
		state.Unfinished.ID = *c.OpenSession
	}
	if c.Listing != nil {
		state.Listing = &customer.Listing{Since: c.Listing.Since}
		if c.Listing.ExpiresAt != nil {
			state.Listing.ExpiresAt = *c.Listing.ExpiresAt
		}
	}
	out := &projections.Callback{Allowed: true}
	if ends, limited := state.WindowEnds(); limited && !ends.IsZero() {
		out.WindowEndsAt = &ends
	}
	_, err = connected.Active(c.AssociationID)
	if err == nil {
		err = state.MayBeCalledBack(s.Now())
	}
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		out.Allowed, out.Code = false, refusal.Code
		if refusal.Code == domain.CodeSessionOpen {
			out.SessionID = c.OpenSession
		}
		return out, nil
	}
	return out, err
}
