package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSaveFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "customers.csv")
	writing := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, failed := io.WriteString(w, text)
			return errors.Join(err, failed)
		}
	}
	holds := func(want string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil || string(text) != want {
			t.Errorf("the file holds %q, %v", text, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("beside it lies something: %v %v", entries, err)
		}
	}
	if n, err := saveFile(nil, file, false, writing("first", nil)); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	holds("first")
	if about, err := os.Stat(file); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("everybody may read it: %v %v", about.Mode(), err)
	}
	if _, err := saveFile(nil, file, false, writing("second", nil)); !errors.As(err, new(usageError)) {
		t.Errorf("it was overwritten: %v", err)
	}
	holds("first")
	broken := errors.New("the connection is gone")
	if _, err := saveFile(nil, file, true, writing("thi", broken)); !errors.Is(err, broken) {
		t.Errorf("half a file was kept: %v", err)
	}
	holds("first")
	if _, err := saveFile(nil, file, true, writing("fourth", nil)); err != nil {
		t.Error(err)
	}
	holds("fourth")

	// What is no file is written to, and stays what it is.
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, _ := os.ReadFile(pipe)
		read <- string(text)
	}()
	if err := vacant(pipe, false); err != nil {
		t.Error(err)
	}
	if n, err := saveFile(nil, pipe, false, writing("through", nil)); n != 7 || err != nil {
		t.Error(n, err)
	}
	if got := <-read; got != "through" {
		t.Errorf("%q came out", got)
	}
	var out strings.Builder
	if n, err := saveFile(&out, "-", false, writing("out", nil)); n != 3 || err != nil || out.String() != "out" {
		t.Error(n, err, out.String())
	}
	for _, place := range []string{dir, filepath.Join(dir, "none", "x.csv"), filepath.Join(file, "x.csv")} {
		if err := vacant(place, true); err == nil {
			t.Errorf("%s is a place for a file", place)
		}
	}
}
