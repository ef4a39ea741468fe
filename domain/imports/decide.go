package imports

import (
	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/domain/settings"
	"customercenter/domain/text"
)

// Upload begins an import of a file that was read. Columns must come from Header.
//
// Refused: NOT_ENTITLED; CONFLICT if the id is taken; VALIDATION at file for a name that is no line of text or too long.
func (s *State) Upload(id uuid.UUID, file Uploaded, may *settings.State) ([]Event, error) {
	name, ok := text.Line(file.FileName)
	switch {
	case !may.Entitled(settings.EntitlementImport):
		return nil, notEntitled()
	case s.Status != "":
		return nil, domain.Refuse(domain.CodeConflict)
	case !ok:
		return nil, domain.Invalid("file", domain.RuleCharacters)
	case text.Length(name) > MaxFileName:
		return nil, domain.TooLong("file", MaxFileName)
	}
	file.Import, file.FileName = id, name
	return []Event{file}, nil
}

// Start has the rows dealt with: for a trial, any number of times, until it is done in earnest.
//
// Refused: NOT_FOUND; NOT_ENTITLED; JOB_STATUS while rows are being dealt with, and once some were in earnest.
func (s *State) Start(dryRun bool, may *settings.State) ([]Event, error) {
	switch {
	case s.Status == "":
		return nil, job.NotFound()
	case !may.Entitled(settings.EntitlementImport):
		return nil, notEntitled()
	case s.Status != job.Queued && (!s.DryRun || s.Status == job.Running):
		return nil, job.Wrong(s.Status)
	}
	return []Event{Started{DryRun: dryRun}}, nil
}

// Going reports whether rows are to be dealt with.
func (s *State) Going() bool { return s.Status == job.Running && !s.Reverting }

// Record says what became of the next rows. The last of them completes the import. Nothing if they are not the next ones: somebody else was
// faster, or the import was stopped.
func (s *State) Record(rows RowsRecorded) []Event {
	if !s.Going() || rows.From != s.Done || rows.To <= rows.From || rows.To > s.File.Rows {
		return nil
	}
	if rows.To == s.File.Rows {
		return []Event{rows, Completed{}}
	}
	return []Event{rows}
}

// Fail says that the import cannot go on. Nothing if it is not going on.
func (s *State) Fail(code string) []Event {
	if s.Status != job.Running {
		return nil
	}
	return []Event{Failed{Code: code}}
}

// Cancel stops an import. What was done stays. One that was canceled before is left as it is.
//
// Refused: NOT_FOUND; JOB_STATUS once all rows are dealt with, and while customers are taken back.
func (s *State) Cancel() ([]Event, error) {
	switch {
	case s.Status == "":
		return nil, job.NotFound()
	case s.Status == job.Canceled:
		return nil, nil
	case s.Status != job.Queued && !s.Going():
		return nil, job.Wrong(s.Status)
	}
	return []Event{Canceled{}}, nil
}

// Revert has the customers taken back whom the import made and nobody has touched since.
//
// Refused: NOT_FOUND; JOB_STATUS unless the import has come to an end, in earnest, and was not reverted.
func (s *State) Revert() ([]Event, error) {
	ended := s.Status == job.Completed || s.Status == job.Failed || s.Status == job.Canceled
	switch {
	case s.Status == "":
		return nil, job.NotFound()
	case s.DryRun || !ended || s.Created == 0:
		return nil, job.Wrong(s.Status)
	}
	return []Event{RevertStarted{}}, nil
}

// RecordReverted says what became of the customers of the next rows. Behind the last ones that were dealt with the import is reverted.
// Nothing if they are not the next ones.
func (s *State) RecordReverted(rows RowsReverted) []Event {
	if s.Status != job.Running || !s.Reverting || rows.From != s.Looked || rows.To <= rows.From || rows.To > s.Done {
		return nil
	}
	if rows.To == s.Done {
		return []Event{rows, Reverted{}}
	}
	return []Event{rows}
}

func notEntitled() error {
	return domain.Refuse(domain.CodeNotEntitled).With("entitlement", settings.EntitlementImport)
}
