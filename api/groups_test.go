package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain/group"
	"customercenter/projections"
)

// listed is a rule that looks at nothing personal, and silent one that changes with the clock.
const (
	listed = `{"field":"blacklisted","op":"is","value":true}`
	silent = `{"all":[{"field":"last_session_at","op":"older_than","value":{"days":30}},{"not":{"field":"channel","op":"in","value":["weibo"]}}]}`
)

// groupInput is a group to be defined.
func groupInput(name, rule string) GroupInput {
	return GroupInput{Name: name, Rule: json.RawMessage(rule)}
}

func TestAGroupsLife(t *testing.T) {
	w := start(t, options{idle: true})
	made := w.admin("POST", "/v1/groups", groupInput(" 沉默客户 ", silent)).want(http.StatusCreated)
	id := made.get("id").(string)
	path := "/v1/groups/" + id
	if made.header.Get("Location") != path || made.header.Get("ETag") != `"1"` || made.get("name") != "沉默客户" || made.get("revision") != 1.0 ||
		made.get("agent_visible") != false || made.get("rule.all.1.not.field") != "channel" {
		t.Errorf("defined: %v %s", made.header, made.body)
	}
	words := map[string]string{}
	for _, language := range []string{"en", "zh"} {
		words[language], _ = w.read("acme/admin", path, 0, language).want(http.StatusOK).get("description").(string)
	}
	if words["en"] == "" || words["zh"] == "" || words["en"] == words["zh"] || !strings.Contains(words["en"], "30") || !strings.Contains(words["zh"], "微博") {
		t.Errorf("the rule in words: %q", words)
	}

	// One change, all or nothing.
	changed := w.admin("PATCH", path, map[string]any{"name": "黑名单", "rule": json.RawMessage(listed), "agent_visible": true}).want(http.StatusOK)
	if changed.get("name") != "黑名单" || changed.get("revision") != 2.0 || changed.get("agent_visible") != true || changed.get("rule.field") != "blacklisted" ||
		changed.header.Get("ETag") != `"4"` {
		t.Errorf("changed: %v %s", changed.header, changed.body)
	}
	head := w.head("acme")
	w.admin("PATCH", path, map[string]any{"name": "Other", "rule": json.RawMessage(`{"field":"nothing","op":"is","value":true}`)}).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "rule.field")
	same := w.admin("PATCH", path, map[string]any{"name": "黑名单", "rule": json.RawMessage(listed + " "), "agent_visible": true}).want(http.StatusOK)
	if w.head("acme") != head || same.header.Get("ETag") != `"4"` {
		t.Errorf("nothing changed, and the log went from %d to %d", head, w.head("acme"))
	}

	guarded := func(method, etag string, body any) reply {
		return w.do(call{as: "acme/admin", method: method, path: path, body: body, headers: map[string]string{"If-Match": etag}})
	}
	guarded("PATCH", `"1"`, map[string]any{"name": "x"}).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	guarded("DELETE", `"1"`, nil).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	if list := w.admin("GET", "/v1/groups", nil).want(http.StatusOK); list.get("count.value") != 1.0 || list.get("items.0.id") != id {
		t.Errorf("the list is %s", list.body)
	}
	guarded("DELETE", `"4"`, nil).want(http.StatusNoContent)
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		body := any(nil)
		if method == "PATCH" {
			body = map[string]any{"name": "x"}
		}
		w.admin(method, path, body).refused(http.StatusNotFound, "NOT_FOUND", "")
	}
}

