package access

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore"
)

// What passes by itself is told apart from what does not.
func TestUnavailable(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{eventstore.ErrUnavailable, true},
		{&pgconn.PgError{Code: "53100"}, true}, // disk full
		{&pgconn.PgError{Code: "53200"}, true}, // out of memory
		{&pgconn.PgError{Code: "53300"}, true}, // too many connections
		{&pgconn.PgError{Code: "58030"}, true}, // input or output failed
		{&pgconn.PgError{Code: "25006"}, true}, // a standby
		{&pgconn.PgError{Code: "57P01"}, true}, // shutdown
		{&pgconn.PgError{Code: "57P03"}, true}, // starting up
		{&pgconn.PgError{Code: "08006"}, true}, // connection failure
		{&pgconn.ConnectError{}, true},
		{&pgconn.PgError{Code: "23505"}, false}, // a key that exists
		{&pgconn.PgError{Code: "42P01"}, false}, // a table that does not
		{pgx.ErrNoRows, false},
		{context.Canceled, false},
		{errors.New("anything else"), false},
	} {
		if got := Unavailable(fmt.Errorf("access: %w", c.err)); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
