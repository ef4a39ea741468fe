package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/projections"
)

// BlacklistInput says why, and until when, somebody's messages are suppressed.
type BlacklistInput struct {
	Reason     string     `json:"reason" doc:"1 to 150 characters."`
	ExpiresAt  *time.Time `json:"expires_at,omitempty" doc:"When it ends by itself. Absent: never."`
	EndSession bool       `json:"end_session,omitempty" doc:"End an unfinished session at once, an agent only the own one; otherwise it goes on to its end."`
}

func (in *BlacklistInput) command(r *request, ifVersion int64) commands.BlacklistCustomer {
	cmd := commands.BlacklistCustomer{Reason: in.Reason, EndSession: in.EndSession, OnlyOf: onlyOf(r), IfVersion: ifVersion}
	if in.ExpiresAt != nil {
		cmd.ExpiresAt = *in.ExpiresAt
	}
	return cmd
}

func (s *server) blacklistOperations() {
	const tag = "Blacklist"
	const agents = " Agents may, if the tenant allows them the blacklist, with the customers whose session they own or owned."
	refused := []int{http.StatusConflict, http.StatusPreconditionFailed}
	register(s, operation{id: "list-blacklist", method: http.MethodGet, path: "/v1/blacklist", tag: tag,
		summary: "List the blacklist, the latest first",
		notes:   "Places that have expired are not listed. " + agentNotes}, s.listBlacklist)
	register(s, operation{id: "put-blacklist", method: http.MethodPut, path: "/v1/customers/{id}/blacklist", tag: tag,
		summary: "Put a customer on the blacklist",
		notes:   "Messages are accepted and kept, but no session is created." + agents, errors: refused}, s.putBlacklist)
	register(s, operation{id: "delete-blacklist", method: http.MethodDelete, path: "/v1/customers/{id}/blacklist", tag: tag,
		summary: "Take a customer off the blacklist", notes: "The next message creates a session. What was suppressed is not replayed." + agents,
		errors: refused}, s.deleteBlacklist)
	register(s, operation{id: "put-session-blacklist", method: http.MethodPut, path: "/v1/sessions/{id}/blacklist", tag: tag,
		summary: "Put a session's customer on the blacklist", notes: "As by the customer, who is the answer; If-Match takes the customer's ETag." + agents,
		errors: refused}, s.putSessionBlacklist)
}

// mayBlacklist refuses an agent whose tenant does not allow agents the blacklist.
func (s *server) mayBlacklist(ctx context.Context, r *request) error {
	if r.scope != access.Own {
		return nil
	}
	own, _, err := s.Catalogues.Settings(ctx, r.who.Tenant)
	if err == nil && !own.AgentAccess.Blacklist {
		return domain.Refuse(codeForbidden)
	}
	return err
}

type putBlacklistInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body BlacklistInput
}

func (s *server) putBlacklist(ctx context.Context, r *request, in *putBlacklistInput) (*writtenCustomer, error) {
	return s.blacklist(ctx, r, in, s.reaches, func(cmd *commands.BlacklistCustomer) { cmd.Customer = in.ID })
}

func (s *server) putSessionBlacklist(ctx context.Context, r *request, in *putBlacklistInput) (*writtenCustomer, error) {
	return s.blacklist(ctx, r, in, s.reachesCustomerOf, func(cmd *commands.BlacklistCustomer) { cmd.Session = commands.SessionRef{ID: in.ID} })
}

// blacklist puts on the list whom the id in the address leads to: reaches says whether the caller gets there, aim names them in the command.
func (s *server) blacklist(ctx context.Context, r *request, in *putBlacklistInput, reaches func(context.Context, *request, uuid.UUID) error,
	aim func(*commands.BlacklistCustomer)) (*writtenCustomer, error) {
	if err := s.mayBlacklist(ctx, r); err != nil {
		return nil, err
	}
	if err := reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	cmd := in.Body.command(r, version)
	aim(&cmd)
	done, err := cmd.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, notThere(err)
	}
	return s.written(ctx, r, done), nil
}

type deleteBlacklistInput struct {
	Write
	Match
	ID uuid.UUID `path:"id" format:"uuid"`
}

type deleteBlacklistOutput struct {
	Written
	ETag string `header:"ETag"`
}

func (s *server) deleteBlacklist(ctx context.Context, r *request, in *deleteBlacklistInput) (*deleteBlacklistOutput, error) {
	if err := s.mayBlacklist(ctx, r); err != nil {
		return nil, err
	}
	if err := s.reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.UnblacklistCustomer{Customer: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return &deleteBlacklistOutput{Written: Written{done.Position}, ETag: etag(done.Version)}, err
}

type listBlacklistInput struct {
	After
	Q      string `query:"q" maxLength:"256" doc:"Part of the visitor id, the nickname or the name, without regard to case and width."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"1000" doc:"next or prev of another page of the same query."`
}

type blacklistOutput struct {
	Served
	Body projections.BlacklistPage
}

func (s *server) listBlacklist(ctx context.Context, r *request, in *listBlacklistInput) (*blacklistOutput, error) {
	agent, err := s.customersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if in.Q != "" && !r.who.Personal { // what is masked could be guessed letter by letter
		return nil, domain.Refuse(codeForbidden).At("query.q")
	}
	served, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	page, err := s.Customers.Blacklist(ctx, r.who.Tenant, projections.BlacklistQuery{Q: in.Q, ServedBy: agent, Limit: in.Limit, Cursor: in.Cursor})
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid("query.cursor", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	if !r.who.Personal {
		for i := range page.Items {
			maskBlacklisted(&page.Items[i])
		}
	}
	return &blacklistOutput{Served: served, Body: page}, nil
}
