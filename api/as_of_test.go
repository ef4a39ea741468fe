package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"customercenter/projections/asof"
)

// past asks as of a moment until the answer is there.
func (w *world) past(as, path, moment string) reply {
	w.t.Helper()
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	for end := time.Now().Add(time.Minute); ; {
		got := w.do(call{as: as, method: "GET", path: path + mark + "as_of=" + url.QueryEscape(moment)})
		if got.status != http.StatusAccepted {
			return got
		}
		w.untilBuilt(as, got, end)
	}
}

// untilBuilt waits until the job that was told of has ended.
func (w *world) untilBuilt(as string, told reply, end time.Time) {
	w.t.Helper()
	if told.get("kind") != "as_of" || told.header.Get("Retry-After") == "" {
		w.t.Fatalf("202 with %s and the headers %v", told.body, told.header)
	}
	for {
		job := w.do(call{as: as, method: "GET", path: told.header.Get("Location")}).want(http.StatusOK)
		if job.get("id") != told.get("id") || time.Now().After(end) {
			w.t.Fatalf("the job is %s", job.body)
		}
		switch job.get("status") {
		case "completed", "failed":
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// What was told at a moment is told again, whatever happened since, on every way there is to ask.
func TestAsOfOverHTTP(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, session := w.session("acme/admin", "visitor-1", "hello")
	tag := w.do(call{as: "acme/admin", method: "POST", path: "/v1/tags", body: TagInput{"before"}}).want(http.StatusCreated).get("id").(string)
	w.do(call{as: "acme/admin", method: "PUT", path: "/v1/customers/" + customer + "/tags/" + tag}).want(http.StatusNoContent)
	group := w.sampleGroup("acme", "agent-1", "tagged", tag)
	w.seen(w.head("acme"))
	all := "/v1/customers?filter=%7B%7D&facets=tags,groups"
	paths := []string{all, "/v1/customers/" + customer, "/v1/customers/" + customer + "/sessions", "/v1/customers/" + customer + "/groups", "/v1/sessions", "/v1/groups/" + group + "/members",
		"/v1/customers/" + customer + "/transcript", "/v1/customers/" + customer + "/history", "/v1/sessions/" + session, "/v1/groups/" + group, "/v1/fields"}
	w.served(group)
	told := map[string]string{}
	for _, path := range paths {
		told[path] = string(w.do(call{as: "acme/admin", method: "GET", path: path}).want(http.StatusOK).body)
	}
	head := w.head("acme")

	w.do(call{as: "acme/admin", method: "PATCH", path: "/v1/tags/" + tag, body: TagInput{"after"}}).want(http.StatusOK)
	w.do(call{as: "acme/admin", method: "DELETE", path: "/v1/customers/" + customer + "/tags/" + tag}).want(http.StatusNoContent)
	w.do(call{as: "acme/admin", method: "POST", path: "/v1/sessions/" + session + "/accept", body: AcceptInput{"agent-1"}}).want(http.StatusOK)
	w.do(call{as: "acme/admin", method: "POST", path: "/v1/sessions/" + session + "/messages", body: MessageInput{Kind: "text", Text: "late"}}).want(http.StatusCreated)
	w.do(call{as: "acme/admin", method: "PATCH", path: "/v1/fields/qq", body: map[string]any{"shown": false}}).want(http.StatusOK)
	w.do(call{as: "acme/admin", method: "PUT", path: "/v1/customers/" + customer + "/blacklist", body: map[string]any{"reason": "spam"}}).want(http.StatusOK)
	w.session("acme/admin", "visitor-2", "hello")
	w.seen(w.head("acme"))

	for _, path := range paths {
		got := w.past("acme/admin", path, fmt.Sprint(head)).want(http.StatusOK)
		if string(got.body) != told[path] {
			t.Errorf("%s as of %d:\n%s\nwant\n%s", path, head, got.body, told[path])
		}
		if got.header.Get("X-As-Of-Position") != fmt.Sprint(head) || got.header.Get("X-As-Of-Time") == "" || path != "/v1/fields" && got.header.Get("X-Log-Position") != fmt.Sprint(head) {
			t.Errorf("%s: the headers are %v", path, got.header)
		}
		now := w.do(call{as: "acme/admin", method: "GET", path: path}).want(http.StatusOK)
		if now.header.Get("X-As-Of-Position") != "" || string(now.body) == told[path] {
			t.Errorf("%s: the present is %s, with headers %v", path, now.body, now.header)
		}
	}
	found := w.do(call{as: "acme/admin", method: "POST", path: "/v1/customers/search", body: map[string]any{"filter": map[string]any{}, "facets": []string{"tags", "groups"}, "as_of": fmt.Sprint(head)}}).
		want(http.StatusOK)
	if string(found.body) != told[all] {
		t.Errorf("a search as of %d: %s", head, found.body)
	}
	nobody := w.past("acme/admin", "/v1/customers/"+customer, "0")
	if nobody.status != http.StatusNotFound {
		t.Errorf("before everything the customer is %d: %s", nobody.status, nobody.body)
	}
	if before := w.past("acme/admin", all, "2001-01-01T00:00:00Z").want(http.StatusOK); len(before.get("items").([]any)) != 0 {
		t.Errorf("before everything there were %s", before.body)
	}
}

// served waits until a group's rule is served.
func (w *world) served(group string) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got := w.do(call{as: "acme/admin", method: "GET", path: "/v1/groups/" + group + "/members"}).want(http.StatusOK); len(got.get("items").([]any)) > 0 {
			return
		}
	}
	w.t.Fatal("the group has no members")
}

// The pages of a list go on with its moment, also if the moment is not said again.
func TestPagesOfThePast(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	for i := range 3 {
		w.session("acme/admin", fmt.Sprint("visitor-", i), "hello")
	}
	head := w.head("acme")
	w.session("acme/admin", "visitor-late", "hello")
	w.seen(w.head("acme"))
	for _, list := range []string{"/v1/customers?filter=%7B%7D&limit=2", "/v1/sessions?limit=2"} {
		first := w.past("acme/admin", list, fmt.Sprint(head)).want(http.StatusOK)
		next := "&cursor=" + first.get("next").(string)
		said, unsaid := w.past("acme/admin", list+next, fmt.Sprint(head)).want(http.StatusOK), w.do(call{as: "acme/admin", method: "GET", path: list + next}).want(http.StatusOK)
		if string(said.body) != string(unsaid.body) || unsaid.header.Get("X-As-Of-Position") != fmt.Sprint(head) || len(unsaid.get("items").([]any)) != 1 {
			t.Errorf("%s: the second page is %s, or %s", list, said.body, unsaid.body)
		}
		if other := w.past("acme/admin", list+next, fmt.Sprint(head-1)); other.status != http.StatusUnprocessableEntity || other.problem().Errors[0].Location != "query.cursor" {
			t.Errorf("%s: a cursor of another moment: %d %s", list, other.status, other.body)
		}
		live := w.do(call{as: "acme/admin", method: "GET", path: list}).want(http.StatusOK).get("next").(string)
		if other := w.past("acme/admin", list+"&cursor="+live, fmt.Sprint(head)); other.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: a cursor of the present: %d %s", list, other.status, other.body)
		}
	}
}

