package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/projections"
)

// GroupMove is an entry of a customer into a group, or a leave.
type GroupMove struct {
	CustomerID uuid.UUID         `json:"customer_id" format:"uuid"`
	Nickname   string            `json:"nickname" doc:"Of the customer now; empty for one who was erased, or has none."`
	ExternalID string            `json:"external_id" doc:"Of the customer; empty for one who was erased."`
	Entered    bool              `json:"entered" doc:"Whether it is an entry; else a leave."`
	At         time.Time         `json:"at"`
	Cause      projections.Cause `json:"cause"`
	Evidence   []GroupEvidence   `json:"evidence" nullable:"false" doc:"The conditions that decided, as a customer's groups tell them; of whoever was erased none is told."`
}

func (s *server) groupMovesOperation() {
	register(s, operation{id: "list-group-moves", method: http.MethodGet, path: "/v1/groups/{id}/moves", tag: "Groups",
		summary: "List who entered a group and who left it, the latest first",
		notes:   "While a new rule is being filled, entries and leaves by it are there as they are found."}, s.listGroupMoves)
}

type groupMovesInput struct {
	After
	ID     uuid.UUID `path:"id" format:"uuid"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string    `query:"cursor" maxLength:"500" doc:"next of the page before."`
}

type groupMovesOutput struct {
	Served
	Body List[GroupMove]
}

func (s *server) listGroupMoves(ctx context.Context, r *request, in *groupMovesInput) (*groupMovesOutput, error) {
	if err := s.seesGroupOf(ctx, r, in.ID); err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.GroupsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	moves, next, err := s.Groups.Moves(ctx, r.who.Tenant, in.ID, in.Cursor, in.Limit)
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid("query.cursor", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	items, err := s.groupMoves(ctx, r, moves)
	return &groupMovesOutput{served, List[GroupMove]{Items: items, Next: next}}, err
}

// groupMoves are shown with what their customers are called.
func (s *server) groupMoves(ctx context.Context, r *request, moves []projections.GroupMove) ([]GroupMove, error) {
	ids := make([]uuid.UUID, len(moves))
	for i := range moves {
		ids[i] = moves[i].Customer
	}
	called, err := s.Customers.Called(ctx, r.who.Tenant, ids)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	items := []GroupMove{}
	for _, m := range moves {
		item := GroupMove{CustomerID: m.Customer, Entered: m.Entered, At: m.At, Cause: m.Cause, Evidence: []GroupEvidence{}}
		if who, there := called[m.Customer]; there {
			item.Nickname, item.ExternalID, item.Evidence = who.Nickname, who.ExternalID, words.evidence(m.Evidence)
		}
		if !r.who.Personal {
			item.Nickname, item.ExternalID = masked(item.Nickname), masked(item.ExternalID)
		}
		items = append(items, item)
	}
	return items, nil
}