func TestWhatNoGroupCanBe(t *testing.T) {
	w := start(t, options{idle: true})
	w.admin("POST", "/v1/groups", groupInput("Listed", listed)).want(http.StatusCreated)
	other := w.do(call{as: "other/admin", method: "POST", path: "/v1/tags", body: TagInput{"theirs"}}).want(http.StatusCreated).get("id").(string)
	deep := strings.Repeat(`{"not":`, 6) + listed + strings.Repeat(`}`, 6)
	many := `{"any":[` + strings.Repeat(listed+",", 50) + listed + `]}`
	needle := func(s string) string {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return `{"all":[` + listed + `,{"field":"name","op":"contains","value":` + string(text) + `}]}`
	}
	head := w.head("acme")
	for what, c := range map[string]struct {
		name, rule, code, at string
		status               int
	}{
		"a name that is taken":      {"ｌｉｓｔｅｄ", listed, "GROUP_EXISTS", "name", http.StatusConflict},
		"an empty name":             {" ", listed, "VALIDATION", "name", 0},
		"a long name":               {strings.Repeat("组", 51), listed, "VALIDATION", "name", 0},
		"no condition":              {"x", `{}`, "VALIDATION", "rule", 0},
		"null":                      {"x", `null`, "VALIDATION", "rule", 0},
		"no object":                 {"x", `[]`, "VALIDATION", "rule", 0},
		"an unknown field":          {"x", `{"all":[` + listed + `,{"field":"shoe_size","op":"is_set"}]}`, "VALIDATION", "rule.all[1].field", 0},
		"an unknown custom field":   {"x", `{"field":"custom.size","op":"is_set"}`, "VALIDATION", "rule.field", 0},
		"an unknown operator":       {"x", `{"not":{"field":"blacklisted","op":"eq","value":true}}`, "VALIDATION", "rule.not.op", 0},
		"a wrong type":              {"x", `{"any":[{"field":"blacklisted","op":"is","value":"yes"}]}`, "VALIDATION", "rule.any[0].value", 0},
		"an unknown member":         {"x", `{"any":[` + listed + `],"some":[]}`, "VALIDATION", "", 0},
		"too many levels":           {"x", deep, "VALIDATION", "", 0},
		"too many conditions":       {"x", many, "VALIDATION", "", 0},
		"a needle of 10 kB":         {"x", needle(strings.Repeat("n", 10_000)), "VALIDATION", "rule.all[1].value", 0},
		"a needle of control":       {"x", needle("a\x01b"), "VALIDATION", "rule.all[1].value", 0},
		"a group that reads groups": {"x", `{"field":"groups","op":"is_empty"}`, "VALIDATION", "rule.field", 0},
		"a tag that is nobody's":    {"x", string(hasTag(uuid.NewString())), "TAG_UNKNOWN", "rule.value[0]", 0},
		"a tag of another tenant":   {"x", `{"not":` + string(hasTag(other)) + `}`, "TAG_UNKNOWN", "rule.not.value[0]", 0},
	} {
		if c.status == 0 {
			c.status = http.StatusUnprocessableEntity
		}
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			w.admin("POST", "/v1/groups", groupInput(c.name, c.rule)).refused(c.status, c.code, c.at)
		})
	}
	w.admin("POST", "/v1/groups", groupInput("x", `{"not":{"any":[]}}`)).refused(http.StatusUnprocessableEntity, "VALIDATION", "rule.not.any")
	w.admin("POST", "/v1/groups", map[string]any{"name": "x"}).refused(http.StatusUnprocessableEntity, "VALIDATION", "rule")
	if after := w.head("acme"); after != head {
		t.Errorf("the log went from %d to %d", head, after)
	}
	for i := 1; i < group.MaxGroups; i++ {
		w.admin("POST", "/v1/groups", groupInput(fmt.Sprint("group ", i), listed)).want(http.StatusCreated)
	}
	w.admin("POST", "/v1/groups", groupInput("one too many", listed)).refused(http.StatusConflict, "LIMIT_REACHED", "")
}

// A tag may go while a rule names it, and then nobody has it; one that is going cannot be taken into a rule.
func TestATagLeavesARule(t *testing.T) {
	w := start(t, options{idle: true})
	tag := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	path := "/v1/groups/" + w.admin("POST", "/v1/groups", groupInput("VIPs", string(hasTag(tag)))).want(http.StatusCreated).get("id").(string)
	if words := w.admin("GET", path, nil).want(http.StatusOK).get("description").(string); !strings.Contains(words, "VIP") {
		t.Errorf("the rule is told as %q", words)
	}
	w.admin("DELETE", "/v1/tags/"+tag, nil).want(http.StatusNoContent)
	w.admin("PATCH", path, map[string]any{"name": "Nobody"}).want(http.StatusOK)
	if got := w.admin("GET", path, nil).want(http.StatusOK); got.get("rule.value.0") != tag || !strings.Contains(got.get("description").(string), tag) {
		t.Errorf("got %s", got.body)
	}
	w.admin("PATCH", path, map[string]any{"name": "No one", "rule": hasTag(tag)}).want(http.StatusOK) // a form sends back what it has not touched
	gone := json.RawMessage(`{"all":[` + string(hasTag(tag)) + `]}`)
	w.admin("PATCH", path, map[string]any{"rule": gone}).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "rule.all[0].value[0]")
}

