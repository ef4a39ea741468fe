// Package ingest takes in what channels tell: one CloudEvent at a time, over HTTP or from the queue on NATS, by the same Handler.
//
// Every event is carried out once, however often it comes: its source and id are remembered for 30 days, with the outcome, and whatever
// comes with the same two is taken for the same event. What
// cannot be understood or may not be done is refused with a code, and an event from the queue that is refused goes to the dead
// letters with the reason, from where an operator can send it again. Nothing here logs, or puts into an error, what people wrote,
// who they are, or how to reach them.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
)

// Keep is for how long an event is recognised when it comes again.
const Keep = 30 * 24 * time.Hour

// route is the door of channel events, see commands.Once. It is the same over HTTP and NATS, so that an event that comes through both
// is carried out once.
const route = "channel"

// Status is what became of an event.
type Status string

// The outcomes of an event.
const (
	StatusAccepted  Status = "accepted"  // carried out now
	StatusDuplicate Status = "duplicate" // carried out before; the outcome is that of the first time
	StatusRefused   Status = "refused"   // not carried out, now or the first time
)

// Outcome is what became of an event, and the answer to its sender.
type Outcome struct {
	// ID is the event's, as far as it could be read.
	ID       string         `json:"id,omitempty"`
	Status   Status         `json:"status"`
	Code     string         `json:"code,omitempty"`     // why it was refused
	Location string         `json:"location,omitempty"` // what in the event is wrong, for example "data.message.text"
	Args     map[string]any `json:"-"`                  // fill the words of the code, see package locale
	Customer uuid.UUID      `json:"customer_id,omitzero"`
	Session  uuid.UUID      `json:"session_id,omitzero"`
	Position int64          `json:"position,omitempty"`
	Late     bool           `json:"late,omitempty"` // a message that went into a session after its end
}

// Arrival is an event as it came in.
type Arrival struct {
	Tenant      string
	Association int
	Body        []byte
	// Correlation is shared with whatever else belongs to the same request; the event's id if empty.
	Correlation string
	// Trace is the header traceparent of an event that came over NATS.
	Trace string
	// Resent counts how often an operator has sent the event again out of the dead letters. An event that was refused is
	// then judged anew; one that was carried out is not carried out again.
	Resent int
}

// Handler carries out channel events. It is safe for concurrent use.
type Handler struct{ center *commands.Center }

// NewHandler returns a handler that runs its commands on a center.
func NewHandler(center *commands.Center) *Handler { return &Handler{center: center} }

// Handle carries out one event. Whatever is wrong with the event itself is in the outcome. An error says that it is not known
// what became of it: send it again, it is carried out once. The errors are those of the commands: eventstore.ErrUnavailable,
// eventstore.ErrClocks, commands.ErrBusy, a context error, or something that should not happen.
func (h *Handler) Handle(ctx context.Context, a Arrival) (Outcome, error) {
	event, err := Parse(a.Body)
	return h.handle(ctx, a, event, err)
}

// handle carries out an event that was parsed, with what Parse said.
func (h *Handler) handle(ctx context.Context, a Arrival, event Event, wrong error) (Outcome, error) {
	outcome := Outcome{ID: event.ID, Status: StatusAccepted}
	if wrong != nil {
		return outcome.refuse(wrong, func(r *domain.Refusal) string { return r.Location })
	}
	if a.Association < 1 { // no association, which to a command would mean any
		return outcome.refuse(domain.Refuse(CodeUnknownAssociation).At("association_id"), event.place)
	}
	if event.data.command == nil {
		return outcome, nil
	}
	done, err := h.run(tenancy.Narrow(ctx, a.Tenant), a, event)
	outcome.Customer, outcome.Session, outcome.Position, outcome.Late = done.Customer, done.Session, done.Position, done.Late
	if done.Repeated {
		outcome.Status = StatusDuplicate
	}
	if err != nil {
		return outcome.refuse(err, event.place)
	}
	return outcome, nil
}

// refuse makes it the outcome of an event that was refused; an error that is no refusal is returned.
func (o Outcome) refuse(err error, place func(*domain.Refusal) string) (Outcome, error) {
	if errors.Is(err, eventstore.ErrUnknownTenant) {
		err = domain.Refuse(CodeUnknownTenant)
	}
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) {
		return Outcome{}, fmt.Errorf("ingest: %w", err)
	}
	o.Status, o.Code, o.Location, o.Args = StatusRefused, refusal.Code, place(refusal), refusal.Args
	if refusal.Code == domain.CodeNotFound && refusal.Location == "association_id" {
		o.Code = CodeUnknownAssociation
	}
	return o, nil
}

func (h *Handler) run(ctx context.Context, a Arrival, event Event) (commands.Done, error) {
	association := strconv.Itoa(a.Association)
	by := commands.By{
		Tenant: a.Tenant, Actor: eventstore.Actor{Kind: "channel", ID: association}, Cause: event.ID, Correlation: a.Correlation,
		OccurredAt: event.Time,
		// No control character is in either, so the two cannot run into each other. There is no Body: source and id say which event it is,
		// whatever else a channel that sends it again makes of the bytes.
		Once: &commands.Once{Route: route, Key: event.Source + "\n" + event.ID, Keep: Keep},
	}
	if by.Correlation == "" {
		by.Correlation = event.ID
	}
	cmd := event.data.command(a.Association)
	done, err := cmd.Run(ctx, h.center, by)
	var refusal *domain.Refusal
	if a.Resent > 0 && done.Repeated && errors.As(err, &refusal) {
		// It was refused the first time, so nothing was done. The repetition has an identity of its own, and is remembered too.
		by.Once.Key += "\nresent " + strconv.Itoa(a.Resent)
		done, err = cmd.Run(ctx, h.center, by)
	}
	return done, err
}

// place is where in the event that is which a command refused. The association is not in the event, so it keeps its name.
func (ev *Event) place(r *domain.Refusal) string {
	if place, known := ev.data.places[r.Location]; known {
		return place
	}
	switch {
	case r.Location == "occurred_at":
		return "time"
	case r.Location == "association_id" || r.Location == "":
		return r.Location
	}
	return "data." + r.Location
}
