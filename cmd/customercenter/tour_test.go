package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is a piece of a document: commands for a shell, and what they must print.
type block struct {
	line     int
	commands string
	want     string // empty: nothing is promised
	checked  bool
}

// blocks reads the pieces marked sh, each with the piece marked text or json behind it, if one stands there.
func blocks(document string) []block {
	var found []block
	var current *strings.Builder
	kind, begin := "", 0
	for i, line := range strings.Split(document, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && current == nil:
			kind, begin, current = fence, i+1, &strings.Builder{}
		case isFence:
			switch kind {
			case "sh":
				found = append(found, block{line: begin, commands: current.String()})
			case "text", "json":
				if n := len(found); n > 0 && !found[n-1].checked {
					found[n-1].want, found[n-1].checked = current.String(), true
				}
			}
			current = nil
		case current != nil:
			current.WriteString(line + "\n")
		case strings.HasPrefix(line, "#") && len(found) > 0:
			found[len(found)-1].checked = true // what follows a heading belongs to what comes next
		}
	}
	return found
}

// matches compares what was printed with what was promised: … stands for anything on its line.
func matches(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", `[^\n]*`)
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(strings.TrimSpace(got))
}

// The tour is walked as a reader walks it.
func TestTour(t *testing.T) { walk(t, "tour.md", 20) }

// So are the other documents in commands.
func TestDocuments(t *testing.T) { walk(t, "analysis.md", 5) }

// walk runs the commands of a document, at least so many pieces, one after the other, in one shell in an empty directory.
func walk(t *testing.T, name string, least int) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("the document needs %s; `make setup` installs it", tool)
		}
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	pieces := blocks(string(document))
	if len(pieces) < least {
		t.Fatalf("only %d pieces found", len(pieces))
	}
	dir := t.TempDir()
	const mark = "---8<--- end of piece"
	var script strings.Builder
	script.WriteString("set -eu -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || :; wait' EXIT\n")
	for i, p := range pieces {
		fmt.Fprintf(&script, "%s\necho '%s %d'\n", p.commands, mark, i)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "customercenter")); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // it takes seconds; what waits for something that does not come would wait for ever
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-s")
	shell.Dir, shell.Stdin = work, strings.NewReader(script.String())
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "DATABASE_URL" && name != "NATS_URL" && !strings.HasPrefix(name, "CUSTOMERCENTER_") {
			shell.Env = append(shell.Env, v)
		}
	}
	shell.Env = append(shell.Env, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+work, "LANG=C.UTF-8",
		"CUSTOMERCENTER_LISTEN=127.0.0.1:0", "CUSTOMERCENTER_NATS_LISTEN=127.0.0.1:0") // a reader takes the defaults
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGTERM) }
	shell.WaitDelay = 30 * time.Second
	var out, failed bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &failed
	failure := shell.Run()
	printed := strings.Split(out.String(), mark)
	for i, p := range pieces {
		if i >= len(printed)-1 {
			t.Fatalf("docs/%s:%d: %v\n%s\nprinted: %s\n%s", name, p.line, failure, p.commands, printed[len(printed)-1], tail(failed.String()))
		}
		got := printed[i]
		if i > 0 {
			_, got, _ = strings.Cut(got, "\n") // the number behind the mark
		}
		if p.want != "" && !matches(p.want, got) {
			t.Errorf("docs/%s:%d:\n%s\nprinted\n%s\ninstead of\n%s", name, p.line, p.commands, got, p.want)
		}
	}
	if failure != nil {
		t.Errorf("the shell ended with %v\n%s", failure, tail(failed.String()))
	}
}

// tail is the end of what was said.
func tail(s string) string { return s[max(0, len(s)-4000):] }
