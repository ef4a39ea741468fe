// Package eventstoretest gives tests an event store on a real, migrated, empty database.
package eventstoretest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/internal/pgtest"
)

// Template is the migrated database that tests clone.
var Template = sync.OnceValue(func() pgtest.Template {
	sum := sha256.New()
	files, err := fs.Glob(eventstore.Migrations(), "*.sql") // sorted
	if err != nil {
		panic(err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(eventstore.Migrations(), name)
		if err != nil {
			panic(err)
		}
		sum.Write([]byte(name))
		sum.Write(text)
	}
	return pgtest.Template{Name: "eventstore-" + hex.EncodeToString(sum.Sum(nil)[:8]), Migrate: eventstore.Migrate}
})

// Pool returns a pool, set up as the product does, on a database of its own.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return Connect(t, pgtest.DSN(t, Template()))
}

// Connect opens a pool as the product does; it is closed at the end of the test.
func Connect(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := eventstore.Connect(context.Background(), dsn, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Keys returns a keyring under a fixed master key, so that several stores of one test share it.
func Keys(t testing.TB, pool *pgxpool.Pool) *keyring.Keyring {
	t.Helper()
	master, err := keyring.NewMaster([]byte("an all too well known master key"))
	if err != nil {
		t.Fatal(err)
	}
	return keyring.New(pool, master)
}

// Store returns a store on a database of its own with these tenants.
func Store(t testing.TB, codec *eventstore.Codec, tenants ...string) *eventstore.Store {
	t.Helper()
	pool := Pool(t)
	return On(t, pool, codec, tenants...)
}

// On returns a store on this database and makes the tenants that do not exist yet.
func On(t testing.TB, pool *pgxpool.Pool, codec *eventstore.Codec, tenants ...string) *eventstore.Store {
	t.Helper()
	store := eventstore.New(pool, codec, Keys(t, pool), eventstore.WithPatience(5*time.Second))
	for _, tenant := range tenants {
		if err := store.CreateTenant(context.Background(), tenant, tenant); err != nil && err != eventstore.ErrTenantExists {
			t.Fatal(err)
		}
	}
	return store
}
