package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// blacklist puts a customer on the blacklist.
func (w *world) blacklist(customer, body string) reply {
	w.t.Helper()
	return w.admin("PUT", "/v1/customers/"+customer+"/blacklist", body)
}

func TestBlacklistFromListingToTheNextSession(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, session := w.session("acme/admin", "visitor-1", "hello")
	w.admin("POST", "/v1/sessions/"+session+"/accept", AcceptInput{"g1"}).want(http.StatusOK)
	path := "/v1/customers/" + customer

	listed := w.blacklist(customer, `{"reason":" 骚扰 客服 "}`).want(http.StatusOK)
	if listed.get("blacklisted") != true || listed.get("blacklist.reason") != "骚扰 客服" || listed.get("blacklist.actor.kind") != "admin" ||
		listed.get("blacklist.actor.id") != "admin-1" || listed.get("blacklist.since") == nil || listed.get("blacklist.expires_at") != nil ||
		listed.get("session_open") != true || listed.get("callback.code") != "CUSTOMER_BLACKLISTED" || listed.get("callback.allowed") != false {
		t.Errorf("listed: %s", listed.body)
	}
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.header.Get("ETag") != listed.header.Get("ETag") || listed.get("updated_at") == listed.get("created_at") {
		t.Errorf("the listing moved no version: %s, %s", got.header.Get("ETag"), listed.body)
	}
	w.blacklist(customer, `{"reason":"again"}`).refused(http.StatusConflict, "ALREADY_BLACKLISTED", "")

	// The unfinished session goes on to its end; after that no message opens one.
	if _, in := w.session("acme/admin", "visitor-1", "still there?"); in != session {
		t.Errorf("a message went into %q, want %q", in, session)
	}
	w.seen(w.admin("POST", "/v1/sessions/"+session+"/close", nil).want(http.StatusOK).position())
	for n := range 3 {
		sent := w.channel(message(fmt.Sprint("s", n), "visitor-1", "hear me")).want(http.StatusOK)
		if sent.get("session_id") != nil {
			t.Errorf("a suppressed message has a session: %s", sent.body)
		}
		w.seen(sent.position())
	}
	got := w.admin("GET", path, nil).want(http.StatusOK)
	if got.get("session_count") != 1.0 || got.get("session_open") != false || got.get("message_count") != 2.0 ||
		got.get("blacklist.suppressed_messages") != 3.0 || got.get("suppressed_count") != 3.0 {
		t.Errorf("after suppressed messages: %s", got.body)
	}
	list := w.admin("GET", "/v1/blacklist", nil).want(http.StatusOK)
	if list.get("items.0.customer.id") != customer || list.get("items.0.customer.external_id") != "visitor-1" || list.get("items.0.reason") != "骚扰 客服" ||
		list.get("items.0.actor.id") != "admin-1" || list.get("items.0.suppressed_messages") != 3.0 || list.get("items.0.since") == nil ||
		list.get("count.value") != 1.0 || list.get("items.1") != nil {
		t.Errorf("the blacklist: %s", list.body)
	}
	w.admin("POST", path+"/callback", nil).refused(http.StatusConflict, "CUSTOMER_BLACKLISTED", "")

	// After the removal the next message opens a session; what was suppressed is not replayed.
	freed := w.admin("DELETE", path+"/blacklist", nil).want(http.StatusNoContent)
	w.admin("DELETE", path+"/blacklist", nil).refused(http.StatusConflict, "NOT_BLACKLISTED", "")
	w.seen(freed.position())
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("blacklisted") != false || got.get("blacklist") != nil ||
		got.header.Get("ETag") != freed.header.Get("ETag") || got.get("callback.allowed") != true {
		t.Errorf("removed: %s", got.body)
	}
	if list := w.admin("GET", "/v1/blacklist", nil).want(http.StatusOK); list.get("items.0") != nil {
		t.Errorf("the blacklist: %s", list.body)
	}
	_, next := w.session("acme/admin", "visitor-1", "hello again")
	if next == "" || next == session {
		t.Errorf("the next message opened %q", next)
	}
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("session_count") != 2.0 || got.get("message_count") != 3.0 {
		t.Errorf("after the next message: %s", got.body)
	}
}

