package api

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
)

func TestSendMessage(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	_, session := w.session("acme/admin", "v1", "hello")
	path := "/v1/sessions/" + session
	hello := MessageInput{Kind: "text", Text: "您好"}
	send := func(as string, body any) reply {
		t.Helper()
		return w.do(call{as: as, method: "POST", path: path + "/messages", body: body})
	}
	second := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "agent-2"})

	send("acme/admin", hello).refused(http.StatusConflict, "SESSION_NOT_ACCEPTED", "")
	send("acme/agent", hello).refused(http.StatusForbidden, "FORBIDDEN", "")
	w.do(call{as: "acme/agent", method: "POST", path: path + "/accept"}).want(http.StatusOK)

	r := send("acme/agent", hello).want(http.StatusCreated)
	if r.get("kind") != "message" || r.get("session_id") != session || r.get("message.text") != "您好" || r.get("message.kind") != "text" ||
		r.get("message.sender.kind") != "agent" || r.get("message.sender.id") != "agent-1" || r.get("message.id") == "" || r.position() == 0 {
		t.Errorf("got %s at %d", r.body, r.position())
	}
	if r := send("acme/admin", MessageInput{Kind: "file", URL: "https://example.com/a.pdf", Name: "a.pdf", ID: "own-id"}).want(http.StatusCreated); r.get("message.id") != "own-id" ||
		r.get("message.sender.id") != "admin-1" || r.get("message.name") != "a.pdf" {
		t.Errorf("got %s", r.body)
	}
	send(second, hello).refused(http.StatusForbidden, "FORBIDDEN", "")

	// A retry sends nothing, whether it is known by its key or by the message's id.
	head := w.head("acme")
	for _, c := range []call{
		{body: hello, headers: map[string]string{"Idempotency-Key": "once"}},
		{body: MessageInput{Kind: "text", Text: "hm", ID: "m-7"}},
	} {
		c.as, c.method, c.path = "acme/agent", "POST", path+"/messages"
		first, again := w.do(c).want(http.StatusCreated), w.do(c).want(http.StatusCreated)
		if !bytes.Equal(first.body, again.body) || first.position() != again.position() {
			t.Errorf("first %s, then %s", first.body, again.body)
		}
	}
	if after := w.head("acme"); after != head+2 {
		t.Errorf("the log went from %d to %d", head, after)
	}
	send("acme/agent", MessageInput{Kind: "text", Text: "something else", ID: "m-7"}).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")

	for at, body := range map[string]any{
		"kind": MessageInput{Kind: "dance"}, "text": MessageInput{Kind: "text"}, "url": MessageInput{Kind: "image", URL: "ftp://x/"},
		"name": map[string]any{"kind": "text", "text": "x", "name": "a\u0007b"},
	} {
		send("acme/agent", body).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}

	w.do(call{as: "acme/agent", method: "POST", path: path + "/close"}).want(http.StatusOK)
	send("acme/agent", hello).refused(http.StatusConflict, "SESSION_ENDED", "")
	list := w.admin("GET", path+"/messages", nil).want(http.StatusOK)
	if got := list.told(); got != "started hello 您好  您好 hm ended" && got != "started hello 您好 message 您好 hm ended" {
		t.Errorf("got %q", got)
	}
}

