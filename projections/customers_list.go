package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	// Version is that of the last change of profile or tags.
	Version int64 `json:"version"`

	MessageCount  int        `json:"message_count"`
	LastMessageAt *time.Time `json:"last_message_at"`
	OpenSession   *uuid.UUID `json:"open_session_id,omitempty"`

	ordinal int64
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
}

// NewCustomers returns the queries over the build that builds says is live.
func NewCustomers(store *eventstore.Store, builds Builds, catalogues *Catalogues) *Customers {
	return &Customers{pool: store.Pool(), builds: builds, catalogues: catalogues}
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
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return Customer{}, err
	}
	found, err := c.fetch(ctx, build.Schema, tenant, []uuid.UUID{id})
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
	w := &walk{ctx: ctx, pool: c.pool, schema: build.Schema, tenant: tenant, q: q}
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
	if page.Items, err = c.fetch(ctx, build.Schema, tenant, ids); err != nil {
		return Page{}, err
	}
	slices.SortFunc(page.Items, func(a, b Customer) int { return place[a.ID] - place[b.ID] })
	return page, nil
}

// fetch reads whole customers, in no order.
func (c *Customers) fetch(ctx context.Context, schema, tenant string, ids []uuid.UUID) ([]Customer, error) {
	tags, _, err := c.catalogues.Tags(ctx, tenant)
	if err != nil {
		return nil, err
	}
	rows, err := c.pool.Query(ctx, in(schema, `select c.id, c.association, c.channel, c.external_id,
			c.nickname, c.name, c.phone, c.qq, c.wechat_id, c.email, c.company, c.description, c.custom,
			c.tags, c.created_at, c.updated_at, c.created_via, c.version, c.ordinal,
			a.open_session, a.first_session_at, a.last_session_at, a.last_message_at, a.session_count, a.message_count, a.rating_sum, a.rating_count
		from $.customer c join $.customer_activity a on a.tenant = c.tenant and a.id = c.id
		where c.tenant = $1 and c.id = any($2)`), tenant, ids)
	if err != nil {
		return nil, fmt.Errorf("projections: customers: %w", err)
	}
	customers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Customer, error) {
		var m Customer
		var carried []uuid.UUID
		var last time.Time
		var sum, ratings int
		err := row.Scan(&m.ID, &m.AssociationID, &m.Channel, &m.ExternalID,
			&m.Profile.Nickname, &m.Profile.Name, &m.Profile.Phone, &m.Profile.QQ, &m.Profile.WechatID, &m.Profile.Email, &m.Profile.Company,
			&m.Profile.Description, &m.Profile.Custom,
			&carried, &m.CreatedAt, &m.UpdatedAt, &m.CreatedVia, &m.Version, &m.ordinal,
			&m.OpenSession, &m.FirstSessionAt, &last, &m.LastMessageAt, &m.SessionCount, &m.MessageCount, &sum, &ratings)
		m.Tags, m.Groups = make([]Named, 0, len(carried)), []Named{}
		for _, id := range carried {
			if name, known := tags.Names[id]; known { // a tag that was deleted is off everybody's view
				m.Tags = append(m.Tags, Named{id, name})
			}
		}
		m.SessionOpen = m.OpenSession != nil
		m.CreatedAt, m.UpdatedAt = m.CreatedAt.UTC(), m.UpdatedAt.UTC()
		m.FirstSessionAt, m.LastMessageAt = utc(m.FirstSessionAt), utc(m.LastMessageAt)
		if !last.IsZero() {
			m.LastSessionAt = utc(&last)
		}
		if ratings > 0 {
			average := math.Round(float64(sum)/float64(ratings)*100) / 100
			m.RatingAvg = &average
		}
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("projections: customers: %w", err)
	}
	return customers, nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
