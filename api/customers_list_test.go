package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What is wrong with a filter is refused with its path, whichever way it comes.
func TestFiltersThatAreRefused(t *testing.T) {
	w := start(t, options{})
	deep := `{"field":"blacklisted","op":"is","value":true}`
	for range 6 {
		deep = `{"not":` + deep + `}`
	}
	unknown := uuid.NewString()
	for _, c := range []struct{ filter, code, at string }{
		{`[]`, "VALIDATION", "filter"},
		{`{"some":[]}`, "VALIDATION", "filter.some"},
		{`{"all":{}}`, "VALIDATION", "filter.all"},
		{`{"all":[{"field":"shoe_size","op":"eq","value":46}]}`, "VALIDATION", "filter.all[0].field"},
		{`{"all":[{"field":"name","op":"matches","value":"x"}]}`, "VALIDATION", "filter.all[0].op"},
		{`{"any":[{"not":{"field":"name","op":"contains","value":7}}]}`, "VALIDATION", "filter.any[0].not.value"},
		{`{"all":[{"field":"name","op":"contains","value":"` + strings.Repeat("长", 3400) + `"}]}`, "VALIDATION", "filter.all[0].value"},
		{`{"all":[{"field":"name","op":"contains","value":"a\u0007b"}]}`, "VALIDATION", "filter.all[0].value"},
		{`{"all":[{"field":"external_id","op":"contains","value":"x"}]}`, "VALIDATION", "filter.all[0].value"},
		{`{"all":[{"field":"session_count","op":"gt","value":"3"}]}`, "VALIDATION", "filter.all[0].value"},
		{`{"all":[{"field":"created_at","op":"in","value":{"period":"next_week"}}]}`, "VALIDATION", "filter.all[0].value.period"},
		{`{"all":[{"field":"channel","op":"in","value":["app","fax"]}]}`, "VALIDATION", "filter.all[0].value[1]"},
		{`{"all":[{"field":"custom.nothing","op":"is_set"}]}`, "VALIDATION", "filter.all[0].field"},
		{`{"all":[{"field":"tags","op":"has_any","value":["` + unknown + `"]}]}`, "TAG_UNKNOWN", "filter.all[0].value[0]"},
		{`{"not":{"field":"groups","op":"has_all","value":["` + unknown + `"]}}`, "GROUP_UNKNOWN", "filter.not.value[0]"},
		{`{"all":[` + strings.TrimSuffix(strings.Repeat(`{"field":"blacklisted","op":"is","value":true},`, 51), ",") + `]}`, "VALIDATION", "filter.all[50]"},
	} {
		w.admin("POST", "/v1/customers/search", `{"filter":`+c.filter+`}`).refused(http.StatusUnprocessableEntity, c.code, c.at)
		if len(c.filter) < 2000 {
			w.admin("GET", "/v1/customers?filter="+url.QueryEscape(c.filter), nil).refused(http.StatusUnprocessableEntity, c.code, c.at)
		}
	}
	refused := w.admin("POST", "/v1/customers/search", `{"filter":`+deep+`}`).want(http.StatusUnprocessableEntity)
	if at, _ := refused.get("errors.0.location").(string); !strings.HasPrefix(at, "filter.not.not") || refused.get("errors.0.rule") != "too_deep" {
		t.Errorf("too deep: %s", refused.body)
	}
	for query, at := range map[string]string{"facets=tags,shoes": "query.facets[1]", "sort=shoes": "query.sort", "limit=201": "query.limit", "limit=0": "query.limit"} {
		w.admin("GET", "/v1/customers?"+query, nil).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	w.admin("POST", "/v1/customers/search", `{"facets":["shoes"]}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "facets[0]")
}

// A list can be counted by what its customers have, and sorted by nickname as people in China expect it.
func TestListIsCountedAndSorted(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	for i, name := range []string{"赵敏", "Anna", "安娜", "王小明"} {
		id := w.customer("acme/admin", fmt.Sprint("user-", i), name)
		if i > 1 {
			w.seen(w.admin("PUT", "/v1/customers/"+id+"/tags/"+vip, nil).want(http.StatusNoContent).position())
		}
	}
	page := w.admin("GET", "/v1/customers?filter={}&sort=nickname&facets=tags,channel,blacklisted", nil).want(http.StatusOK)
	var names []string
	for i := range 4 {
		names = append(names, page.get(fmt.Sprintf("items.%d.profile.nickname", i)).(string))
	}
	if got := strings.Join(names, " "); got != "Anna 安娜 王小明 赵敏" {
		t.Errorf("by nickname: %s", got)
	}
	if page.get("count.value") != 4.0 || page.get("count.exact") != true || page.get("facets.tags."+vip) != 2.0 ||
		page.get("facets.channel.web") != 4.0 || page.get("facets.channel.app") != nil || page.get("facets.blacklisted.false") != 4.0 {
		t.Errorf("counted %s", page.body)
	}
	some := w.admin("POST", "/v1/customers/search", `{"filter":{"field":"nickname","op":"contains","value":"小明"},"facets":["tags"]}`).want(http.StatusOK)
	if some.get("count.value") != 1.0 || some.get("facets.tags."+vip) != 1.0 {
		t.Errorf("a few: %s", some.body)
	}
	if other := w.do(call{as: "other/admin", method: "GET", path: "/v1/customers?filter={}&facets=channel"}).want(http.StatusOK); other.get("count.value") != 0.0 || other.get("facets.channel.web") != nil {
		t.Errorf("another tenant: %s", other.body)
	}
}

// Who sees personal data masked cannot ask for it by a filter, nor by an order.
func TestMaskedDataCannotBeAskedFor(t *testing.T) {
	w := start(t, options{})
	for _, field := range []string{"name", "nickname", "external_id", "phone", "any_text"} {
		f := fmt.Sprintf(`{"filter":{"any":[{"field":"blacklisted","op":"is","value":true},{"not":{"field":%q,"op":"starts_with","value":"138"}}]}}`, field)
		w.do(call{as: "acme/analyst", method: "POST", path: "/v1/customers/search", body: f}).refused(http.StatusForbidden, "FORBIDDEN", "filter")
	}
	w.do(call{as: "acme/analyst", method: "GET", path: "/v1/customers?sort=-nickname"}).refused(http.StatusForbidden, "FORBIDDEN", "query.sort")
	w.do(call{as: "acme/analyst", method: "POST", path: "/v1/customers/search", body: `{"sort":"custom.anything"}`}).refused(http.StatusForbidden, "FORBIDDEN", "sort")
	w.do(call{as: "acme/analyst", method: "POST", path: "/v1/customers/search", body: `{"sort":"nickname"}`}).refused(http.StatusForbidden, "FORBIDDEN", "sort")
	w.do(call{as: "acme/analyst", method: "POST", path: "/v1/customers/search",
		body: `{"filter":{"field":"session_count","op":"gte","value":0},"facets":["channel","tags"]}`}).want(http.StatusOK)
}

// A list can be sorted by a custom text, number or date, and as long as a view does so the field stays.
func TestListIsSortedByCustomFields(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.level()
	for _, body := range []string{
		`{"key":"size","type":"text","label":"Size"}`, `{"key":"age","type":"number","label":"Age"}`, `{"key":"born","type":"date","label":"Born"}`,
		`{"key":"notes","type":"multiline","label":"Notes"}`, `{"key":"old","type":"number","label":"Old"}`,
	} {
		w.admin("POST", "/v1/fields", body).want(http.StatusCreated)
	}
	w.admin("PATCH", "/v1/fields/old", `{"enabled":false}`).want(http.StatusOK)
	var last int64
	for i, custom := range []string{`{"size":"小","age":9,"born":"1991-01-01"}`, `{"level":"o1","notes":"x"}`, `{"size":"大","age":"-7.5","born":"1990-02-28"}`, `{"size":"Ｘ","age":10}`} {
		last = w.admin("POST", "/v1/customers", fmt.Sprintf(`{"association_id":2,"external_id":"c%d","profile":{"custom":%s}}`, i, custom)).want(http.StatusCreated).position()
	}
	for sort, want := range map[string]string{
		"custom.size": "c3 c2 c0 c1", "-custom.size": "c0 c2 c3 c1", "custom.age": "c2 c0 c3 c1", "-custom.age": "c3 c0 c2 c1", "custom.born": "c2 c0 c1 c3", "-custom.born": "c0 c2 c3 c1",
	} {
		var got []string
		path := "/v1/customers?filter={}&limit=3&sort=" + sort
		for cursor := ""; ; {
			page := w.read("acme/admin", path+cursor, last, "en").want(http.StatusOK)
			for _, item := range page.get("items").([]any) {
				got = append(got, item.(map[string]any)["external_id"].(string))
			}
			next, more := page.get("next").(string)
			if !more {
				break
			}
			cursor = "&cursor=" + next
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("by %s: %s, want %s", sort, got, want)
		}
	}
	cursor := w.admin("GET", "/v1/customers?filter={}&limit=1&sort=custom.age", nil).want(http.StatusOK).get("next").(string)
	w.admin("GET", "/v1/customers?filter={}&sort=custom.size&cursor="+cursor, nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.cursor")
	for _, sort := range []string{"custom.level", "custom.notes", "custom.old", "-custom.shoe", "custom.", "custom.age,custom.size"} {
		w.admin("POST", "/v1/customers/search", `{"filter":{},"sort":"`+sort+`"}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "sort")
		w.admin("GET", "/v1/customers?sort="+sort, nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.sort")
		w.admin("POST", "/v1/views", `{"name":"By field","sort":"`+sort+`"}`).refused(http.StatusUnprocessableEntity, "VALIDATION", "sort")
	}

	view := w.admin("POST", "/v1/views", `{"name":"By age","sort":"-custom.age"}`).want(http.StatusCreated)
	if view.get("sort") != "-custom.age" {
		t.Errorf("the view: %s", view.body)
	}
	w.admin("PATCH", "/v1/fields/age", `{"enabled":false}`).refused(http.StatusConflict, "FIELD_IN_USE", "enabled")
	w.admin("DELETE", "/v1/fields/age", nil).refused(http.StatusConflict, "FIELD_IN_USE", "")
	w.admin("PATCH", "/v1/views/"+view.get("id").(string), `{"sort":"custom.born"}`).want(http.StatusOK)
	w.admin("DELETE", "/v1/fields/age", nil).want(http.StatusNoContent)
}