// Whatever one does to a session in any state is answered as one would expect.
func TestWhatASessionsStateAllows(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	second := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "agent-2"})
	made := 0
	in := func(state string) string {
		t.Helper()
		made++
		_, session := w.session("acme/admin", fmt.Sprint("v", made), "hello")
		path := "/v1/sessions/" + session
		if state == "processing" || state == "closed" || state == "rated" {
			w.admin("POST", path+"/accept", AcceptInput{"agent-1"}).want(http.StatusOK)
		}
		switch state {
		case "closed", "aborted":
			w.admin("POST", path+"/close", nil).want(http.StatusOK)
		case "rated":
			w.admin("POST", path+"/rating", RatingInput{Score: 1}).want(http.StatusOK)
		}
		return path
	}
	for _, c := range []struct {
		state, do, as string
		body          any
		status        int
		want          string // state or code
	}{
		{"waiting", "accept", "acme/agent", nil, http.StatusOK, "processing"},
		{"waiting", "transfer", "acme/admin", TransferInput{"agent-2"}, http.StatusConflict, "SESSION_NOT_ACCEPTED"},
		{"waiting", "close", "acme/admin", nil, http.StatusOK, "aborted"},
		{"waiting", "abort", "acme/admin", EndInput{"spam"}, http.StatusOK, "aborted"},
		{"waiting", "rating", "acme/admin", RatingInput{Score: 3}, http.StatusConflict, "SESSION_NOT_ACCEPTED"},
		{"processing", "accept", "acme/agent", nil, http.StatusOK, "processing"}, // again
		{"processing", "accept", second, nil, http.StatusConflict, "SESSION_TAKEN"},
		{"processing", "transfer", "acme/agent", TransferInput{"agent-2"}, http.StatusOK, "processing"},
		{"processing", "transfer", "acme/agent", TransferInput{"agent-1"}, http.StatusOK, "processing"}, // to oneself
		{"processing", "transfer", second, TransferInput{"agent-2"}, http.StatusForbidden, "FORBIDDEN"},
		{"processing", "close", "acme/agent", nil, http.StatusOK, "closed"},
		{"processing", "close", second, nil, http.StatusForbidden, "FORBIDDEN"},
		{"processing", "abort", "acme/admin", nil, http.StatusConflict, "SESSION_TAKEN"},
		{"processing", "rating", "acme/admin", RatingInput{Score: 3}, http.StatusOK, "processing"},
		{"processing", "rating", "acme/admin", RatingInput{Score: 3, Reasons: []string{"快", "快 ", ""}, Comment: "好"}, http.StatusOK, "processing"},
		{"rated", "rating", "acme/admin", RatingInput{Score: 3}, http.StatusConflict, "ALREADY_RATED"},
		{"closed", "accept", "acme/agent", nil, http.StatusConflict, "SESSION_ENDED"},
		{"closed", "transfer", "acme/admin", TransferInput{"agent-2"}, http.StatusConflict, "SESSION_ENDED"},
		{"closed", "close", "acme/agent", nil, http.StatusOK, "closed"}, // again
		{"closed", "abort", "acme/admin", nil, http.StatusConflict, "SESSION_ENDED"},
		{"closed", "rating", "acme/admin", RatingInput{Score: 3}, http.StatusOK, "closed"},
		{"aborted", "accept", "acme/agent", nil, http.StatusConflict, "SESSION_ENDED"},
		{"aborted", "transfer", "acme/admin", TransferInput{"agent-2"}, http.StatusConflict, "SESSION_ENDED"},
		{"aborted", "close", "acme/admin", nil, http.StatusOK, "aborted"},
		{"aborted", "abort", "acme/admin", nil, http.StatusOK, "aborted"}, // again
		{"aborted", "rating", "acme/admin", RatingInput{Score: 3}, http.StatusConflict, "SESSION_NOT_ACCEPTED"},
		{"aborted", "messages", "acme/admin", MessageInput{Kind: "text", Text: "x"}, http.StatusConflict, "SESSION_ENDED"},
	} {
		t.Run(c.state+" "+c.do, func(t *testing.T) {
			path := in(c.state)
			r := w.do(call{as: c.as, method: "POST", path: path + "/" + c.do, body: c.body})
			if c.status != http.StatusOK {
				r.refused(c.status, c.want, "")
				return
			}
			if r.want(http.StatusOK); r.get("state") != c.want {
				t.Errorf("got %s", r.body)
			}
			// What the write answers is what a read shows.
			if read := w.admin("GET", path, nil).want(http.StatusOK); !bytes.Equal(read.body, r.body) {
				t.Errorf("the write answered %s, a read %s", r.body, read.body)
			}
		})
	}
}

