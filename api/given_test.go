package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"customercenter/api/access"
)

// inside makes a request without a token, as package pages does.
func (w *world) inside(ctx context.Context, path string) *httptest.ResponseRecorder {
	w.t.Helper()
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return out
}

// Whom the pages have let in gets what the role allows, and not more.
func TestAGivenPrincipal(t *testing.T) {
	w := start(t, options{})
	as := func(role access.Role) context.Context {
		return access.WithPrincipal(t.Context(), access.Principal{Tenant: "acme", Role: role, Kind: string(role), ID: string(role) + "-1", Personal: role != access.Analyst})
	}
	for path, want := range map[string]map[access.Role]int{
		"/v1/tags":    {access.Admin: 200, access.Analyst: 200, access.Channel: 403},
		"/v1/tokens":  {access.Admin: 200, access.Agent: 403, access.Analyst: 403},
		"/v1/tenants": {access.Admin: 403, access.Analyst: 403},
	} {
		for role, status := range want {
			if got := w.inside(as(role), path); got.Code != status {
				t.Errorf("%s as %s: got %d, want %d", path, role, got.Code, status)
			}
		}
	}
	if got := w.inside(t.Context(), "/v1/tags"); got.Code != http.StatusUnauthorized {
		t.Errorf("nobody: got %d", got.Code)
	}
}

// A page counts as one request of its token, however many it makes.
func TestAPageCountsOnce(t *testing.T) {
	w := start(t, options{})
	w.core.limiter = newLimiter(Limits{Requests: 1}, time.Hour) // ten
	who := access.Principal{Tenant: "acme", Role: access.Admin, Kind: "admin", ID: "admin-1", Personal: true}
	for page := range 12 {
		ctx := access.WithPrincipal(t.Context(), who)
		for call := range 5 {
			got, want := w.inside(ctx, "/v1/tags").Code, http.StatusOK
			if page >= 10 && call == 0 {
				want = http.StatusTooManyRequests
			}
			if got != want {
				t.Fatalf("page %d, call %d: got %d, want %d", page+1, call+1, got, want)
			}
		}
	}
}

// A page waits less for what was written than other callers do.
func TestPatience(t *testing.T) {
	w := start(t, options{idle: true})
	w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated)
	ctx := access.WithPrincipal(WithPatience(t.Context(), time.Millisecond), access.Principal{Tenant: "acme", Role: access.Admin, Kind: "admin", ID: "admin-1"})
	began := time.Now()
	out := w.inside(ctx, "/v1/tags?after_position=1")
	if out.Code != http.StatusOK || out.Header().Get("X-Stale") != "true" || time.Since(began) > waitFor/2 {
		t.Errorf("%d %v after %s", out.Code, out.Header(), time.Since(began))
	}
}

func TestWhoAmI(t *testing.T) {
	w := start(t, options{})
	var me Me
	if err := json.Unmarshal(w.do(call{as: "acme/analyst", method: "GET", path: "/v1/me"}).want(http.StatusOK).body, &me); err != nil {
		t.Fatal(err)
	}
	if me.Role != "analyst" || me.Actor.ID != "analyst-1" || me.Tenant == nil || me.Tenant.Slug != "acme" || me.PersonalData {
		t.Errorf("got %+v", me)
	}
	operator := w.do(call{as: "acme/operator", method: "GET", path: "/v1/me"}).want(http.StatusOK)
	if operator.get("tenant") != nil || operator.get("role") != "operator" {
		t.Errorf("got %s", operator.body)
	}
}
