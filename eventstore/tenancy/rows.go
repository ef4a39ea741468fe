package tenancy

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rows are what a narrowed statement has found. Their connection goes back when they are closed, by which the transaction has ended.
type rows struct {
	pgx.Rows
	end  func() error // of the transaction: a write may fail here
	conn *pgxpool.Conn
	err  error
}

func (r *rows) Close() {
	r.Rows.Close()
	if r.conn == nil {
		return
	}
	r.err = r.end()
	r.conn.Release()
	r.conn = nil
}

func (r *rows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

func (r *rows) Next() bool {
	more := r.Rows.Next()
	if !more {
		r.Close()
	}
	return more
}

func (r *rows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

func (r *rows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// failed are the rows of a statement that could not be run.
type failed struct {
	pgx.Rows // nil: nothing else is asked of them
	err      error
}

func (failed) Close()                   {}
func (f failed) Err() error             { return f.err }
func (failed) Next() bool               { return false }
func (f failed) Scan(dest ...any) error { return f.err }

// row is the first of some rows.
type row struct {
	rows pgx.Rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// Row runs a statement that was prepared on a connection, for one tenant and by index, see ByIndex, and returns its first row; nil if it has none. Arguments and results are in the
// binary format. It knows no context: who is in a hurry sets the connection's deadline.
func Row(conn *pgx.Conn, tenant string, statement *pgconn.StatementDescription, arguments [][]byte) (row [][]byte, err error) {
	narrowing, err := conn.Prepare(context.Background(), "for_tenant_by_index", narrowByIndex)
	if err != nil {
		return nil, err
	}
	pipeline := conn.PgConn().StartPipeline(context.Background())
	pipeline.SendQueryStatement(narrowing, [][]byte{[]byte(tenant)}, nil, nil)
	pipeline.SendQueryStatement(statement, arguments, binary, binary)
	result, err := second(pipeline)
	if err == nil {
		if result.NextRow() {
			for _, v := range result.Values() {
				row = append(row, append([]byte(nil), v...))
			}
		}
		_, err = result.Close()
	}
	if end := pipeline.Close(); err == nil {
		err = end // the commit
	}
	return row, err
}

var binary = []int16{pgx.BinaryFormatCode}

// literal is a text as SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
