package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
)

func TestCustomerFromBirthToTag(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	tag := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 2, "external_id": "Wang_1", "nickname": "小王",
		"profile": map[string]any{"name": "王小明", "phone": "13800001234"}, "tags": []string{tag}}).want(http.StatusCreated)
	id := made.get("id").(string)
	if made.get("external_id") != "wang_1" || made.get("profile.nickname") != "小王" || made.get("profile.phone") != "13800001234" ||
		made.get("tags.0.name") != "VIP" || made.get("created_via") != "api" || made.get("channel") != "app" || made.get("version") != 1.0 {
		t.Errorf("made %s", made.body)
	}
	if made.header.Get("Location") != "/v1/customers/"+id || made.header.Get("ETag") != `"1"` || made.header.Get("X-Stale") != "" {
		t.Errorf("headers %v", made.header)
	}
	path := "/v1/customers/" + id

	edited := w.admin("PATCH", path, edit(map[string]*string{"name": nil, "company": ptr(" ACME ")})).want(http.StatusOK)
	if edited.get("profile.name") != "" || edited.get("profile.company") != "ACME" || edited.get("profile.phone") != "13800001234" || edited.header.Get("ETag") != `"2"` {
		t.Errorf("edited %s", edited.body)
	}
	// A lost race.
	race := func(tag string) reply {
		return w.do(call{as: "acme/admin", method: "PATCH", path: path, body: edit(map[string]*string{"qq": ptr("1")}), headers: map[string]string{"If-Match": tag}})
	}
	race(`"1"`).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	race(`"x"`).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "header.If-Match")
	race(`W/"2"`).want(http.StatusOK)

	w.admin("DELETE", path+"/tags/"+tag, nil).want(http.StatusNoContent)
	put := w.admin("PUT", path+"/tags/"+tag, nil).want(http.StatusNoContent)
	w.admin("PUT", path+"/tags/"+tag, nil).want(http.StatusNoContent) // there already
	w.admin("PUT", path+"/tags/"+uuid.NewString(), nil).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "")
	w.do(call{as: "acme/admin", method: "DELETE", path: path + "/tags/" + tag, headers: map[string]string{"If-Match": `"2"`}}).
		refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	got := w.admin("GET", fmt.Sprintf("%s?after_position=%d", path, put.position()), nil).want(http.StatusOK)
	if got.get("tags.0.id") != tag || got.position() < put.position() || got.header.Get("ETag") != put.header.Get("ETag") {
		t.Errorf("got %s at %d", got.body, got.position())
	}
	w.admin("GET", path+"/sessions", nil).want(http.StatusOK)

	second := w.admin("POST", "/v1/tags", TagInput{"second"}).want(http.StatusCreated).get("id").(string)
	if set := w.admin("PUT", path+"/tags", map[string]any{"tags": []string{second}}).want(http.StatusOK); set.get("tags.0.id") != second || set.get("tags.1") != nil {
		t.Errorf("got %s", set.body)
	}
	w.admin("PUT", path+"/tags", map[string]any{"tags": []string{uuid.NewString()}}).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "tags")
	if set := w.admin("PUT", path+"/tags", map[string]any{"tags": []string{}}).want(http.StatusOK); set.get("tags.0") != nil {
		t.Errorf("got %s", set.body)
	}
}

func ptr(s string) *string { return &s }

// edit sets these fields; nil is not set.
func edit(fields map[string]*string) EditInput {
	profile := ProfileEdit{}
	for key, value := range fields {
		raw, err := json.Marshal(value)
		if err != nil {
			panic(err) // a text can be written as JSON
		}
		profile[key] = raw
	}
	return EditInput{profile}
}

