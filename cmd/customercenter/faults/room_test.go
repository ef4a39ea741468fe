//go:build unix

package faults

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"customercenter/internal/pgtest"
)

// room is where the tables of the product are: a small disk of their own, so that it can be full without the machine's being so.
type room struct {
	dir   string
	bytes int64
	why   string // there is none; "" if there is
}

const filler = "filler"

// bytesIn is how much the files below a directory take.
func bytesIn(t *testing.T, dir string) (all int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// moveFiles moves what is in a directory to another, perhaps on another disk, with its owners.
func moveFiles(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", `cp -a "$1"/. "$2" && rm -rf "$1"/*`, "sh", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func newRoom(t *testing.T, cluster *pgtest.Cluster, bytes int64) *room {
	t.Helper()
	r := &room{bytes: bytes}
	r.why = r.mount(t, cluster)
	return r
}

// clause says in the statement that creates the database that its tables are there.
func (r *room) clause() string {
	if r.why != "" {
		return ""
	}
	return " tablespace room"
}

// empty gives back what fill took.
func (r *room) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(r.dir, filler)); err != nil {
		t.Fatal(err)
	}
}
