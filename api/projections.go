package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/projections/projector"
)

// Rebuilding says that a rebuild has begun.
type Rebuilding struct {
	Projection string `json:"projection"`
	Status     string `json:"status" enum:"started"`
}

func (s *server) projectionOperations() {
	const tag = "Projections"
	register(s, operation{id: "list-projections", method: http.MethodGet, path: "/v1/projections", tag: tag,
		summary: "Say how far the read models are behind the log", notes: "An admin sees the own tenant."}, s.listProjections)
	register(s, operation{id: "rebuild-projection", method: http.MethodPost, path: "/v1/projections/{name}/rebuild", tag: tag, status: http.StatusAccepted,
		summary: "Build a read model anew beside the one that is served",
		notes: "When it has caught up the two are compared, and if they are equal the new one is served. If they are not, it stays beside, and the log of the " +
			"process says which tables differ. Progress is seen in the list.",
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
	_, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		_, err := s.Projector.Live(ctx, in.Name)
		if errors.Is(err, projector.ErrUnknownProjection) {
			return "", domain.Refuse(domain.CodeNotFound)
		}
		if err != nil {
			return "", err
		}
		if _, running := s.rebuilding.LoadOrStore(in.Name, true); running {
			return "", domain.Refuse(codeRunning)
		}
		s.Background(func(ctx context.Context) {
			defer s.rebuilding.Delete(in.Name)
			s.rebuild(ctx, in.Name)
		})
		return "started", nil
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body Rebuilding }{Rebuilding{Projection: in.Name, Status: "started"}}, nil
}

// rebuild builds a read model beside, and has it served if it says the same as the one that is.
func (s *server) rebuild(ctx context.Context, name string) {
	built, err := s.Projector.Rebuild(ctx, name, nil)
	if err != nil {
		s.log.ErrorContext(ctx, "api: a rebuild failed", "projection", name, "error", err)
		return
	}
	differences, err := s.Projector.Compare(ctx, name, built.ID)
	switch {
	case err != nil:
		s.log.ErrorContext(ctx, "api: a rebuild could not be compared", "projection", name, "build", built.ID, "error", err)
		return
	case len(differences) > 0:
		for _, d := range differences {
			s.log.ErrorContext(ctx, "api: a rebuild differs from what is served", "projection", name, "build", built.ID, "tenant", d.Tenant, "table", d.Table)
		}
		return
	}
	if err := s.Projector.Switch(ctx, name, built.ID); err != nil {
		s.log.ErrorContext(ctx, "api: a rebuild could not be served", "projection", name, "build", built.ID, "error", err)
		return
	}
	s.log.InfoContext(ctx, "api: a rebuild is served", "projection", name, "build", built.ID)
}
