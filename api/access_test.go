package api

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAChannelSpeaksForOneAssociation(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.do(call{as: "acme/channel", method: "POST", path: "/v1/channels/1/events", body: message("m1", "v", "hello")}).want(http.StatusOK)
	w.do(call{as: "acme/channel", method: "POST", path: "/v1/channels/2/events", body: message("m2", "v", "hello")}).refused(http.StatusForbidden, "FORBIDDEN", "")
	w.do(call{as: "acme/channel", method: "POST", path: "/v1/channels/77/events", body: message("m3", "v", "hello")}).refused(http.StatusForbidden, "FORBIDDEN", "")
	w.admin("POST", "/v1/channels/1/events", message("m4", "v", "hello")).refused(http.StatusForbidden, "FORBIDDEN", "")
}

func TestTokens(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	made := w.admin("POST", "/v1/tokens", TokenInput{Role: "channel", ActorID: "shop", Name: "Shop", AssociationID: 1}).want(http.StatusCreated)
	text, id := made.get("token").(string), made.get("id").(string)
	w.do(call{as: text, method: "POST", path: "/v1/channels/1/events", body: message("m1", "v", "hello")}).want(http.StatusOK)
	list := w.admin("GET", "/v1/tokens", nil).want(http.StatusOK)
	if list.get("items.0.id") != id || strings.Contains(string(list.body), text[3:]) {
		t.Errorf("list %s", list.body)
	}
	page := w.admin("GET", "/v1/tokens?limit=2", nil).want(http.StatusOK)
	next := w.admin("GET", "/v1/tokens?limit=2&cursor="+page.get("next").(string), nil).want(http.StatusOK)
	if next.get("items.0.id") == nil || next.get("items.0.id") == page.get("items.1.id") {
		t.Errorf("pages %s %s", page.body, next.body)
	}
	w.admin("DELETE", "/v1/tokens/"+id, nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/tokens/"+id, nil).want(http.StatusNoContent)
	w.do(call{as: text, method: "POST", path: "/v1/channels/1/events", body: message("m2", "v", "hello")}).refused(http.StatusUnauthorized, "UNAUTHENTICATED", "")

	past, never := time.Now().Add(-time.Minute), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*3600)) // the year 10000 in UTC
	for _, wrong := range []struct {
		input    any
		code     string
		location string
	}{
		{TokenInput{Role: "operator", ActorID: "x"}, "VALIDATION", "role"},
		{TokenInput{Role: "admin", ActorID: " "}, "VALIDATION", "actor_id"},
		{TokenInput{Role: "admin", ActorID: strings.Repeat("x", 129)}, "VALIDATION", "actor_id"},
		{TokenInput{Role: "admin", ActorID: "x", AssociationID: 1}, "VALIDATION", "association_id"},
		{TokenInput{Role: "channel", ActorID: "x"}, "VALIDATION", "association_id"},
		{TokenInput{Role: "channel", ActorID: "x", AssociationID: 99}, "ASSOCIATION_UNKNOWN", "association_id"},
		{TokenInput{Role: "agent", ActorID: "x", PersonalData: true}, "VALIDATION", "personal_data"},
		{TokenInput{Role: "agent", ActorID: "x", ExpiresAt: &past}, "VALIDATION", "expires_at"},
		{TokenInput{Role: "agent", ActorID: "x", ExpiresAt: &never}, "VALIDATION", "expires_at"},
		{map[string]any{"role": "agent"}, "VALIDATION", "actor_id"},
	} {
		w.admin("POST", "/v1/tokens", wrong.input).refused(http.StatusUnprocessableEntity, wrong.code, wrong.location)
	}
	keyed := call{as: "acme/admin", method: "POST", path: "/v1/tokens", body: TokenInput{Role: "agent", ActorID: "g7"}, headers: map[string]string{"Idempotency-Key": "k1"}}
	first, second := w.do(keyed).want(http.StatusCreated), w.do(keyed).want(http.StatusCreated)
	if string(first.body) != string(second.body) {
		t.Errorf("the same request got %s and %s", first.body, second.body)
	}
	keyed.body = TokenInput{Role: "agent", ActorID: "g8"}
	w.do(keyed).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
}

