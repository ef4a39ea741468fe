//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser  = "postgres"
	socketPort = "5432"
	socketName = ".s.PGSQL." + socketPort
	// maxSocketPath leaves room to the 103 bytes that macOS allows; Linux allows 107.
	maxSocketPath = 100
	// maxLog is how large postgres.log may be at a start; above, it is put aside.
	maxLog = 10 << 20
)

// settings are those of every cluster of this package, for a machine with two
// cores and four or more GiB of memory.
func settings(durable bool) map[string]string {
	s := map[string]string{
		"listen_addresses":        "",
		"port":                    socketPort,
		"unix_socket_permissions": "0700",
		"max_connections":         "200",
		"shared_buffers":          fmt.Sprintf("%dMB", sharedBuffers(memory())>>20),
		"max_wal_size":            "4GB",
		// New files of the log are not filled with zeros first, for which every commit of a young cluster would wait again and again.
		"wal_init_zero":      "off",
		"checkpoint_timeout": "15min",
		"jit":                "off",
		"timezone":           "UTC",
		"log_timezone":       "UTC",
		// A statement that fails is told to who sent it. In the log its text and
		// its values, such as the key that exists already, would be personal data.
		"log_min_messages":        "log",
		"log_min_error_statement": "panic",
		"log_error_verbosity":     "terse",
		"logging_collector":       "off",
	}
	if !durable {
		// Commits still reach the operating system before they are answered, so
		// that they survive StopImmediate: synchronous_commit stays on.
		s["fsync"] = "off"
		s["shared_buffers"] = "256MB"
		s["full_page_writes"] = "off"
		s["max_wal_size"] = "1GB"
		// Below the data directory, so that what a killed test left goes with it.
		s["dynamic_shared_memory_type"] = "mmap"
	}
	return s
}

// sharedBuffers is how much of a machine's memory, in bytes, a durable cluster
// keeps pages in: an eighth, within bounds. Of a machine that does not tell how
// much it has, 0, it takes the least. Pages beyond that are in the system's cache.
func sharedBuffers(memory uint64) uint64 {
	const least, most = 256 << 20, 4 << 30
	return min(max(memory/8, least), most)
}

// run starts the server and waits until it takes connections.
func (c *Cluster) run(ctx context.Context, cfg Config, programs binaries, who identity, dataDir string) error {
	params := settings(cfg.Durable)
	params["unix_socket_directories"] = c.socket
	if cfg.Durable {
		params["wal_compression"] = walCompression(ctx, programs, dataDir)
	}
	maps.Copy(params, cfg.Params)
	args := []string{"-D", dataDir} // first, so that the process is recognised by it
	for _, name := range slices.Sorted(maps.Keys(params)) {
		args = append(args, "-c", name+"="+params[name])
	}
	log, err := openLog(c.LogPath())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	c.command = exec.Command(filepath.Join(programs.dir, "postgres"), args...)
	c.command.Dir, c.command.Env = "/", environment()
	c.command.Stdout, c.command.Stderr = log, log
	c.command.SysProcAttr = who.attributes()
	if cfg.Detach {
		c.command.SysProcAttr.Setpgid, c.command.SysProcAttr.Setsid = false, true
	} else {
		dieWithParent(c.command.SysProcAttr, syscall.SIGINT)
	}
	started := make(chan error, 1)
	go func() {
		// The signal of dieWithParent is sent when the thread that forked ends, so
		// the thread is kept as long as the server lives, and ends with it.
		runtime.LockOSThread()
		err := c.command.Start()
		started <- err
		if err == nil {
			// How it ended is in its log; that it ended is all that counts here.
			_ = c.command.Wait()
			close(c.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("postgres: start the server: %w", err)
	}
	if err := c.await(ctx, begin); err != nil {
		// A start that was given up must leave nothing running.
		stopErr := c.end([]stopStep{{syscall.SIGINT, fastWait}, {syscall.SIGQUIT, immediateWait}, {syscall.SIGKILL, killWait}})
		return errors.Join(err, stopErr)
	}
	return nil
}

// await returns when the server takes connections, has ended, or ctx has.
func (c *Cluster) await(ctx context.Context, begin int64) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("postgres: the server ended at once; its log, %s, says: %s", c.LogPath(), tail(c.LogPath(), begin))
		case <-ctx.Done():
			return fmt.Errorf("postgres: the server takes no connections yet (%w): %w", err, ctx.Err())
		case <-tick.C:
		}
	}
}

