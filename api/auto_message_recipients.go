package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/projections"
)

// Recipient is a customer to whom an auto message was sent.
type Recipient struct {
	projections.AutoMessageRecipient
	Nickname   string `json:"nickname" doc:"Of the customer now; empty for one who was erased, or has none."`
	ExternalID string `json:"external_id" doc:"Of the customer; empty for one who was erased."`
}

func (s *server) recipientOperations() {
	const tag = "Auto messages"
	register(s, operation{id: "list-recipients", method: http.MethodGet, path: "/v1/auto-messages/{id}/recipients", tag: tag,
		summary: "List to whom an auto message was sent, the latest first",
		notes:   "Those who are on its list but have not got it are not there."}, s.listRecipients)
	register(s, operation{id: "add-recipients", method: http.MethodPost, path: "/v1/auto-messages/{id}/recipients", tag: tag, status: http.StatusOK,
		summary: "Put customers on the list of an auto message, all or none",
		notes: "Whatever its audience is besides; while it is running they get it at once. Who has got it does not get it again, and who is on " +
			"the blacklist gets it once that is over.", errors: []int{http.StatusConflict}}, s.addRecipients)
}

type listRecipientsInput struct {
	After
	ID     uuid.UUID `path:"id" format:"uuid"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string    `query:"cursor" maxLength:"500" doc:"next of the page before."`
}

type recipientsOutput struct {
	Served
	Body List[Recipient]
}

func (s *server) listRecipients(ctx context.Context, r *request, in *listRecipientsInput) (*recipientsOutput, error) {
	served, err := s.serve(ctx, projections.AutoMessagesName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	m, err := s.autoMessage(ctx, r, in.ID)
	if err != nil {
		return nil, err
	}
	page, err := projections.NewAutoMessages(s.Store, s.Projector).Recipients(ctx, r.who.Tenant, in.ID, in.Cursor, in.Limit)
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid("query.cursor", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	count := &projections.Count{Value: m.Counts.Sent + m.Counts.Withheld, Exact: true}
	items, err := s.recipients(ctx, r, page.Items)
	return &recipientsOutput{Served: served, Body: List[Recipient]{Items: items, Next: page.Next, Count: count}}, err
}

// recipients are shown with what their customers are called.
func (s *server) recipients(ctx context.Context, r *request, sent []projections.AutoMessageRecipient) ([]Recipient, error) {
	ids := make([]uuid.UUID, len(sent))
	for i, one := range sent {
		ids[i] = one.CustomerID
	}
	called, err := s.Customers.Called(ctx, r.who.Tenant, ids)
	if err != nil {
		return nil, err
	}
	items := []Recipient{}
	for _, one := range sent {
		item := Recipient{AutoMessageRecipient: one, Nickname: called[one.CustomerID].Nickname, ExternalID: called[one.CustomerID].ExternalID}
		if !r.who.Personal {
			item.Nickname, item.ExternalID = masked(item.Nickname), masked(item.ExternalID)
		}
		items = append(items, item)
	}
	return items, nil
}

type addRecipientsInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body RecipientsInput
}

func (s *server) addRecipients(ctx context.Context, r *request, in *addRecipientsInput) (*autoMessageOutput, error) {
	done, err := commands.AddRecipients{AutoMessage: in.ID, Customers: in.Body.Customers}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenAutoMessage(ctx, r, done), nil
}
