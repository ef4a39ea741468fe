package tenancy

import (
	"context"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is a database of which statements see what their context may. It is safe for concurrent use.
type DB struct {
	pool      *pgxpool.Pool
	described *lru.Cache[string, *pgconn.StatementDescription] // of statements that are planned anew each time
}

// statements is how many statements that are planned anew each time a DB knows the types of, some kilobytes each.
const statements = 2048

// Over returns a DB on a migrated database.
func Over(pool *pgxpool.Pool) *DB {
	described, err := lru.New[string, *pgconn.StatementDescription](statements)
	if err != nil {
		panic(err) // only a size below 1
	}
	return &DB{pool, described}
}

// marker sets a narrowed statement apart from the same one of the process itself. They share connections; a statement that were prepared for both would
// be planned anew whenever the role is another one than the last time.
const marker = " -- one tenant"

const narrow = `select for_tenant($1)`

// ByIndex has the statements that come after it in its transaction, and are planned then, use an index wherever there is one, and one that has the rows in the order that
// is asked for. Plans are made while there are few rows, or while the planner has not heard of a tenant yet, which has none in its eyes: then all that begins with
// the tenant looks as cheap, and may be read from end to end. A statement that several share has to come after it everywhere: the plan is one for all.
const ByIndex = `select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)`

const narrowByIndex = `select for_tenant($1), set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)`

// Query is that of the pool. Rows that are not read to their end must be closed.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	only := of(ctx)
	if only == nil {
		return db.pool.Query(ctx, sql, args...)
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return failed{err: err}, err
	}
	sql += marker
	var r *rows
	if len(args) > 0 && args[0] == pgx.QueryExecModeCacheDescribe {
		r, err = db.planned(ctx, conn, *only, sql, args[1:])
	} else {
		r, err = prepared(ctx, conn, first{narrow, []any{*only}}, sql, args)
	}
	if err != nil {
		conn.Release()
		return failed{err: err}, err
	}
	return r, nil
}

// QueryByIndex is Query, by an index that has the rows in the order that the statement asks for, see ByIndex. The statement is prepared once a connection, and asked for
// nowhere else.
func (db *DB) QueryByIndex(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return failed{err: err}, err
	}
	before := first{ByIndex, nil}
	if only := of(ctx); only != nil {
		before = first{narrowByIndex, []any{*only}}
		sql += marker
	}
	r, err := prepared(ctx, conn, before, sql, args)
	if err != nil {
		conn.Release()
		return failed{err: err}, err
	}
	return r, nil
}

// first is what comes before a statement in its transaction.
type first struct {
	sql  string
	args []any
}

// prepared runs a statement that is prepared once a connection.
func prepared(ctx context.Context, conn *pgxpool.Conn, before first, sql string, args []any) (*rows, error) {
	batch := &pgx.Batch{}
	batch.Queue(before.sql, before.args...)
	batch.Queue(sql, args...)
	results := conn.SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // it says the same
		return nil, err
	}
	found, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &rows{Rows: found, end: results.Close, conn: conn}, nil
}

// planned runs a statement that is planned for the values at hand, without a name in the database. A batch of the driver cannot.
func (db *DB) planned(ctx context.Context, conn *pgxpool.Conn, tenant, sql string, args []any) (*rows, error) {
	var formats pgx.QueryResultFormats
	if len(args) > 0 {
		if asked, is := args[0].(pgx.QueryResultFormats); is {
			formats, args = asked, args[1:]
		}
	}
	c := conn.Conn()
	narrowing, err := c.Prepare(ctx, "for_tenant", narrow)
	if err != nil {
		return nil, err
	}
	described, known := db.described.Get(sql)
	if !known {
		if described, err = c.Prepare(ctx, "", sql); err != nil {
			return nil, err
		}
		db.described.Add(sql, described)
	}
	var built pgx.ExtendedQueryBuilder
	if err := built.Build(c.TypeMap(), described, args); err != nil {
		return nil, fmt.Errorf("tenancy: arguments: %w", err)
	}
	if formats == nil {
		formats = built.ResultFormats
	}
	pipeline := c.PgConn().StartPipeline(ctx)
	pipeline.SendQueryStatement(narrowing, [][]byte{[]byte(tenant)}, nil, nil)
	pipeline.SendQueryParams(described.SQL, built.ParamValues, described.ParamOIDs, built.ParamFormats, formats)
	found, err := second(pipeline)
	if err != nil {
		db.described.Remove(sql) // its types may be others now
		_ = pipeline.Close()     // what it says was said already
		return nil, err
	}
	return &rows{Rows: pgx.RowsFromResultReader(c.TypeMap(), found), end: pipeline.Close, conn: conn}, nil
}

// second sends a pipeline of two statements off, and waits for the answer of the second.
func second(pipeline *pgconn.Pipeline) (*pgconn.ResultReader, error) {
	if err := pipeline.Sync(); err != nil {
		return nil, err
	}
	first, err := pipeline.GetResults()
	if err != nil {
		return nil, err
	}
	if _, err := first.(*pgconn.ResultReader).Close(); err != nil {
		return nil, err
	}
	results, err := pipeline.GetResults()
	if err != nil {
		return nil, err
	}
	return results.(*pgconn.ResultReader), nil
}

// QueryRow is that of the pool.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if of(ctx) == nil {
		return db.pool.QueryRow(ctx, sql, args...)
	}
	found, err := db.Query(ctx, sql, args...)
	return row{found, err}
}

// Exec is that of the pool.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if of(ctx) == nil {
		return db.pool.Exec(ctx, sql, args...)
	}
	found, err := db.Query(ctx, sql, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	found.Close()
	return found.CommandTag(), found.Err()
}

// BeginTx is that of the pool. What runs in the transaction is narrowed as the context is that it begins with.
func (db *DB) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	only := of(ctx)
	if only == nil {
		return db.pool.BeginTx(ctx, options)
	}
	begin := "begin"
	if options.IsoLevel != "" {
		begin += " isolation level " + string(options.IsoLevel)
	}
	if options.AccessMode != "" {
		begin += " " + string(options.AccessMode)
	}
	return db.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin + "; select for_tenant(" + literal(*only) + ")"})
}

// Begin is that of the pool.
func (db *DB) Begin(ctx context.Context) (pgx.Tx, error) { return db.BeginTx(ctx, pgx.TxOptions{}) }
