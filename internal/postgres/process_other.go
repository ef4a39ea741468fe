//go:build unix && !linux

package postgres

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
)

// isPostmaster tells whether pid is a live postgres that was started on dataDir.
func isPostmaster(pid int, dataDir string, _ os.FileInfo) bool {
	out, err := exec.Command("ps", "-o", "stat=,command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || bytes.HasPrefix(bytes.TrimSpace(out), []byte("Z")) {
		return false
	}
	return bytes.Contains(out, []byte("postgres -D "+dataDir+" "))
}

// workers finds none here: backends notice the end of their postmaster by
// themselves, and until then PostgreSQL refuses to start on their data.
func workers(os.FileInfo) []int { return nil }

// memory is not asked for here.
func memory() uint64 { return 0 }
