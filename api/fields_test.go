package api

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// guarded sends a write with an If-Match.
func (w *world) guarded(method, path, etag string, body any) reply {
	w.t.Helper()
	return w.do(call{as: "acme/admin", method: method, path: path, body: body, headers: map[string]string{"If-Match": etag}})
}

// level adds a select of gold (o1), silver (o2) and bronze (o3).
func (w *world) level() reply {
	w.t.Helper()
	return w.admin("POST", "/v1/fields", `{"key":"level","type":"select","label":"等级","hint":"of service","options":[{"label":"gold"},{"label":"silver"},{"label":"bronze"}]}`).want(http.StatusCreated)
}

func TestFields(t *testing.T) {
	w := start(t, options{})
	before := w.admin("GET", "/v1/fields", nil).want(http.StatusOK)
	if before.get("count.value") != 9.0 || before.get("items.0.key") != "external_id" || before.get("items.0.system") != true || before.get("items.8.type") != "multiline" {
		t.Errorf("to begin with: %s", before.body)
	}
	if zh := w.read("acme/admin", "/v1/fields/nickname", 0, "zh").want(http.StatusOK); zh.get("label") != "昵称" || zh.get("shown") != true || zh.get("enabled") != true || zh.header.Get("ETag") != `"1"` {
		t.Errorf("nickname: %s", zh.body)
	}

	made := w.level()
	if made.get("key") != "level" || made.get("shown") != false || made.get("enabled") != true || made.get("options.1.id") != "o2" || made.get("options.1.label") != "silver" ||
		made.get("hint") != "of service" || made.header.Get("Location") != "/v1/fields/level" || made.header.Get("ETag") != `"1"` {
		t.Errorf("added: %s", made.body)
	}
	region := w.admin("POST", "/v1/fields", `{"type":"cascade","label":"Region","options":[{"label":"广东","options":[{"label":"深圳"},{"label":"广州"}]},{"label":"四川"}]}`).want(http.StatusCreated)
	if region.get("key") != "region" || region.get("options.0.options.1.id") != "o3" || region.get("options.1.id") != "o4" {
		t.Errorf("added: %s", region.body)
	}
	if all := w.admin("GET", "/v1/fields", nil).want(http.StatusOK); all.get("count.value") != 11.0 || all.get("items.9.key") != "level" || all.get("items.10.key") != "region" {
		t.Errorf("the list: %s", all.body)
	}

	changed := w.guarded("PATCH", "/v1/fields/level", `"1"`, `{"label":"级别","hint":"","shown":true,"options":[{"id":"o3","label":"bronze"},{"id":"o1","label":"Gold"},{"label":"tin"}]}`).want(http.StatusOK)
	if changed.get("label") != "级别" || changed.get("shown") != true || changed.get("hint") != "" || changed.get("options.0.id") != "o3" || changed.get("options.2.id") != "o4" ||
		changed.header.Get("ETag") != `"3"` {
		t.Errorf("changed: %s", changed.body)
	}
	w.guarded("PATCH", "/v1/fields/level", `"1"`, `{"label":"x"}`).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	if same := w.guarded("PATCH", "/v1/fields/level", `"3"`, `{"label":"级别"}`).want(http.StatusOK); same.header.Get("ETag") != `"3"` {
		t.Errorf("the same again: %s", same.header.Get("ETag"))
	}

	order := w.admin("GET", "/v1/fields/order", nil).want(http.StatusOK)
	if order.get("order.9") != "level" || order.header.Get("ETag") != `"3"` {
		t.Errorf("the order: %s", order.body)
	}
	turned := []string{"region", "level", "external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description"}
	moved := w.guarded("PUT", "/v1/fields/order", `"3"`, OrderInput{turned}).want(http.StatusOK)
	if moved.get("order.0") != "region" || moved.header.Get("ETag") != `"4"` {
		t.Errorf("moved: %s", moved.body)
	}
	w.guarded("PUT", "/v1/fields/order", `"3"`, OrderInput{turned}).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	w.admin("PUT", "/v1/fields/order", OrderInput{turned[1:]}).refused(http.StatusUnprocessableEntity, "VALIDATION", "order[10]")
	if all := w.admin("GET", "/v1/fields", nil).want(http.StatusOK); all.get("items.0.key") != "region" {
		t.Errorf("the list: %s", all.body)
	}

	w.guarded("DELETE", "/v1/fields/level", `"1"`, nil).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	w.guarded("DELETE", "/v1/fields/level", `"3"`, nil).want(http.StatusNoContent)
	w.admin("GET", "/v1/fields/level", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("DELETE", "/v1/fields/level", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("POST", "/v1/fields", `{"key":"level","type":"text","label":"级别"}`).refused(http.StatusConflict, "FIELD_EXISTS", "key")
}

func TestFieldsThatAreRefused(t *testing.T) {
	w := start(t, options{})
	w.level()
	for _, c := range []struct {
		method, path, body string
		status             int
		code, at           string
	}{
		{"POST", "", `{"type":"colour","label":"a"}`, 422, "VALIDATION", "type"},
		{"POST", "", `{"type":"text"}`, 422, "VALIDATION", "label"},
		{"POST", "", `{"type":"text","label":" "}`, 422, "VALIDATION", "label"},
		{"POST", "", `{"type":"text","label":"` + strings.Repeat("长", 51) + `"}`, 422, "VALIDATION", "label"},
		{"POST", "", `{"type":"text","label":"a","key":"A"}`, 422, "VALIDATION", "key"},
		{"POST", "", `{"type":"text","label":"a","key":"order"}`, 409, "FIELD_EXISTS", "key"},
		{"POST", "", `{"type":"text","label":"ＮＩＣＫＮＡＭＥ"}`, 409, "FIELD_EXISTS", "label"},
		{"POST", "", `{"type":"text","label":"等级"}`, 409, "FIELD_EXISTS", "label"},
		{"POST", "", `{"type":"select","label":"a"}`, 422, "VALIDATION", "options"},
		{"POST", "", `{"type":"number","label":"a","options":[{"label":"b"}]}`, 422, "VALIDATION", "options"},
		{"POST", "", `{"type":"select","label":"a","options":[{"label":"b"},{"label":"Ｂ"}]}`, 409, "FIELD_EXISTS", "options[1].label"},
		{"POST", "", `{"type":"select","label":"a","options":[{"label":"b"},{}]}`, 422, "VALIDATION", "options[1].label"},
		{"POST", "", `{"type":"select","label":"a","options":[{"label":"b","colour":1}]}`, 422, "VALIDATION", "options[0].colour"},
		{"POST", "", `{"type":"cascade","label":"a","options":[{"label":"b","options":[{"label":""}]}]}`, 422, "VALIDATION", "options[0].options[0].label"},
		{"PATCH", "/level", `{"options":[{"id":"o9","label":"gold"}]}`, 422, "VALIDATION", "options[0].id"},
		{"PATCH", "/level", `{"type":"text"}`, 422, "VALIDATION", "type"},
		{"PATCH", "/nickname", `{"shown":false}`, 422, "VALIDATION", "shown"},
		{"PATCH", "/phone", `{"enabled":false}`, 422, "VALIDATION", "enabled"},
		{"PATCH", "/phone", `{"label":"Telephone"}`, 422, "VALIDATION", "label"},
		{"PATCH", "/nothing", `{"shown":true}`, 404, "NOT_FOUND", ""},
		{"DELETE", "/phone", ``, 422, "VALIDATION", "field"},
		{"PUT", "/order", `{"order":["nothing"]}`, 422, "VALIDATION", "order[0]"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		w.admin(c.method, "/v1/fields"+c.path, body).refused(c.status, c.code, c.at)
	}
}

// What a group, a view or an auto message speaks of cannot go, and the answer lists them, also when the request is sent again.
func TestFieldsInUse(t *testing.T) {
	w := start(t, options{})
	w.level()
	group := w.admin("POST", "/v1/groups", `{"name":"silver ones","rule":{"field":"custom.level","op":"in","value":["o2"]}}`).want(http.StatusCreated).get("id")
	view := w.admin("POST", "/v1/views", `{"name":"mine","filter":{},"columns":["nickname","custom.level"]}`).want(http.StatusCreated).get("id")
	by := []any{map[string]any{"kind": "group", "id": group, "name": "silver ones"}, map[string]any{"kind": "view", "id": view, "name": "mine"}}
	for _, c := range []struct {
		method, body, at string
		users            []any
	}{
		{"DELETE", "", "", by},
		{"PATCH", `{"enabled":false}`, "enabled", by},
		{"PATCH", `{"label":"x","options":[{"id":"o1","label":"gold"},{"id":"o3","label":"bronze"}]}`, "options", by[:1]},
	} {
		for range 2 {
			again := call{as: "acme/admin", method: c.method, path: "/v1/fields/level", headers: map[string]string{"Idempotency-Key": "key-" + c.at}}
			if c.body != "" {
				again.body = c.body
			}
			answer := w.do(again)
			answer.refused(http.StatusConflict, "FIELD_IN_USE", c.at)
			if got := answer.get("used_by"); !reflect.DeepEqual(got, c.users) {
				t.Errorf("%s %s: used by %v, want %v", c.method, c.body, got, c.users)
			}
		}
	}
	w.admin("PATCH", "/v1/fields/level", `{"shown":true,"options":[{"id":"o1","label":"gold"},{"id":"o2","label":"silver"}]}`).want(http.StatusOK)
	w.admin("DELETE", "/v1/groups/"+group.(string), nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/views/"+view.(string), nil).want(http.StatusNoContent)
	w.admin("DELETE", "/v1/fields/level", nil).want(http.StatusNoContent)
}

// A repeated request adds one field.
func TestFieldsAreAddedOnce(t *testing.T) {
	w := start(t, options{})
	once := call{as: "acme/admin", method: "POST", path: "/v1/fields", body: `{"type":"text","label":"尺码"}`, headers: map[string]string{"Idempotency-Key": "one"}}
	first, again := w.do(once).want(http.StatusCreated), w.do(once).want(http.StatusCreated)
	if first.get("key") != "field" || again.get("key") != "field" || first.position() != again.position() {
		t.Errorf("%s, then %s", first.body, again.body)
	}
	once.body = `{"type":"text","label":"鞋码"}`
	w.do(once).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
	w.admin("DELETE", "/v1/fields/field", nil).want(http.StatusNoContent)
	once.body = `{"type":"text","label":"尺码"}`
	if late := w.do(once).want(http.StatusCreated); late.get("key") != "field" {
		t.Errorf("repeated after the removal: %s", late.body)
	}
}

func TestCustomValues(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.level()
	for _, body := range []string{
		`{"key":"size","type":"text","label":"Size"}`, `{"key":"note","type":"multiline","label":"Note"}`, `{"key":"age","type":"number","label":"Age"}`,
		`{"key":"born","type":"date","label":"Born"}`, `{"key":"likes","type":"multi_select","label":"Likes","options":[{"label":"tea"},{"label":"silk"}]}`,
		`{"key":"region","type":"cascade","label":"Region","options":[{"label":"广东","options":[{"label":"深圳"}]}]}`,
	} {
		w.admin("POST", "/v1/fields", body).want(http.StatusCreated)
	}
	for value, at := range map[string]string{
		`{"level":"gold"}`: "profile.custom.level", `{"age":"old"}`: "profile.custom.age", `{"age":12345678901234567}`: "profile.custom.age",
		`{"born":"2026-02-30"}`: "profile.custom.born", `{"likes":["o1","o9"]}`: "profile.custom.likes", `{"likes":"o1"}`: "profile.custom.likes",
		`{"region":["o2"]}`: "profile.custom.region", `{"size":5}`: "profile.custom.size", `{"size":"` + strings.Repeat("长", 257) + `"}`: "profile.custom.size",
		`{"shoe":"42"}`: "profile.custom.shoe", `{"phone":"138"}`: "profile.custom.phone", `{"王":1}`: "profile.custom", `[]`: "profile.custom", `"x"`: "profile.custom",
	} {
		w.admin("POST", "/v1/customers", `{"association_id":2,"external_id":"x","profile":{"custom":`+value+`}}`).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	made := w.admin("POST", "/v1/customers", `{"association_id":2,"external_id":"x","profile":{"name":"王明","custom":{"level":"o1","size":" L ","note":"a\r\nb","age":9999999999999999,`+
		`"born":"1990-02-28","likes":["o2","o1"],"region":["o1","o2"]}}}`).want(http.StatusCreated)
	custom := func(r reply) map[string]any {
		t.Helper()
		return r.get("profile.custom").(map[string]any)
	}
	want := map[string]any{"level": "o1", "size": "L", "note": "a\nb", "age": "9999999999999999", "born": "1990-02-28", "likes": []any{"o1", "o2"}, "region": []any{"o1", "o2"}}
	if got := custom(made); !reflect.DeepEqual(got, want) {
		t.Errorf("created with %v", got)
	}
	path := "/v1/customers/" + made.get("id").(string)
	w.admin("PATCH", path, `{"profile":{"name":"x","custom":{"level":"o9"}}}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "profile.custom.level")
	w.admin("PATCH", path, `{"profile":{"custom":"o1"}}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "profile.custom")
	edited := w.guarded("PATCH", path, made.header.Get("ETag"), `{"profile":{"name":"王小明","custom":{"level":"o2","note":null,"size":"","likes":[]}}}`).want(http.StatusOK)
	want = map[string]any{"level": "o2", "age": "9999999999999999", "born": "1990-02-28", "region": []any{"o1", "o2"}}
	if got := custom(edited); !reflect.DeepEqual(got, want) || edited.get("profile.name") != "王小明" {
		t.Errorf("edited: %s", edited.body)
	}
	same := w.admin("PATCH", path, `{"profile":{"custom":{"level":"o2","age":"9999999999999999.0"}}}`).want(http.StatusOK)
	if same.header.Get("ETag") != edited.header.Get("ETag") {
		t.Errorf("the same again made it %s", same.header.Get("ETag"))
	}

	// What happened is told in the words of the fields, also after they have gone.
	w.admin("PATCH", "/v1/fields/level", `{"options":[{"id":"o1","label":"gold"}]}`).want(http.StatusOK)
	w.admin("PATCH", "/v1/fields/age", `{"enabled":false}`).want(http.StatusOK)
	position := w.admin("DELETE", "/v1/fields/region", nil).want(http.StatusNoContent).position()
	if got := custom(w.read("acme/admin", path, position, "en").want(http.StatusOK)); !reflect.DeepEqual(got, map[string]any{"born": "1990-02-28"}) {
		t.Errorf("shown is %v", got)
	}
	w.admin("PATCH", path, `{"profile":{"custom":{"age":5}}}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "profile.custom.age")
	w.admin("PATCH", path, `{"profile":{"custom":{"region":["o1"]}}}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "profile.custom.region")
	history := w.read("acme/admin", path+"/history", position, "zh").want(http.StatusOK)
	if got := string(history.body); !strings.Contains(got, "等级：gold → silver") || !strings.Contains(got, `"new":"广东 / 深圳"`) || !strings.Contains(got, `"label":"Likes"`) || !strings.Contains(got, `"new":"tea、silk"`) {
		t.Errorf("the history: %s", got)
	}
	position = w.admin("PATCH", "/v1/fields/age", `{"enabled":true}`).want(http.StatusOK).position()
	if got := custom(w.read("acme/admin", path, position, "en").want(http.StatusOK)); !reflect.DeepEqual(got, map[string]any{"born": "1990-02-28", "age": "9999999999999999"}) {
		t.Errorf("shown is %v", got)
	}
}

// Customers are found by their custom values, as long as the field is there and enabled.
func TestCustomValuesAreFilteredBy(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.level()
	for _, body := range []string{
		`{"key":"size","type":"text","label":"Size"}`, `{"key":"age","type":"number","label":"Age"}`, `{"key":"born","type":"date","label":"Born"}`,
		`{"key":"likes","type":"multi_select","label":"Likes","options":[{"label":"tea"},{"label":"silk"}]}`,
		`{"key":"region","type":"cascade","label":"Region","options":[{"label":"广东","options":[{"label":"深圳"},{"label":"广州"}]}]}`,
	} {
		w.admin("POST", "/v1/fields", body).want(http.StatusCreated)
	}
	create := func(name, custom string) reply {
		return w.admin("POST", "/v1/customers", `{"association_id":2,"external_id":"`+name+`","profile":{"custom":`+custom+`}}`).want(http.StatusCreated)
	}
	create("one", `{"level":"o1","size":"ＡＢＣ","age":"9","born":"1990-02-28","likes":["o1","o2"],"region":["o1","o2"]}`)
	create("two", `{"level":"o2","size":"x","age":10.5,"born":"1991-01-01","likes":["o2"],"region":["o1"]}`)
	create("three", `{}`)
	last := w.admin("PATCH", "/v1/customers/"+create("four", `{"level":"o1","age":1}`).get("id").(string), `{"profile":{"custom":{"level":"o3","age":-7}}}`).want(http.StatusOK).position()

	list := func(condition string) reply {
		t.Helper()
		return w.read("acme/admin", "/v1/customers?sort=created_at&filter="+url.QueryEscape(condition), last, "en")
	}
	for condition, want := range map[string]string{
		`{"field":"custom.level","op":"in","value":["o1","o3"]}`:                                        "one four",
		`{"field":"custom.level","op":"not_in","value":["o1"],"unset":true}`:                            "two three four",
		`{"field":"custom.level","op":"not_set"}`:                                                       "three",
		`{"field":"\u0063ustom\u002elevel","op":"in","value":["o2"]}`:                                   "two", // as JSON may be written, too
		`{"field":"custom.size","op":"contains","value":"bc"}`:                                          "one",
		`{"field":"custom.size","op":"is_set"}`:                                                         "one two",
		`{"field":"custom.age","op":"gte","value":9}`:                                                   "one two",
		`{"field":"custom.age","op":"between","value":[-7,9]}`:                                          "one four",
		`{"field":"custom.age","op":"eq","value":10.50}`:                                                "two",
		`{"field":"custom.born","op":"before","value":"1990-06-01T00:00:00+08:00"}`:                     "one",
		`{"field":"custom.likes","op":"in","value":["o2"]}`:                                             "one two",
		`{"field":"custom.region","op":"in","value":["o2"]}`:                                            "one",
		`{"field":"custom.region","op":"in","value":["o1"]}`:                                            "one two",
		`{"not":{"any":[{"field":"custom.age","op":"is_set"},{"field":"custom.level","op":"is_set"}]}}`: "three",
	} {
		answer := list(condition).want(http.StatusOK)
		var names []string
		for _, item := range answer.get("items").([]any) {
			names = append(names, item.(map[string]any)["external_id"].(string))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s finds %q, want %q", condition, got, want)
		}
	}
	list(`{"field":"custom.level","op":"in","value":["gold"]}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "filter.value[0]")
	list(`{"field":"custom.shoe","op":"is_set"}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "filter.field")
	w.admin("PATCH", "/v1/fields/size", `{"enabled":false}`).want(http.StatusOK)
	list(`{"field":"custom.size","op":"is_set"}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "filter.field")
}

// A channel tells values of custom fields too. What is wrong is refused at its place; of fields that are not there nothing is taken.
func TestCustomValuesOfAChannel(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.level()
	send := func(id, custom string) reply {
		t.Helper()
		return w.channel(`{"specversion":"1.0","id":"` + id + `","source":"/test","type":"message.received","data":{"external_id":"` + id + `","profile":{"custom":` + custom + `},` +
			`"message":{"id":"` + id + `","kind":"text","text":"在吗"}}}`)
	}
	taken := send("m1", `{"level":"o1","shoe":"42"}`).want(http.StatusOK)
	got := w.read("acme/admin", "/v1/customers/"+taken.get("customer_id").(string), taken.position(), "en").want(http.StatusOK)
	if got := got.get("profile.custom"); !reflect.DeepEqual(got, map[string]any{"level": "o1"}) {
		t.Errorf("the customer has %v", got)
	}
	for custom, at := range map[string]string{`{"level":"gold"}`: "data.profile.custom.level", `[]`: "data.profile.custom"} {
		answer := send("m2"+at, custom)
		if !strings.Contains(string(answer.body), `"`+at+`"`) || !strings.Contains(string(answer.body), "VALIDATION") {
			t.Errorf("%s: %d %s", custom, answer.status, answer.body)
		}
	}
}

func TestFieldHistory(t *testing.T) {
	w := start(t, options{})
	w.level()
	w.admin("PATCH", "/v1/fields/level", `{"label":"级别","shown":true,"enabled":false,"options":[{"id":"o1","label":"gold"},{"label":"tin"}]}`).want(http.StatusOK)
	w.admin("PATCH", "/v1/fields/qq", `{"shown":false}`).want(http.StatusOK)
	w.admin("PUT", "/v1/fields/order", `{"order":["level","external_id","nickname","name","phone","qq","wechat_id","email","company","description"]}`).want(http.StatusOK)
	w.admin("DELETE", "/v1/fields/level", nil).want(http.StatusNoContent)
	history := w.read("acme/admin", "/v1/fields/level/history", 0, "en").want(http.StatusOK)
	for i, want := range []struct{ event, field, was, is string }{
		{"field.removed", "removed", "no", "yes"}, {"field.reordered", "order", "10", "1"}, {"field.disabled", "enabled", "yes", "no"},
		{"field.shown", "shown", "no", "yes"}, {"field.changed", "label", "等级", "级别"}, {"field.added", "type", "", "select"},
	} {
		item := history.get("items").([]any)[i].(map[string]any)
		change := item["changes"].([]any)[0].(map[string]any)
		was, _ := change["old"].(string)
		if item["type"] != want.event || change["field"] != want.field || was != want.was || change["new"] != want.is {
			t.Errorf("%d: %v, want %v", i, item, want)
		}
	}
	if got := string(history.body); !strings.Contains(got, `"old":"gold, silver, bronze","new":"gold, tin"`) || !strings.Contains(got, "The field 级别 was removed.") {
		t.Errorf("the history: %s", got)
	}
	if zh := w.read("acme/admin", "/v1/fields/qq/history", 0, "zh").want(http.StatusOK); !strings.Contains(string(zh.body), "隐藏了字段“QQ”。") {
		t.Errorf("the history of qq: %s", zh.body)
	}
	if none := w.admin("GET", "/v1/fields/phone/history", nil).want(http.StatusOK); none.get("items.0") == nil {
		t.Errorf("phone was moved: %s", none.body)
	}
	w.admin("GET", "/v1/fields/nothing/history", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}
