package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"customercenter/api/access"
	"customercenter/commands"
	fields "customercenter/domain/field"
	"customercenter/domain/filter"
)

// asked makes a visit of somebody of a role, for what pages do with the API.
func (w *world) asked(role access.Role, form url.Values) (made *visit) {
	w.t.Helper()
	w.seen()
	p := &Pages{Config: Config{API: w.api, SignIns: w.signIns, Now: w.clock.now}, assets: loadAssets()}
	p.sheets = parseSheets(p.assets)
	secret, err := w.signIns.Open(w.t.Context(), w.made[role].ID)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "/conditions", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: p.cookieName(), Value: secret})
	v := p.visit(nil, r)
	if err := v.recognise(); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// inputs are what a browser sends of a form.
func inputs(t testing.TB, html string) url.Values {
	t.Helper()
	form := url.Values{}
	for _, tag := range regexp.MustCompile(`<input [^>]*>`).FindAllString(html, -1) {
		name, value := attribute(tag, "name"), attribute(tag, "value")
		if name != "" && (!strings.Contains(tag, `type="checkbox"`) || strings.Contains(tag, " checked")) {
			form.Add(name, value)
		}
	}
	for _, found := range regexp.MustCompile(`(?s)<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>`).FindAllStringSubmatch(html, -1) {
		if chosen := regexp.MustCompile(`<option value="([^"]*)" selected>`).FindStringSubmatch(found[2]); chosen != nil {
			form.Add(found[1], unescape(chosen[1]))
		} else if first := regexp.MustCompile(`<option value="([^"]*)"`).FindStringSubmatch(found[2]); first != nil {
			form.Add(found[1], unescape(first[1]))
		}
	}
	for _, found := range regexp.MustCompile(`(?s)<textarea name="([^"]*)"[^>]*>(.*?)</textarea>`).FindAllStringSubmatch(html, -1) {
		form.Add(found[1], unescape(found[2]))
	}
	return form
}

func attribute(tag, name string) string {
	if found := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag); found != nil {
		return unescape(found[1])
	}
	return ""
}

func unescape(text string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+").Replace(text)
}

// What is shown as a form and sent unchanged says the same as before, whatever it is.
func TestConditionsComeBackAsTheyWere(t *testing.T) {
	w := start(t)
	w.associations()
	vip := w.tag("VIP").String()
	run(w, commands.AddField{Key: "level", Type: "select", Label: "等级", Options: []fields.Choice{{Label: "金"}, {Label: "银"}}})
	run(w, commands.AddField{Key: "born", Type: "date", Label: "生日"})
	for name, raw := range map[string]string{
		"everybody": `{}`,
		"one":       `{"field":"created_at","op":"in","value":{"period":"this_week"}}`,
		"kinds": `{"all":[{"field":"nickname","op":"contains","value":"\"王\" & <李>"},{"field":"company","op":"in","value":["甲","乙"]},{"field":"email","op":"not_set"},
			{"field":"session_count","op":"between","value":{"from":2,"to":10}},{"field":"rating_avg","op":"lt","value":3.5,"unset":true},{"field":"last_session_at","op":"older_than","value":{"hours":30},"unset":true},
			{"field":"created_at","op":"between","value":["2026-10-31T16:00:00Z","2026-11-30T16:30:00Z"]},{"field":"last_message_at","op":"before","value":"2026-11-20T00:00:00+08:00"},
			{"field":"channel","op":"in","value":["app","wechat"]},{"field":"association","op":"not_in","value":[1,2]},{"field":"last_agent","op":"in","value":["he.yunzhou","a b"]},
			{"field":"tags","op":"has_all","value":["` + vip + `"]},{"field":"groups","op":"is_empty"},{"field":"blacklisted","op":"is","value":false},
			{"field":"custom.level","op":"in","value":["o1"]},{"field":"custom.born","op":"after","value":"2000-01-01T00:00:00+08:00"}]}`,
		"groups":   `{"any":[{"all":[{"field":"imported","op":"is","value":true},{"not":{"any":[{"field":"qq","op":"is_set"},{"field":"tags","op":"is_empty"}]}}]},{"not":{"field":"phone","op":"starts_with","value":"138"}}]}`,
		"kept":     `{"all":[{"not":{"all":[{"field":"qq","op":"is_set"},{"field":"email","op":"is_set"}]}},{"field":"created_at","op":"after","value":"2026-11-03T09:30:15.123456Z"},{"any":[]}]}`,
		"kept all": `{"not":{"not":{"field":"qq","op":"is_set"}}}`,
	} {
		v := w.asked(access.Admin, nil)
		form, err := v.conditions(conditionsUse{At: "filter", Groups: true}, json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		html, err := v.execute("conditions", form.view(v))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "kept") != strings.Contains(string(html), `class="kept"`) {
			t.Errorf("%s: what is kept and what is shown: %s", name, html)
		}
		again, err := w.asked(access.Admin, inputs(t, string(html))).postedConditions(form.use)
		if err != nil {
			t.Fatal(err)
		}
		// A group of one says what its only part says.
		want, got := says(t, form, raw), says(t, form, string(again.JSON()))
		if want != got {
			t.Errorf("%s: came back as\n%s, was\n%s\n%s", name, got, want, html)
		}
	}
}

