package policies

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore"
)

// Names of the policies. Exports have one of their own, and so turns of their own.
const (
	runJobsName    = "run-jobs"
	runExportsName = "run-exports"
)

// jobRunner works on the imports, exports and bulk actions of a tenant, a piece of each in turn. So the tenants take turns too, as they do
// with every policy: one with a great job holds up no other. The file of an export is one piece, and so it is to settle who a bulk action is about: where that
// takes long, it is done beside, see longs.
//
// It keeps the running ones in policy_due, by kind and id. That each piece of them happens once, the log sees to.
type jobRunner struct {
	name  string // of the policy
	pool  *pgxpool.Pool
	store *eventstore.Store
	jobs  *jobs.Runner
	log   *slog.Logger
	long  longs
}

// runJobs are the policies that work on jobs.
func runJobs(c Config, runner *jobs.Runner) []*policy {
	of := func(name string, types ...string) *policy {
		r := &jobRunner{name: name, pool: c.Store.Pool(), store: c.Store, log: c.Log, jobs: runner}
		return &policy{name: name, types: types, note: r.note, due: r.work, atOnce: true, ended: r.long.running.Wait}
	}
	return []*policy{
		of(runJobsName,
			imports.Started{}.EventType(), imports.RevertStarted{}.EventType(),
			imports.Completed{}.EventType(), imports.Failed{}.EventType(), imports.Canceled{}.EventType(), imports.Reverted{}.EventType(),
			bulk.Started{}.EventType(), bulk.UndoStarted{}.EventType(),
			bulk.Completed{}.EventType(), bulk.Failed{}.EventType(), bulk.Canceled{}.EventType(), bulk.Reverted{}.EventType()),
		of(runExportsName,
			exports.Requested{}.EventType(), exports.Completed{}.EventType(), exports.Failed{}.EventType(), exports.Canceled{}.EventType(),
			exports.Expired{}.EventType()),
	}
}

// note remembers which jobs are running, and which files of exports are to be deleted when.
func (r *jobRunner) note(d *eventstore.Decoded) []statement {
	id, ok := job.Of(d.Stream)
	if !ok {
		return nil
	}
	kind, _, _ := strings.Cut(d.Type, ".")
	over := statement{`delete from policy_due where tenant = $1 and policy = $2 and key = $3`, []any{d.Tenant, r.name, kind + ":" + id.String()}}
	at := d.RecordedAt
	switch payload := d.Payload.(type) {
	case imports.Started, imports.RevertStarted, exports.Requested, bulk.Started, bulk.UndoStarted:
	case exports.Completed:
		at = payload.ExpiresAt
	case exports.Failed, exports.Canceled:
		r.jobs.Forget(id)
		// A process may have died in the middle of the file, and nobody will go on with it.
		return []statement{over, {`delete from job_parts where tenant = $1 and job = $2`, []any{d.Tenant, id}}}
	default:
		r.jobs.Forget(id)
		return []statement{over}
	}
	return []statement{{`insert into policy_due (tenant, policy, key, position, due_at, next_at) values ($1, $2, $3, $4, $5, $5)
		on conflict (tenant, policy, key) do update set position = excluded.position, due_at = excluded.due_at, next_at = excluded.next_at`,
		[]any{d.Tenant, r.name, kind + ":" + id.String(), d.Position, at}}}
}

// dueJob is a job that is to be gone on with.
type dueJob struct {
	key      string
	position int64 // of the event that began it
}

// work does the next piece of the job that has waited longest; then it is another tenant's turn.
func (r *jobRunner) work(ctx context.Context, tenant string) (more bool, err error) {
	var d dueJob
	err = r.pool.QueryRow(ctx, `select key, position from policy_due where `+isDue+` order by next_at limit 1`, planned, tenant, r.name).Scan(&d.key, &d.position)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("policies: due: %w", err)
	}
	rest, err := r.piece(ctx, tenant, d)
	if err := r.rest(ctx, tenant, d, rest, err); err != nil {
		return false, err
	}
	return true, nil
}

