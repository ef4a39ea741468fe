// Package imports decides what becomes of a file of customers: which rows make customers, once each, and which are refused and why.
package imports

import (
	"time"

	"customercenter/domain"
	"customercenter/domain/job"
)

// Limits of a file.
const (
	MaxRows     = 100_000 // below the header
	MaxBytes    = 20 << 20
	MaxFileName = 255 // characters
)

// State is an import. Its zero value is none.
type State struct {
	File   Uploaded
	Status job.Status // empty: there is none
	DryRun bool       // of the last start
	// Done is how many rows were dealt with since the last start.
	Done              int
	Created, Rejected int
	// Reverting says that customers are being taken back, or were when it failed; Looked is up to which row they were, Withdrawn how many have
	// gone, Kept how many stay.
	Reverting               bool
	Looked, Withdrawn, Kept int
	Code                    string // of a failure
	UploadedAt, EndedAt     time.Time
}

// Clone returns a copy: nothing that it shares is changed by Apply.
func (s *State) Clone() State { return *s }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when it happened.
func (s *State) Apply(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case Uploaded:
		*s = State{File: e, Status: job.Queued, UploadedAt: at}
	case Started:
		*s = State{File: s.File, Status: job.Running, DryRun: e.DryRun, UploadedAt: s.UploadedAt}
	case RowsRecorded:
		s.Done = e.To
		s.Created += len(e.Created)
		s.Rejected += len(e.Rejected)
	case Completed:
		s.Status, s.EndedAt = job.Completed, at
	case Failed:
		s.Status, s.Code, s.EndedAt = job.Failed, e.Code, at
	case Canceled:
		s.Status, s.EndedAt = job.Canceled, at
	case RevertStarted:
		s.Status, s.Reverting, s.Code, s.EndedAt = job.Running, true, "", time.Time{} // it goes on where one that failed has stopped
	case RowsReverted:
		s.Looked = e.To
		s.Withdrawn += e.Count
		s.Kept += len(e.Kept)
	case Reverted:
		s.Status, s.Reverting, s.EndedAt = job.Reverted, false, at
	}
}
