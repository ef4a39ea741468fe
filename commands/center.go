// Package commands carries out what people, channels and policies ask for: load, decide, append.
//
// One file per command. A command is a struct with a Run method; the decision itself is a pure function in package domain.
// A refused command returns *domain.Refusal and has changed nothing. A command that changes nothing succeeds and appends nothing.
//
// Besides refusals a command returns ErrBusy, and what the event store says: eventstore.ErrUnavailable or a context error when it
// is not known whether it was carried out (send it again with the same Once), eventstore.ErrUnknownTenant and eventstore.ErrClocks
// when nothing was changed.
package commands

import (
	"time"

	"github.com/google/uuid"

	"customercenter/eventstore"
)

// Center is what every command needs. The clock and the ids are handed in, so that tests decide them.
// It is safe for concurrent use.
type Center struct {
	store *eventstore.Store
	now   func() time.Time
	newID func() uuid.UUID
	cache *cache
	lines *lines
	reads *reads
}

// NewCenter returns a center on a store. newID must return a fresh id at every call (UUIDv7 in the product).
func NewCenter(store *eventstore.Store, now func() time.Time, newID func() uuid.UUID) *Center {
	return &Center{store: store, now: now, newID: newID, cache: newCache(cachedStates), lines: newLines(), reads: newReads(store)}
}

// By says on whose behalf a command runs, and why.
type By struct {
	Tenant      string
	Actor       eventstore.Actor
	Cause       string
	Correlation string
	// OccurredAt is when it happened outside; zero if it did not come from outside. Over five minutes in the future is refused.
	OccurredAt time.Time
	// Once, if set, makes the command run once however often it is sent.
	Once *Once
}

// Once identifies a request. The same door, key and body get the first answer again, a refusal too unless DoneOnly.
type Once struct {
	Route string        // the door it came through, for example "POST /v1/customers" or "channel"
	Key   string        // the request's own id
	Body  []byte        // a hash of the request
	Keep  time.Duration // how long the answer is kept: 72 h for HTTP, 30 days for channel events
	// DoneOnly keeps no refusals: what was refused may be asked for again under the same key, in other words too. It is for keys that the
	// caller means as the id of a thing and not of a request.
	DoneOnly bool
}

// Done says what a command did. Its JSON form is the answer that a receipt keeps: ids and codes only.
type Done struct {
	// Position is the last position the command wrote; if it wrote nothing, a position that includes what it saw.
	Position int64 `json:"-"`
	// First is the first position the command wrote; 0 if it wrote nothing, or did so before.
	First int64 `json:"-"`
	// Changed is false when the command had nothing to change.
	Changed bool `json:"changed,omitempty"`
	// Repeated is true when the request had been carried out before and this is the first answer.
	Repeated bool `json:"-"`
	// What was created or concerned, where the command knows it.
	Customer    uuid.UUID `json:"customer,omitzero"`
	Session     uuid.UUID `json:"session,omitzero"`
	Tag         uuid.UUID `json:"tag,omitzero"`
	AutoMessage uuid.UUID `json:"auto_message,omitzero"`
	Group       uuid.UUID `json:"group,omitzero"`
	View        uuid.UUID `json:"view,omitzero"`
	Job         uuid.UUID `json:"job,omitzero"` // an import, an export or a bulk action
	Association int       `json:"association,omitempty"`
	Field       string    `json:"field,omitempty"` // its key
	// Version is that of the customer after the command, where it edits one: the version in the customer's stream of the last
	// change of profile, tags or blacklist. It is what IfVersion of the next edit takes.
	Version int64 `json:"version,omitempty"`
	// Late is true for a message that went into a session after its end.
	Late bool `json:"late,omitempty"`
	// Suppressed is true for a message of somebody on the blacklist that went into no session.
	Suppressed bool `json:"suppressed,omitempty"`
	// Recipients is how many customers get an auto message since.
	Recipients int `json:"recipients,omitempty"`
}

// Codes of refusals that no aggregate knows.
const (
	// CodeKeyReused says that the key of a Once was used before with another body.
	CodeKeyReused = "IDEMPOTENCY_KEY_REUSED"
	// CodePreconditionFailed says that the customer no longer has the version the command was meant for.
	CodePreconditionFailed = "PRECONDITION_FAILED"
)
