package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

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

// A database that is silent keeps nobody waiting to be recognised for longer than it may.
func TestWhoAsksIsToldThatTheDatabaseIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@"+silent.Addr().String()+"/nothing?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, ask := range map[string]func() error{
		"a token": func() error {
			_, err := NewTokens(pool, time.Now, nil).Verify(t.Context(), prefix+strings.Repeat("a", 40))
			return err
		},
		"a sign-in": func() error { _, err := NewSignIns(pool, time.Now).Find(t.Context(), "secret"); return err },
	} {
		if err := ask(); !Unavailable(err) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
