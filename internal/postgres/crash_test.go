//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/internal/postgres"
)

// eventually polls for what another process does and cannot signal.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func takesConnections(dsn string) bool {
	conn, err := pgx.Connect(context.Background(), dsn)
	return err == nil && conn.Close(context.Background()) == nil
}

func TestKillOfTheParentEndsTheServerAndLosesNothing(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t), Durable: true}
	p := spawn(t, cfg)
	run(t, p.DSN, "create table t (n int); insert into t values (1)")
	if _, err := postgres.Start(t.Context(), cfg); !errors.Is(err, postgres.ErrLocked) {
		t.Fatalf("beside a living parent: %v, want ErrLocked", err)
	}
	p.kill()
	if runtime.GOOS == "linux" { // elsewhere the next start ends it
		eventually(t, "the server ends with its parent", func() bool { return !takesConnections(p.DSN) })
	}
	c := start(t, cfg)
	if n := count(t, c.DSN("postgres")); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// What outlives its parent is what every kill leaves on systems other than Linux.
func TestAServerThatOutlivedItsParentIsReplaced(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t), Detach: true}
	p := spawn(t, cfg)
	run(t, p.DSN, "create table t (n int); insert into t values (1)")
	p.kill()
	if !takesConnections(p.DSN) {
		t.Fatal("a detached server ended with its parent")
	}
	cfg.Detach = false
	c := start(t, cfg)
	if c.PID() == p.PID {
		t.Error("the orphan was not replaced")
	}
	if n := count(t, c.DSN("postgres")); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestBackendsOfAKilledServerAreEnded(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t)}
	c := start(t, cfg)
	run(t, c.DSN("postgres"), "create table t (n int); insert into t values (1)")
	conn, err := pgx.Connect(t.Context(), c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	backend := int(conn.PgConn().PID())
	busy := make(chan error, 1)
	go func() {
		// A loop that does not look whether the server is alive.
		_, err := conn.Exec(context.Background(), "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b")
		busy <- err
	}()
	eventually(t, "the statement runs", func() bool {
		return query[int](t, c.DSN("postgres"), "select count(*) from pg_stat_activity where state = 'active' and query like '%1000000%' and pid <> pg_backend_pid()") == 1
	})
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, cfg)
	if n := count(t, again.DSN("postgres")); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if err := <-busy; err == nil {
		t.Error("the statement of the killed server was answered")
	}
	if err := syscall.Kill(backend, 0); err == nil && runtime.GOOS == "linux" {
		state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", backend))
		if len(state) > 0 && !zombie(string(state)) {
			t.Errorf("backend %d is alive: %s", backend, state)
		}
	}
}

func zombie(stat string) bool {
	var pid int
	var name, state string
	_, err := fmt.Sscan(stat, &pid, &name, &state)
	return err == nil && state == "Z"
}

func TestStopImmediateKeepsWhatWasCommitted(t *testing.T) {
	for _, durable := range []bool{true, false} {
		t.Run(fmt.Sprintf("durable=%v", durable), func(t *testing.T) {
			cfg := postgres.Config{Dir: newDir(t), Durable: durable}
			c := start(t, cfg)
			run(t, c.DSN("postgres"), "create table t (n int)")
			for range 20 {
				run(t, c.DSN("postgres"), "insert into t values (1)")
			}
			if err := c.StopImmediate(); err != nil {
				t.Fatal(err)
			}
			c = start(t, cfg)
			if n := count(t, c.DSN("postgres")); n != 20 {
				t.Errorf("%d rows, want 20", n)
			}
		})
	}
}

func TestLockFilesOfTheDeadAreRemoved(t *testing.T) {
	// A zombie: dead, and not reaped as long as this test does not wait for it.
	dead := exec.Command("sh", "-c", "exit 0")
	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dead.Wait() }()
	for name, pid := range map[string]int{"a stranger's id": os.Getpid(), "a zombie's id": dead.Process.Pid} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			c := start(t, postgres.Config{Dir: dir})
			pidFile := filepath.Join(dir, "data", "postmaster.pid")
			content, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.StopImmediate(); err != nil {
				t.Fatal(err)
			}
			rest := content[len(fmt.Sprint(c.PID())):]
			stale := append([]byte(fmt.Sprint(pid)), rest...)
			for _, path := range []string{pidFile, filepath.Join(dir, "run", ".s.PGSQL.5432.lock")} {
				if err := os.WriteFile(path, stale, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			start(t, postgres.Config{Dir: dir})
		})
	}
}

func TestAnInitdbThatWasKilledIsBegunAgain(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t), Durable: true}
	p := spawnOnly(t, cfg)
	eventually(t, "initdb is half-way", func() bool {
		written, err := filepath.Glob(filepath.Join(cfg.Dir, "data*", "PG_VERSION"))
		return err == nil && len(written) > 0
	})
	p.kill()
	c := start(t, cfg)
	if n := query[int](t, c.DSN("postgres"), "select 1"); n != 1 {
		t.Errorf("answered %d", n)
	}
	if left, err := filepath.Glob(filepath.Join(cfg.Dir, "data.new-*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestAStartThatIsGivenUpLeavesNothing(t *testing.T) {
	dir := newDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		c, err := postgres.Start(ctx, postgres.Config{Dir: dir})
		if err == nil {
			err = errors.Join(errors.New("it started"), c.Stop())
		}
		result <- err
	}()
	eventually(t, "initdb is half-way", func() bool {
		written, err := filepath.Glob(filepath.Join(dir, "data*", "PG_VERSION"))
		return err == nil && len(written) > 0
	})
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want context.Canceled", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "data*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	start(t, postgres.Config{Dir: dir})
}
