package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// isTerminal reports whether somebody may be looking at a file, or typing into it.
func isTerminal(f *os.File) bool {
	about, err := f.Stat()
	if err != nil || about.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a device too
	return err != nil || !os.SameFile(about, null)
}

// confirm asks the person at the terminal, and takes everything but a yes for a no.
func (e *environment) confirm(question string) bool {
	fmt.Fprintf(e.stderr, "%s [y/N] ", question)
	answered := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no line is no yes
		answered <- line
	}()
	select {
	case line := <-answered:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes"
	case <-e.ctx.Done():
		fmt.Fprintln(e.stderr)
		return false
	}
}

// interrupted is an error with how things stand and what can be done. After Ctrl-C that is all there is to say; it is an error all the same: what
// was to be done is not done.
func (e *environment) interrupted(err error, next string) error {
	if e.ctx.Err() != nil {
		return errors.New("interrupted. " + next)
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// quoted is a file name as a shell takes it.
func quoted(name string) string {
	if !strings.ContainsAny(name, " \t\n'\"\\$`&;|<>()*?[]#~!{}") {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