func TestBlacklistFromASession(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	customer, session := w.session("acme/admin", "visitor-1", "hello")
	listed := w.admin("PUT", "/v1/sessions/"+session+"/blacklist", `{"reason":"spam","end_session":true}`).want(http.StatusOK)
	if listed.get("id") != customer || listed.get("blacklisted") != true || listed.get("session_open") != false {
		t.Errorf("listed: %s", listed.body)
	}
	w.seen(listed.position())
	if got := w.admin("GET", "/v1/sessions/"+session, nil).want(http.StatusOK); got.get("state") != "aborted" || got.get("end_cause") != "blacklisted" {
		t.Errorf("the session: %s", got.body)
	}
	w.admin("PUT", "/v1/sessions/"+session+"/blacklist", `{"reason":"spam"}`).refused(http.StatusConflict, "ALREADY_BLACKLISTED", "")
	w.admin("PUT", "/v1/sessions/"+uuid.NewString()+"/blacklist", `{"reason":"spam"}`).refused(http.StatusNotFound, "NOT_FOUND", "")
}

func TestBlacklistingThatIsRefused(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id := w.customer("acme/admin", "visitor-1", "x")
	for _, c := range []struct{ body, code, at string }{
		{`{}`, "VALIDATION", "reason"},
		{`{"reason":"  "}`, "VALIDATION", "reason"},
		{`{"reason":"` + strings.Repeat("长", 151) + `"}`, "VALIDATION", "reason"},
		{`{"reason":"x","expires_at":"2020-01-01T00:00:00Z"}`, "VALIDATION", "expires_at"},
		{`{"reason":"x","expires_at":"tomorrow"}`, "VALIDATION", "expires_at"},
		{`{"reason":"x","end_session":"yes"}`, "VALIDATION", "end_session"},
		{`{"reason":"x","until":1}`, "VALIDATION", "until"},
	} {
		w.blacklist(id, c.body).refused(http.StatusUnprocessableEntity, c.code, c.at)
	}
	w.blacklist(uuid.NewString(), `{"reason":"x"}`).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("DELETE", "/v1/customers/"+uuid.NewString()+"/blacklist", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("DELETE", "/v1/customers/"+id+"/blacklist", nil).refused(http.StatusConflict, "NOT_BLACKLISTED", "")

	// A lost race, and a request that is repeated.
	put := func(match, key, body string) reply {
		return w.do(call{as: "acme/admin", method: "PUT", path: "/v1/customers/" + id + "/blacklist", body: body,
			headers: map[string]string{"If-Match": match, "Idempotency-Key": key}})
	}
	put(`"7"`, "k0", `{"reason":"x"}`).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	put(`"x"`, "k1", `{"reason":"x"}`).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "header.If-Match")
	first := put(`"1"`, "k2", `{"reason":"x"}`).want(http.StatusOK)
	again := put(`"1"`, "k2", `{"reason":"x"}`).want(http.StatusOK)
	if string(first.body) != string(again.body) || again.header.Get("ETag") != `"2"` || first.position() == 0 {
		t.Errorf("the same request got %s and %s", first.body, again.body)
	}
	put(`"1"`, "k2", `{"reason":"y"}`).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
	w.do(call{as: "acme/admin", method: "DELETE", path: "/v1/customers/" + id + "/blacklist", headers: map[string]string{"If-Match": `"1"`}}).
		refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	// An edit that does not know of the blacklisting has lost a race, too.
	w.do(call{as: "acme/admin", method: "PATCH", path: "/v1/customers/" + id, body: edit(map[string]*string{"qq": ptr("1")}),
		headers: map[string]string{"If-Match": `"1"`}}).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
}

