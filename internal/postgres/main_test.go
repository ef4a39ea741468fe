//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"customercenter/internal/postgres"
)

// parentEnv makes this test program a process that starts the cluster of the
// Config it holds, says so, and waits to be killed.
const parentEnv = "CC_TEST_POSTGRES_PARENT"

func TestMain(m *testing.M) {
	if raw := os.Getenv(parentEnv); raw != "" {
		if err := beParent(raw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

type report struct {
	PID int
	DSN string
}

func beParent(raw string) error {
	var cfg postgres.Config
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		return err
	}
	c, err := postgres.Start(context.Background(), cfg)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(report{PID: c.PID(), DSN: c.DSN("postgres")}); err != nil {
		return err
	}
	<-c.Done()
	return c.Stop()
}

// parent is another process that runs a cluster.
type parent struct {
	report
	command *exec.Cmd
}

// spawn starts such a process; it is killed at the end of the test.
func spawn(t *testing.T, cfg postgres.Config) *parent {
	t.Helper()
	p := spawnOnly(t, cfg)
	line, err := bufio.NewReader(p.out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the other process did not start its cluster: %v", err)
	}
	if err := json.Unmarshal(line, &p.report); err != nil {
		t.Fatal(err)
	}
	return &p.parent
}

type spawned struct {
	parent
	out *os.File
}

func spawnOnly(t *testing.T, cfg postgres.Config) *spawned {
	t.Helper()
	raw, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(exe)
	command.Env = append(os.Environ(), parentEnv+"="+string(raw))
	command.Stdout, command.Stderr = write, os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &spawned{parent: parent{command: command}, out: read}
	t.Cleanup(func() {
		p.kill()
		_ = read.Close()
	})
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill is kill -9, and returns when the process is gone. Killing twice is harmless.
func (p *parent) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// newDir is a directory that the user as whom PostgreSQL runs can enter, which
// t.TempDir is not when the tests run as root.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cc-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "pg")
}

// start runs a cluster that is stopped at the end of the test.
func start(t *testing.T, cfg postgres.Config) *postgres.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	c, err := postgres.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.StopImmediate(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func run(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query[T any](t *testing.T, dsn, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// count is how many rows the table t of the tests holds.
func count(t *testing.T, dsn string) int {
	t.Helper()
	return query[int](t, dsn, "select count(*) from t")
}
