package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"customercenter/eventstore/tenancy"
)

// Totals are how many of everything the read models of a tenant show.
type Totals struct {
	Customers, Sessions, Messages int64
}

// CountAll counts a tenant's rows. It reads all of them: for tools and tests, not for pages.
func CountAll(ctx context.Context, db *tenancy.DB, builds Builds, tenant string) (t Totals, err error) {
	customers, err := builds.Live(ctx, CustomersName)
	if err != nil {
		return t, err
	}
	sessions, err := builds.Live(ctx, SessionsName)
	if err != nil {
		return t, err
	}
	err = db.QueryRow(ctx, `select (select count(*) from `+pgx.Identifier{customers.Schema, "customer"}.Sanitize()+` where tenant = $1),
		count(*), coalesce(sum(message_count), 0) from `+pgx.Identifier{sessions.Schema, "session"}.Sanitize()+` where tenant = $1`, tenant).
		Scan(&t.Customers, &t.Sessions, &t.Messages)
	if err != nil {
		return t, fmt.Errorf("projections: count: %w", err)
	}
	return t, nil
}
