package api

import (
	"net/http"
	"strings"
	"testing"
)

// Whoever is erased is not found; of what was said nothing can be read, and the log says that there was something. Whoever comes back begins anew.
func TestErase(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id, session := w.session("acme/admin", "visitor_1", "wo bu cunzai")
	path := "/v1/customers/" + id
	w.admin("PATCH", path, map[string]any{"profile": map[string]any{"name": "bimingzi"}}).want(http.StatusOK)

	w.admin("DELETE", path, map[string]any{"confirm": "visitor_2"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "confirm")
	w.admin("DELETE", path, map[string]any{}).refused(http.StatusUnprocessableEntity, "VALIDATION", "confirm")
	w.read("acme/admin", path+"/erasure", 0, "en").refused(http.StatusNotFound, "NOT_FOUND", "")
	w.read("acme/admin", path, 0, "en").want(http.StatusOK)

	erase := call{as: "acme/admin", method: "DELETE", path: path, body: map[string]any{"confirm": "Visitor_1"}, headers: map[string]string{"Idempotency-Key": "once"}}
	gone := w.do(erase).want(http.StatusAccepted)
	if gone.get("customer_id") != id || gone.get("generation") != 1.0 || gone.get("done_at") != nil {
		t.Errorf("erased: %s", gone.body)
	}
	if again := w.do(erase).want(http.StatusAccepted); string(again.body) != string(gone.body) {
		t.Errorf("the same again: %s", again.body)
	}
	for _, below := range []string{"", "/history", "/groups", "/transcript", "/sessions"} {
		w.read("acme/admin", path+below, gone.position(), "en").refused(http.StatusNotFound, "NOT_FOUND", "")
	}
	w.admin("DELETE", path, map[string]any{"confirm": "visitor_1"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("PATCH", path, map[string]any{"profile": map[string]any{"name": "x"}}).refused(http.StatusNotFound, "NOT_FOUND", "")
	if told := w.read("acme/admin", path+"/erasure", gone.position(), "en").want(http.StatusOK); told.get("position") != gone.get("position") {
		t.Errorf("the erasure: %s", told.body)
	}

	talk := w.read("acme/admin", "/v1/sessions/"+session, gone.position(), "en").want(http.StatusOK)
	if talk.get("state") != "aborted" || talk.get("message_count") != 1.0 {
		t.Errorf("the session: %s", talk.body)
	}
	if messages := w.read("acme/admin", "/v1/sessions/"+session+"/messages", gone.position(), "en").want(http.StatusOK); messages.get("items.1.message.erased") != true {
		t.Errorf("the messages: %s", messages.body)
	}
	log := string(w.read("acme/admin", "/v1/events", gone.position(), "en").want(http.StatusOK).body)
	for _, secret := range []string{"visitor_1", "bimingzi", "cunzai"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log tells %s", secret)
		}
	}
	for line := range strings.Lines(log) {
		personal := strings.Contains(line, `"customer.created"`) || strings.Contains(line, `"customer.profile_changed"`) || strings.Contains(line, `"session.message_recorded"`)
		if personal != strings.Contains(line, `"erased":true`) {
			t.Errorf("marked or not: %s", line)
		}
	}

	// Who asks what is known of the person is told that, and nothing else.
	known := w.admin("GET", path+"/everything", nil).want(http.StatusOK)
	if known.get("customer") != nil || known.get("erasure.generation") != 1.0 || known.get("lives.0.ended") != "erased" || known.get("sessions.0.id") != session ||
		known.get("events.0.erased") != true || known.get("complete") != true {
		t.Errorf("everything: %s", known.body)
	}
	for _, secret := range []string{"visitor_1", "bimingzi", "cunzai"} {
		if strings.Contains(string(known.body), secret) {
			t.Errorf("everything tells %s: %s", secret, known.body)
		}
	}

	back := w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": "visitor_1"}).want(http.StatusCreated)
	if back.get("id") != id || back.get("session_count") != 0.0 {
		t.Errorf("back: %s", back.body)
	}
	english := texts(w.read("acme/admin", path+"/history?type=customer.erased", back.position(), "en").lines())
	same(t, "in English", english, []string{"The customer was erased, with all that was known of the person."})
	if second := w.admin("DELETE", path, map[string]any{"confirm": "visitor_1"}).want(http.StatusAccepted); second.get("generation") != 2.0 {
		t.Errorf("erased again: %s", second.body)
	}
}
