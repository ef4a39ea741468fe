package faults

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"customercenter/internal/pgtest"
)

const roomPrefix = "customercenter-room-"

// mount gives the room a disk of its own in memory, which the database's user may write to. What killed tests left is removed.
func (r *room) mount(t *testing.T, cluster *pgtest.Cluster) (why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return "only root may mount a small disk"
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), roomPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), roomPrefix), "-")
		if pid, err := strconv.Atoi(owner); err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		_ = syscall.Unmount(dir, syscall.MNT_DETACH) // fails if it was never mounted
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	if r.dir, err = os.MkdirTemp("", roomPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the server ends, which may use it until then
		_ = syscall.Unmount(r.dir, syscall.MNT_DETACH)
		if err := os.Remove(r.dir); err != nil {
			t.Error(err)
		}
	})
	info, err := os.Stat(cluster.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	options := "mode=0700,size=" + strconv.FormatInt(r.bytes, 10) + ",uid=" + strconv.Itoa(int(owner.Uid)) + ",gid=" + strconv.Itoa(int(owner.Gid))
	if err := syscall.Mount("tmpfs", r.dir, "tmpfs", 0, options); err != nil {
		return "a small disk cannot be mounted here: " + err.Error()
	}
	return ""
}

// fill leaves no room, until empty.
func (r *room) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(filepath.Join(r.dir, filler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var size int64
	for piece := r.bytes; piece >= 4096; {
		if err := syscall.Fallocate(int(f.Fd()), 0, size, piece); err == nil {
			size += piece
		} else if errors.Is(err, syscall.ENOSPC) {
			piece /= 2
		} else {
			t.Fatal(err)
		}
	}
}
