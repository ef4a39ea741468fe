package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
)

func TestCallback(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id := w.customer("acme/admin", "visitor-1", "x")
	path := "/v1/customers/" + id
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("callback.allowed") != true || got.get("callback.window_ends_at") != nil {
		t.Errorf("before: %s", got.body)
	}
	keyed := call{as: "acme/admin", method: "POST", path: path + "/callback", body: CallbackInput{Text: "您好"}, headers: map[string]string{"Idempotency-Key": "k"}}
	made := w.do(keyed).want(http.StatusCreated)
	session := made.get("id").(string)
	if made.get("state") != "processing" || made.get("agent.id") != "admin-1" || made.get("callback") != true || made.get("initiator") != "agent" ||
		made.get("customer_id") != id || made.get("message_count") != 1.0 || made.header.Get("Location") != "/v1/sessions/"+session {
		t.Errorf("made %s, %v", made.body, made.header)
	}
	if again := w.do(keyed).want(http.StatusCreated); again.get("id") != session {
		t.Errorf("the same request made %s", again.body)
	}
	w.seen(made.position())
	if got := w.admin("GET", "/v1/sessions/"+session+"/messages", nil).want(http.StatusOK); got.get("items.1.message.text") != "您好" || got.get("items.1.message.sender.id") != "admin-1" {
		t.Errorf("messages %s", got.body)
	}
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("callback.code") != "SESSION_OPEN" || got.get("callback.session_id") != session || got.get("callback.allowed") != false {
		t.Errorf("while it goes on: %s", got.body)
	}
	w.admin("POST", path+"/callback", nil).refused(http.StatusConflict, "SESSION_OPEN", "")
	w.admin("POST", "/v1/customers/"+uuid.NewString()+"/callback", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.seen(w.admin("POST", "/v1/sessions/"+session+"/close", nil).want(http.StatusOK).position())

	w.seen(w.admin("DELETE", "/v1/associations/1", nil).want(http.StatusNoContent).position())
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("callback.code") != "ASSOCIATION_GONE" || got.get("callback.allowed") != false {
		t.Errorf("after the association is gone: %s", got.body)
	}
	w.admin("POST", path+"/callback", nil).refused(http.StatusConflict, "ASSOCIATION_GONE", "")
}

// An account of WeChat may write within 48 hours of the customer's last message. What is left is shown beforehand.
func TestCallbackWithinTheWindow(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	wechat := w.token(access.New{Tenant: "acme", Role: access.Channel, Actor: "wechat", Association: 3})
	wrote := func(external string, ago time.Duration) (customer string, at time.Time) {
		t.Helper()
		at = time.Now().Add(-ago).UTC().Truncate(time.Second)
		e := message("m-"+external, external, "你好")
		e["time"] = at.Format(time.RFC3339)
		sent := w.do(call{as: wechat, method: "POST", path: "/v1/channels/3/events", body: e}).want(http.StatusOK)
		session := sent.get("session_id").(string)
		w.admin("POST", "/v1/sessions/"+session+"/accept", nil).want(http.StatusOK)
		w.seen(w.admin("POST", "/v1/sessions/"+session+"/close", nil).want(http.StatusOK).position())
		return sent.get("customer_id").(string), at
	}
	in, at := wrote("oIn", 47*time.Hour)
	got := w.admin("GET", "/v1/customers/"+in, nil).want(http.StatusOK)
	if got.get("callback.allowed") != true || got.get("callback.window_ends_at") != at.Add(48*time.Hour).Format(time.RFC3339) {
		t.Errorf("an hour is left: %s", got.body)
	}
	w.admin("POST", "/v1/customers/"+in+"/callback", nil).want(http.StatusCreated)

	out, at := wrote("oOut", 49*time.Hour)
	got = w.admin("GET", "/v1/customers/"+out, nil).want(http.StatusOK)
	if got.get("callback.allowed") != false || got.get("callback.code") != "CHANNEL_WINDOW_CLOSED" || got.get("callback.window_ends_at") != at.Add(48*time.Hour).Format(time.RFC3339) {
		t.Errorf("an hour too late: %s", got.body)
	}
	w.admin("POST", "/v1/customers/"+out+"/callback", nil).refused(http.StatusConflict, "CHANNEL_WINDOW_CLOSED", "")

	never := w.admin("POST", "/v1/customers", map[string]any{"association_id": 3, "external_id": "oNever"}).want(http.StatusCreated)
	if never.get("callback.code") != "CHANNEL_WINDOW_CLOSED" || never.get("callback.window_ends_at") != nil {
		t.Errorf("who never wrote: %s", never.body)
	}
}
