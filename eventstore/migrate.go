package eventstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the SQL files that Migrate applies, in the order of their names.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	return sub
}

// Migrate brings the database to the version this binary knows. Several processes may call it at once: one works, the others
// wait and find nothing to do. Read models are not migrated but rebuilt, see package projector.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120)) // try every second for two minutes
	if err != nil {
		return fmt.Errorf("eventstore: migrate: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, Migrations(), goose.WithSessionLocker(locker))
	if err != nil {
		return errors.Join(fmt.Errorf("eventstore: migrate: %w", err), db.Close())
	}
	if _, err = provider.Up(ctx); err != nil {
		err = fmt.Errorf("eventstore: migrate: %w", err)
	}
	if err == nil {
		err = isolate(ctx, pool)
	}
	return errors.Join(err, db.Close())
}

// isolate has the database hold those apart whom package tenancy holds to one tenant, as far as the user that we log in as may arrange that.
func isolate(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, `select isolate()`); err != nil {
		return fmt.Errorf("eventstore: migrate: isolate tenants: %w", err)
	}
	return nil
}
