package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/eventstore"
)

// autoMessage is an auto message to be defined.
func autoMessage(name, audience string) map[string]any {
	return map[string]any{"name": name, "text": "您好\n再见", "audience": json.RawMessage(audience)}
}

// sends decides that a customer gets an auto message, as the policy does, and returns the id under which the channel gets it.
func (w *world) sends(autoMessage, customer string) string {
	w.t.Helper()
	by := commands.By{Tenant: "acme", Actor: eventstore.Actor{Kind: "policy", ID: "address-auto-messages"}}
	id, whom := uuid.MustParse(autoMessage), uuid.MustParse(customer)
	done, err := commands.SendAutoMessage{AutoMessage: id, Customers: []uuid.UUID{whom}}.Run(w.t.Context(), w.center, by)
	if err != nil || done.Recipients != 1 {
		w.t.Fatalf("sent to %d, %v", done.Recipients, err)
	}
	return automessage.RecipientID(id, whom, 1).String()
}

func TestAnAutoMessagesLife(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	var people []string
	for i := range 3 {
		people = append(people, w.customer("acme/admin", fmt.Sprint("visitor-", i), "x"))
	}
	w.admin("PUT", "/v1/customers/"+people[2]+"/blacklist", map[string]any{"reason": "骚扰"}).want(http.StatusOK)
	made := w.admin("POST", "/v1/auto-messages", autoMessage(" 双十一 ", `{"filter":{"field":"channel","op":"in","value":["web"]}}`)).want(http.StatusCreated)
	id := made.get("id").(string)
	path := "/v1/auto-messages/" + id
	if made.header.Get("Location") != path || made.header.Get("ETag") != `"1"` || made.get("name") != "双十一" || made.get("status") != "draft" ||
		made.get("rate") != 600.0 || made.get("text") != "您好\n再见" || made.get("counts.sent") != 0.0 || made.get("audience.filter.field") != "channel" ||
		made.get("audience.listed") != 0.0 || made.get("started_at") != nil {
		t.Errorf("defined: %v %s", made.header, made.body)
	}
	w.seen(made.position())
	for language, want := range map[string]string{"en": "channel", "zh": "渠道"} {
		shown := w.read("acme/admin", path, made.position(), language).want(http.StatusOK)
		if words, _ := shown.get("description").(string); !strings.Contains(words, want) {
			t.Errorf("the audience in words: %q", words)
		}
		if shown.get("counts.audience.value") != 2.0 || shown.get("counts.audience.exact") != true { // but the one on the blacklist
			t.Errorf("the audience of a draft: %s", shown.body)
		}
	}

	guarded := func(method, path, etag string, body any) reply {
		return w.do(call{as: "acme/admin", method: method, path: path, body: body, headers: map[string]string{"If-Match": etag}})
	}
	changed := guarded("PATCH", path, `"1"`, map[string]any{"text": "您好", "rate": 1200}).want(http.StatusOK)
	if changed.get("text") != "您好" || changed.get("rate") != 1200.0 || changed.get("name") != "双十一" || changed.header.Get("ETag") != `"2"` {
		t.Errorf("changed: %s", changed.body)
	}
	for _, c := range []struct{ method, path string }{{"PATCH", path}, {"POST", path + "/start"}, {"POST", path + "/stop"}, {"DELETE", path}} {
		body := any(nil)
		if c.method == "PATCH" {
			body = map[string]any{"rate": 1}
		}
		guarded(c.method, c.path, `"1"`, body).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	}
	started := guarded("POST", path+"/start", `"2"`, nil).want(http.StatusOK)
	if started.get("status") != "running" || started.get("started_at") == nil {
		t.Errorf("started: %s", started.body)
	}
	w.admin("PATCH", path, map[string]any{"text": "x"}).refused(http.StatusConflict, "AUTO_MESSAGE_STARTED", "text")
	w.admin("PATCH", path, map[string]any{"audience": json.RawMessage(`{"filter":{}}`)}).refused(http.StatusConflict, "AUTO_MESSAGE_STARTED", "audience")
	w.admin("DELETE", path, nil).refused(http.StatusConflict, "AUTO_MESSAGE_RUNNING", "")

	// It goes out, and the channel reports on it, in any order and more than once.
	first, second := w.sends(id, people[0]), w.sends(id, people[1])
	for i, report := range []struct{ kind, message string }{
		{"message.read", first}, {"message.delivered", first}, {"message.delivered", first}, {"message.delivered", second},
		{"message.delivered", uuid.NewString()}, {"message.read", uuid.NewSHA1(uuid.Nil, []byte("x")).String()}, {"message.read", "m-1"},
	} {
		got := w.channel(event(fmt.Sprint("report-", i), report.kind, map[string]any{"external_id": "whoever", "message": map[string]any{"id": report.message}})).want(http.StatusOK)
		if got.get("status") != "accepted" {
			t.Errorf("%v: %s", report, got.body)
		}
	}
	last := w.head("acme")
	w.seen(last)
	shown := w.read("acme/admin", path, last, "en").want(http.StatusOK)
	if shown.get("counts.sent") != 2.0 || shown.get("counts.delivered") != 2.0 || shown.get("counts.read") != 1.0 || shown.get("counts.replied") != 0.0 || shown.get("counts.withheld") != 0.0 {
		t.Errorf("counts: %s", shown.body)
	}
	page := w.read("acme/admin", path+"/recipients?limit=1", last, "en").want(http.StatusOK)
	if page.get("items.0.customer_id") != people[1] || page.get("items.0.external_id") != "visitor-1" || page.get("items.0.nickname") != "x" || page.get("items.0.read_at") != nil || page.get("items.1") != nil || page.get("count.value") != 2.0 {
		t.Errorf("recipients: %s", page.body)
	}
	next := w.read("acme/admin", path+"/recipients?limit=1&cursor="+page.get("next").(string), last, "en").want(http.StatusOK)
	if next.get("items.0.customer_id") != people[0] || next.get("items.0.read_at") == nil || next.get("next") != nil {
		t.Errorf("the next page: %s", next.body)
	}
	w.admin("GET", path+"/recipients?cursor=nonsense", nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")

	// The customer's history tells it.
	history := w.read("acme/admin", "/v1/customers/"+people[0]+"/history", last, "zh").want(http.StatusOK)
	var told []string
	for i := range 3 {
		text, _ := history.get(fmt.Sprintf("items.%d.text", i)).(string)
		told = append(told, text)
	}
	if want := []string{"自动消息“双十一”已送达。", "自动消息“双十一”已读。", "发送了自动消息“双十一”。"}; fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("the history tells %q, want %q", told, want)
	}

	stopped := w.admin("POST", path+"/stop", nil).want(http.StatusOK)
	if stopped.get("status") != "stopped" {
		t.Errorf("stopped: %s", stopped.body)
	}
	if again := w.admin("POST", path+"/stop", nil).want(http.StatusOK); again.header.Get("ETag") != stopped.header.Get("ETag") {
		t.Errorf("stopped again: %s", again.body)
	}
	w.admin("DELETE", path, nil).want(http.StatusNoContent)
	w.admin("GET", path, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", path+"/recipients", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	for _, c := range []string{"/start", "/stop"} {
		w.admin("POST", path+c, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	}
	if list := w.admin("GET", "/v1/auto-messages", nil).want(http.StatusOK); list.get("count.value") != 0.0 {
		t.Errorf("the list is %s", list.body)
	}
}

// A tag on which the audience of a running auto message depends does not go, and who deletes it is told which auto message that is. One that names a tag that
// is gone says so, counts nobody by it, and is not started.
func TestAnAudienceThatNamesADeletedTag(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.customer("acme/admin", "visitor", "x")
	tag := w.admin("POST", "/v1/tags", TagInput{"勿扰"}).want(http.StatusCreated).get("id").(string)
	group := w.admin("POST", "/v1/groups", groupInput("to be spared", `{"field":"tags","op":"has_any","value":["`+tag+`"]}`)).want(http.StatusCreated).get("id").(string)
	made := w.admin("POST", "/v1/auto-messages", autoMessage("双十一", `{"filter":{"all":[{"field":"tags","op":"has_none","value":["`+tag+`"]},{"field":"groups","op":"has_none","value":["`+group+`"]}]}}`)).want(http.StatusCreated)
	path := "/v1/auto-messages/" + made.get("id").(string)
	w.admin("POST", path+"/start", nil).want(http.StatusOK)
	uses := []any{map[string]any{"kind": "auto_message", "id": made.get("id"), "name": "双十一"}}
	for what, code := range map[string]string{"/v1/tags/" + tag: "TAG_IN_USE", "/v1/groups/" + group: "GROUP_IN_USE"} {
		got := w.admin("DELETE", what, nil)
		if got.refused(http.StatusConflict, code, ""); !reflect.DeepEqual(got.get("used_by"), uses) {
			t.Errorf("%s is used by %v", what, got.get("used_by"))
		}
	}
	w.admin("POST", path+"/stop", nil).want(http.StatusOK)
	if shown := w.admin("GET", path, nil).want(http.StatusOK); shown.get("gone") != nil {
		t.Errorf("before: %s", shown.body)
	}
	deleted := w.admin("DELETE", "/v1/tags/"+tag, nil).want(http.StatusNoContent).position()
	shown := w.read("acme/admin", path, deleted, "zh").want(http.StatusOK)
	if shown.get("gone.0.code") != "TAG_UNKNOWN" || shown.get("gone.0.location") != "audience.filter.all[0].value[0]" || shown.get("counts.audience.value") != 0.0 {
		t.Errorf("its tag is gone: %s", shown.body)
	}
	w.admin("POST", path+"/start", nil).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "audience.filter.all[0].value[0]")
}

