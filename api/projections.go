package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Rebuilding says that a rebuild has begun.
type Rebuilding struct {
	Projection string    `json:"projection"`
	Status     string    `json:"status" enum:"started"`
	Job        uuid.UUID `json:"job" format:"uuid" doc:"GET /v1/jobs/{id} and /v1/jobs/{id}/events tell how far it is and what became of it, as long as the process runs that took the request, and of that process: it is its work."`
}

func (s *server) projectionOperations() {
	const tag = "Projections"
	register(s, operation{id: "list-projections", method: http.MethodGet, path: "/v1/projections", tag: tag,
		summary: "Say how far the read models are behind the log", notes: "An admin sees the own tenant."}, s.listProjections)
	register(s, operation{id: "rebuild-projection", method: http.MethodPost, path: "/v1/projections/{name}/rebuild", tag: tag, status: http.StatusAccepted,
		summary: "Build a read model anew beside the one that is served",
		notes: "When it has caught up the two are compared, and if they are equal the new one is served. If they are not, it stays beside, and the log of the " +
			"process says which tables differ. The job tells how far it is.",
		errors: []int{http.StatusConflict}}, s.rebuildProjection)
}

func (s *server) listProjections(ctx context.Context, r *request, _ *struct{ After }) (*struct{ Body List[projector.Status] }, error) {
	all, err := s.Projector.Status(ctx)
	if err != nil {
		return nil, err
	}
	if r.who.Role != access.Operator {
		all = slices.DeleteFunc(all, func(p projector.Status) bool { return p.Tenant != r.who.Tenant })
	}
	return &struct{ Body List[projector.Status] }{whole(all)}, nil
}

type rebuildInput struct {
	Write
	Name string `path:"name" maxLength:"31"`
}

func (s *server) rebuildProjection(ctx context.Context, r *request, in *rebuildInput) (*struct{ Body Rebuilding }, error) {
	started, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		_, err := s.Projector.Live(ctx, in.Name)
		if errors.Is(err, projector.ErrUnknownProjection) {
			return "", domain.Refuse(domain.CodeNotFound)
		}
		if err != nil {
			return "", err
		}
		id, err := s.rebuilds.begin(in.Name, projections.Actor{Kind: r.who.Kind, ID: r.who.ID, Name: r.who.ID})
		if err != nil {
			return "", err
		}
		s.Background(func(background context.Context) {
			s.rebuild(context.WithValue(background, requestKey{}, r), id, in.Name)
		})
		return id.String(), nil
	})
	if err != nil {
		return nil, err
	}
	id, err := uuid.Parse(started)
	return &struct{ Body Rebuilding }{Rebuilding{Projection: in.Name, Status: "started", Job: id}}, err
}
