package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/internal/locale"
	"customercenter/projections"
)

// Job is long work that was asked for: an import, an export, a bulk action, a look at history or a rebuild.
type Job struct {
	ID         uuid.UUID            `json:"id" format:"uuid"`
	Kind       string               `json:"kind" enum:"import,export,bulk,whatif,rebuild"`
	Status     string               `json:"status" enum:"queued,running,completed,failed,canceled,reverted" doc:"queued: waits, an uploaded file for its start, all else for a worker. running: is worked on, or taken back."`
	Progress   projections.Progress `json:"progress" doc:"How far it has come; a total of 0 is not known yet. While it is taken back: how far that has come."`
	Code       string               `json:"code,omitempty" doc:"Why it failed, for programs."`
	Detail     string               `json:"detail,omitempty" doc:"Why it failed and what to do about it, in the language of Accept-Language."`
	CreatedBy  projections.Actor    `json:"created_by"`
	CreatedAt  time.Time            `json:"created_at"`
	FinishedAt *time.Time           `json:"finished_at,omitempty"`
}

func jobOf(l locale.Language, j *projections.Job) Job {
	asked, ended := j.Times()
	shown := Job{
		ID: j.ID, Kind: j.Kind, Status: string(j.Status()), Progress: j.Progress(), CreatedAt: asked,
		CreatedBy: projections.Actor{Kind: j.Actor.Kind, ID: j.Actor.ID, Name: j.Actor.ID},
	}
	if j.Waits() {
		shown.Status = string(job.Queued)
	}
	if !ended.IsZero() && j.Ended() {
		shown.FinishedAt = &ended
	}
	var args map[string]any
	switch {
	case j.Import != nil:
		shown.Code = j.Import.Code
	case j.Export != nil:
		shown.Code, args = j.Export.Code, j.Export.Args
	default:
		shown.Code = j.Bulk.Code
	}
	if shown.Code != "" {
		shown.Detail = locale.Failure(l, shown.Code, args)
	}
	return shown
}

// AnyJob is one of the kinds of jobs that go on by themselves.
type AnyJob struct {
	Import  *Import  `json:"import,omitempty"`
	Export  *Export  `json:"export,omitempty"`
	Bulk    *Bulk    `json:"bulk,omitempty"`
	Rebuild *Rebuild `json:"rebuild,omitempty"`
}

func (s *server) jobOperations() {
	register(s, operation{id: "get-job", method: http.MethodGet, path: "/v1/jobs/{id}", tag: "Jobs",
		summary: "Show a job, of whatever kind", notes: "To an operator, rebuilds of read models that the process works on, or has worked on."}, s.getJob)
	register(s, operation{id: "watch-job", method: http.MethodGet, path: "/v1/jobs/{id}/events", tag: "Jobs",
		summary: "Follow a job until it ends",
		notes: "Server-sent events. `progress` whenever something about it has changed, with the job as it is now; `end`, with the job too, when nothing more will happen by itself. " +
			"Whoever was cut off asks anew, and begins with the job as it is.",
		stream: true, produces: "text/event-stream"}, s.watchJob)
}

type oneJobInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

type anyJobOutput struct {
	Served
	Body AnyJob
}

func (s *server) getJob(ctx context.Context, r *request, in *oneJobInput) (*anyJobOutput, error) {
	if r.who.Role == access.Operator {
		found, err := s.rebuilds.find(in.ID)
		return &anyJobOutput{Body: AnyJob{Rebuild: &found}}, err
	}
	served, j, err := s.job(ctx, r, in, "")
	if err != nil {
		return nil, err
	}
	any, err := s.anyJob(ctx, r, &j)
	return &anyJobOutput{Served: served, Body: any}, err
}

func (s *server) anyJob(ctx context.Context, r *request, j *projections.Job) (any AnyJob, err error) {
	switch {
	case j.Import != nil:
		shown := importOf(r.language, j)
		any.Import = &shown
		return any, nil
	case j.Export != nil:
		shown, err := s.exportOf(ctx, r, j)
		any.Export = &shown
		return any, err
	}
	shown, err := s.bulkOf(ctx, r, j)
	any.Bulk = &shown
	return any, err
}

// job is a job of a kind, or of any; by the log, if the list has not got it yet. Refused: NOT_FOUND.
func (s *server) job(ctx context.Context, r *request, in *oneJobInput, kind string) (Served, projections.Job, error) {
	served, err := s.serve(ctx, projections.JobsName, r.who.Tenant, in.After)
	if err != nil {
		return served, projections.Job{}, err
	}
	j, found, err := s.jobs().Find(ctx, r.who.Tenant, in.ID)
	if err == nil && !found {
		j, found, err = s.Catalogues.Job(ctx, r.who.Tenant, in.ID)
	}
	if err == nil && (!found || kind != "" && j.Kind != kind) {
		err = domain.Refuse(domain.CodeNotFound)
	}
	return served, j, err
}

