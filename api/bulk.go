package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/bulk"
	"customercenter/domain/job"
	"customercenter/internal/locale"
	"customercenter/projections"
)

// Bulk is one thing that is done to many customers.
type Bulk struct {
	Job
	Action      string          `json:"action" enum:"tag,untag,blacklist,unblacklist"`
	TagID       *uuid.UUID      `json:"tag_id,omitempty" format:"uuid"`
	Reason      string          `json:"reason,omitempty"`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty" doc:"When the listings end."`
	Filter      json.RawMessage `json:"filter,omitempty" doc:"Absent if the customers were named."`
	Description string          `json:"description,omitempty" doc:"The filter in words, in the language of Accept-Language."`
	Position    int64           `json:"position,omitempty" doc:"Of the log: who matched then is meant, whatever happens meanwhile."`
	Selected    int             `json:"selected" doc:"How many customers are meant."`
	Changed     int             `json:"changed" doc:"To how many something happened; with the others it was so already, or it was refused."`
	Refused     int             `json:"refused"`
	Undone      int             `json:"undone" doc:"Of how many it was undone."`
	Kept        int             `json:"kept" doc:"Of how many it was not undone, because it was changed since."`
	Undoing     bool            `json:"undoing"`
}

// BulkInput is what is to be done, and to whom.
type BulkInput struct {
	Action    string          `json:"action" doc:"tag, untag, blacklist or unblacklist."`
	TagID     uuid.UUID       `json:"tag_id,omitempty" format:"uuid" doc:"Which tag is put on or taken off."`
	Reason    string          `json:"reason,omitempty" doc:"With blacklist: 1 to 150 characters."`
	ExpiresAt *time.Time      `json:"expires_at,omitempty" doc:"With blacklist: when the listings end by themselves."`
	Filter    json.RawMessage `json:"filter,omitempty" doc:"A filter: all who match. {} is everybody."`
	IDs       []uuid.UUID     `json:"ids,omitempty" maxItems:"10000" doc:"Or these customers."`
}

// BulkRefusal is a customer to whom nothing happened.
type BulkRefusal struct {
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
	Code       string    `json:"code"`
	Detail     string    `json:"detail"`
}

func (s *server) bulkOperations() {
	const tag = "Bulk actions"
	conflict := http.StatusConflict
	register(s, operation{id: "list-bulk", method: http.MethodGet, path: "/v1/customers/bulk", tag: tag,
		summary: "List the bulk actions, the newest first"}, s.listBulk)
	register(s, operation{id: "start-bulk", method: http.MethodPost, path: "/v1/customers/bulk", tag: tag, status: http.StatusAccepted,
		summary: "Tag, untag, blacklist or unblacklist many customers", notes: "Who is meant is settled once, at one position of the log; who comes to match later is not."}, s.startBulk)
	register(s, operation{id: "get-bulk", method: http.MethodGet, path: "/v1/customers/bulk/{id}", tag: tag,
		summary: "Show a bulk action"}, s.getBulk)
	register(s, operation{id: "list-bulk-refused", method: http.MethodGet, path: "/v1/customers/bulk/{id}/refused", tag: tag,
		summary: "List the customers of whom it was refused, and why"}, s.listBulkRefused)
	register(s, operation{id: "list-bulk-kept", method: http.MethodGet, path: "/v1/customers/bulk/{id}/kept", tag: tag,
		summary: "List the customers of whom it was not undone, and why"}, s.listBulkKept)
	register(s, operation{id: "cancel-bulk", method: http.MethodPost, path: "/v1/customers/bulk/{id}/cancel", tag: tag, status: http.StatusOK,
		summary: "Cancel a bulk action", notes: "What was done stays, unless it is undone.", errors: []int{conflict}}, s.cancelBulk)
	register(s, operation{id: "undo-bulk", method: http.MethodPost, path: "/v1/customers/bulk/{id}/undo", tag: tag, status: http.StatusAccepted,
		summary: "Undo a bulk action", notes: "By events that say the contrary, of those customers to whom something happened and with whom it was not changed since; the others are listed.", errors: []int{conflict}}, s.undoBulk)
}

func (s *server) bulkOf(ctx context.Context, r *request, j *projections.Job) (Bulk, error) {
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return Bulk{}, err
	}
	return words.bulk(r.language, j), nil
}

