package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/settings"
	"customercenter/projections/asof"
)

// remembers has read models of the past built until the test ends.
func (w *world) remembers() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var building sync.WaitGroup
	building.Go(func() {
		if err := w.past.Run(ctx); err != nil {
			w.t.Errorf("the past: %v", err)
		}
	})
	w.t.Cleanup(func() { stop(); building.Wait() })
}

// then has a crowd that was there ten days ago, and what has changed since: one came, and a tag has another name. It returns a moment between, as the
// control sends it.
func (w *world) then() string {
	w.t.Helper()
	w.crowd()
	tag := w.tag("那时的标签")
	w.customer("qy_then", "那时就在", tag)
	w.seen()
	w.agedBy(10)
	run(w, commands.RenameTag{Tag: tag, Name: "现在的标签"})
	w.customer("qy_new", "后来才来")
	w.seen()
	return w.daysAgo(5)
}

// daysAgo is a moment as the control sends it.
func (w *world) daysAgo(n int) string {
	w.t.Helper()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		w.t.Fatal(err)
	}
	return w.clock.now().AddDate(0, 0, -n).In(shanghai).Format(localMinute)
}

func asOf(moment string) string { return "as_of=" + url.QueryEscape(moment) }

// past gets a page of the past, once it is prepared.
func (v *visitor) past(path string) shown {
	v.w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		page := v.get(path)
		if page.status != http.StatusAccepted {
			return page
		}
		if time.Now().After(end) {
			v.w.t.Fatalf("%s is not prepared", path)
		}
	}
}

// The list of then has who was there and what things were called; nothing in it changes anything, and all that leads on in it stays in the past.
func TestCustomersOfThePast(t *testing.T) {
	w := start(t)
	w.remembers()
	moment := w.then()
	v := w.as(access.Admin, "zh")
	zh := v.past("/customers?view=all&" + asOf(moment)).want(http.StatusOK).goldens("customers.past")
	zh.says("那时就在", "那时的标签", "共 7 位客户", strings.Replace(moment, "T", " ", 1)+" 时的客户")
	zh.hides("后来才来", "现在的标签", "name=id", "/callback", "/customers/new", "/customers/export", "/import/template", "/views/", `class="bulk"`)
	picker := v.get("/customers/as-of?view=all&limit=100&"+asOf(moment)).want(http.StatusOK).says(`value="`+moment+`"`, "Asia/Shanghai").form("/customers")
	if picker.Get("as_of") != moment || picker.Get("view") != "all" || picker.Get("limit") != "100" {
		t.Errorf("the control sends %v", picker)
	}
	now := zh.leads("回到现在")
	for _, path := range zh.links() {
		if strings.HasPrefix(path, "/customers?") && path != now && !strings.Contains(path, "as_of=") {
			t.Errorf("the list of the past leads to the present by %s", path)
		}
	}
	v.get(now).want(http.StatusOK).says("后来才来", "现在的标签", "共 8 位客户", `href="/customers/new"`).hides("时的客户")
	v.get("/customers/tabs?view=all&"+asOf(moment)).want(http.StatusOK).says(`全部 <span class="count">7</span>`, `高价值客户 <span class="count">1</span>`, "as_of=")

	filtered := v.past("/customers?view=all&"+asOf(moment)+"&filter="+url.QueryEscape(string(condition("channel", "in", []string{"app"})))).want(http.StatusOK).says("渠道为APP", "共 4 位客户").hides("存为视图")
	form := v.get(filtered.leads("筛选排序")).want(http.StatusOK).hides("位客户符合").form("/customers/filter")
	form.Set("sort_by", "nickname")
	v.send("/customers/filter", form).want(http.StatusOK).says("时的客户", "昵称，按拼音", "共 4 位客户")
	v.send("/customers", url.Values{"needle": {"那时"}, "view": {"all"}, "as_of": {moment}}).want(http.StatusOK).says("时的客户", "共 1 位客户")
	v.send("/customers", url.Values{"needle": {"后来"}, "view": {"all"}, "as_of": {moment}}).want(http.StatusOK).says("那时没有符合的客户").hides("后来才来")
	v.past("/customers?view=all&as_of=0").want(http.StatusOK).says("1970-01-01 08:00 时的客户", "那时没有符合的客户")
	// An empty control is now.
	v.get("/customers?view=all&as_of=").want(http.StatusOK).says("后来才来").hides("时的客户")
}

