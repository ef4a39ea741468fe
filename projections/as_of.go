package projections

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/projections/projector"
)

// AsOf are the read models of one tenant as they were at a moment, asked by the same queries. What is relative to now is relative to that moment.
type AsOf struct {
	projector.Moment
	Catalogues *Catalogues
	Customers  *Customers
	Groups     *Groups
	Sessions   *Sessions
}

// NewAsOf returns the read models in a schema that a projector has built as of a moment: those of customers, groups and sessions. Sets of
// customers are kept in the memory that customers have.
func NewAsOf(customers *Customers, sessions *Sessions, schema string, m projector.Moment) AsOf {
	return newAsOf(customers, sessions, customers.pool, schema, m)
}

// NewAsOfIn is NewAsOf for a schema that only a transaction sees. The answers are used up before the transaction ends, one after the other.
func NewAsOfIn(tx pgx.Tx, customers *Customers, sessions *Sessions, schema string, m projector.Moment) AsOf {
	return newAsOf(customers, sessions, inTransaction{tx}, schema, m)
}

func newAsOf(customers *Customers, sessions *Sessions, db database, schema string, m projector.Moment) AsOf {
	now := func() time.Time { return m.At }
	as := AsOf{Moment: m, Catalogues: customers.catalogues.Until(m.Position)}
	as.Groups = &Groups{pool: db, builds: inSchema(schema), catalogues: as.Catalogues}
	c := *customers.WithClock(now)
	c.pool, c.builds, c.catalogues = db, inSchema(schema), as.Catalogues
	c.past = &m
	as.Customers = c.WithGroups(as.Groups)
	s := *sessions.WithClock(now)
	s.pool, s.builds, s.past = db, inSchema(schema), &m
	as.Sessions = &s
	return as
}

// inSchema are builds that share a schema.
type inSchema string

// Live implements Builds.
func (s inSchema) Live(_ context.Context, name string) (projector.Build, error) {
	return projector.Build{Name: name, Schema: string(s), Status: projector.StatusAsOf}, nil
}

// database is what queries are asked of: the pool, or one transaction that sees more than others do.
type database interface {
	reader
	QueryByIndex(ctx context.Context, sql string, args ...any) (pgx.Rows, error) // see tenancy.DB
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// inTransaction is a transaction in which others are begun.
type inTransaction struct{ pgx.Tx }

// QueryByIndex implements database. What is asked holds one customer.
func (t inTransaction) QueryByIndex(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.Query(ctx, sql, args...)
}

// BeginTx implements database. The options are those of the transaction around it.
func (t inTransaction) BeginTx(ctx context.Context, _ pgx.TxOptions) (pgx.Tx, error) {
	return t.Begin(ctx)
}
