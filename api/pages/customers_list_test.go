package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/customer"
	"customercenter/domain/settings"
)

// at is where an answer leads.
func (s shown) at() string { return s.header.Get("Location") }

// leads returns the address of the link whose text or label this is.
func (s shown) leads(text string) string {
	s.t.Helper()
	for _, found := range regexp.MustCompile(`(?s)<a ([^>]*)>(.*?)</a>`).FindAllStringSubmatch(s.body, -1) {
		if strings.Contains(found[2], text) || strings.Contains(unescape(found[1]), text) {
			return attribute(" "+found[1], "href")
		}
	}
	s.t.Fatalf("%s leads nowhere by %q: %s", s.path, text, s.body)
	return ""
}

// form returns what a browser would send of the form that is sent there.
func (s shown) form(action string) url.Values {
	s.t.Helper()
	found := regexp.MustCompile(`(?s)<form [^>]*action="` + regexp.QuoteMeta(action) + `"[^>]*>(.*?)</form>`).FindStringSubmatch(s.body)
	if found == nil {
		s.t.Fatalf("%s has no form for %s: %s", s.path, action, s.body)
	}
	return inputs(s.t, found[1])
}

func TestSearchingCustomers(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	form := v.get("/customers").form("/customers")
	form.Set("needle", "晚风")
	found := v.post("/customers", form).want(http.StatusSeeOther)
	if strings.ContainsAny(found.at(), "晚%") || !strings.Contains(found.at(), "view=all") || !strings.Contains(found.at(), "q=") {
		t.Errorf("leads to %s", found.at())
	}
	list := v.get(found.at()).want(http.StatusOK).says("晚风不晚🌙", `value="晚风"`, "包含“晚风”", "共 1 位客户").hides("kiki_2049")
	// A second search stands in place of the first; an empty one is none.
	form = list.form("/customers")
	form.Set("needle", "KIKI")
	list = v.send("/customers", form).says("kiki_2049").hides("晚风不晚")
	form = list.form("/customers")
	form.Set("needle", "")
	v.send("/customers", form).says("kiki_2049", "晚风不晚").hides(`class="chip"`)
	// What is kept for one sign-in is not another's.
	if at := w.as(access.Admin, "zh").get(found.at() + "&drop=0&sort=nickname&cursor=x").want(http.StatusSeeOther).at(); at != "/customers?sort=nickname&view=all" {
		t.Errorf("a search that is gone leads to %s", at)
	}
}

func TestChipsOfCustomers(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	filter := `{"all":[{"field":"channel","op":"in","value":["app"]},{"field":"nickname","op":"contains","value":"晚"},{"field":"blacklisted","op":"is","value":false},{"field":"phone","op":"not_set"}]}`
	made := w.asked(access.Admin, nil)
	q, err := made.customerQuery(url.Values{"view": {"all"}})
	if err != nil {
		t.Fatal(err)
	}
	to, err := made.leadTo(q, json.RawMessage(filter))
	if err != nil || strings.Contains(to, "filter=") {
		t.Fatal(to, err)
	}
	cookie, _ := made.r.Cookie("cc_sign_in")
	address, _ := url.Parse(w.server.URL)
	v.client.Jar.SetCookies(address, []*http.Cookie{cookie})
	list := v.get(to).want(http.StatusOK).says("晚风不晚", "渠道为APP", "昵称包含“晚”", "不在黑名单中", "手机未设置", "共 1 位客户")
	// What is left is personal still: the address says what was taken away, not what is left.
	list = v.get(list.leads("移除条件：渠道为APP")).want(http.StatusOK).says("昵称包含“晚”", "手机未设置").hides("渠道为APP")
	list = v.get(list.leads("移除条件：手机未设置")).want(http.StatusOK).says("昵称包含“晚”", "不在黑名单中").hides("渠道为APP", "手机未设置")
	last := list.leads("移除条件：昵称包含“晚”")
	if !strings.Contains(last, "filter=") || strings.Contains(last, "q=") {
		t.Errorf("what nobody is named in is kept by %s", last)
	}
	v.get(last).want(http.StatusOK).says("不在黑名单中", "共 5 位客户", "kiki_2049").hides("昵称包含", "橘子汽水不加冰")
}

