// Package job has what imports, exports and bulk actions share: long work that is asked for once and done piece by piece.
package job

import (
	"strings"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Kinds of jobs. The names are told to callers.
const (
	KindImport = "import"
	KindExport = "export"
	KindBulk   = "bulk"
)

// Status is how a job stands.
type Status string

// The statuses of a job. The names are stored nowhere, but told to callers.
const (
	Queued    Status = "queued"    // waits: an import for its start, the others for a worker
	Running   Status = "running"   // is worked on, or taken back
	Completed Status = "completed" // all of it is done
	Failed    Status = "failed"    // cannot be done; a code says why
	Canceled  Status = "canceled"  // somebody stopped it; what was done stays
	Reverted  Status = "reverted"  // what was done is taken back, as far as nobody has touched it since
)

// Chunk is how many rows of an import are kept together, and how many rows or customers one append may deal with at most, so that others slip in
// between. It is part of how rows and selections are kept, and never changes.
const Chunk = 500

// Stream is the name of a job's stream.
func Stream(id uuid.UUID) string { return "job-" + id.String() }

// Refusals of what is asked of a job.

// NotFound says that there is no such job.
func NotFound() error { return domain.Refuse(domain.CodeNotFound) }

// Wrong says that a job cannot do what is asked of it, as it is.
func Wrong(status Status) error {
	return domain.Refuse(domain.CodeJobStatus).With("status", string(status))
}

// Of is the job whose stream that is; false if it is none's.
func Of(stream string) (uuid.UUID, bool) {
	name, is := strings.CutPrefix(stream, "job-")
	if !is {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(name)
	return id, err == nil
}