func (s *server) jobs() *projections.Jobs { return projections.NewJobs(s.Store, s.Projector) }

// jobWritten is a job as it is after a command. Should the list of jobs take too long, or not be readable at all, it is read from the log.
func (s *server) jobWritten(ctx context.Context, r *request, done commands.Done) (projections.Job, error) {
	served, j, err := s.job(ctx, r, &oneJobInput{ID: done.Job, After: After{AfterHeader: done.Position}}, "")
	if err == nil && served.Stale == "" {
		return j, nil
	}
	var refusal *domain.Refusal
	if err != nil && !errors.As(err, &refusal) {
		s.unshown(ctx, r, done, err)
	}
	j, found, err := s.Catalogues.Job(ctx, r.who.Tenant, done.Job)
	if err == nil && !found {
		err = domain.Refuse(domain.CodeNotFound)
	}
	return j, err
}

// watchEvery is how often a job that is followed is looked at.
const watchEvery = 250 * time.Millisecond

func (s *server) watchJob(ctx context.Context, r *request, in *oneJobInput) (*huma.StreamResponse, error) {
	if r.who.Role == access.Operator {
		found, err := s.rebuilds.find(in.ID)
		if err != nil {
			return nil, err
		}
		return s.serverEvents(ctx, func(ctx context.Context, out *eventStream) error { return s.followRebuild(ctx, found, out) }), nil
	}
	_, j, err := s.job(ctx, r, in, "")
	if err != nil {
		return nil, err
	}
	// Should the list lag behind, one that was started just now is not to be taken for one that waits.
	if now, found, err := s.Catalogues.Job(ctx, r.who.Tenant, in.ID); err != nil {
		return nil, err
	} else if found && now.Version > j.Version {
		j = now
	}
	return s.serverEvents(ctx, func(ctx context.Context, out *eventStream) error { return s.follow(ctx, r, &j, out) }), nil
}

// follow tells how a job goes on until it ends.
func (s *server) follow(ctx context.Context, r *request, j *projections.Job, out *eventStream) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	spoke := time.Now()
	for changed := true; ; {
		switch {
		case changed:
			shown, err := s.anyJob(ctx, r, j)
			if err != nil {
				return err
			}
			text, err := marshal(shown)
			if err != nil {
				return err
			}
			if j.Ended() {
				return out.send("end", text)
			}
			if err := out.send("progress", text); err != nil {
				return err
			}
			spoke = time.Now()
		case time.Since(spoke) > s.bounds.silence:
			if err := out.comment(); err != nil {
				return err
			}
			spoke = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var next projections.Job
		var found bool
		err := r.turn.during(ctx, func() (err error) {
			next, found, err = s.jobs().Find(ctx, r.who.Tenant, j.ID)
			return err
		})
		if err != nil {
			return err
		}
		changed = found && next.Version >= j.Version && (next.Version > j.Version || next.Progress() != j.Progress() || next.Waits() != j.Waits())
		if changed {
			*j = next
		}
	}
}

// jobsInput asks for a page of jobs of one kind.
type jobsInput struct {
	After
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"500"`
}

// jobsPage is a page of jobs of one kind, the newest first.
func (s *server) jobsPage(ctx context.Context, r *request, in *jobsInput, kind string) (Served, projections.JobsPage, error) {
	served, err := s.serve(ctx, projections.JobsName, r.who.Tenant, in.After)
	if err != nil {
		return served, projections.JobsPage{}, err
	}
	page, err := s.jobs().List(ctx, r.who.Tenant, kind, in.Cursor, in.Limit)
	return served, page, err
}

// OutcomesPage asks for a page of what became of the parts of a job.
type OutcomesPage struct {
	After
	ID     uuid.UUID `path:"id" format:"uuid"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string    `query:"cursor" maxLength:"200"`
}

// place reads the cursor of outcomes. Refused: VALIDATION.
func (in *OutcomesPage) place() (p jobs.Place, err error) {
	if in.Cursor == "" {
		return p, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil || json.Unmarshal(text, &p) != nil || p.Version < 1 || p.Passed < 0 {
		return p, invalid("query.cursor", ruleCursor)
	}
	return p, nil
}

// placeCursor leads to the outcomes behind a place.
func placeCursor(p jobs.Place) (string, error) {
	text, err := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(text), err
}