// Without script, rows of the filter come and go by sending the form.
func TestFilteringCustomersWithoutScript(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "en")
	dialog := v.get(v.get("/customers?view=all").leads("Filter and sort")).want(http.StatusOK).says("6 customers match", `name="c.0.optional"`)
	form := dialog.form("/customers/filter")
	form.Set("c.do", "add ")
	dialog = v.post("/customers/filter", form).want(http.StatusOK).says(`name="c.4.field"`)
	form = dialog.form("/customers/filter")
	form.Set("c.4.field", "blacklisted")
	form.Set("c.do", "show")
	dialog = v.post("/customers/filter", form).want(http.StatusOK).says(`name="c.4.value"`)
	form = dialog.form("/customers/filter")
	form.Set("sort_by", "nickname")
	dialog = v.post("/customers/filter", form).want(http.StatusUnprocessableEntity).says("A condition is not right yet", `id="c.4.wrong"`)
	form = dialog.form("/customers/filter")
	form.Set("c.4.value", "true")
	list := v.send("/customers/filter", form).want(http.StatusOK).says("is on the blacklist", "1 customer<", "橘子汽水不加冰", "Nickname, A to Z").hides("kiki_2049")
	v.get(list.leads("Clear")).want(http.StatusOK).says("6 customers", "Nickname, A to Z")
	v.get("/customers?filter=nonsense").want(http.StatusNotFound)
	v.get("/customers?group=nonsense").want(http.StatusNotFound)
	v.get("/customers?view=all&sort=nonsense").want(http.StatusUnprocessableEntity)
	v.get("/customers?view=all&cursor=nonsense").want(http.StatusUnprocessableEntity)
}

func TestViewsOfCustomers(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	address := "/customers?view=all&sort=nickname&filter=" + url.QueryEscape(string(condition("channel", "in", []string{"app"})))
	dialog := v.get(v.get(address).leads("存为视图")).want(http.StatusOK).says("渠道为APP")
	form := dialog.form("/customers/views")
	form.Set("name", "商城来的")
	form.Set("shared", "1")
	saved := v.post("/customers/views", form).want(http.StatusSeeOther)
	list := v.get(saved.at()).want(http.StatusOK).says("已保存视图“商城来的”", "共 3 位客户", "昵称，按拼音", `aria-current="page"`).hides("存为视图")
	if !strings.Contains(saved.at(), "saved=") {
		t.Errorf("leads to %s", saved.at())
	}
	v.post("/customers/views", form).want(http.StatusConflict).says(`value="商城来的"`, `class="wrong"`)
	form.Del("name")
	v.post("/customers/views", form).want(http.StatusUnprocessableEntity)
	// Others see what is shared, and may not change it.
	w.as(access.Analyst, "zh").get(saved.at()).want(http.StatusOK).says("商城来的").hides("管理视图")
	// The view is changed to what the list shows.
	changed := list.leads("移除条件：渠道为APP")
	dialog = v.get(v.get(changed).want(http.StatusOK).says("共 6 位客户", "存为视图").leads("管理视图")).want(http.StatusOK).says("改为当前的条件和排序")
	path := regexp.MustCompile(`action="(/customers/views/[^"]*)"`).FindStringSubmatch(dialog.body)[1]
	form = dialog.form(path)
	form.Set("name", "所有来的")
	if form.Has("replace") {
		t.Error("a view that all share is replaced unless one says no")
	}
	v.send(path, form).want(http.StatusOK).says("视图“所有来的”已更新", "共 3 位客户")
	form = v.get(v.get(changed).leads("管理视图")).form(path)
	form.Set("replace", "1")
	v.send(path, form).want(http.StatusOK).says("视图“所有来的”已更新", "共 6 位客户").hides("存为视图")
	action, undo := v.send(path, with(form, "etag", "", "name", "别的", "sort", "created_at")).want(http.StatusOK).undo()
	v.send(action, undo).want(http.StatusOK).says("视图“所有来的”已更新", "共 6 位客户", "昵称，按拼音").hides("存为视图")
	// What somebody else has made of it meanwhile is not overwritten.
	v.post(action, undo).want(http.StatusPreconditionFailed).says(`value="所有来的"`, "banner bad")
	form.Set("etag", `"1"`)
	v.post(path, form).want(http.StatusPreconditionFailed).says(`value="所有来的"`, "banner bad")
	v.get(path+"/delete").want(http.StatusOK).says("删除视图“所有来的”？", "所有人都会看不到")
	action, undo = v.send(path+"/delete", url.Values{}).want(http.StatusOK).says("已删除视图“所有来的”").hides("saved=").undo()
	v.get(saved.at()).want(http.StatusNotFound)
	v.send(action, undo).want(http.StatusOK).says("已保存视图“所有来的”", "共 6 位客户", "昵称，按拼音").hides("存为视图")
}

