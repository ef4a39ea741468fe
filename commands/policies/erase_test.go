package policies

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/internal/natstest"
	"customercenter/projections"
)

// letters stands for the dead letters, which are another package's: it asks about some and remembers the answers.
type letters struct {
	mu     sync.Mutex
	erased map[string]bool // external ids of association 1, and sessions
	ask    []any
}

func (l *letters) Erase(_ context.Context, _ string, about func(int, string, uuid.UUID) (bool, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.ask {
		var is bool
		var err error
		name := ""
		if id, ok := one.(uuid.UUID); ok {
			name = id.String()
			is, err = about(0, "", id)
		} else {
			name = one.(string)
			is, err = about(1, name, uuid.Nil)
		}
		if err != nil {
			return err
		}
		l.erased[name] = is
	}
	return nil
}

func (w *world) settled() bool {
	w.t.Helper()
	var open int
	if err := w.store.Pool().QueryRow(w.t.Context(), `select count(*) from erasures where done_at is null`).Scan(&open); err != nil {
		w.t.Fatal(err)
	}
	return open == 0
}

// Under steady traffic the queue is never seen empty. What lay in it is gone from its files all the same, once enough has passed; what waits in it is not.
func TestAQueueThatIsNeverEmptyIsPassed(t *testing.T) {
	ctx := t.Context()
	js, err := jetstream.New(natstest.Connect(t, natstest.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: streamIn, Subjects: []string{"cc.in.>"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, Durable: "all"})
	if err != nil {
		t.Fatal(err)
	}
	e := &eraser{js: js, behind: 30, queued: map[string]uint64{}}
	one := erasure{tenant: "acme", customer: uuid.New(), generation: 1}
	gone := func() bool {
		t.Helper()
		gone, err := e.drained(ctx, one)
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	if !gone() {
		t.Error("a queue that is empty holds something")
	}
	publish := func() {
		t.Helper()
		if _, err := js.Publish(ctx, "cc.in.acme.1", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	take := func() {
		t.Helper()
		m, err := consumer.Next()
		if err == nil {
			err = m.DoubleAck(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	publish()
	publish()
	if gone() {
		t.Error("what lies in the queue is gone")
	}
	for range 29 { // one is always in it
		publish()
		take()
	}
	if gone() {
		t.Error("what was acknowledged a moment ago is gone")
	}
	for range 3 {
		publish()
		take()
	}
	if !gone() {
		t.Error("what was acknowledged long ago is still waited for")
	}
	if len(e.queued) > 0 {
		t.Errorf("%v is kept", e.queued)
	}
}

// All that is kept beside the log of whoever was erased is removed, by whichever of two processes, and however often; what is others' stays.
func TestErase(t *testing.T) {
	w := newWorld(t)
	w.project()
	w.mayImport(tenant)
	her := w.must(channel, commands.ReceiveMessage{Association: 1, ExternalID: "zanzibar", Message: commands.Message{ID: "m1", Kind: "text", Text: "hello"}})
	other := w.must(channel, commands.ReceiveMessage{Association: 1, ExternalID: "other", Message: commands.Message{ID: "m2", Kind: "text", Text: "hello"}})
	for _, session := range []uuid.UUID{her.Session, other.Session} {
		w.must(admin, commands.AcceptSession{Session: commands.SessionRef{ID: session}, Agent: "li"})
		w.must(agent, commands.SendMessage{Session: session, Agent: "li", Message: commands.Message{ID: "to-" + session.String(), Kind: "text", Text: "zanzibar"}})
	}
	file := w.upload(tenant, []string{"zanzibar,zanzibar,,1", "other,other,,1", "ZANZIBAR,again,,1", "third,third,,1"})
	export := w.must(admin, commands.RequestExport{Filter: []byte(`{}`), Columns: []string{"external_id"}}).Job
	dead := &letters{erased: map[string]bool{}, ask: []any{"Zanzibar", "other", her.Session, other.Session, "no such id!"}}
	config := w.config()
	config.Letters = dead
	first, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	stop := w.start(first)
	w.until("the file of the export is not there", func() bool {
		state, _, err := projections.NewCatalogues(w.store).Export(t.Context(), tenant, export)
		return err == nil && state.Status == job.Completed
	})
	w.until("the messages are not on their way", func() bool { return w.sentWith(her.Session.String()) == 1 && w.sentWith(other.Session.String()) == 1 })
	if !w.keeps(file, "zanzibar") || !w.keeps(export, "zanzibar") {
		t.Fatal("the files do not have her to begin with")
	}
	stop()

	// Nobody is at work; what was noted is enough for whoever comes.
	w.must(admin, commands.EraseCustomer{Customer: her.Customer, Confirm: "zanzibar"})
	if w.settled() {
		t.Error("it is called done before anything was done")
	}
	config = w.config()
	config.Letters = dead
	second, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	first, err = New(config)
	if err != nil {
		t.Fatal(err)
	}
	third := w.start(first)
	w.start(second)
	w.until("the erasure is not completed", w.settled)
	third()

	if w.keeps(file, "zanzibar") || !w.keeps(file, "other") || !w.keeps(file, "third") {
		t.Error("not her rows, or not only hers, are gone from the upload")
	}
	if w.keeps(export, "") {
		t.Error("the file of the export is there")
	}
	state, _, err := projections.NewCatalogues(w.store).Export(t.Context(), tenant, export)
	if err != nil || !state.Expired || state.Code != domain.CodeCustomerErased {
		t.Errorf("the export is %+v, %v", state, err)
	}
	if a, b := w.sentWith(her.Session.String()), w.sentWith(other.Session.String()); a != 0 || b != 1 {
		t.Errorf("%d of her messages and %d of the other's are on their way", a, b)
	}
	dead.mu.Lock()
	defer dead.mu.Unlock()
	if !dead.erased["Zanzibar"] || !dead.erased[her.Session.String()] || dead.erased["other"] || dead.erased[other.Session.String()] || dead.erased["no such id!"] {
		t.Errorf("dead letters are judged %v", dead.erased)
	}
	// An export that is asked for now has the others.
	again := w.must(admin, commands.RequestExport{Filter: []byte(`{}`), Columns: []string{"external_id"}}).Job
	w.until("the file of the next export is not there", func() bool { return w.keeps(again, "other") })
	if w.keeps(again, "zanzibar") {
		t.Error("she is in the next export")
	}
	if runner := jobs.NewRunner(jobs.Config{Store: w.store, Center: w.center, Builds: w.projector}); runner.File(t.Context(), tenant, export, new(bytes.Buffer)) == nil {
		t.Error("the file can be had")
	}
}

// sentWith is how many of the messages that lie in the stream have a text.
func (w *world) sentWith(text string) (n int) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), StreamOut)
	if err != nil {
		return 0 // not made yet
	}
	info, err := stream.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
		m, err := stream.GetMsg(w.t.Context(), sequence)
		if err == nil && strings.Contains(string(m.Data), text) {
			n++
		}
	}
	return n
}

// keeps reports whether what a job keeps has a text.
func (w *world) keeps(id uuid.UUID, text string) bool {
	w.t.Helper()
	var parts []string
	rows, err := w.store.Pool().Query(w.t.Context(), `select convert_from(content, 'UTF8') from job_parts where tenant = $1 and job = $2`, tenant, id)
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var part string
		if err := rows.Scan(&part); err != nil {
			w.t.Fatal(err)
		}
		parts = append(parts, part)
	}
	return len(parts) > 0 && strings.Contains(strings.ToLower(strings.Join(parts, "")), text)
}
