package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore/tenancy"
)

// What jobs keep beside the log is kept in parts, in Postgres: every process finds it, and it is gone with the database. Parts are written once.

// errGone says that what a job has kept is not there any more.
var errGone = errors.New("jobs: what was kept is gone")

// parts keeps what jobs keep.
type parts struct{ db *tenancy.DB }

// writer is what is written with: the pool, or the one connection on which a job is held.
type writer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// put writes a part. One that is there already is replaced.
func (p parts) put(ctx context.Context, tenant string, id uuid.UUID, part int, content []byte) error {
	return putPart(ctx, p.db, tenant, id, part, content)
}

func putPart(ctx context.Context, db writer, tenant string, id uuid.UUID, part int, content []byte) error {
	_, err := db.Exec(ctx, `insert into job_parts (tenant, job, part, content) values ($1, $2, $3, $4)
		on conflict (tenant, job, part) do update set content = excluded.content, written_at = now()`, tenant, id, part, content)
	if err != nil {
		return fmt.Errorf("jobs: keep: %w", err)
	}
	return nil
}

// get reads a part. errGone.
func (p parts) get(ctx context.Context, tenant string, id uuid.UUID, part int) (content []byte, err error) {
	err = p.db.QueryRow(ctx, `select content from job_parts where tenant = $1 and job = $2 and part = $3`, tenant, id, part).Scan(&content)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("jobs: read what is kept: %w", err)
	}
	return content, nil
}

// measure tells how many parts a job keeps, and how long they are together: 0 if one is missing.
func (p parts) measure(ctx context.Context, tenant string, id uuid.UUID) (n int, bytes int64, err error) {
	var last int
	err = p.db.QueryRow(ctx, `select count(*), coalesce(max(part), -1), coalesce(sum(octet_length(content)), 0) from job_parts where tenant = $1 and job = $2`,
		tenant, id).Scan(&n, &last, &bytes)
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("jobs: read what is kept: %w", err)
	case last != n-1:
		return n, 0, nil
	}
	return n, bytes, nil
}

// drop deletes what a job keeps, from a part on.
func (p parts) drop(ctx context.Context, tenant string, id uuid.UUID, from int) error {
	return dropParts(ctx, p.db, tenant, id, from)
}

func dropParts(ctx context.Context, db writer, tenant string, id uuid.UUID, from int) error {
	if _, err := db.Exec(ctx, `delete from job_parts where tenant = $1 and job = $2 and part >= $3`, tenant, id, from); err != nil {
		return fmt.Errorf("jobs: delete what is kept: %w", err)
	}
	return nil
}

// rows reads the part of an import's rows in which a row is, and which of the import's rows is its first.
func (p parts) rows(ctx context.Context, tenant string, id uuid.UUID, row int) (rows []imports.Row, first int, err error) {
	content, err := p.get(ctx, tenant, id, row/job.Chunk)
	if err != nil {
		return nil, 0, err
	}
	if err := json.Unmarshal(content, &rows); err != nil {
		return nil, 0, errors.New("jobs: rows of an import cannot be read") // the cause would quote a cell
	}
	return rows, row / job.Chunk * job.Chunk, nil
}

// Parts of who a bulk action is about have so many customers, of 16 bytes each.
const idsAPart = 64 * job.Chunk

// ids reads the next customers of a bulk action from one on, as many as one append takes.
func (p parts) ids(ctx context.Context, tenant string, id uuid.UUID, from int) ([]uuid.UUID, error) {
	var content []byte
	at := from % idsAPart * 16
	err := p.db.QueryRow(ctx, `select substring(content from $4 for $5) from job_parts where tenant = $1 and job = $2 and part = $3`,
		tenant, id, from/idsAPart, at+1, job.Chunk*16).Scan(&content)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("jobs: read what is kept: %w", err)
	case len(content) == 0 || len(content)%16 != 0:
		return nil, errGone
	}
	found := make([]uuid.UUID, len(content)/16)
	for i := range found {
		copy(found[i][:], content[i*16:])
	}
	return found, nil
}

// KeptFor is for how long what was uploaded, and who a bulk action was about, is kept.
const KeptFor = 30 * 24 * time.Hour

// sweep deletes what belongs to no job that a log knows of, and what is older than KeptFor. Of what was written a short while ago the log may not
// tell yet.
func (p parts) sweep(ctx context.Context) error {
	_, err := p.db.Exec(ctx, `with old as (select distinct tenant, job, written_at < now() - make_interval(secs => $1) as over from job_parts
			where written_at < now() - interval '1 day'),
		progress as (delete from job_progress where updated_at < now() - make_interval(secs => $1))
		delete from job_parts p using old o where p.tenant = o.tenant and p.job = o.job and p.written_at < now() - interval '1 day'
			and (o.over or not exists (select from events e where e.tenant = o.tenant and e.stream = 'job-' || o.job::text))`, KeptFor.Seconds())
	if err != nil {
		return fmt.Errorf("jobs: delete what is kept no longer: %w", err)
	}
	return nil
}

// progress tells how far a job has come that says nothing of it in the log.
func (p parts) progress(ctx context.Context, tenant string, id uuid.UUID, done, total int64) error {
	_, err := p.db.Exec(ctx, `insert into job_progress (tenant, job, done, total) values ($1, $2, $3, $4)
		on conflict (tenant, job) do update set done = excluded.done, total = excluded.total, updated_at = now()`, tenant, id, done, total)
	if err != nil {
		return fmt.Errorf("jobs: progress: %w", err)
	}
	return nil
}
