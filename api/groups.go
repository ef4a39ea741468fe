package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/group"
	"customercenter/projections"
)

// Group is a rule that customers enter and leave by themselves.
type Group struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
	// Rule is absent for who sees personal data masked, if it looks at such.
	Rule         json.RawMessage `json:"rule,omitempty" doc:"The filter by which customers belong to the group. Absent if it looks at personal data and the reader sees that masked."`
	Description  string          `json:"description" doc:"The rule in words, in the language of Accept-Language."`
	AgentVisible bool            `json:"agent_visible" doc:"Agents see the group."`
	Revision     int             `json:"revision" doc:"Counts the rules that the group has had: 1 when it was defined."`
	Version      int64           `json:"version" doc:"As in the ETag: 1 when it was defined; each change of the group adds to it."`
	// These are of the read model "groups", which may not know of the last change yet.
	Members        int64                 `json:"members" doc:"How many customers are in the group now. Exact."`
	ServedRevision int                   `json:"served_revision" doc:"The revision by which these are members: less than revision until the last rule has looked at everybody, and 0 before the first has."`
	Filling        *projections.Progress `json:"filling,omitempty" doc:"How many customers a newer rule has looked at, of how many; absent when all is done."`
}

// GroupInput is what a group is defined with.
type GroupInput struct {
	Name         string          `json:"name" doc:"1 to 50 characters; unique without regard to case and width."`
	Rule         json.RawMessage `json:"rule" doc:"A filter with at least one condition. It may not read groups."`
	AgentVisible bool            `json:"agent_visible,omitempty" doc:"Whether agents see the group."`
}

// GroupChange is what is to be changed of a group; what is absent stays.
type GroupChange struct {
	Name         *string         `json:"name,omitempty" doc:"1 to 50 characters; unique without regard to case and width."`
	Rule         json.RawMessage `json:"rule,omitempty" doc:"A filter with at least one condition. It may not read groups."`
	AgentVisible *bool           `json:"agent_visible,omitempty" doc:"Whether agents see the group."`
}

type groupOutput struct {
	Written
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     Group
}

const groupNotes = "Agents see the groups that are visible to them. The answer includes the members' changes up to X-Log-Position."

