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

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/settings"
)

// group defines a group and waits until its rule has looked at everybody.
func (w *world) group(name, rule string, visible bool) uuid.UUID {
	w.t.Helper()
	id := run(w, commands.DefineGroup{Name: name, Rule: json.RawMessage(rule), AgentVisible: visible}).Group
	w.filled("/groups/" + id.String())
	return id
}

// filled waits until a group's page tells of no rule that is looking at customers.
func (w *world) filled(path string) {
	w.t.Helper()
	w.seen()
	v := w.as(access.Admin, "en")
	for end := time.Now().Add(longest); ; time.Sleep(20 * time.Millisecond) {
		if !strings.Contains(v.get(path).want(http.StatusOK).body, `hx-trigger="every`) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s is not filled", path)
		}
	}
}

// tagged is a rule by tags.
func tagged(tags ...uuid.UUID) string {
	text, err := json.Marshal(map[string]any{"field": "tags", "op": "has_any", "value": tags})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// tagTerm is the form of a rule by a tag.
func tagTerm(tag uuid.UUID) url.Values {
	return url.Values{"c.match": {"all"}, "c.0.field": {"tags"}, "c.0.op": {"has_any"}, "c.0.was": {"picks tags"}, "c.0.value": {tag.String()}}
}

// with is a form with more fields.
func with(form url.Values, pairs ...string) url.Values {
	more := url.Values{}
	for name, values := range form {
		more[name] = values
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		more.Set(pairs[i], pairs[i+1])
	}
	return more
}

// grouped makes tags, customers and groups. It returns the tag VIP and the first group.
func (w *world) grouped() (vip, group uuid.UUID) {
	w.t.Helper()
	w.associations()
	vip = w.tag("VIP")
	buyer := w.tag("老客回购")
	w.customer("qy_1", "晚风不晚🌙", vip)
	w.customer("qy_2", "Zoe·Lin", vip, buyer)
	w.customer("qy_3", "阿麦<b>要早睡</b>", buyer)
	group = w.group("高价值客户", tagged(vip), true)
	w.group("一个名字特别长的分组一个名字特别长的分组一个名字特别长的分组一个名字特别长🌙", `{"all":[`+tagged(vip, buyer)+`,{"field":"nickname","op":"contains","value":"Zoe"}]}`, false)
	return vip, group
}

func TestGroupPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/groups").want(http.StatusOK).goldens("groups.empty")
	vip, id := w.grouped()
	path := "/groups/" + id.String()
	v.get("/groups").want(http.StatusOK).goldens("groups.full")
	v.get(path).want(http.StatusOK).goldens("group.full").hides("<b>要早睡")
	v.get(path + "?cursor=nonsense").want(http.StatusUnprocessableEntity)
	v.get(path + "/moves").want(http.StatusOK).goldens("group.moves")
	v.get(path + "/moves?cursor=nonsense").want(http.StatusUnprocessableEntity)
	v.get(path + "/edit").want(http.StatusOK).goldens("group.edit")
	v.post(path+"/edit", with(tagTerm(vip), "name", "", "c.1.field", "nickname", "c.1.op", "contains", "c.1.was", "text")).
		want(http.StatusUnprocessableEntity).goldens("group.wrong")
	v.get("/groups/0190a1b2-0000-7000-8000-000000000000").want(http.StatusNotFound)
}

// Without script: the form is built, previewed and saved by posts alone.
func TestBuildingAGroupWithoutScript(t *testing.T) {
	w := start(t)
	vip, _ := w.grouped()
	v := w.as(access.Admin, "zh")
	v.get("/groups/new").want(http.StatusOK).says("新建分组", `name="c.0.field"`)
	v.post("/groups/new", with(tagTerm(vip), "name", "新组", "c.do", "add ")).want(http.StatusOK).says(`value="新组"`, `name="c.1.field"`, "还没填完的条件没有算在内", "将进入")
	v.post("/groups/new", with(tagTerm(vip), "name", "新组", "do", "preview")).want(http.StatusOK).says("Zoe·Lin", "晚风不晚", "标签包含任一 VIP", "将进入").hides("qy_3")
	v.post("/groups/new", url.Values{"c.match": {"all"}, "name": {"新组"}, "do": {"preview"}}).want(http.StatusOK).says("添加一个条件")
	v.post("/groups/new", with(tagTerm(vip), "name", "高价值客户")).want(http.StatusUnprocessableEntity).says(`aria-invalid="true"`)
	made := v.post("/groups/new", with(tagTerm(vip), "name", "新组", "visible", "true")).want(http.StatusSeeOther).header.Get("Location")
	w.filled(made)
	v.get(made).want(http.StatusOK).says("已创建分组“新组”", "客服可见", "共 2 位", "标签包含任一 VIP")
}