func (c *Cluster) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// initialise makes the data directory unless there is one. It is made under
// another name and renamed when it is whole: initdb writes PG_VERSION early, so
// one that was killed half-way would look finished.
func initialise(ctx context.Context, programs binaries, who identity, durable bool, dir, dataDir string) error {
	unfinished, err := filepath.Glob(filepath.Join(dir, "data.new-*"))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	for _, path := range unfinished {
		// A server that initdb had started may live a moment longer than it, and write.
		err := os.RemoveAll(path)
		for end := time.Now().Add(killWait); err != nil && time.Now().Before(end) && ctx.Err() == nil; err = os.RemoveAll(path) {
			time.Sleep(50 * time.Millisecond)
		}
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	if _, err := os.Stat(dataDir); err == nil {
		return nil
	} else if !os.IsNotExist(err) {
		return fmt.Errorf("postgres: %w", err)
	}
	fresh, err := os.MkdirTemp(dir, "data.new-")
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := who.own(fresh); err != nil {
		return err
	}
	args := []string{"-D", fresh, "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-instructions", "--locale=" + utf8Locale()}
	if programs.major >= 17 {
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8") // sorts alike on every platform
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	command := exec.CommandContext(ctx, filepath.Join(programs.dir, "initdb"), args...)
	command.Dir, command.Env, command.SysProcAttr = "/", environment(), who.attributes()
	dieWithParent(command.SysProcAttr, syscall.SIGKILL)
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = killWait
	runtime.LockOSThread() // for dieWithParent
	out, err := command.CombinedOutput()
	runtime.UnlockOSThread()
	if err != nil {
		err = fmt.Errorf("postgres: initdb: %w: %s", err, strings.TrimSpace(string(out)))
		if ctx.Err() != nil {
			err = fmt.Errorf("postgres: %w", ctx.Err()) // killed above, in the midst of its work
		}
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, dataDir); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return syncDirectory(dir)
}

// utf8Locale is one whose case and trigram functions know more letters than
// ASCII's; "C" does not.
func utf8Locale() string {
	if runtime.GOOS == "darwin" {
		return "en_US.UTF-8"
	}
	return "C.UTF-8"
}

// walCompression is the best method the server was built with: lz4 came with
// version 15 and is optional even then.
func walCompression(ctx context.Context, programs binaries, dataDir string) string {
	// With -C the server prints a setting, or refuses it, and ends. It must come
	// first: only then does the server do it for root, too.
	try := exec.CommandContext(ctx, filepath.Join(programs.dir, "postgres"), "-C", "wal_compression", "-D", dataDir, "-c", "wal_compression=lz4")
	try.Env, try.Dir = environment(), "/"
	if out, err := try.Output(); err == nil && strings.TrimSpace(string(out)) == "lz4" {
		return "lz4"
	}
	return "on"
}

// socketDirectory is dir/run, unless a socket's path would be too long there:
// then it is a directory below /tmp, which dir/socket remembers so that the
// address stays the same.
func socketDirectory(dir string) (string, error) {
	run := filepath.Join(dir, "run")
	if len(run)+1+len(socketName) <= maxSocketPath {
		if err := os.MkdirAll(run, 0o700); err != nil {
			return "", fmt.Errorf("postgres: %w", err)
		}
		return run, nil
	}
	note := filepath.Join(dir, "socket")
	if b, err := os.ReadFile(note); err == nil {
		// Whoever may write below /tmp could have put another in its place.
		info, err := os.Lstat(string(b))
		if err == nil && info.IsDir() && info.Mode().Perm() == 0o700 && trusted(string(b), dir) {
			return string(b), nil
		}
	}
	short, err := os.MkdirTemp("/tmp", "postgres-")
	if err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	if err := os.WriteFile(note, []byte(short), 0o600); err != nil {
		return "", errors.Join(fmt.Errorf("postgres: %w", err), os.Remove(short))
	}
	return short, nil
}

// trusted tells whether the directory belongs to this user or to the owner of the data.
func trusted(path, dir string) bool {
	owner, ok := ownerOf(path)
	data, made := ownerOf(filepath.Join(dir, "data"))
	return ok && (owner.uid == os.Geteuid() || made && owner.uid == data.uid)
}

// own gives a directory to the user as whom PostgreSQL runs.
func (id identity) own(path string) error {
	if id.uid < 0 {
		return nil
	}
	if err := os.Chown(path, id.uid, id.gid); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// environment is what the programs need. PGDATA and its like would change what they do.
func environment() []string {
	env := []string{"TZ=UTC", "LC_ALL=C"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("postgres: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return log, nil
}

// tail is what the server wrote since begin, at most its last 2,000 bytes.
func tail(path string, begin int64) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	b = b[min(begin, int64(len(b))):]
	return strings.TrimSpace(string(b[max(0, len(b)-2000):]))
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}
