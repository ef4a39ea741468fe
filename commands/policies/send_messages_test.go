package policies

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/internal/natstest"
)

// say records a message of the agent li.
func (w *world) say(actor eventstore.Actor, in uuid.UUID, id, words string) commands.Done {
	w.t.Helper()
	return w.must(actor, commands.RecordMessage{
		Session: commands.SessionRef{ID: in}, Sender: session.Sender{Kind: "agent", ID: "li"},
		Message: commands.Message{ID: id, Kind: "text", Text: words},
	})
}

// sent reads all that lies in the stream.
func (w *world) sent() []*jetstream.RawStreamMsg {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), StreamOut)
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := stream.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
		m, err := stream.GetMsg(w.t.Context(), sequence)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// event reads the CloudEvent of a message.
func (w *world) event(body []byte) cloudEvent {
	w.t.Helper()
	var e cloudEvent
	if err := json.Unmarshal(body, &e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func TestSendMessages(t *testing.T) {
	w := newWorld(t)
	r := w.runner()
	w.start(r)
	id := w.customer("Wang")
	called := w.must(agent, commands.RequestCallback{Customer: id, Agent: "li", Text: "您好"})
	w.must(channel, commands.ReceiveMessage{Association: 1, ExternalID: "wang", Message: commands.Message{ID: "c1", Kind: "text", Text: "在"}})
	w.say(channel, called.Session, "s1", "the channel reports this, so it was sent")
	w.say(agent, called.Session, "s2", "二")
	w.must(admin, commands.RecordMessage{
		Session: commands.SessionRef{ID: called.Session}, Sender: session.Sender{Kind: "system"},
		Message: commands.Message{ID: "n1", Kind: "text", Text: "a note of the system"},
	})
	last := w.must(admin, commands.RecordMessage{
		Session: commands.SessionRef{ID: called.Session}, Sender: session.Sender{Kind: "agent", ID: "wu"},
		Message: commands.Message{ID: "s3", Kind: "file", URL: "https://x.example/a.pdf", Name: "a.pdf"},
	})
	w.caughtUp(r)

	all := w.sent()
	if len(all) != 3 {
		t.Fatalf("%d messages went out, want 3", len(all))
	}
	var ids []string
	for _, m := range all {
		ids = append(ids, w.event(m.Data).Data.Message.ID)
	}
	if want := []string{uuid.NewSHA1(called.Session, []byte("callback")).String(), "s2", "s3"}; !slices.Equal(ids, want) {
		t.Errorf("sent %v, want %v", ids, want)
	}
	m := all[2]
	recorded := w.log(last.Position - 1)[0]
	want := fmt.Sprintf(oneLine(`{"specversion":"1.0","id":"%s","type":"message.send","source":"/tenants/acme","subject":"session-%s","time":"%s",
		"datacontenttype":"application/json",
		"data":{"session_id":"%s","customer_id":"%s","external_id":"wang","association_id":1,"channel":"app","agent":"wu",
		"message":{"id":"s3","kind":"file","url":"https://x.example/a.pdf","name":"a.pdf"}}}`),
		m.Header.Get(jetstream.MsgIDHeader), called.Session, recorded.RecordedAt.Format(time.RFC3339Nano), called.Session, id)
	if string(m.Data) != want {
		t.Errorf("sent\n%s, want\n%s", m.Data, want)
	}
	if m.Subject != "cc.out.acme.1" || m.Header.Get("content-type") != "application/cloudevents+json" || uuid.Validate(m.Header.Get(jetstream.MsgIDHeader)) != nil {
		t.Errorf("subject %s, header %v", m.Subject, m.Header)
	}
}

// heard collects what is published, duplicates that the stream keeps out included.
type heard struct {
	mu     sync.Mutex
	bodies map[string][]string // by message id, as it was published
}

func (w *world) listen() *heard {
	w.t.Helper()
	h := &heard{bodies: map[string][]string{}}
	sub, err := w.nc.Subscribe("cc.out.>", func(m *nats.Msg) {
		h.mu.Lock()
		defer h.mu.Unlock()
		id := m.Header.Get(jetstream.MsgIDHeader)
		h.bodies[id] = append(h.bodies[id], string(m.Data))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = sub.Unsubscribe() })
	if err := w.nc.Flush(); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// A process that dies between publishing a message and noting that repeats it, with the same id, and loses none.
func TestSendingAcrossCrashes(t *testing.T) {
	w := newWorld(t)
	called := w.must(agent, commands.RequestCallback{Customer: w.customer("wang"), Agent: "li"})
	const messages = 12
	for i := range messages {
		w.say(agent, called.Session, fmt.Sprint("s", i), "hello")
	}
	published := w.listen()
	for crash := range messages {
		r := w.runner()
		dying := w.worker(r, sendName)
		ctx, cancel := context.WithCancel(t.Context())
		send, left := dying.policy.react, 1+crash%3
		dying.policy.react = func(ctx context.Context, d *eventstore.Decoded) error {
			err := send(ctx, d)
			if left--; left == 0 {
				cancel() // published, and now it is dead
			}
			return err
		}
		if _, err := dying.step(ctx, true); err == nil {
			t.Fatal("the process did not die")
		}
		cancel()
		if position, err := loadPosition(t.Context(), w.store.Pool(), sendName, tenant); err != nil || position != 0 {
			t.Fatalf("position %d, %v: a dead process moved it", position, err)
		}
	}
	r := w.runner()
	w.start(r)
	w.caughtUp(r)
	all := w.sent()
	if len(all) != messages {
		t.Errorf("the stream has %d messages, want %d", len(all), messages)
	}
	for i, m := range all {
		if got := w.event(m.Data).Data.Message.ID; got != fmt.Sprint("s", i) {
			t.Errorf("message %d is %s: not in order", i, got)
		}
	}
	if err := w.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	published.mu.Lock()
	defer published.mu.Unlock()
	if len(published.bodies) != messages {
		t.Errorf("%d different ids were published, want %d", len(published.bodies), messages)
	}
	repeated := 0
	for id, bodies := range published.bodies {
		repeated += len(bodies) - 1
		for _, body := range bodies {
			if body != bodies[0] || w.event([]byte(body)).ID != id {
				t.Errorf("the id %s stands for different messages", id)
			}
		}
	}
	if repeated < messages {
		t.Errorf("only %d messages were repeated: the crashes were none", repeated)
	}
}

// Without NATS nothing is lost; and what does not need it goes on.
func TestSendingWithoutNATS(t *testing.T) {
	w := newWorld(t)
	id := w.customer("wang")
	called := w.must(agent, commands.RequestCallback{Customer: id, Agent: "li", Text: "您好"})
	listed := w.customer("listed")
	w.list(listed)
	config := w.config()
	config.NATS = natstest.Connect(t, w.server)
	config.NATS.Close()
	cut, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	stop := w.start(cut)
	w.until("the listing is not lifted", func() bool { return w.lifted()[listed] == 1 })
	stop()
	if position, err := loadPosition(t.Context(), w.store.Pool(), sendName, tenant); err != nil || position >= called.Position {
		t.Fatalf("position %d, %v: a message that was not sent counts as sent", position, err)
	}
	r := w.runner()
	w.start(r)
	w.caughtUp(r)
	if all := w.sent(); len(all) != 1 {
		t.Errorf("%d messages went out, want 1", len(all))
	}
}

func TestEnsureStream(t *testing.T) {
	w := newWorld(t)
	w.start(w.runner())
	w.until("the stream is not made before there is a message", func() bool {
		_, err := w.js.Stream(t.Context(), StreamOut)
		return err == nil
	})
	for range 2 {
		if err := EnsureStream(t.Context(), w.js, 1); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := w.js.Stream(t.Context(), StreamOut)
	if err != nil {
		t.Fatal(err)
	}
	if c := stream.CachedInfo().Config; c.MaxAge != 7*24*time.Hour || c.MaxBytes != 1<<30 || c.Storage != jetstream.FileStorage || !slices.Equal(c.Subjects, []string{"cc.out.>"}) {
		t.Errorf("the stream is %+v", c)
	}
}
