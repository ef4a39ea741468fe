//go:build unix

package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/internal/flock"
)

// dirEnv names the environment variable with the directory of the shared server,
// for those who want it elsewhere than in memory.
const dirEnv = "TEST_POSTGRES_DIR"

// The files through which the processes of a run find each other.
const (
	// gateFile is locked by a process that looks for the server or starts it, and
	// by the server's process when it ends it, so that these never meet.
	gateFile = "gate"
	// usersFile is locked, shared, by each process that uses the server.
	usersFile = "users"
	// addressFile holds the URL of the server as long as it runs.
	addressFile = "address"
)

// using is kept for the life of the process: the server runs as long as somebody
// holds it.
//
//lint:ignore U1000 it is there to be kept, not to be read
var using *flock.Lock

// sharedServer is the URL of the database "postgres" of the server that all test
// processes share. The first to ask starts it.
var sharedServer = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if given := os.Getenv(URLEnv); given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return "", fmt.Errorf("%s is no URL that begins with postgres://", URLEnv)
		}
		if err := clearAway(ctx, given, abandonedLongAgo); err != nil {
			return "", fmt.Errorf("the server of %s: %w", URLEnv, err)
		}
		return given, nil
	}
	dir, err := baseDir()
	if err != nil {
		return "", err
	}
	gate, err := flock.Exclusive(filepath.Join(dir, gateFile))
	if err != nil {
		return "", err
	}
	if using, err = flock.Shared(filepath.Join(dir, usersFile)); err != nil {
		return "", errors.Join(err, gate.Release())
	}
	server, err := findOrStart(ctx, dir)
	return server, errors.Join(err, gate.Release())
})

func findOrStart(ctx context.Context, dir string) (string, error) {
	if server, ok := running(ctx, dir); ok {
		return server, nil
	}
	if err := startSupervisor(ctx, dir); err != nil {
		return "", err
	}
	server, ok := running(ctx, dir)
	if !ok {
		return "", errors.New("the shared server ended at once")
	}
	return server, nil
}

// running tells the address that was left, unless it is that of a server which
// has been killed.
func running(ctx context.Context, dir string) (string, bool) {
	b, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		return "", false
	}
	conn, err := pgx.Connect(ctx, string(b))
	if err != nil {
		return "", false
	}
	return string(b), conn.Close(ctx) == nil
}

// startSupervisor runs this test program once more, to be the process that runs
// the server, and returns when the server takes connections.
func startSupervisor(ctx context.Context, dir string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = read.Close() }()
	command := exec.Command(exe)
	command.Dir = "/"
	command.Env = append(os.Environ(), supervisorEnv+"="+dir)
	// Were stdout or stderr those of this process, `go test` would wait for the
	// server to end.
	command.Stdout = write
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	closeErr := write.Close()
	if err != nil {
		return err
	}
	if closeErr != nil {
		return closeErr
	}
	// Nobody waits for it: it outlives this process.
	if err := command.Process.Release(); err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	if err := read.SetReadDeadline(deadline); err != nil {
		return err
	}
	report, err := bufio.NewReader(read).ReadString('\n')
	report = strings.TrimSpace(report)
	switch {
	case err != nil:
		return fmt.Errorf("the shared server did not start: %w", err)
	case report != readyReport:
		return errors.New(report)
	}
	return nil
}

// baseDir is where the shared server keeps its files: in memory when there is
// enough of it, where a clone is up to twenty times faster.
func baseDir() (string, error) {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		dir = filepath.Join(fastestPlace(), fmt.Sprintf("customercenter-test-%d", os.Geteuid()))
	}
	// As root, PostgreSQL runs as another user, who must be able to enter.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s must be a directory of this user into which nobody else can write", dir)
	}
	return dir, nil
}