func (v *vocabulary) bulk(l locale.Language, j *projections.Job) Bulk {
	b := j.Bulk
	shown := Bulk{
		Job: jobOf(l, j), Action: string(b.Asked.Action), Reason: b.Asked.Reason, ExpiresAt: b.Asked.ExpiresAt, Position: b.Selected.Position, Selected: b.Selected.Customers,
		Changed: b.Changed, Refused: b.Refused, Undone: b.Undone, Kept: b.Kept, Undoing: b.Undoing,
	}
	if b.Asked.Tag != uuid.Nil {
		shown.TagID = &b.Asked.Tag
	}
	if b.Asked.Filter != nil {
		shown.Filter, shown.Description = v.tell(b.Asked.Filter)
	}
	return shown
}

type bulksOutput struct {
	Served
	Body List[Bulk]
}

func (s *server) listBulk(ctx context.Context, r *request, in *jobsInput) (*bulksOutput, error) {
	served, page, err := s.jobsPage(ctx, r, in, job.KindBulk)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	list := List[Bulk]{Items: make([]Bulk, len(page.Items)), Next: page.Next}
	for i := range page.Items {
		list.Items[i] = words.bulk(r.language, &page.Items[i])
	}
	return &bulksOutput{Served: served, Body: list}, nil
}

type bulkOutput struct {
	Served
	Body Bulk
}

func (s *server) getBulk(ctx context.Context, r *request, in *oneJobInput) (*bulkOutput, error) {
	served, j, err := s.job(ctx, r, in, job.KindBulk)
	if err != nil {
		return nil, err
	}
	shown, err := s.bulkOf(ctx, r, &j)
	return &bulkOutput{Served: served, Body: shown}, err
}

type writtenBulk struct {
	Written
	Location string `header:"Location"`
	Body     Bulk
}

func (s *server) bulkWritten(ctx context.Context, r *request, done commands.Done) (*writtenBulk, error) {
	j, err := s.jobWritten(ctx, r, done)
	if err != nil {
		return nil, err
	}
	shown, err := s.bulkOf(ctx, r, &j)
	return &writtenBulk{Written: Written{LogPosition: done.Position}, Location: "/v1/customers/bulk/" + j.ID.String(), Body: shown}, err
}

func (s *server) startBulk(ctx context.Context, r *request, in *struct {
	Write
	Body BulkInput
}) (*writtenBulk, error) {
	b := in.Body
	start := commands.StartBulk{Action: bulk.Action(b.Action), Tag: b.TagID, Reason: b.Reason, Filter: b.Filter, Customers: b.IDs}
	if b.ExpiresAt != nil {
		start.ExpiresAt = *b.ExpiresAt
	}
	done, err := start.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.bulkWritten(ctx, r, done)
}

func (s *server) cancelBulk(ctx context.Context, r *request, in *changeJobInput) (*writtenBulk, error) {
	done, err := commands.CancelBulk{Bulk: in.ID}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.bulkWritten(ctx, r, done)
}

func (s *server) undoBulk(ctx context.Context, r *request, in *changeJobInput) (*writtenBulk, error) {
	done, err := commands.UndoBulk{Bulk: in.ID}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.bulkWritten(ctx, r, done)
}

type bulkRefusedOutput struct {
	Served
	Body List[BulkRefusal]
}

func (s *server) listBulkRefused(ctx context.Context, r *request, in *OutcomesPage) (*bulkRefusedOutput, error) {
	return s.bulkRefusals(ctx, r, in, s.Jobs.Refusals)
}

func (s *server) listBulkKept(ctx context.Context, r *request, in *OutcomesPage) (*bulkRefusedOutput, error) {
	return s.bulkRefusals(ctx, r, in, s.Jobs.NotUndone)
}

func (s *server) bulkRefusals(ctx context.Context, r *request, in *OutcomesPage,
	read func(ctx context.Context, tenant string, id uuid.UUID, from jobs.Place, limit int) ([]bulk.Refused, jobs.Place, error)) (*bulkRefusedOutput, error) {
	served, _, err := s.job(ctx, r, &oneJobInput{ID: in.ID, After: in.After}, job.KindBulk)
	if err != nil {
		return nil, err
	}
	from, err := in.place()
	if err != nil {
		return nil, err
	}
	found, behind, err := read(ctx, r.who.Tenant, in.ID, from, in.Limit)
	if err != nil {
		return nil, err
	}
	list := List[BulkRefusal]{Items: make([]BulkRefusal, len(found))}
	for i, refused := range found {
		list.Items[i] = BulkRefusal{CustomerID: refused.Customer, Code: refused.Code, Detail: locale.BulkReason(r.language, refused.Code)}
	}
	if len(found) == in.Limit {
		list.Next, err = placeCursor(behind)
	}
	return &bulkRefusedOutput{Served: served, Body: list}, err
}