// What cannot be asked is refused, and builds nothing.
func TestAsOfWhatCannotBeAsked(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, _ := w.session("acme/admin", "visitor-1", "hello")
	w.seen(w.head("acme"))
	forged := "&cursor=eyJzIjoiLWNyZWF0ZWRfYXQiLCJwIjp7IlBvc2l0aW9uIjo5OTk5OTksIkF0IjoiMjAyNi0wMS0wMVQwMDowMDowMFoifX0" // position 999999
	for _, c := range []struct{ as, path, moment, location, rule string }{
		{"acme/admin", "/v1/customers", "yesterday", "query.as_of", "moment"},
		{"acme/admin", "/v1/customers", "-1", "query.as_of", "moment"},
		{"acme/admin", "/v1/customers", "99999999", "query.as_of", "not_come"},
		{"acme/admin", "/v1/customers", "2999-01-01T00:00:00Z", "query.as_of", "not_come"},
		{"acme/admin", "/v1/sessions", "2999-01-01T00:00:00Z", "query.as_of", "not_come"},
		{"acme/admin", "/v1/customers/" + customer, "2999-01-01T00:00:00Z", "query.as_of", "not_come"},
		{"acme/admin", "/v1/customers?filter=%7B%7D" + forged, "", "query.cursor", "cursor"},
	} {
		got := w.past(c.as, c.path, c.moment)
		if got.status != http.StatusUnprocessableEntity || got.problem().Errors[0].Location != c.location || got.problem().Errors[0].Rule != c.rule {
			t.Errorf("%s as of %s: %d %s", c.path, c.moment, got.status, got.body)
		}
	}
	searched := w.do(call{as: "acme/admin", method: "POST", path: "/v1/customers/search", body: map[string]any{"as_of": "99999999"}})
	if searched.status != http.StatusUnprocessableEntity || searched.problem().Errors[0].Location != "as_of" {
		t.Errorf("a search: %d %s", searched.status, searched.body)
	}
	w.letAgents(true, false)
	for _, path := range []string{"/v1/customers", "/v1/customers/" + customer, "/v1/customers/" + customer + "/sessions", "/v1/customers/" + customer + "/groups", "/v1/sessions",
		"/v1/customers/" + customer + "/transcript", "/v1/customers/" + customer + "/history", "/v1/fields"} {
		if got := w.past("acme/agent", path, "1"); got.status != http.StatusForbidden || got.problem().Errors[0].Location != "query.as_of" {
			t.Errorf("an agent gets %d from %s: %s", got.status, path, got.body)
		}
	}
	if all, err := w.core.AsOf.List(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("there are %+v, %v", all, err)
	}
}