func TestCustomersThatAreRefused(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.customer("acme/admin", "taken", "x")
	w.admin("DELETE", "/v1/associations/4", nil).want(http.StatusNoContent)
	for _, c := range []struct {
		body   string
		status int
		code   string
		at     string
	}{
		{`{"association_id":1,"external_id":"Taken"}`, 409, "CUSTOMER_EXISTS", "external_id"},
		{`{"association_id":1,"external_id":"a b"}`, 422, "ID_INVALID", "external_id"},
		{`{"association_id":1,"external_id":""}`, 422, "ID_INVALID", "external_id"},
		{`{"association_id":1}`, 422, "VALIDATION", "external_id"},
		{`{"external_id":"a"}`, 422, "VALIDATION", "association_id"},
		{`{"association_id":"1","external_id":"a"}`, 422, "VALIDATION", "association_id"},
		{`{"association_id":1.5,"external_id":"a"}`, 422, "VALIDATION", "association_id"},
		{`{"association_id":99,"external_id":"a"}`, 422, "ASSOCIATION_UNKNOWN", "association_id"},
		{`{"association_id":4,"external_id":"a"}`, 409, "ASSOCIATION_GONE", "association_id"},
		{`{"association_id":1,"external_id":"a","profile":{"name":"` + strings.Repeat("长", 46) + `"}}`, 422, "NAME_TOO_LONG", "profile.name"},
		{`{"association_id":1,"external_id":"a","profile":{"email":"` + strings.Repeat("e", 256) + `"}}`, 422, "EMAIL_TOO_LONG", "profile.email"},
		{`{"association_id":1,"external_id":"a","profile":{"shoe":"46"}}`, 422, "VALIDATION", "profile.shoe"},
		{`{"association_id":1,"external_id":"a","profile":{"custom":{"size":1}}}`, 422, "VALIDATION", "profile.custom.size"},
		{`{"association_id":1,"external_id":"a","tags":["x"]}`, 422, "VALIDATION", "tags[0]"},
		{`{"association_id":1,"external_id":"a","tags":["` + uuid.NewString() + `"]}`, 422, "TAG_UNKNOWN", "tags"},
	} {
		w.admin("POST", "/v1/customers", c.body).refused(c.status, c.code, c.at)
	}
	id := w.customer("acme/admin", "edited", "x")
	for _, c := range []struct {
		body string
		code string
		at   string
	}{
		{`{"profile":{"external_id":"new"}}`, "VALIDATION", "profile.external_id"},
		{`{"profile":{"shoe":"46"}}`, "VALIDATION", "profile"},
		{`{"profile":{"phone":13800001234}}`, "VALIDATION", "profile.phone"},
		{`{"profile":{"description":"` + strings.Repeat("长", 201) + `"}}`, "DESCRIPTION_TOO_LONG", "profile.description"},
		{`{}`, "VALIDATION", "profile"},
	} {
		w.admin("PATCH", "/v1/customers/"+id, c.body).refused(http.StatusUnprocessableEntity, c.code, c.at)
	}
	w.admin("PATCH", "/v1/customers/"+uuid.NewString(), `{"profile":{"name":"x"}}`).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// TestCustomerListAndFilters asks for customers that were created last week and this week.
func TestCustomerListAndFilters(t *testing.T) {
	next := time.Now().AddDate(0, 0, 7)
	clock := time.Now()
	w := start(t, options{now: func() time.Time { return clock }})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	for i, name := range []string{"王小明", "ＷＡＮＧ", "李雷"} {
		id := w.customer("acme/admin", fmt.Sprintf("user_%d", i), name)
		if i == 0 {
			w.seen(w.admin("PUT", "/v1/customers/"+id+"/tags/"+vip, nil).want(http.StatusNoContent).position())
		}
	}
	list := func(filter string) reply {
		t.Helper()
		r := w.admin("GET", "/v1/customers?filter="+url.QueryEscape(filter), nil).want(http.StatusOK)
		if s := w.admin("POST", "/v1/customers/search", `{"filter":`+filter+`}`).want(http.StatusOK); string(s.body) != string(r.body) {
			t.Errorf("%s: the list says %s, the search %s", filter, r.body, s.body)
		}
		return r
	}
	names := func(r reply) string {
		var names []string
		for i := 0; r.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			names = append(names, r.get(fmt.Sprintf("items.%d.profile.nickname", i)).(string))
		}
		return strings.Join(names, " ")
	}
	for filter, want := range map[string]string{
		`{}`: "李雷 ＷＡＮＧ 王小明",
		`{"all":[{"field":"nickname","op":"contains","value":"王"}]}`:                                               "王小明",
		`{"all":[{"field":"any_text","op":"contains","value":"wang"}]}`:                                            "ＷＡＮＧ",
		`{"all":[{"field":"external_id","op":"contains","value":"R_2"}]}`:                                          "李雷",
		`{"all":[{"field":"tags","op":"has_any","value":["` + vip + `"]}]}`:                                        "王小明",
		`{"all":[{"field":"channel","op":"in","value":["app"]}]}`:                                                  "",
		`{"all":[{"field":"channel","op":"in","value":["web"]},{"field":"nickname","op":"contains","value":"李"}]}`: "李雷",
		`{"field":"blacklisted","op":"is","value":false}`:                                                          "李雷 ＷＡＮＧ 王小明",
		`{"all":[{"field":"session_open","op":"is","value":true}]}`:                                                "",
		`{"all":[{"field":"ever_served","op":"is","value":false},{"field":"channel","op":"in","value":["web"]}]}`:  "李雷 ＷＡＮＧ 王小明",
		`{"all":[{"field":"created_at","op":"within","value":{"minutes":5}}]}`:                                     "李雷 ＷＡＮＧ 王小明",
		`{"all":[{"field":"created_at","op":"before","value":"2020-01-01T00:00:00Z"}]}`:                            "",
		`{"all":[{"field":"created_at","op":"in","value":{"period":"last_week"}}]}`:                                "",
	} {
		if got := names(list(filter)); got != want {
			t.Errorf("%s: got %q, want %q", filter, got, want)
		}
	}
	if got := names(w.admin("GET", "/v1/customers", nil).want(http.StatusOK)); got != "李雷 ＷＡＮＧ 王小明" {
		t.Errorf("this week: %q", got)
	}
	clock = next // a week later
	if got := names(w.admin("GET", "/v1/customers", nil).want(http.StatusOK)); got != "" {
		t.Errorf("next week: %q", got)
	}
	if got := names(list(`{"field":"created_at","op":"in","value":{"period":"last_week"}}`)); got != "李雷 ＷＡＮＧ 王小明" {
		t.Errorf("the week before: %q", got)
	}
	// Pages.
	first := w.admin("GET", "/v1/customers?filter={}&limit=2&sort=created_at", nil).want(http.StatusOK)
	second := w.admin("GET", "/v1/customers?filter={}&limit=2&sort=created_at&cursor="+first.get("next").(string), nil).want(http.StatusOK)
	if names(first) != "王小明 ＷＡＮＧ" || names(second) != "李雷" || first.get("count.value") != 3.0 || second.get("next") != nil {
		t.Errorf("pages %s %s", first.body, second.body)
	}
	w.admin("GET", "/v1/customers?filter={}&cursor="+first.get("next").(string), nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
	w.admin("POST", "/v1/customers/search", `{"filter":{},"cursor":"x"}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "cursor")
	w.admin("POST", "/v1/customers/search", `{"filter":{"all":[{"field":"x","op":"eq","value":1}]}}`).
		refused(http.StatusUnprocessableEntity, "VALIDATION", "filter.all[0].field")
}

// TestAnalystsSeeMasks looks for every personal value in everything an analyst may ask for.
func TestAnalystsSeeMasks(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	secrets := []string{"visitor-77", "昵称七七", "名字七七", "13877777777", "qq7777", "wx7777", "seven@example.com", "七七公司", "描述七七", "我的密码是七七",
		"https://files.example/77", "七七.pdf", "10.7.7.7", "Region77", "Agent77", "https://ref.example/77", "评论七七", "理由七七", "拉黑七七"}
	web := event("w1", "message.received", map[string]any{"external_id": "visitor-77", "nickname": "昵称七七",
		"profile": map[string]any{"name": "名字七七", "phone": "13877777777", "qq": "qq7777", "wechat_id": "wx7777", "email": "seven@example.com",
			"company": "七七公司", "description": "描述七七"},
		"message": map[string]any{"id": "1", "kind": "text", "text": "我的密码是七七"},
		"web":     map[string]any{"ip": "10.7.7.7", "region": "Region77", "user_agent": "Agent77", "referrer": "https://ref.example/77"}})
	sent := w.channel(web).want(http.StatusOK)
	customer, session := sent.get("customer_id").(string), sent.get("session_id").(string)
	w.channel(event("w2", "message.received", map[string]any{"external_id": "visitor-77",
		"message": map[string]any{"id": "2", "kind": "file", "url": "https://files.example/77", "name": "七七.pdf"}})).want(http.StatusOK)
	w.admin("POST", "/v1/sessions/"+session+"/accept", AcceptInput{"g1"}).want(http.StatusOK)
	rated := w.admin("POST", "/v1/sessions/"+session+"/rating", RatingInput{Score: 4, Reasons: []string{"理由七七"}, Comment: "评论七七"}).want(http.StatusOK)
	w.seen(rated.position())
	w.seen(w.admin("PUT", "/v1/customers/"+customer+"/blacklist", BlacklistInput{Reason: "拉黑七七"}).want(http.StatusOK).position())
	paths := []string{"/v1/customers?filter={}", "/v1/customers/" + customer, "/v1/customers/" + customer + "/sessions", "/v1/sessions", "/v1/sessions/" + session,
		"/v1/sessions/" + session + "/messages", "/v1/events", "/v1/blacklist"}
	trusted := w.token(access.New{Tenant: "acme", Role: access.Analyst, Actor: "trusted", Personal: true})
	found := map[string]bool{}
	for _, path := range paths {
		masked := w.do(call{as: "acme/analyst", method: "GET", path: path}).want(http.StatusOK)
		open := w.do(call{as: trusted, method: "GET", path: path}).want(http.StatusOK)
		if full := w.admin("GET", path, nil).want(http.StatusOK); string(full.body) != string(open.body) {
			t.Errorf("%s: a trusted analyst sees %s, an admin %s", path, open.body, full.body)
		}
		for _, s := range secrets {
			if strings.Contains(string(masked.body), s) {
				t.Errorf("%s shows %s to an analyst: %s", path, s, masked.body)
			}
			if strings.Contains(string(open.body), s) {
				found[s] = true
			}
		}
		if !strings.Contains(string(masked.body), customer) && !strings.HasSuffix(path, "/messages") {
			t.Errorf("%s does not show the customer's id: %s", path, masked.body)
		}
	}
	for _, s := range secrets {
		if !found[s] {
			t.Errorf("nobody sees %s: the test looks in the wrong places", s)
		}
	}
	if got := w.do(call{as: "acme/analyst", method: "GET", path: "/v1/customers/" + customer}); got.get("profile.phone") != "***" || got.get("message_count") != 2.0 {
		t.Errorf("got %s", got.body)
	}
	// What is masked cannot be guessed by filters.
	for _, field := range []string{"nickname", "name", "any_text", "external_id"} {
		body := `{"filter":{"all":[{"field":"` + field + `","op":"contains","value":"七七"}]}}`
		w.do(call{as: "acme/analyst", method: "POST", path: "/v1/customers/search", body: body}).refused(http.StatusForbidden, "FORBIDDEN", "filter")
		w.do(call{as: trusted, method: "POST", path: "/v1/customers/search", body: body}).want(http.StatusOK)
	}
	// Nothing of it is in the log.
	for _, s := range secrets {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("%s is in the log", s)
		}
	}
}
