//go:build unix

package faults

import (
	"os"
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
