package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/projections"
)

// filled waits until the last rule of a group has looked at everybody.
func (w *world) filled(tenant, id string) {
	w.t.Helper()
	group := uuid.MustParse(id)
	state, _, err := w.core.Catalogues.Groups(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		standing, err := w.core.Groups.Status(w.t.Context(), tenant, group)
		if err != nil {
			w.t.Fatal(err)
		}
		if s := standing[group]; s.Revision == state.All[group].Revision && s.Filling == nil {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("group %s is not filled: %+v", id, standing[group])
		}
	}
}

// defined makes a group that agents see, and waits until it is filled.
func (w *world) defined(name, rule string) (id string) {
	w.t.Helper()
	input := groupInput(name, rule)
	input.AgentVisible = true
	id = w.admin("POST", "/v1/groups", input).want(http.StatusCreated).get("id").(string)
	w.filled("acme", id)
	return id
}

// Who is in a group, page by page, and what the group says of itself; at once after what was written.
func TestMembersOfAGroup(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id := w.defined("王氏", `{"field":"nickname","op":"starts_with","value":"王"}`)
	path := "/v1/groups/" + id
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("members") != 0.0 || got.get("served_revision") != 1.0 || got.get("filling") != nil {
		t.Errorf("without members the group is %s", got.body)
	}
	for i := range 5 {
		w.customer("acme/admin", fmt.Sprint("v-", i), []string{"王", "李"}[i%2]+fmt.Sprint(i)) // 王0, 王2, 王4
	}
	head := w.head("acme")
	after := func(path string) reply { return w.read("acme/admin", path, head, "en").want(http.StatusOK) }

	first := after(path + "/members?limit=2")
	if first.get("items.0.customer.profile.nickname") != "王4" || first.get("items.1.customer.profile.nickname") != "王2" || first.get("items.2") != nil ||
		first.get("count.value") != 3.0 || first.get("count.exact") != true || first.get("items.0.cause.kind") != "event" ||
		first.get("items.0.since") != first.get("items.0.customer.created_at") || first.get("items.0.evidence.0.field") != "nickname" || first.get("items.0.evidence.0.observed") != "王4" || first.position() < head || first.get("items.0.customer.groups.0.name") != "王氏" {
		t.Errorf("the first page is %s", first.body)
	}
	second := after(path + "/members?limit=2&cursor=" + first.get("next").(string))
	if second.get("items.0.customer.profile.nickname") != "王0" || second.get("items.1") != nil || second.get("next") != nil {
		t.Errorf("the second page is %s", second.body)
	}
	if one, list := after(path), after("/v1/groups"); one.get("members") != 3.0 || list.get("items.0.members") != 3.0 || list.get("items.0.served_revision") != 1.0 {
		t.Errorf("the group is %s, in the list %s", one.body, list.body)
	}
	moves := after(path + "/moves?limit=2")
	if moves.get("items.0.nickname") != "王4" || moves.get("items.0.entered") != true || moves.get("items.0.cause.kind") != "event" || moves.get("items.0.evidence.0.observed") != "王4" ||
		moves.get("items.1.external_id") != "v-2" || moves.get("items.2") != nil {
		t.Errorf("the moves are %s", moves.body)
	}
	if last := after(path + "/moves?cursor=" + moves.get("next").(string)); last.get("items.0.nickname") != "王0" || last.get("next") != nil {
		t.Errorf("the next moves are %s", last.body)
	}
	if masked := w.read("acme/analyst", path+"/moves", head, "en").want(http.StatusOK); strings.Contains(string(masked.body), "王") || masked.get("items.0.nickname") != "***" {
		t.Errorf("an analyst is told %s", masked.body)
	}
	w.admin("GET", path+"/moves?cursor=nonsense", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
	if size := after(path + "/size?days=2"); size.get("items.1.members") != 3.0 || size.get("items.1.entered") != 3.0 || size.get("items.0.members") != 0.0 || size.get("items.2") != nil {
		t.Errorf("the size is %s", size.body)
	}
	// A list by groups waits for them, too; and so does one that is counted by them.
	listed := after(`/v1/customers?limit=1&facets=groups&filter={"field":"groups","op":"has_any","value":["` + id + `"]}`)
	if listed.get("count.value") != 3.0 || listed.get("facets.groups."+id) != 3.0 {
		t.Errorf("the list by group is %s", listed.body)
	}

	// By another rule: who stays keeps the time of the entry.
	w.admin("PATCH", path, map[string]any{"rule": json.RawMessage(`{"field":"nickname","op":"in","value":["王0","李1"]}`)}).want(http.StatusOK)
	w.filled("acme", id)
	revised := after(path + "/members")
	if revised.get("items.0.customer.profile.nickname") != "李1" || revised.get("items.0.cause.kind") != "rule" || revised.get("items.2") != nil ||
		revised.get("items.1.customer.profile.nickname") != "王0" || revised.get("items.1.since") != second.get("items.0.since") {
		t.Errorf("by the other rule the members are %s", revised.body)
	}
	if got := after(path); got.get("members") != 2.0 || got.get("revision") != 2.0 || got.get("served_revision") != 2.0 {
		t.Errorf("by the other rule the group is %s", got.body)
	}

	w.admin("GET", path+"/members?cursor=nonsense", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
	w.admin("GET", "/v1/groups/"+uuid.NewString()+"/members", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.do(call{as: "other/admin", method: "GET", path: path + "/members"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("DELETE", path, nil).want(http.StatusNoContent)
	w.admin("GET", path+"/members", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// An agent is told of the groups that are visible to agents, and of the own customers in them.
func TestAgentsAndMembers(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	visible, hidden := w.defined("Visible", `{"field":"session_count","op":"gte","value":1}`), w.defined("Hidden", `{"field":"session_count","op":"gte","value":1}`)
	w.admin("PATCH", "/v1/groups/"+hidden, map[string]any{"agent_visible": false}).want(http.StatusOK)
	mine, session := w.session("acme/admin", "v-1", "hello")
	anothers, second := w.session("acme/admin", "v-2", "hello")
	w.admin("POST", "/v1/sessions/"+session+"/accept", AcceptInput{"agent-1"}).want(http.StatusOK)
	w.admin("POST", "/v1/sessions/"+second+"/accept", AcceptInput{"agent-2"}).want(http.StatusOK)
	head := w.head("acme")
	agent := func(path string) reply { return w.read("acme/agent", path, head, "en") }
	for _, path := range []string{"/v1/groups/" + visible + "/members", "/v1/customers/" + mine + "/groups"} {
		agent(path).refused(http.StatusForbidden, "FORBIDDEN", "")
	}
	w.letAgents(true, false)
	got := agent("/v1/groups/" + visible + "/members").want(http.StatusOK)
	if got.get("items.0.customer.id") != mine || got.get("items.1") != nil || got.get("count.value") != 1.0 || strings.Contains(string(got.body), hidden) {
		t.Errorf("an agent is told of the members %s", got.body)
	}
	in := agent("/v1/customers/" + mine + "/groups").want(http.StatusOK)
	if in.get("items.0.group.id") != visible || in.get("items.1") != nil || in.get("count.value") != 1.0 {
		t.Errorf("an agent is told of the groups %s", in.body)
	}
	agent("/v1/groups/"+hidden+"/members").refused(http.StatusNotFound, "NOT_FOUND", "")
	agent("/v1/customers/"+anothers+"/groups").refused(http.StatusNotFound, "NOT_FOUND", "")
	agent("/v1/customers/"+uuid.NewString()+"/groups").refused(http.StatusNotFound, "NOT_FOUND", "")
	if all := w.read("acme/admin", "/v1/customers/"+mine+"/groups", head, "en").want(http.StatusOK); all.get("count.value") != 2.0 {
		t.Errorf("an admin is told of the groups %s", all.body)
	}
}

// Why a customer is in a group, in the reader's language, and as far as the reader may know.
func TestWhyACustomerIsInItsGroups(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.admin("POST", "/v1/fields", map[string]any{"key": "level", "label": "Level", "type": "select", "options": []map[string]string{{"label": "金卡"}, {"label": "银卡"}}}).
		want(http.StatusCreated)
	const needle = "13800138000"
	rule := `{"all":[{"field":"phone","op":"contains","value":"` + needle + `"},{"field":"session_count","op":"lt","value":3},{"not":{"field":"custom.level","op":"in","value":["o2"]}}]}`
	w.defined("Phoned", rule)
	id := w.customer("acme/admin", "v", "王芳")
	w.admin("PATCH", "/v1/customers/"+id, edit(map[string]*string{"phone": ptr("+86 " + needle)})).want(http.StatusOK)
	head := w.head("acme")
	w.bearer["acme/trusted"] = w.token(access.New{Tenant: "acme", Role: access.Analyst, Actor: "analyst-2", Name: "of a test", Personal: true})

	type seen struct{ condition, observed, threshold, text string }
	phone := map[string]seen{
		"zh": {"手机包含“" + needle + "”", "+86 " + needle, needle, "手机包含“" + needle + "”：“+86 " + needle + "”"},
		"en": {`phone contains "` + needle + `"`, "+86 " + needle, needle, `phone contains "` + needle + `": "+86 ` + needle + `"`},
	}
	sessions := map[string]seen{"zh": {"会话数小于 3", "0", "3", "会话数小于 3：0"}, "en": {"number of sessions is less than 3", "0", "3", "number of sessions is less than 3: 0"}}
	level := map[string]seen{"zh": {"Level 为银卡", "", `["o2"]`, "Level 为银卡：未设置（不满足）"}, "en": {"Level is 银卡", "", `["o2"]`, "Level is 银卡: not set (not met)"}}
	check := func(as, language string, want ...seen) {
		t.Helper()
		got := w.read(as, "/v1/customers/"+id+"/groups", head, language).want(http.StatusOK)
		var page List[CustomerGroup]
		got.into(&page)
		if len(page.Items) != 1 || page.Items[0].Group.Name != "Phoned" || page.Items[0].Cause.Kind != "event" || *page.Items[0].Cause.EventPosition != head ||
			!page.Items[0].Since.Equal(page.Items[0].Cause.At) {
			t.Fatalf("%s is told of %s", as, got.body)
		}
		for i, e := range page.Items[0].Evidence {
			if told := (seen{e.Condition, e.Observed, e.Threshold, e.Text}); i >= len(want) || told != want[i] || e.Met != (i < 2) {
				t.Errorf("%s in %s is told %+v, want %+v", as, language, e, want)
			}
		}
	}
	hidden := seen{mask, mask, mask, mask}
	for _, language := range []string{"zh", "en"} {
		check("acme/admin", language, phone[language], sessions[language], level[language])
		check("acme/trusted", language, phone[language], sessions[language], level[language])
		check("acme/analyst", language, hidden, sessions[language], seen{mask, "", mask, mask})
	}
	// Options that are gone keep their names.
	w.admin("PATCH", "/v1/groups/"+w.admin("GET", "/v1/groups", nil).get("items.0.id").(string), map[string]any{"rule": json.RawMessage(strings.Replace(rule, "o2", "o1", 1))}).
		want(http.StatusOK)
	w.filled("acme", w.admin("GET", "/v1/groups", nil).get("items.0.id").(string))
	check("acme/admin", "zh", phone["zh"], sessions["zh"], seen{"Level 为金卡", "", `["o1"]`, "Level 为金卡：未设置（不满足）"})

	other := w.customer("acme/admin", "nobody", "李")
	if got := w.read("acme/admin", "/v1/customers/"+other+"/groups", w.head("acme"), "en").want(http.StatusOK); got.get("count.value") != 0.0 || got.get("items.0") != nil {
		t.Errorf("who is in no group is in %s", got.body)
	}
	w.admin("GET", "/v1/customers/"+uuid.NewString()+"/groups", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// A preview of another rule says who would enter the group and who would leave it.
func TestAPreviewKnowsWhoIsInTheGroup(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	id := w.defined("VIPs", string(hasTag(vip)))
	for i := range 14 { // 0 to 4 are in the group; the new rule wants 3 to 12
		body := map[string]any{"association_id": 1, "external_id": fmt.Sprint("v-", i), "profile": map[string]any{"company": []string{"", "New"}[min(1, i/3)]}}
		if i < 5 {
			body["tags"] = []string{vip}
		}
		if i == 13 {
			body["profile"] = map[string]any{"company": "Old"}
		}
		w.admin("POST", "/v1/customers", body).want(http.StatusCreated)
	}
	preview := func(body map[string]any) (p Preview) {
		t.Helper()
		body["rule"] = json.RawMessage(`{"field":"company","op":"eq","value":"new"}`)
		w.do(call{as: "acme/admin", method: "POST", path: "/v1/groups/preview", body: body,
			headers: map[string]string{"X-After-Position": fmt.Sprint(w.head("acme"))}}).want(http.StatusOK).into(&p)
		return p
	}
	exact := func(n int64) projections.Count { return projections.Count{Value: n, Exact: true} }
	if p := preview(map[string]any{"group_id": id}); p.Count != exact(10) || p.Enter != exact(8) || p.Leave != exact(3) || len(p.Sample) != 10 {
		t.Errorf("for the group: %+v", p)
	}
	if p := preview(map[string]any{}); p.Count != exact(10) || p.Enter != exact(10) || p.Leave != exact(0) {
		t.Errorf("for a new group: %+v", p)
	}
	// What it said comes true.
	w.admin("PATCH", "/v1/groups/"+id, map[string]any{"rule": json.RawMessage(`{"field":"company","op":"eq","value":"new"}`)}).want(http.StatusOK)
	w.filled("acme", id)
	if p := preview(map[string]any{"group_id": id}); p.Count != exact(10) || p.Enter != exact(0) || p.Leave != exact(0) {
		t.Errorf("for the group that has the rule: %+v", p)
	}
	if got := w.admin("GET", "/v1/groups/"+id, nil).want(http.StatusOK); got.get("members") != 10.0 {
		t.Errorf("the group is %s", got.body)
	}
}
