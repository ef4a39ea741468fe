package projections

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/customer"
	"customercenter/domain/tag"
)

const customerColumns = `c.id, c.association, c.channel, c.external_id,
	c.nickname, c.name, c.phone, c.qq, c.wechat_id, c.email, c.company, c.description, c.custom,
	c.tags, c.created_at, c.updated_at, c.created_via, c.version, c.ordinal,
	a.open_session, a.first_session_at, a.last_session_at, a.last_message_at, a.last_customer_message_at,
	a.session_count, a.message_count, a.suppressed_count, a.rating_sum, a.rating_count,
	l.reason, l.actor_kind, l.actor, l.since, l.expires_at, l.suppressed`

const customerTables = ` from $.customer c join $.customer_activity a on a.tenant = c.tenant and a.ordinal = c.ordinal
	left join $.customer_listing l on l.tenant = c.tenant and l.ordinal = c.ordinal `

// oneSQL reads a customer; if there is an agent, only one whose session the agent owns or owned.
func oneSQL(schema, tenant, agent string, id uuid.UUID) (string, []any) {
	args := arguments{tenant, id}
	where := "where c.tenant = $1 and c.id = $2"
	if agent != "" {
		where += fmt.Sprintf(" and jsonb_exists(a.agents, %s)", args.bind(agent))
	}
	return in(schema, "select "+customerColumns+customerTables+where), args
}

// pageSQL reads customers by their ordinals, in no order.
func pageSQL(schema, tenant string, ordinals []int64) (string, []any) {
	return in(schema, "select "+customerColumns+customerTables+"where c.tenant = $1 and c.ordinal = any($2)"), []any{tenant, ordinals}
}

// fetch reads whole customers. now is when their places on the blacklist are judged.
func (c *Customers) fetch(ctx context.Context, tenant, sql string, args []any, tags *tag.State, now time.Time) ([]Customer, error) {
	customers, err := readCustomers(ctx, c.pool, sql, args, tags, now)
	if err != nil {
		return nil, err
	}
	return customers, c.complete(ctx, tenant, customers)
}

// readCustomers reads customers without what other read models and the catalogues say of them.
func readCustomers(ctx context.Context, db reader, sql string, args []any, tags *tag.State, now time.Time) ([]Customer, error) {
	rows, err := db.Query(ctx, sql, args...) // planned once: it takes as long as reading a page
	if err != nil {
		return nil, fmt.Errorf("projections: customers: %w", err)
	}
	customers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Customer, error) { return scanCustomer(row, tags, now) })
	if err != nil {
		return nil, fmt.Errorf("projections: customers: %w", err)
	}
	return customers, nil
}

// complete adds to customers what other read models and the catalogues say of them.
func (c *Customers) complete(ctx context.Context, tenant string, customers []Customer) error {
	if err := c.showCustom(ctx, tenant, customers); err != nil {
		return err
	}
	if c.groupsOf == nil || len(customers) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(customers))
	for i := range customers {
		ids[i] = customers[i].ID
	}
	groups, err := c.groupsOf(ctx, tenant, ids)
	if err != nil {
		return err
	}
	for i := range customers {
		if in := groups[customers[i].ID]; in != nil {
			customers[i].Groups = in
		}
	}
	return nil
}

func scanCustomer(row pgx.CollectableRow, tags *tag.State, now time.Time) (Customer, error) {
	var m Customer
	var carried []uuid.UUID
	var last time.Time
	var sum, ratings int
	var l listingColumns
	err := row.Scan(&m.ID, &m.AssociationID, &m.Channel, &m.ExternalID,
		&m.Profile.Nickname, &m.Profile.Name, &m.Profile.Phone, &m.Profile.QQ, &m.Profile.WechatID, &m.Profile.Email, &m.Profile.Company,
		&m.Profile.Description, &m.Profile.Custom,
		&carried, &m.CreatedAt, &m.UpdatedAt, &m.CreatedVia, &m.Version, &m.ordinal,
		&m.OpenSession, &m.FirstSessionAt, &last, &m.LastMessageAt, &m.LastCustomerMessageAt,
		&m.SessionCount, &m.MessageCount, &m.SuppressedCount, &sum, &ratings,
		&l.reason, &l.actorKind, &l.actor, &l.since, &l.expiresAt, &l.suppressed)
	if err != nil {
		return m, err
	}
	m.Tags, m.Groups = make([]Named, 0, len(carried)), []Named{}
	for _, id := range carried {
		if name, known := tags.Names[id]; known { // a tag that was deleted is off everybody's view
			m.Tags = append(m.Tags, Named{id, name})
		}
	}
	m.SessionOpen = m.OpenSession != nil
	m.CreatedAt, m.UpdatedAt = m.CreatedAt.UTC(), m.UpdatedAt.UTC()
	m.FirstSessionAt, m.LastMessageAt, m.LastCustomerMessageAt = utc(m.FirstSessionAt), utc(m.LastMessageAt), utc(m.LastCustomerMessageAt)
	if !last.IsZero() {
		m.LastSessionAt = utc(&last)
	}
	if ratings > 0 {
		average := math.Round(float64(sum)/float64(ratings)*100) / 100
		m.RatingAvg = &average
	}
	m.Listing = l.listing(now)
	m.Blacklisted = m.Listing != nil
	return m, nil
}

// listingColumns are the columns of a place on the blacklist, all null if there is none.
type listingColumns struct {
	reason, actorKind, actor *string
	since, expiresAt         *time.Time
	suppressed               *int
}

// listing is nil if there is none, or if it has expired.
func (l *listingColumns) listing(now time.Time) *Listing {
	if l.since == nil {
		return nil
	}
	place := customer.Listing{Since: *l.since}
	if l.expiresAt != nil {
		place.ExpiresAt = *l.expiresAt
	}
	if !place.Counts(now) {
		return nil
	}
	return &Listing{
		Reason: *l.reason, Actor: Actor{Kind: *l.actorKind, ID: *l.actor, Name: *l.actor}, Since: l.since.UTC(), ExpiresAt: utc(l.expiresAt),
		SuppressedMessages: *l.suppressed,
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