// The next page is of the same moment, also if somebody takes the moment off its address.
func TestPagesOfThePast(t *testing.T) {
	w := start(t)
	w.remembers()
	w.associations()
	for i := range 51 {
		w.customer(fmt.Sprint("qy_", i), fmt.Sprint("客户 ", i))
	}
	w.seen()
	w.agedBy(10)
	w.customer("qy_new", "后来才来")
	w.seen()
	v := w.as(access.Admin, "zh")
	head, err := w.store.Head(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	first := v.past(fmt.Sprintf("/customers?view=all&as_of=%d", head-1)).want(http.StatusOK).says("共 51 位客户").hides("后来才来")
	next := regexp.MustCompile(`<a class="button" href="([^"]*)" rel="next">`).FindStringSubmatch(first.body)
	if next == nil || !strings.Contains(next[1], "as_of=") {
		t.Fatalf("the next page is at %v", next)
	}
	second := v.get(unescape(next[1])).want(http.StatusOK).says(">客户 0<", "时的客户")
	u, err := url.Parse(unescape(next[1]))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Del("as_of")
	v.get("/customers?"+query.Encode()).want(http.StatusOK).says(">客户 0<", "时的客户", "as_of=").hides("name=id")
	v.get(second.leads("回到现在")).want(http.StatusOK).says("后来才来", "共 52 位客户")
}

// The sessions of then stand as they stood, and all that leads on in the list stays in the past.
func TestSessionsOfThePast(t *testing.T) {
	w := start(t)
	w.remembers()
	open := w.talks()
	w.agedBy(10)
	run(w, commands.CloseSession{Session: commands.SessionRef{ID: open.Session}, By: domain.PartyAgent})
	w.writes(1, "app-new", "后来才来", "在吗")
	w.seen()
	moment := w.daysAgo(5)
	v := w.as(access.Admin, "zh")
	list := v.past("/sessions?" + asOf(moment)).want(http.StatusOK).goldens("sessions.past")
	list.says(`class="status live`, "共 5 次会话", strings.Replace(moment, "T", " ", 1)+" 时的会话").hides("后来才来", "/blacklist?")
	now := list.leads("回到现在")
	for _, path := range list.links() {
		if strings.HasPrefix(path, "/sessions?") && !strings.Contains(path, "as_of=") {
			t.Errorf("the sessions of the past lead to the present by %s", path)
		}
	}
	v.get(now).want(http.StatusOK).says("后来才来", "/blacklist?").hides(`class="status live`, "时的会话")
	form := list.form("/sessions/filter")
	form.Set("channel", "wechat")
	filtered := v.send("/sessions/filter", form).want(http.StatusOK).says("时的会话", "秒回", "共 1 次会话")
	v.get(filtered.leads("清除条件")).want(http.StatusOK).says("时的会话", "共 5 次会话")
	v.send("/sessions?"+asOf(moment), url.Values{"needle": {"后来"}}).want(http.StatusOK).says("那时没有符合的会话", "时的会话").hides("后来才来")
	v.get("/sessions?as_of=yesterday").want(http.StatusUnprocessableEntity).says("这一刻无法查看", "应为时间", `href="/sessions">回到现在`).hides("还没有会话")
	w.as(access.Agent, "zh").get("/sessions").want(http.StatusOK).hides("as_of", "as-of")
}

// A customer's page of then has the profile, tags, groups, sessions and changes of then; nothing on it changes anything, and all that leads on stays in the past.
func TestACustomerOfThePast(t *testing.T) {
	w := start(t)
	k := w.known()
	w.inGroup(k.id)
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	head, err := w.store.Head(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	other, orders := "改过的名字", "订单号"
	run(w, commands.EditProfile{Customer: k.id, Changes: map[string]*string{"name": &other, "phone": nil}})
	run(w, commands.RenameTag{Tag: k.vip, Name: "现在的标签"})
	run(w, commands.ChangeField{Field: "house", Label: &orders})
	run(w, commands.UntagCustomer{Customer: k.id, Tag: k.vip})
	run(w, commands.BlacklistCustomer{Customer: k.id, Reason: "连续发送广告"})
	w.answered(k.open, "刚才说的一句", 0)
	w.did(commands.CloseSession{Session: commands.SessionRef{ID: k.open}, By: domain.PartyAgent}.Run(t.Context(), w.center, w.at("agent", 0)))
	w.seen()
	v.get(path).want(http.StatusOK).says("改过的名字", "刚才说的一句", "连续发送广告", "订单号", `href="`+path+`/as-of"`)

	then := fmt.Sprint("as_of=", head)
	page := v.get(path + "?" + then).want(http.StatusOK).goldens("customer.past")
	page.says("陆予安", "138 0000 4721", "VIP", "高价值客户", "户型", "时的样子", "可以的，您希望改到哪天？", "处理中 · he.yunzhou", `value="`+path)
	page.hides("改过的名字", "现在的标签", "订单号", "连续发送广告", "刚才说的一句", `method="post" action="/customers`, `method="post" action="/sessions`, `class="edit`, "tag-picker", "/blacklist?", "/callback", "/next?", `href="/fields" hx-boost`)
	changes := v.get(path+"/changes?"+then).want(http.StatusOK).says("时的样子", "创建了客户").hides("改过的名字", "加入黑名单", "现在的标签")
	rated := v.get(path+"?show=rated&"+then).want(http.StatusOK).says("时的样子", "处理中 · he.yunzhou").hides("刚才说的一句")
	for _, page := range []shown{page, changes, rated} {
		for _, to := range page.links() {
			if (strings.HasPrefix(to, "/customers/") || strings.HasPrefix(to, "/groups/")) && to != page.leads("回到现在") && !strings.Contains(to, "as_of=") {
				t.Errorf("%s leads to the present by %s", page.path, to)
			}
		}
	}
	v.get(page.leads("回到现在")).want(http.StatusOK).says("改过的名字").hides("时的样子")

	// From an entry of the history to how it was then.
	history := v.get(path + "/changes").want(http.StatusOK).hides("时的样子")
	entry := regexp.MustCompile(`修改了客户资料[\s\S]*?<a href="([^"]*)"[^>]*>看当时`).FindStringSubmatch(history.body)
	if entry == nil {
		t.Fatalf("the history leads nowhere: %s", history.body)
	}
	v.get(unescape(entry[1])).want(http.StatusOK).says("改过的名字", "VIP", "时的样子").hides("现在的标签", "连续发送广告")
	picker := v.get(page.leads("当时")).want(http.StatusOK).says("Asia/Shanghai").form(path)
	if picker.Has("cursor") || !picker.Has("as_of") {
		t.Errorf("the control sends %v", picker)
	}

	v.get(path+"?as_of=0").want(http.StatusNotFound).says("那时没有这位客户", `href="`+path+`">回到现在`)
	v.get(path+"?as_of=yesterday").want(http.StatusUnprocessableEntity).says("这一刻无法查看", "应为时间", `href="`+path+`">回到现在`)
	v.get(path + "/changes?as_of=2999-01-01T00:00").want(http.StatusUnprocessableEntity).says("该时刻尚未到来")
	w.as(access.Analyst, "zh").get(path+"?"+then).want(http.StatusOK).says("时的样子", "***").hides("陆予安", "138 0000", "v-20481937")
	w.as(access.Agent, "zh").get(path+"?"+then).want(http.StatusForbidden).hides("陆予安", "可以的")
}

// A group of then has the name, the rule and the members of then.
func TestAGroupOfThePast(t *testing.T) {
	w := start(t)
	w.remembers()
	vip, id := w.grouped()
	path := "/groups/" + id.String()
	head, err := w.store.Head(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	name := "现在的名称"
	run(w, commands.ChangeGroup{Group: id, Name: &name})
	w.customer("qy_4", "后来才来", vip)
	w.seen()
	v := w.as(access.Admin, "zh")
	then := fmt.Sprint("as_of=", head)
	page := v.past(path + "?" + then).want(http.StatusOK).goldens("group.past")
	page.says("高价值客户", "晚风不晚", "Zoe·Lin", "时的成员").hides("现在的名称", "后来才来", "/edit", "/delete", "/visible", "/moves")
	for _, to := range page.links() {
		if strings.HasPrefix(to, "/customers/") && !strings.Contains(to, then) {
			t.Errorf("it leads to the present by %s", to)
		}
	}
	v.get(page.leads("晚风不晚🌙")).want(http.StatusOK).says("时的样子")
	v.get(page.leads("回到现在")).want(http.StatusOK).says("现在的名称", "后来才来", `href="`+path+`/as-of"`)
	v.past(path + "?as_of=0").want(http.StatusNotFound).says("回到现在")
	v.get(path+"?as_of=yesterday").want(http.StatusUnprocessableEntity).says("这一刻无法查看", "回到现在")
}

// What cannot be shown is said in words, with the way back.
func TestMomentsThatCannotBeShown(t *testing.T) {
	w := start(t)
	w.crowd()
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get("/customers?as_of=2999-01-01T00:00").want(http.StatusUnprocessableEntity).golden("customers.past.refused.zh").says("这一刻无法查看", "该时刻尚未到来", "回到现在").hides("name=id", "还没有客户")
	for moment, says := range map[string]string{"yesterday": "应为时间", "-1": "这一刻无法查看", strings.Repeat("9", 70): "这一刻无法查看", "2026-02-30T10:00": "应为时间"} {
		v.get("/customers?"+asOf(moment)).want(http.StatusUnprocessableEntity).says("这一刻无法查看", says, `href="/customers">回到现在`)
	}
	agent := w.as(access.Agent, "zh")
	agent.get("/customers").want(http.StatusOK).hides("as_of", "as-of")
	agent.get("/customers?as_of=1").want(http.StatusForbidden)
	w.remembers()
	w.as(access.Analyst, "zh").past("/customers?view=all&as_of=9").want(http.StatusOK).says("时的客户", `/customers/as-of?`, "***").hides("晚风", "qy_")
}

// While the past is prepared, a page says so and looks again, until there is something to show or to say.
func TestWaitingForThePast(t *testing.T) {
	w := start(t)
	moment := w.then()
	v := w.as(access.Admin, "zh")
	list := "/customers?view=all&" + asOf(moment)
	waits := v.get(list).want(http.StatusAccepted).goldens("as_of.preparing").says("正在准备当时的数据", `<noscript><meta http-equiv="refresh" content="3">`, "排队中")
	found := regexp.MustCompile(`hx-get="(/as-of/[^"]*)"`).FindStringSubmatch(waits.body)
	if found == nil {
		t.Fatalf("it does not look again: %s", waits.body)
	}
	path := unescape(found[1])
	v.get(path).want(http.StatusAccepted).says("tick=2", "排队中")
	v.get(strings.Replace(path, "tick=1", "tick=200", 1)).want(http.StatusAccepted).says("已停止自动更新").hides("hx-get=\"/as-of")
	elsewhere := "/as-of/0190a1b2-0000-7000-8000-000000000000?to="
	if to := v.get(elsewhere + url.QueryEscape(list)).want(http.StatusSeeOther).at(); to != list { // it has gone meanwhile, and is asked for anew
		t.Errorf("leads to %s", to)
	}
	if to := v.get(elsewhere + url.QueryEscape("https://example.org/")).want(http.StatusSeeOther).at(); to != "/" {
		t.Errorf("leads to %s", to)
	}
	w.as(access.Agent, "zh").get(path).want(http.StatusForbidden)

	set := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.pool.Exec(t.Context(), `update as_of_schemas set `+sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	set(`state = 'building', done = 12, total = 40`)
	v.get(path).want(http.StatusAccepted).says("已处理 12 / 40 个事件", `max="40" value="12"`)
	set(`state = 'failed', code = $1, changed_at = now()`, asof.CodeTooLarge)
	v.get(v.get(path).want(http.StatusSeeOther).at()).want(http.StatusConflict).says(asof.CodeTooLarge)
	set(`state = 'queued', code = ''`)
	w.remembers()
	v.past(path).want(http.StatusSeeOther)
	v.header.Set("HX-Request", "true")
	if to := v.get(path).header.Get("HX-Redirect"); to != list {
		t.Errorf("the script is led to %s", to)
	}
	v.get(list).want(http.StatusOK).says("时的客户")
}
