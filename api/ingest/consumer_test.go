package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"customercenter/commands"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natsserver"
	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

// sequence publishes n messages of each of so many customers, spread over the four associations, all interleaved; the text of each is
// its number. Every fifth event is published twice.
func (w *world) sequence(customers, n int) {
	w.t.Helper()
	var last jetstream.PubAckFuture
	for i := range n {
		for c := range customers {
			body := event("message.received", fmt.Sprintf(`{"external_id":"visitor%d","message":{"id":"m%d","kind":"text","text":"%d"}}`, c, i, i),
				map[string]any{"id": fmt.Sprintf("%d-%d", c, i), "time": nil})
			for range 1 + (i+c)%5/4 {
				future, err := w.js.PublishAsync(Subject(tenant, c%4+1), []byte(body))
				if err != nil {
					w.t.Fatal(err)
				}
				last = future
			}
		}
	}
	select {
	case <-w.js.PublishAsyncComplete():
	case <-time.After(time.Minute):
		w.t.Fatal("the events were not stored")
	}
	select {
	case err := <-last.Err():
		w.t.Fatal(err)
	case <-last.Ok():
	}
}

// inOrder checks that the log has every message of every customer once and in order, in one session each.
func (w *world) inOrder(customers, n int) {
	w.t.Helper()
	next := map[string]int{}
	sessions := map[string]string{}
	created := 0
	for _, d := range w.log() {
		switch e := d.Payload.(type) {
		case customer.Created:
			created++
		case session.MessageRecorded:
			who := d.Customer.String()
			if want := fmt.Sprint(next[who]); e.Text != want {
				w.t.Fatalf("position %d has message %s, want %s", d.Position, e.Text, want)
			}
			next[who]++
			if sessions[who] == "" {
				sessions[who] = d.Stream
			}
			if sessions[who] != d.Stream {
				w.t.Fatalf("position %d is in another session", d.Position)
			}
		}
	}
	if created != customers || len(next) != customers {
		w.t.Errorf("%d customers, %d of them wrote; want %d", created, len(next), customers)
	}
	for _, got := range next {
		if got != n {
			w.t.Errorf("a customer has %d messages, want %d", got, n)
		}
	}
}

func TestOrderInOneProcess(t *testing.T) {
	w := newWorld(t)
	w.consume()
	w.sequence(80, 30)
	w.drained()
	w.inOrder(80, 30)
	if dead := w.dead(); len(dead) != 0 {
		t.Errorf("dead letters %v", dead)
	}
}

// child starts a consumer process and returns when it runs.
func (w *world) child() *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+w.pool.Config().ConnString(), childNATSEnv+"="+w.server.URL())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			w.kill(cmd)
		}
	})
	if !bufio.NewScanner(stdout).Scan() {
		_ = cmd.Wait()
		w.t.Fatalf("the consumer process did not start: %s", stderr.String())
	}
	return cmd
}

// kill ends a consumer process as kill -9 does.
func (w *world) kill(cmd *exec.Cmd) {
	w.t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		w.t.Error(err)
	}
	_ = cmd.Wait() // says that it was killed
}

// Two consumer processes, killed one after the other in the middle of their work and replaced: nothing is lost, doubled or out of order.
func TestOrderOverProcessesThatAreKilled(t *testing.T) {
	w := newWorld(t)
	const customers, n = 100, 40
	w.sequence(customers, n)
	total := w.messages(StreamIn)
	children := []*exec.Cmd{w.child(), w.child()}
	for round := range 5 {
		left := total - uint64(round+1)*total/8
		w.until("the consumers do nothing", func() bool { return w.messages(StreamIn) < left })
		w.kill(children[round%2])
		children[round%2] = w.child()
	}
	w.drained()
	w.inOrder(customers, n)
	if dead := w.dead(); len(dead) != 0 {
		t.Errorf("dead letters %v", dead)
	}
}

