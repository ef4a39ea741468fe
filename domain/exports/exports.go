// Package exports decides what files of customers are made, and for how long they can be had.
package exports

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/job"
	"customercenter/domain/view"
)

// Limits of an export.
const (
	MaxBytes   = 50 << 20           // of the file
	Keep       = 7 * 24 * time.Hour // from when the file is complete
	MaxColumns = 200
)

// Event is one of the facts below: the closed set of what can happen on an export's stream.
type Event interface {
	domain.Event
	exportEvent()
}

// Requested asks for a file of the customers who match a filter.
type Requested struct {
	Export uuid.UUID `json:"export"`
	// Filter is in its canonical form.
	Filter   json.RawMessage `json:"filter"`
	Sort     string          `json:"sort"`
	Columns  []string        `json:"columns"`
	Format   string          `json:"format"`   // csv, xlsx
	Language string          `json:"language"` // of headings and of words in the cells: zh, en
}

// Completed says that the file is there. Who matched at the position of the log is in it.
type Completed struct {
	Position  int64     `json:"position"`
	Rows      int       `json:"rows"`
	Bytes     int64     `json:"bytes"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Failed says that there will be no file.
type Failed struct {
	Code string         `json:"code"`
	Args map[string]any `json:"args,omitempty"`
}

// Canceled says that nobody wants the file any more.
type Canceled struct{}

// Downloaded says that somebody got the file: the event's actor.
type Downloaded struct{}

// Expired says that the file was deleted because its time was over, or before that for the reason in Code.
type Expired struct {
	Code string `json:"code,omitempty"`
}

func (Requested) EventType() string  { return "export.requested" }
func (Completed) EventType() string  { return "export.completed" }
func (Failed) EventType() string     { return "export.failed" }
func (Canceled) EventType() string   { return "export.canceled" }
func (Downloaded) EventType() string { return "export.downloaded" }
func (Expired) EventType() string    { return "export.expired" }

func (Requested) exportEvent()  {}
func (Completed) exportEvent()  {}
func (Failed) exportEvent()     {}
func (Canceled) exportEvent()   {}
func (Downloaded) exportEvent() {}
func (Expired) exportEvent()    {}

// State is an export. Its zero value is none.
type State struct {
	Asked                Requested
	Status               job.Status // empty: there is none
	File                 Completed  // once it is completed
	Expired              bool       // the file was deleted
	Downloads            int
	Code                 string // of a failure, or why the file was deleted before its time
	Args                 map[string]any
	RequestedAt, EndedAt time.Time
}

// Clone returns a copy: nothing that it shares is changed by Apply.
func (s *State) Clone() State { return *s }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when it happened.
func (s *State) Apply(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case Requested:
		*s = State{Asked: e, Status: job.Running, RequestedAt: at}
	case Completed:
		s.Status, s.File, s.EndedAt = job.Completed, e, at
	case Failed:
		s.Status, s.Code, s.Args, s.EndedAt = job.Failed, e.Code, e.Args, at
	case Canceled:
		s.Status, s.EndedAt = job.Canceled, at
	case Downloaded:
		s.Downloads++
	case Expired:
		s.Expired, s.Code = true, e.Code
	}
}

// Draft is an export that is asked for. What is empty has its default.
type Draft struct {
	// Filter was parsed against the tenant's fields and may read groups. One without conditions is everybody.
	Filter   *filter.Filter
	Sort     string   // as of views; view.DefaultSort
	Columns  []string // as of views; Columns
	Format   string   // csv, xlsx; csv
	Language string   // zh, en; zh
}

// Columns are those of an export that names none: the fields that people want to see, in the tenant's order, then tags and times.
func Columns(fields *field.State) []string {
	var columns []string
	for _, f := range fields.All() {
		switch {
		case !f.Shown || f.Disabled:
		case f.System:
			columns = append(columns, f.Key)
		default:
			columns = append(columns, customer.CustomPrefix+f.Key)
		}
	}
	return append(columns, "tags", "channel", "association", "created_at", "updated_at", "first_session_at", "last_session_at", "session_count")
}

// Request begins an export under a new id.
//
// Refused: VALIDATION at format, language, sort and columns; TAG_UNKNOWN and GROUP_UNKNOWN with their paths in the filter; CONFLICT if the id is
// taken.
func (s *State) Request(id uuid.UUID, d Draft, fields *field.State, tags, groups func(uuid.UUID) bool) ([]Event, error) {
	if s.Status != "" {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	e := Requested{Export: id, Sort: orElse(d.Sort, view.DefaultSort), Columns: d.Columns, Format: orElse(d.Format, "csv"), Language: orElse(d.Language, "zh")}
	custom, isCustom := strings.CutPrefix(strings.TrimPrefix(e.Sort, "-"), customer.CustomPrefix)
	switch {
	case e.Format != "csv" && e.Format != "xlsx":
		return nil, domain.Invalid("format", domain.RuleOneOf)
	case e.Language != "zh" && e.Language != "en":
		return nil, domain.Invalid("language", domain.RuleOneOf)
	case isCustom && !fields.Ordered(custom), !isCustom && !slices.Contains(view.Sorts(), e.Sort):
		return nil, domain.Invalid("sort", domain.RuleOneOf)
	case len(d.Columns) > MaxColumns:
		return nil, domain.Invalid("columns", domain.RuleTooMany).With("max", MaxColumns)
	}
	if len(d.Columns) == 0 {
		e.Columns = Columns(fields)
	}
	for i, name := range e.Columns {
		key, isCustom := strings.CutPrefix(name, customer.CustomPrefix)
		at := fmt.Sprintf("columns[%d]", i)
		switch {
		case isCustom && !fields.Takes(key), !isCustom && !slices.Contains(view.Columns(), name):
			return nil, domain.Invalid(at, domain.RuleOneOf)
		case slices.Contains(e.Columns[:i], name):
			return nil, domain.Invalid(at, domain.RuleDuplicate)
		}
	}
	if err := d.Filter.CheckNamed(tags, groups); err != nil {
		return nil, err
	}
	e.Filter = d.Filter.JSON()
	return []Event{e}, nil
}

func orElse(value, or string) string {
	if value == "" {
		return or
	}
	return value
}

// Complete says that the file is there. Nothing if nobody waits for it any more.
func (s *State) Complete(file Completed) []Event {
	if s.Status != job.Running {
		return nil
	}
	return []Event{file}
}

// Fail says that there will be no file. Nothing if nobody waits for it any more.
func (s *State) Fail(f Failed) []Event {
	if s.Status != job.Running {
		return nil
	}
	return []Event{f}
}

// Discard ends the work on the file, or deletes it before its time, for a reason that lies in what was so at the positions from one up to before another:
// a file of another position stays. Of one that is being made it is not known of which it will be. Nothing if there is none, or none any more.
func (s *State) Discard(code string, from, to int64) []Event {
	switch {
	case s.Status == job.Running:
		return []Event{Failed{Code: code}}
	case s.Status == job.Completed && !s.Expired && s.File.Position >= from && s.File.Position < to:
		return []Event{Expired{Code: code}}
	}
	return nil
}

// Cancel ends the work on the file. One that was canceled before is left as it is. Refused: NOT_FOUND; JOB_STATUS once it has ended.
func (s *State) Cancel() ([]Event, error) {
	switch s.Status {
	case "":
		return nil, job.NotFound()
	case job.Canceled:
		return nil, nil
	case job.Running:
		return []Event{Canceled{}}, nil
	}
	return nil, job.Wrong(s.Status)
}

// Download records that somebody gets the file at an instant. Refused: NOT_FOUND; JOB_STATUS if there is no file; EXPORT_EXPIRED.
func (s *State) Download(now time.Time) ([]Event, error) {
	switch {
	case s.Status == "":
		return nil, job.NotFound()
	case s.Status != job.Completed:
		return nil, job.Wrong(s.Status)
	case s.Over(now):
		return nil, domain.Refuse(domain.CodeExportExpired)
	}
	return []Event{Downloaded{}}, nil
}

// Over reports whether the file cannot be had any more.
func (s *State) Over(now time.Time) bool {
	return s.Expired || s.Status == job.Completed && !now.Before(s.File.ExpiresAt)
}

// Expire says that the file was deleted. Nothing before its time.
func (s *State) Expire(now time.Time) []Event {
	if s.Expired || s.Status != job.Completed || !s.Over(now) {
		return nil
	}
	return []Event{Expired{}}
}
