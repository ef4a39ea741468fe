package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"customercenter/projections"
)

func (s *server) groupSizeOperation() {
	register(s, operation{id: "group-size", method: http.MethodGet, path: "/v1/groups/{id}/size", tag: "Groups",
		summary: "Tell how many were in a group on each of the last days, the earliest first",
		notes:   "Exact, in days of the tenant's zone. There are no items while a new rule is being filled."}, s.groupSize)
}

type groupSizeInput struct {
	After
	ID   uuid.UUID `path:"id" format:"uuid"`
	Days int       `query:"days" minimum:"1" maximum:"366" default:"30" doc:"How many days, today included."`
}

type groupSizeOutput struct {
	Served
	Body List[projections.GroupDay]
}

func (s *server) groupSize(ctx context.Context, r *request, in *groupSizeInput) (*groupSizeOutput, error) {
	if err := s.seesGroupOf(ctx, r, in.ID); err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.GroupsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	cal, err := s.calendarOf(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	days, err := s.Groups.Size(ctx, r.who.Tenant, in.ID, cal, s.Now(), in.Days)
	return &groupSizeOutput{Served: served, Body: whole(days)}, err
}
