//go:build unix

package faults

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"customercenter/api/ingest"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/eventstore/relay"
	"customercenter/internal/natsserver"
	"customercenter/internal/pgtest"
	"customercenter/internal/processtest"
	"customercenter/projections"
	"customercenter/projections/projector"
)

const (
	databaseName = "faults"
	// user is whom the product logs in as: no superuser, so that limits bind it.
	user   = "product"
	events = "CC_EVENTS"
)

var master = bytes.Repeat([]byte{7}, 32)

// roles are what the processes do: two of each.
var roles = map[string]string{
	"api-0": "api", "api-1": "api", "worker-0": "relay,policies", "worker-1": "relay,policies", "projector-0": "projector", "projector-1": "projector",
}

// world is the system and what stands between its parts.
type world struct {
	t       *testing.T
	program string
	room    *room
	servers struct {
		postgres *pgtest.Cluster
		door     *door
		nats     *natsserver.Server
		config   natsserver.Config
	}
	postgres, nats *link // as the product reaches them

	environment []string
	processes   map[string]*processtest.Process
	listen      map[string]string // of the API
	watched     map[string]string
	stderr      *os.File

	// Of this process, past the links.
	pool    *pgxpool.Pool
	store   *eventstore.Store
	conn    *nats.Conn
	js      jetstream.JetStream
	people  []*person
	traffic *traffic
	markers int
}

// newWorld starts everything, with traffic that is sent at a pace by each person. The database has so many bytes of room, if it can be bounded.
func newWorld(t *testing.T, bytes int64) *world {
	t.Helper()
	w := &world{t: t, processes: map[string]*processtest.Process{}, listen: map[string]string{}, watched: map[string]string{}}
	if *soakFor > 0 {
		w.program = buildSteppable(t)
	} else {
		w.program = buildProgram(t)
	}
	w.startServers(bytes)
	w.environment = []string{
		"DATABASE_URL=postgres://" + user + "@" + w.postgres.address() + "/" + databaseName + "?sslmode=disable", "NATS_URL=nats://" + w.nats.address(),
		"CUSTOMERCENTER_DATA=" + t.TempDir(), "CUSTOMERCENTER_MASTER_KEY=" + base64.StdEncoding.EncodeToString(master),
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABASE_URL=") && !strings.HasPrefix(variable, "NATS_URL=") && !strings.HasPrefix(variable, "CUSTOMERCENTER_") {
			w.environment = append(w.environment, variable)
		}
	}
	var err error
	if w.stderr, err = os.Create(filepath.Join(t.TempDir(), "stderr")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.quote)
	t.Cleanup(func() {
		for _, p := range w.processes {
			p.Kill()
		}
	})
	w.run("migrate")
	for _, tenant := range []string{"acme", "beta"} {
		w.run("tenant", "create", tenant)
		w.people = append(w.people, &person{tenant: tenant, admin: w.run("token", "create", "--tenant", tenant, "--role", "admin", "--actor", "boss")})
	}
	w.setClock()
	var urls []string
	for _, name := range []string{"api-0", "api-1"} {
		w.listen[name] = freeAddress(t)
		urls = append(urls, "http://"+w.listen[name])
	}
	for name := range roles {
		w.watched[name] = freeAddress(t)
		w.start(name)
	}
	for name := range roles {
		w.await(name)
	}
	w.traffic = newTraffic(t, []string{"api-0", "api-1"}, urls)
	w.furnish()
	return w
}

func (w *world) startServers(bytes int64) {
	t := w.t
	s := &w.servers
	s.postgres = pgtest.NewCluster(t, false)
	t.Cleanup(func() {
		if w.pool != nil {
			w.pool.Close()
		}
	})
	w.room = newRoom(t, s.postgres, bytes)
	if w.room.why == "" {
		w.administer(`create tablespace room location '` + w.room.dir + `'`)
	}
	w.administer(`create role ` + user + ` login createrole`)
	w.administer(`create database ` + databaseName + ` owner ` + user + w.room.clause())
	s.door = newDoor(t, socketOf(t, s.postgres))
	w.postgres = newLink(t, "postgres", s.door.address())
	w.open()

	s.config = natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	w.startNATS()
	t.Cleanup(w.stopNATS)
	s.config.Listen = strings.TrimPrefix(s.nats.URL(), "nats://") // to be found again where it was
	w.nats = newLink(t, "nats", s.config.Listen)
	var err error
	if w.conn, err = nats.Connect(s.nats.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.conn.Close)
	if w.js, err = jetstream.New(w.conn); err != nil {
		t.Fatal(err)
	}
}

// open connects this process to the database that there is now.
func (w *world) open() {
	w.t.Helper()
	if w.pool != nil {
		w.pool.Close()
	}
	var err error
	if w.pool, err = eventstore.Connect(w.t.Context(), w.servers.postgres.DSN(databaseName), 8); err != nil {
		w.t.Fatal(err)
	}
	key, err := keyring.NewMaster(master)
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = eventstore.New(w.pool, eventstore.NewCodec(catalog.Events()...), keyring.New(w.pool, key))
}

