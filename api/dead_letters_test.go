package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/internal/natstest"
)

// What a channel sent and nobody could take is listed without its text, sent again, and removed.
func TestDeadLetters(t *testing.T) {
	w := start(t, options{})
	server := natstest.Start(t)
	conn := natstest.Connect(t, server)
	js, err := jetstream.New(conn)
	if err == nil {
		err = ingest.EnsureStreams(t.Context(), js, 1, 0)
	}
	if err == nil {
		w.core.DeadLetters, err = ingest.NewDeadLetters(conn)
	}
	for _, code := range []string{"ID_INVALID", "UNKNOWN_TYPE"} {
		letter := nats.NewMsg("cc.dead.acme.1")
		letter.Data = []byte(`{"data": "王芳 13800001111"}`)
		letter.Header.Set("cc-code", code)
		letter.Header.Set("cc-reason", "a test")
		if err == nil {
			_, err = js.PublishMsg(t.Context(), letter)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	operator := func(method, path string, body any) reply {
		return w.do(call{as: "acme/operator", method: method, path: "/v1/dead-letters" + path, body: body})
	}
	list := operator("GET", "", nil).want(http.StatusOK)
	if list.get("items.0.code") != "ID_INVALID" || list.get("items.1.sequence") != 2.0 || list.get("items.1.tenant") != "acme" || strings.Contains(string(list.body), "王芳") {
		t.Errorf("got %s", list.body)
	}
	if rest := operator("GET", "?behind=1&limit=1", nil).want(http.StatusOK); rest.get("items.0.code") != "UNKNOWN_TYPE" || rest.get("items.1") != nil {
		t.Errorf("got %s", rest.body)
	}
	operator("POST", "/resend", LetterInput{1}).want(http.StatusNoContent)
	operator("POST", "/resend", LetterInput{1}).refused(http.StatusConflict, "DEAD_LETTER_GONE", "")
	queue, err := js.Stream(t.Context(), ingest.StreamIn)
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := queue.GetMsg(t.Context(), 1); err != nil || !strings.Contains(string(msg.Data), "王芳") {
		t.Errorf("in the queue: %v, %v", msg, err)
	}
	operator("POST", "/discard", LetterInput{2}).want(http.StatusNoContent)
	operator("POST", "/discard", LetterInput{2}).refused(http.StatusConflict, "DEAD_LETTER_GONE", "")
	if list := operator("GET", "", nil).want(http.StatusOK); list.get("items.0") != nil {
		t.Errorf("still %s", list.body)
	}
	conn.Close()
	operator("GET", "", nil).refused(http.StatusServiceUnavailable, "UNAVAILABLE", "")
}