// A consumer that is stopped gives back what it has not handled, and the next one goes on with it.
func TestStopAndGoOn(t *testing.T) {
	w := newWorld(t)
	const customers, n = 60, 25
	w.sequence(customers, n)
	for total := w.messages(StreamIn); ; {
		stop := w.consume()
		before := w.messages(StreamIn)
		w.until("the consumer does nothing", func() bool { return w.messages(StreamIn) < before || before == 0 })
		if before < total/2 {
			break
		}
		stop()
	}
	w.drained()
	w.inOrder(customers, n)
}

// What is malformed goes to the dead letters, every byte of it, and holds up nobody.
func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.consume()
	good := func(n int) string { return numbered("message.received", n, received) }
	bad := []struct{ association, body, code, location string }{
		{"1", "在吗", CodeMalformed, ""},
		{"1", numbered("message.recalled", 100, received), CodeUnknownType, "type"},
		{"1", numbered("message.received", 101, `{"external_id":"x y","message":{"id":"m","kind":"text","text":"a"}}`), "ID_INVALID", "data.external_id"},
		{"1", numbered("session.closed", 102, `{"external_id":"x","by":"nobody"}`), "VALIDATION", "data.by"},
		{"77", numbered("message.received", 103, received), CodeUnknownAssociation, "association_id"},
		{"01", numbered("message.received", 104, received), CodeUnknownAssociation, "association_id"},
		{"shop", numbered("message.received", 105, received), CodeUnknownAssociation, "association_id"},
		{"1", strings.Replace(numbered("message.received", 106, received), "在吗", strings.Repeat("a", MaxBytes), 1), CodeTooLarge, ""},
		{"1", strings.Repeat("长", int(w.conn.MaxPayload())/3-10), CodeTooLarge, ""},
	}
	w.publish("1", good(1))
	for i, b := range bad {
		w.publish(b.association, b.body)
		w.publish("1", good(i+2))
	}
	w.drained()
	letters := w.dead()
	if len(letters) != len(bad) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(bad))
	}
	for _, b := range bad {
		var found *DeadLetter
		for i, l := range letters {
			if l.Association == b.association && l.Code == b.code && l.Location == b.location && l.Bytes == len(b.body) {
				found = &letters[i]
			}
		}
		if found == nil {
			t.Errorf("no dead letter with %s at %q", b.code, b.location)
			continue
		}
		if found.Tenant != tenant || found.Reason == "" || found.Arrived.IsZero() || found.Died.Before(found.Arrived) || found.Resent != 0 {
			t.Errorf("dead letter %+v", *found)
		}
		if !found.Cut && string(found.Body) != b.body || found.Cut && !strings.HasPrefix(b.body, string(found.Body)) {
			t.Error("the body of a dead letter is not that of the event")
		}
		if found.Cut != (len(b.body) > 8<<20-4096) {
			t.Errorf("an event of %d bytes: cut is %v", len(b.body), found.Cut)
		}
	}
	messages := 0
	for _, d := range w.log() {
		if _, ok := d.Payload.(session.MessageRecorded); ok {
			messages++
		}
	}
	if messages != len(bad)+1 {
		t.Errorf("%d messages were recorded, want %d", messages, len(bad)+1)
	}
}

func TestUnknownTenantsAreDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.consume()
	for _, who := range []string{"nobody", "ACME", "中文"} {
		if _, err := w.js.Publish(t.Context(), inPrefix+who+".1", []byte(event("message.received", received, nil))); err != nil {
			t.Fatal(err)
		}
	}
	w.drained()
	letters, err := NewDeadLetters(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	all, err := letters.List(t.Context(), "", 0, 10)
	if err != nil || len(all) != 3 {
		t.Fatalf("dead letters %v, %v", all, err)
	}
	for _, l := range all {
		if l.Code != CodeUnknownTenant {
			t.Errorf("dead letter %+v", l)
		}
	}
	if one, err := letters.List(t.Context(), "nobody", 0, 10); err != nil || len(one) != 1 || one[0].Tenant != "nobody" {
		t.Errorf("those of one tenant: %v, %v", one, err)
	}
	if rest, err := letters.List(t.Context(), "", all[0].Sequence, 1); err != nil || len(rest) != 1 || rest[0].Sequence != all[1].Sequence {
		t.Errorf("the next: %v, %v", rest, err)
	}
}

