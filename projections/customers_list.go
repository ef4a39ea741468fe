package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/domain/text"
	"customercenter/eventstore"
)

// Orders of the customer list. Ties are broken by the order of creation.
const (
	SortCreated         = "created_at"
	SortCreatedDesc     = "-created_at" // the default
	SortLastSession     = "last_session_at"
	SortLastSessionDesc = "-last_session_at"
)

// ListQuery is what to list. Its zero value is everybody, newest first.
type ListQuery struct {
	// From and To bound created_at, half-open; zero is no bound.
	From, To time.Time
	// Tags: has any of them. A tag that left the catalogue matches nobody. Nil: no condition; empty: nobody.
	Tags []uuid.UUID
	// Channels: any of them. Nil: no condition; empty: nobody.
	Channels []string
	// ServedBy is an agent who owns or owned a session of the customer; empty: no condition.
	ServedBy string
	// Blacklisted, now; SessionOpen: has an unfinished session; EverServed: some agent owns or owned a session. Nil: no condition.
	Blacklisted, SessionOpen, EverServed *bool
	// Name is part of the nickname or of the name, ID part of the external id; case and width do not matter. Empty: no condition.
	Name, ID string
	Sort     string // empty: SortCreatedDesc
	Limit    int    // 1 to 200; 0 is 50
	Cursor   string // Next or Prev of another page with the same query
}

// Page is one page of the customer list.
type Page struct {
	Items []Customer `json:"items"`
	// Next and Prev are cursors; empty if there is no such page. Next of a partial page goes on where the search stopped.
	Next  string `json:"next,omitempty"`
	Prev  string `json:"prev,omitempty"`
	Count Count  `json:"count"`
	// Partial says that the search ran out of its budget before the page was full.
	Partial bool `json:"partial,omitempty"`
}

// Customer is a customer as the API shows it.
type Customer struct {
	ID             uuid.UUID       `json:"id"`
	AssociationID  int             `json:"association_id"`
	Channel        string          `json:"channel"`
	ExternalID     string          `json:"external_id"`
	Profile        CustomerProfile `json:"profile"`
	Tags           []Named         `json:"tags"`
	Groups         []Named         `json:"groups"`
	Blacklisted    bool            `json:"blacklisted"`
	SessionOpen    bool            `json:"session_open"`
	CreatedAt      time.Time       `json:"created_at"`
	UpdatedAt      time.Time       `json:"updated_at"`
	CreatedVia     string          `json:"created_via"`
	FirstSessionAt *time.Time      `json:"first_session_at"`
	LastSessionAt  *time.Time      `json:"last_session_at"`
	SessionCount   int             `json:"session_count"`
	RatingAvg      *float64        `json:"rating_avg"`
	// Version is that of the last change of profile, tags or blacklist.
	Version int64 `json:"version"`

	MessageCount  int        `json:"message_count"`
	LastMessageAt *time.Time `json:"last_message_at"`
	// LastCustomerMessageAt is when the customer last wrote, what came after a session's end or was suppressed included.
	LastCustomerMessageAt *time.Time `json:"last_customer_message_at"`
	// SuppressedCount are the messages that were suppressed, in all listings.
	SuppressedCount int        `json:"suppressed_count"`
	OpenSession     *uuid.UUID `json:"open_session_id,omitempty"`
	Listing         *Listing   `json:"blacklist,omitempty"` // nil: not blacklisted
	// Callback is set where one customer is shown.
	Callback *Callback `json:"callback,omitempty"`

	ordinal int64
}

// Listing is a customer's place on the blacklist.
type Listing struct {
	Reason    string     `json:"reason"`
	Actor     Actor      `json:"actor"`
	Since     time.Time  `json:"since"`
	ExpiresAt *time.Time `json:"expires_at"` // nil: never
	// SuppressedMessages are those since then.
	SuppressedMessages int `json:"suppressed_messages"`
}

// Actor is who did something. There are no names yet: it is the id again.
type Actor struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Callback says whether an agent may open a session towards the customer.
type Callback struct {
	Allowed bool `json:"allowed"`
	// Code says why not; SessionID is the unfinished session, with SESSION_OPEN.
	Code      string     `json:"code,omitempty"`
	SessionID *uuid.UUID `json:"session_id,omitempty"`
	// WindowEndsAt is until when the channel takes messages to the customer; nil: it has no such bound, or the customer never wrote.
	WindowEndsAt *time.Time `json:"window_ends_at,omitempty"`
}

