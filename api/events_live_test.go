package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/eventstore/bell"
	"customercenter/internal/natstest"
)

// listening is a log that is followed.
type listening struct {
	t     testing.TB
	lines *bufio.Scanner
	body  interface{ Close() error }
	last  string // id
}

// listen follows the log of a token's tenant; last is a Last-Event-ID, or empty.
func (w *world) listen(as, query, last string) *listening {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", w.server.URL+"/v1/events"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	token, named := w.bearer[as]
	if !named {
		token = as
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		w.t.Fatalf("got %d %s", answer.StatusCode, kind)
	}
	if epoch, err := w.store.Epoch(w.t.Context()); err != nil || answer.Header.Get("X-Log-Epoch") != epoch.String() {
		w.t.Errorf("of the log %s, want %s (%v)", answer.Header.Get("X-Log-Epoch"), epoch, err)
	}
	l := &listening{t: w.t, lines: bufio.NewScanner(answer.Body), body: answer.Body}
	l.lines.Buffer(nil, 1<<20)
	if e, more := l.next(); e != nil || !more { // says where it begins
		w.t.Fatalf("it begins with %v", e)
	}
	return l
}

// next is the next event; nil if the server only says how far it is. more is false at the end.
func (l *listening) next() (e *Event, more bool) {
	for l.lines.Scan() {
		switch name, value, _ := strings.Cut(l.lines.Text(), ": "); name {
		case "id":
			l.last = value
		case "data":
			e = &Event{}
			if err := json.Unmarshal([]byte(value), e); err != nil || strconv.FormatInt(e.Position, 10) != l.last {
				l.t.Errorf("%v at %s: %s", err, l.last, value)
			}
		case "":
			if l.lines.Text() == "" {
				return e, true
			}
		}
	}
	return nil, false
}

// event is the next one that there is.
func (l *listening) event() *Event {
	l.t.Helper()
	for {
		e, more := l.next()
		if !more {
			l.t.Fatalf("it ended behind %s: %v", l.last, l.lines.Err())
		}
		if e != nil {
			return e
		}
	}
}

// up reads until a position has been told, and returns the positions of the events.
func (l *listening) up(to int64) string {
	l.t.Helper()
	var seen []string
	for at, _ := strconv.ParseInt(l.last, 10, 64); at < to; at, _ = strconv.ParseInt(l.last, 10, 64) {
		e, more := l.next()
		if !more {
			l.t.Fatalf("it ended behind %s: %v", l.last, l.lines.Err())
		}
		if e != nil {
			seen = append(seen, fmt.Sprint(e.Position))
		}
	}
	return strings.Join(seen, " ")
}

func TestTheLogIsFollowed(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{idle: true})
	w.core.bounds.silence = time.Millisecond
	w.associations("acme/admin") // 1 to 4
	live := w.listen("acme/admin", "", "")
	id := w.customer("acme/admin", "v1", "小王") // 5
	if e := live.event(); e.Position != 5 || !strings.Contains(string(e.Data), "小王") {
		t.Errorf("the first that happened: %+v", e)
	}
	w.admin("POST", "/v1/tags", TagInput{"A"}).want(http.StatusCreated) // 6
	if got := live.up(6); got != "6" {
		t.Errorf("then %s", got)
	}
	for _, c := range []struct{ query, last, want string }{
		{"?from=1", "", "1 2 3 4 5 6"},
		{"?from=3", "", "3 4 5 6"},
		{"?from=1", "4", "5 6"},
		{"?from=6", "2", "6"},
		{"", "0", "1 2 3 4 5 6"},
		{"", "5", "6"},
		{"?from=2020-01-01T00:00:00Z&type=customer.created", "", "5"},
		{"?from=1&type=tag.created,customer.created", "", "5 6"},
		{"?from=1&stream=tags", "", "6"},
		{"?from=1&customer=" + id, "", "5"},
		{"?from=1&customer=" + uuid.NewString(), "", ""},
	} {
		if got := w.listen("acme/admin", c.query, c.last).up(6); got != c.want {
			t.Errorf("%s behind %q: got %s, want %s", c.query, c.last, got, c.want)
		}
	}
	// While there is nothing for it, it is told how far it is, and goes on from there.
	quiet := w.listen("acme/admin", "?type=tag.deleted", "")
	w.admin("POST", "/v1/tags", TagInput{"B"}).want(http.StatusCreated) // 7
	if got := quiet.up(7); got != "" {
		t.Errorf("got %s", got)
	}
	// From a position that is still to come.
	later := w.listen("acme/admin", "?from=9", "")
	w.admin("POST", "/v1/tags", TagInput{"C"}).want(http.StatusCreated)
	w.admin("POST", "/v1/tags", TagInput{"D"}).want(http.StatusCreated)
	if e := later.event(); e.Position != 9 {
		t.Errorf("got %d", e.Position)
	}
	// Another tenant's log is another one.
	other := w.listen("other/admin", "?from=1", "")
	w.do(call{as: "other/admin", method: "POST", path: "/v1/tags", body: TagInput{"E"}}).want(http.StatusCreated)
	if e := other.event(); e.Tenant != "other" || e.Position != 1 {
		t.Errorf("got %+v", e)
	}
	// Who may not see personal data does not, whoever else listens.
	masked := w.listen("acme/analyst", "", "")
	w.customer("acme/admin", "v2", "小李") // 10
	if e := masked.event(); e.Position != 10 || strings.Contains(string(e.Data), "小李") || !strings.Contains(string(e.Data), `"via":"api"`) {
		t.Errorf("got %s", e.Data)
	}
	if live.up(9); !strings.Contains(string(live.event().Data), "小李") {
		t.Error("the admin is not told the name")
	}

	for path, headers := range map[string]map[string]string{
		"/v1/events?to=7":         {},
		"/v1/events?type=no.such": {},
		"/v1/events?from=soon":    {},
		"/v1/events?from=1":       {"Last-Event-ID": "11"}, // of a log that was longer
		"/v1/events":              {"Last-Event-ID": "x"},
	} {
		headers["Accept"] = "text/event-stream"
		w.do(call{as: "acme/admin", method: "GET", path: path, headers: headers}).refused(http.StatusUnprocessableEntity, "VALIDATION", "")
	}
	near := w.admin("GET", "/v1/events?type=customer.create", nil)
	if near.refused(http.StatusUnprocessableEntity, "VALIDATION", "query.type"); !strings.Contains(near.problem().Detail, "customer.created") {
		t.Errorf("got %s", near.body)
	}
}