func TestResend(t *testing.T) {
	w := newWorld(t)
	w.consume()
	w.publish("5", event("message.received", received, nil))
	w.drained()
	letters, err := NewDeadLetters(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	// The reason persists: another dead letter.
	if err := letters.Resend(t.Context(), w.dead()[0].Sequence); err != nil {
		t.Fatal(err)
	}
	w.until("it did not come back", func() bool { dead := w.dead(); return len(dead) == 1 && dead[0].Resent == 1 })
	if _, err := (commands.RegisterAssociation{Channel: "app", Account: "org#new", Name: "n"}).Run(t.Context(), w.center, commands.By{Tenant: tenant}); err != nil {
		t.Fatal(err)
	}
	sequence := w.dead()[0].Sequence
	if err := letters.Resend(t.Context(), sequence); err != nil {
		t.Fatal(err)
	}
	if err := letters.Resend(t.Context(), sequence); err != ErrNoLetter {
		t.Errorf("sent again a second time: %v", err)
	}
	w.drained()
	if dead, log := w.dead(), w.log(); len(dead) != 0 || log[len(log)-1].Type != "session.message_recorded" {
		t.Errorf("dead letters %v, and the log ends with %s", dead, log[len(log)-1].Type)
	}
	w.publish("1", "{")
	w.until("no dead letter", func() bool { return len(w.dead()) == 1 })
	sequence = w.dead()[0].Sequence
	if err := letters.Discard(t.Context(), sequence); err != nil {
		t.Fatal(err)
	}
	if err := letters.Discard(t.Context(), sequence); err != ErrNoLetter {
		t.Errorf("discarded twice: %v", err)
	}
}

// logged collects what is logged while a test runs.
func logged(t *testing.T) *lockedBuffer {
	var buffer lockedBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&buffer, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &buffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A fault in a handler is retried; if it lasts, the event is put aside and the others go on. Nothing personal gets into the log.
func TestPanics(t *testing.T) {
	w := newWorld(t)
	log := logged(t)
	w.consume()
	w.panics.Store(2)
	w.publish("1", numbered("message.received", 1, received))
	w.drained()
	if dead := w.dead(); len(dead) != 0 {
		t.Fatalf("a passing fault made dead letters: %v", dead)
	}
	w.panics.Store(1_000_000)
	w.publish("1", numbered("message.received", 2, received))
	w.until("the event was not put aside", func() bool { return len(w.dead()) == 1 })
	w.panics.Store(0)
	w.publish("1", numbered("message.received", 3, received))
	w.drained()
	letter := w.dead()[0]
	if letter.Code != codeFailed || letter.Event != "e-2" {
		t.Errorf("dead letter %+v", letter)
	}
	letters, err := NewDeadLetters(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := letters.Resend(t.Context(), letter.Sequence); err != nil {
		t.Fatal(err)
	}
	w.drained()
	messages := 0
	for _, d := range w.log() {
		if _, ok := d.Payload.(session.MessageRecorded); ok {
			messages++
		}
	}
	if messages != 3 || len(w.dead()) != 0 {
		t.Errorf("%d messages, dead letters %v", messages, w.dead())
	}
	said := log.String()
	if !strings.Contains(said, "ingest: panic") || strings.Contains(said, "13800138000") || strings.Contains(said, "在吗") {
		t.Errorf("the log says %s", said)
	}
}

// While the database is away events wait. None is given up, and the order stays.
func TestTheDatabaseIsAwayForAWhile(t *testing.T) {
	cluster := pgtest.NewCluster(t, false)
	if err := cluster.EnsureDatabase(t.Context(), "own"); err != nil {
		t.Fatal(err)
	}
	pool := eventstoretest.Connect(t, cluster.DSN("own"))
	if err := eventstore.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	w.setUp(pool)
	w.server = natstest.Start(t)
	w.conn = natstest.Connect(t, w.server)
	var err error
	if w.js, err = jetstream.New(w.conn); err != nil {
		t.Fatal(err)
	}
	if err := EnsureStreams(t.Context(), w.js, 1, 0); err != nil {
		t.Fatal(err)
	}
	log := logged(t)
	const customers, n = 100, 40
	w.sequence(customers, n)
	total := w.messages(StreamIn)
	w.consume()
	for _, halt := range []func() error{cluster.Crash, cluster.Stop} {
		left := w.messages(StreamIn) * 3 / 4
		w.until("the consumer does nothing", func() bool { return w.messages(StreamIn) < left })
		if err := halt(); err != nil {
			t.Fatal(err)
		}
		if w.messages(StreamIn) == 0 {
			t.Fatalf("all %d events were handled before the database went", total)
		}
		time.Sleep(2 * time.Second) // this is how long it is away
		if err := cluster.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.drained()
	w.inOrder(customers, n)
	if dead := w.dead(); len(dead) != 0 {
		t.Errorf("dead letters %v", dead)
	}
	if said := log.String(); strings.Contains(said, "visitor") {
		t.Errorf("the log names visitors: %s", said)
	}
}

// When NATS is started again, what was under way comes again, and the order stays.
func TestNATSIsStartedAgain(t *testing.T) {
	w := newHandlerWorld(t)
	config := natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	server, err := natsserver.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() }) // the second time says nothing new
	config.Listen = strings.TrimPrefix(server.URL(), "nats://")
	w.conn, err = nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.conn.Close)
	if w.js, err = jetstream.New(w.conn); err != nil {
		t.Fatal(err)
	}
	if err := EnsureStreams(t.Context(), w.js, 1, 0); err != nil {
		t.Fatal(err)
	}
	const customers, n = 60, 30
	w.sequence(customers, n)
	total := w.messages(StreamIn)
	w.consume()
	w.until("the consumer does nothing", func() bool { return w.messages(StreamIn) < total*3/4 })
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := natsserver.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := again.Stop(); err != nil {
			t.Error(err)
		}
	})
	// Until it notices, the client takes the old connection for a good one, and what is asked over it is never answered.
	w.until("the connection does not come back", func() bool { return w.conn.Stats().Reconnects > 0 && w.conn.IsConnected() })
	w.drained()
	w.inOrder(customers, n)
}

