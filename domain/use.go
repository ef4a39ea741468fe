package domain

import "github.com/google/uuid"

// Kinds of what can use an entry of a catalogue.
const (
	UseGroup = "group"
	UseView  = "view"

	UseAutoMessage = "auto_message"
)

// Use is something that uses an entry of a catalogue, which for that reason cannot go away. It is told to whoever asks for that.
type Use struct {
	Kind string    `json:"kind"`
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}
