package postgres

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// isPostmaster tells whether pid is a live postgres that was started on dataDir,
// which os.Stat describes. A zombie is not live, though its pid exists: without
// an init that reaps, as in a container, it exists for ever.
func isPostmaster(pid int, dataDir string, data os.FileInfo) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if isZombie(proc) {
		return false
	}
	if cwd, err := os.Stat(filepath.Join(proc, "cwd")); err == nil {
		return os.SameFile(cwd, data) && isPostgres(proc)
	}
	// Root without the right to trace, as in a container, cannot follow cwd of
	// another user's process, but everybody may read how it was started.
	args, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return false
	}
	return startedOn(bytes.Split(args, []byte{0}), dataDir)
}

// workers lists the live processes that work in the data directory. After the
// death of a postmaster these are its backends.
func workers(data os.FileInfo) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		proc := filepath.Join("/proc", entry.Name())
		cwd, err := os.Stat(filepath.Join(proc, "cwd"))
		if err == nil && os.SameFile(cwd, data) && isPostgres(proc) && !isZombie(proc) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isPostgres spares a shell that somebody opened in the data directory.
func isPostgres(proc string) bool {
	name, err := os.ReadFile(filepath.Join(proc, "comm"))
	return err == nil && bytes.HasPrefix(name, []byte("postgres"))
}

func isZombie(proc string) bool {
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return true // no such process
	}
	// The state follows the name, which is in parentheses and may hold some itself.
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	fields := bytes.Fields(rest)
	return len(fields) == 0 || fields[0][0] == 'Z' || fields[0][0] == 'X'
}
