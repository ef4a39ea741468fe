// Package eventstore keeps events in order for ever.
//
// There is one log per tenant. Positions in it are dense (1, 2, 3 …) and in commit order: whoever sees position p can see
// 1..p. Each event also belongs to a stream (one aggregate) and has a version there, dense as well.
//
// Postgres is the truth; package relay carries the log to the bus. Personal fields are sealed with the customer's own key
// before they reach the database (package keyring) and opened when an event is decoded.
package eventstore

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Event is one stored event. Data holds personal fields sealed, exactly as stored.
type Event struct {
	Tenant      string
	Position    int64  // 1, 2, 3 … in the tenant's log
	Stream      string // for example "customer-<id>"
	Version     int64  // 1, 2, 3 … in the stream
	Type        string // for example "customer.created"
	TypeVersion int
	Customer    uuid.UUID // the customer it concerns; uuid.Nil if none
	Data        json.RawMessage
	Meta        json.RawMessage
	RecordedAt  time.Time // the database's clock, UTC; never runs backwards inside a tenant
	// Erased is set once the event was opened, by whichever way, if it had personal fields and the customer's key is gone: they are zero, or absent.
	Erased bool
}

// Decoded is an event with its payload as a Go value and its personal fields opened.
type Decoded struct {
	Event
	// Payload is a value (not a pointer) of the type that the codec knows under Event.Type.
	Payload any
	// Envelope is Event.Meta, parsed.
	Envelope Meta
}

// OccurredAt is when the event happened outside, else when it was recorded.
func (d *Decoded) OccurredAt() time.Time {
	if d.Envelope.OccurredAt != nil {
		return *d.Envelope.OccurredAt
	}
	return d.RecordedAt
}

// Meta is the envelope of an event: who caused it and why.
type Meta struct {
	// Append is the id of the append that wrote the event.
	Append uuid.UUID `json:"append"`
	Actor  Actor     `json:"actor"`
	// Cause is the id of what led to the event: a channel event or, for a policy, "<tenant>:<position>".
	Cause string `json:"cause,omitempty"`
	// Correlation is shared by everything that followed from the same outside request.
	Correlation string `json:"correlation,omitempty"`
	// Trace is where in which trace the event was written, if traces were on and somebody looks at this one: a traceparent of the W3C.
	Trace string `json:"trace,omitempty"`
	// OccurredAt is when it happened outside, if it came from outside.
	OccurredAt *time.Time `json:"occurred_at,omitempty"`
}

// appendJSON appends what json.Marshal makes of the envelope, at a quarter of the cost: there is one in every append.
func (m *Meta) appendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"append":"`...)
	id, err := m.Append.MarshalText()
	if err != nil {
		return nil, err
	}
	b = append(append(b, id...), `","actor":{"kind":`...)
	for _, text := range []struct{ before, value, after string }{
		{"", m.Actor.Kind, `,"id":`}, {"", m.Actor.ID, "}"}, {`,"cause":`, m.Cause, ""}, {`,"correlation":`, m.Correlation, ""}, {`,"trace":`, m.Trace, ""},
	} {
		if text.before != "" && text.value == "" {
			continue // left out
		}
		if b, err = appendText(append(b, text.before...), text.value); err != nil {
			return nil, err
		}
		b = append(b, text.after...)
	}
	if m.OccurredAt != nil {
		at, err := m.OccurredAt.MarshalJSON()
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"occurred_at":`...), at...)
	}
	return append(b, '}'), nil
}

// appendText appends a text as JSON. Most are ids, in which nothing needs an escape.
func appendText(b []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, err := json.Marshal(text)
			return append(b, escaped...), err
		}
	}
	return append(append(append(b, '"'), text...), '"'), nil
}

// Actor is who did something: a kind and an id, never a name.
type Actor struct {
	Kind string `json:"kind"` // admin, agent, channel, operator, policy, system
	ID   string `json:"id"`
}
