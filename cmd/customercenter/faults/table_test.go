//go:build unix

package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/eventstore/relay"
)

// part is what a fault strikes. Of faults that are there at once, those of a later one begin later and end earlier: what a fault needs to begin and to end works then.
type part int

const (
	ofNATS part = iota
	ofProcesses
	ofClock
	ofPostgres
)

// fault is something that breaks, and what the API does meanwhile.
type fault struct {
	name          string
	of            part
	reads, writes expectation
	// disk says that it needs a small disk.
	disk bool
	// soak says why only a soak tries it; "" if every run does.
	soak string
	// gone is the process of the API that is struck itself; who calls it is to go to another.
	gone string
	// begin breaks it, and returns what mends it. Nil: it is over by itself.
	begin func(w *world) (end func())
	// until waits for what is to be seen before it ends, if it is more than answers.
	until func(w *world)
}

// faults is all that can break.
var faults = []fault{
	{name: "Postgres is slow", of: ofPostgres, reads: answered, writes: answered, begin: func(w *world) func() {
		w.postgres.slow(30*time.Millisecond, 20*time.Millisecond)
		return w.postgres.heal
	}},
	{name: "Postgres is away", of: ofPostgres, reads: refused, writes: held, begin: func(w *world) func() {
		w.postgres.cut()
		return w.postgres.mend
	}},
	{name: "Postgres is restarted at once", of: ofPostgres, reads: refused, writes: held, begin: func(w *world) func() {
		w.crash()
		return func() {
			insist(w.t, "start Postgres", w.servers.postgres.Start)
		}
	}},
	{name: "Postgres is silent", of: ofPostgres, reads: held, writes: held, begin: func(w *world) func() {
		w.postgres.silence()
		return w.postgres.heal
	}},
	{name: "Postgres is silent for long", of: ofPostgres, soak: "it takes half a minute", reads: held, writes: held, begin: func(w *world) func() {
		w.postgres.silence()
		return w.postgres.heal
	}, until: (*world).refusals},
	{name: "Postgres is out of connections", of: ofPostgres, reads: refused, writes: held, begin: func(w *world) func() {
		w.administer(`alter role ` + user + ` connection limit 0`)
		w.administer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, user)
		return func() { w.administer(`alter role ` + user + ` connection limit -1`) }
	}},
	{name: "Postgres has few connections left", of: ofPostgres, reads: either, writes: either, begin: func(w *world) func() {
		w.administer(`alter role ` + user + ` connection limit 8`)
		w.administer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, user)
		return func() { w.administer(`alter role ` + user + ` connection limit -1`) }
	}},
	{name: "the database's disk is full", of: ofPostgres, disk: true, reads: answered, writes: either, begin: func(w *world) func() {
		room := w.room
		room.fill(w.t)
		return func() { room.empty(w.t) }
	}, until: (*world).refusal},
	{name: "the disk of Postgres's log is full", of: ofPostgres, disk: true, reads: refused, writes: held, begin: (*world).fillLog},
	{name: "Postgres fails over", of: ofPostgres, reads: either, writes: either, begin: (*world).failOver},

	{name: "NATS is away", of: ofNATS, reads: answered, writes: answered, begin: func(w *world) func() {
		w.stopNATS()
		return w.startNATS
	}},
	{name: "NATS is away when processes start", of: ofNATS, reads: answered, writes: answered, gone: "api-0", begin: func(w *world) func() {
		w.stopNATS()
		for _, name := range struck {
			w.processes[name].Kill()
		}
		for _, name := range struck {
			w.start(name)
		}
		return w.startNATS
	}, until: func(w *world) { w.await("api-0") }},
	{name: "NATS cannot be reached", of: ofNATS, reads: answered, writes: answered, begin: func(w *world) func() {
		w.nats.cut()
		return w.nats.mend
	}},
	{name: "NATS is slow", of: ofNATS, reads: answered, writes: answered, begin: func(w *world) func() {
		w.nats.slow(50*time.Millisecond, 20*time.Millisecond)
		return w.nats.heal
	}},
	{name: "NATS is silent", of: ofNATS, reads: answered, writes: answered, begin: func(w *world) func() {
		w.nats.silence()
		return w.nats.heal
	}},
	{name: "the event stream is deleted", of: ofNATS, reads: answered, writes: answered, begin: (*world).deleteStream},
	{name: "the event stream loses its end", of: ofNATS, reads: answered, writes: answered, begin: (*world).cutStream},
	{name: "the queue is deleted", of: ofNATS, reads: answered, writes: answered, begin: (*world).deleteQueue},

	{name: "a projector is frozen", of: ofProcesses, reads: answered, writes: answered, begin: freezing("projector-0"), until: func(w *world) { w.shown(w.mark()) }},
	{name: "the other projector is frozen", of: ofProcesses, reads: answered, writes: answered, begin: freezing("projector-1"), until: func(w *world) { w.shown(w.mark()) }},
	{name: "all projectors are frozen", of: ofProcesses, reads: answered, writes: answered, begin: freezing("projector-0", "projector-1"), until: func(w *world) {
		m := w.mark()[0]
		a := w.traffic.askOne(0, request{kind: read, method: "GET", path: "/v1/customers?limit=1", token: m.who.admin, after: m.position})
		if a == nil || a.status != http.StatusOK || a.header.Get("X-Stale") != "true" {
			w.t.Errorf("nobody folds, and a list with what was just written is %+v", a)
		}
	}},
	{name: "a worker is frozen", of: ofProcesses, reads: answered, writes: answered, begin: freezing("worker-0"), until: func(w *world) { w.takenOver(w.mark()) }},
	{name: "the other worker is frozen", of: ofProcesses, reads: answered, writes: answered, begin: freezing("worker-1"), until: func(w *world) { w.takenOver(w.mark()) }},

	{name: "a process of the API is frozen", of: ofProcesses, reads: answered, writes: answered, gone: "api-0", begin: freezing("api-0")},
	{name: "a process of the API is killed", of: ofProcesses, reads: answered, writes: answered, gone: "api-0", begin: killing("api-0")},
	{name: "a worker is killed", of: ofProcesses, reads: answered, writes: answered, begin: killing("worker-0"), until: func(w *world) { w.takenOver(w.mark()) }},
	{name: "a projector is killed", of: ofProcesses, reads: answered, writes: answered, begin: killing("projector-0"), until: func(w *world) { w.shown(w.mark()) }},
	{name: "processes are killed and started at once", of: ofProcesses, reads: either, writes: either, gone: "api-0", begin: func(w *world) func() {
		for _, name := range struck {
			w.processes[name].Kill()
		}
		for _, name := range struck {
			w.start(name)
		}
		return nil
	}},

	{name: "the clock is set forward", of: ofClock, reads: answered, writes: answered, begin: stepping(40 * time.Second)},
	{name: "the clock is set back", of: ofClock, reads: answered, writes: answered, begin: stepping(-40 * time.Second)},
	{name: "the clock is far ahead", of: ofClock, reads: answered, writes: refused, begin: stepping(10 * time.Minute)},
	{name: "the clock is far behind", of: ofClock, reads: answered, writes: refused, begin: stepping(-10 * time.Minute)},
	{name: "the clock of a process of the API is far ahead", of: ofClock, soak: clockOfItsOwn, reads: answered, writes: either, begin: steppingOne("api-1", 10*time.Minute), until: (*world).refusal},
	{name: "the clock of a worker is far behind", of: ofClock, soak: clockOfItsOwn, reads: answered, writes: answered, begin: steppingOne("worker-1", -10*time.Minute), until: func(w *world) { w.takenOver(w.mark()) }},
	{name: "the clock of a projector is far ahead", of: ofClock, soak: clockOfItsOwn, reads: answered, writes: answered, begin: steppingOne("projector-1", 10*time.Minute), until: func(w *world) { w.shown(w.mark()) }},
}