func TestChangingAGroup(t *testing.T) {
	w := start(t)
	vip, id := w.grouped()
	path := "/groups/" + id.String()
	v := w.as(access.Admin, "zh")
	buyer := url.Values{"c.match": {"all"}, "c.0.field": {"external_id"}, "c.0.op": {"in"}, "c.0.was": {"lines"}, "c.0.value": {"qy_2\nqy_3"}, "name": {"高价值客户"}, "visible": {"true"}}
	page := v.get(path + "/edit").want(http.StatusOK)
	etag := strings.Split(strings.Split(page.body, `name="etag" value="`)[1], `"`)[0]
	buyer.Set("etag", strings.ReplaceAll(etag, "&#34;", `"`))
	preview := v.post(path+"/edit", with(buyer, "do", "preview")).want(http.StatusOK)
	preview.says("<dd>&#43;1</dd>", "<dd>−1</dd>", "将进入", "将离开", "留在组内")
	v.send(path+"/edit", buyer).want(http.StatusOK).says("新规则正在检查所有客户", "撤销")
	w.filled(path)
	changed := v.get(path).want(http.StatusOK).says("阿麦", "Zoe·Lin", "qy_3").hides("晚风不晚")
	if !strings.Contains(changed.body, "修改了") {
		t.Error("the history does not tell of it")
	}
	// Somebody was faster: nothing is lost.
	v.post(path+"/edit", with(buyer, "name", "另一个名字")).want(http.StatusPreconditionFailed).says("有人修改了“高价值客户”", `value="另一个名字"`, "qy_2\nqy_3")
	// What the undo sends brings the rule back.
	v.send(path+"/edit", url.Values{"name": {"高价值客户"}, "visible": {"true"}, "c.match": {"all"}, "rule": {tagged(vip)}}).want(http.StatusOK)
	w.filled(path)
	v.get(path).says("晚风不晚").hides("阿麦")
	v.get(path+"/moves").want(http.StatusOK).says("进出记录", "阿麦", `class="status bad">离开`, `class="status good">进入`, "规则的设定")

	v.send(path+"/visible", url.Values{"visible": {"false"}}).want(http.StatusOK).says("客服不再看到“高价值客户”", "撤销", "让客服看到")
	v.send(path+"/visible", url.Values{"visible": {"true"}}).want(http.StatusOK).says("不让客服看到")
}

func TestDeletingAGroupSaysWhoUsesIt(t *testing.T) {
	w := start(t)
	_, id := w.grouped()
	path := "/groups/" + id.String()
	name := "华东 VIP"
	view := run(w, commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Filter: json.RawMessage(`{"all":[{"field":"imported","op":"is","value":false},{"field":"groups","op":"has_any","value":["` + id.String() + `"]}]}`), Admin: true}}).View
	run(w, commands.DefineAutoMessage{Name: "预告", Text: "您好", Audience: commands.Audience{Groups: []uuid.UUID{id}}})
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get(path+"/delete").want(http.StatusOK).says("删除分组“高价值客户”？", "2 位客户", "华东 VIP", "预告")
	v.send(path+"/delete", url.Values{}).want(http.StatusOK).says("已删除分组“高价值客户”")
	v.get(path).want(http.StatusNotFound)
	v.get("/auto-messages").want(http.StatusOK).says("已删除的分组")
	// Who opens the view is told which condition is in the way, and finds people without it.
	list := "/customers?saved=" + view.String()
	v.get(list).want(http.StatusUnprocessableEntity).says("“属于任一分组 （已不存在）”：没有这个分组。去掉这个条件", "华东 VIP")
	v.get(list + "&filter=" + url.QueryEscape(`{"field":"imported","op":"is","value":false}`)).want(http.StatusOK).says("Zoe").hides("已不存在")
}

