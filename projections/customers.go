package projections

import (
	_ "embed"
	"errors"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/field"
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
		Name: CustomersName, Version: 6,
		Types: []string{
			"customer.created", "customer.profile_changed", "customer.tagged", "customer.untagged",
			"customer.blacklisted", "customer.unblacklisted", "suppressed.message_recorded", "customer.withdrawn", "customer.erased",
			"customer.session_opened", "customer.session_closed",
			"session.accepted", "session.transferred", "session.message_recorded", "session.rated",
			"field.added",
		},
		Blind:  []string{"session.message_recorded", "session.rated", "suppressed.message_recorded"},
		Tables: tables, Indexes: indexes,
		Aside: []string{"customer_bits_written", "customer_gram_bits_written"},
		New:   newCustomersFold,
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
	NicknameKey     []byte // never nil
}

type customerTextRow struct {
	Ordinal                                                                      int64
	ExternalID, Nickname, Name, Phone, QQ, WechatID, Email, Company, Description string
	Terms                                                                        []int64
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
	RatingScores   int // which were ever given: bit k is score k
	// LastCustomerMessageAt is when the customer last wrote, late and suppressed messages included: the channel counts them too.
	LastCustomerMessageAt *time.Time
	Suppressed            int    // messages, in all listings
	Agents                string // JSON array: who owns or owned a session, in the order in which they first did
	LastAgent             string // who accepted a session, or got one, last
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
	listings   *projector.Rows[uuid.UUID, customerListingRow]
	counters   *projector.Rows[string, counterRow]
	parked     *projector.Rows[int64, customerParkedRow]
	fields     *projector.Rows[string, customFieldRow]
	values     *projector.Rows[uuid.UUID, customerValueRow]
	bits       *projector.Bits // of facets
	grams      *projector.Bits
	order      nicknameOrder
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
			projector.Value("nickname_key", "bytea", func(r *c) *[]byte { return &r.NicknameKey }),
		),
		texts: projector.NewRows("customer_text", "ordinal", "bigint", func(r *x) *int64 { return &r.Ordinal },
			projector.Value("external_id", "text", func(r *x) *string { return &r.ExternalID }),
			projector.Value("nickname", "text", func(r *x) *string { return &r.Nickname }),
			projector.Value("name", "text", func(r *x) *string { return &r.Name }),
			projector.Value("phone", "text", func(r *x) *string { return &r.Phone }),
			projector.Value("qq", "text", func(r *x) *string { return &r.QQ }),
			projector.Value("wechat_id", "text", func(r *x) *string { return &r.WechatID }),
			projector.Value("email", "text", func(r *x) *string { return &r.Email }),
			projector.Value("company", "text", func(r *x) *string { return &r.Company }),
			projector.Value("description", "text", func(r *x) *string { return &r.Description }),
			projector.Bigints("terms", func(r *x) *[]int64 { return &r.Terms }),
		).Emptying("customer_text_terms"),
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
			projector.Value("rating_scores", "int", func(r *a) *int { return &r.RatingScores }),
			projector.Value("last_customer_message_at", "timestamptz", func(r *a) **time.Time { return &r.LastCustomerMessageAt }),
			projector.Value("suppressed_count", "int", func(r *a) *int { return &r.Suppressed }),
			projector.JSON("agents", func(r *a) *string { return &r.Agents }),
			projector.Value("last_agent", "text", func(r *a) *string { return &r.LastAgent }),
		),
		listings: newCustomerListings(),
		counters: projector.NewRows("counter", "name", "text", func(r *counterRow) *string { return &r.Name },
			projector.Value("value", "bigint", func(r *counterRow) *int64 { return &r.Value })),
		parked: projector.NewRows("customer_parked", "position", "bigint", func(r *customerParkedRow) *int64 { return &r.Position },
			projector.Value("customer", "uuid", func(r *customerParkedRow) *uuid.UUID { return &r.Customer }),
			projector.Value("ordinal", "bigint", func(r *customerParkedRow) *int64 { return &r.Ordinal })),
		fields: newCustomFields(), values: newCustomerValues(),
		bits: projector.NewBits("customer_bits", "facet"), grams: projector.NewBits("customer_gram_bits", "gram"),
		order: newNicknameOrder(),
	}
}

func (f *customersFold) Tables() []projector.Table {
	return []projector.Table{f.customers, f.texts, f.activities, f.listings, f.counters, f.parked, f.fields, f.values, f.bits, f.grams}
}

func (f *customersFold) Touch(e *eventstore.Decoded) {
	switch e.Type {
	case "field.added": // all fields are in memory
	case "customer.created":
		f.counters.Touch(ordinalCounter)
		if created, ok := e.Payload.(customer.Created); !ok || created.Generation <= 1 {
			return // nobody was written under this id before
		}
		f.customers.Touch(e.Customer)
		f.activities.Touch(e.Customer)
	case "customer.withdrawn", "customer.erased":
		f.customers.Touch(e.Customer)
		f.activities.Touch(e.Customer)
	case "customer.profile_changed", "customer.tagged", "customer.untagged", "customer.blacklisted", "customer.unblacklisted":
		f.customers.Touch(e.Customer)
	case "suppressed.message_recorded":
		f.activities.Touch(e.Customer)
		f.listings.Touch(e.Customer)
	case "customer.session_opened":
		f.activities.Touch(e.Customer)
		f.counters.Touch(firstPeriodCounter)
		f.counters.Touch(lastPeriodCounter)
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
	case customer.ProfileChanged:
		return f.profileChanged(e, payload)
	case customer.Tagged, customer.Untagged:
		return f.retagged(e, payload.(customer.Event))
	case customer.Blacklisted:
		return f.listed(e, payload)
	case customer.Unblacklisted:
		return f.lifted(e)
	case customer.Withdrawn:
		return f.withdrawn(e)
	case customer.Erased:
		return f.erased(e)
	case field.Added:
		f.fieldAdded(payload)
		return nil
	}
	return f.happened(e)
}

// ordinal is the place of a customer.created among all of the tenant.
func (f *customersFold) ordinal(e *eventstore.Event) int64 {
	if f.kept != nil {
		return f.kept[e.Position] // an earlier life of the customer is not there: its rows go in the same refold
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

func (f *customersFold) Forget(id uuid.UUID, events []eventstore.Decoded) error {
	f.kept = map[int64]int64{}
	if row, found := f.customers.Peek(id); found {
		f.kept[row.CreatedPosition] = row.Ordinal
		if err := f.end(row); err != nil {
			return err
		}
	}
	for _, e := range events {
		if row, found := f.parked.Peek(e.Position); found {
			f.kept[row.Position] = row.Ordinal
			f.parked.Delete(row.Position)
		}
	}
	return nil
}
