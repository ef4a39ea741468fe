package relay

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

func TestAnotherRelayTakesOver(t *testing.T) {
	store, server := newStore(t, "acme", "beta"), natstest.Start(t)
	connA, connB := natstest.Connect(t, server), natstest.Connect(t, server)
	stopA := start(t, newRelay(t, store, connA))
	nc := natstest.Connect(t, server)
	appendEvents(t, store, "acme", 10, 10)
	positions(t, nc, "acme", 10, 1)
	start(t, newRelay(t, store, connB))
	var writers sync.WaitGroup
	writers.Go(func() { appendEvents(t, store, "acme", 20_000, 50) })
	writers.Go(func() { appendEvents(t, store, "beta", 5_000, 10) })
	positions(t, nc, "acme", 3000, 1)
	connA.Close() // in the middle, with messages in flight
	stopA()
	dense(t, positions(t, nc, "acme", 20_010, 1), 1, 20_010)
	dense(t, positions(t, nc, "beta", 5_000, 1), 1, 5_000)
	writers.Wait()
}

// Two relays that both believe to hold the lease must not spoil the stream: the expected sequence keeps them apart.
func TestTwoRelaysAtOnceDoNotInterleave(t *testing.T) {
	store, server := newStore(t, "acme", "beta"), natstest.Start(t)
	for range 2 {
		nc := natstest.Connect(t, server)
		r := newRelay(t, store, nc)
		background(t, func(ctx context.Context) {
			bells, err := bell.Listen(nc)
			if err != nil {
				t.Error(err)
				return
			}
			defer bells.Close()
			if err := r.relay(ctx, bells); err != nil {
				t.Error(err)
			}
		})
	}
	var writers sync.WaitGroup
	writers.Go(func() { appendEvents(t, store, "acme", 5_000, 7) })
	writers.Go(func() { appendEvents(t, store, "beta", 5_000, 7) })
	writers.Wait()
	nc := natstest.Connect(t, server)
	dense(t, positions(t, nc, "acme", 5_000, 1), 1, 5_000)
	dense(t, positions(t, nc, "beta", 5_000, 1), 1, 5_000)
}

func TestAKilledRelayGoesOnWhereItWas(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	appendEvents(t, store, "acme", 30_000, 2000)
	nc := natstest.Connect(t, server)
	for i := range int64(5) {
		conn := natstest.Connect(t, server)
		stop := start(t, newRelay(t, store, conn))
		positions(t, nc, "acme", 1+i*5000, 1)
		conn.Close() // whatever was in flight stays unknown, and the cursor is behind
		stop()
	}
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	dense(t, positions(t, nc, "acme", 30_000, 1), 1, 30_000)
}

func TestADeletedStreamIsMadeAgainAndRefilledOnRequest(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	nc := natstest.Connect(t, server)
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	appendEvents(t, store, "acme", 1000, 100)
	dense(t, positions(t, nc, "acme", 1000, 1), 1, 1000)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	caughtUp(t, store)
	if err := js.DeleteStream(t.Context(), "CC_EVENTS"); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, store, "acme", 1000, 100)
	dense(t, positions(t, nc, "acme", 2000, 1), 1001, 2000) // what happens next goes out, and nothing twice

	for fill := int64(1); fill <= 2; fill++ { // the second while the server may still remember the first's ids
		from := 1 + (fill-1)*500
		if err := Refill(t.Context(), store, "acme", from); err != nil {
			t.Fatal(err)
		}
		got := positions(t, nc, "acme", 2000, 1+int(fill))
		dense(t, got[len(got)-int(2001-from):], from, 2000)
	}
	appendEvents(t, store, "acme", 10, 10)
	got := positions(t, nc, "acme", 2010, 1)
	dense(t, got[len(got)-1510:], 501, 2010)
}

func TestARelayThatComesBackToANewStreamGoesOn(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	nc := natstest.Connect(t, server)
	stop := start(t, newRelay(t, store, natstest.Connect(t, server)))
	appendEvents(t, store, "acme", 100, 100)
	caughtUp(t, store)
	stop()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "CC_EVENTS"); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, store, "acme", 10, 10)
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	dense(t, positions(t, nc, "acme", 110, 1), 101, 110)
}

