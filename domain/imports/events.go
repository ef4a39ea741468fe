package imports

import (
	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on an import's stream.
type Event interface {
	domain.Event
	importEvent()
}

// Uploaded begins an import: a file was read, and its rows wait. Nobody is a customer by that.
type Uploaded struct {
	Import   uuid.UUID `json:"import"`
	FileName string    `json:"file_name"`
	Format   string    `json:"format"` // csv, xlsx
	Bytes    int64     `json:"bytes"`
	Rows     int       `json:"rows"` // below the header, those that hold nothing apart
	// Columns says what each column of the file is, from the left: see Columns. Empty for one that is passed over.
	Columns []string `json:"columns"`
	// CreateTags says that tags that are not in the catalogue are created.
	CreateTags bool `json:"create_tags,omitempty"`
}

// Started says that the rows are to be dealt with, in the order of the file.
type Started struct {
	// DryRun says that it is only to be found out what each row would do.
	DryRun bool `json:"dry_run,omitempty"`
}

// RowsRecorded says what became of some rows. In the same append are the customers they made.
type RowsRecorded struct {
	From int `json:"from"` // these rows, counted from 0 in the order of the file
	To   int `json:"to"`   // up to before this one
	// Created are those that made a customer, or would in a dry run.
	Created  []Created `json:"created,omitempty"`
	Rejected []Refused `json:"rejected,omitempty"`
}

// Created is a row that made a customer.
type Created struct {
	Row      int       `json:"row"`               // as the spreadsheet program numbers it
	Customer uuid.UUID `json:"customer,omitzero"` // absent in a dry run
}

// Refused is a row that made none.
type Refused struct {
	Row    int            `json:"row"`              // as the spreadsheet program numbers it
	Column string         `json:"column,omitempty"` // see Columns; empty if it is none of them alone
	Code   string         `json:"code"`
	Args   map[string]any `json:"args,omitempty"` // for the words of the code; no values of the row
}

// Completed says that every row was dealt with.
type Completed struct{}

// Failed says that the import cannot go on. What was done stays.
type Failed struct {
	Code string `json:"code"`
}

// Canceled says that the rows that are left are not dealt with. What was done stays.
type Canceled struct{}

// RevertStarted says that the customers are to be taken back whom nobody has touched since.
type RevertStarted struct{}

// RowsReverted says what became of the customers of one RowsRecorded. In the same append they end.
type RowsReverted struct {
	From  int       `json:"from"` // as in RowsRecorded
	To    int       `json:"to"`
	Count int       `json:"count"`          // who was taken back
	Kept  []Created `json:"kept,omitempty"` // who was not, because something has happened to them since
}

// Reverted says that all customers were looked at.
type Reverted struct{}

func (Uploaded) EventType() string      { return "import.uploaded" }
func (Started) EventType() string       { return "import.started" }
func (RowsRecorded) EventType() string  { return "import.rows_recorded" }
func (Completed) EventType() string     { return "import.completed" }
func (Failed) EventType() string        { return "import.failed" }
func (Canceled) EventType() string      { return "import.canceled" }
func (RevertStarted) EventType() string { return "import.revert_started" }
func (RowsReverted) EventType() string  { return "import.rows_reverted" }
func (Reverted) EventType() string      { return "import.reverted" }

func (Uploaded) importEvent()      {}
func (Started) importEvent()       {}
func (RowsRecorded) importEvent()  {}
func (Completed) importEvent()     {}
func (Failed) importEvent()        {}
func (Canceled) importEvent()      {}
func (RevertStarted) importEvent() {}
func (RowsReverted) importEvent()  {}
func (Reverted) importEvent()      {}
