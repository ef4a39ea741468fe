package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/domain/projection"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// The events of one customer or one stream, which are found by an index, are those that reading all of the log finds, from wherever to wherever, of
// whatever types, and so are those that are followed.
func TestEventsOfOneAreThoseOfTheLog(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{idle: true})
	w.core.bounds.silence = 100 * time.Millisecond // after which who follows is told how far it is, and so that nothing more comes
	history := projectionstest.NewWorld(t, w.store, "acme", 7, 5)
	history.Run(900)
	someone := history.Customers[0]
	sent := uuid.New()
	for _, a := range []eventstore.StreamAppend{
		{Stream: automessage.Stream, Events: []eventstore.NewEvent{{Payload: automessage.Defined{AutoMessage: sent, Name: "A", Text: "B", Rate: 1}}}},
		{Stream: automessage.RecipientStream(automessage.RecipientID(sent, someone.ID, someone.State.Generation)), Events: []eventstore.NewEvent{
			{Payload: automessage.Sent{AutoMessage: sent, Customer: someone.ID, Association: 1}, Customer: someone.ID},
			{Payload: automessage.Delivered{AutoMessage: sent}, Customer: someone.ID},
		}},
		{Stream: projection.Stream, Events: []eventstore.NewEvent{
			{Payload: projection.EventsSkipped{Projection: "customers", Version: 1, Positions: []int64{1}, Reason: "a test"}, Customer: someone.ID},
			{Payload: projection.EventsSkipped{Projection: "customers", Version: 1, Positions: []int64{2}, Reason: "a test"}, Customer: history.Customers[1].ID},
		}},
	} {
		if _, err := w.store.Append(t.Context(), eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"}, Streams: []eventstore.StreamAppend{a}}); err != nil {
			t.Fatal(err)
		}
	}
	head := w.head("acme")
	log, err := w.store.ReadLog(t.Context(), "acme", 0, int(head))
	if err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(7, 7))
	streams, types := map[string]bool{}, []string{}
	for _, e := range log {
		streams[e.Stream] = true
		if !slices.Contains(types, e.Type) {
			types = append(types, e.Type)
		}
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range streams {
			if !yield(name) {
				return
			}
		}
	})
	told := 0
	for n := range 150 {
		asked := wanted{}
		var query []string
		if n%3 > 0 {
			asked.customer = history.Customers[dice.IntN(len(history.Customers))].ID
			if n < 30 {
				asked.customer = someone.ID
			}
			query = append(query, "customer="+asked.customer.String())
		}
		if n%3 == 0 || n%10 == 1 {
			asked.stream = names[dice.IntN(len(names))]
			query = append(query, "stream="+asked.stream)
		}
		if dice.IntN(3) == 0 {
			asked.types = []string{types[dice.IntN(len(types))], types[dice.IntN(len(types))]}
			query = append(query, "type="+strings.Join(asked.types, ","))
		}
		from, to := int64(1), head
		if dice.IntN(2) == 0 {
			from = 1 + dice.Int64N(head)
			query = append(query, fmt.Sprint("from=", from))
		}
		live := n%15 == 1
		if !live && dice.IntN(2) == 0 {
			to = from + dice.Int64N(head-from+1)
			query = append(query, fmt.Sprint("to=", to))
		}
		var want []string
		for i := range log {
			if e := &log[i]; e.Position >= from && e.Position <= to && asked.wants(e) {
				want = append(want, fmt.Sprint(e.Position))
			}
		}
		address := "?" + strings.Join(query, "&")
		got := ""
		if live {
			got = w.listen("acme/admin", address, fmt.Sprint(from-1)).up(head)
		} else {
			got = positions(t, w.admin("GET", "/v1/events"+address, nil).want(http.StatusOK))
		}
		if got != strings.Join(want, " ") {
			t.Fatalf("%s: got %s, want %v", address, got, want)
		}
		told += len(want)
	}
	if told < 300 {
		t.Errorf("only %d events were asked for", told)
	}
	// No event concerns a customer in whose streams it is not.
	for _, asked := range history.Customers {
		want := 0
		for i := range log {
			if log[i].Customer == asked.ID {
				want++
			}
		}
		if got := positions(t, w.admin("GET", "/v1/events?customer="+asked.ID.String(), nil).want(http.StatusOK)); len(strings.Fields(got)) != want {
			t.Errorf("%s: %s, want %d", asked.ID, got, want)
		}
	}
	// Another tenant's customer has no events here.
	if got := w.do(call{as: "other/admin", method: "GET", path: "/v1/events?customer=" + someone.ID.String()}).want(http.StatusOK); len(got.body) != 0 {
		t.Errorf("another tenant is told %s", got.body)
	}
}

