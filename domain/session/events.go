package session

import (
	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on a session's stream.
type Event interface {
	domain.Event
	sessionEvent()
}

// Started begins a session. It waits for an agent; a callback has one at once, and its Accepted is in the same append.
type Started struct {
	Customer    uuid.UUID `json:"customer"`
	Association int       `json:"association"`
	Channel     string    `json:"channel"`
	Initiator   string    `json:"initiator"` // customer, agent
	Callback    bool      `json:"callback,omitempty"`
}

// Accepted says which agent took the waiting session.
type Accepted struct {
	Agent string `json:"agent"`
}

// Transferred hands the session from one agent to another.
type Transferred struct {
	From string `json:"from,omitempty"`
	To   string `json:"to"`
}

// Sender wrote a message.
type Sender struct {
	Kind string `json:"kind"` // customer, agent, system
	ID   string `json:"id,omitempty"`
}

// MessageRecorded is one message of the transcript. When it was written is the event's occurred_at.
type MessageRecorded struct {
	Message string `json:"message"` // the channel's id of the message
	Sender  Sender `json:"sender"`
	Kind    string `json:"kind"` // text, image, voice, video, file, location, other
	Text    string `json:"text,omitempty" personal:"true"`
	URL     string `json:"url,omitempty" personal:"true"`
	Name    string `json:"name,omitempty" personal:"true"` // of a file
	Late    bool   `json:"late,omitempty"`
}

// WebAttributesRecorded says what a web visitor's browser told.
type WebAttributesRecorded struct {
	IP        string `json:"ip,omitempty" personal:"true"`
	Region    string `json:"region,omitempty" personal:"true"`
	UserAgent string `json:"user_agent,omitempty" personal:"true"`
	Referrer  string `json:"referrer,omitempty" personal:"true"`
}

// Rated is the customer's verdict; it may come after the close, and once. Reasons are free text from outside, so anything may be in
// them; the score stays open, for averages that outlive the customer's key.
type Rated struct {
	Score   int      `json:"score"` // 1 to 5
	Reasons []string `json:"reasons,omitempty" personal:"true"`
	Comment string   `json:"comment,omitempty" personal:"true"`
}

// Closed ends a session that an agent had accepted. One that waited is aborted, whoever ends it.
type Closed struct {
	By    string `json:"by"`              // customer, agent, system
	Cause string `json:"cause,omitempty"` // a short code
}

// Aborted ends a session that nobody accepted.
type Aborted struct {
	By    string `json:"by"`
	Cause string `json:"cause,omitempty"`
}

func (Started) EventType() string               { return "session.started" }
func (Accepted) EventType() string              { return "session.accepted" }
func (Transferred) EventType() string           { return "session.transferred" }
func (MessageRecorded) EventType() string       { return "session.message_recorded" }
func (WebAttributesRecorded) EventType() string { return "session.web_attributes_recorded" }
func (Rated) EventType() string                 { return "session.rated" }
func (Closed) EventType() string                { return "session.closed" }
func (Aborted) EventType() string               { return "session.aborted" }

func (Started) sessionEvent()               {}
func (Accepted) sessionEvent()              {}
func (Transferred) sessionEvent()           {}
func (MessageRecorded) sessionEvent()       {}
func (WebAttributesRecorded) sessionEvent() {}
func (Rated) sessionEvent()                 {}
func (Closed) sessionEvent()                {}
func (Aborted) sessionEvent()               {}
