package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

// container is a service of docker-compose.yml.
type container struct {
	Image       string
	Command     []string
	Environment map[string]string
}

// tool runs a module of its own of this repository on files, and reads the JSON it prints.
func tool(t *testing.T, into any, dir string, files ...string) {
	t.Helper()
	dir = filepath.Join("..", "..", dir)
	for _, name := range []string{"main.go", "go.mod", "go.sum"} { // `go test` runs this again when they change, because the test opens them
		if _, err := os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"run", "."}
	for _, file := range files {
		if _, err := os.ReadFile(filepath.Join("..", "..", file)); err != nil {
			t.Fatal(err)
		}
		path, err := filepath.Abs(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	c := exec.CommandContext(t.Context(), "go", args...)
	c.Dir, c.Env = dir, append(os.Environ(), "GOWORK=off")
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaint)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

// containers are the services that run this program, by name.
func containers(t *testing.T, files ...string) map[string]container {
	t.Helper()
	var project struct{ Services map[string]container }
	tool(t, &project, "internal/composetest/validate", append([]string{"docker-compose.yml"}, files...)...)
	maps.DeleteFunc(project.Services, func(_ string, c container) bool { return !strings.HasPrefix(c.Image, "customercenter") })
	if len(project.Services) != 5 {
		t.Fatalf("%d services run this program", len(project.Services))
	}
	return project.Services
}

// instruction is one of a Dockerfile; words of several lines are one.
type instruction struct{ name, rest string }

func dockerfile(t *testing.T) (all []instruction) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			name, rest, _ := strings.Cut(line, " ")
			all = append(all, instruction{name, strings.Join(strings.Fields(rest), " ")})
		}
	}
	return all
}

// imageEnvironment is what the image sets.
func imageEnvironment(t *testing.T) map[string]string {
	t.Helper()
	set := map[string]string{}
	for _, i := range dockerfile(t) {
		if i.name == "ENV" {
			for _, pair := range strings.Fields(i.rest) {
				name, value, _ := strings.Cut(pair, "=")
				set[name] = value
			}
		}
	}
	return set
}

// commandLine is the parser of this program's.
func commandLine(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("customercenter"), kong.DefaultEnvars("CUSTOMERCENTER"))
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// variables are all that the program reads.
func variables(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, name := range f.Envs {
				known[name] = true
			}
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(commandLine(t).Model.Node)
	return known
}

func TestTheImageHasWhatItStarts(t *testing.T) {
	all := dockerfile(t)
	find := func(name string) (found []string) {
		for _, i := range all {
			if i.name == name {
				found = append(found, i.rest)
			}
		}
		return found
	}
	for _, i := range all {
		if !slices.Contains(strings.Fields("ARG FROM WORKDIR COPY ENV RUN USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD"), i.name) {
			t.Errorf("%s is no instruction that is used here", i.name)
		}
	}
	words := func(text string) (list []string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return list
	}
	built := ""
	for _, run := range find("RUN") {
		command := words(run)
		if len(command) > 2 && command[0] == "go" && command[1] == "build" {
			built = strings.TrimPrefix(command[slices.Index(command, "-o")+1], "/out")
			if _, err := os.Stat(filepath.Join("..", "..", command[len(command)-1], "main.go")); err != nil {
				t.Error(err)
			}
		}
	}
	if built != "/usr/local/bin/customercenter" || !slices.Equal(find("ENTRYPOINT"), []string{`["customercenter"]`}) || !slices.Contains(find("COPY"), "--from=build /out/usr/ /usr/") {
		t.Errorf("%s is built, and %v started", built, find("ENTRYPOINT"))
	}
	version, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if minor := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(version); !slices.Contains(find("ARG"), "GO=golang:"+string(minor[1])) {
		t.Errorf("go.mod wants Go %s, the image is built by %v", minor[1], find("ARG"))
	}
	if user := find("USER"); len(user) != 1 || strings.HasPrefix(user[0], "0") || !regexp.MustCompile(`^\d+:\d+$`).MatchString(user[0]) {
		t.Errorf("it runs as %v", user)
	}
	_, check, _ := strings.Cut(strings.Join(find("HEALTHCHECK"), ""), " CMD ")
	for _, command := range [][]string{words(check)[1:], words(strings.Join(find("CMD"), ""))} {
		if _, err := commandLine(t).Parse(command); err != nil {
			t.Errorf("%v: %v", command, err)
		}
	}
	known := variables(t)
	for name := range imageEnvironment(t) {
		if strings.HasPrefix(name, "CUSTOMERCENTER_") && !known[name] {
			t.Errorf("the image sets %s, which nobody reads", name)
		}
	}
}

