package customer

import (
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts below: the closed set of what can happen on a customer's stream.
type Event interface {
	domain.Event
	customerEvent()
}

// Created begins a customer. Identity never changes afterwards.
type Created struct {
	Association int         `json:"association"`
	Channel     string      `json:"channel"`
	ExternalID  string      `json:"external_id" personal:"true"`
	Profile     Profile     `json:"profile" personal:"true"`
	Tags        []uuid.UUID `json:"tags,omitempty"`
	Via         string      `json:"via"` // inbound, import, api
	Generation  int         `json:"generation"`
	// Import is the import that created the customer; absent if none did.
	Import uuid.UUID `json:"import,omitzero"`
}

// ProfileChanged says which profile fields changed, each with its old and its new value. Custom ones are named "custom.<key>".
type ProfileChanged struct {
	Fields map[string]Change `json:"fields" personal:"true"`
}

// Change is the old and the new value of a profile field; nil means "not set".
type Change struct {
	Old any `json:"old"`
	New any `json:"new"`
}

// Tagged puts a tag on the customer.
type Tagged struct {
	Tag uuid.UUID `json:"tag"`
}

// Untagged takes a tag off the customer.
type Untagged struct {
	Tag uuid.UUID `json:"tag"`
}

// SessionOpened marks that the customer has an unfinished session.
type SessionOpened struct {
	Session   uuid.UUID `json:"session"`
	Initiator string    `json:"initiator"` // customer, agent
}

// SessionClosed marks that the session has ended, closed or aborted.
type SessionClosed struct {
	Session uuid.UUID `json:"session"`
	Aborted bool      `json:"aborted,omitempty"`
	// LastCustomerMessageAt is when the customer last wrote in it; nil if never.
	LastCustomerMessageAt *time.Time `json:"last_customer_message_at,omitempty"`
}

// Blacklisted puts the customer on the blacklist: messages are suppressed, and none opens a session.
type Blacklisted struct {
	Reason string `json:"reason" personal:"true"` // 1 to 150 characters
	// ExpiresAt is when the listing ends by itself; nil for never.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Unblacklisted takes the customer off the blacklist.
type Unblacklisted struct {
	Cause string `json:"cause"` // manual, expired
}

// Withdrawn ends being a customer: the import that had created this one is reverted. Created may follow, in the next generation.
type Withdrawn struct {
	Import uuid.UUID `json:"import"`
}

// Erased ends being a customer, and all that is known of the person: the keys of all lives up to this generation are destroyed in the append that
// writes it. Created may follow, in the next generation.
type Erased struct {
	Generation int `json:"generation"`
}

// Disclosed says that somebody was given all that is known of the person. It changes nothing.
type Disclosed struct{}

func (Created) EventType() string        { return "customer.created" }
func (ProfileChanged) EventType() string { return "customer.profile_changed" }
func (Tagged) EventType() string         { return "customer.tagged" }
func (Untagged) EventType() string       { return "customer.untagged" }
func (SessionOpened) EventType() string  { return "customer.session_opened" }
func (SessionClosed) EventType() string  { return "customer.session_closed" }
func (Blacklisted) EventType() string    { return "customer.blacklisted" }
func (Unblacklisted) EventType() string  { return "customer.unblacklisted" }
func (Withdrawn) EventType() string      { return "customer.withdrawn" }
func (Erased) EventType() string         { return "customer.erased" }
func (Disclosed) EventType() string      { return "customer.disclosed" }

// DestroysKeys tells the event store which keys go with the event.
func (e Erased) DestroysKeys() (generation int) { return e.Generation }

func (Created) customerEvent()        {}
func (ProfileChanged) customerEvent() {}
func (Tagged) customerEvent()         {}
func (Untagged) customerEvent()       {}
func (SessionOpened) customerEvent()  {}
func (SessionClosed) customerEvent()  {}
func (Blacklisted) customerEvent()    {}
func (Unblacklisted) customerEvent()  {}
func (Withdrawn) customerEvent()      {}
func (Erased) customerEvent()         {}
func (Disclosed) customerEvent()      {}

// Profile is what is known about the person besides the identity. Empty strings are "not set".
type Profile struct {
	Nickname    string `json:"nickname,omitempty"`
	Name        string `json:"name,omitempty"`
	Phone       string `json:"phone,omitempty"`
	QQ          string `json:"qq,omitempty"`
	WechatID    string `json:"wechat_id,omitempty"`
	Email       string `json:"email,omitempty"`
	Company     string `json:"company,omitempty"`
	Description string `json:"description,omitempty"`
	// Custom are the values of custom fields, by key, as field.State's method Normalize makes them; those not set are absent.
	Custom map[string]any `json:"custom,omitempty"`
}
