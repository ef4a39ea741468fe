//go:build unix

// Package scripts_test runs the scripts of this directory with package managers
// that only pretend.
package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is one with the programs given and a place for PostgreSQL's.
type machine struct {
	bin, postgres, calls string
}

func newMachine(t *testing.T, managers ...string) machine {
	t.Helper()
	m := machine{bin: t.TempDir(), postgres: t.TempDir(), calls: filepath.Join(t.TempDir(), "calls")}
	for _, name := range []string{"sh", "id", "sed", "dirname", "mkdir", "tee", "env", "rm", "chmod", "curl", "jq", "uname"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Changes below /etc are noted, not made.
	m.program(t, "mkdir", `echo "mkdir $*" >>"$CALLS"`)
	m.program(t, "tee", `echo "tee $* $(read -r line; echo "$line")" >>"$CALLS"`)
	m.program(t, "rm", `echo "rm $*" >>"$CALLS"`)
	m.program(t, "sudo", `exec "$@"`)
	m.program(t, "chromium", "echo Chromium")
	m.program(t, "fc-list", "echo Noto")
	for _, name := range managers {
		m.program(t, name, `echo "`+name+` $*" >>"$CALLS"
case " $* " in *" install "*)
	for p in postgres initdb; do
		printf '#!/bin/sh\necho "postgres (PostgreSQL) %s"\n' "$VERSION" >"$POSTGRES_BIN_DIR/$p"
		chmod +x "$POSTGRES_BIN_DIR/$p"
	done
	case " $* " in *" jq "*)
		printf '#!/bin/sh\n' >"$(dirname "$0")/jq"
		chmod +x "$(dirname "$0")/jq"
	esac
	case " $* " in *" chromium-headless-shell "*) [ -z "$NO_SHELL" ] || exit 100 ;; esac
	for b in chromium-headless-shell chromium; do
		case " $* " in *" $b "*)
			printf '#!/bin/sh\n' >"$(dirname "$0")/$b"
			chmod +x "$(dirname "$0")/$b"
		esac
	done
	case " $* " in *" fontconfig "*)
		printf '#!/bin/sh\necho Noto\n' >"$(dirname "$0")/fc-list"
		chmod +x "$(dirname "$0")/fc-list"
	esac
esac`)
	}
	return m
}

func (m machine) program(t *testing.T, name, script string) {
	t.Helper()
	path := filepath.Join(m.bin, name)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!"+filepath.Join(m.bin, "sh")+"\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// setup runs the script, where installing brings that version, and returns what
// it said and which package managers it called.
func (m machine) setup(t *testing.T, version string) (output, calls string, err error) {
	t.Helper()
	script, err := filepath.Abs("setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(m.bin, "sh"), script)
	c.Env = []string{"PATH=" + m.bin, "POSTGRES_BIN_DIR=" + m.postgres, "CALLS=" + m.calls, "VERSION=" + version, "NO_SHELL=" + os.Getenv("NO_SHELL")}
	out, err := c.CombinedOutput()
	noted, readErr := os.ReadFile(m.calls)
	if readErr != nil && !os.IsNotExist(readErr) {
		t.Fatal(readErr)
	}
	return string(out), string(noted), err
}

func TestSetupInstallsPostgresOnce(t *testing.T) {
	for manager, want := range map[string][]string{
		"apt-get": {
			"create_main_cluster = false", "apt-get update",
			"apt-get install -y -q --no-install-recommends postgresql\n",
			"rm -f /etc/postgresql-common/createcluster.d/customercenter-setup.conf",
		},
		"dnf":  {"dnf -y install postgresql-server postgresql-contrib\n"},
		"brew": {"brew install postgresql@17\n"},
	} {
		t.Run(manager, func(t *testing.T) {
			m := newMachine(t, manager)
			out, calls, err := m.setup(t, "17.2 (Debian 17.2-1)")
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			for rest, i := calls, 0; i < len(want); i++ { // in this order
				_, after, found := strings.Cut(rest, want[i])
				if !found {
					t.Fatalf("no %q, or too early, in:\n%s", want[i], calls)
				}
				rest = after
			}
			if !strings.Contains(out, "PostgreSQL 17.2 ") {
				t.Errorf("it does not say what is there now:\n%s", out)
			}
			if out, again, err := m.setup(t, "17.2"); err != nil || again != calls {
				t.Errorf("a second run: %v, calls %s\n%s", err, strings.TrimPrefix(again, calls), out)
			}
		})
	}
}

func TestSetupInstallsWhatTheTourNeeds(t *testing.T) {
	for manager, want := range map[string]string{
		"apt-get": "apt-get install -y -q --no-install-recommends jq\n", "dnf": "dnf -y install jq\n", "brew": "brew install jq\n",
	} {
		m := newMachine(t, manager)
		if err := os.Remove(filepath.Join(m.bin, "jq")); err != nil {
			t.Fatal(err)
		}
		out, calls, err := m.setup(t, "17.2")
		if err != nil || !strings.Contains(calls, want) || strings.Contains(calls, "curl") {
			t.Errorf("%s: %v, calls %s\n%s", manager, err, calls, out)
		}
	}
}

func TestSetupInstallsWhatPagesAreTestedIn(t *testing.T) {
	for machine, want := range map[string][]string{
		"apt-get":                   {"apt-get install -y -q --no-install-recommends chromium-headless-shell\n", "apt-get install -y -q --no-install-recommends fontconfig fonts-noto-cjk\n"},
		"apt-get without the shell": {"apt-get install -y -q --no-install-recommends chromium\n", "apt-get install -y -q --no-install-recommends fontconfig fonts-noto-cjk\n"},
		"dnf":                       {"dnf -y install chromium\n", "dnf -y install fontconfig google-noto-sans-cjk-fonts\n"},
	} {
		manager, without, _ := strings.Cut(machine, " ")
		t.Setenv("NO_SHELL", without)
		m := newMachine(t, manager)
		for _, name := range []string{"chromium", "fc-list"} {
			if err := os.Remove(filepath.Join(m.bin, name)); err != nil {
				t.Fatal(err)
			}
		}
		out, calls, err := m.setup(t, "17.2")
		if err != nil || !strings.Contains(calls, want[0]) || !strings.Contains(calls, want[1]) {
			t.Errorf("%s: %v, calls %s\n%s", machine, err, calls, out)
		}
	}
}

func TestSetupRefusesWhatIsTooOld(t *testing.T) {
	out, _, err := newMachine(t, "apt-get").setup(t, "13.9")
	if err == nil || !strings.Contains(out, "14 or newer") {
		t.Errorf("%v, want a failure that names the version:\n%s", err, out)
	}
}

func TestSetupWithoutAPackageManagerSaysWhatToDo(t *testing.T) {
	out, _, err := newMachine(t).setup(t, "17.2")
	if err == nil || !strings.Contains(out, "POSTGRES_BIN_DIR") || !strings.Contains(out, "DATABASE_URL") {
		t.Errorf("%v, want a failure that names the ways out:\n%s", err, out)
	}
}

func TestSetupReportsAFailedInstallation(t *testing.T) {
	m := newMachine(t)
	m.program(t, "apt-get", `[ "$1" = update ] || exit 100`)
	out, calls, err := m.setup(t, "17.2")
	if err == nil || !strings.Contains(out, "could not be installed") {
		t.Errorf("%v, want a failure:\n%s", err, out)
	}
	if !strings.Contains(calls, "rm -f /etc/postgresql-common") {
		t.Errorf("the note for Debian was left behind:\n%s", calls)
	}
}
