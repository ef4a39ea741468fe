package eventstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// inLine is how long a migration waits for a table that is in use. Whoever comes behind it waits, too, be it only to read.
	inLine = "1s"
	// betweenTries is how long it lets others pass then.
	betweenTries = 2 * time.Second
	// longest is for how long it is tried again.
	longest = 10 * time.Minute
)

// Migrations are the SQL files that Migrate applies, in the order of their names.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	return sub
}

// Migrate brings the database to the version this binary knows, while other processes go on. Several may call it at once: one works, the others
// wait and find nothing to do. A table that somebody has in use for long is waited for in short turns, so that nobody stands in line behind
// the migration for more than a second. A database that is newer stays as it is. Read models are not migrated but rebuilt, see package projector.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if err := migrate(ctx, pool, Migrations(), isolate); err != nil {
		return fmt.Errorf("eventstore: migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, pool *pgxpool.Pool, files fs.FS, then func(context.Context, *sql.DB) error) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(longest/time.Second))) // try every second
	if err != nil {
		return err
	}
	config := pool.Config().ConnConfig
	config.RuntimeParams["lock_timeout"] = inLine
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }() // what was done is committed
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	for end := time.Now().Add(longest); ; {
		_, err := provider.Up(ctx)
		if err == nil {
			err = then(ctx, db)
		}
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "55P03" && pg.Code != "40P01" || time.Now().After(end) { // a lock not available; a deadlock
			return err
		}
		slog.WarnContext(ctx, "eventstore: a migration waits for a table that is in use; what is done stays done")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(betweenTries):
		}
	}
}

// isolate has the database hold those apart whom package tenancy holds to one tenant, as far as the user that we log in as may arrange that. Each table that is not
// held apart yet is locked by itself, so that none is kept from others while another one is waited for.
func isolate(ctx context.Context, db *sql.DB) error {
	tables, err := unbound(ctx, db)
	if err != nil {
		return fmt.Errorf("isolate tenants: %w", err)
	}
	for _, table := range tables {
		_, err := db.ExecContext(ctx, `select isolate_table($1::text::regclass)`, table)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && slices.Contains([]string{"42P01", "3F000", "P0002"}, pg.Code) { // it was dropped meanwhile, with its read model
			continue
		}
		if err != nil {
			return fmt.Errorf("isolate tenants in %s: %w", table, err)
		}
	}
	if _, err := db.ExecContext(ctx, `select isolate()`); err != nil {
		return fmt.Errorf("isolate tenants: %w", err)
	}
	return nil
}

// unbound are the tables of the log and of read models that have no policy yet.
func unbound(ctx context.Context, db *sql.DB) (tables []string, err error) {
	rows, err := db.QueryContext(ctx, `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and not c.relrowsecurity and pg_has_role(c.relowner, 'usage')
		and (n.oid = (select relnamespace from pg_class where oid = 'events'::regclass) or n.nspname in (select schema from projection_builds)) order by 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, rows.Err()
}
