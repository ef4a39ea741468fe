//go:build unix

// Package composetest checks docker-compose.yml and what deploy/ puts over it: the Compose library reads them
// (in a module of its own, see validate), and real servers take the settings. That the program takes its
// command lines is checked in cmd/customercenter.
package composetest

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats-server/v2/server"

	"customercenter/internal/natsserver"
	"customercenter/internal/pgtest"
)

const (
	composeFile = "../../docker-compose.yml"
	clusterFile = "../../deploy/jetstream-cluster.yml"
	standbyFile = "../../deploy/postgres-standby.yml"
	watchFile   = "../../deploy/monitoring.yml"
)

type project struct {
	Services map[string]service
	Configs  map[string]struct{ Content, File string }
	Volumes  map[string]struct{ Name string }
}

type service struct {
	Image       string
	Entrypoint  []string
	Command     []string
	Environment map[string]string
	Ports       []struct {
		HostIP    string `json:"host_ip"`
		Target    int
		Published string
	}
	Volumes     []struct{ Type, Source, Target string }
	Configs     []struct{ Source, Target string }
	Healthcheck struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
	Deploy      struct {
		Resources struct {
			Limits struct {
				CPUs   float64 `json:"cpus"`
				Memory string
			}
		}
	}
	StopGracePeriod string   `json:"stop_grace_period"`
	ReadOnly        bool     `json:"read_only"`
	CapDrop         []string `json:"cap_drop"`
	Profiles        []string
}

// validate runs the module that reads Compose files, each over those before it.
func validate(t *testing.T, paths ...string) ([]byte, error) {
	t.Helper()
	for i := range paths {
		path, err := filepath.Abs(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = path
	}
	// `go test` runs a test again when a file has changed that the test opened,
	// and knows nothing of what other processes open.
	for _, name := range append([]string{"validate/go.mod", "validate/go.sum", "validate/main.go"}, paths...) {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "go", append([]string{"run", "."}, paths...)...)
	c.Dir = "validate"
	c.Env = append(os.Environ(), "GOWORK=off")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return stderr.Bytes(), err
	}
	return stdout.Bytes(), nil
}

func load(t *testing.T, over ...string) project {
	t.Helper()
	out, err := validate(t, append([]string{composeFile}, over...)...)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var p project
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestABrokenFileIsRefused(t *testing.T) {
	good, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "docker-compose.yml")
	text := strings.Replace(string(good), "healthcheck:", "healthchek:", 1)
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := validate(t, broken)
	if err == nil || !bytes.Contains(out, []byte("healthchek")) {
		t.Errorf("%v, want a refusal that names the misspelt word: %s", err, out)
	}
}

func TestServices(t *testing.T) {
	p := load(t)
	if len(p.Services) != 7 {
		t.Errorf("%d services, want 7", len(p.Services))
	}
	for _, name := range []string{"api", "relay", "projector", "policies"} {
		s := p.Services[name]
		if s.DependsOn["postgres"].Condition != "service_healthy" || s.DependsOn["nats"].Condition != "service_healthy" {
			t.Errorf("%s does not wait for its servers: %+v", name, s.DependsOn)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s may do more than it has to", name)
		}
		if name != "api" && len(s.Ports) != 0 {
			t.Errorf("%s is published at %+v", name, s.Ports)
		}
	}
	for name, s := range p.Services {
		if l := s.Deploy.Resources.Limits; l.CPUs == 0 || l.Memory == "" {
			t.Errorf("%s has no limits", name)
		}
		if s.StopGracePeriod != "1m0s" {
			t.Errorf("%s has %q to end", name, s.StopGracePeriod)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is open to others: %+v", name, port)
			}
		}
	}
	for name, want := range map[string]struct {
		image, volume, health string
		port                  int
	}{
		"postgres": {"postgres:18", "/var/lib/postgresql", "pg_isready -h 127.0.0.1", 5432},
		"nats":     {"nats:2-alpine", "/data", "wget", 4222},
	} {
		s, ok := p.Services[name]
		if !ok {
			t.Errorf("no service %s", name)
			continue
		}
		if s.Image != want.image {
			t.Errorf("%s: image %s, want %s", name, s.Image, want.image)
		}
		if len(s.Ports) != 1 || s.Ports[0].HostIP != "127.0.0.1" || s.Ports[0].Target != want.port {
			t.Errorf("%s: ports %+v, want %d on 127.0.0.1 alone", name, s.Ports, want.port)
		}
		if len(s.Volumes) != 1 || s.Volumes[0].Type != "volume" || s.Volumes[0].Target != want.volume {
			t.Errorf("%s: volumes %+v, want one at %s", name, s.Volumes, want.volume)
		} else if _, declared := p.Volumes[s.Volumes[0].Source]; !declared {
			t.Errorf("%s: volume %s is not declared", name, s.Volumes[0].Source)
		}
		if check := strings.Join(s.Healthcheck.Test, " "); !strings.HasPrefix(check, "CMD "+want.health) {
			t.Errorf("%s: healthcheck %q, want %q", name, check, want.health)
		}
	}
}

