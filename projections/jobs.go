package projections

import (
	_ "embed"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

//go:embed jobs.sql
var jobsSQL string

// JobsName is the name of the read model of imports, exports and bulk actions.
const JobsName = "jobs"

// JobsDefinition is the read model of imports, exports and bulk actions: how each stands.
func JobsDefinition() projector.Definition {
	tables, indexes := projector.Sections(jobsSQL)
	return projector.Definition{
		Name: JobsName, Version: 2,
		Types: []string{
			"import.uploaded", "import.started", "import.rows_recorded", "import.completed", "import.failed", "import.canceled",
			"import.revert_started", "import.rows_reverted", "import.reverted",
			"export.requested", "export.completed", "export.failed", "export.canceled", "export.downloaded", "export.expired",
			"bulk.started", "bulk.selected", "bulk.applied", "bulk.completed", "bulk.failed", "bulk.canceled",
			"bulk.undo_started", "bulk.undone", "bulk.reverted",
		},
		Tables: tables, Indexes: indexes,
		New: newJobsFold,
	}
}

type jobRow struct {
	ID      uuid.UUID
	Kind    string
	Actor   eventstore.Actor
	State   string // JSON
	Version int64
}

type jobDownloadRow struct {
	Position int64
	Job      uuid.UUID
	At       time.Time
	Actor    eventstore.Actor
}

// jobsFold is the fold of the read model "jobs".
type jobsFold struct {
	jobs      *projector.Rows[uuid.UUID, jobRow]
	downloads *projector.Rows[int64, jobDownloadRow]
}

func newJobsFold() projector.Fold {
	type j = jobRow
	type d = jobDownloadRow
	return &jobsFold{
		jobs: projector.NewRows("job", "id", "uuid", func(r *j) *uuid.UUID { return &r.ID },
			projector.Value("kind", "text", func(r *j) *string { return &r.Kind }),
			projector.Value("actor_kind", "text", func(r *j) *string { return &r.Actor.Kind }),
			projector.Value("actor_id", "text", func(r *j) *string { return &r.Actor.ID }),
			projector.PlainJSON("state", func(r *j) *string { return &r.State }),
			projector.Value("version", "bigint", func(r *j) *int64 { return &r.Version })),
		downloads: projector.NewRows("job_download", "position", "bigint", func(r *d) *int64 { return &r.Position },
			projector.Value("job", "uuid", func(r *d) *uuid.UUID { return &r.Job }),
			projector.Value("at", "timestamptz", func(r *d) *time.Time { return &r.At }),
			projector.Value("actor_kind", "text", func(r *d) *string { return &r.Actor.Kind }),
			projector.Value("actor_id", "text", func(r *d) *string { return &r.Actor.ID })),
	}
}

func (f *jobsFold) Tables() []projector.Table { return []projector.Table{f.jobs, f.downloads} }

func (f *jobsFold) Touch(e *eventstore.Decoded) {
	if id, ok := job.Of(e.Stream); ok {
		f.jobs.Touch(id)
	}
}

func (f *jobsFold) Apply(e *eventstore.Decoded) error {
	id, ok := job.Of(e.Stream)
	event, is := e.Payload.(domain.Event)
	if !ok || !is {
		return errors.New("not an event of a job")
	}
	row, found := f.jobs.Edit(id)
	if !found {
		kind, _, _ := strings.Cut(e.Type, ".")
		row = f.jobs.Put(jobRow{ID: id, Kind: kind, Actor: e.Envelope.Actor, State: "{}"})
	}
	state, err := foldJob(row.Kind, row.State, event, micros(e.OccurredAt()))
	if err != nil {
		return err
	}
	row.State, row.Version = state, e.Version
	if _, got := event.(exports.Downloaded); got {
		f.downloads.Put(jobDownloadRow{Position: e.Position, Job: id, At: micros(e.OccurredAt()), Actor: e.Envelope.Actor})
	}
	return nil
}

// foldJob is the state of a job after an event.
func foldJob(kind, state string, e domain.Event, at time.Time) (string, error) {
	switch kind {
	case job.KindImport:
		return foldInto[imports.State](state, e, at)
	case job.KindExport:
		return foldInto[exports.State](state, e, at)
	case job.KindBulk:
		return foldInto[bulk.State](state, e, at)
	}
	return "", errors.New("a job of a kind that is not known")
}

func foldInto[S any, P interface {
	*S
	Apply(domain.Event, time.Time)
}](state string, e domain.Event, at time.Time) (string, error) {
	var s S
	if err := json.Unmarshal([]byte(state), &s); err != nil {
		return "", errors.New("the state of a job cannot be read")
	}
	P(&s).Apply(e, at)
	if started, is := any(&s).(*bulk.State); is {
		started.Asked.Customers = nil // there may be many, and nobody asks here who they are
	}
	text, err := json.Marshal(&s)
	if err != nil {
		return "", errors.New("the state of a job cannot be written as JSON")
	}
	return string(text), nil
}

// No job is about one customer, so none is ever folded anew for one.

func (f *jobsFold) Skip(*eventstore.Event)                       {}
func (f *jobsFold) Recall(uuid.UUID, []eventstore.Decoded)       {}
func (f *jobsFold) Forget(uuid.UUID, []eventstore.Decoded) error { return nil }