// Every saved view can be reached, however many there are.
func TestManyViews(t *testing.T) {
	w := start(t)
	w.crowd()
	for i := range mostTabs + 1 {
		name := fmt.Sprintf("视图 %d。", i)
		run(w, commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Filter: condition("channel", "in", []string{"app"}), Admin: true}})
	}
	w.seen()
	v := w.as(access.Admin, "zh")
	list := v.get("/customers").want(http.StatusOK).says("视图 11。", "还有 1 个视图").hides("视图 12。")
	last := v.get(list.leads("还有 1 个视图")).want(http.StatusOK).says("视图 0。", "渠道为APP", "shen.zhiyao").leads("视图 12。")
	v.get(last).want(http.StatusOK).says("视图 12。", "共 3 位客户").hides("还有 1 个视图")
	v.get("/customers/tabs").want(http.StatusOK).says(`视图 11。 <span class="count">3</span>`, "还有 1 个视图")
}

func TestTabsOfCustomers(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	v.get("/customers/tabs").want(http.StatusOK).says(`全部 <span class="count">6</span>`, `本周 <span class="count">6</span>`, `高价值客户 <span class="count">1</span>`).hides("<main")
	list := v.get("/customers")
	v.get(list.leads("高价值客户")).want(http.StatusOK).says("属于任一分组 高价值客户", "晚风不晚", "共 1 位客户").hides("kiki_2049")
	w.clock.move(14 * 24 * time.Hour)
	v.post("/sign-in", url.Values{"token": {w.texts[access.Admin]}}) // the sign-in has ended meanwhile
	v.get("/customers").want(http.StatusOK).says("本周还没有新客户", "全部共有 6 位", `href="/customers?view=all"`)
}

func TestNobodyMatches(t *testing.T) {
	w := start(t)
	w.crowd()
	filter := `{"all":[{"field":"channel","op":"in","value":["app"]},{"field":"external_id","op":"eq","value":"v-8f3a1c9e72b4"},{"field":"blacklisted","op":"is","value":false}]}`
	v := w.as(access.Admin, "zh")
	v.get("/customers?view=all&filter="+url.QueryEscape(filter)).want(http.StatusOK).says("没有客户符合这 3 个条件", "去掉：渠道为APP（1 位）", "去掉：客户ID 等于“v-8f3a1c9e72b4”（2 位）").hides("去掉：不在黑名单中")
}

func TestColumnsOfCustomers(t *testing.T) {
	w := start(t)
	w.crowd()
	run(w, commands.AddField{Key: "level", Type: "text", Label: "等级"})
	w.customer("qy_3", "有等级")
	w.seen()
	v := w.as(access.Admin, "zh")
	dialog := v.get("/customers/columns").want(http.StatusOK).says("等级", `value="external_id" checked`, `value="phone">`)
	form := dialog.form("/customers/columns")
	form["column"] = []string{"phone", "custom.level", "no such", "created_at"}
	form.Set("density", "compact")
	v.send("/customers/columns", form).want(http.StatusOK).says(`table compact`, ">手机<", ">等级<", "13812345678").hides(">渠道<")
	form["column"] = nil
	v.send("/customers/columns", form).want(http.StatusOK).hides(">手机<", ">等级<", ">ID<")
}

func TestCallingBackFromTheList(t *testing.T) {
	w := start(t)
	w.crowd()
	open := w.customer("qy_88", "回呼过")
	run(w, commands.RequestCallback{Customer: open, Agent: "he.yunzhou"})
	w.wroteMessage(1, "qy_89", commands.Message{Kind: "text", Text: "在吗"}, 0, nil)
	run(w, commands.RemoveAssociation{Association: 4})
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get("/customers").want(http.StatusOK).says(`title="客户在黑名单中"`, `title="有未结束的会话"`, `title="微信只允许在客户最近一条消息后 48 小时内联系"`, ">处理中<", ">待接起<", `/callback">回呼<`, `title="渠道已解除关联"`, "青屿官微")
}

