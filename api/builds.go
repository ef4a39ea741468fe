package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/projections/projector"
)

// BuildInput names a build of a read model.
type BuildInput struct {
	Build int64 `json:"build" minimum:"1" doc:"As in the list of read models."`
}

// VerifyInput says what is compared with the build that is served.
type VerifyInput struct {
	Build int64 `json:"build,omitempty" minimum:"1" doc:"A build of the list of read models. Without one the log is folded anew, into tables that are removed afterwards."`
}

// Verified is how a build compares with the one that is served.
type Verified struct {
	Status      string                 `json:"status" enum:"compared,started"`
	Differences []projector.Difference `json:"differences" nullable:"false" doc:"Tables that are not the same at the same position of the log. None: the builds are equal, or it is not known yet."`
}

func (s *server) buildOperations() {
	const tag = "Projections"
	conflict := []int{http.StatusConflict}
	register(s, operation{id: "verify-projection", method: http.MethodPost, path: "/v1/projections/{name}/verify", tag: tag, status: http.StatusOK,
		summary: "Compare the build that is served with another one, or with the log",
		notes: "Both are brought to one position of the log and compared row by row; it takes some seconds for every million rows. Without a build the log is folded anew " +
			"beside it, which takes as long as a rebuild: it is only started then, progress is seen in the list of read models, and what was found by GET. One at a time.",
		errors: conflict}, s.verifyProjection)
	register(s, operation{id: "list-verifications", method: http.MethodGet, path: "/v1/projections/{name}/verify", tag: tag,
		summary: "Say what the last verification found",
		notes:   "Of the build that is served, by tenant; nothing of one that was never verified. An admin sees the own tenant's."}, s.listVerifications)
	register(s, operation{id: "switch-projection", method: http.MethodPost, path: "/v1/projections/{name}/switch", tag: tag, status: http.StatusNoContent,
		summary: "Serve another build", notes: "The one that was served until now stays beside it, to go back to.", errors: conflict}, s.switchProjection)
	register(s, operation{id: "drop-build", method: http.MethodPost, path: "/v1/projections/{name}/drop", tag: tag, status: http.StatusNoContent,
		summary: "Remove a build that is not served", errors: conflict}, s.dropBuild)
}

type buildInput struct {
	Write
	Name string `path:"name" maxLength:"31"`
	Body BuildInput
}

// unbuilt says why something cannot be done with a build, or with who is parked.
func unbuilt(err error) error {
	switch {
	case errors.Is(err, projector.ErrUnknownProjection):
		return domain.Refuse(domain.CodeNotFound)
	case errors.Is(err, projector.ErrNoBuild):
		return domain.Refuse(codeNoBuild)
	case errors.Is(err, projector.ErrBehind):
		return domain.Refuse(codeBuildBehind)
	case errors.Is(err, projector.ErrVerifying):
		return domain.Refuse(codeRunning)
	case errors.Is(err, projector.ErrNotParked):
		return domain.Refuse(codeNotParked)
	case errors.Is(err, projector.ErrAllApplied):
		return domain.Refuse(codeAllApplied)
	}
	if still := (*projector.StillParkedError)(nil); errors.As(err, &still) {
		return domain.Refuse(codeStillParked).With("type", still.Type).With("position", still.Position).With("reason", still.Reason)
	}
	return err
}

type verifyInput struct {
	Write
	Name string `path:"name" maxLength:"31"`
	Body *VerifyInput
}

func (s *server) verifyProjection(ctx context.Context, r *request, in *verifyInput) (*struct{ Body Verified }, error) {
	if in.Body == nil || in.Body.Build == 0 {
		_, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
			return "started", unbuilt(s.startVerifying(ctx, in.Name))
		})
		return &struct{ Body Verified }{Verified{Status: "started", Differences: []projector.Difference{}}}, err
	}
	differences, err := s.Projector.Compare(ctx, in.Name, in.Body.Build)
	if differences == nil {
		differences = []projector.Difference{}
	}
	return &struct{ Body Verified }{Verified{Status: "compared", Differences: differences}}, unbuilt(err)
}

// startVerifying returns once a verification has begun, which goes on, or cannot begin.
func (s *server) startVerifying(ctx context.Context, name string) error {
	begun := make(chan error, 1)
	s.Background(func(ctx context.Context) {
		var begin sync.Once
		_, err := s.Projector.Verify(ctx, name, func(int64, int64) { begin.Do(func() { begun <- nil }) })
		if refused := (*domain.Refusal)(nil); err != nil && !errors.As(unbuilt(err), &refused) {
			s.log.ErrorContext(ctx, "api: a read model could not be verified", "projection", name, "error", err)
		}
		begin.Do(func() { begun <- err })
	})
	select {
	case err := <-begun:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) listVerifications(ctx context.Context, r *request, in *parkedInput) (*struct{ Body List[projector.Verification] }, error) {
	found, err := s.Projector.Verifications(ctx, in.Name, r.who.Tenant) // an operator's tenant is none, which is all
	return &struct{ Body List[projector.Verification] }{whole(found)}, unbuilt(err)
}

func (s *server) switchProjection(ctx context.Context, r *request, in *buildInput) (*struct{}, error) {
	return s.change(ctx, r, in, s.Projector.Switch)
}

func (s *server) dropBuild(ctx context.Context, r *request, in *buildInput) (*struct{}, error) {
	return s.change(ctx, r, in, s.Projector.Drop)
}

// change does something with a build, once for each key.
func (s *server) change(ctx context.Context, r *request, in *buildInput, do func(context.Context, string, int64) error) (*struct{}, error) {
	_, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		return "", unbuilt(do(ctx, in.Name, in.Body.Build))
	})
	return nil, err
}

// Lag is how far a part that follows a tenant's log is.
type Lag struct {
	Part       string  `json:"part" doc:"relay, which carries the log to the bus, or the name of a policy."`
	Tenant     string  `json:"tenant"`
	Position   int64   `json:"position" doc:"Dealt with up to here."`
	Head       int64   `json:"head" doc:"The log's last position."`
	LagEvents  int64   `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds" doc:"Age of the oldest event that was not dealt with."`
	Stopped    string  `json:"stopped,omitempty" doc:"Why nothing goes on until somebody acts."`
}

func (s *server) lagOperations() {
	register(s, operation{id: "list-lag", method: http.MethodGet, path: "/v1/lag", tag: "Projections",
		summary: "Say how far the relay and the policies are behind the log", notes: "An admin sees the own tenant."}, s.listLag)
}

func (s *server) listLag(ctx context.Context, r *request, _ *struct{ After }) (*struct{ Body List[Lag] }, error) {
	var all []Lag
	for _, of := range s.Lags {
		found, err := of(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if r.who.Role != access.Operator {
		all = slices.DeleteFunc(all, func(l Lag) bool { return l.Tenant != r.who.Tenant })
	}
	return &struct{ Body List[Lag] }{whole(all)}, nil
}
