package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/text"
)

// BlacklistQuery is what to list of the blacklist. Its zero value is all of it, the newest first.
type BlacklistQuery struct {
	// Q is part of the external id, the nickname or the name; case and width do not matter. Empty: no condition.
	Q string
	// ServedBy is an agent who owns or owned a session of the customer; empty: no condition.
	ServedBy string
	Limit    int    // 1 to 200; 0 is 50
	Cursor   string // Next or Prev of another page with the same query
}

// BlacklistPage is one page of the blacklist.
type BlacklistPage struct {
	Items []Blacklisted `json:"items"`
	Next  string        `json:"next,omitempty"`
	Prev  string        `json:"prev,omitempty"`
	Count Count         `json:"count"`
}

// Blacklisted is somebody on the blacklist.
type Blacklisted struct {
	Customer BlacklistedCustomer `json:"customer"`
	Listing

	position int64
}

// BlacklistedCustomer is what the blacklist shows of a customer.
type BlacklistedCustomer struct {
	ID         uuid.UUID `json:"id"`
	ExternalID string    `json:"external_id"`
	Nickname   string    `json:"nickname"`
}

const blacklistSort = "-since"

// Blacklist returns one page of those whose place on the blacklist counts now. ErrCursor.
//
// A search reads the blacklist until the page is full, all of it if need be: a blacklist is a small part of the customers.
func (c *Customers) Blacklist(ctx context.Context, tenant string, q BlacklistQuery) (BlacklistPage, error) {
	build, err := c.builds.Live(ctx, CustomersName)
	if err != nil {
		return BlacklistPage{}, err
	}
	from, given, err := parseCursor(q.Cursor, blacklistSort)
	if err != nil {
		return BlacklistPage{}, err
	}
	q.Limit, q.Q = limit(q.Limit), text.Fold(q.Q)
	now := c.now()
	sql, args := blacklistSQL(build.Schema, tenant, q, now, from, given)
	rows, err := c.pool.Query(ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return BlacklistPage{}, fmt.Errorf("projections: blacklist: %w", err)
	}
	items, err := pgx.CollectRows(rows, scanBlacklisted)
	if err != nil {
		return BlacklistPage{}, fmt.Errorf("projections: blacklist: %w", err)
	}
	more := len(items) > q.Limit
	if more {
		items = items[:q.Limit]
	}
	if from.Back {
		slices.Reverse(items)
	}
	page := BlacklistPage{Items: items, Count: Count{Value: int64(len(items)), Exact: true}}
	at := func(b Blacklisted, back bool) string {
		return cursor{Sort: blacklistSort, Back: back, Ordinal: b.position}.String()
	}
	if n := len(items); n > 0 {
		if more || from.Back {
			page.Next = at(items[n-1], false)
		}
		if given && (more || !from.Back) {
			page.Prev = at(items[0], true)
		}
	}
	if !more && !given {
		return page, nil
	}
	sql, args = blacklistCountSQL(build.Schema, tenant, q, now)
	if err := c.pool.QueryRow(ctx, sql, append([]any{planned}, args...)...).Scan(&page.Count.Value); err != nil {
		return BlacklistPage{}, fmt.Errorf("projections: count the blacklist: %w", err)
	}
	if page.Count.Value > countBound {
		page.Count = Count{Value: countBound}
	}
	return page, nil
}

// blacklistMatches are the tables and conditions of a query, but for the columns that are shown. What the conditions need is looked
// up row by row, so that a page reads no more of the blacklist than it must.
func blacklistMatches(tenant string, q BlacklistQuery, now time.Time, args *arguments) (from string, where []string) {
	from, where = "$.customer_listing l", []string{"l.tenant = " + args.bind(tenant)}
	where = append(where, fmt.Sprintf("(l.expires_at is null or l.expires_at > %s)", args.bind(now)))
	if q.ServedBy != "" {
		where = append(where, fmt.Sprintf("(select jsonb_exists(a.agents, %s) from $.customer_activity a where a.tenant = $1 and a.id = l.customer)", args.bind(q.ServedBy)))
	}
	if q.Q != "" {
		from += " cross join lateral (select b.external_id, b.nickname, b.name from $.customer_text b where b.tenant = $1 and b.ordinal = l.ordinal offset 0) t"
		needle := args.bind(q.Q)
		where = append(where, fmt.Sprintf("(strpos(t.external_id, %s) > 0 or strpos(t.nickname, %s) > 0 or strpos(t.name, %s) > 0)", needle, needle, needle))
	}
	return from, where
}

func blacklistSQL(schema, tenant string, q BlacklistQuery, now time.Time, at cursor, given bool) (string, []any) {
	var args arguments
	from, where := blacklistMatches(tenant, q, now, &args)
	less, direction := "<", "desc"
	if at.Back {
		less, direction = ">", "asc"
	}
	if given {
		where = append(where, fmt.Sprintf("l.position %s %s", less, args.bind(at.Ordinal)))
	}
	return in(schema, fmt.Sprintf(`select l.customer, c.external_id, c.nickname, l.reason, l.actor_kind, l.actor, l.since, l.expires_at, l.suppressed, l.position
		from %s cross join lateral (select b.external_id, b.nickname from $.customer b where b.tenant = $1 and b.id = l.customer offset 0) c
		where %s order by l.position %s limit %s`, from, conjunction(where), direction, args.bind(q.Limit+1))), args
}

func blacklistCountSQL(schema, tenant string, q BlacklistQuery, now time.Time) (string, []any) {
	var args arguments
	from, where := blacklistMatches(tenant, q, now, &args)
	return in(schema, fmt.Sprintf(`select count(*) from (select from %s where %s limit %s) s`, from, conjunction(where), args.bind(countBound+1))), args
}

func scanBlacklisted(row pgx.CollectableRow) (Blacklisted, error) {
	var b Blacklisted
	err := row.Scan(&b.Customer.ID, &b.Customer.ExternalID, &b.Customer.Nickname, &b.Reason, &b.Actor.Kind, &b.Actor.ID,
		&b.Since, &b.ExpiresAt, &b.SuppressedMessages, &b.position)
	b.Actor.Name, b.Since, b.ExpiresAt = b.Actor.ID, b.Since.UTC(), utc(b.ExpiresAt)
	return b, err
}
