package api

import (
	"context"
	"net/http"

	"customercenter/projections"
)

func (s *server) dayOperations() {
	register(s, operation{id: "count-customers-per-day", method: http.MethodGet, path: "/v1/customers/per-day", tag: "Customers",
		summary: "Count the new customers of each of the last days, the earliest first",
		notes:   "Exact, in days of the tenant's zone. Who has left the list since does not count."}, s.countCustomersPerDay)
	register(s, operation{id: "count-sessions-per-day", method: http.MethodGet, path: "/v1/sessions/per-day", tag: "Sessions",
		summary: "Count the sessions that began on each of the last days, the earliest first",
		notes:   "Exact, in days of the tenant's zone."}, s.countSessionsPerDay)
}

type daysInput struct {
	After
	Days int `query:"days" minimum:"1" maximum:"366" default:"30" doc:"How many days, today included."`
}

type daysOutput struct {
	Served
	Body List[projections.Day]
}

func (s *server) countCustomersPerDay(ctx context.Context, r *request, in *daysInput) (*daysOutput, error) {
	served, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	cal, err := s.calendarOf(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	days, err := s.Customers.PerDay(ctx, r.who.Tenant, cal, s.Now(), in.Days)
	return &daysOutput{Served: served, Body: whole(days)}, err
}

func (s *server) countSessionsPerDay(ctx context.Context, r *request, in *daysInput) (*daysOutput, error) {
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	cal, err := s.calendarOf(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	days, err := s.Sessions.PerDay(ctx, r.who.Tenant, cal, s.Now(), in.Days)
	return &daysOutput{Served: served, Body: whole(days)}, err
}
