package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api"
	"customercenter/eventstore"
)

// piece is what stands in a fence of docs/consumers.md: the first one of a kind in which a text occurs.
func piece(t *testing.T, kind, within string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "consumers.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile("(?s)```"+kind+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(found[1], within) {
			return found[1]
		}
	}
	t.Fatalf("docs/consumers.md has no %s with %q", kind, within)
	return ""
}

// buildFollow builds the program of docs/consumers.md.
func buildFollow(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "follow.go"), filepath.Join(dir, "follow")
	if err := os.WriteFile(source, []byte(piece(t, "go", "package main")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", source}, {"build", "-o", program, source}} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil { // in this module, so with its client library
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return program
}

// follower is a running program of docs/consumers.md.
type follower struct {
	t      *testing.T
	lines  chan string
	stderr *buffer
}

func startFollower(t *testing.T, program string, env ...string) *follower {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), env...)
	f := &follower{t: t, lines: make(chan string, 1000), stderr: &buffer{}}
	cmd.Stderr = f.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := bufio.NewScanner(out); s.Scan(); {
			f.lines <- s.Text()
		}
		close(f.lines)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	return f
}

// prints fails the test unless these positions come next, each with the type that the log has there.
func (f *follower) prints(log []api.Event, from, to int64) []string {
	f.t.Helper()
	var lines []string
	for position := from; position <= to; position++ {
		line := f.next()
		if want := fmt.Sprintf("%d %s {", position, log[position-1].Type); !strings.HasPrefix(line, want) {
			f.t.Fatalf("it prints %q, want %q …", line, want)
		}
		lines = append(lines, line)
	}
	return lines
}

func (f *follower) next() string {
	f.t.Helper()
	select {
	case line, more := <-f.lines:
		if !more {
			f.t.Fatalf("it has ended:\n%s", f.stderr)
		}
		return line
	case <-time.After(time.Minute):
		f.t.Fatalf("it prints nothing:\n%s", f.stderr)
	}
	return ""
}

// readLog is what GET /v1/events has.
func readLog(t *testing.T, c *company) (log []api.Event) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.admin)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := json.NewDecoder(answer.Body); lines.More(); {
		var e api.Event
		if err := lines.Decode(&e); err != nil {
			t.Fatal(err)
		}
		log = append(log, e)
	}
	return log
}

// The program of docs/consumers.md, beside a real system to which happens what the page speaks of.
func TestConsumersMissNothingAndRepeatNothing(t *testing.T) {
	program := buildFollow(t)
	c := founder(t)(t, "acme")
	tag := func(name string) {
		t.Helper()
		ask(t, "POST", c.url+"/v1/tags", c.admin, `{"name": "`+name+`"}`, nil)
	}
	for i := range 5 {
		tag(fmt.Sprint("early ", i))
	}
	ask(t, "POST", c.url+"/v1/customers", c.admin, `{"association_id": 1, "external_id": "wang", "profile": {"nickname": "王芳"}}`, nil)
	log := readLog(t, c)
	n := int64(len(log))
	run := info(t, c.data)
	follow := func(since time.Time) *follower {
		return startFollower(t, program, "TENANT=acme", "NATS_URL="+run.NATSURL, "API_URL="+c.url, "TOKEN="+c.admin, "SINCE="+since.Format(time.RFC3339Nano))
	}
	first := follow(log[0].RecordedAt)
	lines := first.prints(log, 1, n)
	if last := lines[len(lines)-1]; !strings.Contains(last, `"sealed":"`) || strings.Contains(last, "王芳") {
		t.Errorf("on the bus a customer is %s", last)
	}
	if later := follow(log[3].RecordedAt).next(); !strings.HasPrefix(later, "4 ") {
		t.Errorf("from the time of event 4 on, the first is %q", later)
	}

	// The stream has thrown away all but the last two: the rest is in the log.
	nc, err := nats.Connect(run.NATSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "CC_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeKeep(2)); err != nil {
		t.Fatal(err)
	}
	follow(log[0].RecordedAt).prints(log, 1, n)

	// Everything comes again, and is not repeated: what is printed next is what happens next.
	refill := start(t, "relay", "refill", "acme", "--data", c.data)
	if code := refill.ended(); code != 0 {
		t.Fatalf("%d %s", code, refill.stderr)
	}
	tag("later")
	log = readLog(t, c)
	first.prints(log, n+1, n+1)

	// Another log: what the page says to do about it.
	pool, err := eventstore.Connect(t.Context(), run.DatabaseURL, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `update log_epoch set epoch = gen_random_uuid()`); err != nil {
		t.Fatal(err)
	}
	if line := first.next(); !strings.HasPrefix(line, "RESTORED") {
		t.Errorf("after the epoch has changed it prints %q", line)
	}
	first.prints(log, 1, n+1)
}

// The permissions of docs/consumers.md are enough for its program, and too little to hear anybody else.
func TestConsumersNeedNoMorePermissions(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "nats-server.conf")
	users := strings.NewReplacer("$FOLLOW_PASSWORD", "secret", "users = [", "users = [ { user: boss, password: boss },").Replace(piece(t, "text", "authorization"))
	if err := os.WriteFile(config, []byte("listen: 127.0.0.1:-1\njetstream { store_dir: \""+dir+"\" }\n"+users), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(config)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog = true, true
	bus, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	bus.Start()
	defer func() {
		bus.Shutdown()
		bus.WaitForShutdown()
	}()
	if !bus.ReadyForConnections(time.Minute) {
		t.Fatal("the server is not ready")
	}
	connect := func(who, password string, options ...nats.Option) jetstream.JetStream {
		t.Helper()
		nc, err := nats.Connect(bus.ClientURL(), append(options, nats.UserInfo(who, password), nats.CustomInboxPrefix(who))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		return js
	}
	boss := connect("boss", "boss")
	if _, err := boss.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CC_EVENTS", Subjects: []string{"cc.events.>"}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Hour)
	for _, tenant := range []string{"acme", "beta"} {
		m := nats.NewMsg("cc.events." + tenant + ".tag.created")
		for name, value := range map[string]string{"cc-position": "1", "cc-epoch": "e", "ce-type": "tag.created", "ce-time": time.Now().Format(time.RFC3339Nano)} {
			m.Header.Set(name, value)
		}
		m.Data = []byte(`{"of":"` + tenant + `"}`)
		if _, err := boss.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	url := strings.Replace(bus.ClientURL(), "nats://", "nats://follow:secret@", 1)
	f := startFollower(t, buildFollow(t), "TENANT=acme", "NATS_URL="+url, "SINCE="+began.Format(time.RFC3339))
	if line := f.next(); line != `1 tag.created {"of":"acme"}` {
		t.Errorf("it prints %q", line)
	}

	violations := make(chan error, 10)
	follow := connect("follow", "secret", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	refused := func(what string, try func(ctx context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- try(ctx) }()
		select {
		case err := <-done:
			t.Errorf("%s is not refused: %v", what, err)
		case err := <-violations: // what is not allowed is never answered
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for _, filter := range []string{"cc.events.beta.>", "cc.events.>", "cc.events.*.tag.created"} {
		refused(filter, func(ctx context.Context) error {
			_, err := follow.OrderedConsumer(ctx, "CC_EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
			return err
		})
	}
	refused("publishing what did not happen", func(ctx context.Context) error {
		_, err := follow.PublishMsg(ctx, nats.NewMsg("cc.events.acme.tag.created"))
		return err
	})
}
