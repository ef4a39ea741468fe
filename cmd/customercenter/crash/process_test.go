//go:build unix

package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"customercenter/internal/processtest"
)

// process is one child in one of its lives. A killed one is replaced by another.
type process struct{ *processtest.Process }

// launch starts this program again as a child and hands its lines to hear.
func launch(name string, c childConfig, stderr io.Writer, hear func([]byte) error) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = stderr
	started, err := processtest.Start(cmd, hear)
	if err != nil {
		return nil, err
	}
	p := &process{started}
	first, err := json.Marshal(c)
	if err == nil {
		err = p.Say(append(first, '\n'))
	}
	if err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// freeze stops the process for a time.
func (p *process) freeze(long time.Duration) error {
	if p.Frozen() {
		return nil
	}
	if err := p.Freeze(); err != nil {
		return err
	}
	go func() {
		timer := time.NewTimer(long)
		defer timer.Stop()
		select {
		case <-timer.C:
			p.Thaw()
		case <-p.Ended():
		}
	}()
	return nil
}

// end tells the process to end in order and returns how it did.
func (p *process) end() error {
	p.HangUp()
	<-p.Ended()
	return p.Err()
}

// fleet is all children, each in its slot, by name.
type fleet struct {
	t      *testing.T
	stderr *os.File
	ledger *ledger

	configs map[string]childConfig
	alive   map[string]*process
	natsURL chan string
}

// newFleet returns an empty fleet; what is alive at the end of the test is killed then.
func newFleet(t *testing.T, stderr *os.File) *fleet {
	f := &fleet{t: t, stderr: stderr, ledger: newLedger(), configs: map[string]childConfig{}, alive: map[string]*process{}, natsURL: make(chan string, 1)}
	t.Cleanup(func() {
		for _, p := range f.alive {
			p.Kill()
		}
	})
	return f
}

// start fills a slot. A writer is given what the one before it in the slot left undone.
func (f *fleet) start(name string, c childConfig) {
	f.t.Helper()
	if before, again := f.configs[name]; again {
		c.Life = before.Life + 1
	}
	hear := func([]byte) error { return nil }
	switch c.Role {
	case roleWriter:
		c.Carried = f.ledger.undone(c.Slot)
		hear = func(l []byte) error { return f.ledger.hear(c.Slot, l) }
	case roleNATS:
		hear = func(l []byte) error {
			f.natsURL <- string(l)
			return nil
		}
	}
	p, err := launch(name, c, f.stderr, hear)
	if err != nil {
		f.t.Fatalf("%s: %v", name, err)
	}
	f.configs[name], f.alive[name] = c, p
}

// startNATS fills the slot of the NATS server and waits until it answers.
func (f *fleet) startNATS(c childConfig) string {
	f.t.Helper()
	f.start(roleNATS, c)
	select {
	case url := <-f.natsURL:
		return url
	case <-f.alive[roleNATS].Ended():
		f.t.Fatalf("the NATS server: %v", f.alive[roleNATS].Err())
	case <-time.After(patience):
		f.t.Fatalf("the NATS server is not ready after %s", patience)
	}
	return ""
}

// strike kills whoever is in a slot and fills it again, unless it is frozen: what it does when it wakes is to be seen. One that was
// not alive any more has a fault of its own.
func (f *fleet) strike(name string) {
	f.t.Helper()
	p := f.alive[name]
	if p.Frozen() {
		return
	}
	select {
	case <-p.Ended():
		f.t.Errorf("%s ended by itself: %v", name, p.Err())
	default:
	}
	p.Kill()
	if f.configs[name].Role == roleNATS {
		f.startNATS(f.configs[name])
		return
	}
	f.start(name, f.configs[name])
}

// end ends slots in order, all at once.
func (f *fleet) end(names ...string) {
	f.t.Helper()
	for _, name := range names {
		f.alive[name].HangUp()
	}
	for _, name := range names {
		if err := f.alive[name].end(); err != nil {
			f.t.Errorf("%s was told to end: %v", name, err)
		}
		delete(f.alive, name)
	}
}

// ledger is what the writers were asked for and what they answered.
type ledger struct {
	mu       sync.Mutex
	open     []map[string]order // by slot: begun, and to be carried on
	requests []Request
	carried  int // given to another process
	unknown  int // without an answer for ever
	repeated int // answered before
	changed  int
	refused  map[string]int
}

// slots is the number of writing processes.
const slots = 2

func newLedger() *ledger {
	l := &ledger{refused: map[string]int{}}
	for range slots {
		l.open = append(l.open, map[string]order{})
	}
	return l
}

// hear takes a line of a writer.
func (l *ledger) hear(slot int, b []byte) error {
	var said line
	if err := json.Unmarshal(b, &said); err != nil {
		return fmt.Errorf("a writer says %q: %w", b, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if said.Begin != nil {
		l.open[slot][said.Begin.ID] = *said.Begin
		return nil
	}
	was, known := l.open[slot][said.Outcome.ID]
	if !known {
		return fmt.Errorf("a writer answers %s, which it was not asked", said.Outcome.ID)
	}
	l.settle(slot, was, said.Outcome)
	return nil
}

// settle notes what became of an order; nil is for one whose writer died.
func (l *ledger) settle(slot int, o order, is *outcome) {
	delete(l.open[slot], o.ID)
	q := Request{Tenant: o.Tenant, Correlation: o.ID, Receipt: o.receipt()}
	if is == nil || is.Unknown {
		l.unknown++
		l.requests = append(l.requests, q)
		return
	}
	q.Acknowledged, q.Changed, q.Position = true, is.Changed, is.Position
	l.requests = append(l.requests, q)
	if is.Repeated {
		l.repeated++
	}
	if is.Changed {
		l.changed++
	}
	if is.Refused != "" {
		l.refused[is.Refused]++
	}
}

// undone is what a writer that has died leaves to the next. What was not to be carried out once stays without an answer.
func (l *ledger) undone(slot int) []order {
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []order
	for _, o := range l.open[slot] {
		if o.Once {
			left = append(left, o)
		} else {
			l.settle(slot, o, nil)
		}
	}
	l.carried += len(left)
	return left
}

// all is everything that was asked for. Nothing may be open any more.
func (l *ledger) all(t *testing.T) []Request {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for slot, open := range l.open {
		for id := range open {
			t.Errorf("writer %d ended in order and did not answer %s", slot, id)
		}
	}
	return l.requests
}