// Many follow the log while many write, some of them so slowly that they fall behind, some cut off again and again: each is told everything once,
// in order.
func TestManyFollowABusyLog(t *testing.T) {
	bells, err := bell.Listen(natstest.Connect(t, natstest.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer bells.Close()
	w := start(t, options{idle: true, bells: bells})
	const events, listeners = 3000, 24
	w.core.bounds.streams = 2 * listeners // those that are cut off may be noticed late
	var all sync.WaitGroup
	for n := range listeners {
		l := w.listen("acme/admin", "?from=1", "")
		all.Go(func() {
			for want := int64(1); want <= events; want++ {
				e, more := l.next()
				if !more || e == nil {
					t.Errorf("listener %d: nothing at %d: %v", n, want, l.lines.Err())
					return
				}
				if e.Position != want {
					t.Errorf("listener %d: %d, want %d", n, e.Position, want)
					return
				}
				switch {
				case n%3 == 1 && want%500 == 0:
					_ = l.body.Close()
					l = w.listen("acme/admin", "?from=1", l.last)
				case n%3 == 2 && want%100 == 0:
					time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
				}
			}
		})
	}
	for at := 0; at < events; {
		next := min(at+1+rand.IntN(40), events)
		w.tags(at, next, "")
		at = next
	}
	all.Wait()
	w.core.tails.mu.Lock()
	defer w.core.tails.mu.Unlock()
	if n := len(w.core.tails.of); n > 1 {
		t.Errorf("%d read the log of one tenant", n)
	}
}

// What is followed ends with its token and with the process, well, so that the caller sees that it may come again.
func TestAListenerEnds(t *testing.T) {
	t.Parallel() // it waits, most of the time
	until, end := context.WithCancel(t.Context())
	defer end()
	w := start(t, options{idle: true, until: until})
	w.core.bounds.token = 10 * time.Millisecond
	ends := func(what string, l *listening) {
		t.Helper()
		for more := true; more; {
			_, more = l.next()
		}
		if l.lines.Err() != nil {
			t.Errorf("%s: %v", what, l.lines.Err())
		}
	}
	text, token, err := w.tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Analyst, Actor: "sun.li"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	revoked := w.listen(text, "", "")
	if err := w.tokens.Revoke(t.Context(), "acme", token.ID); err != nil {
		t.Fatal(err)
	}
	ends("of a token that was revoked", revoked)

	expiring, _, err := w.tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Analyst, Actor: "sun.li", ExpiresAt: time.Now().Add(2 * time.Second)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ends("of a token that expires", w.listen(expiring, "", ""))

	job := w.admin("POST", "/v1/exports", ExportInput{}).want(http.StatusAccepted).get("id").(string)
	watched := w.follow("acme/admin", job)
	if name, _ := watched.next(); name != "progress" {
		t.Errorf("got %q", name)
	}
	stays := w.listen("acme/admin", "", "")
	end()
	ends("of a process that ends", stays)
	if name, _ := watched.next(); name != "" {
		t.Errorf("the job's: %q", name)
	}
}
