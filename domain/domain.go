// Package domain holds what every aggregate shares: the shape of an event and of a refusal.
// The aggregates themselves live in one package each. Everything below domain is pure: no I/O, no clock, no random ids.
package domain

import "fmt"

// Event is a fact that an aggregate appends. Its type name is stored and never changes.
//
// A struct field tagged `personal:"true"` holds personal data; the event store seals it with the customer's own key.
// Only top-level fields may carry the tag.
type Event interface {
	// EventType is the stored name, for example "customer.created".
	EventType() string
}

// Refusal says that a command was understood and not carried out. Nothing was changed.
type Refusal struct {
	// Code is stable and upper case, for example "SESSION_ENDED". The words for it live in internal/locale.
	Code string
	// Location is the field that is wrong, as the caller names it ("profile.email"); empty if no single field is.
	Location string
	// Args fill the words of the code, for example {"max": 256}. They never hold personal data.
	Args map[string]any
}

// Refuse returns a refusal with this code.
func Refuse(code string) *Refusal { return &Refusal{Code: code} }

// At names the field the refusal is about.
func (r *Refusal) At(location string) *Refusal { r.Location = location; return r }

// With adds one argument for the words of the refusal.
func (r *Refusal) With(name string, value any) *Refusal {
	if r.Args == nil {
		r.Args = map[string]any{}
	}
	r.Args[name] = value
	return r
}

// Error implements error. It names the code and the field, never a value.
func (r *Refusal) Error() string {
	if r.Location == "" {
		return "refused: " + r.Code
	}
	return fmt.Sprintf("refused: %s at %s", r.Code, r.Location)
}
