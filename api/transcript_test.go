package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
)

// told are the items of a transcript in a few letters: start, end, or what was said.
func (r reply) told() string {
	r.t.Helper()
	var said []string
	for i := 0; r.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
		word, _ := r.get(fmt.Sprintf("items.%d.kind", i)).(string)
		if text, ok := r.get(fmt.Sprintf("items.%d.message.text", i)).(string); ok {
			word = text
		}
		said = append(said, strings.TrimPrefix(word, "session_"))
	}
	return strings.Join(said, " ")
}

// three sessions of one visitor: by agent-1, by agent-2, and one that agent-1 handed over to agent-2. It returns the customer and the sessions.
func threeSessions(w *world) (customer string, sessions []string) {
	w.t.Helper()
	for n, agent := range []string{"agent-1", "agent-2", "agent-1"} {
		of, session := w.session("acme/admin", "visitor", fmt.Sprint("hello-", n))
		customer, sessions = of, append(sessions, session)
		path := "/v1/sessions/" + session
		w.admin("POST", path+"/accept", AcceptInput{agent}).want(http.StatusOK)
		w.admin("POST", path+"/messages", MessageInput{Kind: "text", Text: fmt.Sprint("answer-", n)}).want(http.StatusCreated)
		if n == 2 {
			w.admin("POST", path+"/transfer", TransferInput{"agent-2"}).want(http.StatusOK)
			continue
		}
		w.admin("POST", path+"/close", nil).want(http.StatusOK)
	}
	return customer, sessions
}

func TestTranscript(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, sessions := threeSessions(w)
	path := "/v1/customers/" + customer + "/transcript"
	last := w.admin("POST", "/v1/sessions/"+sessions[2]+"/messages", MessageInput{Kind: "text", Text: "the-last"}).want(http.StatusCreated)
	get := func(as, query string) reply {
		t.Helper()
		return w.do(call{as: as, method: "GET", path: path + query, headers: map[string]string{"X-After-Position": fmt.Sprint(last.position())}})
	}
	const first, second, third = "started hello-0 answer-0 ended", "started hello-1 answer-1 ended", "started hello-2 answer-2 the-last"
	whole := get("acme/admin", "").want(http.StatusOK)
	if got := whole.told(); got != first+" "+second+" "+third || whole.get("before") != nil || whole.get("after") != nil {
		t.Errorf("got %s", whole.body)
	}
	if whole.position() < last.position() {
		t.Errorf("served up to %d, want %d", whole.position(), last.position())
	}
	if whole.get("items.1.session_id") != sessions[0] || whole.get("items.1.message.sender.kind") != "customer" || whole.get("items.2.message.sender.kind") != "agent" {
		t.Errorf("got %s", whole.body)
	}

	// From the end to the beginning and back.
	page := get("acme/admin", "?limit=5").want(http.StatusOK)
	if got := page.told(); got != "ended "+third {
		t.Errorf("the end: %s", got)
	}
	page = get("acme/admin", "?limit=5&before="+page.get("before").(string)).want(http.StatusOK)
	if got := page.told(); got != "answer-0 ended started hello-1 answer-1" {
		t.Errorf("before it: %s", got)
	}
	back := get("acme/admin", "?limit=5&after="+page.get("after").(string)).want(http.StatusOK)
	if got := back.told(); got != "ended "+third || back.get("after") != nil {
		t.Errorf("after that: %s", back.body)
	}
	// From a session of the history list: its beginning, what was before and what came next.
	middle := get("acme/admin", "?limit=4&session="+sessions[1]).want(http.StatusOK)
	if got := middle.told(); got != second {
		t.Errorf("a session: %s", got)
	}
	if got := get("acme/admin", "?limit=50&before="+middle.get("before").(string)).want(http.StatusOK).told(); got != first {
		t.Errorf("before the session: %s", got)
	}
	if got := get("acme/admin", "?limit=50&after="+middle.get("after").(string)).want(http.StatusOK).told(); got != third {
		t.Errorf("after the session: %s", got)
	}

	// An agent sees the own sessions, one that was handed over too, though the tenant does not let agents into the customer center.
	second2 := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "agent-2"})
	for _, query := range []string{"", "?agent=me", "?agent=agent-1"} {
		if got := get("acme/agent", query).want(http.StatusOK).told(); got != first+" "+third {
			t.Errorf("agent-1: %s", got)
		}
	}
	if got := get(second2, "").want(http.StatusOK).told(); got != second+" "+third {
		t.Errorf("agent-2: %s", got)
	}
	if got := get("acme/admin", "?agent=agent-2").want(http.StatusOK).told(); got != second+" "+third {
		t.Errorf("an admin, of agent-2: %s", got)
	}
	get("acme/agent", "?agent=agent-2").refused(http.StatusForbidden, "FORBIDDEN", "query.agent")
	get("acme/agent", "?session="+sessions[1]).refused(http.StatusNotFound, "NOT_FOUND", "")
	stranger := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "agent-3"})
	get(stranger, "").refused(http.StatusNotFound, "NOT_FOUND", "")

	// An analyst sees that something was said.
	masked := get("acme/analyst", "").want(http.StatusOK)
	if got := masked.told(); got != "started *** *** ended started *** *** ended started *** *** ***" {
		t.Errorf("an analyst: %s", got)
	}

	for query, at := range map[string]string{"?before=x": "query.before", "?after=x": "query.after", "?before=x&after=x": "query.after",
		"?before=x&session=" + sessions[0]: "query.session", "?limit=0": "query.limit", "?limit=201": "query.limit", "?session=x": "query.session"} {
		get("acme/admin", query).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	get("acme/admin", "?session="+uuid.NewString()).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/customers/"+uuid.NewString()+"/transcript", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.do(call{as: "other/admin", method: "GET", path: path}).refused(http.StatusNotFound, "NOT_FOUND", "")
	alone := w.customer("acme/admin", "nobody-wrote", "")
	w.seen(w.head("acme"))
	if r := w.admin("GET", "/v1/customers/"+alone+"/transcript", nil).want(http.StatusOK); r.told() != "" {
		t.Errorf("got %s", r.body)
	}
}

