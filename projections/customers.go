package projections

import (
	_ "embed"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/domain/text"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

//go:embed customers.sql
var customersSQL string

// CustomersName is the name of the read model behind the customer list.
const CustomersName = "customers"

// CustomersDefinition is the read model behind the customer list: who the customers are, and what they have done.
func CustomersDefinition() projector.Definition {
	tables, indexes := projector.Sections(customersSQL)
	return projector.Definition{
		Name: CustomersName, Version: 2,
		Types: []string{
			"customer.created", "customer.profile_changed", "customer.tagged", "customer.untagged",
			"customer.blacklisted", "customer.unblacklisted", "suppressed.message_recorded",
			"customer.session_opened", "customer.session_closed",
			"session.accepted", "session.transferred", "session.message_recorded", "session.rated",
		},
		Blind:  []string{"session.message_recorded", "session.rated", "suppressed.message_recorded"},
		Tables: tables, Indexes: indexes,
		New: newCustomersFold,
	}
}

type customerRow struct {
	ID              uuid.UUID
	Ordinal         int64
	Generation      int
	Association     int
	Channel         string
	ExternalID      string
	Profile         customer.Profile // without Custom
	Custom          string           // JSON object
	Tags            []uuid.UUID
	Via             string
	CreatedAt       time.Time
	UpdatedAt       time.Time
	Version         int64
	CreatedPosition int64
}

type customerTextRow struct {
	Ordinal                    int64
	ExternalID, Nickname, Name string
}

type customerActivityRow struct {
	ID             uuid.UUID
	Ordinal        int64
	OpenSession    *uuid.UUID
	FirstSessionAt *time.Time
	LastSessionAt  time.Time // zero: never
	LastMessageAt  *time.Time
	Sessions       int
	Messages       int
	RatingSum      int
	Ratings        int
	RatingLast     int
	RatingLastAt   *time.Time
	// LastCustomerMessageAt is when the customer last wrote, late and suppressed messages included: the channel counts them too.
	LastCustomerMessageAt *time.Time
	Suppressed            int    // messages, in all listings
	Agents                string // JSON array: who owns or owned a session, in the order in which they first did
}

type counterRow struct {
	Name  string
	Value int64
}

type customerParkedRow struct {
	Position int64
	Customer uuid.UUID
	Ordinal  int64
}

// customersFold is the fold of the read model "customers".
type customersFold struct {
	customers  *projector.Rows[uuid.UUID, customerRow]
	texts      *projector.Rows[int64, customerTextRow]
	activities *projector.Rows[uuid.UUID, customerActivityRow]
	agents     *projector.Rows[uuid.UUID, customerAgentRow]
	listings   *projector.Rows[uuid.UUID, customerListingRow]
	counters   *projector.Rows[string, counterRow]
	parked     *projector.Rows[int64, customerParkedRow]
	// kept are the ordinals, by position of creation, of a customer that is folded anew; nil otherwise.
	kept map[int64]int64
}

const ordinalCounter = "ordinal"

func newCustomersFold() projector.Fold {
	type c = customerRow
	type x = customerTextRow
	type a = customerActivityRow
	return &customersFold{
		customers: projector.NewRows("customer", "id", "uuid", func(r *c) *uuid.UUID { return &r.ID },
			projector.Value("ordinal", "bigint", func(r *c) *int64 { return &r.Ordinal }),
			projector.Value("generation", "int", func(r *c) *int { return &r.Generation }),
			projector.Value("association", "int", func(r *c) *int { return &r.Association }),
			projector.Value("channel", "text", func(r *c) *string { return &r.Channel }),
			projector.Value("external_id", "text", func(r *c) *string { return &r.ExternalID }),
			projector.Value("nickname", "text", func(r *c) *string { return &r.Profile.Nickname }),
			projector.Value("name", "text", func(r *c) *string { return &r.Profile.Name }),
			projector.Value("phone", "text", func(r *c) *string { return &r.Profile.Phone }),
			projector.Value("qq", "text", func(r *c) *string { return &r.Profile.QQ }),
			projector.Value("wechat_id", "text", func(r *c) *string { return &r.Profile.WechatID }),
			projector.Value("email", "text", func(r *c) *string { return &r.Profile.Email }),
			projector.Value("company", "text", func(r *c) *string { return &r.Profile.Company }),
			projector.Value("description", "text", func(r *c) *string { return &r.Profile.Description }),
			projector.JSON("custom", func(r *c) *string { return &r.Custom }),
			projector.UUIDs("tags", func(r *c) *[]uuid.UUID { return &r.Tags }),
			projector.Value("created_via", "text", func(r *c) *string { return &r.Via }),
			projector.Value("created_at", "timestamptz", func(r *c) *time.Time { return &r.CreatedAt }),
			projector.Value("updated_at", "timestamptz", func(r *c) *time.Time { return &r.UpdatedAt }),
			projector.Value("version", "bigint", func(r *c) *int64 { return &r.Version }),
			projector.Value("created_position", "bigint", func(r *c) *int64 { return &r.CreatedPosition }),
		),
		texts: projector.NewRows("customer_text", "ordinal", "bigint", func(r *x) *int64 { return &r.Ordinal },
			projector.Value("external_id", "text", func(r *x) *string { return &r.ExternalID }),
			projector.Value("nickname", "text", func(r *x) *string { return &r.Nickname }),
			projector.Value("name", "text", func(r *x) *string { return &r.Name }),
		),
		activities: projector.NewRows("customer_activity", "id", "uuid", func(r *a) *uuid.UUID { return &r.ID },
			projector.Value("ordinal", "bigint", func(r *a) *int64 { return &r.Ordinal }),
			projector.Value("open_session", "uuid", func(r *a) **uuid.UUID { return &r.OpenSession }),
			projector.Value("first_session_at", "timestamptz", func(r *a) **time.Time { return &r.FirstSessionAt }),
			projector.Value("last_session_at", "timestamptz", func(r *a) *time.Time { return &r.LastSessionAt }),
			projector.Value("last_message_at", "timestamptz", func(r *a) **time.Time { return &r.LastMessageAt }),
			projector.Value("session_count", "int", func(r *a) *int { return &r.Sessions }),
			projector.Value("message_count", "int", func(r *a) *int { return &r.Messages }),
			projector.Value("rating_sum", "int", func(r *a) *int { return &r.RatingSum }),
			projector.Value("rating_count", "int", func(r *a) *int { return &r.Ratings }),
			projector.Value("rating_last", "int", func(r *a) *int { return &r.RatingLast }),
			projector.Value("rating_last_at", "timestamptz", func(r *a) **time.Time { return &r.RatingLastAt }),
			projector.Value("last_customer_message_at", "timestamptz", func(r *a) **time.Time { return &r.LastCustomerMessageAt }),
			projector.Value("suppressed_count", "int", func(r *a) *int { return &r.Suppressed }),
			projector.JSON("agents", func(r *a) *string { return &r.Agents }),
		),
		agents:   newCustomerAgents(),
		listings: newCustomerListings(),
		counters: projector.NewRows("counter", "name", "text", func(r *counterRow) *string { return &r.Name },
			projector.Value("value", "bigint", func(r *counterRow) *int64 { return &r.Value })),
		parked: projector.NewRows("customer_parked", "position", "bigint", func(r *customerParkedRow) *int64 { return &r.Position },
			projector.Value("customer", "uuid", func(r *customerParkedRow) *uuid.UUID { return &r.Customer }),
			projector.Value("ordinal", "bigint", func(r *customerParkedRow) *int64 { return &r.Ordinal })),
	}
}

func (f *customersFold) Tables() []projector.Table {
	return []projector.Table{f.customers, f.texts, f.activities, f.agents, f.listings, f.counters, f.parked}
}

func (f *customersFold) Touch(e *eventstore.Decoded) {
	switch e.Type {
	case "customer.created":
		f.counters.Touch(ordinalCounter)
		if created, ok := e.Payload.(customer.Created); !ok || created.Generation <= 1 {
			return // nobody was written under this id before
		}
		f.customers.Touch(e.Customer)
		f.activities.Touch(e.Customer)
	case "customer.profile_changed", "customer.tagged", "customer.untagged", "customer.blacklisted", "customer.unblacklisted":
		f.customers.Touch(e.Customer)
	case "suppressed.message_recorded":
		f.activities.Touch(e.Customer)
		f.listings.Touch(e.Customer)
	default:
		f.activities.Touch(e.Customer)
	}
}

// errNoCustomer says that something happened to a customer who was never created.
var errNoCustomer = errors.New("there is no such customer")

func (f *customersFold) Apply(e *eventstore.Decoded) error {
	switch payload := e.Payload.(type) {
	case customer.Created:
		return f.created(e, payload)
	case customer.ProfileChanged, customer.Tagged, customer.Untagged:
		return f.changed(e, payload.(customer.Event))
	case customer.Blacklisted:
		return f.listed(e, payload)
	case customer.Unblacklisted:
		return f.lifted(e)
	}
	activity, found := f.activities.Edit(e.Customer)
	if !found {
		return errNoCustomer
	}
	at := micros(e.OccurredAt())
	switch payload := e.Payload.(type) {
	case customer.SessionOpened:
		activity.OpenSession = &payload.Session
		activity.Sessions++
		if activity.FirstSessionAt == nil || at.Before(*activity.FirstSessionAt) {
			activity.FirstSessionAt = &at
		}
		if at.After(activity.LastSessionAt) {
			activity.LastSessionAt = at
		}
	case customer.SessionClosed:
		if open := activity.OpenSession; open != nil && *open == payload.Session {
			activity.OpenSession = nil
		}
		if last := payload.LastCustomerMessageAt; last != nil {
			activity.LastCustomerMessageAt = later(activity.LastCustomerMessageAt, micros(*last))
		}
	case session.Accepted:
		return f.served(activity, payload.Agent)
	case session.Transferred:
		return f.served(activity, payload.To)
	case suppressed.MessageRecorded:
		f.suppressed(activity)
		activity.LastCustomerMessageAt = later(activity.LastCustomerMessageAt, at)
	case session.MessageRecorded:
		activity.Messages++
		activity.LastMessageAt = later(activity.LastMessageAt, at)
		if payload.Sender.Kind == domain.PartyCustomer {
			activity.LastCustomerMessageAt = later(activity.LastCustomerMessageAt, at)
		}
	case session.Rated:
		activity.RatingSum += payload.Score
		activity.Ratings++
		if activity.RatingLastAt == nil || !at.Before(*activity.RatingLastAt) {
			activity.RatingLast, activity.RatingLastAt = payload.Score, &at
		}
	}
	return nil
}

func (f *customersFold) created(e *eventstore.Decoded, c customer.Created) error {
	ordinal := f.ordinal(&e.Event)
	custom := "{}"
	if len(c.Profile.Custom) > 0 {
		b, err := json.Marshal(c.Profile.Custom)
		if err != nil {
			return errors.New("the custom fields cannot be written as JSON")
		}
		custom = string(b)
	}
	c.Profile.Custom = nil
	at := micros(e.RecordedAt)
	row := customerRow{
		ID: e.Customer, Ordinal: ordinal, Generation: c.Generation, Association: c.Association, Channel: c.Channel, ExternalID: c.ExternalID,
		Profile: c.Profile, Custom: custom, Tags: c.Tags, Via: c.Via,
		CreatedAt: at, UpdatedAt: at, Version: e.Version, CreatedPosition: e.Position,
	}
	activity := customerActivityRow{ID: e.Customer, Ordinal: ordinal, Agents: "[]"}
	if former, again := f.customers.Peek(e.Customer); again {
		if err := f.leave(former); err != nil {
			return err
		}
		f.customers.Put(row)
		f.activities.Put(activity)
	} else {
		f.customers.Create(row)
		f.activities.Create(activity)
	}
	f.texts.Create(foldedText(&row)) // an ordinal is given once
	return nil
}

func foldedText(r *customerRow) customerTextRow {
	return customerTextRow{
		Ordinal: r.Ordinal, ExternalID: text.Fold(r.ExternalID), Nickname: text.Fold(r.Profile.Nickname), Name: text.Fold(r.Profile.Name),
	}
}

// changed lets the domain say what a profile or the tags are after a change.
func (f *customersFold) changed(e *eventstore.Decoded, payload customer.Event) error {
	row, found := f.customers.Edit(e.Customer)
	if !found {
		return errNoCustomer
	}
	before := customer.State{Profile: row.Profile, Tags: row.Tags}
	after := before.Clone()
	at := micros(e.RecordedAt)
	after.Apply(payload, at)
	row.Profile, row.Tags, row.UpdatedAt, row.Version = after.Profile, after.Tags, at, e.Version
	if before.Profile.Nickname != after.Profile.Nickname || before.Profile.Name != after.Profile.Name {
		f.texts.Put(foldedText(row))
	}
	return nil
}

// ordinal is the place of a customer.created among all of the tenant.
func (f *customersFold) ordinal(e *eventstore.Event) int64 {
	if f.kept != nil {
		return f.kept[e.Position] // an earlier life of the customer is not there: its row is replaced in the same refold
	}
	counter, found := f.counters.Edit(ordinalCounter)
	if !found {
		counter = f.counters.Create(counterRow{Name: ordinalCounter})
	}
	counter.Value++
	return counter.Value
}

func (f *customersFold) Skip(e *eventstore.Event) {
	if e.Type == "customer.created" {
		f.parked.Put(customerParkedRow{Position: e.Position, Customer: e.Customer, Ordinal: f.ordinal(e)})
	}
}

func (f *customersFold) Recall(id uuid.UUID, events []eventstore.Decoded) {
	f.customers.Touch(id)
	f.activities.Touch(id)
	for _, e := range events {
		if e.Type == "customer.created" {
			f.parked.Touch(e.Position)
		}
	}
}

func (f *customersFold) Forget(id uuid.UUID, events []eventstore.Decoded) {
	f.kept = map[int64]int64{}
	if row, found := f.customers.Peek(id); found {
		f.kept[row.CreatedPosition] = row.Ordinal
		if err := f.leave(row); err != nil {
			panic(err) // what this fold wrote it can read
		}
		f.customers.Delete(id)
		f.activities.Delete(id)
	}
	for _, e := range events {
		if row, found := f.parked.Peek(e.Position); found {
			f.kept[row.Position] = row.Ordinal
			f.parked.Delete(row.Position)
		}
	}
}
