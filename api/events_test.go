package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/tag"
	"customercenter/eventstore"
)

// positions reads an answer of the log and returns the positions in it.
func positions(t *testing.T, r reply) string {
	t.Helper()
	var out []string
	for line := range bytes.Lines(r.body) {
		var e Event
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil || e.Tenant != "acme" || e.Meta == nil || e.Data == nil || e.RecordedAt.IsZero() {
			t.Errorf("%v: %s", err, line)
		}
		out = append(out, fmt.Sprint(e.Position))
	}
	return strings.Join(out, " ")
}

func TestEventsOfTheLog(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin") // 1 to 4
	id := w.customer("acme/admin", "v1", "小王")
	w.admin("POST", "/v1/tags", TagInput{"A"}).want(http.StatusCreated)                                 // 6
	w.admin("PATCH", "/v1/customers/"+id, edit(map[string]*string{"qq": ptr("1")})).want(http.StatusOK) // 7
	between := w.admin("GET", "/v1/events?from=6&to=6", nil).want(http.StatusOK)
	var sixth Event
	if err := json.Unmarshal(between.body, &sixth); err != nil {
		t.Fatal(err)
	}
	at := url.QueryEscape(sixth.RecordedAt.Format(time.RFC3339Nano))
	for query, want := range map[string]string{
		"":                                   "1 2 3 4 5 6 7",
		"?from=3&to=5":                       "3 4 5",
		"?from=0":                            "1 2 3 4 5 6 7",
		"?from=7":                            "7",
		"?from=8":                            "",
		"?to=0":                              "",
		"?to=2":                              "1 2",
		"?to=99999999999":                    "1 2 3 4 5 6 7",
		"?from=6&to=5":                       "",
		"?type=tag.created":                  "6",
		"?type=tag.created,customer.created": "5 6",
		"?type=tag.deleted":                  "",
		"?stream=customer-" + id:             "5 7",
		"?stream=associations&from=2&to=3":   "2 3",
		"?stream=none":                       "",
		"?customer=" + id:                    "5 7",
		"?customer=" + uuid.NewString():      "",
		"?customer=" + id + "&type=customer.profile_changed": "7",
		"?from=" + at: "6 7",
		"?to=" + at:   "1 2 3 4 5",
		"?from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z": "",
		"?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z": "1 2 3 4 5 6 7",
	} {
		r := w.admin("GET", "/v1/events"+query, nil).want(http.StatusOK)
		if kind := r.header.Get("Content-Type"); kind != "application/x-ndjson" {
			t.Errorf("Content-Type %s", kind)
		}
		if got := positions(t, r); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	epoch, err := w.store.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := w.admin("GET", "/v1/events", nil); r.position() != 7 || r.header.Get("X-Log-Epoch") != epoch.String() {
		t.Errorf("position %d of the log %s, want 7 of %s", r.position(), r.header.Get("X-Log-Epoch"), epoch)
	}
	fifth := w.admin("GET", "/v1/events?from=5&to=5", nil)
	if fifth.get("data.profile.nickname") != "小王" || fifth.get("customer") != id || fifth.get("meta.actor.kind") != "admin" || fifth.get("meta.actor.id") != "admin-1" {
		t.Errorf("got %s", fifth.body)
	}
	masked := w.do(call{as: "acme/analyst", method: "GET", path: "/v1/events?from=5&to=5"})
	if strings.Contains(string(masked.body), "小王") || masked.get("data.via") != "api" || masked.get("unreadable") != nil {
		t.Errorf("got %s", masked.body)
	}
}

// TestEventsOfALongLog reads more than a page, and while it is being read the log grows.
func TestEventsOfALongLog(t *testing.T) {
	w := start(t, options{})
	const events = foundMost + eventPage + 345
	w.tags(0, events, "")
	for _, query := range []string{"", "?stream=tags", "?type=tag.created,tag.deleted"} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", w.server.URL+"/v1/events"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+w.bearer["acme/admin"])
		answer, err := w.server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(answer.Body)
		n := int64(0)
		for lines.Scan() {
			var e Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			if n++; e.Position != n {
				t.Fatalf("%s: position %d, want %d", query, e.Position, n)
			}
			if n == 1 && query == "" {
				w.tags(events, events+10, "") // is not part of an answer that began before
			}
		}
		answer.Body.Close()
		want := int64(events)
		if query != "" {
			want += 10
		}
		if lines.Err() != nil || n != want {
			t.Errorf("%q: %d events (%v), want %d", query, n, lines.Err(), want)
		}
	}
}

