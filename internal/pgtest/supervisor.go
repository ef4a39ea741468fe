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
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/internal/flock"
	"customercenter/internal/postgres"
)

const (
	// supervisorEnv makes a test program the process that runs the shared server
	// in the directory it names, and nothing else.
	supervisorEnv = "CC_PGTEST_SUPERVISOR"
	// lingerEnv changes how long the server outlives its last user.
	lingerEnv   = "CC_PGTEST_LINGER"
	readyReport = "ready"

	// defaultLinger spans the gap between two packages of a run, in which `go
	// test` compiles.
	defaultLinger = 30 * time.Second
	lookEvery     = 200 * time.Millisecond
	clearEvery    = 5 * time.Second
	// longAgo is above what any test runs.
	longAgo = 2 * time.Hour
)

// A program that is started as supervisor must not get as far as its tests.
func init() {
	dir := os.Getenv(supervisorEnv)
	if dir == "" {
		return
	}
	if err := supervise(dir); err != nil {
		os.Exit(1) // it has been reported
	}
	os.Exit(0)
}

// supervise runs the shared server until nobody has used it for a while.
func supervise(dir string) (err error) {
	linger := defaultLinger
	if raw := os.Getenv(lingerEnv); raw != "" {
		if linger, err = time.ParseDuration(raw); err != nil {
			report(err.Error())
			return err
		}
	}
	cluster, err := startShared(dir)
	if err != nil {
		report(err.Error())
		return err
	}
	address := filepath.Join(dir, addressFile)
	server := cluster.DSN("postgres")
	if err := os.WriteFile(address, []byte(server), 0o600); err != nil {
		report(err.Error())
		return errors.Join(err, cluster.StopImmediate())
	}
	report(readyReport)

	look, clearing := time.NewTicker(lookEvery), time.NewTicker(clearEvery)
	defer look.Stop()
	defer clearing.Stop()
	for idleSince := time.Now(); ; {
		select {
		case <-cluster.Done():
			return errors.Join(errors.New("the server ended by itself"), os.Remove(address), cluster.Stop())
		case <-clearing.C:
			// What cannot be dropped now can be the next time.
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			_ = clearAway(ctx, server, abandoned)
			cancel()
		case <-look.C:
			if inUse(dir) {
				idleSince = time.Now()
			} else if time.Since(idleSince) > linger {
				if ended, err := end(dir, cluster); ended {
					return err
				}
			}
		}
	}
}

// startShared waits for a supervisor that is about to end. Data that it left, or
// that an earlier one lost by kill -9, is thrown away.
func startShared(dir string) (*postgres.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		cluster, err := postgres.Start(ctx, postgres.Config{
			Dir:   filepath.Join(dir, "shared"),
			Fresh: true,
			Params: map[string]string{
				"max_connections": "300",
				// Tests on plans analyse by themselves, so that the plans are the same
				// each time.
				"autovacuum": "off",
				// Each clone is two checkpoints.
				"log_checkpoints": "off",
			},
		})
		if !errors.Is(err, postgres.ErrLocked) {
			return cluster, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// report tells the process that waits, in one line, and is heard once.
func report(line string) {
	fmt.Println(strings.ReplaceAll(line, "\n", " "))
	_ = os.Stdout.Close()
}

func inUse(dir string) bool {
	users, err := flock.Try(filepath.Join(dir, usersFile))
	if err != nil {
		return true
	}
	return users.Release() != nil
}

// end stops the server, unless somebody has come in the meantime. Whoever comes
// now waits at the gate, which opens with the end of this process.
func end(dir string, cluster *postgres.Cluster) (ended bool, err error) {
	gate, err := flock.Try(filepath.Join(dir, gateFile))
	if err != nil {
		return false, nil // somebody comes
	}
	if inUse(dir) {
		return false, gate.Release()
	}
	return true, errors.Join(
		os.Remove(filepath.Join(dir, addressFile)),
		cluster.StopImmediate(),
		// A new one costs a second; this one could cost gigabytes of memory.
		os.RemoveAll(filepath.Join(dir, "shared", "data")),
		gate.Release(),
	)
}

// clearAway drops the databases of tests that have ended, and those that
// forsaken says have nobody to end them any more.
func clearAway(ctx context.Context, server string, forsaken func(database) bool) (err error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	rows, err := conn.Query(ctx, `
		select datname, coalesce(shobj_description(oid, 'pg_database') = $1, false),
			(select count(*) from pg_stat_activity a where a.datname = d.datname)
		from pg_database d
		where datname ~ '^test_[0-9]+_[0-9]+_[0-9]+$'`, doneMark)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (database, error) {
		var d database
		return d, row.Scan(&d.name, &d.done, &d.connections)
	})
	if err != nil {
		return err
	}
	for _, d := range found {
		if !d.done && !forsaken(d) {
			continue
		}
		// Another process may clear away at the same time.
		if _, err := conn.Exec(ctx, "drop database if exists "+d.name+" with (force)"); err != nil {
			return err
		}
	}
	return nil
}

type database struct {
	name        string
	done        bool
	connections int
}

// abandoned is one whose process, on this machine, has ended.
func abandoned(d database) bool {
	_, pid := d.origin()
	return !alive(pid)
}

// abandonedLongAgo is one that nobody uses and that is older than any test gets:
// its process may have run on another machine.
func abandonedLongAgo(d database) bool {
	made, _ := d.origin()
	return d.connections == 0 && time.Since(made) > longAgo
}

// origin reads what databaseName wrote.
func (d database) origin() (made time.Time, pid int) {
	parts := strings.Split(d.name, "_")
	if len(parts) != 4 {
		return time.Now(), os.Getpid() // cannot be: clearAway asks for this form
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return time.Now(), os.Getpid()
	}
	pid, err = strconv.Atoi(parts[2])
	if err != nil {
		return time.Now(), os.Getpid()
	}
	return time.Unix(seconds, 0), pid
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
