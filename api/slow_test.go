package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// patient is how long a test waits for a server that gives up: far longer than it is told to take, and shorter than what ends connections anyway.
const patient = time.Minute

// dial connects to a server as a client of no haste.
func dial(t *testing.T, address net.Addr) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address.String())
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(patient))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// trickle sends a byte now and then until the server has had enough.
func trickle(conn net.Conn) {
	for {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// closes waits until the server has closed a connection, and returns what it sent.
func closes(t *testing.T, conn net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open behind %q", text)
	}
	return string(text)
}

// A header, or a body, that comes a byte now and then ends when its time is over, whether or not anybody reads it.
func TestWhoSendsSlowlyIsGivenUp(t *testing.T) {
	w := start(t, options{})
	w.core.bounds.body, w.core.bounds.upload = 200*time.Millisecond, 200*time.Millisecond
	if s := Server(w.handler, slog.Default()); s.ReadHeaderTimeout <= 0 || s.ReadHeaderTimeout > 30*time.Second || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 {
		t.Errorf("the server is as patient as %v, %v, %v", s.ReadHeaderTimeout, s.WriteTimeout, s.IdleTimeout)
	}
	hasty := httptest.NewUnstartedServer(nil)
	hasty.Config = &http.Server{Handler: within(200*time.Millisecond, w.handler), ReadHeaderTimeout: 200 * time.Millisecond}
	hasty.Start()
	defer hasty.Close()
	authorization := "Authorization: Bearer " + w.bearer["acme/admin"] + "\r\n"
	for name, c := range map[string]struct {
		on     *httptest.Server
		text   string
		status string // empty: none
	}{
		"a header":                    {hasty, "GET /v1/tags HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""},
		"a body":                      {w.server, "POST /v1/tags HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", "408"},
		"a body of unknown length":    {w.server, "POST /v1/tags HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", "408"},
		"a file":                      {w.server, "POST /v1/imports HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n", "408"},
		"a body of nobody":            {hasty, "POST /v1/tags HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "401"},
		"a body that nobody asks for": {hasty, "GET /v1/tags HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Length: 100000\r\n\r\n", "200"},
		"a body to nowhere":           {hasty, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "404"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, c.on.Listener.Addr())
			if _, err := io.WriteString(conn, c.text); err != nil {
				t.Fatal(err)
			}
			go trickle(conn)
			if said := closes(t, conn); c.status != "" && !strings.HasPrefix(said, "HTTP/1.1 "+c.status+" ") {
				t.Errorf("got %.200q, want %s", said, c.status)
			}
		})
	}
	w.admin("GET", "/v1/tags", nil).want(http.StatusOK)
	if busy, waiting := w.core.turns.count(); busy != 0 || waiting != 0 || len(w.core.underWay.of) != 0 || len(w.core.streaming.of) != 0 {
		t.Errorf("what is given up still counts: %d, %d, %v, %v", busy, waiting, w.core.underWay.of, w.core.streaming.of)
	}
}

// Who asks for much and reads nothing is given up when a page is not taken in time. Until then it keeps no turn from others of its tenant.
func TestWhoReadsNothingIsGivenUp(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{})
	w.core.turns.each = 1
	w.core.bounds.page = 2 * time.Second
	for n := range 300 {
		w.admin("POST", "/v1/tags", TagInput{fmt.Sprint("tag ", n)}).want(http.StatusCreated)
	}
	narrow := httptest.NewUnstartedServer(nil)
	narrow.Config = Server(w.handler, w.core.log)
	narrow.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if err := conn.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil {
			t.Error(err)
		}
		return ctx
	}
	narrow.Start()
	defer narrow.Close()
	conn := dial(t, narrow.Listener.Addr())
	if err := conn.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", w.bearer["acme/admin"])
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil) // and not a byte of the rest
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(err, answer)
	}
	defer answer.Body.Close()
	w.admin("GET", "/v1/tags", nil).want(http.StatusOK)
	ended := `route="GET /v1/events"`
	for end := time.Now().Add(patient); !strings.Contains(w.log.String(), ended); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is still waited for")
		}
	}
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("an answer that broke off looks complete")
	}
}

// A file is sent in pieces, each of which must be taken in time.
func TestAFileThatNobodyTakesIsGivenUp(t *testing.T) {
	short := bounds{page: 200 * time.Millisecond, file: time.Hour}
	gave := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &fileWriter{file: file{name: "x.csv", format: "csv"}, ctx: r.Context(), about: &request{bounds: &short}, to: w, control: http.NewResponseController(w), end: time.Now().Add(short.file)}
		_, err := out.Write(make([]byte, 64<<20))
		gave <- err
	}))
	defer server.Close()
	conn := dial(t, server.Listener.Addr())
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-gave:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patient):
		t.Fatal("it is still waited for")
	}
}