// Who sees which group, and what of it.
func TestGroupsAreSeenByRole(t *testing.T) {
	w := start(t, options{idle: true})
	const needle = "13800138000"
	hidden := w.admin("POST", "/v1/groups", groupInput("Hidden", listed)).want(http.StatusCreated).get("id").(string)
	visible := groupInput("Visible", `{"field":"phone","op":"contains","value":"`+needle+`"}`)
	visible.AgentVisible = true
	shown := w.admin("POST", "/v1/groups", visible).want(http.StatusCreated).get("id").(string)
	w.bearer["acme/trusted"] = w.token(access.New{Tenant: "acme", Role: access.Analyst, Actor: "analyst-2", Name: "of a test", Personal: true})

	for as, sees := range map[string]struct {
		groups int
		needle bool
	}{"acme/admin": {2, true}, "acme/agent": {1, true}, "acme/analyst": {2, false}, "acme/trusted": {2, true}, "other/admin": {0, false}} {
		list := w.do(call{as: as, method: "GET", path: "/v1/groups"}).want(http.StatusOK)
		if list.get("count.value") != float64(sees.groups) || strings.Contains(string(list.body), needle) != sees.needle {
			t.Errorf("%s sees %s", as, list.body)
		}
		if sees.groups == 0 {
			continue
		}
		one := w.do(call{as: as, method: "GET", path: "/v1/groups/" + shown}).want(http.StatusOK)
		if strings.Contains(string(one.body), needle) != sees.needle || (one.get("rule") != nil) != sees.needle {
			t.Errorf("%s sees %s", as, one.body)
		}
	}
	// In the log, too.
	w.admin("PATCH", "/v1/groups/"+hidden, map[string]any{"rule": json.RawMessage(`{"not":` + string(visible.Rule) + `}`)}).want(http.StatusOK)
	w.admin("POST", "/v1/views", map[string]any{"name": "x", "filter": visible.Rule}).want(http.StatusCreated)
	for as, sees := range map[string]int{"acme/admin": 3, "acme/trusted": 3, "acme/analyst": 0} {
		log := string(w.do(call{as: as, method: "GET", path: "/v1/events"}).want(http.StatusOK).body)
		if got := strings.Count(log, needle); got != sees || strings.Count(log, `"blacklisted"`) != 1 {
			t.Errorf("%s sees the needle %d times: %s", as, got, log)
		}
	}
	w.do(call{as: "acme/agent", method: "GET", path: "/v1/groups/" + hidden}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.do(call{as: "other/admin", method: "GET", path: "/v1/groups/" + shown}).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// A customer may be in groups of which an agent must not learn.
func TestAgentsAreToldOfTheirGroups(t *testing.T) {
	w := start(t, options{idle: true})
	define := func(name string, visible bool) projections.Named {
		input := groupInput(name, listed)
		input.AgentVisible = visible
		return projections.Named{ID: uuid.MustParse(w.admin("POST", "/v1/groups", input).want(http.StatusCreated).get("id").(string)), Name: name}
	}
	hidden, shown := define("Hidden", false), define("Shown", true)
	for role, want := range map[access.Role][]projections.Named{access.Agent: {shown}, access.Admin: {hidden, shown}, access.Analyst: {hidden, shown}} {
		customers := []projections.Customer{{Groups: []projections.Named{hidden, shown}}, {Groups: []projections.Named{}}}
		facets := map[string]map[string]int64{projections.FacetGroups: {hidden.ID.String(): 1, shown.ID.String(): 1}, projections.FacetTags: {hidden.ID.String(): 7}}
		r := &request{who: access.Principal{Tenant: "acme", Role: role}}
		if err := w.core.showGroups(t.Context(), r, customers, facets); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(customers[0].Groups, want) || len(customers[1].Groups) != 0 || len(facets[projections.FacetGroups]) != len(want) ||
			facets[projections.FacetGroups][shown.ID.String()] != 1 || facets[projections.FacetTags][hidden.ID.String()] != 7 {
			t.Errorf("%s is told of %+v and %v", role, customers, facets)
		}
	}
}

func TestARepeatedDefinitionIsOne(t *testing.T) {
	w := start(t, options{idle: true})
	define := func(name string) reply {
		return w.do(call{as: "acme/admin", method: "POST", path: "/v1/groups", body: groupInput(name, listed), headers: map[string]string{"Idempotency-Key": "k"}})
	}
	first, again := define("Listed").want(http.StatusCreated), define("Listed").want(http.StatusCreated)
	if first.get("id") != again.get("id") || w.admin("GET", "/v1/groups", nil).get("count.value") != 1.0 {
		t.Errorf("got %s and %s", first.body, again.body)
	}
	define("Other").refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
}

func TestAGroupsHistory(t *testing.T) {
	w := start(t, options{idle: true})
	w.admin("POST", "/v1/groups", groupInput("Another", listed)).want(http.StatusCreated) // no matter
	path := "/v1/groups/" + w.admin("POST", "/v1/groups", groupInput("沉默客户", silent)).want(http.StatusCreated).get("id").(string)
	w.admin("PATCH", path, map[string]any{"rule": json.RawMessage(listed), "agent_visible": true}).want(http.StatusOK)
	w.admin("DELETE", path, nil).want(http.StatusNoContent)
	for language, want := range map[string][]string{
		"zh": {"删除了分组“沉默客户”。", "分组“沉默客户”的客服可见设为：是。", "修改了分组“沉默客户”的规则；第 2 版。", "创建了分组“沉默客户”；客服可见：否。"},
		"en": {"The group 沉默客户 was deleted.", "Whether agents see the group 沉默客户 was set to: yes.", "The rule of the group 沉默客户 was revised; revision 2.",
			"The group 沉默客户 was defined; visible to agents: no."},
	} {
		got := w.read("acme/admin", path+"/history", 0, language).want(http.StatusOK)
		for i, text := range want {
			if said := got.get(fmt.Sprintf("items.%d.text", i)); said != text {
				t.Errorf("event %d reads %q, want %q", i, said, text)
			}
		}
		rule := got.get("items.2.changes.0")
		if got.get("items.2.changes.0.field") != "rule" || got.get("items.2.changes.0.old") == nil || got.get("items.2.changes.0.new") == nil {
			t.Errorf("the change of the rule reads %v", rule)
		}
		if got.get("items.4") != nil {
			t.Errorf("there is more: %s", got.body)
		}
	}
	w.admin("GET", "/v1/groups/"+uuid.NewString()+"/history", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// Rules of the past are told although the fields and options that they speak of are gone.
func TestRulesOfThePastAreTold(t *testing.T) {
	w := start(t, options{idle: true})
	w.admin("POST", "/v1/fields", map[string]any{"key": "level", "label": "等级", "type": "select", "options": []map[string]string{{"label": "金"}, {"label": "银"}}}).
		want(http.StatusCreated)
	rule := `{"field":"custom.level","op":"in","value":["o1"]}`
	path := "/v1/groups/" + w.admin("POST", "/v1/groups", groupInput("Gold", rule)).want(http.StatusCreated).get("id").(string)
	w.admin("PATCH", path, map[string]any{"rule": json.RawMessage(listed)}).want(http.StatusOK)
	told := func() string {
		var told []string
		for _, item := range w.read("acme/admin", path+"/history", 0, "zh").lines() {
			told = append(told, changed(item))
		}
		return strings.Join(told, "; ")
	}
	before := told()
	if !strings.Contains(before, "等级") || !strings.Contains(before, "金") {
		t.Fatalf("the rules are told as %q", before)
	}
	w.admin("PATCH", "/v1/fields/level", map[string]any{"options": []map[string]string{{"id": "o2", "label": "银"}}}).want(http.StatusOK)
	if got := told(); got != before {
		t.Errorf("without the option the rules are told as %q, were %q", got, before)
	}
	w.admin("DELETE", "/v1/fields/level", nil).want(http.StatusNoContent)
	if got := told(); got != before {
		t.Errorf("without the field the rules are told as %q, were %q", got, before)
	}
	w.admin("POST", "/v1/groups/preview", map[string]any{"rule": json.RawMessage(rule)}).refused(http.StatusUnprocessableEntity, "VALIDATION", "rule.field")
}

// What is not understood might look for personal data.
func TestAStoredFilterThatIsNotUnderstoodIsMasked(t *testing.T) {
	for stored, sees := range map[string]string{`{"field":"custom.gone","op":"eq","value":"13800138000"}`: "", `{"field":"channel","op":"new"}`: `{"field":"channel","op":"new"}`} {
		v := vocabulary{log: slog.New(slog.DiscardHandler)}
		if shown, description := v.tell(json.RawMessage(stored)); string(shown) != sees || (description == mask) != (sees == "") {
			t.Errorf("%s is shown as %s, %q", stored, shown, description)
		}
	}
}

func TestAPreviewShowsWhoWouldBeInAGroup(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	var last reply
	for i := range 14 {
		body := map[string]any{"association_id": 1, "external_id": fmt.Sprint("visitor-", i)}
		if i%7 != 0 { // 12 of them
			body["tags"] = []string{vip}
		}
		last = w.admin("POST", "/v1/customers", body).want(http.StatusCreated)
	}
	preview := func(body any) reply {
		return w.do(call{as: "acme/admin", method: "POST", path: "/v1/groups/preview", body: body,
			headers: map[string]string{"X-After-Position": fmt.Sprint(last.position()), "Accept-Language": "en"}})
	}
	got := preview(map[string]any{"rule": hasTag(vip)}).want(http.StatusOK)
	var shown Preview
	got.into(&shown)
	if shown.Count.Value != 12 || !shown.Count.Exact || len(shown.Sample) != 10 || shown.Sample[0].ExternalID != "visitor-13" || shown.Enter != shown.Count ||
		shown.Leave.Value != 0 || !shown.Leave.Exact || !strings.Contains(shown.Description, "VIP") {
		t.Errorf("the preview is %s", got.body)
	}
	// Of a group it tells who would enter and who would leave.
	odd := w.defined("odd", `{"field":"external_id","op":"in","value":["visitor-0","visitor-1","visitor-2"]}`) // 0 has no tag
	preview(map[string]any{"rule": hasTag(vip)}).want(http.StatusOK).into(&shown)
	if len(shown.Entering) != 0 || len(shown.Leaving) != 0 {
		t.Errorf("without a group %d enter and %d leave", len(shown.Entering), len(shown.Leaving))
	}
	preview(map[string]any{"rule": hasTag(vip), "group_id": odd}).want(http.StatusOK).into(&shown)
	if shown.Enter.Value != 10 || shown.Leave.Value != 1 || len(shown.Entering) != 10 || shown.Entering[0].ExternalID != "visitor-13" ||
		len(shown.Leaving) != 1 || shown.Leaving[0].ExternalID != "visitor-0" {
		t.Errorf("%+v enter, %+v leave", shown.Entering, shown.Leaving)
	}
	head := w.head("acme")
	none := preview(map[string]any{"rule": json.RawMessage(`{"all":[` + string(hasTag(vip)) + `,` + listed + `]}`)}).want(http.StatusOK)
	if none.get("count.value") != 0.0 || none.get("sample.0") != nil {
		t.Errorf("the preview of nobody is %s", none.body)
	}
	preview(map[string]any{"rule": json.RawMessage(`{}`)}).refused(http.StatusUnprocessableEntity, "VALIDATION", "rule")
	preview(map[string]any{"rule": json.RawMessage(`{"all":[]}`)}).refused(http.StatusUnprocessableEntity, "VALIDATION", "rule.all")
	preview(map[string]any{"rule": json.RawMessage(`{"field":"groups","op":"is_empty"}`)}).refused(http.StatusUnprocessableEntity, "VALIDATION", "rule.field")
	preview(map[string]any{"rule": hasTag(uuid.NewString())}).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "rule.value[0]")
	preview(map[string]any{"rule": hasTag(vip), "group_id": uuid.NewString()}).refused(http.StatusUnprocessableEntity, "GROUP_UNKNOWN", "group_id")
	if after := w.head("acme"); after != head {
		t.Errorf("the log went from %d to %d", head, after)
	}
}
