//go:build unix

package composetest

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/internal/pgtest"
	"customercenter/internal/postgres"
)

// followAndPromote carries out a standby's script beside a real primary, but for its last command: the server is started by our own hands, which know how to do so
// as root. It follows, the primary is lost, and whoever asks for the one that takes writes finds the standby.
func followAndPromote(t *testing.T, script string) {
	script, command, found := strings.Cut(script, "exec postgres ")
	if !found || !strings.HasPrefix(command, `-D "$PGDATA"`) {
		t.Fatalf("the script ends with %q", command)
	}
	primary := pgtest.NewCluster(t, false)
	at, err := url.Parse(primary.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	query := func(dsn, sql string) (text string, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		err = conn.QueryRow(ctx, sql).Scan(&text)
		return text, err
	}
	execute := func(dsn, sql string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	await := func(dsn, sql, want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			got, err := query(dsn, sql)
			if err == nil && got == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %q %v, want %q", sql, got, err, want)
			}
		}
	}
	execute(primary.DSN("postgres"), `create table followed (n int); insert into followed values (1)`)

	programs, err := postgres.Program(t.Context(), "pg_basebackup", 0)
	if err != nil {
		t.Fatal(err)
	}
	directory, err := query(primary.DSN("postgres"), "show data_directory")
	if err != nil {
		t.Fatal(err)
	}
	// Beside the primary's, where whoever runs it may go.
	dir := filepath.Dir(directory) + "-standby"
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		c := exec.CommandContext(t.Context(), "bash", "-euc", script)
		c.Env = []string{"PATH=" + filepath.Dir(programs) + ":" + os.Getenv("PATH"), "PGDATA=" + filepath.Join(dir, "data"), "POSTGRES_USER=" + at.User.Username(), "POSTGRES_PASSWORD=none",
			"PRIMARY=" + at.Query().Get("host"), "PGPORT=" + at.Query().Get("port"), "PGSSLMODE=disable"}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if os.Getuid() == 0 {
		info, err := os.Stat(directory)
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(owner.Uid), int(owner.Gid))
		}); err != nil {
			t.Fatal(err)
		}
	}
	standby, err := postgres.Start(t.Context(), postgres.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.StopImmediate(); err != nil {
			t.Error(err)
		}
	})
	await(standby.DSN("postgres"), `select count(*)::text from followed`, "1")
	execute(primary.DSN("postgres"), `insert into followed values (2)`)
	await(standby.DSN("postgres"), `select count(*)::text from followed`, "2")
	await(primary.DSN("postgres"), `select application_name || ' ' || slot_name from pg_stat_replication join pg_replication_slots on active_pid = pid`, "standby standby")

	follows, err := url.Parse(standby.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	either := "host=" + at.Query().Get("host") + "," + follows.Query().Get("host") + " port=" + at.Query().Get("port") + "," + follows.Query().Get("port") +
		" user=" + at.User.Username() + " dbname=postgres sslmode=disable target_session_attrs=read-write"
	await(either, `show data_directory`, directory)
	if err := primary.Crash(); err != nil {
		t.Fatal(err)
	}
	await(standby.DSN("postgres"), `select pg_promote()::text`, "true")
	await(either, `select pg_is_in_recovery()::text`, "false")
	execute(either, `insert into followed values (3)`)
	await(standby.DSN("postgres"), `select count(*)::text from followed`, "3")
}
