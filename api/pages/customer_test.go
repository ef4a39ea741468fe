package pages

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/customer"
	"customercenter/domain/settings"
	"customercenter/projections"
)

func TestCustomerPages(t *testing.T) {
	w := start(t)
	k := w.known()
	w.inGroup(k.id)
	quiet := w.customer("qy_1", "")
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get(pathOf(quiet)).want(http.StatusOK).goldens("customer.empty")
	v.get(pathOf(k.id)).want(http.StatusOK).goldens("customer.full").hides("<b>看图").says("&lt;b&gt;看图", "tag warn")
	v.get(pathOf(k.id) + "/changes").want(http.StatusOK).goldens("customer.changes").hides("QY-77120493")
	v.get(pathOf(k.id) + "/changes?kind=messages").want(http.StatusOK).says("QY-77120493")
	v.get("/customers/0190a1b2-0000-7000-8000-000000000000").want(http.StatusNotFound).goldens("customer.gone")
	v.post(pathOf(k.id)+"/fields/area", url.Values{"value": {"一百"}}).want(http.StatusUnprocessableEntity).goldens("customer.error")
	for _, path := range []string{"/fields/level", "/fields/place", "/fields/description", "/fields/moving", "/blacklist", "/callback"} {
		v.get(pathOf(k.id) + path).want(http.StatusOK)
	}
	v.get(pathOf(k.id) + "?before=nonsense").want(http.StatusUnprocessableEntity)
	v.get("/customers/nonsense").says(`class="empty"`)
}

// optionsOf are the values to choose from in the form of a page, by what they are called.
func optionsOf(s shown) map[string]string {
	values := map[string]string{}
	for _, o := range regexp.MustCompile(`<option value="([^"]*)"[^>]*>([^<]*)</option>|<input type="checkbox" name="value" value="([^"]*)"[^>]*>([^<]*)<`).FindAllStringSubmatch(s.body, -1) {
		values[o[2]+o[4]] = html.UnescapeString(o[1] + o[3])
	}
	return values
}

// Every kind of field is changed by its own form, and shows what it is by then.
func TestEditingEveryKindOfField(t *testing.T) {
	w := start(t)
	k := w.known()
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	for _, c := range []struct{ key, typed, shows string }{
		{"name", " 陆予安安 ", "修改名字：陆予安安"}, {"name", "🌙" + strings.Repeat("长", 44), "修改名字：🌙长长"}, {"description", "第一行\r\n第二行", "第一行\n第二行"}, {"house", "两室一厅", "修改户型：两室一厅"},
		{"remarks", "要浅色\n要环保", "要浅色\n要环保"}, {"area", "９０.50", "修改面积（㎡）：90.5"}, {"moving", "2027-05-01", "修改预计入住：2027-05-01"}, {"level", "金卡", "修改客户等级：金卡"},
		{"likes", "板式,金属 &amp; &lt;玻璃&gt;", "修改喜欢的材质：板式、金属 &amp; &lt;玻璃&gt;"}, {"place", "浙江 / 宁波", "修改所在地区：浙江 / 宁波"}, {"phone", "", "未填写，填写手机"},
	} {
		form := v.get(path + "/fields/" + c.key).want(http.StatusOK).says(`name="was"`)
		values := url.Values{"value": strings.Split(c.typed, ",")}
		if options := optionsOf(form); len(options) > 0 {
			values = url.Values{}
			for _, name := range strings.Split(c.typed, ",") {
				values.Add("value", options[name])
			}
		}
		was := regexp.MustCompile(`name="was" value="([^"]*)"`).FindStringSubmatch(form.body)
		values.Set("was", html.UnescapeString(was[1]))
		v.send(path+"/fields/"+c.key, values).want(http.StatusOK).says(c.shows, "已保存", "撤销")
	}
	v.post(path+"/fields/name", url.Values{"value": {strings.Repeat("长", 46)}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`, strings.Repeat("长", 46))
	v.post(path+"/fields/moving", url.Values{"value": {"2027-02-30"}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`)
	v.post(path+"/fields/likes", url.Values{"raw": {`["nobody"]`}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`)
	v.post(path+"/fields/nothing", url.Values{"value": {"x"}}).want(http.StatusNotFound)
	v.get(path+"/changes?kind=profile").says("<del>138 0000 4721</del>", "未填写", "shen.zhiyao（管理员）")
	// What is not changed is not told of.
	v.send(path+"/fields/house", url.Values{"value": {"两室一厅"}}).want(http.StatusOK).hides("”已保存")
}

// An undo brings back what was there, whatever kind of value it is.
func TestUndoingAnEdit(t *testing.T) {
	w := start(t)
	k := w.known()
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	saved := v.send(path+"/fields/moving", url.Values{"value": {"2027-05-01"}, "back": {path + "?session=" + k.rated.String()}}).want(http.StatusOK)
	saved.says(">2027-05-01<", `aria-current="true"`)
	form := url.Values{}
	for _, f := range regexp.MustCompile(`name="(raw|back)" value="([^"]*)"`).FindAllStringSubmatch(saved.body[strings.Index(saved.body, `id="toasts"`):], -1) {
		form.Set(f[1], html.UnescapeString(f[2]))
	}
	v.send(path+"/fields/moving", form).want(http.StatusOK).says(">2027-03-15<")
}

