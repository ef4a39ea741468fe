//go:build unix

package crash

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/eventstore"
	"customercenter/eventstore/relay"
	"customercenter/internal/pgtest"
	"customercenter/projections"
	"customercenter/projections/projector"
)

var (
	crashFor  = flag.Duration("crash.for", 20*time.Second, "how long TestCrash kills; give -timeout more than that and two minutes")
	crashSeed = flag.Uint64("crash.seed", 0, "what TestCrash does and when; 0 for another one each time")
)

// patience is for what takes a second or two, and longer on a busy machine.
const patience = 60 * time.Second

const stream = "CC_EVENTS"

var (
	processes = []string{"writer-0", "writer-1", "relay-0", "relay-1", "projector-0", "projector-1"}
	// round is what happens, in some order, again and again: a process is killed by its name, or one of a role is frozen.
	round = append([]string{"writer-0", "writer-1", "relay-0", "relay-1", "projector-0", "projector-1", "nats", "postgres",
		freezing + "relay", freezing + "projector", freezing + "relay", freezing + "projector"}, processes...)
)

const (
	freezing = "freeze "
	// frozen is long enough for another to take over what the frozen one does, see package lease.
	frozen = 3500 * time.Millisecond
)

// TestCrash runs sixteen writers in two processes, two relays, two projectors, NATS and Postgres. It kills each of them again and again,
// freezes some, loses answers of the database, deletes the event stream half-way and has it refilled. Then everything must be as
// the answers said.
func TestCrash(t *testing.T) {
	if deadline, ok := t.Deadline(); ok && time.Until(deadline) < *crashFor+30*time.Second {
		t.Fatalf("-crash.for=%s needs a longer -timeout", *crashFor)
	}
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to do the same again: -crash.seed=%d -crash.for=%s", seed, *crashFor)
	w := newWorld(t, seed)
	began := time.Now()
	w.chaos(*crashFor)
	chaos := time.Since(began)
	w.calm()
	drained := time.Since(began)
	requests := w.fleet.ledger.all(t)
	findings, err := Check(t.Context(), System{
		Store: w.part.store, JetStream: w.js, Projector: w.projector, Requests: requests,
		Projections: []string{projections.CustomersName, projections.SessionsName},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
	for _, name := range append([]string{"stream"}, round...) {
		if w.struck[name] == 0 {
			t.Errorf("%s was never struck: give -crash.for more time", name)
		}
	}
	w.fleet.end(roleNATS)
	l := w.fleet.ledger
	t.Logf("%d requests, %d of them changed something; %d were given to another process, %d answered again, %d without an answer; refused %v",
		len(requests), l.changed, l.carried, l.repeated, l.unknown, l.refused)
	t.Logf("struck %v; killed for %s, calm after %s, checked after %s", w.struck, chaos.Round(time.Millisecond), drained.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	withdrawn, again := w.lives()
	t.Logf("%d customers were withdrawn, %d lives were not the first", withdrawn, again)
	if l.changed > 2000 && (withdrawn == 0 || again == 0) {
		t.Error("nobody was withdrawn and came back")
	}
	if l.changed < writers {
		t.Errorf("only %d requests changed anything", l.changed)
	}
}

// lives counts the lives of customers that have ended, and those that were not the first.
func (w *world) lives() (ended, again int) {
	w.t.Helper()
	if err := w.part.store.Pool().QueryRow(w.t.Context(), `select count(*) filter (where type = 'customer.withdrawn'),
		count(*) filter (where type = 'customer.created' and (data ->> 'generation')::int > 1) from events`).Scan(&ended, &again); err != nil {
		w.t.Fatal(err)
	}
	return ended, again
}

// world is the system and what strikes it.
type world struct {
	t         *testing.T
	rand      *rand.Rand
	postgres  *pgtest.Cluster
	fleet     *fleet
	part      *part // of this process, which is not struck
	js        jetstream.JetStream
	projector *projector.Projector
	struck    map[string]int
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 0)), struck: map[string]int{}}
	w.postgres = pgtest.NewCluster(t, true)
	if err := w.postgres.EnsureDatabase(t.Context(), "crash"); err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.quote(stderr) })
	w.fleet = newFleet(t, stderr)
	nats := childConfig{Role: roleNATS, Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	url := w.fleet.startNATS(nats)
	nats.Listen = strings.TrimPrefix(url, "nats://")
	w.fleet.configs[roleNATS] = nats // to be found again where it was

	common := childConfig{Database: w.postgres.DSN("crash"), NATS: url, Seed: seed, Tags: map[string]uuid.UUID{}}
	if w.part, err = openPart(t.Context(), common.Database, url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.part.close)
	if w.js, err = jetstream.New(w.part.nc); err != nil {
		t.Fatal(err)
	}
	if w.projector, err = w.part.projector(); err != nil {
		t.Fatal(err)
	}
	if err := eventstore.Migrate(t.Context(), w.part.store.Pool()); err != nil {
		t.Fatal(err)
	}
	center := commands.NewCenter(w.part.store, time.Now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	for _, tenant := range tenants {
		common.Tags[tenant] = furnish(t, w.part.store, center, tenant)
	}
	if err := w.projector.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for i, name := range processes {
		c := common
		c.Role, _, _ = strings.Cut(name, "-")
		c.Slot = i % 2
		w.fleet.start(name, c)
	}
	return w
}

// furnish makes a tenant with two associations and a tag.
func furnish(t *testing.T, store *eventstore.Store, center *commands.Center, tenant string) uuid.UUID {
	t.Helper()
	if err := store.CreateTenant(t.Context(), tenant, tenant); err != nil {
		t.Fatal(err)
	}
	by := commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "admin", ID: "a-1"}}
	for _, a := range []commands.RegisterAssociation{{Channel: "app", Account: "org#shop", Name: "商城"}, {Channel: "web", Account: "site", Name: "网站"}} {
		if _, err := a.Run(t.Context(), center, by); err != nil {
			t.Fatal(err)
		}
	}
	made, err := commands.CreateTag{Name: "贵宾"}.Run(t.Context(), center, by)
	if err != nil {
		t.Fatal(err)
	}
	return made.Tag
}

