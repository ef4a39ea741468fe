package eventstore

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"customercenter/eventstore/tenancy"
)

// query runs a statement of one tenant that is prepared once a connection, under a name of its own, with arguments and results in the binary
// format. It returns the row, nil if there is none.
func query(conn *pgx.Conn, tenant, name, sql string, arguments [][]byte) (row [][]byte, err error) {
	prepared, err := conn.Prepare(context.Background(), name, sql)
	if err != nil {
		return nil, err
	}
	return tenancy.Row(conn, tenant, prepared, arguments)
}

// Arguments of the append calls in the binary format of Postgres. The general encoder of the driver boxes every element of every
// array, which took a third of the client's time in a full batch.

// column builds an array, element by element. All elements of one have the same type.
type column struct {
	element uint32 // object id of their type
	n       int
	bytes   []byte // header first
}

const columnHeader = 20

// reset empties the column and keeps its memory, within reason.
func (c *column) reset() {
	if cap(c.bytes) < columnHeader || cap(c.bytes) > 1<<20 {
		c.bytes = make([]byte, columnHeader, 1<<10)
	}
	c.n, c.bytes = 0, c.bytes[:columnHeader]
}

func (c *column) text(s string) {
	c.n, c.element = c.n+1, pgtype.TextOID
	c.bytes = append(binary.BigEndian.AppendUint32(c.bytes, uint32(len(s))), s...)
}

func (c *column) bytea(b []byte) {
	c.n, c.element = c.n+1, pgtype.ByteaOID
	c.bytes = append(binary.BigEndian.AppendUint32(c.bytes, uint32(len(b))), b...)
}

func (c *column) int4(v int) {
	c.n, c.element = c.n+1, pgtype.Int4OID
	c.bytes = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(c.bytes, 4), uint32(int32(v)))
}

func (c *column) int8(v int64) {
	c.n, c.element = c.n+1, pgtype.Int8OID
	c.bytes = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(c.bytes, 8), uint64(v))
}

func (c *column) time(t time.Time) {
	c.int8(postgresTime(t))
	c.element = pgtype.TimestamptzOID
}

// uuid appends an id, or null for the zero one.
func (c *column) uuid(id uuid.UUID) {
	c.n, c.element = c.n+1, pgtype.UUIDOID
	if id == uuid.Nil {
		c.bytes = binary.BigEndian.AppendUint32(c.bytes, ^uint32(0))
		return
	}
	c.bytes = append(binary.BigEndian.AppendUint32(c.bytes, 16), id[:]...)
}

// wire returns the array, null if it is empty.
func (c *column) wire() []byte {
	if c.n == 0 {
		return nil
	}
	h := c.bytes[:columnHeader]
	binary.BigEndian.PutUint32(h, 1)     // one dimension
	binary.BigEndian.PutUint32(h[4:], 1) // there may be nulls
	binary.BigEndian.PutUint32(h[8:], c.element)
	binary.BigEndian.PutUint32(h[12:], uint32(c.n))
	binary.BigEndian.PutUint32(h[16:], 1) // the first index
	return c.bytes
}

func wireInt4(v int) []byte   { return binary.BigEndian.AppendUint32(nil, uint32(int32(v))) }
func wireInt8(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func wireTime(t time.Time) []byte {
	return wireInt8(postgresTime(t))
}

func wireUUID(id uuid.UUID) []byte {
	if id == uuid.Nil {
		return nil
	}
	return id[:]
}

// postgresEpoch is where the database begins to count, in microseconds of ours.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func postgresTime(t time.Time) int64 { return t.UnixMicro() - postgresEpoch }

func timeOfPostgres(v []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(v)) + postgresEpoch)
}
