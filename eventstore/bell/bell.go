// Package bell tells waiting readers that a tenant's log has grown.
//
// A ring is a hint and nothing more: it may be lost, repeated, late, and rings of one tenant may be merged. Whoever listens
// also looks for himself now and then (a sweep, once a second). The event is read from the log, never from the ring.
//
// On the wire a ring is a core NATS message, subject cc.bell.<tenant>, with the log's new last position as decimal text.
package bell

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// prefix of the subject; the tenant follows. A tenant's slug is a valid subject token.
const prefix = "cc.bell."

// Ringer returns a function for eventstore.WithBell. It never blocks: rings go out from a goroutine that lives only while there
// are some, and while it is busy, later rings of one tenant replace earlier ones. Without a connection a ring is dropped.
func Ringer(nc *nats.Conn) func(tenant string, position int64) {
	r := &ringer{nc: nc, waiting: map[string]int64{}}
	return r.ring
}

type ringer struct {
	nc *nats.Conn

	mu      sync.Mutex
	waiting map[string]int64
	busy    bool // a goroutine is sending
}

func (r *ringer) ring(tenant string, position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[tenant] = max(r.waiting[tenant], position)
	if !r.busy {
		r.busy = true
		go r.send()
	}
}

func (r *ringer) send() {
	for {
		r.mu.Lock()
		if len(r.waiting) == 0 {
			r.busy = false
			r.mu.Unlock()
			return
		}
		rings := r.waiting
		r.waiting = map[string]int64{}
		r.mu.Unlock()
		if !r.nc.IsConnected() {
			continue // kept for later they would only fill the client's buffer
		}
		for tenant, position := range rings {
			// An error means that the connection has just gone: the ring is lost, as it may be.
			_ = r.nc.Publish(prefix+tenant, strconv.AppendInt(nil, position, 10))
		}
	}
}

// Listener hears the rings of all tenants and hands them to any number of waiters. One is enough for a process.
type Listener struct {
	sub  *nats.Subscription
	done chan struct{} // closed when no ring will come any more

	mu      sync.Mutex
	waiters map[*Waiter]struct{}
}

// Listen begins to listen. Close it, or the connection, to end. After a lost connection it hears again by itself.
func Listen(nc *nats.Conn) (*Listener, error) {
	l := &Listener{done: make(chan struct{}), waiters: map[*Waiter]struct{}{}}
	sub, err := nc.Subscribe(prefix+"*", l.hear)
	if err != nil {
		return nil, fmt.Errorf("bell: listen: %w", err)
	}
	sub.SetClosedHandler(func(string) { close(l.done) })
	// The server must know of us before we return, or the first rings are lost. Without a connection the client subscribes
	// when it has one.
	if nc.IsConnected() {
		if err := nc.Flush(); err != nil && !nc.IsReconnecting() {
			l.sub = sub
			l.Close()
			return nil, fmt.Errorf("bell: listen: %w", err)
		}
	}
	l.sub = sub
	return l, nil
}

func (l *Listener) hear(m *nats.Msg) {
	tenant := strings.TrimPrefix(m.Subject, prefix)
	position, err := strconv.ParseInt(string(m.Data), 10, 64)
	if err != nil {
		return // not one of our rings
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.waiters {
		w.ring(tenant, position)
	}
}

// Waiter returns a new waiter for the tenants that want accepts; nil accepts all. want is called at every ring and must be quick.
func (l *Listener) Waiter(want func(tenant string) bool) *Waiter {
	w := &Waiter{listener: l, want: want, wake: make(chan struct{}, 1), rung: map[string]int64{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiters[w] = struct{}{}
	return w
}

// Close ends listening and returns when nothing runs any more. Waiters are not woken again. Closing twice is harmless.
func (l *Listener) Close() {
	_ = l.sub.Unsubscribe() // fails only when it is closed already, by us or with the connection
	<-l.done
}

// Waiter collects the rings of some tenants until they are taken.
type Waiter struct {
	listener *Listener
	want     func(tenant string) bool
	wake     chan struct{}

	mu   sync.Mutex
	rung map[string]int64
}

func (w *Waiter) ring(tenant string, position int64) {
	if w.want != nil && !w.want(tenant) {
		return
	}
	w.mu.Lock()
	w.rung[tenant] = max(w.rung[tenant], position)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// C delivers when there are rings to take. It may deliver once more after they were taken.
func (w *Waiter) C() <-chan struct{} { return w.wake }

// Take returns the tenants that rang since the last call, each with the highest position heard, and forgets them. It may be
// empty and never blocks.
func (w *Waiter) Take() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rung) == 0 {
		return nil
	}
	rung := w.rung
	w.rung = map[string]int64{}
	return rung
}

// Close takes the waiter off its listener; it hears nothing any more.
func (w *Waiter) Close() {
	w.listener.mu.Lock()
	defer w.listener.mu.Unlock()
	delete(w.listener.waiters, w)
}