// quote shows the end of what the processes complained of, if the test has failed.
func (w *world) quote(stderr *os.File) {
	defer func() { _ = stderr.Close() }() // it was only read from
	if !w.t.Failed() {
		return
	}
	all, err := os.ReadFile(stderr.Name())
	if err != nil {
		w.t.Error(err)
	}
	lines := bytes.SplitAfter(all, []byte("\n"))
	w.t.Logf("the processes complained:\n%s", bytes.Join(lines[max(0, len(lines)-60):], nil))
}

// chaos strikes for a time, in rounds: everybody's turn comes in each, in another order.
func (w *world) chaos(long time.Duration) {
	began := time.Now()
	for time.Since(began) < long {
		for _, at := range w.rand.Perm(len(round)) {
			if w.struck["stream"] == 0 && time.Since(began) > long/2 {
				w.deleteStream()
			}
			w.pause(time.Duration(100+w.rand.IntN(400)) * time.Millisecond)
			if time.Since(began) > long {
				return
			}
			// What is drawn does not depend on how fast it goes, so that a seed does the same again.
			one, also := w.rand.IntN(2), processes[w.rand.IntN(len(processes))]
			both := w.rand.IntN(2) == 0
			w.strike(round[at], one, also, both)
		}
	}
}

func (w *world) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.t.Context().Done():
	}
}

// strike does one thing of a round: it freezes that one of a role, or kills a process, or stops Postgres and, if both, kills another
// before it is there again.
func (w *world) strike(what string, one int, also string, both bool) {
	w.t.Helper()
	w.struck[what]++
	if role, freeze := strings.CutPrefix(what, freezing); freeze {
		if role == roleRelay {
			w.refillTheEnd()
			w.pause(time.Duration(w.rand.IntN(300)) * time.Millisecond)
		}
		if err := w.fleet.alive[fmt.Sprint(role, "-", one)].freeze(frozen); err != nil {
			w.t.Error(err)
		}
		return
	}
	if what != "postgres" {
		w.fleet.strike(what)
		return
	}
	if err := w.postgres.Crash(); err != nil {
		w.t.Fatal(err)
	}
	if both {
		w.struck[also]++
		w.fleet.strike(also)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.postgres.Start(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// deleteStream deletes the event stream and asks for it to be filled again.
func (w *world) deleteStream() {
	w.t.Helper()
	w.struck["stream"]++
	w.insist("delete the stream", func(ctx context.Context) error {
		err := w.js.DeleteStream(ctx, stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil // an earlier try, without an answer
		}
		return err
	})
	for _, tenant := range tenants {
		w.insist("refill", func(ctx context.Context) error { return relay.Refill(ctx, w.part.store, tenant, 1) })
	}
}

// refillTheEnd gives the relay much to publish, so that what is done to it meets it at work. A refill of more that is under way would
// be overtaken by it, and is left alone.
func (w *world) refillTheEnd() {
	w.t.Helper()
	const some = 5000
	w.insist("refill the end", func(ctx context.Context) error {
		status, err := relay.Status(ctx, w.part.store)
		if err != nil {
			return err
		}
		for _, s := range status {
			if s.Stopped == "" && s.Lag() < some {
				err = errors.Join(err, relay.Refill(ctx, w.part.store, s.Tenant, max(s.Position-some, 1)))
			}
		}
		return err
	})
}

// insist does something until it works.
func (w *world) insist(what string, do func(ctx context.Context) error) {
	w.t.Helper()
	end := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		err := do(ctx)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: %v", what, err)
		}
		w.pause(50 * time.Millisecond)
	}
}

// calm lets the writers finish, waits until relay and projections have come to the end of the log, and ends them in order.
func (w *world) calm() {
	w.t.Helper()
	w.fleet.end("writer-0", "writer-1")
	w.insist("catch up", func(ctx context.Context) error {
		carried, err := relay.Status(ctx, w.part.store)
		if err != nil {
			return err
		}
		for _, s := range carried {
			if s.Lag() > 0 && s.Stopped == "" { // stopped it will go no further
				return fmt.Errorf("the relay is at %d of %d for %s", s.Position, s.Head, s.Tenant)
			}
		}
		folded, err := w.projector.Status(ctx)
		if err != nil {
			return err
		}
		for _, s := range folded {
			if s.LagEvents > 0 && s.Stopped == "" {
				return fmt.Errorf("the projection %s is at %d of %d for %s", s.Projection, s.Position, s.Head, s.Tenant)
			}
		}
		return nil
	})
	w.fleet.end("relay-0", "relay-1", "projector-0", "projector-1")
}