// Events that are not as they should be hide no others of the customer.
func TestEventsOfOneWhoseEventsCannotBeRead(t *testing.T) {
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	customer := w.channel(message("m1", "v1", "hello")).want(http.StatusOK).get("customer_id").(string)
	want := positions(t, w.admin("GET", "/v1/events?customer="+customer, nil).want(http.StatusOK))
	if len(strings.Fields(want)) < 4 {
		t.Fatalf("only %s", want)
	}
	if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = 99 where type in ('customer.created', 'customer.session_opened')`); err != nil {
		t.Fatal(err)
	}
	if got := positions(t, w.admin("GET", "/v1/events?customer="+customer, nil).want(http.StatusOK)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A range that lies the wrong way round is refused; directly behind its end it is empty.
func TestARangeOfEventsHasADirection(t *testing.T) {
	w := start(t, options{idle: true})
	w.tags(0, 9, "")
	for query, refused := range map[string]bool{
		"?from=5&to=3":  true,
		"?from=99&to=5": true,
		"?from=6&to=5":  false,
		"?from=99":      false,
		"?from=2021-01-01T00:00:00Z&to=2020-01-01T00:00:00Z": true,
		"?from=2020-01-01T00:00:00Z&to=2020-01-01T00:00:00Z": false,
		"?from=5&to=2020-01-01T00:00:00Z":                    false,
	} {
		r := w.admin("GET", "/v1/events"+query, nil)
		if refused {
			r.refused(http.StatusUnprocessableEntity, "VALIDATION", "query.from")
		} else if got := positions(t, r.want(http.StatusOK)); got != "" {
			t.Errorf("%s: got %s", query, got)
		}
	}
}

// Who follows the log is cut off when it becomes another one, and whoever comes then hears the other one.
func TestAListenerNoticesThatTheLogIsAnotherOne(t *testing.T) {
	w := start(t, options{idle: true})
	w.tags(0, 9, "")
	before := w.listen("acme/admin", "", "")
	quiet := w.listen("acme/admin", "?type=tag.deleted", "")
	if _, err := w.store.Pool().Exec(t.Context(), `delete from events where position > 5`); err != nil { // a backup is restored by other means
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), `update log_epoch set epoch = gen_random_uuid()`); err != nil { // relay renew
		t.Fatal(err)
	}
	for name, l := range map[string]*listening{"a listener": before, "one that hears nothing": quiet} {
		for more := true; more; {
			var e *Event
			if e, more = l.next(); e != nil {
				t.Errorf("%s is told %d of another log", name, e.Position)
			}
		}
		if l.lines.Err() != nil {
			t.Errorf("%s ends badly: %v", name, l.lines.Err())
		}
	}
	w.do(call{as: "acme/admin", method: "GET", path: "/v1/events", headers: map[string]string{"Accept": "text/event-stream", "Last-Event-ID": "9"}}).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "header.Last-Event-ID")
	after := w.listen("acme/admin", "?from=5", "")
	w.tags(5, 6, " anew")
	for _, want := range []int64{5, 6} {
		if e := after.event(); e.Position != want || want == 6 && !strings.Contains(string(e.Data), "anew") {
			t.Errorf("got %d: %s", e.Position, e.Data)
		}
	}
}

// A moment means the same wherever it is said: up to it, and what was recorded at it.
func TestAMomentIsUpToAndIncluding(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.customer("acme/admin", "first", "小王")
	w.customer("acme/admin", "second", "小李")
	head := w.head("acme")
	w.seen(head)
	recorded, err := w.store.ReadPositions(t.Context(), "acme", []int64{head})
	if err != nil {
		t.Fatal(err)
	}
	at := recorded[0].RecordedAt
	said := func(at time.Time) string { return at.Format(time.RFC3339Nano) }
	appeared := func(from, to string) int {
		t.Helper()
		r := w.admin("GET", "/v1/diff?from="+from+"&to="+to, nil).want(http.StatusOK)
		lines := strings.Split(strings.TrimSpace(string(r.body)), "\n")
		var last DiffLine
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Summary == nil {
			t.Fatalf("%v: %s", err, r.body)
		}
		return int(last.Summary.Appeared)
	}
	before := said(at.Add(-time.Microsecond))
	for _, c := range []struct {
		from, to string
		want     int
	}{
		{said(at), said(at), 0}, {before, said(at), 1}, {before, before, 0}, {fmt.Sprint(head - 1), fmt.Sprint(head), 1}, {fmt.Sprint(head), fmt.Sprint(head), 0},
		{"", before, 1}, {"", said(at), 2}, {"0", said(at), 2}, {fmt.Sprint(head - 1), "", 1}, {said(at), "", 0},
	} {
		if got := appeared(c.from, c.to); got != c.want {
			t.Errorf("from %s to %s: %d appeared, want %d", c.from, c.to, got, c.want)
		}
	}
	for moment, want := range map[string]int{before: 1, said(at): 2, fmt.Sprint(head - 1): 1, fmt.Sprint(head): 2} {
		list := w.past("acme/admin", "/v1/customers?filter=%7B%7D", moment).want(http.StatusOK)
		if got := len(list.get("items").([]any)); got != want {
			t.Errorf("as of %s there are %d, want %d", moment, got, want)
		}
	}
	for _, c := range []struct{ query, location, rule string }{
		{"from=yesterday", "query.from", "moment"}, {"from=-1", "query.from", "moment"}, {"to=2999-01-01T00:00:00Z", "query.to", "not_come"}, {"from=999", "query.from", "not_come"},
		{"from=3&to=2", "query.from", "order"}, {"from=" + said(at) + "&to=" + before, "query.from", "order"},
	} {
		got := w.admin("GET", "/v1/diff?"+c.query, nil)
		if got.refused(http.StatusUnprocessableEntity, "VALIDATION", c.location); got.problem().Errors[0].Rule != c.rule {
			t.Errorf("%s: %s", c.query, got.body)
		}
	}
}

// Who compares two moments is told how far it is from the beginning on, before the first difference is found.
func TestDiffTellsHowFarItIs(t *testing.T) {
	w := start(t, options{idle: true})
	w.associations("acme/admin") // 1 to 4
	w.customer("acme/admin", "v1", "小王")
	now, err := w.projector.MomentAfter(t.Context(), "acme", 5)
	if err != nil {
		t.Fatal(err)
	}
	compared, err := w.core.Groups.Diff(t.Context(), "acme", projector.Moment{}, now)
	if err != nil {
		t.Fatal(err)
	}
	tell := &diffTeller{diff: compared, to: now}
	var told []string
	for more := true; more; {
		tell.told = time.Time{} // a long time ago
		var page []DiffLine
		if page, more, err = tell.next(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, line := range page {
			told = append(told, fmt.Sprint(line.Kind, " ", line.Doing, " ", line.Done, "/", line.Total))
		}
	}
	want := []string{"progress looking 5/5", "progress comparing 0/1", "appeared  0/0", "summary  0/0"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
