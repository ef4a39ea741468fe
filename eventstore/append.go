package eventstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Append is one atomic change: all of its events are written, or none.
type Append struct {
	Tenant string
	// ID makes the append idempotent: appending it again after a lost answer never writes twice. Required.
	ID uuid.UUID
	// Now is the instant by which the caller decided. Required. Whether this machine's clock and the database's agree to a minute
	// is compared when the append is sent; if not, it is refused with ErrClocks.
	Now time.Time
	// Streams are written to, each from the version it must have. A stream may appear once.
	Streams []StreamAppend
	// Guards must not have moved, and are not written to.
	Guards []Guard
	// NewCustomers get their sealing key in this append.
	NewCustomers []NewCustomer
	// Receipt, if any, is stored with the events; if it exists already, nothing is written and Append returns it.
	Receipt *Receipt
	// Actor, Cause and Correlation go into the envelope of every event.
	Actor       Actor
	Cause       string
	Correlation string
}

// StreamAppend adds events to one stream.
type StreamAppend struct {
	Stream string
	// Version is the stream's version before the append; 0 for a new stream.
	Version int64
	Events  []NewEvent
}

// NewEvent is an event to be stored.
type NewEvent struct {
	// Payload is a value of a type that the codec knows.
	Payload any
	// Customer is whom it concerns; uuid.Nil if nobody. Required when the payload has personal fields.
	Customer uuid.UUID
	// OccurredAt is when it happened outside; zero if it did not come from outside.
	OccurredAt time.Time
}

// Guard names a stream that must still have this version.
type Guard struct {
	Stream  string
	Version int64
}

// NewCustomer asks for a sealing key.
type NewCustomer struct {
	ID         uuid.UUID
	Generation int // 1 for the first
}

// Receipt remembers the answer to a request, so that the same request is carried out once.
type Receipt struct {
	Actor string // whose request it was
	Route string // which door it came through
	Key   string // the request's own id
	// Body is a hash of the request; the same key with another body is the caller's mistake to report.
	Body []byte
	// Answer is what to answer again: ids and codes only.
	Answer string
	// Expires is when the receipt may be forgotten.
	Expires time.Time
}

// Result says what an accepted append wrote.
type Result struct {
	// First and Last are the positions of the first and last event; for an append without events both are the log's head.
	First, Last int64
	RecordedAt  time.Time
}

// ConflictError is returned when a stream did not have the expected version. Nothing was written.
type ConflictError struct {
	Stream           string
	Expected, Actual int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventstore: stream %s has version %d, expected %d", e.Stream, e.Actual, e.Expected)
}

// RepeatedError is returned when the receipt exists already: the request was carried out before. Nothing was written.
type RepeatedError struct {
	// Body is the hash of the first request's body; compare it with your own.
	Body []byte
	// Answer is the answer to the first request.
	Answer string
	// Position is the last position that the first request wrote.
	Position int64
}

func (e *RepeatedError) Error() string { return "eventstore: the request was carried out before" }

// ClocksApart is how far the clocks of whoever appends and of the database may be apart: ErrClocks.
const ClocksApart = time.Minute

var (
	// ErrClocks says that the caller's and the database's clocks differ by over a minute. Nothing was written.
	ErrClocks = errors.New("eventstore: the clocks of this process and the database differ by more than a minute")
	// ErrUnknownTenant says that there is no such tenant. Nothing was written.
	ErrUnknownTenant = errors.New("eventstore: unknown tenant")
	// ErrUnavailable says that the database cannot be reached. Whether an append was written is not known; appending it
	// again with the same ID is safe.
	ErrUnavailable = errors.New("eventstore: the database cannot be reached")
	// ErrTooLarge says that an append has more than MaxEvents events or MaxBytes bytes. Nothing was written.
	ErrTooLarge = fmt.Errorf("eventstore: an append may hold at most %d events and %d bytes", MaxEvents, MaxBytes)
)

const (
	// MaxEvents is how many events one append may hold. Larger work goes in chunks, so that others slip in between.
	MaxEvents = 2000
	// MaxBytes bounds the payloads of one append.
	MaxBytes = 16 << 20
)
