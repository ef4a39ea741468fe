//go:build unix

// Package flock holds advisory locks on files between processes of one machine.
//
// The kernel drops such a lock with the process that holds it, however that
// process ends, so a lock is never stale. A child process does not inherit it.
// Two locks of one process on the same file exclude each other as well.
package flock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrLocked means that another holder has the lock.
var ErrLocked = errors.New("flock: held by another process")

// Lock is a held lock. It lasts until Release or until the process ends.
type Lock struct{ file *os.File }

// Try takes the lock on path alone, at once or not at all, and creates the file
// when there is none. It leaves the id of this process in the file, and names
// that of the holder in the error, which is ErrLocked, when there is one.
func Try(path string) (*Lock, error) {
	l, err := take(path, syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		if errors.Is(err, ErrLocked) {
			if pid := holder(path); pid > 0 {
				return nil, fmt.Errorf("%w: process %d holds %s", ErrLocked, pid, path)
			}
		}
		return nil, err
	}
	// The id is only for the message above: a lock without it is as good.
	if l.file.Truncate(0) == nil {
		_, _ = l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return l, nil
}

// Exclusive takes the lock on path alone, and waits for it as long as need be.
func Exclusive(path string) (*Lock, error) { return take(path, syscall.LOCK_EX) }

// Shared takes the lock on path together with any number of other shared
// holders, and waits as long as somebody holds it alone.
func Shared(path string) (*Lock, error) { return take(path, syscall.LOCK_SH) }

// Release gives the lock up. The file stays: removing it would let a third
// process lock a new file of the same name while a second holds the old one.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	return nil
}

func take(path string, how int) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("flock: %w", err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return &Lock{file: file}, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	}
	return nil, fmt.Errorf("flock: %s: %w", path, err)
}

func holder(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}