// CustomerProfile are the fields of a customer's profile; empty is not set.
type CustomerProfile struct {
	Nickname    string          `json:"nickname"`
	Name        string          `json:"name"`
	Phone       string          `json:"phone"`
	QQ          string          `json:"qq"`
	WechatID    string          `json:"wechat_id"`
	Email       string          `json:"email"`
	Company     string          `json:"company"`
	Description string          `json:"description"`
	Custom      json.RawMessage `json:"custom"` // an object
}

// Named is an entry of a catalogue by id and name.
type Named struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// Customers asks the read model of customers. It is safe for concurrent use.
type Customers struct {
	pool       *pgxpool.Pool
	builds     Builds
	catalogues *Catalogues
	now        func() time.Time
}

// NewCustomers returns the queries over the build that builds says is live.
func NewCustomers(store *eventstore.Store, builds Builds, catalogues *Catalogues) *Customers {
	return &Customers{pool: store.Pool(), builds: builds, catalogues: catalogues, now: time.Now}
}

// WithClock returns the same queries with another clock, by which places on the blacklist expire.
func (c *Customers) WithClock(now func() time.Time) *Customers {
	other := *c
	other.now = now
	return &other
}

var (
	// ErrNotFound says that there is no such customer, or session.
	ErrNotFound = errors.New("projections: not found")
	// ErrSort says that a list has no such order.
	ErrSort = errors.New("projections: the list has no such order")
)

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
	countBound   = 1000 // up to here the list is counted exactly
)

// limit brings a page's size into its bounds.
func limit(n int) int {
	if n == 0 {
		return DefaultLimit
	}
	return min(max(n, 1), MaxLimit)
}

// One returns a customer. ErrNotFound.
func (c *Customers) One(ctx context.Context, tenant string, id uuid.UUID) (Customer, error) {
	return c.OneServedBy(ctx, tenant, "", id)
}

// OneServedBy returns a customer if the agent owns or owned a session of theirs; whoever the agent is if it is empty. ErrNotFound.
func (c *Customers) OneServedBy(ctx context.Context, tenant, agent string, id uuid.UUID) (Customer, error) {
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return Customer{}, err
	}
	found, err := c.fetch(ctx, build.Schema, tenant, agent, []uuid.UUID{id})
	if err != nil {
		return Customer{}, err
	}
	if len(found) == 0 {
		return Customer{}, ErrNotFound
	}
	return found[0], nil
}

// List returns one page. ErrCursor, ErrSort.
//
// The search walks the list in its order and gives up after 200 ms; what it has found by then is the answer, marked as partial. A walk
// of some hundred thousand customers fits into that.
func (c *Customers) List(ctx context.Context, tenant string, q ListQuery) (Page, error) {
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return Page{}, err
	}
	tags, _, err := c.catalogues.Tags(ctx, tenant)
	if err != nil {
		return Page{}, err
	}
	if q.Tags != nil {
		q.Tags = slices.DeleteFunc(slices.Clone(q.Tags), func(id uuid.UUID) bool { return !tags.Known(id) })
	}
	q.Name, q.ID = text.Fold(q.Name), text.Fold(q.ID)
	q.Limit = limit(q.Limit)
	w := &walk{ctx: ctx, pool: c.pool, schema: build.Schema, tenant: tenant, q: q, now: c.now()}
	if err := w.start(); err != nil {
		return Page{}, err
	}
	keys, err := w.page()
	if err != nil {
		return Page{}, fmt.Errorf("projections: list customers: %w", err)
	}
	page := Page{Items: []Customer{}, Partial: w.partial}
	page.Next, page.Prev = w.cursors(keys)
	if page.Count, err = w.count(keys); err != nil {
		return Page{}, fmt.Errorf("projections: count customers: %w", err)
	}
	if len(keys) == 0 {
		return page, nil
	}
	ids := make([]uuid.UUID, len(keys))
	place := make(map[uuid.UUID]int, len(keys))
	for i, k := range keys {
		ids[i], place[k.ID] = k.ID, i
	}
	if page.Items, err = c.fetch(ctx, build.Schema, tenant, q.ServedBy, ids); err != nil {
		return Page{}, err
	}
	slices.SortFunc(page.Items, func(a, b Customer) int { return place[a.ID] - place[b.ID] })
	return page, nil
}