// The server sorts events into parts, all of an association into one.
func TestParts(t *testing.T) {
	w := newWorld(t)
	where := map[string]int{}
	for association := range 32 {
		for range 2 {
			w.publish(fmt.Sprint(association), "{}")
		}
	}
	stream, err := w.js.Stream(t.Context(), StreamIn)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter("cc.in.>"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]int{}
	for subject, n := range info.State.Subjects {
		who, association, ok := parseSubject(subject)
		part, _, _ := strings.Cut(strings.TrimPrefix(subject, inPrefix), ".")
		if !ok || who != tenant || n != 2 || part < "0" || part > "7" {
			t.Errorf("subject %s with %d events", subject, n)
		}
		where[fmt.Sprint(association)]++
		parts[part]++
	}
	if len(info.State.Subjects) != 32 || len(parts) < 5 {
		t.Errorf("%d subjects in %d parts: %v", len(info.State.Subjects), len(parts), parts)
	}
}

func TestEnsureStreams(t *testing.T) {
	w := newWorld(t)
	stream, err := w.js.Stream(t.Context(), StreamIn)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxBytes = 1 << 20
	if _, err := w.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := EnsureStreams(t.Context(), w.js, 1, 0); err != nil {
		t.Fatal(err)
	}
	if stream, err = w.js.Stream(t.Context(), StreamIn); err != nil || stream.CachedInfo().Config.MaxBytes != 1<<20 {
		t.Errorf("what an operator has set was changed: %v", err)
	}
	// A full queue tells the channel, and drops nothing.
	body := []byte(event("message.received", strings.Replace(received, "在吗", strings.Repeat("a", 100_000), 1), nil))
	for range 11 {
		_, err = w.js.Publish(t.Context(), Subject(tenant, 1), body)
	}
	if kept := w.messages(StreamIn); err == nil || kept != 10 {
		t.Errorf("a full queue took the event (%v) and has %d", err, kept)
	}
	// One association does not take the others' room.
	config = stream.CachedInfo().Config
	config.MaxBytes, config.MaxMsgsPerSubject = 64<<20, 12
	if _, err := w.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err = w.js.Publish(t.Context(), Subject(tenant, 1), body)
	}
	if kept := w.messages(StreamIn); err == nil || kept != 12 {
		t.Errorf("an association that has its part of the queue got another event in (%v), there are %d", err, kept)
	}
	if _, err := w.js.Publish(t.Context(), Subject(tenant, 2), body); err != nil {
		t.Errorf("another association: %v", err)
	}
	if err := w.js.DeleteStream(t.Context(), StreamIn); err != nil {
		t.Fatal(err)
	}
	if _, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: StreamIn, Subjects: []string{"cc.in.*.*"}}); err != nil {
		t.Fatal(err)
	}
	if err := EnsureStreams(t.Context(), w.js, 1, 0); !errors.Is(err, ErrStream) {
		t.Errorf("a stream of another kind: %v", err)
	}
}