// Two people change the same field: the second one sees both values and chooses. What else was changed meanwhile is no conflict.
func TestConflictsOfEdits(t *testing.T) {
	w := start(t)
	k := w.known()
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	mine := url.Values{"value": {"139 1111 2222"}, "was": {`"138 0000 4721"`}}
	theirs := "137 3333 4444"
	run(w, commands.EditProfile{Customer: k.id, Changes: map[string]*string{"phone": &theirs}})
	w.seen()
	shown := v.post(path+"/fields/phone", mine).want(http.StatusPreconditionFailed)
	shown.says("刚才有人改了这一项", "<b>137 3333 4444</b>", "<b>139 1111 2222</b>", "用我填的", "保留现在的", `value="139 1111 2222"`)
	v.get(path).says("修改手机：137 3333 4444")
	mine.Set("was", `"137 3333 4444"`)
	v.send(path+"/fields/phone", mine).want(http.StatusOK).says("修改手机：139 1111 2222")

	run(w, commands.UntagCustomer{Customer: k.id, Tag: k.vip})
	v.send(path+"/fields/company", url.Values{"value": {"青屿"}, "was": {`"杭州拾光设计事务所"`}}).want(http.StatusOK).says("修改公司：青屿")
}

func TestTaggingOnThePageOfACustomer(t *testing.T) {
	w := start(t)
	k := w.known()
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	v.send(path+"/tags", url.Values{"name": {" 老客回购 "}}).want(http.StatusOK).says("已添加标签“老客回购”", "移除标签 老客回购", "撤销")
	v.send(path+"/tags", url.Values{"name": {"高净值"}}).want(http.StatusOK).says("已新建标签“高净值”并添加", "移除标签 高净值")
	removed := v.send(path+"/tags/"+k.vip.String()+"/remove", url.Values{}).want(http.StatusOK).says("已移除标签“VIP”").hides("移除标签 VIP")
	removed.says(`name="tag" value="` + k.vip.String() + `"`) // the undo
	v.send(path+"/tags", url.Values{"tag": {k.vip.String()}}).want(http.StatusOK).says("移除标签 VIP")
	v.send(path+"/tags", url.Values{"name": {"a,b"}}).want(http.StatusOK).says("toast bad").hides("移除标签 a,b")
	v.send(path+"/tags", url.Values{"name": {"  "}}).want(http.StatusOK).says(noToasts)
}

func TestWhyACustomerIsInAGroup(t *testing.T) {
	w := start(t)
	k := w.known()
	w.inGroup(k.id)
	w.as(access.Admin, "zh").get(pathOf(k.id)).says("高价值客户", "进入，因为：", "由客户的动向引起", "VIP", `href="/groups/`+k.group+`"`)
}

