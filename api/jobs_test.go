package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands/policies"
	"customercenter/internal/natstest"
)

// TestJobsAreWorkedOnByPolicies runs the policies, as the product does, and follows an import, an export and a bulk action to their ends.
func TestJobsAreWorkedOnByPolicies(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.entitle("acme")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	runner, err := policies.New(policies.Config{Store: w.store, Center: w.center, Builds: w.projector, NATS: natstest.Connect(t, natstest.Start(t)), Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	// toItsEnd follows a job, whose progress never goes back.
	toItsEnd := func(id, kind string) reply {
		t.Helper()
		events, before := w.follow("acme/admin", id), -1.0
		for {
			name, told := events.next()
			switch done, _ := told.get(kind + ".progress.done").(float64); {
			case name != "progress" && name != "end":
				t.Fatalf("%q %s", name, told.body)
			case done < before:
				t.Errorf("went back: %s", told.body)
			case name == "end":
				return told
			default:
				before = done
			}
		}
	}
	var b strings.Builder
	b.WriteString("ID,关联ID\n")
	for i := range 1200 {
		fmt.Fprintf(&b, "u%d,%d\n", i, 1+min(i%4, 1)) // every fourth of the web
	}
	id := w.upload("a.csv", b.String(), "dry_run").want(http.StatusCreated).get("id").(string)
	if end := toItsEnd(id, "import"); end.get("import.status") != "completed" || end.get("import.created") != 900.0 || end.get("import.dry_run") != true {
		t.Errorf("a trial ends as %s", end.body)
	}
	w.admin("POST", "/v1/imports/"+id+"/start", nil).want(http.StatusAccepted)
	if end := toItsEnd(id, "import"); end.get("import.status") != "completed" || end.get("import.created") != 900.0 || end.get("import.rejected") != 300.0 || end.get("import.dry_run") != false {
		t.Errorf("an import ends as %s", end.body)
	}
	// Without waiting for any list: what was just done is in it.
	bulk := w.admin("POST", "/v1/customers/bulk", map[string]any{"action": "tag", "tag_id": vip, "filter": map[string]any{}}).want(http.StatusAccepted).get("id").(string)
	if end := toItsEnd(bulk, "bulk"); end.get("bulk.status") != "completed" || end.get("bulk.changed") != 900.0 {
		t.Errorf("a bulk action ends as %s", end.body)
	}
	export := w.admin("POST", "/v1/exports", map[string]any{"filter": hasTag(vip), "format": "xlsx"}).want(http.StatusAccepted).get("id").(string)
	if end := toItsEnd(export, "export"); end.get("export.status") != "completed" || end.get("export.rows") != 900.0 {
		t.Errorf("an export ends as %s", end.body)
	}
	if _, rows := sheetCells(t, w.admin("GET", "/v1/exports/"+export+"/file", nil).want(http.StatusOK).body); len(rows) != 901 {
		t.Errorf("%d rows", len(rows))
	}
	w.admin("POST", "/v1/imports/"+id+"/revert", nil).want(http.StatusAccepted)
	if end := toItsEnd(id, "import"); end.get("import.status") != "reverted" || end.get("import.withdrawn") != 0.0 || end.get("import.kept") != 900.0 { // all of them are tagged
		t.Errorf("what was taken back: %s", end.body)
	}
	w.admin("POST", "/v1/customers/bulk/"+bulk+"/undo", nil).want(http.StatusAccepted)
	if end := toItsEnd(bulk, "bulk"); end.get("bulk.status") != "reverted" || end.get("bulk.undone") != 900.0 {
		t.Errorf("what was undone: %s", end.body)
	}
}

// TestAJobIsOfOneKind asks for each kind of job at the addresses of the others.
func TestAJobIsOfOneKind(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	things := w.planted("acme", "agent-1")
	kinds := map[string]string{"imports": things["imports"], "exports": things["exports"], "bulk": things["bulk"]}
	head := w.head("acme")
	for _, r := range w.routes() {
		segments := r.segments()
		if len(segments) != 1 || kinds[segments[0]] == "" {
			continue
		}
		for kind, id := range kinds {
			if kind != segments[0] {
				w.do(call{as: "acme/admin", method: r.Method, path: r.address(id), body: w.body(r, things, false)}).refused(http.StatusNotFound, "NOT_FOUND", "")
			}
		}
		for _, id := range []string{things["tags"], things["customers"], uuid.NewString(), uuid.Nil.String(), "x", "%00"} {
			w.do(call{as: "acme/admin", method: r.Method, path: r.address(id), body: w.body(r, things, false)}).refused(http.StatusNotFound, "NOT_FOUND", "")
		}
	}
	w.admin("GET", "/v1/jobs/"+things["customers"], nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/jobs/"+things["customers"]+"/events", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	for kind, id := range map[string]string{"import": things["imports"], "export": things["exports"], "bulk": things["bulk"]} {
		if got := w.admin("GET", "/v1/jobs/"+id, nil).want(http.StatusOK); got.get(kind+".id") != id || got.get(kind+".kind") != kind {
			t.Errorf("got %s", got.body)
		}
	}
	if w.head("acme") != head {
		t.Error("what was refused left something in the log")
	}
	// Nobody who asked for one as another has changed what it is.
	w.finish(things["exports"])
	w.finish(things["bulk"])
	w.admin("GET", "/v1/exports/"+things["exports"]+"/file", nil).want(http.StatusOK)
	w.admin("POST", "/v1/imports/"+things["imports"]+"/cancel", nil).want(http.StatusOK)
	w.admin("POST", "/v1/customers/bulk/"+things["bulk"]+"/undo", nil).want(http.StatusAccepted)
}

// TestJobsAreShownWithoutTheirList begins and changes jobs when nothing feeds the list of them.
func TestJobsAreShownWithoutTheirList(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	w.entitle("acme")
	second := call{as: "other/admin", method: "GET"}
	for path, body := range map[string]any{"/v1/imports": formOf(t, part{"file", "a.csv", smallest}), "/v1/exports": ExportInput{}, "/v1/customers/bulk": BulkInput{Action: "unblacklist", IDs: []uuid.UUID{uuid.New()}}} {
		made := w.do(call{as: "acme/admin", method: "POST", path: path, body: body})
		if made.status != http.StatusCreated && made.status != http.StatusAccepted || made.get("status") != "queued" || made.get("created_by.id") != "admin-1" || made.header.Get("Location") != path+"/"+made.get("id").(string) {
			t.Errorf("made: %d %v %s", made.status, made.header, made.body)
		}
		own := path + "/" + made.get("id").(string)
		if shown := w.admin("GET", own, nil).want(http.StatusOK); shown.get("id") != made.get("id") {
			t.Errorf("shown: %s", shown.body)
		}
		if canceled := w.admin("POST", own+"/cancel", nil).want(http.StatusOK); canceled.get("status") != "canceled" || canceled.get("finished_at") == nil || canceled.get("id") != made.get("id") {
			t.Errorf("canceled: %s", canceled.body)
		}
		second.path = own
		w.do(second).refused(http.StatusNotFound, "NOT_FOUND", "")
	}
}

// TestWhoFollowsAJobMayGo follows a job that nobody works on, and hangs up.
func TestWhoFollowsAJobMayGo(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id := w.admin("POST", "/v1/exports", ExportInput{}).want(http.StatusAccepted).get("id").(string)
	for range 20 {
		events := w.follow("acme/admin", id)
		if name, _ := events.next(); name != "progress" {
			t.Errorf("%q at first", name)
		}
		_ = events.answer.Body.Close()
	}
	for _, as := range []string{"acme/agent", "acme/analyst", "acme/channel"} {
		w.do(call{as: as, method: "GET", path: "/v1/jobs/" + id + "/events"}).refused(http.StatusForbidden, "FORBIDDEN", "")
	}
	for _, as := range []string{"other/admin", "acme/operator"} { // an operator follows rebuilds
		w.do(call{as: as, method: "GET", path: "/v1/jobs/" + id + "/events"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	}
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "level=ERROR") {
			t.Errorf("the log says: %s", line)
		}
	}
}

// TestATokenHasOnlySoMuchUnderWay follows more jobs than a token may, and uploads and downloads beside them.
func TestATokenHasOnlySoMuchUnderWay(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.core.bounds.streams = 2
	id := w.admin("POST", "/v1/exports", ExportInput{}).want(http.StatusAccepted).get("id").(string)
	events := []*stream{w.follow("acme/admin", id), w.follow("acme/admin", id)}
	for _, c := range []call{{method: "GET", path: "/v1/jobs/" + id + "/events"}, {method: "POST", path: "/v1/imports", body: formOf(t, part{"file", "a.csv", smallest})}, {method: "GET", path: "/v1/exports/" + id + "/file"}, {method: "GET", path: "/v1/events"}} {
		c.as = "acme/admin"
		r := w.do(c)
		if r.refused(http.StatusTooManyRequests, "RATE_LIMITED", ""); r.header.Get("Retry-After") == "" {
			t.Error("nobody says when to come again")
		}
	}
	w.admin("GET", "/v1/jobs/"+id, nil).want(http.StatusOK)
	w.do(call{as: "other/admin", method: "GET", path: "/v1/events"}).want(http.StatusOK)
	w.do(call{method: "GET", path: "/metrics"}).want(http.StatusOK)
	w.finish(id)
	for _, e := range events {
		for name := "progress"; name != "end"; {
			if name, _ = e.next(); name == "" {
				t.Fatal("no end")
			}
		}
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) { // the server may need a moment to see that it has ended
		if r := w.admin("GET", "/v1/exports/"+id+"/file", nil); r.status == http.StatusOK {
			break
		} else if time.Since(began) > 10*time.Second {
			t.Fatalf("got %d %s", r.status, r.body)
		}
	}
}