func TestListsOfRecipients(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	one, two := w.customer("acme/admin", "one", "x"), w.customer("acme/admin", "two", "x")
	wechat := w.admin("POST", "/v1/customers", map[string]any{"association_id": 3, "external_id": "openid"}).want(http.StatusCreated).get("id").(string)
	stranger := uuid.NewString()
	made := w.admin("POST", "/v1/auto-messages", autoMessage("list", `{"customers":["`+one+`","`+one+`"]}`)).want(http.StatusCreated)
	path := "/v1/auto-messages/" + made.get("id").(string)
	if made.get("audience.listed") != 1.0 || made.get("description") != "" {
		t.Errorf("defined: %s", made.body)
	}
	add := func(customers ...string) reply {
		return w.admin("POST", path+"/recipients", map[string]any{"customers": customers})
	}
	if added := add(one, two).want(http.StatusOK); added.get("audience.listed") != 2.0 || added.get("id") != made.get("id") {
		t.Errorf("added: %s", added.body)
	}
	head := w.head("acme")
	if again := add(two).want(http.StatusOK); again.get("audience.listed") != 2.0 || w.head("acme") != head {
		t.Errorf("added again: %s", again.body)
	}
	add(one, stranger).refused(http.StatusUnprocessableEntity, "VALIDATION", "customers[1]")
	add(wechat).refused(http.StatusUnprocessableEntity, "CHANNEL_NOT_REACHED", "customers[0]")
	add().refused(http.StatusUnprocessableEntity, "VALIDATION", "customers")
	add(make500()...).refused(http.StatusUnprocessableEntity, "VALIDATION", "customers")
	w.admin("POST", "/v1/auto-messages/"+stranger+"/recipients", map[string]any{"customers": []string{one}}).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("PATCH", path, map[string]any{"audience": map[string]any{"customers": []string{one}}}).refused(http.StatusUnprocessableEntity, "VALIDATION", "audience.customers")
	if w.head("acme") != head {
		t.Error("what was refused left something in the log")
	}
	w.seen(head)
	if shown := w.read("acme/admin", path, head, "en").want(http.StatusOK); shown.get("counts.audience.value") != 2.0 || shown.get("counts.audience.exact") != true {
		t.Errorf("the audience: %s", shown.body)
	}
}

