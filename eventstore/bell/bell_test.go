package bell_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"customercenter/eventstore/bell"
	"customercenter/internal/natsserver"
	"customercenter/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

func listen(t *testing.T, nc *nats.Conn) *bell.Listener {
	t.Helper()
	l, err := bell.Listen(nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// await takes rings until the tenant's has reached the position.
func await(t *testing.T, w *bell.Waiter, tenant string, position int64) {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case <-w.C():
			if got := w.Take()[tenant]; got >= position {
				if got > position {
					t.Fatalf("%s rang at %d, want %d", tenant, got, position)
				}
				return
			}
		case <-end:
			t.Fatalf("no ring of %s at %d", tenant, position)
		}
	}
}

func TestRingsReachEveryWaiterThatWantsThem(t *testing.T) {
	server := natstest.Start(t)
	ring := bell.Ringer(natstest.Connect(t, server))
	l := listen(t, natstest.Connect(t, server))
	all, acme := l.Waiter(nil), l.Waiter(func(tenant string) bool { return tenant == "acme" })
	ring("other", 3)
	await(t, all, "other", 3)
	ring("acme", 7)
	await(t, all, "acme", 7)
	await(t, acme, "acme", 7)
	if rest := acme.Take(); len(rest) != 0 {
		t.Errorf("a waiter for acme also heard %v", rest)
	}
}

func TestManyRingsAreMergedAndTheLastPositionArrives(t *testing.T) {
	server := natstest.Start(t)
	ring := bell.Ringer(natstest.Connect(t, server))
	w := listen(t, natstest.Connect(t, server)).Waiter(nil)
	const last = 20_000
	for p := range int64(last) {
		ring("acme", p+1)
	}
	ring("acme", 5) // an older position changes nothing
	await(t, w, "acme", last)
}

func TestAClosedWaiterHearsNothing(t *testing.T) {
	server := natstest.Start(t)
	ring := bell.Ringer(natstest.Connect(t, server))
	l := listen(t, natstest.Connect(t, server))
	open, closed := l.Waiter(nil), l.Waiter(nil)
	closed.Close()
	ring("acme", 1)
	await(t, open, "acme", 1)
	if rung := closed.Take(); rung != nil {
		t.Errorf("heard %v", rung)
	}
}

func TestForeignMessagesAreIgnored(t *testing.T) {
	server := natstest.Start(t)
	nc := natstest.Connect(t, server)
	w := listen(t, natstest.Connect(t, server)).Waiter(nil)
	for _, text := range []string{"", "x", "1e3", "99999999999999999999"} {
		if err := nc.Publish("cc.bell.acme", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Publish("cc.bell.acme", []byte("2")); err != nil {
		t.Fatal(err)
	}
	await(t, w, "acme", 2)
}

func TestItRingsAgainAfterARestartOfTheServer(t *testing.T) {
	cfg := natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	server, err := natsserver.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL()
	cfg.Listen = url[len("nats://"):]
	connect := func() (*nats.Conn, chan struct{}) {
		again := make(chan struct{}, 1)
		nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
			nats.ReconnectHandler(func(*nats.Conn) { again <- struct{}{} }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc, again
	}
	sender, senderBack := connect()
	receiver, receiverBack := connect()
	ring, w := bell.Ringer(sender), listen(t, receiver).Waiter(nil)
	ring("acme", 1)
	await(t, w, "acme", 1)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	ring("acme", 2) // lost: there is nobody to carry it; it must not block either
	if server, err = natsserver.Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, back := range []chan struct{}{senderBack, receiverBack} {
		select {
		case <-back:
		case <-time.After(patience):
			t.Fatal("no connection after the restart")
		}
	}
	if err := receiver.Flush(); err != nil { // its subscription has arrived
		t.Fatal(err)
	}
	ring("acme", 3)
	await(t, w, "acme", 3)
}

func TestClosingTwiceAndAfterTheConnection(t *testing.T) {
	server := natstest.Start(t)
	nc := natstest.Connect(t, server)
	l := listen(t, nc)
	l.Close()
	l.Close()
	m := listen(t, nc)
	nc.Close()
	m.Close()
	if _, err := bell.Listen(nc); err == nil {
		t.Error("listening on a closed connection succeeded")
	}
}