// says is a filter in words: the same for filters that say the same in the same order.
func says(t *testing.T, form *conditions, raw string) string {
	t.Helper()
	f, err := filter.Parse([]byte(raw), &form.terms.language, "filter")
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return f.Describe("en", form.terms.names)
}

func TestChangingConditions(t *testing.T) {
	w := start(t)
	w.associations()
	w.customer("qy_1", "晚风", w.tag("VIP"))
	w.seen()
	v := w.as(access.Admin, "zh")
	page := v.post("/conditions", url.Values{"c.at": {"filter"}, "c.counted": {"1"}, "c.match": {"all"}, "c.do": {"add "}}).want(http.StatusOK)
	page.says(`name="c.0.field"`, `data-focus="c.0.field"`).hides("<html", `value="groups"`)
	form := inputs(t, page.body)
	form.Set("c.0.field", "tags")
	form.Set("c.do", "show")
	page = v.post("/conditions", form).want(http.StatusOK).says("VIP", "包含任一", `name="c.0.value"`)
	form = inputs(t, page.body)
	form.Set("c.do", "group ")
	page = v.post("/conditions", form).want(http.StatusOK).says(`name="c.1.match"`, `name="c.1.0.field"`, `data-focus="c.1.0.field"`)
	form = inputs(t, page.body)
	form.Set("c.do", "remove 1.0") // and the group with it
	v.post("/conditions", form).want(http.StatusOK).says(`data-focus="c.0.field"`, `name="c.0.value"`).hides("c.1.match")
	// Whoever sees personal data masked cannot look for it, and is not offered to.
	w.as(access.Analyst, "en").post("/conditions", url.Values{"c.at": {"filter"}, "c.do": {"add "}}).want(http.StatusOK).says(`value="tags"`).hides(`value="phone"`, `value="any_text"`)
}

// What the API refuses stands at the row that it is about, also after rows that were left out.
func TestRefusedConditions(t *testing.T) {
	w := start(t)
	v := w.asked(access.Admin, url.Values{"c.match": {"all"},
		"c.0.field": {"created_at"}, "c.0.op": {"in"}, "c.0.was": {"period"}, "c.0.value": {""}, "c.0.optional": {"1"},
		"c.1.field": {"external_id"}, "c.1.op": {"contains"}, "c.1.was": {"text"}, "c.1.value": {"1"},
		"c.10.field": {"session_count"}, "c.10.op": {"gte"}, "c.10.was": {"number"}, "c.10.value": {"many"},
		"c.2.match": {"any"}, "c.2.0.field": {"name"}, "c.2.0.op": {"eq"}, "c.2.0.was": {"text"}, "c.2.0.value": {"王"},
		"c.2.1.field": {"created_at"}, "c.2.1.op": {"within"}, "c.2.1.was": {"length"}, "c.2.1.unit": {"days"}, "c.2.1.value": {"0"}})
	for _, wrong := range []struct {
		row    int // in the group, which is the third row; else the row
		group  bool
		repair string
	}{{row: 1, repair: "138"}, {group: true, row: 1, repair: "3"}, {row: 3, repair: "5"}} {
		form, err := v.postedConditions(conditionsUse{At: "filter"})
		if err != nil || form.Edited {
			t.Fatal(form.Edited, err)
		}
		if err := v.find("/v1/customers/search", map[string]any{"filter": form.JSON()}, nil); !form.refused(err) {
			t.Fatalf("not refused: %s: %v", form.JSON(), err)
		}
		row := form.root.parts[wrong.row]
		name := "c." + map[int]string{1: "1", 3: "10"}[wrong.row] + ".value"
		if wrong.group {
			row, name = form.root.parts[2].parts[wrong.row], "c.2.1.value"
		}
		if row.wrong == "" {
			html, _ := v.execute("conditions", form.view(v))
			t.Errorf("nothing is wrong at row %d: %s", wrong.row, html)
		}
		v.r.PostForm.Set(name, wrong.repair)
	}
	form, err := v.postedConditions(conditionsUse{At: "filter"})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.find("/v1/customers/search", map[string]any{"filter": form.JSON()}, nil); err != nil {
		t.Error(err)
	}
}

// Where there is nothing to choose from yet, whoever may make the first is led there.
func TestNothingToChooseFrom(t *testing.T) {
	w := start(t)
	made := `<a href="/tags">去添加</a>`
	w.as(access.Admin, "zh").get("/customers/filter").want(http.StatusOK).says("还没有可选的内容", made)
	w.as(access.Analyst, "zh").get("/customers/filter").want(http.StatusOK).says("还没有可选的内容").hides(made)
	w.tag("VIP")
	w.seen()
	w.as(access.Admin, "zh").get("/customers/filter").want(http.StatusOK).hides(made)
}
