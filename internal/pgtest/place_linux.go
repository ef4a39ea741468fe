package pgtest

import (
	"os"
	"syscall"
)

// fastestPlace is the file system in memory, unless it is too small: containers
// often have 64 MB of it, of which PostgreSQL needs some for itself.
func fastestPlace() string {
	const (
		memory = "/dev/shm"
		tmpfs  = 0x01021994
		enough = 2 << 30
	)
	var stat syscall.Statfs_t
	if syscall.Statfs(memory, &stat) == nil && stat.Type == tmpfs && stat.Bavail*uint64(stat.Bsize) > enough {
		return memory
	}
	return os.TempDir()
}
