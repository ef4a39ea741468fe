package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Who comes when all connections are taken is not refused: the answer comes once another has gone.
func TestConnectionsBeyondTheirNumberWait(t *testing.T) {
	const most = 3
	all, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, allowed := bound(all, most)
	if allowed != most {
		t.Fatalf("%d connections are allowed, want %d", allowed, most)
	}
	here, registry := &visitors{}, prometheus.NewRegistry()
	if err := here.watch(registry, allowed); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ConnState: here.count, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() { server.Close(); <-ended }()

	dial := func() net.Conn {
		conn, err := net.Dial("tcp", all.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return conn
	}
	answer := func(conn net.Conn, within time.Duration) error {
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			a.Body.Close()
		}
		return err
	}
	var first []net.Conn
	for range most {
		conn := dial()
		if err := answer(conn, time.Minute); err != nil {
			t.Fatal(err)
		}
		first = append(first, conn)
	}
	late := dial()
	if answer(late, 50*time.Millisecond) == nil {
		t.Error("one more than there may be was answered")
	}
	shown, err := registry.Gather()
	if err != nil || len(shown) != 1 || len(shown[0].GetMetric()) != 2 {
		t.Fatalf("%v, %v", shown, err)
	}
	for _, m := range shown[0].GetMetric() {
		if n := m.GetGauge().GetValue(); n != most {
			t.Errorf("%v: %v", m.GetLabel(), n)
		}
	}
	first[0].Close()
	if err := answer(late, time.Minute); err != nil {
		t.Errorf("when another has gone: %v", err)
	}
}
