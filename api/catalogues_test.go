package api

import (
	"net/http"
	"testing"
)

func TestTags(t *testing.T) {
	w := start(t, options{})
	made := w.admin("POST", "/v1/tags", TagInput{"  VIP  "}).want(http.StatusCreated)
	id := made.get("id").(string)
	if made.get("name") != "VIP" || made.header.Get("Location") != "/v1/tags/"+id || made.position() != 1 {
		t.Errorf("made %s at %d", made.body, made.position())
	}
	w.admin("POST", "/v1/tags", TagInput{"ｖｉｐ"}).refused(http.StatusConflict, "TAG_EXISTS", "name")
	w.admin("POST", "/v1/tags", TagInput{"a,b"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "name")
	w.admin("POST", "/v1/tags", map[string]any{}).refused(http.StatusUnprocessableEntity, "VALIDATION", "name")
	w.admin("POST", "/v1/tags", map[string]any{"name": "x", "colour": "red"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "colour")

	if got := w.admin("GET", "/v1/tags/"+id, nil).want(http.StatusOK); got.get("name") != "VIP" {
		t.Errorf("got %s", got.body)
	}
	w.admin("POST", "/v1/tags", TagInput{"second"}).want(http.StatusCreated)
	list := w.admin("GET", "/v1/tags", nil).want(http.StatusOK)
	if list.get("items.0.id") != id || list.get("items.1.name") != "second" || list.get("count.value") != 2.0 {
		t.Errorf("list %s", list.body)
	}
	if got := w.admin("PATCH", "/v1/tags/"+id, TagInput{"重要客户"}).want(http.StatusOK); got.get("name") != "重要客户" {
		t.Errorf("got %s", got.body)
	}
	w.admin("DELETE", "/v1/tags/"+id, nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/tags/"+id, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("PATCH", "/v1/tags/"+id, TagInput{"x"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/tags/"+id, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/tags/1", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

func TestAssociations(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.admin("POST", "/v1/associations", AssociationInput{"web", "shop.example", "again"}).refused(http.StatusConflict, "ASSOCIATION_EXISTS", "account")
	w.admin("POST", "/v1/associations", AssociationInput{"telegram", "x", "x"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "channel")
	w.admin("POST", "/v1/associations", AssociationInput{"app", "no-hash", "x"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "account")
	if got := w.admin("PATCH", "/v1/associations/2", NameInput{"Our app"}).want(http.StatusOK); got.get("name") != "Our app" {
		t.Errorf("got %s", got.body)
	}
	w.admin("DELETE", "/v1/associations/2", nil).want(http.StatusNoContent)
	w.admin("PATCH", "/v1/associations/2", NameInput{"x"}).refused(http.StatusConflict, "ASSOCIATION_GONE", "")
	if got := w.admin("GET", "/v1/associations/2", nil).want(http.StatusOK); got.get("removed") != true {
		t.Errorf("got %s", got.body)
	}
	if got := w.admin("GET", "/v1/associations", nil).want(http.StatusOK); got.get("count.value") != 3.0 {
		t.Errorf("got %s", got.body)
	}
	if got := w.admin("GET", "/v1/associations?removed=true", nil).want(http.StatusOK); got.get("count.value") != 4.0 {
		t.Errorf("got %s", got.body)
	}
	if got := w.admin("POST", "/v1/associations", AssociationInput{"app", "org#app", "back"}).want(http.StatusCreated); got.get("id") != 2.0 {
		t.Errorf("it came back as %v", got.get("id"))
	}
	for _, path := range []string{"/v1/associations/99", "/v1/associations/0", "/v1/associations/-1", "/v1/associations/x", "/v1/associations/99999999999999999999"} {
		w.admin("GET", path, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	}
}

func TestSettings(t *testing.T) {
	w := start(t, options{})
	got := w.admin("GET", "/v1/settings", nil).want(http.StatusOK)
	if got.get("time_zone") != "Asia/Shanghai" || got.get("week_start") != "monday" || got.get("agent_access.customer_center") != false ||
		string(mustJSON(t, got.get("entitlements"))) != "[]" {
		t.Errorf("got %s", got.body)
	}
	changed := w.admin("PATCH", "/v1/settings", map[string]any{"time_zone": "Europe/Berlin", "week_start": "sunday",
		"agent_access": map[string]any{"customer_center": true}, "order_link": "https://shop.example/{external_id}"}).want(http.StatusOK)
	if changed.get("time_zone") != "Europe/Berlin" || changed.get("week_start") != "sunday" || changed.get("agent_access.customer_center") != true ||
		changed.get("agent_access.blacklist") != false || changed.position() != 4 || changed.header.Get("ETag") != `"4"` {
		t.Errorf("got %s at %d", changed.body, changed.position())
	}
	// All or none.
	w.admin("PATCH", "/v1/settings", map[string]any{"week_start": "monday", "time_zone": "Mars/Olympus"}).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "time_zone")
	w.admin("PATCH", "/v1/settings", map[string]any{"entitlements": []string{"import"}}).refused(http.StatusUnprocessableEntity, "VALIDATION", "entitlements")
	if got := w.admin("GET", "/v1/settings", nil); got.get("week_start") != "sunday" || got.get("order_link") != "https://shop.example/{external_id}" {
		t.Errorf("got %s", got.body)
	}
	if got := w.admin("PATCH", "/v1/settings", map[string]any{"order_link": ""}).want(http.StatusOK); got.get("order_link") != "" {
		t.Errorf("got %s", got.body)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b[:len(b)-1]
}