// together makes one fault of several that strike different parts: whatever is answered meanwhile is right or tells when to come again.
func together(all ...fault) fault {
	slices.SortFunc(all, func(a, b fault) int { return cmp.Compare(a.of, b.of) })
	both := fault{reads: either, writes: either, begin: func(w *world) func() {
		var ends []func()
		for _, f := range all {
			if end := f.begin(w); end != nil {
				ends = append(ends, end)
			}
		}
		return func() {
			for _, end := range slices.Backward(ends) {
				end()
			}
		}
	}}
	var names []string
	for _, f := range all {
		names, both.gone = append(names, f.name), cmp.Or(both.gone, f.gone)
	}
	both.name = strings.Join(names, ", and ")
	return both
}

// pair draws two faults of different parts.
func pair(possible []fault, chance *rand.Rand) fault {
	for {
		a, b := possible[chance.IntN(len(possible))], possible[chance.IntN(len(possible))]
		if a.of != b.of {
			return together(a, b)
		}
	}
}

const clockOfItsOwn = "building a program whose clock can be set takes minutes"

// struck are the processes that are killed. The others live as long as the test, so that it can be seen whether they grow.
var struck = []string{"api-0", "worker-0", "projector-0"}

// refusal waits until a write is refused.
func (w *world) refusal() {
	w.t.Helper()
	insist(w.t, "a write that is refused", func(context.Context) error {
		if w.traffic.now.Load().unavailable[write].Load() == 0 {
			return errors.New("there is none")
		}
		return nil
	})
}

// refusals waits until both a read and a write are refused.
func (w *world) refusals() {
	w.t.Helper()
	w.refusal()
	insist(w.t, "a read that is refused", func(context.Context) error {
		if w.traffic.now.Load().unavailable[read].Load() == 0 {
			return errors.New("there is none")
		}
		return nil
	})
}

// takenOver waits until others do what the relay and the consumers of the queue are to do with what is marked.
func (w *world) takenOver(all []marker) {
	w.t.Helper()
	w.handled(all)
	w.carried(all)
}

func freezing(names ...string) func(w *world) func() {
	return func(w *world) func() {
		for _, name := range names {
			if err := w.processes[name].Freeze(); err != nil {
				w.t.Fatal(err)
			}
		}
		return func() {
			for _, name := range names {
				w.processes[name].Thaw()
			}
		}
	}
}

