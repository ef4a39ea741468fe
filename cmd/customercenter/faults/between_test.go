//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a way over TCP that can be made slow, silent or be cut. Its address stays the same.
type link struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
	bad   []string // the names of what is wrong with it
}

func newLink(t *testing.T, name, upstream string) *link {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &link{t: t, proxy: toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)}
	l.mend()
	t.Cleanup(l.cut)
	return l
}

func (l *link) address() string { return l.proxy.Listen }

// cut ends all connections, and refuses new ones until it is mended.
func (l *link) cut() { l.proxy.Stop() }

func (l *link) mend() {
	l.t.Helper()
	insist(l.t, "listen again", func(context.Context) error {
		if err := l.proxy.Start(); !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
			return err
		}
		return nil
	})
}

// slow holds up whatever passes, in each direction.
func (l *link) slow(by, jitter time.Duration) {
	l.t.Helper()
	l.worsen("latency", fmt.Sprintf(`{"latency": %d, "jitter": %d}`, by.Milliseconds(), jitter.Milliseconds()))
}

// silence lets nothing pass, and closes nothing: the other side might be dead, or only slow.
func (l *link) silence() {
	l.t.Helper()
	l.worsen("timeout", `{"timeout": 0}`)
}

func (l *link) worsen(toxic, attributes string) {
	l.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		text := fmt.Sprintf(`{"name": "%[1]s %[2]s", "type": %[1]q, "stream": %[2]q, "attributes": %[3]s}`, toxic, stream, attributes)
		made, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text))
		if err != nil {
			l.t.Fatal(err)
		}
		l.bad = append(l.bad, made.Name)
	}
}

// heal lets pass what waits, and everything from now on.
func (l *link) heal() {
	l.t.Helper()
	for _, name := range l.bad {
		if err := l.proxy.Toxics.RemoveToxic(context.Background(), name); err != nil {
			l.t.Fatal(err)
		}
	}
	l.bad = nil
}

// door takes connections over TCP to a server that listens on a socket of the file system, which toxiproxy cannot reach. Which server that is may change.
type door struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	socket string
	open   map[net.Conn]struct{}
}

func newDoor(t *testing.T, socket string) *door {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{listener: listener, socket: socket, open: map[net.Conn]struct{}{}}
	d.wg.Go(d.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		d.lead("")
		d.wg.Wait()
	})
	return d
}

func (d *door) address() string { return d.listener.Addr().String() }

// lead leads those who come from now on to another server, and ends what leads to the one before.
func (d *door) lead(socket string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.socket = socket
	for c := range d.open {
		_ = c.Close()
	}
	clear(d.open)
}

func (d *door) accept() {
	for {
		from, err := d.listener.Accept()
		if err != nil {
			return // closed
		}
		d.mu.Lock()
		socket := d.socket
		to, err := net.Dial("unix", socket)
		if err != nil {
			d.mu.Unlock()
			_ = from.Close()
			continue
		}
		d.open[from], d.open[to] = struct{}{}, struct{}{}
		d.mu.Unlock()
		d.wg.Go(func() { d.pass(from, to) })
		d.wg.Go(func() { d.pass(to, from) })
	}
}

// pass carries one direction; the end of either ends both.
func (d *door) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // however it ends, it has
	_, _ = from.Close(), to.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, from)
	delete(d.open, to)
}
