package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/projections"
)

// Rebuild is a read model that is built anew. It is nobody's job in particular: operators see it.
type Rebuild struct {
	Job
	Projection      string `json:"projection"`
	Build           int64  `json:"build,omitempty" doc:"Absent until it is built."`
	Served          bool   `json:"served" doc:"It says the same as the one before, and is served instead."`
	DifferingTables int    `json:"differing_tables" doc:"Where it does not say the same, so that it is not served; the log of the process names them, with the tenant."`
}

// rebuilds are those that this process works on, and the last that it has worked on. They end with the process, as the work does. It is safe for
// concurrent use.
type rebuilds struct {
	mu  sync.Mutex
	all []*Rebuild // the oldest first
}

// rebuildsKept is how many that have ended are kept, in a process.
const rebuildsKept = 100

// begin adds one. Refused: ALREADY_RUNNING if the projection is being rebuilt.
func (rs *rebuilds) begin(projection string, by projections.Actor) (uuid.UUID, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if slices.ContainsFunc(rs.all, func(r *Rebuild) bool { return r.Projection == projection && r.FinishedAt == nil }) {
		return uuid.Nil, domain.Refuse(codeRunning)
	}
	if len(rs.all) >= rebuildsKept {
		rs.all = slices.Delete(rs.all, 0, len(rs.all)-rebuildsKept+1)
	}
	r := &Rebuild{Projection: projection, Job: Job{ID: uuid.Must(uuid.NewV7()), Kind: "rebuild", Status: string(job.Running), CreatedBy: by, CreatedAt: time.Now().UTC()}}
	rs.all = append(rs.all, r)
	return r.ID, nil
}

// change changes one that is under way.
func (rs *rebuilds) change(id uuid.UUID, how func(r *Rebuild)) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.all {
		if r.ID == id {
			how(r)
		}
	}
}

// find is one as it is now. Refused: NOT_FOUND.
func (rs *rebuilds) find(id uuid.UUID) (found Rebuild, err error) {
	err = domain.Refuse(domain.CodeNotFound)
	rs.change(id, func(r *Rebuild) { found, err = *r, nil })
	return found, err
}

// rebuild builds a read model beside, and has it served if it says the same as the one that is.
func (s *server) rebuild(ctx context.Context, id uuid.UUID, name string) {
	outcome, err := s.rebuilt(ctx, id, name)
	now := time.Now().UTC()
	s.rebuilds.change(id, func(r *Rebuild) {
		r.Status, r.FinishedAt = string(job.Completed), &now
		r.Build, r.Served, r.DifferingTables = outcome.Build, outcome.Served, outcome.DifferingTables
		if err != nil {
			s.log.ErrorContext(ctx, "api: a rebuild failed", "projection", name, "build", outcome.Build, "error", err)
			problem := problemOf(ctx, err)
			r.Status, r.Code, r.Detail = string(job.Failed), problem.Code, problem.Detail
		}
	})
}

func (s *server) rebuilt(ctx context.Context, id uuid.UUID, name string) (outcome Rebuild, err error) {
	built, err := s.Projector.Rebuild(ctx, name, func(done, total int64) {
		s.rebuilds.change(id, func(r *Rebuild) { r.Progress = projections.Progress{Done: done, Total: total} })
	})
	if err != nil {
		return outcome, err
	}
	outcome.Build = built.ID
	differences, err := s.Projector.Compare(ctx, name, built.ID)
	if err != nil {
		return outcome, err
	}
	for _, d := range differences {
		s.log.ErrorContext(ctx, "api: a rebuild differs from what is served", "projection", name, "build", built.ID, "tenant", d.Tenant, "table", d.Table)
	}
	if outcome.DifferingTables = len(differences); outcome.DifferingTables > 0 {
		return outcome, nil
	}
	if err := s.Projector.Switch(ctx, name, built.ID); err != nil {
		return outcome, err
	}
	outcome.Served = true
	s.log.InfoContext(ctx, "api: a rebuild is served", "projection", name, "build", built.ID)
	return outcome, nil
}

// followRebuild tells how a rebuild goes on until it ends.
func (s *server) followRebuild(ctx context.Context, now Rebuild, out *eventStream) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	spoke := time.Time{}
	for told := (Rebuild{}); ; {
		text, err := marshal(AnyJob{Rebuild: &now})
		switch {
		case err != nil:
			return err
		case now.FinishedAt != nil:
			return out.send("end", text)
		case now != told:
			err, told, spoke = out.send("progress", text), now, time.Now()
		case time.Since(spoke) > s.bounds.silence:
			err, spoke = out.comment(), time.Now()
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now, err = s.rebuilds.find(now.ID); err != nil {
			return err
		}
	}
}
