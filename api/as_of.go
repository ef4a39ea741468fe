package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/internal/locale"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// This file answers as of a moment of the past. What is about one customer is folded from the customer's streams at once; for the rest, read models
// are built, which whoever asks waits for a little, and then is told how far they are.

// Past is a parameter of what can be asked as of a moment.
type Past struct {
	AsOf string `query:"as_of" maxLength:"64" doc:"The answer as it was then: a time such as 2026-11-03T09:30:00Z, or a position of the log. Times relative to now are relative to that. Not for agents."`
}

// ServedPast is Served, and what moment the answer is of.
type ServedPast struct {
	Served
	AsOfHeaders
}

// AsOfHeaders say what moment an answer is of.
type AsOfHeaders struct {
	AsOfPosition string `header:"X-As-Of-Position" doc:"With as_of: the position of the log that the answer is as of."`
	AsOfTime     string `header:"X-As-Of-Time" doc:"With as_of: the instant that the answer is as of."`
}

// at says what moment an answer of this server is of.
func (s *server) at(served Served) ServedPast {
	if s.past == nil {
		return ServedPast{Served: served}
	}
	return ServedPast{served, headersOf(s.past.Moment)}
}

func headersOf(m projector.Moment) AsOfHeaders {
	return AsOfHeaders{AsOfPosition: strconv.FormatInt(m.Position, 10), AsOfTime: m.At.Format(time.RFC3339Nano)}
}

// pastNotes belong to the notes of an operation for which read models are built.
const pastNotes = " With `as_of` the answer may take a moment to prepare: then it is 202 with a job, and the same request is answered once that is completed."

// PastJob is the building of read models as of a moment.
type PastJob struct {
	ID         uuid.UUID            `json:"id" format:"uuid"`
	Kind       string               `json:"kind" enum:"as_of"`
	Status     string               `json:"status" enum:"queued,running,completed,failed" doc:"queued: others are built first. completed: ask again what you asked."`
	Progress   projections.Progress `json:"progress" doc:"Events that were read and are to be read, over all read models."`
	Position   int64                `json:"position" doc:"Of the log, which the read models are as of."`
	AsOf       time.Time            `json:"as_of" doc:"The instant which they are as of."`
	Bytes      int64                `json:"bytes" doc:"How much room they take."`
	Code       string               `json:"code,omitempty" doc:"Why it failed, for programs."`
	Detail     string               `json:"detail,omitempty" doc:"Why it failed, in the language of Accept-Language."`
	CreatedBy  projections.Actor    `json:"created_by"`
	CreatedAt  time.Time            `json:"created_at"`
	FinishedAt *time.Time           `json:"finished_at,omitempty"`
}

func pastJobOf(l locale.Language, s *asof.Schema) PastJob {
	j := PastJob{
		ID: s.ID, Kind: "as_of", Status: "queued", Progress: projections.Progress{Done: s.Done, Total: s.Total}, Position: s.Position, AsOf: s.At, Bytes: s.Bytes,
		Code: s.Code, CreatedBy: projections.Actor{Kind: s.Actor.Kind, ID: s.Actor.ID, Name: s.Actor.ID}, CreatedAt: s.CreatedAt,
	}
	switch s.State {
	case asof.Building:
		j.Status = "running"
	case asof.Ready, asof.Leaving:
		j.Status, j.FinishedAt = "completed", &s.ChangedAt
	case asof.Failed:
		j.Status, j.FinishedAt, j.Detail = "failed", &s.ChangedAt, locale.Detail(l, s.Code, "", nil)
	}
	return j
}

// preparing is the answer 202: read models are being built. It takes the way of an error, as it stands in the place of any answer.
type preparing struct{ PastJob }

// Error implements error.
func (p *preparing) Error() string { return "api: read models as of a moment are being built" }

// GetStatus implements huma.StatusError.
func (p *preparing) GetStatus() int { return http.StatusAccepted }

// GetHeaders implements huma.HeadersError.
func (p *preparing) GetHeaders() http.Header {
	return http.Header{"Location": {"/v1/as-of/" + p.ID.String()}, "Retry-After": {"1"}}
}