// tags lets acme's log, which has nothing but so many tags, grow to so many. Of each the name is its number and more.
func (w *world) tags(from, to int, more string) {
	w.t.Helper()
	for from < to {
		a := eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"},
			Streams: []eventstore.StreamAppend{{Stream: tag.Stream, Version: int64(from)}}}
		for i := 0; i < 1000 && from < to; i++ {
			from++
			a.Streams[0].Events = append(a.Streams[0].Events, eventstore.NewEvent{Payload: tag.Created{Tag: uuid.New(), Name: fmt.Sprint(from, more)}})
		}
		if _, err := w.store.Append(w.t.Context(), a); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Between the pages of an answer, however slowly somebody reads it, no transaction is open, so nothing keeps Postgres from cleaning up.
func TestAReaderHoldsNoSnapshot(t *testing.T) {
	w := start(t, options{idle: true})
	const events = 10_000
	w.tags(0, events, strings.Repeat("x", 2000)) // more than what the sockets take in
	request, err := http.NewRequestWithContext(t.Context(), "GET", w.server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.bearer["acme/admin"])
	answer, err := w.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for open := 1; open > 0; { // a page may be under way
		if err := w.store.Pool().QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and (xact_start is not null or backend_xmin is not null)`).Scan(&open); err != nil {
			t.Fatal(err)
		}
	}
	n := 1
	for ; ; n++ {
		if _, err := lines.ReadString('\n'); err != nil {
			break
		}
	}
	if n != events {
		t.Errorf("%d events, want %d", n, events)
	}
}

// What is written without encoding/json is what it would have written.
func TestEventsAreJSON(t *testing.T) {
	customer := uuid.New()
	for _, e := range []Event{
		{Tenant: "acme", Position: 7, Stream: "customer-1", Version: 2, Type: "customer.tagged", TypeVersion: 1, Customer: &customer, Data: []byte(`{"a":"<b>&\u2028"}`), Meta: []byte(`{}`),
			RecordedAt: time.Date(2026, 11, 3, 1, 2, 3, 4000, time.UTC)},
		{Stream: "王\"\\\n", Type: "a<b", Data: []byte("{\n \"a\": \"b\\n c\",\r\n \"d\": [1, 2]}"), Meta: []byte("null"), Unreadable: true},
	} {
		want, err := marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(e.appendJSON([]byte("before "))) + "\n"; got != "before "+string(want) {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

// TestBrokenAndErasedEventsAreTold breaks one sealed event and destroys another customer's key.
func TestBrokenAndErasedEventsAreTold(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	broken, erased := w.customer("acme/admin", "v1", "小王"), w.customer("acme/admin", "v2", "小李")
	w.customer("acme/admin", "v3", "小张")
	for _, sql := range []string{
		`update events set data = regexp_replace(data::text, '"sealed":"....', '"sealed":"AQEB')::json where customer = '` + broken + `'`,
		`delete from customer_keys where customer = '` + erased + `'`,
	} {
		if _, err := w.store.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	// A process that has the erased customer's key in memory may open it for a while yet; this is another one.
	fresh := another(t, w, options{idle: true})
	r := fresh.admin("GET", "/v1/events?type=customer.created", nil).want(http.StatusOK)
	var seen []Event
	for line := range bytes.Lines(r.body) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, e)
	}
	if len(seen) != 3 {
		t.Fatalf("got %s", r.body)
	}
	if !seen[0].Unreadable || !strings.Contains(string(seen[0].Data), `"via":"api"`) {
		t.Errorf("the broken one: %s", seen[0].Data)
	}
	if seen[1].Unreadable || strings.Contains(string(seen[1].Data), "小李") || !strings.Contains(string(seen[1].Data), `"via":"api"`) {
		t.Errorf("the erased one: %s", seen[1].Data)
	}
	if seen[2].Unreadable || !strings.Contains(string(seen[2].Data), "小张") {
		t.Errorf("the third: %s", seen[2].Data)
	}
}

// A page whose keys cannot be asked for is not told without its personal fields: whoever reads on would never get them. It is asked for again.
func TestAPageWithoutItsKeysIsNotTold(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.customer("acme/admin", "v1", "小王")
	fresh := another(t, w, options{idle: true}) // has no keys in memory
	events, err := fresh.store.ReadLog(t.Context(), "acme", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	rename := func(from, to string) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), "alter table "+from+" rename to "+to); err != nil {
			t.Fatal(err)
		}
	}
	page := newTailPage(t.Context(), fresh.store, "", 0, events[len(events)-1].Position, events)
	rename("customer_keys", "keys_away")
	if _, err := (&reader{store: fresh.store}).open(t.Context(), events); err == nil {
		t.Error("events are told without keys")
	}
	if texts, err := page.texts(false); err == nil {
		t.Errorf("told live are %d events", len(texts))
	}
	rename("keys_away", "customer_keys")
	texts, err := page.texts(false)
	if err != nil || !strings.Contains(string(bytes.Join(texts, nil)), "小王") {
		t.Errorf("afterwards: %v, %s", err, texts)
	}
}

func TestProjectionsAreListedAndRebuilt(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.customer("acme/admin", "v1", "小王")
	position := w.channel(message("m1", "v1", "hello")).want(http.StatusOK).position()
	w.seen(position)

	// live is what a list tells of the customers that are served; nil if nothing.
	live := func(list reply, member string) any {
		for i := 0; list.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			if list.get(fmt.Sprintf("items.%d.projection", i)) == "customers" && list.get(fmt.Sprintf("items.%d.state", i)) == "live" {
				return list.get(fmt.Sprintf("items.%d.%s", i, member))
			}
		}
		return nil
	}
	all := w.do(call{as: "acme/operator", method: "GET", path: "/v1/projections"}).want(http.StatusOK)
	own := w.admin("GET", "/v1/projections", nil).want(http.StatusOK)
	if !strings.Contains(string(all.body), `"tenant":"other"`) || strings.Contains(string(own.body), `"tenant":"other"`) ||
		live(own, "lag_events") != 0.0 || live(own, "position") != float64(position) {
		t.Errorf("all %s, own %s", all.body, own.body)
	}
	before := live(own, "build")

	rebuild := func(name, key string) reply {
		return w.do(call{as: "acme/operator", method: "POST", path: "/v1/projections/" + name + "/rebuild", headers: map[string]string{"Idempotency-Key": key}})
	}
	rebuild("nosuch", "k0").refused(http.StatusNotFound, "NOT_FOUND", "")
	job := rebuild("customers", "k1").want(http.StatusAccepted).get("job").(string)
	if again := rebuild("customers", "k1").want(http.StatusAccepted).get("job"); again != job { // the same request: not a second rebuild
		t.Errorf("the same request began %v, and then %v", job, again)
	}
	followed := w.do(call{as: "acme/operator", method: "GET", path: "/v1/jobs/" + job + "/events"}).want(http.StatusOK)
	if told := string(followed.body); !strings.Contains(told, "event: end\n") || !strings.Contains(told, `"served":true`) {
		t.Errorf("followed: %s", told)
	}
	ended := w.do(call{as: "acme/operator", method: "GET", path: "/v1/jobs/" + job}).want(http.StatusOK)
	if ended.get("rebuild.status") != "completed" || ended.get("rebuild.kind") != "rebuild" || ended.get("rebuild.projection") != "customers" || ended.get("rebuild.progress.done") == 0.0 {
		t.Errorf("it ended as %s", ended.body)
	}
	w.admin("GET", "/v1/jobs/"+job, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	deadline := time.Now().Add(30 * time.Second)
	for {
		now := w.admin("GET", "/v1/projections", nil).want(http.StatusOK)
		if build := live(now, "build"); build != nil && build != before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still served: %v: %s %s", before, now.body, w.log.String())
		}
	}
	if list := w.admin("GET", "/v1/customers?filter={}", nil).want(http.StatusOK); list.get("items.0.profile.nickname") != "小王" {
		t.Errorf("got %s", list.body)
	}
}
