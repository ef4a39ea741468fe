//go:build unix && !linux

package pgtest

import "os"

// fastestPlace has no file system in memory to offer here.
func fastestPlace() string { return os.TempDir() }
