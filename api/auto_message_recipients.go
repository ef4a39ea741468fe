package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/projections"
)

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
	Body List[projections.AutoMessageRecipient]
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
	return &recipientsOutput{Served: served, Body: List[projections.AutoMessageRecipient]{Items: page.Items, Next: page.Next, Count: count}}, nil
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
