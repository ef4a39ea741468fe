package pages

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/internal/natstest"
)

// bus starts a NATS with some dead letters.
func bus(t *testing.T) *ingest.DeadLetters {
	t.Helper()
	conn := natstest.Connect(t, natstest.Start(t))
	js, err := jetstream.New(conn)
	if err == nil {
		err = ingest.EnsureStreams(t.Context(), js, 1, 0)
	}
	for _, header := range []nats.Header{
		{"cc-code": {"ID_INVALID"}, "cc-location": {"data.external_id"}, "cc-reason": {"The ID may not have spaces."}},
		{"cc-code": {"UNKNOWN_TYPE"}, "cc-location": {"type"}, "cc-reason": {"There is no such type of event."}, "cc-resent": {"2"}},
		{"cc-code": {"TEXT_TOO_LONG"}, "cc-location": {"data.message.text"}, "cc-reason": {"Too long: at most 10,000 characters."}, "cc-cut": {"2000000"}},
	} {
		if err == nil {
			_, err = js.PublishMsg(t.Context(), &nats.Msg{Subject: "cc.dead.acme.1", Header: header, Data: []byte(`{"data": "王芳 13800001111"}`)})
		}
	}
	letters, failed := ingest.NewDeadLetters(conn)
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return letters
}

func TestDeadLetterPages(t *testing.T) {
	letters := bus(t)
	w := startWith(t, func(c *api.Config) { c.DeadLetters = letters })
	w.as(access.Operator, "zh").get("/system/letters").want(http.StatusOK).goldens("system.letters").hides("王芳")
	start(t).as(access.Operator, "zh").get("/system/letters").want(http.StatusOK).goldens("system.letters.empty")
	v := w.as(access.Operator, "zh")
	v.send("/system/letters/resend", url.Values{"number": {"1"}}).want(http.StatusOK).says("已放回队列").hides("ID_INVALID")
	v.send("/system/letters/resend", url.Values{"number": {"1"}}).want(http.StatusOK).says("toast bad", "没有这条退回的事件")
	v.send("/system/letters/resend", url.Values{"number": {"3"}}).want(http.StatusOK).says("toast bad", "不能重新发送")
	v.get("/system/letters/discard?number=2").want(http.StatusOK).says("删除退回的事件 2？", "不能恢复")
	v.send("/system/letters/discard", url.Values{"number": {"2"}}).want(http.StatusOK).says("已删除").hides("UNKNOWN_TYPE")
	w.as(access.Admin, "zh").get("/system/letters").want(http.StatusForbidden)
	if strings.Contains(w.log.String(), "13800001111") {
		t.Error("what somebody wrote is in the log")
	}
}

func TestDeadLettersLook(t *testing.T) {
	letters := bus(t)
	w := startWith(t, func(c *api.Config) { c.DeadLetters = letters })
	w.looks(access.Operator, "system.letters", "/system/letters")
}
