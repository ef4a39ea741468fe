package automessage

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
)

// ReplyWindow is for how long after an auto message a customer's first message counts as a reply to it. Longer than that, and most who
// write would have written anyway.
const ReplyWindow = 7 * 24 * time.Hour

// Reaches reports whether auto messages go out through a channel. The others let a company write only to who has written lately, or not
// at all.
func Reaches(channel string) bool {
	return channel == domain.ChannelApp || channel == domain.ChannelWeb
}

// Reached is the filter of those whom an auto message reaches at all: to be joined with that of its audience.
func Reached() *filter.Filter {
	f, err := filter.Parse([]byte(`{"all":[{"field":"channel","op":"in","value":["app","web"]},{"field":"blacklisted","op":"is","value":false}]}`),
		&filter.Language{}, "reached")
	if err != nil {
		panic(err) // a mistake in this function
	}
	return f
}

// RecipientID is the id of a recipient, and of the message as the channel gets it: the same whoever makes it, and another for each life
// of a customer who was erased and came back.
func RecipientID(autoMessage, customer uuid.UUID, generation int) uuid.UUID {
	return uuid.NewSHA1(autoMessage, append(customer[:], strconv.Itoa(generation)...))
}

// RecipientStream is the name of a recipient's stream.
func RecipientStream(id uuid.UUID) string { return recipientPrefix + id.String() }

const recipientPrefix = "recipient-"

// RecipientOf is the recipient whose stream that is; false if it is another stream.
func RecipientOf(stream string) (uuid.UUID, bool) {
	if len(stream) != len(recipientPrefix)+36 || stream[:len(recipientPrefix)] != recipientPrefix {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(stream[len(recipientPrefix):])
	return id, err == nil
}

// Recipient is what became of an auto message with one customer. Its zero value is one to whom it was not sent.
type Recipient struct {
	AutoMessage uuid.UUID
	Customer    uuid.UUID
	Association int
	SentAt      time.Time // zero: it was not
	Withheld    bool
	Delivered   bool
	Read        bool
	Replied     bool
}

// WasSent reports whether the customer got it, or was to get it.
func (r *Recipient) WasSent() bool { return !r.SentAt.IsZero() }

// Clone returns a copy that shares nothing that Apply changes.
func (r *Recipient) Clone() Recipient { return *r }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when it happened.
func (r *Recipient) Apply(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case Sent:
		*r = Recipient{AutoMessage: e.AutoMessage, Customer: e.Customer, Association: e.Association, SentAt: at}
	case Withheld:
		r.Withheld = true
	case Delivered:
		r.Delivered, r.Withheld = true, false // it went out after all
	case Read:
		r.Read, r.Withheld = true, false
	case Replied:
		r.Replied = true
	}
}

// Send decides that the customer gets the auto message. To whom it was sent nothing is sent again.
func (r *Recipient) Send(autoMessage, customer uuid.UUID, association int) []RecipientEvent {
	if r.WasSent() {
		return nil
	}
	return []RecipientEvent{Sent{AutoMessage: autoMessage, Customer: customer, Association: association}}
}

// Withhold says, with a code, why the channel does not get what was sent. It does not take back what the channel has reported on.
func (r *Recipient) Withhold(code string) []RecipientEvent {
	if !r.WasSent() || r.Withheld || r.Delivered || r.Read {
		return nil
	}
	return []RecipientEvent{Withheld{AutoMessage: r.AutoMessage, Code: code}}
}

// Deliver records the channel's report that the message arrived: the first one, before or after that of its having been read.
func (r *Recipient) Deliver() []RecipientEvent {
	if !r.WasSent() || r.Delivered {
		return nil
	}
	return []RecipientEvent{Delivered{AutoMessage: r.AutoMessage}}
}

// BeRead records the channel's first report that the message was read.
func (r *Recipient) BeRead() []RecipientEvent {
	if !r.WasSent() || r.Read {
		return nil
	}
	return []RecipientEvent{Read{AutoMessage: r.AutoMessage}}
}

// Reply records that the customer wrote at an instant, if that is the first time after the message, within ReplyWindow.
func (r *Recipient) Reply(at time.Time) []RecipientEvent {
	if !r.WasSent() || r.Withheld || r.Replied || !at.After(r.SentAt) || at.After(r.SentAt.Add(ReplyWindow)) {
		return nil
	}
	return []RecipientEvent{Replied{AutoMessage: r.AutoMessage}}
}
