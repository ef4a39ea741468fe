// Package projection holds what operators decide about read models: that an event which cannot be applied is passed over.
package projection

import "customercenter/domain"

// Stream is the name of the tenant's stream of such decisions.
const Stream = "projections"

// Event is the one thing that happens on that stream.
type Event interface {
	domain.Event
	projectionEvent()
}

// EventsSkipped has a read model go on with a customer, whom the event concerns, without some of the customer's events. It counts for one version:
// the next one, which may have been made to apply them, tries them again.
type EventsSkipped struct {
	Projection string  `json:"projection"`
	Version    int     `json:"version"`
	Positions  []int64 `json:"positions"` // in the log, ascending
	// Reason is why, 1 to MaxReason characters. It is about an event and a program, not about a person, and is not sealed: the key of the customer may
	// be just what is broken.
	Reason string `json:"reason"`
}

// EventType implements domain.Event.
func (EventsSkipped) EventType() string { return "projection.events_skipped" }
func (EventsSkipped) projectionEvent()  {}