// administer runs a statement as the server's administrator, outside of the product's database.
func (w *world) administer(statement string, args ...any) {
	w.t.Helper()
	insist(w.t, statement, func(ctx context.Context) error {
		pool, err := pgxpool.New(ctx, w.servers.postgres.DSN("postgres"))
		if err != nil {
			return err
		}
		defer pool.Close()
		_, err = pool.Exec(ctx, statement, args...)
		return err
	})
}

func (w *world) startNATS() {
	w.t.Helper()
	insist(w.t, "start NATS", func(context.Context) (err error) {
		w.servers.nats, err = natsserver.Start(w.servers.config)
		return err
	})
}

func (w *world) stopNATS() {
	if err := w.servers.nats.Stop(); err != nil {
		w.t.Error(err)
	}
}

// socketOf is the socket at which a server listens.
func socketOf(t *testing.T, c *pgtest.Cluster) string {
	t.Helper()
	at, err := url.Parse(c.DSN(databaseName))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(at.Query().Get("host"), ".s.PGSQL."+at.Query().Get("port"))
}

// freeAddress is an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a command of the program and returns what it prints.
func (w *world) run(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), w.program, args...)
	cmd.Env = w.environment
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, &complaint)
	}
	return strings.TrimSpace(string(out))
}

// start starts a process of the product, in the place of one that is gone.
func (w *world) start(name string) {
	w.t.Helper()
	args := []string{"serve", "--role", roles[name], "--watch-listen", w.watched[name], "--drain", "100ms", "--log-level", "warn"}
	if address, api := w.listen[name]; api {
		args = append(args, "--listen", address)
	}
	cmd := exec.Command(w.program, args...)
	cmd.Env, cmd.Stderr = w.environment, w.stderr
	p, err := processtest.Start(cmd, func([]byte) error { return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	w.processes[name] = p
}

// await waits until a process is ready.
func (w *world) await(name string) {
	w.t.Helper()
	insist(w.t, name+" gets ready", func(ctx context.Context) error {
		w.alive(name)
		_, err := w.look(ctx, name, "/readyz")
		return err
	})
}

// alive fails the test if a process has ended by itself.
func (w *world) alive(name string) {
	w.t.Helper()
	select {
	case <-w.processes[name].Ended():
		w.t.Fatalf("%s has ended by itself: %v", name, w.processes[name].Err())
	default:
	}
}

// look asks a process for what it tells those who watch it.
func (w *world) look(ctx context.Context, name, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.watched[name]+path, nil)
	if err != nil {
		return "", err
	}
	r.Close = true
	said, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer said.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(said.Body); err != nil {
		return "", err
	}
	if said.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s: %s: %s", name, path, said.Status, text.Bytes())
	}
	return text.String(), nil
}

// furnish gives each tenant an association, its channel, and the customers whom people edit.
func (w *world) furnish() {
	w.t.Helper()
	for _, p := range w.people {
		made := w.traffic.ask(request{kind: write, method: "POST", path: "/v1/associations", token: p.admin, body: `{"channel": "app", "account": "org#shop", "name": "商城"}`})
		if made == nil || made.status >= 300 {
			w.t.Fatalf("an association: %+v", made)
		}
		p.channel = w.run("token", "create", "--tenant", p.tenant, "--role", "channel", "--actor", "app", "--association", "1")
		var last int64
		for i := range visitors {
			last = w.traffic.receive(p, fmt.Sprintf("edited-%d", i), fmt.Sprintf("%s-edited-%d", p.tenant, i), false)
		}
		insist(w.t, "the first customers", func(context.Context) error {
			a := w.traffic.ask(request{kind: read, method: "GET", path: "/v1/customers?limit=100", token: p.admin, after: last})
			var page struct{ Items []struct{ ID string } }
			if a == nil || a.status != http.StatusOK {
				return fmt.Errorf("%+v", a)
			}
			if err := json.Unmarshal(a.body, &page); err != nil {
				return err
			}
			if p.customers = nil; len(page.Items) != visitors {
				return fmt.Errorf("%d customers", len(page.Items))
			}
			for _, c := range page.Items {
				p.customers = append(p.customers, c.ID)
			}
			return nil
		})
	}
}

// marker is something that happened, by which it can be seen how far everybody is.
type marker struct {
	who      *person
	position int64  // of what came over HTTP
	queued   string // the id of what came over NATS
}

// mark sends something over HTTP and NATS for each tenant, and waits until both have taken it.
func (w *world) mark() (all []marker) {
	w.t.Helper()
	w.markers++
	for _, p := range w.people {
		id := fmt.Sprintf("%s-marker-%d", p.tenant, w.markers)
		m := marker{who: p, position: w.traffic.receive(p, "marked", id, false), queued: id + "-queued"}
		w.traffic.publish(w.js, p, "queued", m.queued)
		all = append(all, m)
	}
	return all
}

