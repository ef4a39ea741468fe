package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/association"
	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
	"customercenter/projections/projector"
)

// ListQuery is what to list. Its zero value is everybody, newest first.
type ListQuery struct {
	Filter   *filter.Filter // nil: everybody
	Calendar filter.Calendar
	// At is the instant as of which the filter is judged; zero is now. A cursor carries that of the first page.
	At time.Time
	// ServedBy is an agent who owns or owned a session of the customer; empty: no condition.
	ServedBy string
	// Entering is a group: who matches and is not in it now. Leaving is one, too: who is in it now and does not match.
	Entering, Leaving uuid.UUID
	Sort              string   // empty: SortCreatedDesc
	Limit             int      // 1 to 200; 0 is 50
	Cursor            string   // Next or Prev of another page with the same query
	Facets            []string // what to count by
}

// root is the tree of the query.
func (q *ListQuery) root() filter.Node {
	var root filter.Node = filter.All{}
	if q.Filter != nil && q.Filter.Root() != nil {
		root = q.Filter.Root()
	}
	in := func(op filter.Op, id uuid.UUID) filter.Node {
		return &filter.Condition{Field: "groups", Kind: filter.Set, Op: op, IDs: []uuid.UUID{id}}
	}
	switch {
	case q.Entering != uuid.Nil:
		return filter.All{root, in(filter.HasNone, q.Entering)}
	case q.Leaving != uuid.Nil:
		return filter.All{in(filter.HasAny, q.Leaving), filter.Not{Node: root}}
	}
	return root
}

// Page is one page of the customer list.
type Page struct {
	Items []Customer `json:"items"`
	// Next and Prev are cursors; empty if there is no such page. Next of a partial page goes on where the search stopped.
	Next  string `json:"next,omitempty"`
	Prev  string `json:"prev,omitempty"`
	Count Count  `json:"count"`
	// Facets are, by facet and value, how many of all pages have it; values that nobody has are absent. It is nil if none was asked for, or
	// if the answer is not known without looking at more customers than a page may cost.
	Facets map[string]map[string]int64 `json:"facets,omitempty"`
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
	pool       database
	builds     Builds
	catalogues *Catalogues
	now        func() time.Time
	past       *projector.Moment // see AsOf; nil: now
	groups     groupSets
	groupsOf   groupsOf
	memory     *setMemory
	patience   time.Duration // how long a page is searched for
	together   time.Duration // see togetherFor
}

// groupSets finds the build of groups that is served, before a snapshot is taken.
type groupSets func(ctx context.Context) (groupFacets, error)

// groupFacets tells in which schema the sets of groups' members are (table group_bits, key facet), and which facet has a group's members
// as db sees them. No ids: of all groups. A group that is absent from the answer has no members.
type groupFacets func(ctx context.Context, db reader, tenant string, ids []uuid.UUID) (schema string, facets map[uuid.UUID]int64, err error)

// groupsOf tells in which groups customers are now.
type groupsOf func(ctx context.Context, tenant string, customers []uuid.UUID) (map[uuid.UUID][]Named, error)

// NewCustomers returns the queries over the build that builds says is live. Without groups, see WithGroups, nobody is in one.
func NewCustomers(store *eventstore.Store, builds Builds, catalogues *Catalogues) *Customers {
	return &Customers{pool: store.DB(), builds: builds, catalogues: catalogues, now: time.Now, memory: newSetMemory(setMemorySize), patience: walkBudget, together: togetherFor}
}

// WithMemory returns the same queries with a memory of their own for sets, of about so many bytes.
func (c *Customers) WithMemory(most int64) *Customers {
	other := *c
	other.memory = newSetMemory(most)
	return &other
}

// WithClock returns the same queries with another clock, by which they judge what is asked for as of now.
func (c *Customers) WithClock(now func() time.Time) *Customers {
	other := *c
	other.now = now
	return &other
}

// withGroups returns the same queries with those of the read model of groups.
func (c *Customers) withGroups(sets groupSets, of groupsOf) *Customers {
	other := *c
	other.groups, other.groupsOf = sets, of
	return &other
}

var (
	// ErrNotFound says that there is no such customer, or session.
	ErrNotFound = errors.New("projections: not found")
	// ErrSort says that a list has no such order.
	ErrSort = errors.New("projections: the list has no such order")
	// ErrFacet says that a list cannot be counted by that.
	ErrFacet = errors.New("projections: the list has no such facet")
)

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
	countBound   = 1000 // up to here the list is counted where sets do not decide
)

