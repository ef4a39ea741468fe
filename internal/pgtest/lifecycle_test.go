//go:build unix

package pgtest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	holdEnv = "CC_PGTEST_HOLD"
	// user is a test that needs a database.
	user = "^TestDSNReachesTheDatabase$"
)

// place is a directory for a shared server apart from that of this run.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cc-pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The server ends by itself, which takes as long as it lingers.
		eventually(t, "the server ended", func() bool {
			return !exists(filepath.Join(dir, "address")) && !exists(filepath.Join(dir, "shared", "data"))
		})
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// program is this test program again, running the tests of that pattern.
func program(t *testing.T, dir, pattern string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run", pattern, "-test.v")
	c.Env = append(os.Environ(), "TEST_DATABASE_URL=", "TEST_POSTGRES_DIR="+dir, "CC_PGTEST_LINGER=1s")
	c.Env = append(c.Env, env...)
	return c
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// eventually polls for what another process does and cannot signal.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(60 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// hold starts a program that keeps a database, and returns its address.
func hold(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	c := program(t, dir, "^TestHoldsADatabaseUntilKilled$", holdEnv+"=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(c) })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if dsn, ok := strings.CutPrefix(lines.Text(), "holds "); ok {
			return c, dsn
		}
	}
	t.Fatalf("the other program has no database: %v", lines.Err())
	return nil, ""
}

// kill is kill -9; killing twice is harmless.
func kill(c *exec.Cmd) {
	_ = c.Process.Kill()
	_ = c.Wait()
}

func databases(t *testing.T, dsn string) []string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	var names []string
	with(t, u.String(), func(conn *pgx.Conn) {
		rows, err := conn.Query(t.Context(), `select datname from pg_database where datname like 'test\_%'`)
		if err != nil {
			t.Fatal(err)
		}
		if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
	})
	return names
}

func TestWithoutProgramsATestFailsAndNamesTheCommand(t *testing.T) {
	t.Parallel()
	out, err := program(t, place(t), user, "POSTGRES_BIN_DIR="+t.TempDir()).CombinedOutput()
	if err == nil {
		t.Fatalf("it passed:\n%s", out)
	}
	if !bytes.Contains(out, []byte("--- FAIL: TestDSNReachesTheDatabase")) || !bytes.Contains(out, []byte("make setup")) {
		t.Errorf("it does not fail with the command that helps:\n%s", out)
	}
}

func TestProgramsAtOnceShareAServerThatEndsAfterThem(t *testing.T) {
	t.Parallel()
	dir := place(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			// Returns only when nobody holds the pipes: the server must not.
			out, err := program(t, dir, user).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
	all.Wait()
	if !exists(filepath.Join(dir, "address")) {
		t.Error("the server did not wait for the next package")
	}
	pid := serverPID(t, dir)
	eventually(t, "the server ended", func() bool { return syscall.Kill(pid, 0) != nil })
}

// serverPID is the process of the shared server in dir.
func serverPID(t *testing.T, dir string) int {
	t.Helper()
	return numberIn(t, filepath.Join(dir, "shared", "data", "postmaster.pid"))
}

// numberIn is the number that a file begins with.
func numberIn(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(string(b), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheDatabaseOfAKilledProgramIsDropped(t *testing.T) {
	t.Parallel()
	dir := place(t)
	first, dsn := hold(t, dir)
	_, other := hold(t, dir) // keeps the server
	if n := len(databases(t, dsn)); n != 2 {
		t.Fatalf("%d databases, want 2", n)
	}
	kill(first)
	eventually(t, "the database is dropped", func() bool { return len(databases(t, dsn)) == 1 })
	with(t, other, func(conn *pgx.Conn) {
		if n := count(t, conn); n != 1 {
			t.Errorf("%d rows in the database of the living, want 1", n)
		}
	})
}

func TestTheDatabaseOfAnEndedTestIsDropped(t *testing.T) {
	t.Parallel()
	dir := place(t)
	_, dsn := hold(t, dir)
	if out, err := program(t, dir, user).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	eventually(t, "only the database in use is left", func() bool { return len(databases(t, dsn)) == 1 })
}

func TestAfterTheServerWasKilledTheNextProgramStartsAnother(t *testing.T) {
	t.Parallel()
	dir := place(t)
	holder, dsn := hold(t, dir)
	pid := serverPID(t, dir)
	supervisor := numberIn(t, filepath.Join(dir, "shared", "lock"))
	if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Logf("the server ended with its supervisor: %v", err)
	}
	eventually(t, "the server is gone", func() bool {
		conn, err := pgx.Connect(t.Context(), dsn)
		return err != nil || conn.Close(t.Context()) != nil
	})
	kill(holder)
	if out, err := program(t, dir, user).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
}

func TestAServerOfOnesOwnIsUsedAndClearedUp(t *testing.T) {
	t.Parallel()
	dir := place(t)
	_, dsn := hold(t, dir) // any server will do
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	own := "TEST_DATABASE_URL=" + u.String()
	old := fmt.Sprintf("test_%d_1_1", time.Now().Add(-24*time.Hour).Unix())
	recent := fmt.Sprintf("test_%d_1_2", time.Now().Unix())
	with(t, u.String(), func(conn *pgx.Conn) {
		for _, name := range []string{old, recent} {
			if _, err := conn.Exec(t.Context(), "create database "+name); err != nil {
				t.Fatal(err)
			}
		}
	})
	elsewhere := filepath.Join(t.TempDir(), "unused")
	for range 2 { // the second clears up after the first
		if out, err := program(t, elsewhere, user, own).CombinedOutput(); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
	}
	if exists(elsewhere) {
		t.Error("a server was started although there is one")
	}
	left := strings.Join(databases(t, dsn), " ")
	if strings.Contains(left, old) || !strings.Contains(left, recent) {
		t.Errorf("left are %s, want %s and not %s", left, recent, old)
	}
	out, err := program(t, elsewhere, user, "TEST_DATABASE_URL=host=/tmp").CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("TEST_DATABASE_URL")) {
		t.Errorf("%v, want a failure that names the variable:\n%s", err, out)
	}
}