// A message that no pull can hold would stop its part of the queue, so the queue does not take it, however large the server's messages
// may be. What the embedded server takes, it takes.
func TestTheQueueTakesNoMessageThatCannotBeRead(t *testing.T) {
	w := newHandlerWorld(t)
	foreign, err := server.NewServer(&server.Options{
		JetStream: true, StoreDir: t.TempDir(), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, MaxPayload: 32 << 20, MaxPending: 64 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	foreign.Start()
	t.Cleanup(func() { foreign.Shutdown(); foreign.WaitForShutdown() })
	if !foreign.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	if w.conn, err = nats.Connect(foreign.ClientURL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.conn.Close)
	if w.js, err = jetstream.New(w.conn); err != nil {
		t.Fatal(err)
	}
	if err := EnsureStreams(t.Context(), w.js, 1, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.js.Publish(t.Context(), Subject(tenant, 1), make([]byte, pullBytes)); err == nil {
		t.Error("the queue took a message that it cannot give out")
	}
	w.consume()
	w.publish("1", strings.Repeat("a", natsserver.MaxPayload), numbered("message.received", 1, received))
	w.drained()
	if dead := w.dead(); len(dead) != 1 || dead[0].Code != CodeTooLarge {
		t.Errorf("dead letters %v", dead)
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	registry := prometheus.NewRegistry()
	w.registry = registry
	w.consume()
	w.panics.Store(1)
	w.publish("1", numbered("message.received", 1, received))
	w.drained()
	w.publish("1", numbered("message.received", 1, received), numbered("message.received", 2, `{}`), "{")
	w.drained()
	got := map[string]float64{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "customercenter_ingest_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"received_total": 4, "outcomes_total accepted": 1, "outcomes_total duplicate": 1, "outcomes_total refused": 2, "refused_total VALIDATION": 1, "refused_total MALFORMED": 1,
		"handling_seconds": 4, "retries_total": 1, "dead_total": 2, "postponed_total": 0, "in_flight": 0, "lanes": 0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