// shown waits until each process of the API that is there shows lists with what is marked.
func (w *world) shown(all []marker) {
	w.t.Helper()
	for _, m := range all {
		for i, name := range w.traffic.names {
			insist(w.t, name+" shows "+m.who.tenant+" what was written", func(context.Context) error {
				a := w.traffic.askOne(i, request{kind: read, method: "GET", path: "/v1/customers?limit=1", token: m.who.admin, after: m.position})
				if a == nil || a.status != http.StatusOK || a.header.Get("X-Stale") != "" {
					return fmt.Errorf("%+v", a)
				}
				return nil
			})
		}
	}
}

// handled waits until channel events in the queue are in the log.
func (w *world) handled(all []marker) {
	w.t.Helper()
	for _, m := range all {
		insist(w.t, "the queue's event for "+m.who.tenant, func(ctx context.Context) error {
			var there bool
			err := w.pool.QueryRow(ctx, `select exists (select from receipts where tenant = $1 and key = $2)`, m.who.tenant, "/app\n"+m.queued).Scan(&there)
			if err == nil && !there {
				err = errors.New("it is not in the log")
			}
			return err
		})
	}
}

// carried waits until the relay has carried what is marked to NATS.
func (w *world) carried(all []marker) {
	w.t.Helper()
	insist(w.t, "the relay", func(ctx context.Context) error {
		status, err := relay.Status(ctx, w.store)
		if err != nil {
			return err
		}
		for _, m := range all {
			i := slices.IndexFunc(status, func(s relay.TenantStatus) bool { return s.Tenant == m.who.tenant })
			if i < 0 || status[i].Position < m.position || status[i].Stopped != "" {
				return fmt.Errorf("%s: %+v", m.who.tenant, status)
			}
		}
		return nil
	})
}

// recovered waits until everything works again, without any help: all processes are ready, writes and reads are answered, and what was written is everywhere. It
// returns after how long each was so.
func (w *world) recovered() (steps string) {
	w.t.Helper()
	began := time.Now()
	step := func(name string) {
		steps += fmt.Sprintf(" %s %s", name, time.Since(began).Round(time.Millisecond))
	}
	all := w.mark()
	step("written")
	w.shown(all)
	step("shown")
	w.handled(all)
	step("handled")
	w.carried(all)
	step("carried")
	insist(w.t, "all are ready", func(ctx context.Context) error {
		var each errgroup.Group
		for name := range roles {
			w.alive(name)
			each.Go(func() error {
				_, err := w.look(ctx, name, "/readyz")
				return err
			})
		}
		return each.Wait()
	})
	step("ready")
	return steps
}

// rest lets everybody finish, waits until everything has come to the end of the log, and ends all processes in order.
func (w *world) rest() *projector.Projector {
	w.t.Helper()
	w.traffic.end()
	p, err := projector.New(projector.Config{Store: w.store, Definitions: projections.Definitions()})
	if err != nil {
		w.t.Fatal(err)
	}
	insist(w.t, "come to the end", func(ctx context.Context) error {
		in, err := w.js.Stream(ctx, ingest.StreamIn)
		if err != nil {
			return err
		}
		if waiting := in.CachedInfo().State.Msgs; waiting > 0 {
			return fmt.Errorf("%d channel events wait", waiting)
		}
		carried, err := relay.Status(ctx, w.store)
		if err != nil {
			return err
		}
		for _, s := range carried {
			if s.Lag() != 0 && s.Stopped == "" {
				return fmt.Errorf("the relay is at %d of %d for %s", s.Position, s.Head, s.Tenant)
			}
		}
		folded, err := p.Status(ctx)
		if err != nil {
			return err
		}
		for _, s := range folded {
			if s.State == projector.StatusLive && s.LagEvents > 0 && s.Stopped == "" {
				return fmt.Errorf("%s is at %d of %d for %s", s.Projection, s.Position, s.Head, s.Tenant)
			}
		}
		return nil
	})
	for name, process := range w.processes {
		w.alive(name)
		process.Terminate()
	}
	for name, process := range w.processes {
		<-process.Ended()
		if err := process.Err(); err != nil {
			w.t.Errorf("%s was told to end: %v", name, err)
		}
	}
	return p
}

// deadLetters is how many channel events were set aside.
func (w *world) deadLetters() uint64 {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), ingest.StreamDead)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}

// quote shows the end of what the processes complained of, if the test has failed.
func (w *world) quote() {
	defer func() { _ = w.stderr.Close() }() // it was only read from
	if !w.t.Failed() {
		return
	}
	all, err := os.ReadFile(w.stderr.Name())
	if err != nil {
		w.t.Error(err)
	}
	lines := bytes.SplitAfter(all, []byte("\n"))
	w.t.Logf("the processes complained:\n%s", bytes.Join(lines[max(0, len(lines)-80):], nil))
}
