package postgres

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// isPostmaster tells whether pid is a live postgres that works in the data
// directory, which os.Stat describes.
func isPostmaster(pid int, _ string, data os.FileInfo) bool {
	var is bool
	asOwner(data, func() { is = worksIn(pid, data) })
	return is
}

// workers lists the live processes that work in the data directory. After the
// death of a postmaster these are its backends.
func workers(data os.FileInfo) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	asOwner(data, func() {
		for _, entry := range entries {
			if pid, err := strconv.Atoi(entry.Name()); err == nil && worksIn(pid, data) {
				pids = append(pids, pid)
			}
		}
	})
	return pids
}

// worksIn looks at the working directory, which every process of a server has in
// common, and at the name, which spares a shell that somebody opened there. A
// zombie is not alive, though its pid exists: without an init that reaps, as in
// a container, it exists for ever.
func worksIn(pid int, data os.FileInfo) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	cwd, err := os.Stat(filepath.Join(proc, "cwd"))
	if err != nil || !os.SameFile(cwd, data) {
		return false
	}
	name, err := os.ReadFile(filepath.Join(proc, "comm"))
	return err == nil && bytes.HasPrefix(name, []byte("postgres")) && !isZombie(proc)
}

func isZombie(proc string) bool {
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return true // no such process
	}
	// The state follows the name, which is in parentheses and may hold some itself.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) == 0 || fields[0][0] == 'Z' || fields[0][0] == 'X'
}

// asOwner runs look with the file rights of the user to whom the data belongs.
// Root in a container usually lacks the right to trace, without which it cannot
// see where another user's process works; that user can.
func asOwner(data os.FileInfo, look func()) {
	stat, ok := data.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || !ok || stat.Uid == 0 {
		look()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// These rights are the thread's, which is never given back: it ends with
		// this goroutine. The calls tell no errors; without them less is seen.
		runtime.LockOSThread()
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(stat.Gid), 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(stat.Uid), 0, 0)
		look()
	}()
	<-done
}

// memory is how much this machine has, or how much of it this process may use, in bytes; 0 if neither is known.
func memory() uint64 {
	var info syscall.Sysinfo_t
	most := uint64(0)
	if syscall.Sysinfo(&info) == nil {
		most = uint64(info.Totalram) * uint64(info.Unit)
	}
	for _, limit := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(limit)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && (most == 0 || n < most) { // "max" is no limit
			most = n
		}
	}
	return most
}
