package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/projections/projector"
)

// RetryInput names a parked customer.
type RetryInput struct {
	Tenant     string    `json:"tenant" maxLength:"32"`
	CustomerID uuid.UUID `json:"customer_id" format:"uuid"`
}

// SkipInput names a parked customer, and says why to go on without some of the customer's events.
type SkipInput struct {
	RetryInput
	Reason string `json:"reason" doc:"1 to 500 characters about the events, without personal data: it is kept in the log for ever, and not sealed."`
}

// Skipped says which events are passed over.
type Skipped struct {
	Positions []int64 `json:"positions" nullable:"false" doc:"In the log of the tenant."`
	Position  int64   `json:"position" doc:"Of the event that says so."`
}

func (s *server) parkedOperations() {
	const tag = "Projections"
	conflict := []int{http.StatusConflict}
	register(s, operation{id: "list-parked", method: http.MethodGet, path: "/v1/projections/{name}/parked", tag: tag,
		summary: "List the customers whose events cannot be applied", notes: "The latest 1,000, with the event and the reason. An admin sees the own tenant's."}, s.listParked)
	register(s, operation{id: "retry-parked", method: http.MethodPost, path: "/v1/projections/{name}/retry", tag: tag, status: http.StatusNoContent,
		summary: "Fold a parked customer anew", errors: conflict}, s.retryParked)
	register(s, operation{id: "skip-parked", method: http.MethodPost, path: "/v1/projections/{name}/skip", tag: tag, status: http.StatusOK,
		summary: "Go on with a parked customer without the events that cannot be applied",
		notes: "An event in the log says which and why, so a rebuild leaves them out as well. It counts for this version of the read model. Try again first: if " +
			"all events can be applied, nothing is skipped.",
		errors: conflict}, s.skipParked)
}

type parkedInput struct {
	After
	Name string `path:"name" maxLength:"31"`
}

func (s *server) listParked(ctx context.Context, r *request, in *parkedInput) (*struct{ Body List[projector.Parked] }, error) {
	found, err := s.Projector.Parked(ctx, in.Name, r.who.Tenant) // an operator's tenant is none, which is all
	return &struct{ Body List[projector.Parked] }{whole(found)}, unbuilt(err)
}

type retryInput struct {
	Write
	Name string `path:"name" maxLength:"31"`
	Body RetryInput
}

func (s *server) retryParked(ctx context.Context, r *request, in *retryInput) (*struct{}, error) {
	_, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		mended, err := s.Projector.Retry(ctx, in.Name, in.Body.Tenant, in.Body.CustomerID)
		if err == nil && mended == 0 {
			err = projector.ErrNotParked
		}
		return "", unbuilt(err)
	})
	return nil, err
}

type skipInput struct {
	Write
	Name string `path:"name" maxLength:"31"`
	Body SkipInput
}

type skipOutput struct {
	Written
	Body Skipped
}

// skipParked writes that events are skipped, and waits a moment for the read model to do so.
func (s *server) skipParked(ctx context.Context, r *request, in *skipInput) (*skipOutput, error) {
	answer, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		positions, version, err := s.Projector.Skippable(ctx, in.Name, in.Body.Tenant, in.Body.CustomerID)
		if err != nil {
			return "", unbuilt(err)
		}
		by := r.by("")
		by.Tenant = in.Body.Tenant
		done, err := commands.SkipEvents{Customer: in.Body.CustomerID, Projection: in.Name, Version: version, Positions: positions, Reason: in.Body.Reason}.Run(ctx, s.Center, by)
		if err != nil {
			return "", err
		}
		answer, err := json.Marshal(Skipped{Positions: positions, Position: done.Position})
		return string(answer), err
	})
	if err != nil {
		return nil, err
	}
	out := &skipOutput{}
	if err := json.Unmarshal([]byte(answer), &out.Body); err != nil {
		return nil, err
	}
	out.LogPosition = out.Body.Position
	err = r.turn.aside(ctx, func() error {
		_, _, err := s.Projector.WaitFor(ctx, in.Name, in.Body.Tenant, out.LogPosition, 2*time.Second)
		return err
	})
	return out, err
}