func TestNewCustomer(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/customers/new").want(http.StatusOK).says("还没有关联的渠道", `href="/associations"`)
	w.associations()
	w.seen()
	form := v.get("/customers/new").want(http.StatusOK).says("商城 App · App").form("/customers/new")
	form.Set("external_id", "有空格 的")
	v.post("/customers/new", form).want(http.StatusUnprocessableEntity).says(`class="wrong"`, `value="有空格 的"`)
	form.Set("external_id", "qy_1")
	form.Set("nickname", "沈知遥")
	made := v.post("/customers/new", form).want(http.StatusSeeOther)
	if !regexp.MustCompile(`^/customers/[0-9a-f-]{36}$`).MatchString(made.at()) {
		t.Errorf("leads to %s", made.at())
	}
	v.post("/customers/new", form).want(http.StatusConflict).says("qy_1", `class="wrong"`)
	v.get("/customers").want(http.StatusOK).says("沈知遥")
}

func TestExportingCustomers(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	address := "/customers?view=all&filter=" + url.QueryEscape(string(condition("channel", "in", []string{"app"})))
	form := v.get(v.get(address).leads("导出基本资料")).want(http.StatusOK).says("符合当前条件的 3 位客户").form("/customers/export")
	if past := v.get("/customers/export?view=all&as_of=1").want(http.StatusOK).says("导出的是现在的客户，不是当时的"); past.form("/customers/export").Has("as_of") {
		t.Error("an export of the past is asked for")
	}
	form.Set("format", "csv")
	form.Set("columns", "list")
	if to := v.post("/customers/export", form).want(http.StatusSeeOther).at(); to != "/exports" {
		t.Errorf("leads to %s", to)
	}
	var list struct {
		Items []struct {
			Format, Description string
			Columns             []string
		}
	}
	if err := w.asked(access.Admin, nil).get("/v1/exports", &list); err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	if e := list.Items[0]; e.Format != "csv" || e.Description != "渠道为APP" || strings.Join(e.Columns, " ") != "nickname name external_id channel tags groups last_session_at created_at" {
		t.Errorf("asked for %+v", e)
	}
}

// Agents see the customers whom they served, and are offered nothing that they may not do; analysts see masks.
func TestCustomersOfAgentsAndAnalysts(t *testing.T) {
	w := start(t)
	w.crowd()
	own := run(w, commands.CreateCustomer{Association: 1, ExternalID: "qy_own", Profile: customer.Profile{Nickname: "我的客户"}}).Customer
	run(w, commands.RequestCallback{Customer: own, Agent: "he.yunzhou"})
	w.seen()
	agent := w.as(access.Agent, "zh")
	agent.get("/customers").want(http.StatusForbidden)
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	w.seen()
	agent.get("/customers").want(http.StatusOK).says("我的客户", "高价值客户", "共 1 位客户").hides("晚风不晚", "导出", "导入", "新建客户", "name=id")
	agent.get("/customers/tabs").says(`全部 <span class="count">1</span>`, `高价值客户 <span class="count">0</span>`)
	agent.post("/customers/bulk/start", url.Values{"scope": {"all"}, "view": {"all"}, "action": {"untag"}}).want(http.StatusForbidden)
	analyst := w.as(access.Analyst, "zh")
	analyst.get("/customers").want(http.StatusOK).says("***", "老客回购", "共 7 位客户").hides("晚风", "qy_", "data-search", "回呼", "sort=nickname", "kiki")
	analyst.get("/customers/filter").want(http.StatusOK).says("客户标签").hides("any_text", `value="wechat_id"`)
	analyst.get("/customers?filter=" + url.QueryEscape(string(condition("nickname", "contains", "晚")))).want(http.StatusForbidden)
}

// A search that ran out of its budget says so, and leads on.
func TestPartialPages(t *testing.T) {
	w := start(t, func(c *Config) {
		inside := c.API
		c.API = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/customers/search" {
				inside.ServeHTTP(rw, r)
				return
			}
			_, _ = rw.Write([]byte(`{"items":[],"next":"abc","count":{"value":0,"exact":false},"partial":true}`))
		})
	})
	w.as(access.Admin, "zh").get("/customers").want(http.StatusOK).says("只查到了一部分", `href="/customers?cursor=abc">继续查找`, "目前找到 0 位").hides("还没有客户", "没有客户")
}
