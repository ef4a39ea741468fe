package projections

import (
	_ "embed"
	"errors"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

//go:embed auto_messages.sql
var autoMessagesSQL string

// AutoMessagesName is the name of the read model of who got which auto message.
const AutoMessagesName = "auto_messages"

// AutoMessagesDefinition is the read model of who got which auto message, and of how many did.
func AutoMessagesDefinition() projector.Definition {
	tables, indexes := projector.Sections(autoMessagesSQL)
	return projector.Definition{
		Name: AutoMessagesName, Version: 1,
		Types: []string{
			"auto_message.sent", "auto_message.withheld", "auto_message.delivered", "auto_message.read", "auto_message.replied",
		},
		Tables: tables, Indexes: indexes,
		New: newAutoMessagesFold,
	}
}

type autoMessageRecipientRow struct {
	ID          uuid.UUID
	AutoMessage uuid.UUID
	Customer    uuid.UUID
	Position    int64
	SentAt      time.Time
	DeliveredAt *time.Time
	ReadAt      *time.Time
	RepliedAt   *time.Time
	Code        string
}

type autoMessageCountRow struct {
	AutoMessage uuid.UUID
	AutoMessageCounts
}

// AutoMessageCounts are how many customers an auto message was sent to, and what became of it with how many of them.
type AutoMessageCounts struct {
	Sent      int64 `json:"sent"`
	Delivered int64 `json:"delivered"`
	Read      int64 `json:"read"`
	Replied   int64 `json:"replied"`
	Withheld  int64 `json:"withheld"`
}

// autoMessagesFold is the fold of the read model "auto_messages".
type autoMessagesFold struct {
	recipients *projector.Rows[uuid.UUID, autoMessageRecipientRow]
	counts     *projector.Rows[uuid.UUID, autoMessageCountRow]
}

func newAutoMessagesFold() projector.Fold {
	type r = autoMessageRecipientRow
	type c = autoMessageCountRow
	return &autoMessagesFold{
		recipients: projector.NewRows("auto_message_recipient", "id", "uuid", func(r *r) *uuid.UUID { return &r.ID },
			projector.Value("auto_message", "uuid", func(r *r) *uuid.UUID { return &r.AutoMessage }),
			projector.Value("customer", "uuid", func(r *r) *uuid.UUID { return &r.Customer }),
			projector.Value("position", "bigint", func(r *r) *int64 { return &r.Position }),
			projector.Value("sent_at", "timestamptz", func(r *r) *time.Time { return &r.SentAt }),
			projector.Value("delivered_at", "timestamptz", func(r *r) **time.Time { return &r.DeliveredAt }),
			projector.Value("read_at", "timestamptz", func(r *r) **time.Time { return &r.ReadAt }),
			projector.Value("replied_at", "timestamptz", func(r *r) **time.Time { return &r.RepliedAt }),
			projector.Value("code", "text", func(r *r) *string { return &r.Code })),
		counts: projector.NewRows("auto_message_count", "auto_message", "uuid", func(r *c) *uuid.UUID { return &r.AutoMessage },
			projector.Value("sent", "bigint", func(r *c) *int64 { return &r.Sent }),
			projector.Value("delivered", "bigint", func(r *c) *int64 { return &r.Delivered }),
			projector.Value("read", "bigint", func(r *c) *int64 { return &r.Read }),
			projector.Value("replied", "bigint", func(r *c) *int64 { return &r.Replied }),
			projector.Value("withheld", "bigint", func(r *c) *int64 { return &r.Withheld })),
	}
}

func (f *autoMessagesFold) Tables() []projector.Table {
	return []projector.Table{f.recipients, f.counts}
}

func (f *autoMessagesFold) Touch(e *eventstore.Decoded) {
	id, ok := automessage.RecipientOf(e.Stream)
	if !ok {
		return
	}
	if _, begins := e.Payload.(automessage.Sent); !begins {
		f.recipients.Touch(id)
	}
	switch payload := e.Payload.(type) {
	case automessage.Sent:
		f.counts.Touch(payload.AutoMessage)
	case automessage.Withheld:
		f.counts.Touch(payload.AutoMessage)
	case automessage.Delivered:
		f.counts.Touch(payload.AutoMessage)
	case automessage.Read:
		f.counts.Touch(payload.AutoMessage)
	case automessage.Replied:
		f.counts.Touch(payload.AutoMessage)
	}
}

func (f *autoMessagesFold) Apply(e *eventstore.Decoded) error {
	id, ok := automessage.RecipientOf(e.Stream)
	if !ok {
		return errors.New("not the stream of a recipient")
	}
	at := micros(e.OccurredAt())
	if sent, begins := e.Payload.(automessage.Sent); begins {
		f.recipients.Create(autoMessageRecipientRow{ID: id, AutoMessage: sent.AutoMessage, Customer: sent.Customer, Position: e.Position, SentAt: at})
		f.count(sent.AutoMessage).Sent++
		return nil
	}
	row, found := f.recipients.Edit(id)
	if !found {
		return errors.New("the auto message was never sent")
	}
	counts := f.count(row.AutoMessage)
	switch payload := e.Payload.(type) {
	case automessage.Withheld:
		row.Code = payload.Code
		counts.Sent--
		counts.Withheld++
	case automessage.Delivered:
		row.wentOut(counts)
		row.delivered(counts, at)
	case automessage.Read:
		row.wentOut(counts)
		row.ReadAt = &at
		counts.Read++
		row.delivered(counts, at)
	case automessage.Replied:
		row.RepliedAt = &at
		counts.Replied++
	}
	return nil
}

// wentOut notes that the channel has the message. One that was withheld when it had gone out already, as after a crash, was sent after all.
func (r *autoMessageRecipientRow) wentOut(counts *AutoMessageCounts) {
	if r.Code == "" {
		return
	}
	r.Code = ""
	counts.Withheld--
	counts.Sent++
}

// delivered notes that the message had arrived by an instant. What was read had arrived, whether or not the channel says so.
func (r *autoMessageRecipientRow) delivered(counts *AutoMessageCounts, at time.Time) {
	switch {
	case r.DeliveredAt == nil:
		counts.Delivered++
		r.DeliveredAt = &at
	case at.Before(*r.DeliveredAt):
		r.DeliveredAt = &at
	}
}

// count is the counts of an auto message, to be changed.
func (f *autoMessagesFold) count(autoMessage uuid.UUID) *AutoMessageCounts {
	row, found := f.counts.Edit(autoMessage)
	if !found {
		row = f.counts.Put(autoMessageCountRow{AutoMessage: autoMessage})
	}
	return &row.AutoMessageCounts
}

func (f *autoMessagesFold) Skip(*eventstore.Event) {}

func (f *autoMessagesFold) Recall(_ uuid.UUID, events []eventstore.Decoded) {
	for i := range events {
		f.Touch(&events[i])
		if id, ok := automessage.RecipientOf(events[i].Stream); ok {
			f.recipients.Touch(id)
		}
	}
}

func (f *autoMessagesFold) Forget(_ uuid.UUID, events []eventstore.Decoded) error {
	for _, e := range events {
		id, ok := automessage.RecipientOf(e.Stream)
		if !ok {
			continue
		}
		row, found := f.recipients.Peek(id)
		if !found {
			continue
		}
		counts := f.count(row.AutoMessage)
		counts.Sent -= count(row.Code == "")
		counts.Withheld -= count(row.Code != "")
		counts.Delivered -= count(row.DeliveredAt != nil)
		counts.Read -= count(row.ReadAt != nil)
		counts.Replied -= count(row.RepliedAt != nil)
		f.recipients.Delete(id)
	}
	return nil
}

// count is 1 for what is so.
func count(so bool) int64 {
	if so {
		return 1
	}
	return 0
}