// rest notes when a job is to be gone on with, whose last piece has come to that end.
func (r *jobRunner) rest(ctx context.Context, tenant string, d dueJob, rest time.Duration, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("policies: jobs: %w", context.Cause(ctx))
	case err != nil: // it rests, and holds up no other
		rest = max(rest, endedRest)
		r.log.WarnContext(ctx, "policies: a job cannot be gone on with, trying again", "tenant", tenant, "job", d.key, "rest", rest, "error", err)
	}
	// Behind the tenant's other jobs, in any case.
	if _, err := r.pool.Exec(ctx, `update policy_due set next_at = clock_timestamp() + make_interval(secs => $5)
		where tenant = $1 and policy = $2 and key = $3 and position = $4`, planned, tenant, r.name, d.key, d.position, rest.Seconds()); err != nil {
		return fmt.Errorf("policies: postpone: %w", err)
	}
	return nil
}

const (
	// endedRest is how long a job rests of whose end the policy is about to hear.
	endedRest = time.Second
	// turnTime is for how long pieces of one job are done before it is another job's turn, and another tenant's.
	turnTime = 100 * time.Millisecond
)

// piece does the next pieces of a job, or has a long one done beside.
func (r *jobRunner) piece(ctx context.Context, tenant string, d dueJob) (rest time.Duration, err error) {
	if r.long.has(tenant, d.key) {
		return longRest, nil
	}
	task, err := r.task(ctx, tenant, d)
	if err != nil {
		return endedRest, err
	}
	task.Short = true
	for began := time.Now(); ; {
		rest, ended, err := r.jobs.Step(ctx, task)
		switch {
		case errors.Is(err, jobs.ErrLong):
			r.beside(ctx, tenant, d, task)
			return longRest, nil
		case ended:
			return max(rest, endedRest), err
		case err != nil || rest > turnTime:
			return rest, err
		}
		wait(ctx, rest) // for a read model, or for people; the next sweep would be later
		if ctx.Err() != nil || time.Since(began) > turnTime {
			return 0, nil
		}
	}
}

// beside does a long piece of a job, as soon as there is a place for it, while the tenant's other jobs go on. It does not wait for it.
func (r *jobRunner) beside(ctx context.Context, tenant string, d dueJob, task jobs.Task) {
	if !r.long.enter(tenant, d.key) {
		return
	}
	task.Short = false
	r.long.running.Go(func() {
		rest, _, err := r.jobs.Step(ctx, task)
		r.long.leave(tenant)
		if err := r.rest(ctx, tenant, d, rest, err); err != nil && ctx.Err() == nil { // it is looked at again, though later
			r.log.WarnContext(ctx, "policies: a job is not postponed", "tenant", tenant, "job", d.key, "error", err)
		}
	})
}

// task is what a job is about, by the event that began it.
func (r *jobRunner) task(ctx context.Context, tenant string, d dueJob) (jobs.Task, error) {
	kind, text, _ := strings.Cut(d.key, ":")
	id, err := uuid.Parse(text)
	if err != nil {
		return jobs.Task{}, fmt.Errorf("policies: %q is not the key of a job", d.key)
	}
	began, err := r.store.ReadPositions(ctx, tenant, []int64{d.position})
	if err == nil && len(began) == 0 {
		err = errors.New("it is not there")
	}
	if err != nil {
		return jobs.Task{}, fmt.Errorf("policies: the beginning of a job cannot be read: %w", err)
	}
	opened, err := r.store.Open(ctx, began)
	if err != nil {
		return jobs.Task{}, fmt.Errorf("policies: the beginning of a job cannot be read: %w", err)
	}
	asked := opened[0].Envelope
	return jobs.Task{Tenant: tenant, Kind: kind, ID: id, Position: d.position, By: commands.By{
		Tenant: tenant, Actor: asked.Actor, Correlation: asked.Correlation, Cause: tenant + ":" + strconv.FormatInt(d.position, 10),
	}}, nil
}
