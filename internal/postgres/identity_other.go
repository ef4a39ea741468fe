//go:build unix && !linux

package postgres

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// identity says as whom PostgreSQL runs: here always as the user of this process.
type identity struct{ uid, gid int }

func chooseIdentity(_, dataDir, _ string) (identity, error) {
	self := identity{uid: -1, gid: -1}
	euid := os.Geteuid()
	if euid == 0 {
		return self, errors.New("postgres: PostgreSQL does not run as root; run as a normal user")
	}
	if owner, owned := ownerOf(dataDir); owned && owner.uid != euid {
		return self, fmt.Errorf("postgres: %s belongs to user %d and this process runs as user %d; run as that user, or choose another data directory", dataDir, owner.uid, euid)
	}
	return self, nil
}

// attributes is how a child is started: in a process group of its own, so that
// Ctrl-C in a terminal reaches only the parent.
func (identity) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// dieWithParent does nothing: only Linux can do it. What outlives its parent is
// ended by the next start.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