func TestTenants(t *testing.T) {
	w := start(t, options{})
	operator := func(method, path string, body any, key string) reply {
		c := call{as: "acme/operator", method: method, path: path, body: body}
		if key != "" {
			c.headers = map[string]string{"Idempotency-Key": key}
		}
		return w.do(c)
	}
	made := operator("POST", "/v1/tenants", TenantInput{"new-1", " 新公司 "}, "k").want(http.StatusCreated)
	if made.get("slug") != "new-1" || made.get("name") != "新公司" {
		t.Errorf("made %s", made.body)
	}
	operator("POST", "/v1/tenants", TenantInput{"new-1", " 新公司 "}, "k").want(http.StatusCreated)
	operator("POST", "/v1/tenants", TenantInput{"new-2", "x"}, "k").refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
	operator("POST", "/v1/tenants", TenantInput{"new-1", "x"}, "").refused(http.StatusConflict, "TENANT_EXISTS", "slug")
	for _, slug := range []string{"", "Ab", "a_b", strings.Repeat("a", 33), "租户"} {
		operator("POST", "/v1/tenants", TenantInput{slug, "x"}, "").refused(http.StatusUnprocessableEntity, "VALIDATION", "slug")
	}
	operator("POST", "/v1/tenants", TenantInput{"new-3", "  "}, "").refused(http.StatusUnprocessableEntity, "VALIDATION", "name")
	if list := operator("GET", "/v1/tenants", nil, "").want(http.StatusOK); list.get("count.value") != 3.0 {
		t.Errorf("list %s", list.body)
	}
}

// TestEntitlements lets an operator grant and revoke what a tenant pays for, which its admins see and cannot do.
func TestEntitlements(t *testing.T) {
	w := start(t, options{})
	const path = "/v1/tenants/acme/entitlements/import"
	for _, method := range []string{"PUT", "DELETE"} {
		w.admin(method, path, nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	}
	w.admin("PATCH", "/v1/settings", map[string]any{"entitlements": []string{"import"}}).refused(http.StatusUnprocessableEntity, "VALIDATION", "entitlements")
	operator := func(method, path string) reply {
		t.Helper()
		return w.do(call{as: "acme/operator", method: method, path: path, headers: map[string]string{"Idempotency-Key": method + path}})
	}
	granted := operator("PUT", path).want(http.StatusOK)
	if granted.get("slug") != "acme" || granted.get("entitlements.0") != "import" || granted.position() != w.head("acme") {
		t.Errorf("granted %s", granted.body)
	}
	if again := operator("PUT", path).want(http.StatusOK); again.position() != granted.position() {
		t.Errorf("the same request was carried out twice: %d, %d", granted.position(), again.position())
	}
	if seen := w.admin("GET", "/v1/settings", nil).want(http.StatusOK); seen.get("entitlements.0") != "import" {
		t.Errorf("the admin sees %s", seen.body)
	}
	if other := operator("GET", "/v1/tenants/other").want(http.StatusOK); other.get("entitlements.0") != nil {
		t.Errorf("the other tenant has %s", other.body)
	}
	if revoked := operator("DELETE", path).want(http.StatusOK); revoked.get("entitlements.0") != nil {
		t.Errorf("revoked %s", revoked.body)
	}
	for _, nowhere := range []string{"/v1/tenants/nobody/entitlements/import", "/v1/tenants/acme/entitlements/gold"} {
		operator("PUT", nowhere).refused(http.StatusNotFound, "NOT_FOUND", "")
		operator("DELETE", nowhere).refused(http.StatusNotFound, "NOT_FOUND", "")
	}
	operator("GET", "/v1/tenants/nobody").refused(http.StatusNotFound, "NOT_FOUND", "")
}