func TestTheProgramTakesWhatContainersGiveIt(t *testing.T) {
	known := variables(t)
	for _, over := range []string{"", "deploy/jetstream-cluster.yml", "deploy/postgres-standby.yml"} {
		files := []string{}
		if over != "" {
			files = append(files, over)
		}
		for name, c := range containers(t, files...) {
			for variable, value := range c.Environment {
				if strings.HasPrefix(variable, "CUSTOMERCENTER_") || strings.HasSuffix(variable, "_URL") {
					if !known[variable] {
						t.Errorf("%s %s: nobody reads %s", over, name, variable)
					}
					t.Setenv(variable, value)
				}
			}
			if _, err := commandLine(t).Parse(c.Command); err != nil {
				t.Errorf("%s %s: %v: %v", over, name, c.Command, err)
			}
		}
	}
}

// freeAddress is one that nobody listens at just now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// deployment runs the containers of docker-compose.yml as processes beside each other, with their own command lines and environments, but for addresses.
type deployment struct {
	t           *testing.T
	environment []string          // that all have
	watched     map[string]string // where each is watched
	api         string
	processes   map[string]*process
	database    string
}

func deploy(t *testing.T) *deployment {
	d := &deployment{t: t, watched: map[string]string{}, processes: map[string]*process{}, database: pgtest.DSN(t, eventstoretest.Template())}
	bus, api := natstest.Start(t), freeAddress(t)
	d.api = "http://" + api
	all := containers(t)
	image := imageEnvironment(t)
	image["CUSTOMERCENTER_DATA"] = t.TempDir() // the volume with the keys
	for _, name := range slices.Sorted(maps.Keys(all)) {
		environment := maps.Clone(image)
		maps.Copy(environment, all[name].Environment)
		d.watched[name] = freeAddress(t)
		maps.Copy(environment, map[string]string{"DATABASE_URL": d.database, "NATS_URL": bus.URL(), "CUSTOMERCENTER_LISTEN": api, "CUSTOMERCENTER_WATCH_LISTEN": d.watched[name]})
		var list []string
		for variable, value := range environment {
			list = append(list, variable+"="+value)
		}
		d.environment = list
		if name != "tools" {
			d.processes[name] = startWith(t, list, all[name].Command...)
		}
	}
	for name := range d.processes {
		d.await(name)
	}
	return d
}

// run carries out a command in the container for tools.
func (d *deployment) run(args ...string) string {
	d.t.Helper()
	return runWith(d.t, d.environment, args...)
}

// runWith carries out a command with variables of the environment, and returns what it prints.
func runWith(t testing.TB, environment []string, args ...string) string {
	t.Helper()
	p := startWith(t, environment, args...)
	var lines []string
	for line := range p.lines {
		lines = append(lines, line)
	}
	if code := p.ended(); code != 0 {
		t.Fatalf("%v: exit code %d\n%s\n%s", args, code, strings.Join(lines, "\n"), p.stderr)
	}
	return strings.Join(lines, "\n")
}

// await waits until the health check of a container finds it ready.
func (d *deployment) await(name string) {
	d.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		p := startWith(d.t, d.environment, "health", "--watch-listen", d.watched[name])
		if p.ended() == 0 {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("%s does not get ready: %s\n%s", name, p.stderr, d.processes[name].stderr)
		}
	}
}

// series are the series that somebody exposes: of each name the labels.
type series map[string][]map[string]string

var (
	seriesLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// scrape reads what a process exposes, as Prometheus does, which adds job and instance.
func (d *deployment) scrape() series {
	d.t.Helper()
	all := series{}
	for name, address := range d.watched {
		if d.processes[name] == nil {
			continue
		}
		all["up"] = append(all["up"], map[string]string{"job": "customercenter", "instance": address})
		request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			d.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			d.t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
			d.t.Fatalf("%s: %s %v", name, answer.Status, err)
		}
		for line := range strings.Lines(string(text)) {
			if m := seriesLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && !strings.HasPrefix(line, "#") {
				labels := map[string]string{"job": "customercenter", "instance": address}
				for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
					labels[pair[1]] = pair[2]
				}
				all[m[1]] = append(all[m[1]], labels)
			}
		}
	}
	return all
}

// expression is what internal/promtest/parse prints.
type expression struct {
	Where, Alert, Runbook, Text string
	Selectors                   []selector
}

type selector struct {
	Name     string
	Matchers []struct{ Label, Type, Value string }
}

