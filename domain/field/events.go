package field

import "customercenter/domain"

// Event is one of the facts below: the closed set of what can happen on the fields' stream.
type Event interface {
	domain.Event
	fieldEvent()
}

// Added adds a custom field, as the last one and hidden.
type Added struct {
	Field   string   `json:"field"` // its key
	Type    string   `json:"type"`
	Label   string   `json:"label"`
	Hint    string   `json:"hint,omitempty"`
	Options []Option `json:"options,omitempty"`
}

// Changed says what the field is called and offers from now on. What it has of Label, Hint and Options is all there is.
type Changed struct {
	Field   string   `json:"field"`
	Label   string   `json:"label"`
	Hint    string   `json:"hint,omitempty"`
	Options []Option `json:"options,omitempty"`
}

// Shown puts the field on the pages.
type Shown struct {
	Field string `json:"field"`
}

// Hidden takes the field off the pages. It keeps its values, takes new ones, and can be filtered by.
type Hidden struct {
	Field string `json:"field"`
}

// Enabled lets the field be used again, with the values it had.
type Enabled struct {
	Field string `json:"field"`
}

// Disabled puts the field out of use: it takes no values and is not shown. Those it has stay.
type Disabled struct {
	Field string `json:"field"`
}

// Reordered says in which order the fields stand: all of them, system fields included.
type Reordered struct {
	Order []string `json:"order"`
}

// Removed takes the field away for good. Its key never comes back; values stay in the log.
type Removed struct {
	Field string `json:"field"`
}

// Option is one of the values that can be chosen. A list of them is in the order in which people see them, each behind its parent.
type Option struct {
	ID    string `json:"id"` // unique in the field, for ever
	Label string `json:"label"`
	// Parent is the id of the option it belongs to, of a cascade; empty at the top.
	Parent string `json:"parent,omitempty"`
}

func (Added) EventType() string     { return "field.added" }
func (Changed) EventType() string   { return "field.changed" }
func (Shown) EventType() string     { return "field.shown" }
func (Hidden) EventType() string    { return "field.hidden" }
func (Enabled) EventType() string   { return "field.enabled" }
func (Disabled) EventType() string  { return "field.disabled" }
func (Reordered) EventType() string { return "field.reordered" }
func (Removed) EventType() string   { return "field.removed" }

func (Added) fieldEvent()     {}
func (Changed) fieldEvent()   {}
func (Shown) fieldEvent()     {}
func (Hidden) fieldEvent()    {}
func (Enabled) fieldEvent()   {}
func (Disabled) fieldEvent()  {}
func (Reordered) fieldEvent() {}
func (Removed) fieldEvent()   {}