// The parts of a transcript belong to its moment: what was said since, in whatever session, is in none of them, and no cursor leads out.
func TestATranscriptOfThePast(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, session := w.session("acme/admin", "visitor-1", "one")
	w.do(call{as: "acme/admin", method: "POST", path: "/v1/sessions/" + session + "/accept", body: AcceptInput{"agent-1"}}).want(http.StatusOK)
	say := func(text string) {
		w.do(call{as: "acme/admin", method: "POST", path: "/v1/sessions/" + session + "/messages", body: MessageInput{Kind: "text", Text: text}}).want(http.StatusCreated)
	}
	say("two")
	head := w.head("acme")
	say("three")
	w.seen(w.head("acme"))
	path := "/v1/customers/" + customer + "/transcript"
	ask := func(path, want string) reply {
		t.Helper()
		got := w.past("acme/admin", path, fmt.Sprint(head)).want(http.StatusOK)
		if told := got.told(); told != want || got.get("after") != nil {
			t.Errorf("%s as of %d: %s, want %s: %s", path, head, told, want, got.body)
		}
		return got
	}
	earlier := path + "?limit=9&before=" + ask(path+"?limit=1", "two").get("before").(string)
	ask(path+"?session="+session, "started one two")
	earlierTold := w.past("acme/admin", earlier, fmt.Sprint(head)).want(http.StatusOK).told()
	if earlierTold != "started one" {
		t.Errorf("before that: %s", earlierTold)
	}
	live := w.do(call{as: "acme/admin", method: "GET", path: path + "?limit=1"}).want(http.StatusOK).get("before").(string)
	for _, wrong := range []reply{
		w.past("acme/admin", earlier, fmt.Sprint(head-1)), w.do(call{as: "acme/admin", method: "GET", path: earlier}), w.past("acme/admin", path+"?before="+live, fmt.Sprint(head)),
	} {
		if wrong.status != http.StatusUnprocessableEntity || wrong.problem().Errors[0].Location != "query.before" {
			t.Errorf("a cursor of another moment: %d %s", wrong.status, wrong.body)
		}
	}
}

// Who sees personal data masked sees that of the past masked.
func TestThePastIsMasked(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, session := w.session("acme/admin", "visitor-secret", "hello")
	w.seen(w.head("acme"))
	head := fmt.Sprint(w.head("acme"))
	for _, path := range []string{"/v1/customers?filter=%7B%7D", "/v1/customers/" + customer, "/v1/customers/" + customer + "/sessions", "/v1/sessions",
		"/v1/customers/" + customer + "/transcript", "/v1/customers/" + customer + "/history", "/v1/sessions/" + session} {
		now := w.do(call{as: "acme/analyst", method: "GET", path: path}).want(http.StatusOK)
		then := w.past("acme/analyst", path, head).want(http.StatusOK)
		if string(now.body) != string(then.body) || strings.Contains(string(then.body), "secret") {
			t.Errorf("%s: an analyst gets %s, and now %s", path, then.body, now.body)
		}
	}
}

// While it is not built, the answer is a job that waits; what could not be built says why.
func TestThePastWaitsForWhoBuilds(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{idle: true})
	w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated)
	ask := func() reply { return w.do(call{as: "acme/analyst", method: "GET", path: "/v1/customers?as_of=1"}) }
	told := ask().want(http.StatusAccepted)
	if told.get("status") != "queued" || told.get("position") != 1.0 || told.get("created_by.id") != "analyst-1" {
		t.Errorf("told %s", told.body)
	}
	if again := ask().want(http.StatusAccepted); again.get("id") != told.get("id") {
		t.Errorf("told again %s", again.body)
	}
	set := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), `update as_of_schemas set `+sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	set(`state = 'failed', code = $1, changed_at = now()`, asof.CodeTooLarge)
	job := w.do(call{as: "acme/analyst", method: "GET", path: told.header.Get("Location")}).want(http.StatusOK)
	if job.get("status") != "failed" || job.get("code") != asof.CodeTooLarge || job.get("detail") == "" || job.get("finished_at") == nil {
		t.Errorf("the job is %s", job.body)
	}
	ask().refused(http.StatusConflict, asof.CodeTooLarge, "")
	set(`state = 'queued', code = ''`)
	ctx, stop := context.WithCancel(t.Context())
	var building sync.WaitGroup
	building.Go(func() {
		if err := w.core.AsOf.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer building.Wait()
	defer stop()
	w.untilBuilt("acme/analyst", told, time.Now().Add(time.Minute))
	ask().want(http.StatusOK)
}