func TestAStreamThatLostItsEndGetsItAgain(t *testing.T) {
	store, server := newStore(t, "acme", "later"), newRestartable(t)
	nc := server.connect()
	stop := start(t, newRelay(t, store, server.connect()))
	appendEvents(t, store, "acme", 500, 100)
	caughtUp(t, store)
	// A machine that lost power may come back with older files: keep a copy and put it back.
	server.stop()
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(server.cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	server.start()
	appendEvents(t, store, "acme", 300, 100)
	appendEvents(t, store, "later", 200, 100) // of this tenant nothing will be left
	appendEvents(t, store, "acme", 200, 100)
	positions(t, nc, "later", 200, 1)
	positions(t, nc, "acme", 1000, 1)
	caughtUp(t, store)
	stop()
	server.stop()
	server.cfg.Dir = old
	server.start()
	start(t, newRelay(t, store, server.connect()))
	nc = server.connect()
	dense(t, positions(t, nc, "acme", 1000, 1), 1, 1000)
	dense(t, positions(t, nc, "later", 200, 1), 1, 200)
}

func TestNATSMayRestart(t *testing.T) {
	store, server := newStore(t, "acme", "beta"), newRestartable(t)
	start(t, newRelay(t, store, server.connect()))
	var writers sync.WaitGroup
	for _, tenant := range []string{"acme", "beta"} {
		writers.Go(func() { appendEvents(t, store, tenant, 10_000, 20) })
	}
	nc := server.connect()
	for i := range int64(3) {
		positions(t, nc, "acme", 1+i*2000, 1)
		server.stop()
		server.start()
	}
	writers.Wait()
	dense(t, positions(t, nc, "acme", 10_000, 1), 1, 10_000)
	dense(t, positions(t, nc, "beta", 10_000, 1), 1, 10_000)
}

func TestPostgresMayEndConnections(t *testing.T) {
	dsn := pgtest.DSN(t, eventstoretest.Template())
	admin := eventstoretest.Connect(t, dsn)
	store, server := eventstoretest.On(t, eventstoretest.Connect(t, dsn), codec, "acme"), natstest.Start(t)
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	nc := natstest.Connect(t, server)
	for i := range int64(4) {
		appendEvents(t, store, "acme", 2500, 50)
		if _, err := admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
		dense(t, positions(t, nc, "acme", 2500*(i+1), 1), 1, 2500*(i+1))
	}
}

// A relay that was frozen would write where it was when it wakes up, although another one is long ahead and may have nothing more to write.
func TestARelayThatWasFrozenDoesNotSetTheCursorBack(t *testing.T) {
	store, server := newStore(t, "acme"), natstest.Start(t)
	appendEvents(t, store, "acme", 5, 1)
	stop := start(t, newRelay(t, store, natstest.Connect(t, server)))
	caughtUp(t, store)
	stop()
	all, err := rows(t.Context(), store.Pool())
	if err != nil {
		t.Fatal(err)
	}
	late := []cursor{{tenant: "acme", position: 2, sequence: 2, refillFrom: 1}}
	for _, epoch := range []uuid.UUID{all[0].epoch, uuid.New()} { // of now, and of before a Renew
		if err := save(t.Context(), store.Pool(), epoch, all[0].created, late, false); err != nil {
			t.Fatal(err)
		}
		caughtUp(t, store)
	}
	if err := save(t.Context(), store.Pool(), all[0].epoch, all[0].created.Add(-time.Hour), late, false); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, store)
	if err := save(t.Context(), store.Pool(), all[0].epoch, all[0].created, late, true); err != nil { // it has looked at the stream
		t.Fatal(err)
	}
	if all, err = rows(t.Context(), store.Pool()); err != nil || all[0].position != 2 {
		t.Errorf("%+v, %v, want the position that was found", all, err)
	}
}

// It may have been frozen after it looked at the stream, or before the stream lost its end or was made anew. Then the other one writes what is true.
func TestACursorThatIsNotWhereTheRelayIsIsWrittenAgain(t *testing.T) {
	store, server := newStore(t, "acme", "beta"), natstest.Start(t)
	appendEvents(t, store, "acme", 5, 1)
	start(t, newRelay(t, store, natstest.Connect(t, server)))
	caughtUp(t, store)
	appendEvents(t, store, "beta", 10, 1) // the stream goes on
	caughtUp(t, store)
	for _, change := range []string{
		"position = 2, stream_sequence = 2", "position = 9, stream_sequence = 30", "position = 4, stream_sequence = 9",
		"position = 4, stream_created = stream_created + interval '1 hour'", "position = 4, stream_created = stream_created - interval '1 hour'",
	} {
		exec(t, store, `update relay_cursors set `+change+` where tenant = 'acme'`)
		caughtUp(t, store)
	}
}

func TestARestoredLogIsNotMixedWithTheOldStream(t *testing.T) {
	store, server := newStore(t, "acme", "beta"), natstest.Start(t)
	nc := natstest.Connect(t, server)
	stop := start(t, newRelay(t, store, natstest.Connect(t, server)))
	appendEvents(t, store, "acme", 100, 10)
	appendEvents(t, store, "beta", 100, 10)
	caughtUp(t, store)
	stop()
	// A backup of ten events ago, and other events since: as many as the stream has, so that positions alone tell nothing.
	exec(t, store, `delete from events where tenant = 'acme' and position > 90`)
	exec(t, store, `update relay_cursors set position = 90, stream_sequence = 90 where tenant = 'acme'`)
	for _, more := range []int{0, 20} {
		appendEvents(t, store, "acme", more, 10)
		appendEvents(t, store, "beta", 10, 10)
		stop = start(t, newRelay(t, store, natstest.Connect(t, server)))
		awaitStopped(t, store, "acme", StoppedAhead)
		head, err := store.Head(t.Context(), "beta")
		if err != nil {
			t.Fatal(err)
		}
		dense(t, positions(t, nc, "beta", head, 1), 1, head) // others are not concerned
		stop()
	}
	dense(t, positions(t, nc, "acme", 100, 1), 1, 100)

	stop = start(t, newRelay(t, store, natstest.Connect(t, server)))
	if err := Renew(t.Context(), store); err != nil { // what an operator does
		t.Fatal(err)
	}
	got := positions(t, nc, "acme", 110, 1)
	dense(t, got[:100], 1, 100)
	dense(t, got[100:], 1, 110) // all of it again, under the new epoch
	awaitStopped(t, store, "acme", "")
	stop()
}

func exec(t *testing.T, store *eventstore.Store, sql string) {
	t.Helper()
	if _, err := store.Pool().Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func awaitStopped(t *testing.T, store *eventstore.Store, tenant, want string) {
	t.Helper()
	end := time.Now().Add(patience)
	for ; ; time.Sleep(5 * time.Millisecond) { // nobody tells when it is written
		all, err := Status(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.Tenant == tenant && s.Stopped == want {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, want that %s is stopped by %q", all, tenant, want)
		}
	}
}