func (s *server) pastOperations() {
	register(s, operation{id: "get-as-of-job", method: http.MethodGet, path: "/v1/as-of/{id}", tag: "Jobs",
		summary: "Show how far read models as of a moment are", notes: "What is asked with `as_of` leads here, if it is not ready at once. They are removed when nobody has asked for a while, and built again when somebody does."},
		s.getPastJob)
}

type onePastJobInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) getPastJob(ctx context.Context, r *request, in *onePastJobInput) (*struct{ Body PastJob }, error) {
	found, known, err := s.AsOf.Find(ctx, r.who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	return &struct{ Body PastJob }{pastJobOf(r.language, &found)}, nil
}

// then is the server that answers from read models as of a moment.
func (s *server) then(past projections.AsOf) *server {
	c := s.Config
	c.Catalogues, c.Customers, c.Groups, c.Sessions = past.Catalogues, past.Customers, past.Groups, past.Sessions
	c.Now = func() time.Time { return past.At }
	return &server{Config: c, log: s.log, metrics: s.metrics, api: s.api, bounds: s.bounds, limiter: s.limiter, past: &past}
}

// asOf is the server that answers as of the moment that is asked for, or that a cursor goes on with; this one if it is none. at is what the
// location of the parameter begins with.
//
// Refused: FORBIDDEN to agents, VALIDATION, LIMIT_REACHED, and the codes of package asof if it cannot be built.
func (s *server) asOf(ctx context.Context, r *request, at, asked, cursor string) (*server, error) {
	m, past, err := s.moment(ctx, r, at+"as_of", asked)
	if err != nil {
		return nil, err
	}
	if !past {
		if m, past = projections.CursorMoment(cursor); !past {
			return s, nil
		}
		if latest, err := s.Projector.MomentAt(ctx, r.who.Tenant, m.At); err != nil || r.who.Role == access.Agent || m.Position < 0 || m.Position > latest.Position {
			return nil, invalid(at+"cursor", ruleCursor) // we did not make it
		}
	}
	patience, ok := ctx.Value(patienceKey{}).(time.Duration)
	if !ok {
		patience = waitFor
	}
	var schema asof.Schema
	err = r.turn.aside(ctx, func() (err error) {
		schema, err = s.AsOf.Ask(ctx, r.who.Tenant, m, eventstore.Actor{Kind: r.who.Kind, ID: r.who.ID}, patience)
		return err
	})
	switch {
	case errors.Is(err, asof.ErrMany):
		return nil, domain.Refuse(domain.CodeLimitReached).At(at+"as_of").With("max", asof.MostQueued)
	case err != nil:
		return nil, err
	case schema.State == asof.Failed:
		return nil, domain.Refuse(schema.Code)
	case schema.State != asof.Ready:
		return nil, &preparing{pastJobOf(r.language, &schema)}
	}
	return s.then(schema.Then(s.Customers, s.Sessions)), nil
}

// ofCustomer has a question about one customer answered, as of a moment if one is asked for. Refused: FORBIDDEN to agents, VALIDATION.
func (s *server) ofCustomer(ctx context.Context, r *request, asked string, id uuid.UUID, answer func(then *server) error) error {
	m, past, err := s.moment(ctx, r, "query.as_of", asked)
	if err != nil || !past {
		if err == nil {
			err = answer(s)
		}
		return err
	}
	err = s.Projector.CustomerAsOf(ctx, r.who.Tenant, id, m, asof.Models, func(tx pgx.Tx, schema string) error {
		return answer(s.then(projections.NewAsOfIn(tx, s.Customers, s.Sessions, schema, m)))
	})
	if errors.Is(err, projector.ErrStopped) {
		return domain.Refuse(asof.CodeStopped)
	}
	return err
}

// moment reads what moment is asked for; false if none is.
func (s *server) moment(ctx context.Context, r *request, location, asked string) (m projector.Moment, past bool, err error) {
	if asked == "" {
		return m, false, nil
	}
	if r.who.Role == access.Agent { // whose session it was then is not whose it is
		return m, false, domain.Refuse(codeForbidden).At(location)
	}
	m, err = s.Projector.MomentOf(ctx, r.who.Tenant, asked)
	switch {
	case errors.Is(err, projector.ErrNoMoment):
		err = invalid(location, ruleMoment)
	case errors.Is(err, projector.ErrNotYet):
		err = invalid(location, ruleNotCome)
	}
	return m, err == nil, err
}