func TestSessionShowsTheBrowser(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	const agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
	e := event("m1", "message.received", map[string]any{"external_id": "v1", "message": map[string]any{"id": "m1", "kind": "text", "text": "hello"},
		"web": map[string]any{"ip": "203.0.113.7", "region": "上海", "user_agent": agent, "referrer": "https://example.com/"}})
	done := w.channel(e).want(http.StatusOK)
	w.seen(done.position())
	path := "/v1/sessions/" + done.get("session_id").(string)
	for _, r := range []reply{w.admin("GET", path, nil), w.admin("POST", path+"/accept", AcceptInput{"agent-1"})} {
		for field, want := range map[string]string{"ip": "203.0.113.7", "region": "上海", "user_agent": agent, "software": "Chrome 130, Windows", "referrer": "https://example.com/"} {
			if got := r.want(http.StatusOK).get("web." + field); got != want {
				t.Errorf("%s: got %v, want %s", field, got, want)
			}
		}
	}
	masked := w.do(call{as: "acme/analyst", method: "GET", path: path}).want(http.StatusOK)
	if masked.get("web.user_agent") != mask || masked.get("web.ip") != mask || masked.get("web.software") != "Chrome 130, Windows" {
		t.Errorf("an analyst sees %s", masked.body)
	}
}

// A message that was refused was not sent: its id is free, and once the reason is gone it goes out. Only what was sent is answered again.
func TestARefusedMessageMayBeSentAgain(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	_, session := w.session("acme/admin", "v1", "hello")
	path := "/v1/sessions/" + session
	send := func(body MessageInput) reply {
		t.Helper()
		return w.do(call{as: "acme/admin", method: "POST", path: path + "/messages", body: body})
	}
	hello := MessageInput{Kind: "text", Text: "您好", ID: "m-1"}
	send(hello).refused(http.StatusConflict, "SESSION_NOT_ACCEPTED", "")
	w.admin("POST", path+"/accept", AcceptInput{"agent-1"}).want(http.StatusOK)
	first := send(hello).want(http.StatusCreated)

	send(MessageInput{Kind: "text", ID: "m-2"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "text")
	send(MessageInput{Kind: "text", Text: "mended", ID: "m-2"}).want(http.StatusCreated)

	w.admin("POST", path+"/close", nil).want(http.StatusOK)
	head := w.head("acme")
	if again := send(hello).want(http.StatusCreated); !bytes.Equal(first.body, again.body) || first.position() != again.position() {
		t.Errorf("first %s, then %s", first.body, again.body)
	}
	send(MessageInput{Kind: "text", Text: "您好", ID: " m-1"}).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "") // the same id, in other bytes
	send(MessageInput{Kind: "text", ID: " "}).refused(http.StatusConflict, "SESSION_ENDED", "")
	send(MessageInput{Kind: "text", Text: "another", ID: "m-1"}).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
	send(MessageInput{Kind: "text", Text: "too late", ID: "m-3"}).refused(http.StatusConflict, "SESSION_ENDED", "")
	if after := w.head("acme"); after != head {
		t.Errorf("the log went from %d to %d", head, after)
	}
}

// A refusal points into the request: what the address names is just not found, and what the body names is called as it is there.
func TestRefusalsOfSessionsPointIntoTheRequest(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	_, session := w.session("acme/admin", "v1", "hello")
	w.admin("POST", "/v1/sessions/"+session+"/accept", AcceptInput{" "}).refused(http.StatusUnprocessableEntity, "VALIDATION", "agent_id")
	for _, id := range []string{uuid.NewString(), uuid.Nil.String()} {
		for _, c := range []call{
			{method: "POST", path: "/v1/sessions/" + id + "/accept"},
			{method: "POST", path: "/v1/sessions/" + id + "/transfer", body: TransferInput{"agent-2"}},
			{method: "POST", path: "/v1/sessions/" + id + "/close"},
			{method: "POST", path: "/v1/sessions/" + id + "/abort"},
			{method: "POST", path: "/v1/sessions/" + id + "/rating", body: RatingInput{Score: 3}},
			{method: "POST", path: "/v1/sessions/" + id + "/messages", body: MessageInput{Kind: "text", Text: "x"}},
			{method: "PUT", path: "/v1/sessions/" + id + "/blacklist", body: BlacklistInput{Reason: "x"}},
			{method: "PUT", path: "/v1/customers/" + id + "/blacklist", body: BlacklistInput{Reason: "x"}},
			{method: "POST", path: "/v1/customers/" + id + "/callback"},
		} {
			c.as = "acme/admin"
			r := w.do(c)
			if r.refused(http.StatusNotFound, "NOT_FOUND", ""); len(r.problem().Errors) > 0 {
				t.Errorf("%s: %s", c.path, r.body)
			}
		}
	}
}