// make500 are more customers than may be added at once.
func make500() (ids []string) {
	for range automessage.MaxAdded + 1 {
		ids = append(ids, uuid.NewString())
	}
	return ids
}

func TestWhatNoAutoMessageCanBe(t *testing.T) {
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	const all = `{"filter":{}}`
	w.admin("POST", "/v1/auto-messages", autoMessage("Taken", all)).want(http.StatusCreated)
	theirs := w.do(call{as: "other/admin", method: "POST", path: "/v1/groups", body: groupInput("theirs", listed)}).want(http.StatusCreated).get("id").(string)
	mine := w.admin("POST", "/v1/groups", groupInput("mine", listed)).want(http.StatusCreated).get("id").(string)
	deep := `{"filter":` + strings.Repeat(`{"not":`, 6) + listed + strings.Repeat(`}`, 7)
	head := w.head("acme")
	for what, c := range map[string]struct {
		name, audience, code, at string
		status                   int
	}{
		"a name that is taken":      {"ｔａｋｅｎ", all, "AUTO_MESSAGE_EXISTS", "name", http.StatusConflict},
		"an empty name":             {" ", all, "VALIDATION", "name", 0},
		"no audience":               {"x", `{}`, "VALIDATION", "audience", 0},
		"a filter that is null":     {"x", `{"filter":null}`, "VALIDATION", "audience", 0},
		"a filter and groups":       {"x", `{"filter":{},"groups":["` + mine + `"]}`, "VALIDATION", "audience", 0},
		"an unknown field":          {"x", `{"filter":{"all":[` + listed + `,{"field":"shoe_size","op":"is_set"}]}}`, "VALIDATION", "audience.filter.all[1].field", 0},
		"an unknown operator":       {"x", `{"filter":{"not":{"field":"blacklisted","op":"eq","value":true}}}`, "VALIDATION", "audience.filter.not.op", 0},
		"too many levels":           {"x", deep, "VALIDATION", "", 0},
		"a needle of 10 kB":         {"x", `{"filter":{"field":"name","op":"contains","value":"` + strings.Repeat("n", 10_000) + `"}}`, "VALIDATION", "audience.filter.value", 0},
		"a needle of control":       {"x", `{"filter":{"field":"name","op":"contains","value":"a\u0001"}}`, "VALIDATION", "audience.filter.value", 0},
		"a tag that is nobody's":    {"x", `{"filter":` + string(hasTag(uuid.NewString())) + `}`, "TAG_UNKNOWN", "audience.filter.value[0]", 0},
		"a group of another tenant": {"x", `{"groups":["` + mine + `","` + theirs + `"]}`, "GROUP_UNKNOWN", "audience.groups[1]", 0},
		"a group in a filter":       {"x", `{"filter":{"field":"groups","op":"has_any","value":["` + theirs + `"]}}`, "GROUP_UNKNOWN", "audience.filter.value[0]", 0},
		"nobody's customer":         {"x", `{"customers":["` + uuid.NewString() + `"]}`, "VALIDATION", "audience.customers[0]", 0},
	} {
		if c.status == 0 {
			c.status = http.StatusUnprocessableEntity
		}
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			w.admin("POST", "/v1/auto-messages", autoMessage(c.name, c.audience)).refused(c.status, c.code, c.at)
		})
	}
	for at, change := range map[string]any{"text": "", "rate": 60_001, "name": strings.Repeat("名", 51)} {
		body := autoMessage("x", all)
		body[at] = change
		w.admin("POST", "/v1/auto-messages", body).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	if w.head("acme") != head {
		t.Error("what was refused left something in the log")
	}
	keyed := call{as: "acme/admin", method: "POST", path: "/v1/auto-messages", body: autoMessage("once", `{"groups":["`+mine+`"]}`), headers: map[string]string{"Idempotency-Key": "k"}}
	made := w.do(keyed).want(http.StatusCreated)
	if again := w.do(keyed).want(http.StatusCreated); again.get("id") != made.get("id") || made.get("audience.groups.0") != mine || !strings.Contains(made.get("description").(string), "mine") {
		t.Errorf("made %s and %s", made.body, again.body)
	}
}
