package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"customercenter/api/access"
)

// TestAnAnalystSeesNothingPersonalAtAnyRoute has a customer of whom every personal value holds one of two marks, and calls each route that
// analysts may call: those of the description, so that a route that is added later is called too.
func TestAnAnalystSeesNothingPersonalAtAnyRoute(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	const mark, ip = "personal-mark", "203.0.113.77"
	write := func(id string, message map[string]any) map[string]any {
		return event(id, "message.received", map[string]any{"external_id": mark, "nickname": mark, "message": message,
			"web": map[string]any{"ip": ip, "region": mark, "user_agent": mark, "referrer": "https://" + mark + ".example/"}})
	}
	wrote := w.channel(write("m1", map[string]any{"id": "m1", "kind": "file", "url": "https://x.example/" + mark, "name": mark + ".pdf"})).want(http.StatusOK)
	things := belongings{"customers": wrote.get("customer_id").(string), "sessions": wrote.get("session_id").(string), "associations": "1",
		"tags": w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)}
	things["fields"] = w.sampleField("acme", "Size")
	things["groups"] = w.admin("POST", "/v1/groups", groupInput("Gold", `{"field":"nickname","op":"starts_with","value":"`+mark+`"}`)).want(http.StatusCreated).get("id").(string)
	things["views"] = w.sampleView("acme", "agent-1", "Gold", things["tags"])
	things["as-of"] = w.samplePast("acme")
	customer, session := "/v1/customers/"+things["customers"], "/v1/sessions/"+things["sessions"]
	w.admin("POST", session+"/accept", AcceptInput{"agent-1"}).want(http.StatusOK)
	w.admin("POST", session+"/messages", MessageInput{Kind: "text", Text: mark}).want(http.StatusCreated)
	for _, field := range []string{"nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description"} {
		w.admin("PATCH", customer, edit(map[string]*string{field: ptr(mark + field)})).want(http.StatusOK)
	}
	w.admin("POST", session+"/rating", RatingInput{Score: 1, Reasons: []string{mark}, Comment: mark}).want(http.StatusOK)
	w.admin("PUT", customer+"/blacklist", BlacklistInput{Reason: mark, EndSession: true}).want(http.StatusOK)
	w.seen(w.channel(write("m2", map[string]any{"id": "m2", "kind": "text", "text": mark})).want(http.StatusOK).position()) // is suppressed

	w.filled("acme", things["groups"])
	things["whatif"] = w.sampleWhatIf("acme", json.RawMessage(`{"field":"nickname","op":"starts_with","value":"`+mark+`"}`))
	w.entitle("acme")
	looks := map[string]any{"field": "nickname", "op": "starts_with", "value": mark}
	w.upload(mark+".csv", smallest).want(http.StatusCreated)
	w.admin("POST", "/v1/exports", map[string]any{"filter": looks}).want(http.StatusAccepted)
	w.admin("POST", "/v1/customers/bulk", map[string]any{"action": "blacklist", "reason": mark, "filter": looks}).want(http.StatusAccepted)

	shows := func(as string, r route) bool {
		t.Helper()
		answered := w.do(call{as: as, method: r.Method, path: r.address(things.ids(t, r)...), body: w.body(r, things, false)})
		if r.OperationID == "start-whatif" {
			answered.want(http.StatusAccepted)
			w.looked(as, answered.get("id").(string))
		} else {
			answered.want(http.StatusOK)
		}
		answer := string(answered.body)
		return strings.Contains(answer, mark) || strings.Contains(answer, ip)
	}
	for _, r := range w.routes() {
		if !r.tenant || !access.May(access.Analyst, r.OperationID) {
			continue
		}
		if shows("acme/analyst", r) {
			t.Errorf("an analyst sees personal data at %s", r)
		}
		personal := slices.Contains([]string{"customers", "sessions", "blacklist", "events", "groups", "diff"}, strings.Split(r.Path, "/")[2]) &&
			!strings.HasSuffix(r.Path, "/size") && !strings.HasSuffix(r.Path, "/per-day") && r.OperationID != "start-whatif" // which asks for a tag
		if seen := shows("acme/admin", r); seen != personal { // else nothing is proven
			t.Errorf("an admin sees personal data at %s: %v", r, seen)
		}
	}
}
