package automessage

import (
	"encoding/json"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Event is one of the facts about auto messages that are decided on the catalogue's stream.
type Event interface {
	domain.Event
	autoMessageEvent()
}

// Defined adds an auto message. Nobody gets it before it is started.
type Defined struct {
	AutoMessage uuid.UUID `json:"auto_message"`
	Name        string    `json:"name"`
	Text        string    `json:"text"`
	Audience    Audience  `json:"audience"`
	Rate        int       `json:"rate"` // messages per minute
}

// Changed says what an auto message is from now on. Text and audience are those it had, once it was started.
type Changed struct {
	AutoMessage uuid.UUID `json:"auto_message"`
	Name        string    `json:"name"`
	Text        string    `json:"text"`
	Audience    Audience  `json:"audience"`
	Rate        int       `json:"rate"`
}

// Started begins to send: to whoever belongs to the audience and has not got it yet, until it is stopped.
type Started struct {
	AutoMessage uuid.UUID `json:"auto_message"`
}

// Stopped ends that. It may be started again; who has got it stays out.
type Stopped struct {
	AutoMessage uuid.UUID `json:"auto_message"`
}

// Deleted takes an auto message out of the catalogue. What was sent stays in the log. Its id never comes back.
type Deleted struct {
	AutoMessage uuid.UUID `json:"auto_message"`
}

// Audience says who gets an auto message by itself: who matches the filter, or who is in one of the groups. With neither it is those
// alone who were put on its list, and those get it in any case.
type Audience struct {
	// Filter is in its canonical form.
	Filter json.RawMessage `json:"filter,omitempty"`
	Groups []uuid.UUID     `json:"groups,omitempty"`
}

func (Defined) EventType() string { return "auto_message.defined" }
func (Changed) EventType() string { return "auto_message.changed" }
func (Started) EventType() string { return "auto_message.started" }
func (Stopped) EventType() string { return "auto_message.stopped" }
func (Deleted) EventType() string { return "auto_message.deleted" }

func (Defined) autoMessageEvent() {}
func (Changed) autoMessageEvent() {}
func (Started) autoMessageEvent() {}
func (Stopped) autoMessageEvent() {}
func (Deleted) autoMessageEvent() {}

// ListEvent is what happens on the stream of an auto message's list.
type ListEvent interface {
	domain.Event
	listEvent()
}

// RecipientsAdded puts customers on the list of an auto message.
type RecipientsAdded struct {
	AutoMessage uuid.UUID   `json:"auto_message"`
	Customers   []uuid.UUID `json:"customers"`
}

func (RecipientsAdded) EventType() string { return "auto_message.recipients_added" }
func (RecipientsAdded) listEvent()        {}

// RecipientEvent is one of the facts about one customer and one auto message, on a stream of their own.
type RecipientEvent interface {
	domain.Event
	recipientEvent()
}

// Sent says that the customer gets the message now: that it is handed to the channel follows from this. It is the first event of its
// stream, and there is one stream for each auto message and life of a customer, so it happens once.
type Sent struct {
	AutoMessage uuid.UUID `json:"auto_message"`
	Customer    uuid.UUID `json:"customer"`
	Association int       `json:"association"`
}

// Withheld says that the message was not handed to the channel after all, because of what happened since it was sent.
type Withheld struct {
	AutoMessage uuid.UUID `json:"auto_message"`
	Code        string    `json:"code"` // NOT_FOUND if the customer is no more, CUSTOMER_BLACKLISTED, ASSOCIATION_GONE
}

// Delivered says that the channel reported the message to have arrived.
type Delivered struct {
	AutoMessage uuid.UUID `json:"auto_message"`
}

// Read says that the channel reported the message to have been read.
type Read struct {
	AutoMessage uuid.UUID `json:"auto_message"`
}

// Replied says that the customer wrote for the first time since, and soon enough for it to count as a reply.
type Replied struct {
	AutoMessage uuid.UUID `json:"auto_message"`
}

func (Sent) EventType() string      { return "auto_message.sent" }
func (Withheld) EventType() string  { return "auto_message.withheld" }
func (Delivered) EventType() string { return "auto_message.delivered" }
func (Read) EventType() string      { return "auto_message.read" }
func (Replied) EventType() string   { return "auto_message.replied" }

func (Sent) recipientEvent()      {}
func (Withheld) recipientEvent()  {}
func (Delivered) recipientEvent() {}
func (Read) recipientEvent()      {}
func (Replied) recipientEvent()   {}
