package projections

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/customer"
	"customercenter/domain/tag"
)

// What is read of a customer, in the order of scanCustomer.
const (
	ofCustomer = `id, association, channel, external_id, nickname, name, phone, qq, wechat_id, email, company, description, custom, tags, created_at, updated_at, created_via, version, ordinal`
	ofActivity = `open_session, first_session_at, last_session_at, last_message_at, last_customer_message_at, session_count, message_count, suppressed_count, rating_sum, rating_count`
	ofListing  = `reason, actor_kind, actor, since, expires_at, suppressed`
)

// wholeSQL reads the customers whose ordinals k has. Each row is looked up behind a fence by the index that has the order, see tenancy.ByIndex.
func wholeSQL(k string) string {
	const at = `where tenant = $1 and ordinal >= k.ordinal and ordinal <= k.ordinal order by ordinal offset 0`
	return `select ` + columnsOf("c", ofCustomer) + `, ` + columnsOf("a", ofActivity) + `, ` + columnsOf("l", ofListing) + `
		from ` + k + `
		cross join lateral (select ` + ofCustomer + ` from $.customer ` + at + `) c
		cross join lateral (select ` + ofActivity + `, agents from $.customer_activity ` + at + `) a
		left join lateral (select ` + ofListing + ` from $.customer_listing ` + at + `) l on true`
}

func columnsOf(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// oneSQL reads a customer; if there is an agent, only one whose session the agent owns or owned.
func oneSQL(schema, tenant, agent string, id uuid.UUID) (string, []any) {
	args := arguments{tenant, id}
	sql := wholeSQL(`(select ordinal from $.customer where tenant = $1 and id >= $2 and id <= $2 order by id offset 0) k`)
	if agent != "" {
		sql += fmt.Sprintf(" where jsonb_exists(a.agents, %s)", args.bind(agent))
	}
	return in(schema, sql), args
}

// pageSQL reads customers by their ordinals, in no order.
func pageSQL(schema, tenant string, ordinals []int64) (string, []any) {
	return in(schema, wholeSQL(`unnest($2::bigint[]) k(ordinal)`)), []any{tenant, ordinals}
}

// readCustomers reads customers without what other read models and the catalogues say of them. now is when their places on the blacklist are judged.
func readCustomers(rows pgx.Rows, err error, tags *tag.State, now time.Time) ([]Customer, error) {
	var customers []Customer
	if err == nil {
		customers, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Customer, error) { return scanCustomer(row, tags, now) })
	}
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