func (s *server) groupOperations() {
	const tag = "Groups"
	register(s, operation{id: "list-groups", method: http.MethodGet, path: "/v1/groups", tag: tag,
		summary: "List the groups, oldest first", notes: groupNotes}, s.listGroups)
	register(s, operation{id: "define-group", method: http.MethodPost, path: "/v1/groups", tag: tag, status: http.StatusCreated,
		summary: "Define a group", notes: "A tenant may have up to 200. What is wrong with the rule is told with its path: `rule.all[1].value`.",
		errors: []int{http.StatusConflict}}, s.defineGroup)
	register(s, operation{id: "get-group", method: http.MethodGet, path: "/v1/groups/{id}", tag: tag,
		summary: "Show a group", notes: groupNotes + pastNotes, prepares: true}, s.getGroup)
	register(s, operation{id: "change-group", method: http.MethodPatch, path: "/v1/groups/{id}", tag: tag,
		summary: "Change a group, all or nothing", notes: "A rule that says the same changes nothing. A tag that is deleted stays in the rules that name it: no customer has it any more.",
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.changeGroup)
	register(s, operation{id: "delete-group", method: http.MethodDelete, path: "/v1/groups/{id}", tag: tag,
		summary: "Delete a group", notes: "Its members leave it; its id never comes back. Refused with GROUP_IN_USE while an auto message is running whose audience depends on it; used_by lists them. " +
			"Views and auto messages that read it stay: a list by such a view, and the start of such an auto message, is refused with GROUP_UNKNOWN and the path until that is taken out.",
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.deleteGroup)
	s.groupHistoryOperation()
	s.groupPreviewOperation()
	s.groupMembersOperation()
	s.groupSizeOperation()
	s.groupMovesOperation()
}

type groupsOutput struct {
	Served
	Body List[Group]
}

func (s *server) listGroups(ctx context.Context, r *request, in *struct{ After }) (*groupsOutput, error) {
	served, err := s.serve(ctx, projections.GroupsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	state, _, err := s.Catalogues.Groups(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	standing, err := s.Groups.Status(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	var all []Group
	for _, g := range state.Sorted() {
		if seesGroup(r, g) {
			all = append(all, words.group(g, standing[g.ID]))
		}
	}
	return &groupsOutput{served, whole(all)}, nil
}

// seesGroup reports whether the caller sees a group.
func seesGroup(r *request, g group.Group) bool { return r.who.Role != access.Agent || g.AgentVisible }

// showGroups leaves of the groups that customers are told to be in, and of what they are counted by (which may be nil), those that the
// caller sees: an agent is not told of the others, not even that they are there.
func (s *server) showGroups(ctx context.Context, r *request, customers []projections.Customer, facets map[string]map[string]int64) error {
	told := len(facets[projections.FacetGroups]) > 0
	for i := range customers {
		told = told || len(customers[i].Groups) > 0
	}
	if !told || r.who.Role != access.Agent {
		return nil
	}
	state, _, err := s.Catalogues.Groups(ctx, r.who.Tenant)
	if err != nil {
		return err
	}
	sees := func(id uuid.UUID) bool { return state.Known(id) && seesGroup(r, state.All[id]) }
	for i := range customers {
		visible := []projections.Named{}
		for _, in := range customers[i].Groups {
			if sees(in.ID) {
				visible = append(visible, in)
			}
		}
		customers[i].Groups = visible
	}
	maps.DeleteFunc(facets[projections.FacetGroups], func(id string, _ int64) bool {
		parsed, err := uuid.Parse(id)
		return err != nil || !sees(parsed)
	})
	return nil
}

// group shows a group in words.
func (v *vocabulary) group(g group.Group, standing projections.GroupStatus) Group {
	rule, description := v.tell(g.Rule)
	return Group{ID: g.ID, Name: g.Name, Rule: rule, Description: description, AgentVisible: g.AgentVisible, Revision: g.Revision, Version: g.Version,
		Members: standing.Members, ServedRevision: standing.Revision, Filling: standing.Filling}
}

type oneGroupInput struct {
	After
	Past
	ID uuid.UUID `path:"id" format:"uuid"`
}

type oneGroupOutput struct {
	ServedPast
	ETag string `header:"ETag"`
	Body Group
}

func (s *server) getGroup(ctx context.Context, r *request, in *oneGroupInput) (*oneGroupOutput, error) {
	s, err := s.asOf(ctx, r, "query.", in.AsOf, "")
	if err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.GroupsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	g, err := s.group(ctx, r, in.ID)
	return &oneGroupOutput{ServedPast: s.at(served), ETag: etag(g.Version), Body: g}, err
}

// group is a group as the caller sees it. Refused: NOT_FOUND.
func (s *server) group(ctx context.Context, r *request, id uuid.UUID) (Group, error) {
	state, _, err := s.Catalogues.Groups(ctx, r.who.Tenant)
	if err != nil {
		return Group{}, err
	}
	g, found := state.All[id]
	if !found || !seesGroup(r, g) {
		return Group{}, domain.Refuse(domain.CodeNotFound)
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return Group{}, err
	}
	standing, err := s.Groups.Status(ctx, r.who.Tenant, id)
	if err != nil {
		return Group{}, err
	}
	return words.group(g, standing[id]), nil
}

type defineGroupInput struct {
	Write
	Body GroupInput
}

func (s *server) defineGroup(ctx context.Context, r *request, in *defineGroupInput) (*groupOutput, error) {
	done, err := commands.DefineGroup{Name: in.Body.Name, Rule: in.Body.Rule, AgentVisible: in.Body.AgentVisible}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenGroup(ctx, r, done), nil
}

// writtenGroup answers with a group as it stands. One that was deleted since, when the request is repeated late, has its id only.
func (s *server) writtenGroup(ctx context.Context, r *request, done commands.Done) *groupOutput {
	g, err := s.group(ctx, r, done.Group)
	var gone *domain.Refusal
	if err != nil && !errors.As(err, &gone) { // the write is safe in the log: nothing that goes wrong after it makes it fail
		s.unshown(ctx, r, done, err)
	}
	if err != nil {
		g = Group{ID: done.Group}
	}
	return &groupOutput{Written: Written{done.Position}, Location: "/v1/groups/" + done.Group.String(), ETag: etag(g.Version), Body: g}
}

type changeGroupInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body GroupChange
}

func (s *server) changeGroup(ctx context.Context, r *request, in *changeGroupInput) (*groupOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.ChangeGroup{Group: in.ID, Name: in.Body.Name, Rule: in.Body.Rule, AgentVisible: in.Body.AgentVisible, IfVersion: version}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenGroup(ctx, r, done), nil
}

type deleteGroupInput struct {
	Write
	Match
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) deleteGroup(ctx context.Context, r *request, in *deleteGroupInput) (*noContent, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.DeleteGroup{Group: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return &noContent{Written{done.Position}}, nil
}
