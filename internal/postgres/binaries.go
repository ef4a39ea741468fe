//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MinMajor is the oldest PostgreSQL that will do: bit_count came with 14.
const MinMajor = 14

// BinDirEnv names the environment variable that says where postgres and initdb
// are. When it is set, no other place is searched.
const BinDirEnv = "POSTGRES_BIN_DIR"

// ErrNoBinaries means that this machine has no PostgreSQL server programs, or
// none of the version that is needed. The error's text names the one command
// that installs them.
var ErrNoBinaries = errors.New("postgres: no PostgreSQL server programs found")

// remedy ends every error about missing programs.
const remedy = "run `make setup`, which installs them with apt, dnf or brew" +
	" (or set " + BinDirEnv + " to the directory that holds postgres and initdb," +
	" or DATABASE_URL to a server that is running)"

// binaries is one installation that has both postgres and initdb.
type binaries struct {
	dir     string
	version string // such as "15.18"
	major   int
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)(\S*)`)

// choose picks the newest installation, or the newest of major version made
// when a data directory of that version exists (made is 0 otherwise), since
// PostgreSQL opens no data of another major version.
func choose(ctx context.Context, dataDir string, made int) (binaries, error) {
	found := installed(ctx)
	if err := ctx.Err(); err != nil {
		return binaries{}, fmt.Errorf("postgres: %w", err) // the search was cut short
	}
	for _, b := range found {
		if b.major >= MinMajor && (made == 0 || b.major == made) {
			return b, nil
		}
	}
	var versions []string
	for _, b := range found {
		versions = append(versions, b.version)
	}
	has := "nothing"
	if len(versions) > 0 {
		has = strings.Join(versions, ", ")
	}
	where := "this machine has"
	if dir := os.Getenv(BinDirEnv); dir != "" {
		where = BinDirEnv + "=" + dir + " has"
	}
	if made != 0 {
		return binaries{}, fmt.Errorf("%w: the data in %s belongs to PostgreSQL %d, and %s %s;"+
			" install PostgreSQL %d, or move the directory away to begin with an empty one; else %s",
			ErrNoBinaries, dataDir, made, where, has, made, remedy)
	}
	return binaries{}, fmt.Errorf("%w: version %d or newer is needed, and %s %s; %s",
		ErrNoBinaries, MinMajor, where, has, remedy)
}

// installed lists the installations of this machine, the newest first.
func installed(ctx context.Context) []binaries {
	var dirs []string
	if dir := os.Getenv(BinDirEnv); dir != "" {
		dirs = []string{dir}
	} else {
		dirs = usualPlaces(ctx)
	}
	var found []binaries
	for _, dir := range dirs {
		b, ok := probe(ctx, dir)
		if ok && !slices.ContainsFunc(found, func(f binaries) bool { return f.dir == b.dir }) {
			found = append(found, b)
		}
	}
	slices.SortStableFunc(found, func(a, b binaries) int { return b.major - a.major })
	return found
}

func usualPlaces(ctx context.Context) []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // Fedora and its relatives, packages of postgresql.org
		"/usr/libexec/postgresql*",          // Alpine
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple's processors
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel's
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/nix/var/nix/profiles/default/bin",
	} {
		// The patterns are constants, so Glob cannot fail.
		matches, _ := filepath.Glob(pattern)
		dirs = append(dirs, matches...)
	}
	return dirs
}

// probe looks whether dir holds an installation. The programs may be links into
// the directory where initdb looks for its companions, so those are followed.
func probe(ctx context.Context, dir string) (binaries, bool) {
	program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return binaries{}, false
	}
	dir = filepath.Dir(program)
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, false
	}
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return binaries{}, false
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return binaries{}, false
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return binaries{}, false
	}
	return binaries{dir: dir, version: string(m[1]) + string(m[2]), major: major}, true
}

// Installed returns the version and the place of the programs that Start would
// use for a new directory. ErrNoBinaries if there are none.
func Installed(ctx context.Context) (version, dir string, err error) {
	b, err := choose(ctx, "", 0)
	return b.version, b.dir, err
}

// Program returns where one of PostgreSQL's programs is, such as pg_dump: of the installation of a server's major version if it is there, else of the
// newest. ErrNoBinaries if there is none.
func Program(ctx context.Context, name string, major int) (string, error) {
	all := installed(ctx)
	slices.SortStableFunc(all, func(a, b binaries) int {
		switch {
		case a.major == major && b.major != major:
			return -1
		case b.major == major && a.major != major:
			return 1
		}
		return 0
	})
	for _, b := range all {
		path := filepath.Join(b.dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%w: there is no %s; %s", ErrNoBinaries, name, remedy)
}
