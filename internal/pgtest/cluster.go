//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"customercenter/internal/postgres"
)

// Cluster is a PostgreSQL server of one test's own, which may be stopped and
// started at will. Its methods may be called from any goroutine.
type Cluster struct {
	config postgres.Config
	dsn    func(database string) string

	mu      sync.Mutex
	running *postgres.Cluster // nil while it is stopped
}

var clusters atomic.Int64

// NewCluster starts a server for this test alone, and removes it with its data
// when the test ends. A durable one syncs every commit to the disk, as that of
// the product does; both kinds keep what is committed when the server crashes.
func NewCluster(t testing.TB, durable bool) *Cluster {
	t.Helper()
	base, err := baseDir()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	if err := removeAbandoned(base); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	dir := filepath.Join(base, fmt.Sprintf("own-%d-%d", os.Getpid(), clusters.Add(1)))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	c := &Cluster{config: postgres.Config{Dir: dir, Durable: durable}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Crash(); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return c
}

// DSN is the URL of one of its databases. It stays the same over all starts.
func (c *Cluster) DSN(database string) string { return c.dsn(database) }

// DataDir is where its files are, which belong to the user that it runs as.
func (c *Cluster) DataDir() string { return filepath.Join(c.config.Dir, "data") }

// EnsureDatabase creates the database when there is none of that name. The
// server must be running.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return errors.New("pgtest: the server is stopped")
	}
	return c.running.EnsureDatabase(ctx, name)
}

// Start starts the server again, on the data it had, and returns when it takes
// connections. It does nothing when the server runs.
func (c *Cluster) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return nil
	}
	running, err := postgres.Start(ctx, c.config)
	if err != nil {
		return err
	}
	if c.dsn == nil {
		c.dsn = running.DSN
	}
	c.running = running
	return nil
}

// Stop shuts the server down in order. Connections are cut, open transactions
// rolled back.
func (c *Cluster) Stop() error { return c.halt((*postgres.Cluster).Stop) }

// Crash ends the server at once, without a checkpoint, so that the next start
// has to recover.
func (c *Cluster) Crash() error { return c.halt((*postgres.Cluster).StopImmediate) }

// Ended reports whether the server is not there: it was stopped, or has ended by itself.
func (c *Cluster) Ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return true
	}
	select {
	case <-c.running.Done():
		return true
	default:
		return false
	}
}

func (c *Cluster) halt(how func(*postgres.Cluster) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil
	}
	if err := how(c.running); err != nil {
		return err
	}
	c.running = nil
	return nil
}

// removeAbandoned removes what test processes left that were killed.
func removeAbandoned(base string) error {
	dirs, err := filepath.Glob(filepath.Join(base, "own-*-*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "own-"), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil || alive(pid) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