func TestBlacklistingOnThePageOfACustomer(t *testing.T) {
	w := start(t)
	k := w.known()
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	v.get(path+"/blacklist").want(http.StatusOK).says("将“晚风不晚", "立即结束", "团队成员都能看到")
	v.post(path+"/blacklist", url.Values{"reason": {""}, "days": {"30"}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`, `value="30" selected`)
	v.post(path+"/blacklist", url.Values{"reason": {strings.Repeat("长", 151)}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`, strings.Repeat("长", 151))
	listed := v.send(path+"/blacklist", url.Values{"reason": {"连续发送广告链接"}, "days": {"7"}, "end": {"now"}}).want(http.StatusOK)
	listed.says("已加入黑名单", "连续发送广告链接", "撤销", "/blacklist/"+k.id.String()+"/remove", w.clock.now().Add(7*24*time.Hour).In(time.FixedZone("", 8*3600)).Format(exactly), "客户在黑名单中", `aria-disabled="true"`)
	listed.hides("/sessions/"+k.open.String()+"/messages", "处理中 · ")
	w.clock.move(time.Minute)
	w.wroteMessage(2, "v-20481937", commands.Message{Kind: "text", Text: "还在吗"}, 0, nil)
	w.seen()
	v.get(path).says("1 条")
	v.get(path+"/changes?kind=held").says("还在吗", "未创建会话").hides("添加了标签")
	v.get(path + "/blacklist").says("客户已在黑名单")
}

func TestCallingBack(t *testing.T) {
	w := start(t)
	w.associations()
	quiet := w.customer("qy_1", "晚风")
	w.wroteMessage(3, "oWx", commands.Message{Kind: "text", Text: "在吗"}, 0, nil)
	never := run(w, commands.CreateCustomer{Association: 3, ExternalID: "oNever", Profile: customer.Profile{Nickname: "没说过话"}}).Customer
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get(pathOf(never)).says("客户还没有发来过消息", `aria-disabled="true"`).hides(pathOf(never) + "/callback")
	v.get(pathOf(never) + "/callback").says("客户还没有发来过消息")
	v.post(pathOf(never)+"/callback", url.Values{}).want(http.StatusConflict).says("banner bad")
	called := v.send(pathOf(quiet)+"/callback", url.Values{"text": {"您好，送货时间确认好了。"}}).want(http.StatusOK)
	called.says("会话已开启", "您好，送货时间确认好了。", "回呼 · 商城 App", "进入会话", "处理中")
	v.post(pathOf(quiet)+"/callback", url.Values{"text": {"再来"}}).want(http.StatusConflict).says("banner bad", "再来")
	v.get(pathOf(quiet) + "/callback").says("客户已有进行中的会话")
}

// A session from its first message to its end, by an admin without script.
func TestASessionFromItsBeginningToItsEnd(t *testing.T) {
	w := start(t)
	w.associations()
	begun := w.wrote("qy_1", "有人吗？", time.Hour)
	w.seen()
	v, path, id := w.as(access.Admin, "zh"), pathOf(begun.Customer), begun.Session.String()
	if to := v.get("/sessions/" + id).want(http.StatusSeeOther).header.Get("Location"); to != path+"?session="+id {
		t.Errorf("the session is at %s", to)
	}
	v.get(path).says("有人吗？", "待接起", "接起后才能回复", "/sessions/"+id+"/accept").hides(`name="text"`)
	v.send("/sessions/"+id+"/accept", url.Values{"back": {path}}).want(http.StatusOK).says("会话已由你接待", "处理中 · shen.zhiyao", `name="text"`)
	v.post("/sessions/"+id+"/messages", url.Values{"text": {"  "}}).want(http.StatusUnprocessableEntity).says("还没有写内容")
	twice := url.Values{"text": {"在的，\n请讲。"}, "id": {"once"}}
	v.send("/sessions/"+id+"/messages", twice)
	if page := v.send("/sessions/"+id+"/messages", twice).want(http.StatusOK).says("在的，\n请讲。"); strings.Count(page.body, "请讲。") != 1 {
		t.Error("a message was sent twice")
	}
	run(w, commands.RequestCallback{Customer: w.customer("qy_9", "别人的客户"), Agent: "he.yunzhou"})
	w.seen()
	v.get("/sessions/"+id+"/transfer").want(http.StatusOK).says("接收客服的账号", `list="f-to-known"`, `<option value="he.yunzhou">`).hides(`<option value="shen.zhiyao">`)
	v.post("/sessions/"+id+"/transfer", url.Values{"to": {""}}).want(http.StatusUnprocessableEntity).says(`class="wrong"`)
	v.send("/sessions/"+id+"/transfer", url.Values{"to": {"he.yunzhou"}}).want(http.StatusOK).says("会话已转接给 he.yunzhou", "处理中 · he.yunzhou")
	v.get("/sessions/" + id + "/close").want(http.StatusOK).says("结束这个会话？")
	v.send("/sessions/"+id+"/close", url.Values{}).want(http.StatusOK).says("会话已结束", "由客服结束", "历时").hides(`name="text"`, `id="next"`)
	v.post("/sessions/"+id+"/messages", url.Values{"text": {"还有一句"}}).want(http.StatusConflict).says("还有一句", "readonly", "没有发出")
}

// What is said while the page is open comes piece by piece; when somebody else has the session, all is shown anew.
func TestWhatIsSaidMeanwhile(t *testing.T) {
	w := start(t)
	w.associations()
	begun := w.wrote("qy_1", "有人吗？", time.Hour)
	w.did(commands.AcceptSession{Session: commands.SessionRef{ID: begun.Session}, Agent: "shen.zhiyao"}.Run(t.Context(), w.center, by()))
	w.seen()
	v := w.as(access.Admin, "zh")
	next := func(s shown) string {
		t.Helper()
		found := regexp.MustCompile(`id="next" hx-get="([^"]*)"`).FindStringSubmatch(s.body)
		if found == nil {
			t.Fatalf("nothing is asked for any more: %s", s.body)
		}
		return html.UnescapeString(found[1])
	}
	ask := next(v.get(pathOf(begun.Customer)))
	v.header.Set("HX-Request", "true")
	v.get(ask).want(http.StatusNoContent)
	w.wrote("qy_1", "我等着呢", 0)
	w.seen()
	more := v.get(ask).want(http.StatusOK).says("我等着呢").hides("有人吗？", "<main")
	ask = next(more)
	v.get(ask).want(http.StatusNoContent)
	w.did(commands.TransferSession{Session: commands.SessionRef{ID: begun.Session}, To: "he.yunzhou"}.Run(t.Context(), w.center, by()))
	w.seen()
	anew := v.get(ask).want(http.StatusOK).says("有人吗？", "处理中 · he.yunzhou")
	if anew.header.Get("HX-Retarget") != "#records" {
		t.Errorf("headers %v", anew.header)
	}
}

// A long conversation is read in pieces, in both directions, over the sessions.
func TestReadingALongConversation(t *testing.T) {
	w := start(t)
	w.associations()
	var first, last commands.Done
	for s := range 3 {
		for i := range 30 {
			last = w.wrote("qy_1", "第"+"一二三"[3*s:3*s+3]+"-"+string(rune('A'+i))+";", time.Duration(300-s*100-i)*time.Minute)
			if s == 0 && i == 0 {
				first = last
			}
		}
		if s < 2 {
			w.did(commands.AbortSession{Session: commands.SessionRef{ID: last.Session}, By: "agent"}.Run(t.Context(), w.center, w.at("agent", time.Duration(300-s*100-50)*time.Minute)))
		}
	}
	w.seen()
	v, path := w.as(access.Admin, "en"), pathOf(last.Customer)
	href := func(s shown, id string) string {
		t.Helper()
		found := regexp.MustCompile(`id="` + id + `" href="([^"]*)"`).FindStringSubmatch(s.body)
		if found == nil {
			t.Fatalf("no %s: %s", id, s.body)
		}
		return html.UnescapeString(found[1])
	}
	end := v.get(path).want(http.StatusOK).says("Session ended before anybody took it").hides(`id="later"`)
	before := v.get(href(end, "earlier")).want(http.StatusOK).says(`id="later"`)
	v.get(href(before, "later")).want(http.StatusOK).hides(`id="later"`)
	begin := v.get(path+"?session="+first.Session.String()).want(http.StatusOK).says("from-top", "第一-A;", "Latest").hides(`id="earlier"`, `id="next"`)
	v.get(href(begin, "later")).want(http.StatusOK).hides("第一-A;").says("第二")
	v.get(path + "?show=rated").says("There are no such sessions")
	if len(end.body) > 80_000 {
		t.Errorf("a page of %d bytes", len(end.body))
	}
}

// Analysts see masks, and are offered nothing to do.
func TestWhatAnalystsSeeOfACustomer(t *testing.T) {
	w := start(t)
	k := w.known()
	v, path := w.as(access.Analyst, "zh"), pathOf(k.id)
	v.get(path).want(http.StatusOK).says("***", "不可见", "VIP").
		hides("陆予安", "138 0000", "三室两厅", "203.0.113", "餐桌", "shop.example.com", "/fields/", "/callback", "/remove", "/blacklist?", `name="text"`, "tag-picker", "plan.pdf")
	v.get(path+"/changes").want(http.StatusOK).hides("陆予安", "138 0000", "餐桌", "203.0.113")
	v.post(path+"/fields/name", url.Values{"value": {"x"}}).want(http.StatusSeeOther) // and is told so
	v.get(path).says("toast bad")
	v.post("/sessions/"+k.open.String()+"/messages", url.Values{"text": {"x"}}).want(http.StatusForbidden)
}

// Agents see the customers they serve or served, as far as the tenant lets them.
func TestWhatAgentsSeeOfACustomer(t *testing.T) {
	w := start(t)
	k := w.known()
	stranger := w.customer("qy_2", "别人的客户")
	w.seen()
	v, path := w.as(access.Agent, "zh"), pathOf(k.id)
	// Not let into the customer center: what was said, and answering.
	v.get(path).want(http.StatusOK).says("送货时间", `name="text"`, "历史会话", "/transfer").hides("基本资料", "138 0000 4721", "变更记录", `href="/customers"`)
	v.get("/sessions/" + k.rated.String()).want(http.StatusSeeOther)
	v.send("/sessions/"+k.open.String()+"/messages", url.Values{"text": {"改到周三可以吗？"}}).want(http.StatusOK).says("改到周三可以吗？")
	v.get(path + "/changes").want(http.StatusForbidden)
	v.get(pathOf(stranger)).want(http.StatusNotFound).says("客服只能看到自己服务过的客户")

	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	w.seen()
	v.get(path).want(http.StatusOK).says("基本资料", "138 0000 4721", "tag-picker", "请联系管理员").hides("加入黑名单…", `aria-label="设置显示哪些资料"`)
	v.send(path+"/fields/phone", url.Values{"value": {"137 3333 4444"}}).want(http.StatusOK).says("137 3333 4444")
	v.send(path+"/tags", url.Values{"name": {"没有的"}}).want(http.StatusOK).says("没有标签“没有的”")
	v.send(path+"/tags", url.Values{"name": {"装修中"}}).want(http.StatusOK).says("移除标签 装修中")
	v.get(path+"/changes").want(http.StatusOK).says("修改了客户资料").hides("送货时间", "kind=messages")
	v.get(pathOf(stranger)).want(http.StatusNotFound)

	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true, Blacklist: true}})
	v.send(path+"/blacklist", url.Values{"reason": {"广告"}}).want(http.StatusOK).says("已加入黑名单", "广告")
	// Once the session is another's, one reads it, and does not write.
	w.did(commands.TransferSession{Session: commands.SessionRef{ID: k.open}, To: "jiang.ke"}.Run(t.Context(), w.center, by()))
	w.seen()
	v.get(path).says("会话由其他客服接待").hides(`name="text"`, "/transfer", "/close")
	v.post("/sessions/"+k.open.String()+"/messages", url.Values{"text": {"我再说一句"}}).want(http.StatusForbidden)
	w.as(access.Operator, "zh").get(path).want(http.StatusForbidden)
}

