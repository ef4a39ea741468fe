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

// runJobsName is the name of the policy.
const runJobsName = "run-jobs"

// jobRunner works on the imports, exports and bulk actions of a tenant, a piece of each in turn. So the tenants take turns too, as they do
// with every policy: one with a great job holds up no other.
//
// It keeps the running ones in policy_due, by kind and id. That each piece of them happens once, the log sees to.
type jobRunner struct {
	pool  *pgxpool.Pool
	store *eventstore.Store
	jobs  *jobs.Runner
	log   *slog.Logger
}

func newJobRunner(c Config) *jobRunner {
	return &jobRunner{
		pool: c.Store.Pool(), store: c.Store, log: c.Log,
		jobs: jobs.NewRunner(jobs.Config{Store: c.Store, Center: c.Center, Builds: c.Builds, Log: c.Log}),
	}
}

func (r *jobRunner) policy() *policy {
	return &policy{
		name: runJobsName,
		types: []string{
			imports.Started{}.EventType(), imports.RevertStarted{}.EventType(),
			imports.Completed{}.EventType(), imports.Failed{}.EventType(), imports.Canceled{}.EventType(), imports.Reverted{}.EventType(),
			exports.Requested{}.EventType(), exports.Completed{}.EventType(), exports.Failed{}.EventType(), exports.Canceled{}.EventType(),
			exports.Expired{}.EventType(),
			bulk.Started{}.EventType(), bulk.UndoStarted{}.EventType(),
			bulk.Completed{}.EventType(), bulk.Failed{}.EventType(), bulk.Canceled{}.EventType(), bulk.Reverted{}.EventType(),
		},
		note: r.note, due: r.work,
	}
}

// note remembers which jobs are running, and which files of exports are to be deleted when.
func (r *jobRunner) note(d *eventstore.Decoded) []statement {
	id, ok := job.Of(d.Stream)
	if !ok {
		return nil
	}
	kind, _, _ := strings.Cut(d.Type, ".")
	over := statement{`delete from policy_due where tenant = $1 and policy = $2 and key = $3`, []any{d.Tenant, runJobsName, kind + ":" + id.String()}}
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
		[]any{d.Tenant, runJobsName, kind + ":" + id.String(), d.Position, at}}}
}

// dueJob is a job that is to be gone on with.
type dueJob struct {
	key      string
	position int64 // of the event that began it
}

// work does the next piece of each job that is due.
func (r *jobRunner) work(ctx context.Context, tenant string) (more bool, err error) {
	rows, err := r.pool.Query(ctx, `select key, position from policy_due
		where tenant = $1 and policy = $2 and next_at <= statement_timestamp() order by next_at`, tenant, runJobsName)
	if err != nil {
		return false, fmt.Errorf("policies: due: %w", err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d dueJob, err error) {
		err = row.Scan(&d.key, &d.position)
		return d, err
	})
	if err != nil {
		return false, fmt.Errorf("policies: due: %w", err)
	}
	for _, d := range due {
		rest, err := r.piece(ctx, tenant, d)
		switch {
		case ctx.Err() != nil:
			return false, fmt.Errorf("policies: jobs: %w", context.Cause(ctx))
		case err != nil: // it rests, and holds up no other
			r.log.WarnContext(ctx, "policies: a job cannot be gone on with, trying again", "tenant", tenant, "job", d.key, "rest", rest, "error", err)
		}
		if rest <= 0 {
			more = true
			continue
		}
		if _, err := r.pool.Exec(ctx, `update policy_due set next_at = clock_timestamp() + make_interval(secs => $5)
			where tenant = $1 and policy = $2 and key = $3 and position = $4`, tenant, runJobsName, d.key, d.position, rest.Seconds()); err != nil {
			return false, fmt.Errorf("policies: postpone: %w", err)
		}
	}
	return more, nil
}

const (
	// endedRest is how long a job rests of whose end the policy is about to hear.
	endedRest = time.Second
	// turnTime is for how long pieces of one job are done before it is another job's turn, and another tenant's.
	turnTime = 100 * time.Millisecond
)

// piece does the next pieces of a job.
func (r *jobRunner) piece(ctx context.Context, tenant string, d dueJob) (rest time.Duration, err error) {
	task, err := r.task(ctx, tenant, d)
	if err != nil {
		return endedRest, err
	}
	for began := time.Now(); ; {
		rest, ended, err := r.jobs.Step(ctx, task)
		switch {
		case ended:
			return max(rest, endedRest), err
		case err != nil || rest > 0 || time.Since(began) > turnTime:
			return rest, err
		}
	}
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