func TestInteractionRecord(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, sessions := threeSessions(w)
	rated := w.admin("POST", "/v1/sessions/"+sessions[0]+"/rating", RatingInput{Score: 2, Reasons: []string{"慢"}}).want(http.StatusOK)
	w.seen(rated.position())
	ids := func(r reply) []string {
		t.Helper()
		var found []string
		for i := 0; r.want(http.StatusOK).get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			found = append(found, r.get(fmt.Sprintf("items.%d.id", i)).(string))
		}
		return found
	}
	of := func(as, query string) reply {
		t.Helper()
		return w.do(call{as: as, method: "GET", path: "/v1/customers/" + customer + "/sessions" + query})
	}
	latestFirst := []string{sessions[2], sessions[1], sessions[0]}
	page := of("acme/admin", "")
	if got := ids(page); !slices.Equal(got, latestFirst) || page.get("items.2.rating.score") != 2.0 || page.get("items.0.rating") != nil {
		t.Errorf("got %s", page.body)
	}
	page = of("acme/admin", "?limit=2")
	if got := ids(page); !slices.Equal(got, latestFirst[:2]) || page.get("count.value") != 3.0 {
		t.Errorf("got %s", page.body)
	}
	page = of("acme/admin", "?limit=2&cursor="+page.get("next").(string))
	if got := ids(page); !slices.Equal(got, latestFirst[2:]) || page.get("next") != nil {
		t.Errorf("got %s", page.body)
	}
	if got := ids(of("acme/admin", "?limit=2&cursor="+page.get("prev").(string))); !slices.Equal(got, latestFirst[:2]) {
		t.Errorf("back: %v", got)
	}
	second := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "agent-2"})
	for _, c := range []struct {
		as, query string
		want      []string
	}{
		{"acme/agent", "", []string{sessions[2], sessions[0]}}, // the one that was handed over too
		{"acme/agent", "?agent=me", []string{sessions[2], sessions[0]}},
		{second, "", []string{sessions[2], sessions[1]}},
		{second, "?rated=true", nil},
		{"acme/admin", "?agent=agent-2", []string{sessions[2], sessions[1]}},
		{"acme/admin", "?rated=true", []string{sessions[0]}},
		{"acme/admin", "?score=1,2", []string{sessions[0]}},
		{"acme/admin", "?score=3", nil},
	} {
		if got := ids(of(c.as, c.query)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.query, got, c.want)
		}
	}
	// The same in the list of all sessions, which an agent has too.
	for _, c := range []struct {
		as, query string
		want      []string
	}{
		{"acme/agent", "", []string{sessions[2], sessions[0]}},
		{"acme/agent", "?state=processing", []string{sessions[2]}},
		{"acme/admin", "?q=" + url.QueryEscape("ＶＩＳＩ"), latestFirst},
		{"acme/admin", "?q=nobody", nil},
		{"acme/agent", "?q=visitor", []string{sessions[2], sessions[0]}},
		{"acme/admin", "?period=today", latestFirst},
		{"acme/admin", "?period=last_7_days", latestFirst},
		{"acme/admin", "?period=yesterday", nil},
		{"acme/admin", "?period=this_month&to=2020-01-01T00:00:00Z", nil},
		{"acme/admin", "?origin=customer&channel=web", latestFirst},
		{"acme/admin", "?origin=callback", nil},
		{"acme/admin", "?rated=false", latestFirst[:2]},
	} {
		r := w.do(call{as: c.as, method: "GET", path: "/v1/sessions" + c.query})
		if got := ids(r); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v: %s", c.query, got, c.want, r.body)
		}
		if len(c.want) > 0 && r.get("items.0.customer.external_id") != "visitor" {
			t.Errorf("%s: whose it is: %s", c.query, r.body)
		}
	}
	w.admin("GET", "/v1/sessions?score=0", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.score")
	w.admin("GET", "/v1/sessions?score=x", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.score")
	w.admin("GET", "/v1/sessions?period=never", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.period")
	w.do(call{as: "acme/analyst", method: "GET", path: "/v1/sessions?q=visitor"}).refused(http.StatusForbidden, "FORBIDDEN", "query.q")
	if r := w.do(call{as: "acme/analyst", method: "GET", path: "/v1/sessions"}).want(http.StatusOK); r.get("items.0.customer.external_id") != mask {
		t.Errorf("an analyst sees %s", r.body)
	}
}
