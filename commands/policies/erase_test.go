package policies

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/job"
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
