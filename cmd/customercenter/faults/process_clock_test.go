//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// buildSteppable builds the product with a clock that can be set: time.Now is ahead by as many seconds as its standard input says, a number a line. The monotonic
// clock, of timers and of how long something takes, goes on as it does when a machine's clock is set. It takes minutes, as everything is built anew.
func buildSteppable(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go")
	text, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	stepped := string(text)
	for before, after := range map[string]string{
		"\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n": "\n// Step is how many seconds Now is ahead.\nvar Step atomic.Int64\n\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += Step.Load()\n",
		"\t\"math/bits\"\n": "\t\"math/bits\"\n\t\"sync/atomic\"\n",
	} {
		if strings.Count(stepped, before) != 1 {
			t.Fatalf("%s is not as it was with Go 1.26: it has no %q", library, before)
		}
		stepped = strings.Replace(stepped, before, after, 1)
	}
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir, overlay := t.TempDir(), map[string]string{}
	for place, text := range map[string]string{library: stepped, filepath.Join(here, "stepped_clock.go"): `package main

import (
	"bufio"
	"os"
	"strconv"
	"time"
)

func init() {
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if seconds, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				time.Step.Store(seconds)
			}
		}
	}()
}
`} {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", len(overlay)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[place] = file
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), replace, 0o600); err != nil {
		t.Fatal(err)
	}
	return buildProgram(t, "-overlay", filepath.Join(dir, "overlay.json"))
}

// steppingOne sets the clock of one process.
func steppingOne(name string, by time.Duration) func(w *world) func() {
	return func(w *world) func() {
		w.stepProcess(name, by)
		return func() { w.stepProcess(name, 0) }
	}
}

func (w *world) stepProcess(name string, by time.Duration) {
	w.t.Helper()
	insist(w.t, "step the clock of "+name, func(context.Context) error {
		return w.processes[name].Say(fmt.Appendln(nil, int64(by.Seconds())))
	})
}
