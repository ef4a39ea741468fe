package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity says as whom PostgreSQL runs, which refuses to be root.
type identity struct {
	uid, gid  int  // another user to become, or -1
	namespace bool // a user namespace in which root is somebody else
}

// chooseIdentity decides as whom PostgreSQL runs for the data below dir.
//
// A normal user stays who they are. Root becomes the user that owns the data
// already, else "postgres", else "nobody"; when that user cannot enter a
// directory on the way (all below /root), PostgreSQL runs in a user namespace in
// which root has another number, and the files remain root's.
func chooseIdentity(dir, dataDir, binDir string) (identity, error) {
	self := identity{uid: -1, gid: -1}
	owner, owned := ownerOf(dataDir)
	if euid := os.Geteuid(); euid != 0 {
		if owned && owner.uid != euid {
			return self, fmt.Errorf("postgres: %s belongs to user %d and this process runs as user %d; run as that user, or choose another data directory", dataDir, owner.uid, euid)
		}
		return self, nil
	}
	other := identity{uid: 65534, gid: 65534}
	if owned {
		other = owner
	} else {
		for _, name := range []string{"postgres", "nobody"} {
			if id, ok := lookup(name); ok {
				other = id
				break
			}
		}
	}
	var closed error
	if other.uid != 0 {
		closed = enterable(other, dir, binDir)
		if closed == nil {
			return other, nil
		}
		if owned {
			return self, fmt.Errorf("postgres: %s belongs to another user: %w", dataDir, closed)
		}
	}
	self.namespace = true
	// A container may forbid namespaces, so one is tried with a harmless program.
	try := exec.Command(filepath.Join(binDir, "postgres"), "--version")
	try.SysProcAttr = self.attributes()
	if err := try.Run(); err != nil {
		if closed == nil {
			closed = fmt.Errorf("%s belongs to root", dataDir)
		}
		return self, fmt.Errorf("postgres: PostgreSQL does not run as root, and neither another user (%w) nor a user namespace (%w) will do; choose a data directory such as /var/lib/customercenter, or run as a normal user", closed, err)
	}
	return self, nil
}

// attributes is how a child is started with this identity: in a process group
// of its own, so that Ctrl-C in a terminal reaches only the parent.
func (id identity) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if id.uid >= 0 {
		a.Credential = &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
	}
	if id.namespace {
		const inside = 1000 // any number but 0
		a.Cloneflags = syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: 0, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: 0, Size: 1}}
	}
	return a
}

// dieWithParent makes the child get a signal when the thread that started it
// ends: the caller must keep that thread as long as the child is to live.
func dieWithParent(a *syscall.SysProcAttr, sig syscall.Signal) { a.Pdeathsig = sig }

func lookup(name string) (identity, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return identity{}, false
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return identity{}, false
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return identity{}, false
	}
	return identity{uid: uid, gid: gid}, true
}

// enterable tells whether the user may enter each of the directories and all above them.
func enterable(id identity, dirs ...string) error {
	for _, dir := range dirs {
		for d := dir; ; d = filepath.Dir(d) {
			info, err := os.Stat(d)
			if err != nil {
				return err
			}
			stat, ok := info.Sys().(*syscall.Stat_t)
			mode := info.Mode().Perm()
			may := mode&0o001 != 0
			if ok && int(stat.Uid) == id.uid {
				may = mode&0o100 != 0
			} else if ok && int(stat.Gid) == id.gid {
				may = mode&0o010 != 0
			}
			if !may {
				return fmt.Errorf("user %d cannot enter %s, mode %#o", id.uid, d, mode)
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	return nil
}
