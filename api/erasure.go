package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/domain"
)

// Erasure is how far it is removed what was known of somebody who was erased.
type Erasure struct {
	CustomerID uuid.UUID  `json:"customer_id" format:"uuid"`
	Generation int        `json:"generation" doc:"Of the last life that was erased: who comes back is the next one."`
	Position   int64      `json:"position" doc:"Of the erasure in the log. Behind it nobody reads what was said of the person."`
	ErasedAt   time.Time  `json:"erased_at" doc:"The keys of the customer are destroyed since."`
	DoneAt     *time.Time `json:"done_at,omitempty" doc:"When nothing was left any more beside the log. Absent: something is, or was not looked for yet."`
	Left       []string   `json:"left" nullable:"false" enum:"past,read_models,files,messages,dead_letters,queue" doc:"What was left when it was last looked, and could not be removed yet: moments of the past that were prepared; read models that have not come to the erasure; files of uploads and exports; messages to channels; dead letters; channel events that were carried out, until the queue is empty. They are looked at in this order, up to the first that is left."`
}

type erasureOutput struct {
	Written
	Body Erasure
}

// EraseInput confirms whom to erase.
type EraseInput struct {
	Confirm string `json:"confirm" doc:"The customer's external id."`
}

func (s *server) erasureOperations() {
	const tag = "Customers"
	register(s, operation{id: "erase-customer", method: http.MethodDelete, path: "/v1/customers/{id}", tag: tag, status: http.StatusAccepted,
		summary: "Erase a customer for good", notes: "Destroys the keys of all that the log knows of the person; an unfinished session ends. Nobody can undo it. What is kept beside the log is removed " +
			"within minutes: GET /v1/customers/{id}/erasure tells when nothing is left. Counts stay, and the sessions with what is nobody's in particular. The same visitor may come back, as a new customer."}, s.eraseCustomer)
	register(s, operation{id: "get-erasure", method: http.MethodGet, path: "/v1/customers/{id}/erasure", tag: tag,
		summary: "Show how far an erasure is", notes: "404 if nobody was erased under this id."}, s.getErasure)
}

func (s *server) eraseCustomer(ctx context.Context, r *request, in *struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body EraseInput
}) (*erasureOutput, error) {
	done, err := commands.EraseCustomer{Customer: in.ID, Confirm: in.Body.Confirm}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	shown, err := s.erasure(ctx, r, in.ID)
	return &erasureOutput{Written: Written{done.Position}, Body: shown}, err
}

// getErasure needs not wait for a position: what it tells is written with the event.
func (s *server) getErasure(ctx context.Context, r *request, in *struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}) (*struct{ Body Erasure }, error) {
	shown, err := s.erasure(ctx, r, in.ID)
	return &struct{ Body Erasure }{shown}, err
}

func (s *server) erasure(ctx context.Context, r *request, id uuid.UUID) (Erasure, error) {
	e := Erasure{CustomerID: id, Left: []string{}}
	var left *string
	err := s.Store.DB().QueryRow(ctx, `select generation, position, erased_at, done_at, waiting from erasures where tenant = $1 and customer = $2
		order by generation desc limit 1`, r.who.Tenant, id).Scan(&e.Generation, &e.Position, &e.ErasedAt, &e.DoneAt, &left)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, domain.Refuse(domain.CodeNotFound)
	}
	if err != nil {
		return e, fmt.Errorf("api: erasure: %w", err)
	}
	e.ErasedAt = e.ErasedAt.UTC()
	if e.DoneAt != nil {
		*e.DoneAt = e.DoneAt.UTC()
	}
	if left != nil {
		e.Left = strings.Split(*left, ",")
	}
	return e, nil
}
