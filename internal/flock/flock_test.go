//go:build unix

package flock_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"customercenter/internal/flock"
)

func TestTryExcludesASecondHolderAndNamesTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := flock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = flock.Try(path)
	if !errors.Is(err, flock.ErrLocked) {
		t.Fatalf("second Try: %v, want ErrLocked", err)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not name the holder (%s)", err, want)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := flock.Try(path)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSharedHoldersKeepAnExclusiveOneOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, err := flock.Shared(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := flock.Shared(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := flock.Try(path); !errors.Is(err, flock.ErrLocked) {
		t.Fatalf("Try beside a shared holder: %v, want ErrLocked", err)
	}
	waiting := make(chan error)
	go func() {
		alone, err := flock.Exclusive(path)
		if err == nil {
			err = alone.Release()
		}
		waiting <- err
	}()
	if err := two.Release(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Fatalf("Exclusive after the last shared holder: %v", err)
	}
}
