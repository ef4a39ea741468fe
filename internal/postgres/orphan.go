//go:build unix

package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pollEvery = 20 * time.Millisecond
	// fastWait is how long a server may take to roll back and write its
	// checkpoint before it is stopped without one, which loses nothing either
	// but makes the next start replay the log.
	fastWait      = 30 * time.Second
	immediateWait = 10 * time.Second
	killWait      = 5 * time.Second
)

// freeData ends whatever an earlier run left on the data directory and removes
// the lock files of the dead. The caller holds the lock of the cluster, so what
// is found belongs to nobody: a server that outlived its parent (it shuts down
// at that moment on Linux, and lives on elsewhere), backends of a server that
// was killed, or files that name a process id which by now is a stranger's or a
// zombie's, and in which postgres would believe.
func freeData(ctx context.Context, dataDir, socketDir string) error {
	data, err := os.Stat(dataDir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	pidFile := filepath.Join(dataDir, "postmaster.pid")
	pid := firstNumber(pidFile)
	for _, step := range []struct {
		sig  syscall.Signal
		wait time.Duration
	}{{syscall.SIGINT, fastWait}, {syscall.SIGQUIT, immediateWait}, {syscall.SIGKILL, killWait}} {
		if pid == 0 || !isPostmaster(pid, dataDir, data) {
			break
		}
		// An error means that it ended meanwhile, which the poll finds out.
		_ = syscall.Kill(pid, step.sig)
		if err := poll(ctx, step.wait, func() bool { return !isPostmaster(pid, dataDir, data) }); err != nil {
			return err
		}
	}
	if pid != 0 && isPostmaster(pid, dataDir, data) {
		return fmt.Errorf("postgres: the server of an earlier run (process %d) does not end", pid)
	}
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		left := workers(data)
		if len(left) == 0 {
			break
		}
		for _, worker := range left {
			_ = syscall.Kill(worker, sig)
		}
		if err := poll(ctx, killWait, func() bool { return len(workers(data)) == 0 }); err != nil {
			return err
		}
	}
	for _, stale := range []string{pidFile, filepath.Join(socketDir, socketName), filepath.Join(socketDir, socketName+".lock")} {
		if err := os.Remove(stale); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	return nil
}

// poll waits until done, at most for the time given; only the end of ctx is an error.
func poll(ctx context.Context, wait time.Duration, done func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for end := time.Now().Add(wait); !done() && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// firstNumber reads the number in the first line of a file, 0 when there is none.
func firstNumber(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// ownerOf says to whom a file or directory belongs, if it exists.
func ownerOf(path string) (identity, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{uid: int(stat.Uid), gid: int(stat.Gid)}, true
}
