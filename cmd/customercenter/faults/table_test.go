//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/eventstore/relay"
)

// fault is something that breaks, and what the API does meanwhile.
type fault struct {
	name          string
	reads, writes expectation
	// gone is the process of the API that is struck itself; who calls it is to go to another.
	gone string
	// begin breaks it, and returns what mends it. Nil: it is over by itself.
	begin func(w *world) (end func())
	// until waits for what is to be seen before it ends, if it is more than answers.
	until func(w *world)
}

// faults is all that can break.
var faults = []fault{
	{name: "Postgres is slow", reads: answered, writes: answered, begin: func(w *world) func() {
		w.postgres.slow(30*time.Millisecond, 20*time.Millisecond)
		return w.postgres.heal
	}},
	{name: "Postgres is away", reads: refused, writes: held, begin: func(w *world) func() {
		w.postgres.cut()
		return w.postgres.mend
	}},
	{name: "Postgres is restarted at once", reads: refused, writes: held, begin: func(w *world) func() {
		w.crash()
		return func() {
			insist(w.t, "start Postgres", w.servers.postgres.Start)
		}
	}},
	{name: "Postgres is silent", reads: held, writes: held, begin: func(w *world) func() {
		w.postgres.silence()
		return w.postgres.heal
	}},
	{name: "Postgres is out of connections", reads: refused, writes: held, begin: func(w *world) func() {
		w.administer(`alter role ` + user + ` connection limit 0`)
		w.administer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, user)
		return func() { w.administer(`alter role ` + user + ` connection limit -1`) }
	}},
	{name: "Postgres has few connections left", reads: either, writes: either, begin: func(w *world) func() {
		w.administer(`alter role ` + user + ` connection limit 8`)
		w.administer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, user)
		return func() { w.administer(`alter role ` + user + ` connection limit -1`) }
	}},
	{name: diskFull, reads: answered, writes: either, begin: func(w *world) func() {
		room := w.room
		room.fill(w.t)
		return func() { room.empty(w.t) }
	}, until: func(w *world) {
		insist(w.t, "a write that is refused", func(context.Context) error {
			if w.traffic.now.Load().unavailable[write].Load() == 0 {
				return errors.New("there is none")
			}
			return nil
		})
	}},
	{name: "Postgres fails over", reads: either, writes: either, begin: (*world).failOver},

	{name: "NATS is away", reads: answered, writes: answered, begin: func(w *world) func() {
		w.stopNATS()
		return w.startNATS
	}},
	{name: "NATS cannot be reached", reads: answered, writes: answered, begin: func(w *world) func() {
		w.nats.cut()
		return w.nats.mend
	}},
	{name: "NATS is slow", reads: answered, writes: answered, begin: func(w *world) func() {
		w.nats.slow(50*time.Millisecond, 20*time.Millisecond)
		return w.nats.heal
	}},
	{name: "NATS is silent", reads: answered, writes: answered, begin: func(w *world) func() {
		w.nats.silence()
		return w.nats.heal
	}},
	{name: "the event stream is deleted", reads: answered, writes: answered, begin: (*world).deleteStream},
	{name: "the event stream loses its end", reads: answered, writes: answered, begin: (*world).cutStream},
	{name: "the queue is deleted", reads: answered, writes: answered, begin: (*world).deleteQueue},

	{name: "a projector is frozen", reads: answered, writes: answered, begin: freezing("projector-0"), until: func(w *world) { w.shown(w.mark()) }},
	{name: "the other projector is frozen", reads: answered, writes: answered, begin: freezing("projector-1"), until: func(w *world) { w.shown(w.mark()) }},
	{name: "all projectors are frozen", reads: answered, writes: answered, begin: freezing("projector-0", "projector-1"), until: func(w *world) {
		m := w.mark()[0]
		a := w.traffic.askOne(0, request{kind: read, method: "GET", path: "/v1/customers?limit=1", token: m.who.admin, after: m.position})
		if a == nil || a.status != http.StatusOK || a.header.Get("X-Stale") != "true" {
			w.t.Errorf("nobody folds, and a list with what was just written is %+v", a)
		}
	}},
	{name: "a worker is frozen", reads: answered, writes: answered, begin: freezing("worker-0"), until: func(w *world) { w.takenOver(w.mark()) }},
	{name: "the other worker is frozen", reads: answered, writes: answered, begin: freezing("worker-1"), until: func(w *world) { w.takenOver(w.mark()) }},

	{name: "a process of the API is killed", reads: answered, writes: answered, gone: "api-0", begin: killing("api-0")},
	{name: "a worker is killed", reads: answered, writes: answered, begin: killing("worker-0"), until: func(w *world) { w.takenOver(w.mark()) }},
	{name: "a projector is killed", reads: answered, writes: answered, begin: killing("projector-0"), until: func(w *world) { w.shown(w.mark()) }},
	{name: "processes are killed and started at once", reads: either, writes: either, gone: "api-0", begin: func(w *world) func() {
		for _, name := range struck {
			w.processes[name].Kill()
		}
		for _, name := range struck {
			w.start(name)
		}
		return nil
	}},

	{name: "the clock is set forward", reads: answered, writes: answered, begin: stepping(40 * time.Second)},
	{name: "the clock is set back", reads: answered, writes: answered, begin: stepping(-40 * time.Second)},
	{name: "the clock is far ahead", reads: answered, writes: refused, begin: stepping(10 * time.Minute)},
	{name: "the clock is far behind", reads: answered, writes: refused, begin: stepping(-10 * time.Minute)},
}

const diskFull = "the database's disk is full"

// struck are the processes that are killed. The others live as long as the test, so that it can be seen whether they grow.
var struck = []string{"api-0", "worker-0", "projector-0"}

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