func TestWhoSeesGroups(t *testing.T) {
	w := start(t)
	_, id := w.grouped()
	path := "/groups/" + id.String()
	analyst := w.as(access.Analyst, "en")
	analyst.get("/groups").want(http.StatusOK).says("高价值客户", "***").hides("/groups/new", "Zoe")
	analyst.get(path).want(http.StatusOK).says("***").hides("晚风", "/edit", "/delete", "/visible")
	analyst.get(path + "/moves").want(http.StatusOK).says("***").hides("晚风")
	analyst.get("/groups/new").want(http.StatusForbidden)
	analyst.post(path+"/delete", url.Values{}).want(http.StatusSeeOther)
	analyst.get("/groups").says("高价值客户", "toast bad")

	agent := w.as(access.Agent, "zh")
	agent.get("/groups").want(http.StatusOK).hides(`href="/groups"`)
	agent.get(path).want(http.StatusForbidden)
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	agent.get("/groups").want(http.StatusOK).says(`href="/groups"`, "高价值客户").hides("一个名字特别长", "新建分组")
	agent.get(path).want(http.StatusOK).says("其中没有你服务过的客户").hides("晚风", "/edit", "/moves")
	agent.get(path + "/moves").want(http.StatusForbidden)
}

// The list and the group say how far a rule has come, and look again by themselves.
func TestAGroupThatIsBeingFilled(t *testing.T) {
	w := start(t)
	vip, id := w.grouped()
	w.stop()
	v := w.as(access.Admin, "zh")
	run(w, commands.ChangeGroup{Group: id, Rule: json.RawMessage(`{"not":` + tagged(vip) + `}`)})
	v.get("/groups").want(http.StatusOK).says(`hx-trigger="every 2s"`, "即将开始检查所有客户", "<progress")
	v.get("/groups/"+id.String()).want(http.StatusOK).says(`hx-trigger="every 2s"`, "完成之前，成员仍按旧规则", "晚风不晚")
	// Not for ever: somebody who has left is to be signed out some time.
	v.get("/groups?tick=199").says(`hx-get="/groups?tick=200"`)
	v.get("/groups?tick=200").says("已停止自动更新", `href="/groups"`).hides("hx-trigger=\"every")
	v.get("/groups/" + id.String() + "?tick=200").says("已停止自动更新").hides("hx-trigger=\"every")
}

func TestTheChartOfAGroup(t *testing.T) {
	w := start(t)
	vip, id := w.grouped()
	path := "/groups/" + id.String()
	v := w.as(access.Admin, "zh")
	v.get(path).says("从第二天起").hides(`class="chart"`)
	w.clock.move(72 * time.Hour)
	v = w.as(access.Admin, "zh")
	for i := range 3 {
		w.customer(fmt.Sprint("later-", i), "x", vip)
	}
	w.seen()
	v.get(path).want(http.StatusOK).says(`class="chart"`, "近 5 天", "<dd>&#43;5</dd>", `class="now"`)
}

func TestThePagesOfManyMembers(t *testing.T) {
	w := start(t)
	vip, id := w.grouped()
	for i := range 53 {
		w.customer(fmt.Sprint("v-", i), fmt.Sprint("somebody-", i, ";"), vip)
	}
	w.seen()
	v := w.as(access.Admin, "en")
	first := v.get("/groups/"+id.String()).want(http.StatusOK).says("55 in all", "somebody-52;", "somebody-5;").hides("somebody-2;")
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(first.body)
	v.get(strings.ReplaceAll(next[1], "&amp;", "&")).want(http.StatusOK).says("somebody-2;", "Zoe·Lin", `rel="prev"`).hides("somebody-5;", `rel="next"`)
	if len(first.body) > 60_000 {
		t.Errorf("a page of %d bytes", len(first.body))
	}
}

func TestGridsAreRound(t *testing.T) {
	for _, c := range [][5]int64{{286, 412, 250, 450, 50}, {0, 1, 0, 2, 1}, {5, 5, 5, 7, 1}, {0, 1_000_000, 0, 1_000_000, 500_000}, {99, 101, 99, 101, 1}} {
		from, to, step := gridOf(c[0], c[1])
		if from != c[2] || to != c[3] || step != c[4] {
			t.Errorf("%d to %d: got %d to %d by %d", c[0], c[1], from, to, step)
		}
	}
}