// While the read models lag, a part of the page that was put in says so, and comes back once; it does not wait for each of its parts.
func TestACustomerThatIsNotShownYet(t *testing.T) {
	w := start(t)
	w.associations()
	id := w.customer("qy_1", "晚风")
	w.seen()
	v := w.as(access.Admin, "zh")
	w.stop()
	to := v.post(pathOf(id)+"/fields/name", url.Values{"value": {"陆予安"}}).want(http.StatusSeeOther).header.Get("Location")
	v.header.Set("HX-Request", "true")
	v.header.Set("HX-Target", "aside#aside")
	late := v.get(to).want(http.StatusOK).says("已保存，列表正在更新")
	aside := late.body[strings.Index(late.body, `id="aside"`):]
	if !strings.Contains(aside[:strings.Index(aside, "<section")], `hx-trigger="load delay:1s" hx-target="#aside"`) {
		t.Errorf("it does not come back: %s", aside[:min(len(aside), 900)])
	}
	again := v.get(to).want(http.StatusOK)
	if strings.Contains(again.body, `hx-target="#aside"`) {
		t.Error("it comes back for ever")
	}
}

// What was erased says so, and shows neither text nor file.
func TestAMessageThatWasErased(t *testing.T) {
	var b strings.Builder
	view := talkView{Items: []talkItem{{ID: "i-1", Said: &bubble{Name: "晚风", Erased: true, Text: "旧内容", Kind: "文件", File: "旧文件"}}}}
	if err := parseSheets(loadAssets())[chinese].templates.ExecuteTemplate(&b, "talk_items", view); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "个人数据已按要求删除") || strings.Contains(text, "旧") {
		t.Errorf("it says %s", text)
	}
}

// Every type of event that a history can have is of some kind to choose, and once.
func TestKindsOfChanges(t *testing.T) {
	chosen := []string{"customer.session_opened", "customer.session_closed"} // told by the session's own events
	for _, kind := range changeKinds[1:] {
		chosen = append(chosen, kind.Types...)
	}
	slices.Sort(chosen)
	if all := projections.HistoryTypes(); !slices.Equal(all, chosen) {
		t.Errorf("there are %v, to choose from %v", all, chosen)
	}
}