// A place on the blacklist that has expired is gone from every answer, although nobody has lifted it.
func TestExpiredPlacesAreNotShown(t *testing.T) {
	clock := time.Now()
	w := start(t, options{now: func() time.Time { return clock }})
	w.associations("acme/admin")
	id := w.customer("acme/admin", "visitor-1", "x")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	w.seen(w.blacklist(id, `{"reason":"x","expires_at":"`+until.Format(time.RFC3339)+`"}`).want(http.StatusOK).position())
	filter := url.QueryEscape(`{"field":"blacklisted","op":"is","value":true}`)
	shown := func(want bool) {
		t.Helper()
		one := w.admin("GET", "/v1/customers/"+id, nil).want(http.StatusOK)
		if one.get("blacklisted") != want || (one.get("blacklist") != nil) != want || one.get("callback.allowed") != !want {
			t.Errorf("want %v: %s", want, one.body)
		}
		if want && one.get("blacklist.expires_at") != until.Format(time.RFC3339) {
			t.Errorf("expires: %s", one.body)
		}
		for _, path := range []string{"/v1/blacklist", "/v1/customers?filter=" + filter} {
			if list := w.admin("GET", path, nil).want(http.StatusOK); (list.get("items.0") != nil) != want || (list.get("count.value") == 1.0) != want {
				t.Errorf("%s, want %v: %s", path, want, list.body)
			}
		}
	}
	shown(true)
	clock = until
	shown(false)
}

func TestBlacklistIsSearchedAndPaged(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	var last reply
	for n := range 5 {
		last = w.blacklist(w.customer("acme/admin", fmt.Sprintf("user_%d", n), fmt.Sprintf("客户%d ＷＡＮＧ", n)), `{"reason":"x"}`).want(http.StatusOK)
	}
	w.seen(last.position())
	names := func(r reply) (all string) {
		for i := 0; r.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			all += r.get(fmt.Sprintf("items.%d.customer.external_id", i)).(string)[5:]
		}
		return all
	}
	for q, want := range map[string]string{"": "43210", "wang": "43210", "户3": "3", "USER_1": "1", "nobody": "", "%": ""} {
		if got := names(w.admin("GET", "/v1/blacklist?q="+url.QueryEscape(q), nil).want(http.StatusOK)); got != want {
			t.Errorf("q=%s: %s, want %s", q, got, want)
		}
	}
	first := w.admin("GET", "/v1/blacklist?limit=2", nil).want(http.StatusOK)
	second := w.admin("GET", "/v1/blacklist?limit=2&cursor="+first.get("next").(string), nil).want(http.StatusOK)
	back := w.admin("GET", "/v1/blacklist?limit=2&cursor="+second.get("prev").(string), nil).want(http.StatusOK)
	if names(first) != "43" || names(second) != "21" || names(back) != "43" || back.get("prev") != nil || second.get("count.value") != 5.0 {
		t.Errorf("pages %s %s %s", first.body, second.body, back.body)
	}
	w.admin("GET", "/v1/blacklist?cursor=x", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")

	// An analyst sees masks, and cannot search for what is under them.
	masked := w.do(call{as: "acme/analyst", method: "GET", path: "/v1/blacklist"}).want(http.StatusOK)
	if masked.get("items.0.customer.nickname") != "***" || masked.get("items.0.customer.external_id") != "***" || masked.get("items.0.reason") != "***" ||
		masked.get("items.0.actor.id") != "admin-1" || strings.Contains(string(masked.body), "客户") {
		t.Errorf("an analyst sees %s", masked.body)
	}
	w.do(call{as: "acme/analyst", method: "GET", path: "/v1/blacklist?q=a"}).refused(http.StatusForbidden, "FORBIDDEN", "query.q")
	one := w.do(call{as: "acme/analyst", method: "GET", path: "/v1/customers/" + last.get("id").(string)}).want(http.StatusOK)
	if one.get("blacklist.reason") != "***" || one.get("blacklisted") != true {
		t.Errorf("an analyst sees %s", one.body)
	}
}
