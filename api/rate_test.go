package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
)

// guess is a token that could be one and is nobody's.
func guess(i int) string { return fmt.Sprintf("cc_%043d", i) }

func TestATokenMayAskSoOften(t *testing.T) {
	w := start(t, options{})
	w.core.limiter = newLimiter(Limits{Requests: 1}, time.Hour) // ten in a window that no test outlasts
	for i := range 10 {
		r := w.admin("GET", "/v1/tags", nil).want(http.StatusOK)
		reset, err := strconv.ParseInt(r.header.Get("X-RateLimit-Reset"), 10, 64)
		if err != nil || reset < time.Now().Unix() {
			t.Errorf("reset %d (%v)", reset, err)
		}
		if limit, left := r.header.Get("X-RateLimit-Limit"), r.header.Get("X-RateLimit-Remaining"); limit != "10" || left != strconv.Itoa(9-i) {
			t.Errorf("request %d: limit %s, left %s", i, limit, left)
		}
	}
	// Whatever it asks for, it is too much now; a refusal for the role is no way around.
	for _, path := range []string{"/v1/tags", "/v1/tenants", "/v1/customers/x"} {
		r := w.do(call{as: "acme/admin", method: "GET", path: path, headers: map[string]string{"Accept-Language": "zh"}})
		r.refused(http.StatusTooManyRequests, "RATE_LIMITED", "")
		if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 1 || r.problem().Title != "请求过于频繁" {
			t.Errorf("Retry-After %q: %s", r.header.Get("Retry-After"), r.body)
		}
	}
	written := w.head("acme")
	w.admin("POST", "/v1/tags", TagInput{"VIP"}).refused(http.StatusTooManyRequests, "RATE_LIMITED", "")
	if head := w.head("acme"); head != written {
		t.Error("a write that was turned away was carried out")
	}
	// Others are not concerned, nor is what needs no token.
	w.do(call{as: "other/admin", method: "GET", path: "/v1/tags"}).want(http.StatusOK)
	w.do(call{as: "acme/agent", method: "GET", path: "/v1/tags"}).want(http.StatusOK)
	w.do(call{method: "GET", path: "/livez"}).want(http.StatusOK)
	// A channel speaks for a whole account.
	r := w.do(call{as: "acme/channel", method: "GET", path: "/v1/tags"})
	r.refused(http.StatusForbidden, "FORBIDDEN", "")
	if limit := r.header.Get("X-RateLimit-Limit"); limit != "50" {
		t.Errorf("a channel has %s", limit)
	}
}

func TestTokensCannotBeGuessed(t *testing.T) {
	w := start(t, options{})
	w.core.limiter = newLimiter(Limits{SignIns: 3}, time.Hour)
	w.admin("GET", "/v1/tags", nil).want(http.StatusOK) // the process knows this one
	unseen := w.token(access.New{Tenant: "acme", Role: access.Admin, Actor: "new"})
	for range 20 { // to come without a token is no guess
		w.do(call{method: "GET", path: "/v1/tags"}).refused(http.StatusUnauthorized, "UNAUTHENTICATED", "")
	}
	for i := range 3 {
		w.do(call{as: guess(i), method: "GET", path: "/v1/tags"}).refused(http.StatusUnauthorized, "UNAUTHENTICATED", "")
	}
	for _, token := range []string{guess(4), "nonsense", unseen} { // even a right guess is not told from a wrong one
		for _, header := range []string{"", "X-Forwarded-For", "X-Real-IP", "True-Client-IP"} {
			c := call{as: token, method: "GET", path: "/v1/tags", headers: map[string]string{}}
			if header != "" {
				c.headers[header] = "203.0.113." + strconv.Itoa(len(header)) // nobody gets away by naming another address
			}
			r := w.do(c)
			r.refused(http.StatusTooManyRequests, "RATE_LIMITED", "")
			if r.header.Get("Retry-After") != "60" {
				t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
			}
		}
	}
	if tokens, _, err := w.tokens.List(t.Context(), "acme", uuid.Nil, 1); err != nil || !tokens[0].LastUsedAt.IsZero() { // the newest
		t.Errorf("a token that was turned away was looked up: %v (%v)", tokens, err)
	}
	// Who works already, behind the same address, goes on working; other addresses are not concerned.
	w.admin("GET", "/v1/tags", nil).want(http.StatusOK)
	r := httptest.NewRequest(http.MethodGet, "/v1/tags", nil)
	r.RemoteAddr = "198.51.100.7:1234"
	r.Header.Set("Authorization", "Bearer "+unseen)
	elsewhere := httptest.NewRecorder()
	w.handler.ServeHTTP(elsewhere, r)
	if elsewhere.Code != http.StatusOK {
		t.Errorf("elsewhere: got %d: %s", elsewhere.Code, elsewhere.Body)
	}
	// A revoked token is a guess like any other.
	who, err := w.tokens.Verify(t.Context(), unseen)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Revoke(t.Context(), "acme", who.Token); err != nil {
		t.Fatal(err)
	}
	w.do(call{as: unseen, method: "GET", path: "/v1/tags"}).refused(http.StatusTooManyRequests, "RATE_LIMITED", "")
	w.admin("GET", "/v1/tags", nil).want(http.StatusOK) // and revoking it has not made the others unknown
}

