package api

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/projections"
)

// Which customers a caller reaches: an agent those whose session the agent owns or owned, and these only if the tenant allows agents
// the customer center. Everybody else looks to an agent as if they did not exist.

// customersOf returns the agent whose customers are all that the caller reaches; empty if the caller reaches everybody's.
// Refused: FORBIDDEN to an agent if the tenant does not allow agents the customer center.
func (s *server) customersOf(ctx context.Context, r *request) (agent string, err error) {
	if r.scope != access.Own {
		return "", nil
	}
	own, _, err := s.Catalogues.Settings(ctx, r.who.Tenant)
	if err != nil {
		return "", err
	}
	if !own.AgentAccess.CustomerCenter {
		return "", domain.Refuse(codeForbidden)
	}
	return r.who.ID, nil
}

// reaches refuses a write to a customer whom the caller does not reach: FORBIDDEN as in customersOf, and NOT_FOUND. Who may reach
// everybody is not looked for here: the command knows who exists.
func (s *server) reaches(ctx context.Context, r *request, id uuid.UUID) error {
	agent, err := s.customersOf(ctx, r)
	if err != nil || agent == "" {
		return err
	}
	return s.current(ctx, r, projections.CustomersName, func() error {
		_, err := s.Customers.OneServedBy(ctx, r.who.Tenant, agent, id)
		return err
	})
}

// reachesCustomerOf is reaches for the customer of a session.
func (s *server) reachesCustomerOf(ctx context.Context, r *request, session uuid.UUID) error {
	agent, err := s.customersOf(ctx, r)
	if err != nil || agent == "" {
		return err
	}
	var found projections.Session
	err = s.current(ctx, r, projections.SessionsName, func() (err error) {
		found, err = s.Sessions.One(ctx, r.who.Tenant, session)
		return err
	})
	if err != nil {
		return err
	}
	return s.reaches(ctx, r, found.CustomerID)
}

// current asks a read model, and once more when it says that there is no such thing: that is believed only when the read model has
// caught up with the log. What it has found stays true: nobody loses a session once owned. Refused: UNAVAILABLE if it lags too much.
func (s *server) current(ctx context.Context, r *request, model string, ask func() error) error {
	err := ask()
	if !errors.Is(err, projections.ErrNotFound) {
		return err
	}
	head, err := s.Store.Head(ctx, r.who.Tenant)
	if err != nil {
		return err
	}
	served, err := s.serve(ctx, model, r.who.Tenant, After{AfterHeader: head})
	if err != nil {
		return err
	}
	if served.Stale != "" {
		return domain.Refuse(codeUnavailable)
	}
	return ask()
}
