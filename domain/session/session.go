// Package session decides what happens in one conversation with a customer.
//
// A session goes waiting → processing → closed, or waiting → aborted, and never back. Its stream is the transcript.
package session

import (
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Stream is the name of a session's stream.
func Stream(id uuid.UUID) string { return "session-" + id.String() }

// Status is where a session stands. The names are part of the outside surface.
type Status string

// The states of a session. The empty Status is that of a session that was never started.
const (
	StatusWaiting    Status = "waiting"
	StatusProcessing Status = "processing"
	StatusClosed     Status = "closed"
	StatusAborted    Status = "aborted"
)

// State is what a session is. Its zero value is one that was never started. It keeps no texts, so that a session with
// thousands of messages folds cheaply; duplicates are known by the receipts of the appends, not here.
type State struct {
	Status      Status
	Customer    uuid.UUID
	Association int
	Channel     string
	Initiator   string // domain.PartyCustomer or domain.PartyAgent
	Callback    bool
	Agent       string // who has it, or had it last; empty while it waits
	StartedAt   time.Time
	AcceptedAt  time.Time // zero if nobody accepted it
	EndedAt     time.Time // zero while it is unfinished
	Messages    int       // all of them, late ones too
	// LastCustomerMessageAt is when the customer last wrote; zero if never. Messages may come in another order than they were written.
	LastCustomerMessageAt time.Time
	Web                   WebAttributesRecorded
	Rated                 bool
}

// Ended reports whether the session is closed or aborted.
func (s *State) Ended() bool { return s.Status == StatusClosed || s.Status == StatusAborted }

// WasAccepted reports whether an agent ever had the session.
func (s *State) WasAccepted() bool { return s.Status == StatusProcessing || s.Status == StatusClosed }

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State { return *s }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when the event occurred; if it
// says nothing of that, when it was recorded.
func (s *State) Apply(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case Started:
		*s = State{
			Status: StatusWaiting, StartedAt: at, Customer: e.Customer,
			Association: e.Association, Channel: e.Channel, Initiator: e.Initiator, Callback: e.Callback,
		}
	case Accepted:
		s.Status, s.Agent, s.AcceptedAt = StatusProcessing, e.Agent, at
	case Transferred:
		s.Agent = e.To
	case MessageRecorded:
		s.Messages++
		if e.Sender.Kind == domain.PartyCustomer && at.After(s.LastCustomerMessageAt) {
			s.LastCustomerMessageAt = at
		}
	case WebAttributesRecorded:
		s.Web = e
	case Rated:
		s.Rated = true
	case Closed:
		s.Status, s.EndedAt = StatusClosed, at
	case Aborted:
		s.Status, s.EndedAt = StatusAborted, at
	}
}
