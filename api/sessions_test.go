package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
)

func TestSessionFromFirstMessageToRating(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, session := w.session("acme/admin", "v1", "hello")
	path := "/v1/sessions/" + session
	agent := func(method, path string, body any) reply {
		t.Helper()
		return w.do(call{as: "acme/agent", method: method, path: path, body: body})
	}
	second := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "agent-2"})

	// Waiting, it is nobody's; an agent takes it and sees it.
	agent("GET", path, nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	agent("POST", path+"/close", nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	agent("POST", path+"/accept", AcceptInput{"agent-2"}).refused(http.StatusForbidden, "FORBIDDEN", "agent_id")
	if r := agent("POST", path+"/accept", nil).want(http.StatusOK); r.get("state") != "processing" || r.get("agent.id") != "agent-1" {
		t.Errorf("got %s", r.body)
	}
	w.do(call{as: second, method: "POST", path: path + "/accept"}).refused(http.StatusConflict, "SESSION_TAKEN", "")
	if r := agent("GET", path+"/messages", nil).want(http.StatusOK); r.get("items.1.message.text") != "hello" || r.get("items.0.kind") != "session_started" {
		t.Errorf("got %s", r.body)
	}
	for _, c := range []call{{method: "GET", path: path}, {method: "GET", path: path + "/messages"}, {method: "POST", path: path + "/close"},
		{method: "POST", path: path + "/transfer", body: TransferInput{"agent-2"}}} {
		c.as = second
		w.do(c).refused(http.StatusForbidden, "FORBIDDEN", "")
	}
	// The lists show an agent the own sessions only.
	for _, list := range []string{"/v1/sessions", "/v1/customers/" + customer + "/sessions", "/v1/sessions?agent=me"} {
		if r := agent("GET", list, nil).want(http.StatusOK); r.get("items.0.id") != session {
			t.Errorf("%s: %s", list, r.body)
		}
		r := w.do(call{as: second, method: "GET", path: list})
		if strings.Contains(list, customer) { // a customer whom somebody else serves and none at all look the same
			r.refused(http.StatusNotFound, "NOT_FOUND", "")
		} else if r.want(http.StatusOK).get("items.0") != nil {
			t.Errorf("%s: %s", list, r.body)
		}
	}
	agent("GET", "/v1/sessions?agent=agent-2", nil).refused(http.StatusForbidden, "FORBIDDEN", "query.agent")
	agent("GET", "/v1/customers/"+customer, nil).refused(http.StatusForbidden, "FORBIDDEN", "")

	// Repeated, a transfer is answered as the first time, though the session is no longer the agent's.
	for range 2 {
		r := w.do(call{as: "acme/agent", method: "POST", path: path + "/transfer", body: TransferInput{"agent-2"},
			headers: map[string]string{"Idempotency-Key": "handed-over"}}).want(http.StatusOK)
		if r.get("agent.id") != "agent-2" {
			t.Errorf("got %s", r.body)
		}
	}
	agent("POST", path+"/transfer", TransferInput{"agent-2"}).refused(http.StatusForbidden, "FORBIDDEN", "")
	agent("POST", path+"/close", nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	if r := w.do(call{as: second, method: "POST", path: path + "/close", body: EndInput{"solved"}}).want(http.StatusOK); r.get("state") != "closed" || r.get("end_cause") != "solved" {
		t.Errorf("got %s", r.body)
	}
	w.admin("POST", path+"/transfer", TransferInput{"agent-1"}).refused(http.StatusConflict, "SESSION_ENDED", "")
	w.admin("POST", path+"/rating", RatingInput{Score: 6}).refused(http.StatusUnprocessableEntity, "VALIDATION", "score")
	if r := w.admin("POST", path+"/rating", RatingInput{Score: 5, Reasons: []string{"快"}, Comment: "谢谢"}).want(http.StatusOK); r.get("rating.score") != 5.0 || r.get("rating.comment") != "谢谢" {
		t.Errorf("got %s", r.body)
	}
	w.admin("POST", path+"/rating", RatingInput{Score: 4}).refused(http.StatusConflict, "ALREADY_RATED", "")

	_, waiting := w.session("acme/admin", "v2", "anybody there?")
	w.admin("POST", "/v1/sessions/"+waiting+"/rating", RatingInput{Score: 4}).refused(http.StatusConflict, "SESSION_NOT_ACCEPTED", "")
	if r := w.admin("POST", "/v1/sessions/"+waiting+"/abort", nil).want(http.StatusOK); r.get("state") != "aborted" {
		t.Errorf("got %s", r.body)
	}
	if r := w.admin("GET", "/v1/sessions?state=aborted&channel=web&limit=1", nil).want(http.StatusOK); r.get("items.0.id") != waiting || r.get("items.1") != nil {
		t.Errorf("got %s", r.body)
	}
	// Some of them, by their ids; an agent sees the own ones among them.
	some := "/v1/sessions?ids=" + waiting + "," + session + "," + uuid.NewString()
	if r := w.admin("GET", some, nil).want(http.StatusOK); r.get("items.0.id") != waiting || r.get("items.1.id") != session || r.get("items.2") != nil {
		t.Errorf("got %s", r.body)
	}
	if r := w.do(call{as: second, method: "GET", path: some}).want(http.StatusOK); r.get("items.0.id") != session || r.get("items.1") != nil {
		t.Errorf("got %s", r.body)
	}
	w.admin("GET", "/v1/sessions?ids=nonsense", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.ids")
	w.admin("POST", "/v1/sessions/"+uuid.NewString()+"/close", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

func TestMessagesComeInPages(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	_, session := w.session("acme/admin", "v1", "text 0")
	for i := range 6 {
		w.channel(message(fmt.Sprint("page-", i), "v1", fmt.Sprint("text ", i+1))).want(http.StatusOK)
	}
	var texts []string
	for cursor := ""; ; {
		r := w.admin("GET", "/v1/sessions/"+session+"/messages?limit=3&cursor="+cursor, nil).want(http.StatusOK)
		for i := 0; r.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			if text, ok := r.get(fmt.Sprintf("items.%d.message.text", i)).(string); ok {
				texts = append(texts, text)
			}
		}
		if r.get("next") == nil {
			break
		}
		cursor = r.get("next").(string)
	}
	if got := strings.Join(texts, ","); got != "text 0,text 1,text 2,text 3,text 4,text 5,text 6" {
		t.Errorf("got %s", got)
	}
	w.admin("GET", "/v1/sessions/"+session+"/messages?cursor=x", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
}

func TestChannelEvents(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	send := func(kind string, body any, headers ...string) reply {
		t.Helper()
		c := call{as: "acme/channel", method: "POST", path: "/v1/channels/1/events", body: body, headers: map[string]string{"Content-Type": kind}}
		if len(headers) > 0 {
			c.headers["Idempotency-Key"] = headers[0]
		}
		return w.do(c)
	}
	hello := message("m1", "v1", "hello")
	first := send(oneEvent, hello).want(http.StatusOK)
	if first.get("status") != "accepted" || first.position() != 8 || first.get("session_id") == nil {
		t.Errorf("got %s at %d", first.body, first.position())
	}
	again := send("application/json; charset=utf-8", hello).want(http.StatusOK)
	if again.get("status") != "duplicate" || again.get("session_id") != first.get("session_id") || again.position() != first.position() {
		t.Errorf("got %s at %d", again.body, again.position())
	}
	// Under a key the first answer comes again, word for word.
	other := message("m2", "v1", "hello")
	keyed := send(oneEvent, other, "key-1").want(http.StatusOK)
	if repeated := send(oneEvent, other, "key-1").want(http.StatusOK); keyed.get("status") != "accepted" || !bytes.Equal(keyed.body, repeated.body) {
		t.Errorf("first %s, then %s", keyed.body, repeated.body)
	}
	send(oneEvent, hello, "key-1").refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")

	send(oneEvent, message("m3", "a b", "hello")).refused(http.StatusUnprocessableEntity, "ID_INVALID", "data.external_id")
	send(oneEvent, "{").refused(http.StatusUnprocessableEntity, "MALFORMED", "")
	send(oneEvent, event("m4", "coffee.brewed", map[string]any{})).refused(http.StatusUnprocessableEntity, "UNKNOWN_TYPE", "type")
	send(oneEvent, `{"specversion":"1.0","id":"m5","source":"/t","type":"message.received","data":{"external_id":"v\u0000"}}`).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "data.external_id")
	future := message("m6", "v1", "hello")
	future["time"] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	send(oneEvent, future).refused(http.StatusUnprocessableEntity, "OCCURRED_IN_FUTURE", "time")
	send("text/plain", hello).refused(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "")

	// A batch: each event has its answer, and a bad one takes nobody with it.
	broken := "{\"specversion\":\"1.0\",\"id\":\"b3\",\"source\":\"/t\",\"type\":\"message.received\",\"data\":{\"external_id\":\"\xff\"}}"
	one, err := json.Marshal(message("b1", "v9", "one"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(message("b2", "v9", "two"))
	if err != nil {
		t.Fatal(err)
	}
	batch := fmt.Sprintf("[%s,%s,%s,%s]", one, broken, one, two)
	answer := send(manyEvents, batch, "batch-1").want(http.StatusOK)
	for i, want := range []string{"accepted", "refused", "duplicate", "accepted"} {
		if got := answer.get(fmt.Sprintf("items.%d.status", i)); got != want {
			t.Errorf("event %d: %v, want %s: %s", i, got, want, answer.body)
		}
	}
	if answer.get("items.1.code") != "VALIDATION" || answer.get("items.1.detail") != "The text is not valid UTF-8." || answer.position() == 0 {
		t.Errorf("got %s at %d", answer.body, answer.position())
	}
	if repeated := send(manyEvents, batch, "batch-1").want(http.StatusOK); !bytes.Equal(repeated.body, answer.body) {
		t.Errorf("first %s, then %s", answer.body, repeated.body)
	}
	send(manyEvents, "["+strings.Repeat("{},", maxInABatch)+"{}]").refused(http.StatusUnprocessableEntity, "VALIDATION", "body")
	send(manyEvents, `{"a":1}`).refused(http.StatusUnprocessableEntity, "MALFORMED", "")
	if r := send(manyEvents, "[]").want(http.StatusOK); len(r.get("items").([]any)) != 0 {
		t.Errorf("got %s", r.body)
	}
}
