package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
)

// Jobs asks the read model of imports, exports and bulk actions. It is safe for concurrent use.
type Jobs struct {
	pool   *tenancy.DB
	builds Builds
}

// NewJobs returns the queries over the build that builds says is live.
func NewJobs(store *eventstore.Store, builds Builds) *Jobs {
	return &Jobs{pool: store.DB(), builds: builds}
}

// Job is how an import, an export or a bulk action stands. One of the three states is set.
type Job struct {
	ID     uuid.UUID
	Kind   string // job.KindImport …
	Actor  eventstore.Actor
	Import *imports.State
	Export *exports.State
	Bulk   *bulk.State
	// Version is that of the job's stream.
	Version int64
	// Told is how far a worker said to have come, of what the state does not tell; nil if none did.
	Told *Progress
}

// Status is how it stands.
func (j *Job) Status() job.Status {
	switch {
	case j.Import != nil:
		return j.Import.Status
	case j.Export != nil:
		return j.Export.Status
	}
	return j.Bulk.Status
}

// Waits reports whether nobody has begun to work on it.
func (j *Job) Waits() bool {
	switch {
	case j.Status() == job.Queued:
		return true
	case j.Export != nil:
		return j.Export.Status == job.Running && j.Told == nil
	case j.Bulk != nil:
		return j.Bulk.Status == job.Running && !j.Bulk.Chosen
	}
	return false
}

// Ended reports whether nothing more happens to it unless somebody asks for it.
func (j *Job) Ended() bool { return j.Status() != job.Running }

// Progress is how far it has come. The total is 0 while it is not known.
func (j *Job) Progress() Progress {
	switch {
	case j.Import != nil && (j.Import.Reverting || j.Import.Status == job.Reverted):
		return Progress{Done: int64(j.Import.Looked), Total: int64(j.Import.Done)}
	case j.Import != nil:
		return Progress{Done: int64(j.Import.Done), Total: int64(j.Import.File.Rows)}
	case j.Bulk != nil && (j.Bulk.Undoing || j.Bulk.Status == job.Reverted):
		return Progress{Done: int64(j.Bulk.Looked), Total: int64(j.Bulk.Done)}
	case j.Bulk != nil:
		return Progress{Done: int64(j.Bulk.Done), Total: int64(j.Bulk.Selected.Customers)}
	case j.Export.Status == job.Completed:
		return Progress{Done: int64(j.Export.File.Rows), Total: int64(j.Export.File.Rows)}
	case j.Told != nil:
		return *j.Told
	}
	return Progress{}
}

// Times are when it was asked for and when it ended; zero if it has not.
func (j *Job) Times() (asked, ended time.Time) {
	switch {
	case j.Import != nil:
		return j.Import.UploadedAt, j.Import.EndedAt
	case j.Export != nil:
		return j.Export.RequestedAt, j.Export.EndedAt
	}
	return j.Bulk.StartedAt, j.Bulk.EndedAt
}

// JobsPage is a page of jobs, the newest first.
type JobsPage struct {
	Items []Job
	Next  string // cursor of the next page; empty on the last
}

const jobColumns = `j.id, j.kind, j.actor_kind, j.actor_id, j.state, j.version, p.done, p.total`

// Find returns a job, and false if there is none.
func (q *Jobs) Find(ctx context.Context, tenant string, id uuid.UUID) (Job, bool, error) {
	found, err := q.query(ctx, `select `+jobColumns+` from $.job j left join job_progress p on p.tenant = j.tenant and p.job = j.id
		where j.tenant = $1 and j.id = $2`, tenant, id)
	if err != nil || len(found) == 0 {
		return Job{}, false, err
	}
	return found[0], true, nil
}

// jobsSort names the order of jobs in cursors.
const jobsSort = "jobs"

// List lists the jobs of a kind, the newest first. ErrCursor.
func (q *Jobs) List(ctx context.Context, tenant, kind, after string, limit int) (JobsPage, error) {
	c, given, err := parseCursor(after, jobsSort+kind)
	if err != nil {
		return JobsPage{}, err
	}
	if limit <= 0 || limit > MaxLimit {
		limit = DefaultLimit
	}
	before := uuid.Max
	if given {
		before = c.ID
	}
	found, err := q.query(ctx, `select `+jobColumns+` from $.job j left join job_progress p on p.tenant = j.tenant and p.job = j.id
		where j.tenant = $1 and j.kind = $2 and j.id < $3 order by j.id desc limit $4`, tenant, kind, before, limit+1)
	if err != nil {
		return JobsPage{}, err
	}
	page := JobsPage{Items: found}
	if len(found) > limit {
		page.Items = found[:limit]
		page.Next = cursor{Sort: jobsSort + kind, ID: found[limit-1].ID}.String()
	}
	return page, nil
}

func (q *Jobs) query(ctx context.Context, sql string, args ...any) ([]Job, error) {
	build, err := q.builds.Live(ctx, JobsName)
	if err != nil {
		return nil, err
	}
	rows, err := q.pool.Query(ctx, in(build.Schema, sql), args...)
	if err != nil {
		return nil, fmt.Errorf("projections: jobs: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanJob)
	if err != nil {
		return nil, fmt.Errorf("projections: jobs: %w", err)
	}
	return found, nil
}

func scanJob(row pgx.CollectableRow) (j Job, err error) {
	var state []byte
	var done, total *int64
	if err := row.Scan(&j.ID, &j.Kind, &j.Actor.Kind, &j.Actor.ID, &state, &j.Version, &done, &total); err != nil {
		return j, err
	}
	if done != nil {
		j.Told = &Progress{Done: *done, Total: *total}
	}
	var into any
	switch j.Kind {
	case job.KindImport:
		j.Import = new(imports.State)
		into = j.Import
	case job.KindExport:
		j.Export = new(exports.State)
		into = j.Export
	default:
		j.Bulk = new(bulk.State)
		into = j.Bulk
	}
	if json.Unmarshal(state, into) != nil {
		return j, errors.New("the state of a job cannot be read")
	}
	return j, nil
}

// Download is that somebody got the file of an export.
type Download struct {
	At    time.Time
	Actor eventstore.Actor
}

// Downloads lists who got the file of an export, the latest first, at most MaxLimit.
func (q *Jobs) Downloads(ctx context.Context, tenant string, export uuid.UUID) ([]Download, error) {
	build, err := q.builds.Live(ctx, JobsName)
	if err != nil {
		return nil, err
	}
	rows, err := q.pool.Query(ctx, in(build.Schema, `select at, actor_kind, actor_id from $.job_download where tenant = $1 and job = $2 order by position desc limit $3`),
		tenant, export, MaxLimit)
	if err != nil {
		return nil, fmt.Errorf("projections: downloads: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Download, err error) {
		err = row.Scan(&d.At, &d.Actor.Kind, &d.Actor.ID)
		d.At = d.At.UTC()
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("projections: downloads: %w", err)
	}
	return found, nil
}
