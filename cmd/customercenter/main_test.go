package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/pgtest"
)

// TestMain lets the test binary be the program: testscript and the tests of `up` start it again under the name customercenter.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"customercenter": main})
}

// The scripts in testdata/script say what the command line answers: help, mistakes, exit codes.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		e.Setenv("HOME", e.WorkDir)
		for _, name := range []string{"DATABASE_URL", "NATS_URL"} {
			e.Setenv(name, "")
		}
		return nil
	}, RequireExplicitExec: true, Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits}})
}

// The scripts in testdata/database run against a database of their own.
func TestCommandLineWithADatabase(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/database", Setup: func(e *testscript.Env) error {
		e.Setenv("HOME", e.WorkDir)
		e.Setenv("NATS_URL", "")
		e.Setenv("DATABASE_URL", pgtest.DSN(e.T().(testing.TB), eventstoretest.Template()))
		e.Setenv("CUSTOMERCENTER_MASTER_KEY", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
		return nil
	}, RequireExplicitExec: true, Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "take": take}})
}

// take keeps a member of the JSON object that the last command printed: take VARIABLE MEMBER.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take VARIABLE MEMBER")
	}
	var printed map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &printed))
	ts.Setenv(args[0], fmt.Sprint(printed[args[1]]))
}

// exits runs a command that must end with an exit code: exits 2 customercenter nonsense.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG ...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("want exit code %d, got %v", want, err)
	}
}
