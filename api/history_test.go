package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"customercenter/api/access"
)

// read asks for a path with the position to wait for, in a language.
func (w *world) read(as, path string, after int64, language string) reply {
	w.t.Helper()
	return w.do(call{as: as, method: "GET", path: path, headers: map[string]string{
		"X-After-Position": fmt.Sprint(after), "Accept-Language": language}})
}

// lines are the items of a history.
func (r reply) lines() []HistoryItem {
	r.t.Helper()
	var page List[HistoryItem]
	if err := json.Unmarshal(r.want(http.StatusOK).body, &page); err != nil {
		r.t.Fatal(err)
	}
	return page.Items
}

func texts(items []HistoryItem) (texts []string) {
	for _, i := range items {
		texts = append(texts, i.Text)
	}
	return texts
}

// changed tells the changes of an item as "label: old → new".
func changed(i HistoryItem) string {
	var parts []string
	show := func(s *string) string {
		if s == nil {
			return "–"
		}
		return *s
	}
	for _, c := range i.Changes {
		parts = append(parts, c.Label+": "+show(c.Old)+" → "+show(c.New))
	}
	return strings.Join(parts, "; ")
}

func same(t *testing.T, what string, have, want []string) {
	t.Helper()
	if !slices.Equal(have, want) {
		t.Errorf("%s:\nhave\n  %s\nwant\n  %s", what, strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestCustomerHistoryInWords(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 2, "external_id": "visitor_1", "nickname": "小王", "tags": []string{vip}}).want(http.StatusCreated)
	path := "/v1/customers/" + made.get("id").(string)
	edited := w.do(call{as: "acme/admin", method: "PATCH", path: path, body: `{"profile":{"phone":"13800000001","name":"王小明"}}`,
		headers: map[string]string{"X-Request-Id": "req-77"}}).want(http.StatusOK)
	w.admin("DELETE", path+"/tags/"+vip, nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/tags/"+vip, nil).want(http.StatusNoContent)
	last := w.admin("PATCH", path, map[string]any{"profile": map[string]any{"phone": nil}}).want(http.StatusOK).position()

	english := w.read("acme/admin", path+"/history", last, "en").lines()
	same(t, "English", texts(english), []string{
		"The profile was changed: phone: 13800000001 → not set.",
		"The tag VIP was taken off.",
		"The profile was changed: name: not set → 王小明; phone: not set → 13800000001.",
		"The customer visitor_1 was created: added by hand or API, channel app, association App (2).",
	})
	chinese := w.read("acme/admin", path+"/history", last, "zh-CN").lines()
	same(t, "Chinese", texts(chinese), []string{
		"修改了客户资料：手机：13800000001 → 未设置。",
		"移除了标签“VIP”。",
		"修改了客户资料：名字：未设置 → 王小明；手机：未设置 → 13800000001。",
		"创建了客户 visitor_1：手动或接口添加，渠道：APP，关联：App (2)。",
	})
	same(t, "changes", []string{changed(english[0]), changed(english[1]), changed(english[2]), changed(english[3])}, []string{
		"phone: 13800000001 → –", "tags: VIP → –", "name: – → 王小明; phone: – → 13800000001", "ID: – → visitor_1; nickname: – → 小王; tags: – → VIP",
	})
	second := english[2]
	if second.Position != edited.position() || second.Type != "customer.profile_changed" || second.Actor != (HistoryActor{"admin", "admin-1", "admin"}) ||
		second.From != (HistorySource{"request", "req-77", "request req-77"}) || second.At.IsZero() || second.OccurredAt != nil || second.Erased {
		t.Errorf("who, when and from where: %+v", second)
	}

	// Who may not see personal data sees that there was some, in text and changes alike.
	masked := w.read("acme/analyst", path+"/history", last, "en")
	for _, secret := range []string{"13800000001", "王小明", "小王", "visitor_1"} {
		if strings.Contains(string(masked.body), secret) {
			t.Errorf("an analyst sees %s in %s", secret, masked.body)
		}
	}
	if got, want := masked.lines()[0].Text, "The profile was changed: phone: *** → not set."; got != want {
		t.Errorf("masked: %q, want %q", got, want)
	}
	open := w.token(access.New{Tenant: "acme", Role: access.Analyst, Actor: "analyst-2", Name: "may see", Personal: true})
	if got := w.read(open, path+"/history", last, "en").lines()[0].Text; got != english[0].Text {
		t.Errorf("an analyst who may: %q", got)
	}

	// Pages and types.
	page := w.read("acme/admin", path+"/history?limit=3", last, "en").want(http.StatusOK)
	rest := w.read("acme/admin", path+"/history?limit=3&cursor="+page.get("next").(string), last, "en").want(http.StatusOK)
	same(t, "pages", texts(append(page.lines(), rest.lines()...)), texts(english))
	if rest.get("next") != nil {
		t.Errorf("there is no third page: %s", rest.body)
	}
	same(t, "types", texts(w.read("acme/admin", path+"/history?type=customer.untagged,customer.tagged", last, "en").lines()), []string{english[1].Text})
	w.admin("GET", path+"/history?type=customer.flew", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.type")
	w.admin("GET", path+"/history?cursor=x", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
	w.do(call{as: "other/admin", method: "GET", path: path + "/history"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.do(call{as: "acme/agent", method: "GET", path: path + "/history"}).refused(http.StatusForbidden, "FORBIDDEN", "")

	// When the customer's key is gone, nothing personal is left, and the history says so.
	if _, err := w.store.Pool().Exec(t.Context(), `delete from customer_keys`); err != nil {
		t.Fatal(err)
	}
	elsewhere := another(t, w, options{idle: true}) // without the key in memory
	gone := elsewhere.read("acme/admin", path+"/history", last, "en")
	if lines := gone.lines(); len(lines) != 4 || !lines[0].Erased || lines[0].Text != "The profile was changed: erased." || len(lines[0].Changes) != 0 || lines[1].Erased {
		t.Errorf("erased: %s", gone.body)
	}
}

func TestHistoryOfWhatChannelsTell(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.admin("PATCH", "/v1/settings", map[string]any{"time_zone": "Asia/Tokyo"}).want(http.StatusOK)
	told := []string{
		`{"specversion":"1.0","id":"e1","source":"test","type":"message.received","time":"2026-11-03T09:30:00Z","data":{"external_id":"visitor_1","nickname":"小王","message":{"id":"m1","kind":"text","text":"你好"}}}`,
		`{"specversion":"1.0","id":"e2","source":"test","type":"session.accepted","time":"2026-11-03T09:31:00Z","data":{"external_id":"visitor_1","agent":"agent-1"}}`,
		`{"specversion":"1.0","id":"e3","source":"test","type":"session.closed","time":"2026-11-03T09:32:00Z","data":{"external_id":"visitor_1","by":"agent","cause":"done"}}`,
		`{"specversion":"1.0","id":"e4","source":"test","type":"session.rated","time":"2026-11-03T09:33:00Z","data":{"external_id":"visitor_1","score":5,"comment":"谢谢"}}`,
	}
	var last int64
	for _, event := range told {
		answer := w.do(call{as: "acme/channel", method: "POST", path: "/v1/channels/1/events", body: event,
			headers: map[string]string{"Content-Type": "application/cloudevents+json"}}).want(http.StatusOK)
		last = answer.position()
	}
	list := w.read("acme/admin", "/v1/customers?filter={}", last, "en").want(http.StatusOK)
	path := "/v1/customers/" + list.get("items.0.id").(string)
	history := w.read("acme/admin", path+"/history", last, "zh").lines()
	have := texts(history)
	slices.Sort(have) // what was appended at once has an order of its own
	want := []string{
		"客户 发送了文本消息：你好",
		"客户评价了会话：5 分（满分 5 分）；原因：未设置；留言：谢谢。",
		"创建了客户 visitor_1：主动来访，渠道：网页，关联：Shop (1)。",
		"会话开始；渠道：网页，发起方：客户，回呼：否。",
		"开启了会话，发起方：客户。",
		"客服 agent-1 接起了会话。",
		"会话被关闭，操作方：客服；原因：done。",
		"会话结束；客户最后一条消息：2026-11-03 18:30:00。",
	}
	slices.Sort(want)
	same(t, "Chinese", have, want)
	first := history[0]
	if first.Type != "session.rated" || first.SessionID == nil || first.OccurredAt == nil || first.From.Kind != "channel_event" || first.Actor.Kind != "channel" ||
		first.Actor.Label != "渠道" || !strings.HasPrefix(first.From.Text, "渠道事件 ") {
		t.Errorf("the rating: %+v", first)
	}
	accepted := w.read("acme/admin", path+"/history?type=session.accepted", last, "en").lines()
	if len(accepted) != 1 || changed(accepted[0]) != "agent: – → agent-1" {
		t.Errorf("accepted: %+v", accepted)
	}

	// An agent who is let in sees what was changed of the customer, and not what was said.
	last = w.admin("PATCH", "/v1/settings", map[string]any{"agent_access": map[string]any{"customer_center": true}}).want(http.StatusOK).position()
	for _, item := range w.read("acme/agent", path+"/history", last, "en").lines() {
		if !strings.HasPrefix(item.Type, "customer.") {
			t.Errorf("an agent sees %s", item.Text)
		}
	}
}

func TestSettingsHistory(t *testing.T) {
	w := start(t, options{})
	if got := w.admin("GET", "/v1/settings/history", nil).lines(); len(got) != 0 {
		t.Errorf("at first %+v", got)
	}
	for _, change := range []map[string]any{
		{"time_zone": "Europe/Berlin"}, {"week_start": "sunday"}, {"agent_access": map[string]any{"blacklist": true}},
		{"order_link": "https://shop.example/{external_id}"}, {"order_link": ""},
	} {
		w.admin("PATCH", "/v1/settings", change).want(http.StatusOK)
	}
	all := w.read("acme/admin", "/v1/settings/history", 0, "en").lines()
	same(t, "texts", texts(all), []string{
		"The template of the order link was set to not set.",
		"The template of the order link was set to https://shop.example/{external_id}.",
		"What agents may do was set: customer center not allowed, blacklist allowed.",
		"The first day of the week was set to Sunday.",
		"The time zone was set to Europe/Berlin.",
	})
	var changes []string
	for _, item := range all {
		changes = append(changes, changed(item))
		if item.Actor.ID != "admin-1" || item.From.Kind != "request" || item.From.ID == "" {
			t.Errorf("who and from where: %+v", item)
		}
	}
	same(t, "changes", changes, []string{
		"order link: https://shop.example/{external_id} → –", "order link: – → https://shop.example/{external_id}",
		"blacklist for agents: not allowed → allowed", "first day of the week: Monday → Sunday", "time zone: Asia/Shanghai → Europe/Berlin",
	})
	chinese := w.read("acme/admin", "/v1/settings/history?limit=2&type=settings.week_start_set,settings.time_zone_set", 0, "zh").lines()
	same(t, "Chinese", texts(chinese), []string{"每周第一天设为星期日。", "时区设为 Europe/Berlin。"})
}

func TestCatalogueHistories(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	w.admin("POST", "/v1/tags", TagInput{"other"}).want(http.StatusCreated)
	w.admin("PATCH", "/v1/tags/"+id, TagInput{"SVIP"}).want(http.StatusOK)
	w.admin("DELETE", "/v1/tags/"+id, nil).want(http.StatusNoContent)
	tags := w.read("acme/admin", "/v1/tags/"+id+"/history", 0, "en").lines()
	same(t, "tag", texts(tags), []string{"The tag SVIP was deleted.", "The tag was renamed to SVIP.", "The tag VIP was created."})
	if got, want := changed(tags[1]), "name of the tag: VIP → SVIP"; got != want {
		t.Errorf("renamed: %q, want %q", got, want)
	}
	w.admin("GET", "/v1/tags/0192f0c1-7c1e-7000-8000-000000000000/history", nil).refused(http.StatusNotFound, "NOT_FOUND", "")

	w.admin("PATCH", "/v1/associations/2", NameInput{"Our app"}).want(http.StatusOK)
	w.admin("DELETE", "/v1/associations/2", nil).want(http.StatusNoContent)
	history := w.read("acme/admin", "/v1/associations/2/history", 0, "en").lines()
	if len(history) < 3 || history[0].Text != "The association Our app (2) was disconnected." || changed(history[0]) != "disconnected: – → yes" ||
		history[1].Text != "The association App (2) was renamed to Our app." || changed(history[1]) != "name of the association: App → Our app" {
		t.Errorf("association: %v", texts(history))
	}
	w.admin("GET", "/v1/associations/99/history", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// A customer who was created with several tags, of which some were deleted since: none of them is told by its id.
func TestHistoryNamesDeletedTagsAmongOthers(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	stays := w.admin("POST", "/v1/tags", TagInput{"stays"}).want(http.StatusCreated).get("id").(string)
	goes := w.admin("POST", "/v1/tags", TagInput{"goes"}).want(http.StatusCreated).get("id").(string)
	made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 2, "external_id": "visitor_1", "tags": []string{stays, goes}}).want(http.StatusCreated)
	w.admin("DELETE", "/v1/tags/"+goes, nil).want(http.StatusNoContent)
	lines := w.read("acme/admin", "/v1/customers/"+made.get("id").(string)+"/history", made.position(), "en").lines()
	if got := changed(lines[0]); !strings.HasSuffix(got, "tags: – → stays, goes") && !strings.HasSuffix(got, "tags: – → goes, stays") {
		t.Errorf("created: %s", got)
	}
}