// Only a proxy that is named is believed when it says where a request comes from, and only what it has added itself.
func TestProxiesAreBelieved(t *testing.T) {
	l := &limiter{Limits: Limits{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	for _, c := range []struct{ from, said, want string }{
		{"198.51.100.7:1234", "", "198.51.100.7"},
		{"198.51.100.7:1234", "203.0.113.9", "198.51.100.7"}, // no proxy of ours
		{"10.1.2.3:1234", "203.0.113.9", "203.0.113.9"},
		{"[::ffff:10.1.2.3]:1234", "203.0.113.9", "203.0.113.9"},
		{"10.1.2.3:1234", "", "10.1.2.3"},
		{"10.1.2.3:1234", "192.0.2.1, 203.0.113.9", "203.0.113.9"}, // what stands before is anybody's
		{"10.1.2.3:1234", "203.0.113.9, 10.9.9.9", "203.0.113.9"},  // two proxies of ours
		{"10.1.2.3:1234", "192.0.2.1,203.0.113.9 ,10.9.9.9", "203.0.113.9"},
		{"10.1.2.3:1234", "nonsense", "10.1.2.3"},
		{"10.1.2.3:1234", "203.0.113.9:51234", "203.0.113.9"},
		{"[fd00::1]:1234", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"}, // one customer of a provider has all of it
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		if c.said != "" {
			r.Header.Set("X-Forwarded-For", c.said)
		}
		if got := l.address(r); got != c.want {
			t.Errorf("from %s, said to be for %q: %s, want %s", c.from, c.said, got, c.want)
		}
	}
}

// TestTheCounterIsBounded counts more keys than it has room for.
func TestTheCounterIsBounded(t *testing.T) {
	c := newCounter(3)
	c.Config(10, time.Minute)
	first := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	count := func(key string, window time.Time) [2]int {
		t.Helper()
		present, previous, err := c.Get(key, window, window.Add(-time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return [2]int{present, previous}
	}
	for i := range 1000 {
		if err := c.Increment(strconv.Itoa(i), first); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.present) != 4 || count("0", first) != [2]int{1, 0} || count("2", first) != [2]int{1, 0} || count("3", first) != [2]int{997, 0} || count("new", first) != [2]int{997, 0} {
		t.Errorf("counted %v", c.present)
	}
	second := first.Add(time.Minute)
	if count("1", second) != [2]int{0, 1} || count("999", second) != [2]int{0, 997} {
		t.Errorf("a minute later %v %v", c.present, c.previous)
	}
	if err := c.IncrementBy("fresh", second, 2); err != nil {
		t.Fatal(err)
	}
	if count("fresh", first) != [2]int{2, 997} { // the clock was set back: what is counted stays counted
		t.Errorf("with an earlier clock %v", count("fresh", first))
	}
	third := second.Add(2 * time.Minute)
	if count("fresh", third) != [2]int{0, 0} || len(c.previous) != 0 {
		t.Errorf("two minutes later %v %v", c.present, c.previous)
	}
}