// The comment at the top is what a newcomer copies.
func TestTheAddressesInTheCommentLeadToTheServices(t *testing.T) {
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	p := load(t)
	address := func(name string) *url.URL {
		m := regexp.MustCompile(`#\s+export ` + name + `='([^']+)'`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("the comment has no %s", name)
		}
		u, err := url.Parse(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, service := range map[string]string{"DATABASE_URL": "postgres", "NATS_URL": "nats"} {
		port := p.Services[service].Ports[0]
		if got, want := address(name).Host, net.JoinHostPort(port.HostIP, port.Published); got != want {
			t.Errorf("%s leads to %s, want %s", name, got, want)
		}
	}
	u, env := address("DATABASE_URL"), p.Services["postgres"].Environment
	password, _ := u.User.Password()
	if u.User.Username() != env["POSTGRES_USER"] || password != env["POSTGRES_PASSWORD"] || u.Path != "/"+env["POSTGRES_DB"] {
		t.Errorf("DATABASE_URL %s does not fit %v", u, env)
	}
}

func TestPostgresRunsWithTheSettingsOfThePrivateServer(t *testing.T) {
	command := load(t).Services["postgres"].Command
	if len(command) < 3 || command[0] != "postgres" {
		t.Fatalf("command %q", command)
	}
	standby := load(t, standbyFile)
	if primary := standby.Services["postgres"].Command; len(primary) < len(command) || !slices.Equal(primary[:len(command)], command) {
		t.Errorf("with a standby the primary has other settings: %q", primary)
	}
	conn, err := pgx.Connect(t.Context(), pgtest.NewCluster(t, true).DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for pair := range slices.Chunk(command[1:], 2) {
		if len(pair) != 2 || pair[0] != "-c" {
			t.Fatalf("%q is no setting", pair)
		}
		name, want, _ := strings.Cut(pair[1], "=")
		var got string
		if err := conn.QueryRow(t.Context(), "select current_setting($1)", name).Scan(&got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "shared_buffers" {
			continue // the private server takes a part of the machine's memory
		}
		if name == "wal_compression" && got != want {
			// That is built in at choice, and from version 15 on; the image has it.
			t.Logf("the server installed here compresses by %q, not %q", got, want)
			continue
		}
		if got != want {
			t.Errorf("%s is %s in the container and %s in the private server", name, want, got)
		}
	}
}

func TestAStandbyFollowsAndTakesOver(t *testing.T) {
	p := load(t, standbyFile)
	s := p.Services["postgres-standby"]
	if len(s.Command) != 1 || !slices.Equal(s.Entrypoint, []string{"bash", "-euc"}) || s.DependsOn["postgres"].Condition != "service_healthy" {
		t.Fatalf("the standby is started by %q %q after %+v", s.Entrypoint, s.Command, s.DependsOn)
	}
	if len(s.Volumes) != 1 || s.Volumes[0].Source == p.Services["postgres"].Volumes[0].Source {
		t.Errorf("volumes %+v", s.Volumes)
	}
	for _, name := range []string{"api", "relay", "projector", "policies"} {
		config, err := pgx.ParseConfig(p.Services[name].Environment["DATABASE_URL"])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if config.Host != "postgres" || len(config.Fallbacks) != 1 || config.Fallbacks[0].Host != "postgres-standby" || config.ValidateConnect == nil {
			t.Errorf("%s does not look for whichever takes writes: %s, then %+v", name, config.Host, config.Fallbacks)
		}
	}
	followAndPromote(t, s.Command[0])
}

func TestMonitoringReadsFilesThatAreThere(t *testing.T) {
	p := load(t, watchFile)
	files := 0
	for _, c := range p.Configs {
		if c.File != "" {
			files++
			if _, err := os.Stat(c.File); err != nil {
				t.Error(err)
			}
		}
	}
	if files != 3 {
		t.Errorf("%d files are mounted, want 3", files)
	}
}

func TestNATSTakesItsConfigurationAndIsHealthy(t *testing.T) {
	p := load(t)
	s := p.Services["nats"]
	if len(s.Configs) != 1 || len(s.Command) != 2 || s.Command[0] != "--config" || s.Command[1] != s.Configs[0].Target {
		t.Fatalf("command %q does not read configuration %+v", s.Command, s.Configs)
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(p.Configs[s.Configs[0].Source].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !options.JetStream || !options.SyncAlways || options.MaxPayload != natsserver.MaxPayload {
		t.Errorf("JetStream %v, SyncAlways %v, MaxPayload %d", options.JetStream, options.SyncAlways, options.MaxPayload)
	}
	if options.StoreDir != s.Volumes[0].Target {
		t.Errorf("messages go to %s, the volume is at %s", options.StoreDir, s.Volumes[0].Target)
	}
	if options.Port != s.Ports[0].Target {
		t.Errorf("it listens at %d, published is %d", options.Port, s.Ports[0].Target)
	}
	health, err := url.Parse(s.Healthcheck.Test[len(s.Healthcheck.Test)-1])
	if err != nil {
		t.Fatal(err)
	}
	if health.Port() != "8222" || options.HTTPPort != 8222 {
		t.Errorf("the healthcheck asks port %s, the server answers at %d", health.Port(), options.HTTPPort)
	}

	options.StoreDir, options.NoSigs, options.NoLog = t.TempDir(), true, true
	options.Host, options.Port, options.HTTPPort = "127.0.0.1", server.RANDOM_PORT, server.RANDOM_PORT
	ns, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	defer func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	}()
	if !ns.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready within 30 s")
	}
	health.Host = ns.MonitorAddr().String()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, health.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the healthcheck is answered by %s", answer.Status)
	}
}
