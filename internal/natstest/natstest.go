//go:build unix

// Package natstest gives a test a real NATS server of its own, in its own process.
package natstest

import (
	"testing"

	"github.com/nats-io/nats.go"

	"customercenter/internal/natsserver"
)

// Start runs a server with JetStream on an empty directory until the test ends.
// It also listens on a free port of 127.0.0.1, see Server.URL, for tests that
// start processes. It does not wait for the disk; a test about that starts its
// own with natsserver.
func Start(t testing.TB) *natsserver.Server {
	t.Helper()
	server, err := natsserver.Start(natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatalf("natstest: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("natstest: %v", err)
		}
	})
	return server
}

// Connect opens a connection to the server, which is closed when the test ends.
func Connect(t testing.TB, server *natsserver.Server) *nats.Conn {
	t.Helper()
	conn, err := server.Connect(nats.Name(t.Name()))
	if err != nil {
		t.Fatalf("natstest: %v", err)
	}
	t.Cleanup(conn.Close)
	return conn
}
