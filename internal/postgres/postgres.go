//go:build unix

// Package postgres runs a private PostgreSQL server as a child process, from the
// programs that are installed on this machine. Nothing is downloaded.
//
// The server listens on a unix socket only, in a directory that nobody else can
// enter, so it needs neither a port nor a password. It ends with its parent:
// Stop ends it in order; when the parent is killed, Linux tells the server to
// shut down, and elsewhere the next Start on the same directory does. Whatever
// an earlier run left behind, be it a server, its backends or its lock files,
// the next Start removes before it begins. Two processes never run a server on
// one directory: the second gets ErrLocked.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/internal/flock"
)

// ErrLocked means that another process runs the server of this directory.
var ErrLocked = errors.New("postgres: another process runs the server of this directory")

// Config says how a cluster is to be run. Only Dir is needed.
type Config struct {
	// Dir holds everything: data, run (the socket), postgres.log and lock. It is
	// created when missing. As root it should be a place that other users can
	// enter, since PostgreSQL does not run as root.
	Dir string
	// Durable clusters survive a loss of power with every commit they answered.
	// The others, for tests, write without waiting for the disk: they survive
	// the death of every process, and not that of the machine.
	Durable bool
	// Fresh throws away the data of earlier runs, if any. For tests.
	Fresh bool
	// Detach lets the server outlive this process; without it, it does not.
	Detach bool
	// Params are settings of postgresql.conf; they win over those of this package.
	Params map[string]string
}

// Cluster is a running PostgreSQL server with its databases. Its methods may be
// called from any goroutine.
type Cluster struct {
	dir      string
	version  string
	socket   string
	command  *exec.Cmd
	ended    chan struct{}
	stopping sync.Mutex
	lock     *flock.Lock // nil once it is released
}

// Start runs the cluster in cfg.Dir, which it makes when there is none, and
// returns when it takes connections. That is a matter of a second or two, except
// after a crash, when the server first replays its log: Start waits as long as
// the server lives and ctx allows.
//
// The errors are ErrLocked, ErrNoBinaries, that of ctx, and whatever the file
// system or PostgreSQL said. Nothing is left running after an error.
func Start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	// Processes are recognised by this path, so it must be the real one.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	lock, err := flock.Try(filepath.Join(dir, "lock"))
	if errors.Is(err, flock.ErrLocked) {
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Release())
		}
	}()

	dataDir := filepath.Join(dir, "data")
	socketDir, err := socketDirectory(dir)
	if err != nil {
		return nil, err
	}
	if err := freeData(ctx, dataDir, socketDir); err != nil {
		return nil, err
	}
	if cfg.Fresh {
		if err := os.RemoveAll(dataDir); err != nil {
			return nil, fmt.Errorf("postgres: %w", err)
		}
	}
	programs, err := choose(ctx, dataDir, firstNumber(filepath.Join(dataDir, "PG_VERSION")))
	if err != nil {
		return nil, err
	}
	who, err := chooseIdentity(dir, dataDir, programs.dir)
	if err != nil {
		return nil, err
	}
	if err := who.own(socketDir); err != nil {
		return nil, err
	}
	if err := initialise(ctx, programs, who, cfg.Durable, dir, dataDir); err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, version: programs.version, socket: socketDir, ended: make(chan struct{}), lock: lock}
	if err := c.run(ctx, cfg, programs, who, dataDir); err != nil {
		return nil, err
	}
	return c, nil
}

// DSN is the URL of one database of the cluster, for pgx and for libpq. It works
// for every process of this machine that runs as the same user or as root, and
// stays the same when the cluster is started again.
func (c *Cluster) DSN(database string) string {
	u := url.URL{
		Scheme: "postgres",
		User:   url.User(superuser),
		Path:   "/" + database,
		// The port is part of the socket's name; without it PGPORT would be used.
		RawQuery: url.Values{"host": {c.socket}, "port": {socketPort}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// EnsureDatabase creates the database when there is none of that name. Several
// processes may do so at once.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("postgres: create database %s: %w", name, err)
	}
	// The database has been made by then; nothing depends on how the connection ends.
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var exists bool
	err = conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("postgres: create database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize())
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && (refusal.Code == "42P04" || refusal.Code == "23505") {
		return nil // duplicate_database, or the unique index when two are made at the same moment
	}
	if err != nil {
		return fmt.Errorf("postgres: create database %s: %w", name, err)
	}
	return nil
}

// Version is that of the server, such as "15.18".
func (c *Cluster) Version() string { return c.version }

// LogPath is the file to which the server writes what happens to it. It holds
// neither statements nor values unless Params ask for them.
func (c *Cluster) LogPath() string { return filepath.Join(c.dir, "postgres.log") }

// PID is the process id of the server.
func (c *Cluster) PID() int { return c.command.Process.Pid }

// Done is closed when the server has ended, wanted or not. Stop must be called
// all the same, to let go of the directory.
func (c *Cluster) Done() <-chan struct{} { return c.ended }

// Stop ends the server and lets go of its directory: open transactions are
// rolled back and a checkpoint is written, and when that takes longer than half
// a minute the server is stopped as by StopImmediate. Stopping what has ended is
// no error. An error means that the server did not end, or that the directory
// could not be let go.
func (c *Cluster) Stop() error {
	return c.stop([]stopStep{{syscall.SIGINT, fastWait}, {syscall.SIGQUIT, immediateWait}, {syscall.SIGKILL, killWait}})
}

// StopImmediate ends the server at once, without a checkpoint, as a crash would:
// the next start replays the log. Every transaction whose commit was answered is
// there afterwards, every other one is not or, if it was just committing, may be.
func (c *Cluster) StopImmediate() error {
	return c.stop([]stopStep{{syscall.SIGQUIT, immediateWait}, {syscall.SIGKILL, killWait}})
}

type stopStep struct {
	sig  syscall.Signal
	wait time.Duration
}

func (c *Cluster) stop(steps []stopStep) error {
	c.stopping.Lock()
	defer c.stopping.Unlock()
	if c.lock == nil {
		return nil
	}
	if err := c.end(steps); err != nil {
		return err
	}
	lock := c.lock
	c.lock = nil
	return lock.Release()
}

// end sends the signals one after the other until the server has ended.
func (c *Cluster) end(steps []stopStep) error {
	for i, step := range steps {
		if i > 0 {
			slog.Warn("postgres: the server does not end, trying harder", "pid", c.PID(), "signal", step.sig.String())
		}
		// An error means that the process has ended, which ended tells.
		_ = c.command.Process.Signal(step.sig)
		timeout := time.NewTimer(step.wait)
		select {
		case <-c.ended:
			timeout.Stop()
			return nil
		case <-timeout.C:
		}
	}
	return fmt.Errorf("postgres: the server (process %d) does not end", c.PID())
}
