package bulk

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on a bulk action's stream.
type Event interface {
	domain.Event
	bulkEvent()
}

// Started asks for one thing to be done to many customers: those who match a filter, or those named.
type Started struct {
	Bulk   uuid.UUID `json:"bulk"`
	Action Action    `json:"action"`
	// Tag is put on or taken off.
	Tag uuid.UUID `json:"tag,omitzero"`
	// Reason and ExpiresAt are those of the listings.
	Reason    string     `json:"reason,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Filter is in its canonical form; nil if the customers are named.
	Filter json.RawMessage `json:"filter,omitempty"`
	// Customers are named, each once.
	Customers []uuid.UUID `json:"customers,omitempty"`
}

// Selected says that it is settled who is meant: those who matched at a position of the log, or those named. They are kept apart.
type Selected struct {
	Position  int64 `json:"position"`
	Customers int   `json:"customers"` // how many
}

// Applied says what became of some of those who are meant. In the same append it happened to them.
type Applied struct {
	From int `json:"from"` // these, counted from 0 in the order in which they were selected
	To   int `json:"to"`   // up to before this one
	// Changed are those to whom something happened.
	Changed []Change  `json:"changed,omitempty"`
	Refused []Refused `json:"refused,omitempty"`
}

// Change is a customer to whom something happened.
type Change struct {
	Customer uuid.UUID `json:"customer"`
	Version  int64     `json:"version"` // of the customer's stream since
}

// Refused is a customer to whom nothing happened, and why.
type Refused struct {
	Customer uuid.UUID `json:"customer"`
	Code     string    `json:"code"`
}

// Completed says that it has been seen to everybody.
type Completed struct{}

// Failed says that it cannot go on. What was done stays.
type Failed struct {
	Code string `json:"code"`
}

// Canceled says that it is seen to no more of them. What was done stays.
type Canceled struct{}

// UndoStarted says that what was done is to be undone, but where it was changed since.
type UndoStarted struct{}

// Undone says what became of the customers of one Applied. In the same append it happened to them.
type Undone struct {
	From  int       `json:"from"` // as in Applied
	To    int       `json:"to"`
	Count int       `json:"count"` // of whom it was undone
	Kept  []Refused `json:"kept,omitempty"`
}

// Reverted says that it has been seen to everybody to whom something had happened.
type Reverted struct{}

func (Started) EventType() string     { return "bulk.started" }
func (Selected) EventType() string    { return "bulk.selected" }
func (Applied) EventType() string     { return "bulk.applied" }
func (Completed) EventType() string   { return "bulk.completed" }
func (Failed) EventType() string      { return "bulk.failed" }
func (Canceled) EventType() string    { return "bulk.canceled" }
func (UndoStarted) EventType() string { return "bulk.undo_started" }
func (Undone) EventType() string      { return "bulk.undone" }
func (Reverted) EventType() string    { return "bulk.reverted" }

func (Started) bulkEvent()     {}
func (Selected) bulkEvent()    {}
func (Applied) bulkEvent()     {}
func (Completed) bulkEvent()   {}
func (Failed) bulkEvent()      {}
func (Canceled) bulkEvent()    {}
func (UndoStarted) bulkEvent() {}
func (Undone) bulkEvent()      {}
func (Reverted) bulkEvent()    {}
