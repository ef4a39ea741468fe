// Package suppressed records what blacklisted customers write. Nobody answers it and no session has it; it is kept so that nothing
// is lost, and counted.
package suppressed

import (
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/session"
)

// Stream is the name of the stream of a customer's suppressed messages.
func Stream(customer uuid.UUID) string { return "suppressed-" + customer.String() }

// Event is the one thing that happens on that stream.
type Event interface {
	domain.Event
	suppressedEvent()
}

// MessageRecorded is a message of a customer who was blacklisted when it was handled. It belongs to no session.
type MessageRecorded struct {
	Message string `json:"message"` // the channel's id of it
	Kind    string `json:"kind"`    // as of a session's message
	Text    string `json:"text,omitempty" personal:"true"`
	URL     string `json:"url,omitempty" personal:"true"`
	Name    string `json:"name,omitempty" personal:"true"` // of a file
}

func (MessageRecorded) EventType() string { return "suppressed.message_recorded" }
func (MessageRecorded) suppressedEvent()  {}

// State is what is known of a customer's suppressed messages. Its zero value is that of a customer without any.
type State struct {
	Messages int
	// LastAt is when the customer last wrote one; zero if never. Messages may come in another order than they were written.
	LastAt time.Time
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State { return *s }

// Apply folds one event. Events of other aggregates are ignored.
func (s *State) Apply(e domain.Event, at time.Time) {
	if _, ok := e.(MessageRecorded); ok {
		s.Messages++
		if at.After(s.LastAt) {
			s.LastAt = at
		}
	}
}

// Record keeps a message. occurredAt is when it was written, now when it is handled. Recording the same message twice is not noticed
// here: the receipt of the append notices it. It belongs into an append that is guarded by the customer's stream.
//
// Refused: OCCURRED_IN_FUTURE, and VALIDATION as in session.State.RecordMessage.
func (s *State) Record(m session.MessageRecorded, occurredAt, now time.Time) ([]Event, error) {
	if err := domain.CheckOccurred(occurredAt, now); err != nil {
		return nil, err
	}
	m, err := session.NormalizeMessage(m)
	if err != nil {
		return nil, err
	}
	return []Event{MessageRecorded{Message: m.Message, Kind: m.Kind, Text: m.Text, URL: m.URL, Name: m.Name}}, nil
}
