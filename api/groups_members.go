package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/projections"
)

// GroupMember is a customer who is in a group.
type GroupMember struct {
	Customer projections.Customer `json:"customer"`
	Since    time.Time            `json:"since" doc:"When the customer entered."`
	Cause    projections.Cause    `json:"cause"`
	Evidence []GroupEvidence      `json:"evidence" nullable:"false" doc:"The conditions that decided, as a customer's groups tell them."`
}

func (s *server) groupMembersOperation() {
	register(s, operation{id: "list-group-members", method: http.MethodGet, path: "/v1/groups/{id}/members", tag: "Groups",
		summary: "List who is in a group, the newest customers first",
		notes: "By the rule that is served: while a new one is being filled, by the one before. The kind of a cause is `event` (of the customer), `clock` (time passed) or `rule` (it changed, or what it means). Other orders, and conditions besides, are those of " +
			"the customer list, with a filter by `groups`. " + agentNotes + pastNotes, prepares: true}, s.listGroupMembers)
}

type groupMembersInput struct {
	After
	Past
	ID     uuid.UUID `path:"id" format:"uuid"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string    `query:"cursor" maxLength:"1000" doc:"next or prev of another page."`
}

type groupMembersOutput struct {
	ServedPast
	Body List[GroupMember]
}

func (s *server) listGroupMembers(ctx context.Context, r *request, in *groupMembersInput) (*groupMembersOutput, error) {
	s, err := s.asOf(ctx, r, "query.", in.AsOf, in.Cursor)
	if err != nil {
		return nil, err
	}
	agent, err := s.customersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.seesGroupOf(ctx, r, in.ID); err != nil {
		return nil, err
	}
	served, err := s.serveGroups(ctx, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	members, err := membersOf(in.ID)
	if err != nil {
		return nil, err
	}
	page, err := s.Customers.List(ctx, r.who.Tenant, projections.ListQuery{Filter: members, ServedBy: agent, Limit: in.Limit, Cursor: in.Cursor, At: s.Now()})
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid("query.cursor", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	items, err := s.groupMembers(ctx, r, in.ID, page.Items)
	return &groupMembersOutput{s.at(served), List[GroupMember]{Items: items, Next: page.Next, Prev: page.Prev, Count: &page.Count, Partial: page.Partial}}, err
}

// membersOf is the filter by one group.
func membersOf(id uuid.UUID) (*filter.Filter, error) {
	raw, err := json.Marshal(map[string]any{"field": "groups", "op": filter.HasAny, "value": []uuid.UUID{id}})
	if err != nil {
		return nil, err
	}
	return filter.Parse(raw, &filter.Language{Groups: true}, "filter")
}

// groupMembers shows customers of a group as the caller may see them. Who is not told to be a member any more was one a moment ago.
func (s *server) groupMembers(ctx context.Context, r *request, id uuid.UUID, customers []projections.Customer) ([]GroupMember, error) {
	items := []GroupMember{}
	if len(customers) == 0 {
		return items, nil
	}
	if err := s.showGroups(ctx, r, customers, nil); err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(customers))
	for i := range customers {
		ids[i] = customers[i].ID
	}
	why, err := s.Groups.Why(ctx, r.who.Tenant, id, ids)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, c := range customers {
		m, known := why[c.ID]
		if !known { // the group has ended in this moment
			continue
		}
		if !r.who.Personal {
			maskCustomer(&c)
		}
		items = append(items, GroupMember{Customer: c, Since: m.Since, Cause: m.Cause, Evidence: words.evidence(m.Evidence)})
	}
	return items, nil
}

// seesGroupOf refuses a group that the caller does not see. Refused: NOT_FOUND.
func (s *server) seesGroupOf(ctx context.Context, r *request, id uuid.UUID) error {
	state, _, err := s.Catalogues.Groups(ctx, r.who.Tenant)
	if err != nil {
		return err
	}
	if g, found := state.All[id]; !found || !seesGroup(r, g) {
		return domain.Refuse(domain.CodeNotFound)
	}
	return nil
}

// serveGroups is serve for an answer that tells of customers by their groups: it is complete up to where both read models are.
func (s *server) serveGroups(ctx context.Context, tenant string, after After) (Served, error) {
	customers, err := s.serve(ctx, projections.CustomersName, tenant, after)
	if err != nil {
		return Served{}, err
	}
	groups, err := s.serve(ctx, projections.GroupsName, tenant, after)
	if err != nil {
		return Served{}, err
	}
	if groups.Stale == "" {
		groups.Stale = customers.Stale
	}
	groups.LogPosition = min(groups.LogPosition, customers.LogPosition)
	return groups, nil
}

// serveList is serve for a list of customers: it waits for who is in which group only if that is asked for.
func (s *server) serveList(ctx context.Context, tenant string, q *projections.ListQuery, after After) (Served, error) {
	if slices.Contains(q.Facets, projections.FacetGroups) || slices.Contains(q.Filter.Fields(), "groups") {
		return s.serveGroups(ctx, tenant, after)
	}
	return s.serve(ctx, projections.CustomersName, tenant, after)
}