// setMemorySize is how much of the sets is kept in memory, in bytes: those of some five million customers.
const setMemorySize = 256 << 20

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
	tags, _, err := c.catalogues.Tags(ctx, tenant)
	if err != nil {
		return Customer{}, err
	}
	sql, args := oneSQL(build.Schema, tenant, agent, id)
	rows, err := c.pool.QueryByIndex(ctx, sql, args...)
	found, err := readCustomers(rows, err, &tags, c.now())
	switch {
	case err != nil:
		return Customer{}, err
	case len(found) == 0:
		return Customer{}, ErrNotFound
	}
	if err := c.complete(ctx, tenant, found); err != nil {
		return Customer{}, err
	}
	return found[0], nil
}

// List returns one page. ErrCursor, ErrSort, ErrFacet.
//
// What sets decide is answered and counted exactly. What has to be looked up customer by customer is searched for 200 ms; what was
// found by then is the answer, marked as partial.
func (c *Customers) List(ctx context.Context, tenant string, q ListQuery) (Page, error) {
	l := listing{query: &q, until: spend(c.patience)}
	var err error
	if l.order, err = c.order(ctx, tenant, q.Sort); err != nil {
		return Page{}, err
	}
	if l.from, l.given, err = parseCursor(q.Cursor, l.order.name); err != nil {
		return Page{}, err
	}
	for _, name := range q.Facets {
		if !slices.Contains(Facets(), name) {
			return Page{}, ErrFacet
		}
	}
	if l.given && !l.from.of(c.past) {
		return Page{}, ErrCursor
	}
	l.past = c.past
	if !l.from.Judged.IsZero() {
		q.At = l.from.Judged
	}
	q.Limit = limit(q.Limit)
	var associations association.State
	if len(q.Facets) > 0 {
		if associations, _, err = c.catalogues.Associations(ctx, tenant); err != nil {
			return Page{}, err
		}
	}
	var page Page
	err = c.ask(ctx, tenant, &l, func() (err error) {
		if page, err = l.page(); err != nil {
			return err
		}
		if len(q.Facets) > 0 && l.known {
			if page.Facets, err = l.answer.facets(&l.question, q.Facets, &associations); err != nil {
				return err
			}
		}
		page.Items, err = l.items()
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return page, c.complete(ctx, tenant, page.Items)
}

// ask plans what is asked for and has do find the answer. do uses no connection but the answer's.
func (c *Customers) ask(ctx context.Context, tenant string, l *listing, do func() error) error {
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return err
	}
	if l.tags, _, err = c.catalogues.Tags(ctx, tenant); err != nil {
		return err
	}
	at := l.query.At
	if at.IsZero() {
		at = c.now()
	}
	l.question = question{
		root: l.query.root(), agent: l.query.ServedBy, at: micros(at), cal: l.query.Calendar, tags: &l.tags,
		flags: slices.DeleteFunc(slices.Clone(l.query.Facets), func(name string) bool { return !isFlag(name) }),
	}
	if c.groups != nil && (l.grouped || slices.Contains(l.query.Facets, FacetGroups) || readsGroups(l.question.root)) {
		if l.question.groups, err = c.groups(ctx); err != nil {
			return err
		}
	}
	// All is read as of one instant: the sets and who is looked up, the page and its count, and which set has the members of a group.
	memory := c.memory
	if !tenancy.Allows(ctx, tenant) { // it would be told that there are no sets any more, and forget what it has
		memory = newSetMemory(0)
	}
	err = pgx.BeginTxFunc(ctx, c.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if l.together && l.question.groups != nil {
			if err := together(ctx, tx, tenant, build.Schema, l.question.groups); err != nil {
				return err
			}
		}
		if l.answer, err = newAnswer(ctx, newSight(memory, tx, tenant), build.Schema, &l.question); err != nil {
			return err
		}
		return do()
	})
	if err != nil {
		return fmt.Errorf("projections: customers: %w", err)
	}
	return nil
}

// readsGroups reports whether a filter asks who is in a group.
func readsGroups(n filter.Node) bool {
	switch n := n.(type) {
	case filter.All:
		return slices.ContainsFunc(n, readsGroups)
	case filter.Any:
		return slices.ContainsFunc(n, readsGroups)
	case filter.Not:
		return readsGroups(n.Node)
	case *filter.Condition:
		return n.Field == "groups"
	}
	return false
}

// items reads the customers of the page.
func (l *listing) items() ([]Customer, error) {
	if len(l.places) == 0 {
		return []Customer{}, nil
	}
	ordinals := make([]int64, len(l.places))
	at := make(map[int64]int, len(l.places))
	for i, p := range l.places {
		ordinals[i], at[p.ordinal] = p.ordinal, i
	}
	a := l.answer
	sql, args := pageSQL(a.schema, a.tenant, ordinals)
	rows, err := a.db.Query(a.ctx, sql, args...) // planned once: it takes as long as reading a page
	items, err := readCustomers(rows, err, &l.tags, l.question.at)
	slices.SortFunc(items, func(a, b Customer) int { return at[a.ordinal] - at[b.ordinal] })
	return items, err
}
