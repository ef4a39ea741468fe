//go:build unix

// Package pgtest gives each test a clean database on a real PostgreSQL server.
//
// One server is shared by all packages of a `go test ./...` run, and no TestMain
// is needed: the first test program that asks starts it in a process of its own,
// which ends it when no test has used it for a while. A database is a clone of a
// template that is migrated once, which takes some ten milliseconds. When no
// PostgreSQL is installed a test fails and names the command that installs it;
// it is never skipped.
//
// TEST_DATABASE_URL names a server to use instead, as a URL whose user may
// create databases, such as postgres://postgres@127.0.0.1/postgres. Databases
// named test_… are made and dropped there, and templates named template_… stay.
package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// URLEnv names the environment variable with the address of a server to use.
const URLEnv = "TEST_DATABASE_URL"

const (
	// patience bounds every single step: making a template, cloning it.
	patience = 2 * time.Minute
	// poolSize is ample for a test; connections are opened as they are needed.
	poolSize = "16"
	// templateLock is the advisory lock under which templates are made.
	templateLock = 4_711_001
	// doneMark is the comment on a database whose test has ended.
	doneMark = "customercenter: the test has ended"
)

// Template is what a database is cloned from.
type Template struct {
	// Name tells templates apart, over all packages and runs. It must change
	// when what Migrate does changes: a hash of the migrations is a good name.
	Name string
	// Migrate fills the empty template. Once for a name, and not at all when an
	// earlier run has made it. Nil leaves it empty.
	Migrate func(ctx context.Context, pool *pgxpool.Pool) error
}

// New returns a pool on a database of the test's own. The pool is closed when
// the test ends, so all that uses it must have ended by then. A check for leaked
// goroutines belongs into TestMain, which comes after.
func New(t testing.TB, template Template) *pgxpool.Pool {
	t.Helper()
	dsn := DSN(t, template)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pool, err := openPool(ctx, dsn)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// DSN is like New for a test that connects by itself, or has other processes do
// so. The database goes when the test ends, whoever is connected to it.
func DSN(t testing.TB, template Template) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := sharedServer()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	source, err := ready(ctx, server, template)
	if err != nil {
		t.Fatalf("pgtest: template %s: %v", template.Name, err)
	}
	name := databaseName()
	if err := clone(ctx, server, source, name); err != nil {
		t.Fatalf("pgtest: clone %s: %v", template.Name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		// Dropping it here would cost a checkpoint for each test.
		if err := mark(ctx, server, name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return databaseURL(server, name)
}

var databases atomic.Int64

// prepared holds the templates that this process has made sure of, by name.
var prepared struct {
	sync.Mutex
	templates map[string]*preparation
}

// databaseName says when and by which process it was made, for who clears up.
func databaseName() string {
	return fmt.Sprintf("test_%d_%d_%d", time.Now().Unix(), os.Getpid(), databases.Add(1))
}

// preparation is the making of a template, which happens once in a process.
type preparation struct {
	once     sync.Once
	database string
	err      error
}

// ready returns the name of the template's database, and makes it when there is none.
func ready(ctx context.Context, server string, template Template) (string, error) {
	if template.Name == "" {
		return "", errors.New("it has no name")
	}
	prepared.Lock()
	p := prepared.templates[template.Name]
	if p == nil {
		if prepared.templates == nil {
			prepared.templates = make(map[string]*preparation)
		}
		p = new(preparation)
		prepared.templates[template.Name] = p
	}
	prepared.Unlock()
	p.once.Do(func() { p.database, p.err = prepare(ctx, server, template) })
	return p.database, p.err
}

func prepare(ctx context.Context, server string, template Template) (_ string, err error) {
	sum := sha256.Sum256([]byte(template.Name))
	name := "template_" + hex.EncodeToString(sum[:8])
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	// The lock goes with the connection.
	defer func() { err = errors.Join(err, admin.Close(ctx)) }()
	if _, err := admin.Exec(ctx, "select pg_advisory_lock($1)", templateLock); err != nil {
		return "", err
	}
	var made bool
	err = admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1 and datistemplate)", name).Scan(&made)
	if err != nil || made {
		return name, err
	}
	// One without the mark of a template is what was left half-way.
	if _, err := admin.Exec(ctx, "drop database if exists "+name+" with (force)"); err != nil {
		return "", err
	}
	if _, err := admin.Exec(ctx, "create database "+name); err != nil {
		return "", err
	}
	if template.Migrate != nil {
		if err := migrate(ctx, databaseURL(server, name), template); err != nil {
			return "", err
		}
	}
	_, err = admin.Exec(ctx, "alter database "+name+" with is_template true allow_connections false")
	return name, err
}

func migrate(ctx context.Context, dsn string, template Template) error {
	pool, err := openPool(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	return template.Migrate(ctx, pool)
}

func clone(ctx context.Context, server, source, name string) error {
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close(ctx) }()
	var version int
	if err := admin.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	statement := "create database " + name + " template " + source
	if version >= 150000 { // before, this was the only strategy
		statement += " strategy file_copy"
	}
	for {
		_, err := admin.Exec(ctx, statement)
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && refusal.Code == "55006" {
			// object_in_use: the server's own workers look into templates at times,
			// and those who migrated it need a moment to leave.
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w: %w", err, ctx.Err())
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		return err
	}
}

// mark lets the database be dropped by who clears up.
func mark(ctx context.Context, server, name string) error {
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = admin.Exec(ctx, "comment on database "+name+" is '"+doneMark+"'")
	return errors.Join(err, admin.Close(ctx))
}

func openPool(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	query.Set("pool_max_conns", poolSize)
	u.RawQuery = query.Encode()
	return pgxpool.New(ctx, u.String())
}

// databaseURL is the address of another database of the server.
func databaseURL(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // sharedServer has parsed it before
	}
	u.Path = "/" + name
	return u.String()
}
