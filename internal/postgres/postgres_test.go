//go:build unix

package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"customercenter/internal/postgres"
)

func TestADurableClusterKeepsItsDataAndSettings(t *testing.T) {
	dir := newDir(t)
	c := start(t, postgres.Config{Dir: dir, Durable: true, Params: map[string]string{"work_mem": "7MB"}})
	if err := c.EnsureDatabase(t.Context(), "centre"); err != nil {
		t.Fatal(err)
	}
	dsn := c.DSN("centre")
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "jit": "off",
		"max_wal_size": "4GB", "checkpoint_timeout": "15min",
		"max_connections": "200", "listen_addresses": "", "work_mem": "7MB", "TimeZone": "UTC",
		"server_version": c.Version(),
	} {
		got, _, _ := strings.Cut(query[string](t, dsn, "show "+name), " ")
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := query[string](t, dsn, "show wal_compression"); got != "lz4" && got != "pglz" && got != "on" {
		t.Errorf("wal_compression is %q", got)
	}
	if got := query[string](t, dsn, "select lower('ÄÖ')"); got != "äö" {
		t.Errorf("lower('ÄÖ') is %q: the locale knows ASCII only", got)
	}
	run(t, dsn, "create table t (n int)")
	run(t, dsn, "insert into t values (1)")
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	select {
	case <-c.Done():
	default:
		t.Error("Done is open after Stop")
	}
	again := start(t, postgres.Config{Dir: dir, Durable: true})
	if got := again.DSN("centre"); got != dsn {
		t.Errorf("the address changed from %s to %s", dsn, got)
	}
	if n := count(t, dsn); n != 1 {
		t.Errorf("%d rows after a restart, want 1", n)
	}
}

func TestEnsureDatabaseByManyAtOnce(t *testing.T) {
	c := start(t, postgres.Config{Dir: newDir(t)})
	var g errgroup.Group
	for range 8 {
		g.Go(func() error { return c.EnsureDatabase(t.Context(), `odd "name"`) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := query[string](t, c.DSN(`odd "name"`), "select current_database()"); got != `odd "name"` {
		t.Errorf("connected to %q", got)
	}
}

func TestASecondStarterIsRefusedAndHarmsNothing(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t)}
	c := start(t, cfg)
	other, err := postgres.Start(t.Context(), postgres.Config{Dir: cfg.Dir, Fresh: true})
	if !errors.Is(err, postgres.ErrLocked) {
		if err == nil {
			err = other.Stop()
		}
		t.Fatalf("second Start: %v, want ErrLocked", err)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not name who has it (%s)", err, want)
	}
	if n := query[int](t, c.DSN("postgres"), "select 1"); n != 1 {
		t.Errorf("the first cluster answered %d", n)
	}
}

func TestWithoutProgramsTheErrorNamesTheOneCommand(t *testing.T) {
	t.Setenv(postgres.BinDirEnv, t.TempDir())
	_, err := postgres.Start(t.Context(), postgres.Config{Dir: newDir(t)})
	if !errors.Is(err, postgres.ErrNoBinaries) {
		t.Fatalf("%v, want ErrNoBinaries", err)
	}
	for _, want := range []string{"make setup", "POSTGRES_BIN_DIR", "DATABASE_URL"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %s", err, want)
		}
	}
	if strings.Count(err.Error(), "`") != 2 {
		t.Errorf("error %q names more than one command", err)
	}
}