func killing(name string) func(w *world) func() {
	return func(w *world) func() {
		w.alive(name)
		w.processes[name].Kill()
		return func() { w.start(name) }
	}
}

func stepping(by time.Duration) func(w *world) func() {
	return func(w *world) func() {
		w.stepClock(by)
		return func() { w.stepClock(0) }
	}
}

// crash ends Postgres at once.
func (w *world) crash() {
	w.t.Helper()
	if err := w.servers.postgres.Crash(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stopPostgres() {
	w.t.Helper()
	if err := w.servers.postgres.Stop(); err != nil {
		w.t.Fatal(err)
	}
}

// fillLog moves the log of Postgres to a small disk, on which nothing may be removed, and writes until there is no room. Postgres then ends by itself, and cannot be
// started. It is over when there is room again.
func (w *world) fillLog() func() {
	w.t.Helper()
	log := filepath.Join(w.servers.postgres.DataDir(), "pg_wal")
	w.stopPostgres()
	small := newRoom(w.t, w.servers.postgres, bytesIn(w.t, log)+(40<<20))
	if small.why != "" {
		w.t.Fatal(small.why)
	}
	moveFiles(w.t, log, small.dir)
	if err := os.Remove(log); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(small.dir, log); err != nil {
		w.t.Fatal(err)
	}
	insist(w.t, "start Postgres", w.servers.postgres.Start)
	w.administer(`select pg_create_physical_replication_slot('forgotten', true)`)
	for end := time.Now().Add(patience); !w.servers.postgres.Ended(); {
		if time.Now().After(end) {
			w.t.Fatal("Postgres goes on, though the disk of its log is full")
		}
		w.fillSegment()
	}
	return func() {
		w.stopPostgres()
		if err := os.Remove(log); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Mkdir(log, 0o700); err != nil {
			w.t.Fatal(err)
		}
		moveFiles(w.t, small.dir, log)
		insist(w.t, "start Postgres", w.servers.postgres.Start)
		w.administer(`select pg_drop_replication_slot('forgotten')`)
	}
}

// fillSegment has Postgres begin the next file of its log. Whatever goes wrong with that is what is wanted.
func (w *world) fillSegment() {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.servers.postgres.DSN("postgres"))
	if err != nil {
		pause(10 * time.Millisecond)
		return
	}
	_, _ = conn.Exec(ctx, `select pg_logical_emit_message(true, 'faults', 'x')`)
	_, _ = conn.Exec(ctx, `select pg_switch_wal()`)
	_ = conn.Close(ctx)
}

// failOver makes a standby of Postgres, loses the primary, and leads everybody to the standby once it was promoted.
func (w *world) failOver() func() {
	w.t.Helper()
	next, moved := newRoom(w.t, w.servers.postgres, w.room.bytes), map[string]string{}
	if next.why == "" {
		moved[w.room.dir] = next.dir
	}
	standby := w.servers.postgres.NewStandby(w.t, moved)
	w.crash()
	return func() {
		if err := standby.Promote(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.servers.postgres, w.room = standby, next
		w.open()
		w.servers.door.lead(socketOf(w.t, standby))
	}
}

// deleteStream deletes the copy of the log, and asks for all of it again.
func (w *world) deleteStream() func() {
	w.t.Helper()
	if err := w.js.DeleteStream(w.t.Context(), events); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		for _, p := range w.people {
			insist(w.t, "refill", func(ctx context.Context) error { return relay.Refill(ctx, w.store, p.tenant, 1) })
		}
	}
}

// cutStream puts older files in the place of the event stream's, as a machine may do that has lost power. It is another stream's end than that of the log then.
func (w *world) cutStream() func() {
	w.t.Helper()
	files := filepath.Join(w.servers.config.Dir, "jetstream", "$G", "streams", events)
	old := filepath.Join(w.t.TempDir(), "old")
	w.stopNATS()
	if err := os.CopyFS(old, os.DirFS(files)); err != nil {
		w.t.Fatal(err)
	}
	w.startNATS()
	w.carried(w.mark())
	return func() {
		w.stopNATS()
		if err := os.RemoveAll(files); err != nil {
			w.t.Fatal(err)
		}
		if err := os.CopyFS(files, os.DirFS(old)); err != nil {
			w.t.Fatal(err)
		}
		w.startNATS()
	}
}

// deleteQueue deletes the queue of channel events when it is empty: whatever else was in it would be lost.
func (w *world) deleteQueue() func() {
	w.t.Helper()
	w.traffic.queue.Lock()
	defer w.traffic.queue.Unlock()
	insist(w.t, "an empty queue", func(ctx context.Context) error {
		in, err := w.js.Stream(ctx, ingest.StreamIn)
		if err != nil {
			return err
		}
		if n := in.CachedInfo().State.Msgs; n > 0 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
	if err := w.js.DeleteStream(w.t.Context(), ingest.StreamIn); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		w.t.Fatal(err)
	}
	return nil
}
