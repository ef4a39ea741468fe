//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/internal/postgres"
)

// NewStandby starts a server that follows this one, for the same test: it has all that the other has, a moment later, and takes no writes until it is
// promoted. What a transaction of the other has committed waits for the standby from now on, so that nothing that was answered is lost with the other.
// tablespaces says where those of the other, by their directories, are to be here.
func (c *Cluster) NewStandby(t testing.TB, tablespaces map[string]string) *Cluster {
	t.Helper()
	standby, err := c.follow(t.Context(), filepath.Join(filepath.Dir(c.config.Dir), fmt.Sprintf("own-%d-%d", os.Getpid(), clusters.Add(1))), tablespaces)
	if err != nil {
		t.Fatalf("pgtest: standby: %v", err)
	}
	t.Cleanup(func() {
		if err := standby.Crash(); err != nil {
			t.Errorf("pgtest: %v", err)
		}
		if err := os.RemoveAll(standby.config.Dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return standby
}

func (c *Cluster) follow(ctx context.Context, dir string, tablespaces map[string]string) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	program, err := postgres.Program(ctx, "pg_basebackup", 0)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	args := []string{"-d", c.DSN("postgres"), "-D", filepath.Join(dir, "data"), "-R", "-X", "stream", "-c", "fast"}
	for from, to := range tablespaces {
		args = append(args, "-T", from+"="+to)
	}
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	for _, copied := range append(slices.Collect(maps.Values(tablespaces)), dir) {
		if err := likeOwner(c.DataDir(), copied); err != nil {
			return nil, err
		}
	}
	standby := &Cluster{config: c.config}
	standby.config.Dir = dir
	if err := standby.Start(ctx); err != nil {
		return nil, err
	}
	if err := c.execute(ctx, `alter system set synchronous_standby_names = '*'`, `select pg_reload_conf()`); err != nil {
		return nil, err
	}
	if err := c.awaitFollower(ctx); err != nil {
		return nil, err
	}
	return standby, nil
}

// awaitFollower returns when every commit waits for the standby and the standby has what was committed before. Until then commits may be answered that nobody
// but this server has.
func (c *Cluster) awaitFollower(ctx context.Context) error {
	// Whoever connects when the setting is seen was forked after everybody was told of it, the checkpointer among them, who makes commits wait. It does so before
	// it begins the next checkpoint.
	if err := c.until(ctx, `select current_setting('synchronous_standby_names') = '*'`); err != nil {
		return err
	}
	if err := c.execute(ctx, `checkpoint`); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it was only read from
	var end string
	if err := conn.QueryRow(ctx, `select pg_current_wal_flush_lsn()::text`).Scan(&end); err != nil {
		return err
	}
	return c.until(ctx, `select coalesce(max(flush_lsn) >= $1::pg_lsn, false) from pg_stat_replication where sync_state = 'sync'`, end)
}

// until asks a question over a new connection each time, until the answer is yes.
func (c *Cluster) until(ctx context.Context, question string, args ...any) error {
	for {
		var yes bool
		conn, err := pgx.Connect(ctx, c.DSN("postgres"))
		if err != nil {
			return err
		}
		err = conn.QueryRow(ctx, question, args...).Scan(&yes)
		if err := errors.Join(err, conn.Close(ctx)); err != nil || yes {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", question, ctx.Err())
		}
	}
}

// Promote makes a standby take writes. Nobody follows it yet, and its commits wait for nobody.
func (c *Cluster) Promote(ctx context.Context) error {
	return c.execute(ctx, `alter system reset synchronous_standby_names`, `select pg_reload_conf()`, `select pg_promote()`)
}

// execute runs statements as the server's administrator.
func (c *Cluster) execute(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing depends on how it ends
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// likeOwner gives a directory, with all in it, to whom another belongs: as root, the server runs as somebody else.
func likeOwner(other, dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	info, err := os.Stat(other)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
