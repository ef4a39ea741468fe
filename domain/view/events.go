package view

import (
	"encoding/json"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on the stream of the views.
type Event interface {
	domain.Event
	viewEvent()
}

// Saved makes a view, or puts something else in its place. Filter is in its canonical form. The owner never changes.
type Saved struct {
	View    uuid.UUID       `json:"view"`
	Name    string          `json:"name"`
	Filter  json.RawMessage `json:"filter"`
	Sort    string          `json:"sort"`
	Columns []string        `json:"columns"`
	Owner   Owner           `json:"owner"`
}

// Shared shows a view to everybody who may list customers.
type Shared struct {
	View uuid.UUID `json:"view"`
}

// Unshared makes a view its owner's alone again.
type Unshared struct {
	View uuid.UUID `json:"view"`
}

// Deleted ends a view. Its id never comes back.
type Deleted struct {
	View uuid.UUID `json:"view"`
}

func (Saved) EventType() string    { return "view.saved" }
func (Shared) EventType() string   { return "view.shared" }
func (Unshared) EventType() string { return "view.unshared" }
func (Deleted) EventType() string  { return "view.deleted" }

func (Saved) viewEvent()    {}
func (Shared) viewEvent()   {}
func (Unshared) viewEvent() {}
func (Deleted) viewEvent()  {}