func TestProgramsThatAreTooOldAreNamed(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{"postgres": "#!/bin/sh\necho 'postgres (PostgreSQL) 13.4 (Debian)'\n", "initdb": "#!/bin/sh\nexit 1\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(postgres.BinDirEnv, bin)
	_, err := postgres.Start(t.Context(), postgres.Config{Dir: newDir(t)})
	if !errors.Is(err, postgres.ErrNoBinaries) || !strings.Contains(err.Error(), "13.4") {
		t.Fatalf("%v, want ErrNoBinaries that names 13.4", err)
	}
}

func TestDataOfAnotherVersionIsLeftAlone(t *testing.T) {
	dir := newDir(t)
	version := filepath.Join(dir, "data", "PG_VERSION")
	if err := os.MkdirAll(filepath.Dir(version), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, []byte("9999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.Start(t.Context(), postgres.Config{Dir: dir})
	if !errors.Is(err, postgres.ErrNoBinaries) || !strings.Contains(err.Error(), "9999") {
		t.Fatalf("%v, want ErrNoBinaries that names version 9999", err)
	}
	if b, err := os.ReadFile(version); err != nil || string(b) != "9999\n" {
		t.Errorf("the data was touched: %q, %v", b, err)
	}
}

func TestAWrongSettingIsReportedInPostgresWords(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t), Params: map[string]string{"shared_buffers": "many"}}
	_, err := postgres.Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Fatalf("%v, want what the server said about shared_buffers", err)
	}
	cfg.Params = nil
	start(t, cfg) // the directory was let go
}

func TestFreshForgetsEarlierRuns(t *testing.T) {
	dir := newDir(t)
	c := start(t, postgres.Config{Dir: dir})
	run(t, c.DSN("postgres"), "create table t (n int)")
	if err := c.StopImmediate(); err != nil {
		t.Fatal(err)
	}
	c = start(t, postgres.Config{Dir: dir, Fresh: true})
	if query[bool](t, c.DSN("postgres"), "select to_regclass('t') is not null") {
		t.Error("the table of the earlier run is there")
	}
}

func TestADirectoryWhoseNameIsTooLongForASocket(t *testing.T) {
	dir := filepath.Join(newDir(t), strings.Repeat("long", 30))
	c := start(t, postgres.Config{Dir: dir})
	dsn := c.DSN("postgres")
	note := filepath.Join(dir, "socket")
	socket, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(string(socket)) })
	run(t, dsn, "create table t (n int)")
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, postgres.Config{Dir: dir})
	if n := count(t, dsn); n != 0 { // at the old address
		t.Errorf("%d rows", n)
	}
}

// As root the server runs as another user, who cannot enter this directory, and
// so in a user namespace; where the system forbids those, the error says why.
func TestADirectoryThatOthersCannotEnter(t *testing.T) {
	closed := newDir(t)
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := postgres.Config{Dir: filepath.Join(closed, "pg")}
	c, err := postgres.Start(t.Context(), cfg)
	if err != nil && os.Geteuid() == 0 && strings.Contains(err.Error(), "user namespace") {
		if !strings.Contains(err.Error(), "cannot enter "+closed) {
			t.Errorf("error %q does not name the directory", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, c.DSN("postgres"), "create table t (n int)")
	if err := c.StopImmediate(); err != nil {
		t.Fatal(err)
	}
	c = start(t, cfg)
	if n := count(t, c.DSN("postgres")); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestFailedStatementsLeaveNoValuesInTheLog(t *testing.T) {
	c := start(t, postgres.Config{Dir: newDir(t)})
	dsn := c.DSN("postgres")
	run(t, dsn, "create table t (phone text primary key); insert into t values ('13800138000')")
	for _, sql := range []string{
		"insert into t values ('13800138000')",
		"select '13800138000x'::int",
	} {
		conn, err := pgconn.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), sql).ReadAll(); err == nil {
			t.Fatalf("%s: no error", sql)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Stop(); err != nil { // the log is complete then
		t.Fatal(err)
	}
	log, err := os.ReadFile(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "database system is ready") {
		t.Errorf("the log has nothing of the start:\n%s", log)
	}
	if strings.Contains(string(log), "13800138000") {
		t.Errorf("the log has a phone number:\n%s", log)
	}
}

func TestDoneTellsThatTheServerEndedByItself(t *testing.T) {
	cfg := postgres.Config{Dir: newDir(t)}
	c := start(t, cfg)
	if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Stop(); err != nil {
		t.Errorf("Stop of what has ended: %v", err)
	}
	start(t, cfg)
}