// finds reports whether a selector finds a series. Conditions that only trouble fulfils, an answer of 5xx, need a series that could.
func (s selector) finds(all series) bool {
	return slices.ContainsFunc(all[s.Name], func(labels map[string]string) bool {
		for _, m := range s.Matchers {
			value, has := labels[m.Label]
			whole := func() bool { return regexp.MustCompile("^(?:" + m.Value + ")$").MatchString(value) }
			if !has || m.Type == "=" && value != m.Value || m.Type == "!=" && value == m.Value || m.Type == "=~" && m.Label != "status" && !whole() || m.Type == "!~" && whole() {
				return false
			}
		}
		return true
	})
}

// What docker-compose.yml starts works, and whatever alerts and dashboard ask for is there.
func TestDeployment(t *testing.T) {
	d := deploy(t)
	d.run("tenant", "create", "acme")
	admin := d.run("token", "create", "--tenant", "acme", "--role", "admin", "--actor", "boss")
	ask(t, "POST", d.api+"/v1/associations", admin, `{"channel": "app", "account": "acme#shop", "name": "Shop"}`, nil)
	file := filepath.Join(t.TempDir(), "events.json")
	if err := os.WriteFile(file, []byte(`{"specversion": "1.0", "id": "1", "source": "/app", "type": "message.received", "data": {"external_id": "wang.fang", "message": {"id": "m1", "kind": "text", "text": "hello"}}}
		{"specversion": "1.0", "id": "2", "source": "/app", "type": "no.such"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("channel", "send", "--tenant", "acme", "--association", "1", file)
	var page struct{ Items []struct{ ID string } }
	for end := time.Now().Add(time.Minute); len(page.Items) == 0; time.Sleep(20 * time.Millisecond) {
		if ask(t, "GET", d.api+"/v1/customers", admin, "", &page); time.Now().After(end) {
			t.Fatal("the customer does not appear")
		}
	}
	d.run("projections", "verify", "jobs")

	conn, err := pgx.Connect(t.Context(), d.database) // stands for a standby
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), `select pg_create_physical_replication_slot($1, true, true)`, fmt.Sprint("test_", os.Getpid())); err != nil {
		t.Fatal(err)
	}

	var all []expression
	tool(t, &all, "internal/promtest/parse", "deploy/alerts.yml", "deploy/dashboard.json")
	if len(all) < 40 {
		t.Fatalf("found only %d expressions", len(all))
	}
	missing := func() (list []string) {
		shown := d.scrape()
		for _, e := range all {
			if len(e.Selectors) == 0 {
				t.Fatalf("%s asks for nothing", e.Where)
			}
			for _, s := range e.Selectors {
				if !s.finds(shown) {
					list = append(list, fmt.Sprintf("%s: no process exposes %s %v", e.Where, s.Name, s.Matchers))
				}
			}
		}
		return list
	}
	for end := time.Now().Add(time.Minute); len(missing()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(strings.Join(missing(), "\n"))
		}
	}
	runbook(t, all)
	visit(d)
}

// visit calls the doctor, who finds what is there to be found: the tests' Postgres does not wait for the disk, an event could not be carried out. All else is well.
func visit(d *deployment) {
	d.t.Helper()
	p := startWith(d.t, d.environment, "doctor")
	well := 0
	for line := range p.lines {
		switch {
		case strings.HasPrefix(line, "ok    "):
			well++
		case strings.HasPrefix(line, "      → "), strings.HasPrefix(line, "ILL   what is acknowledged is on the disk: fsync = off"), strings.HasPrefix(line, "look  stream CC_DEAD: 1 channel event"):
		default:
			d.t.Errorf("the doctor says %s", line)
		}
	}
	if code := p.ended(); code != exitFailed || well < 20 {
		d.t.Errorf("exit code %d, %d things are well: %s", code, well, p.stderr)
	}
}

// runbook fails the test unless docs/operations.md has a paragraph about every alert, and about no other.
func runbook(t *testing.T, all []expression) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Alerts\n")
	section, _, _ = strings.Cut(section, "\n## ")
	explained := map[string]string{}
	for _, part := range strings.Split(section, "\n### ")[1:] {
		name, words, _ := strings.Cut(part, "\n")
		explained[name] = strings.TrimSpace(words)
	}
	for _, e := range all {
		if e.Alert == "" {
			continue
		}
		if len(explained[e.Alert]) < 80 || e.Runbook != "docs/operations.md#"+strings.ToLower(e.Alert) {
			t.Errorf("docs/operations.md does not say below \"Alerts\" what to do about %s, or the alert leads elsewhere: %s", e.Alert, e.Runbook)
		}
		delete(explained, e.Alert)
	}
	for name := range explained {
		t.Errorf("docs/operations.md explains %s, which is no alert", name)
	}
}
