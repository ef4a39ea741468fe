// Package tenancy holds what a context's statements may touch to the rows of one tenant, whatever the statements say.
//
// A door that has found out on whose behalf it works, be it a request or a policy's turn, narrows its context once (Narrow). Whatever runs through a DB
// with that context then runs, in the same round trip, in a transaction that has the database's role customercenter_app and the tenant set, and
// row-level security does the rest: see eventstore/migrations/00016_isolation.sql. Who forgets a condition, or names another tenant
// than the door has found, is told of no rows, and can write none.
//
// A context that was never narrowed is that of the process itself: relay, projector, clocks, tools. They see all tenants.
//
// It is no defence against somebody who can run any statement: a transaction may take its role off again.
package tenancy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

type scope struct{}

// Narrow returns a context of which statements touch nothing but the rows of a tenant; of "", or if the context was narrowed to another one, no tenant's.
func Narrow(ctx context.Context, tenant string) context.Context {
	if !Allows(ctx, tenant) {
		tenant = ""
	}
	return context.WithValue(ctx, scope{}, &tenant)
}

// Widen returns a context of the process itself. It is for the few questions that are about all tenants though somebody of one asks them; a test lists where it
// is called.
func Widen(ctx context.Context) context.Context {
	return context.WithValue(ctx, scope{}, (*string)(nil))
}

// of is the tenant to which a context is narrowed, nil if it is not.
func of(ctx context.Context) *string {
	tenant, _ := ctx.Value(scope{}).(*string)
	return tenant
}

// Allows reports whether a context may touch what belongs to a tenant. It is for what is kept in memory, which the database does not see.
func Allows(ctx context.Context, tenant string) bool {
	only := of(ctx)
	return only == nil || *only == tenant
}

// Isolated reports whether the database holds narrowed contexts to their tenant: whether the user that logs in there may take the role customercenter_app.
// If not, the conditions of the statements are all that there is.
func Isolated(ctx context.Context, pool *pgxpool.Pool) (isolated bool, err error) {
	err = pool.QueryRow(ctx, `select obj_description(to_regprocedure('for_tenant(text)')) is not distinct from 'takes the role'`).Scan(&isolated)
	if err != nil {
		return false, fmt.Errorf("tenancy: isolated: %w", err)
	}
	return isolated, nil
}
