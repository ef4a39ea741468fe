package pages

import (
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
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/settings"
)

// writes has somebody write a message, and returns the session and the customer.
func (w *world) writes(association int, externalID, nickname, text string) commands.Done {
	w.t.Helper()
	return run(w, commands.ReceiveMessage{Association: association, ExternalID: externalID, Profile: customer.Profile{Nickname: nickname},
		Message: commands.Message{ID: uuid.NewString(), Kind: "text", Text: text}})
}

// talks makes sessions in every state; the last one is the agent's, open, of somebody with a long name. It returns that one.
func (w *world) talks() (open commands.Done) {
	w.t.Helper()
	w.associations()
	ref := func(d commands.Done) commands.SessionRef { return commands.SessionRef{ID: d.Session} }
	good := w.writes(2, "v-77aa01", "不吃香菜的小满同学", "你们的灯能调光吗？")
	run(w, commands.AcceptSession{Session: ref(good), Agent: "he.yunzhou"})
	run(w, commands.CloseSession{Session: ref(good), By: domain.PartyAgent})
	run(w, commands.RateSession{Session: ref(good), Score: 5, Reasons: []string{"回复及时"}, Comment: "解答专业"})

	bad := w.writes(4, "5512008812", "阿黎", "等了三天还没发货")
	run(w, commands.AcceptSession{Session: ref(bad), Agent: "jiang.ke"})
	run(w, commands.CloseSession{Session: ref(bad), By: domain.PartyCustomer})
	run(w, commands.RateSession{Session: ref(bad), Score: 1})

	left := w.writes(1, "6092217745", "", "在吗")
	run(w, commands.AbortSession{Session: ref(left), By: domain.PartyCustomer})

	w.writes(3, "oVx8t5Pp0oIiUuYyTtRrEeWwQqAa", "<b>秒回</b>", "加我")

	open = w.writes(1, "app-1200", "晚风不晚🌙一个特别特别特别特别特别特别特别特别长的名字一共四十五个字左右吧", "灯带怎么装")
	run(w, commands.AcceptSession{Session: ref(open), Agent: "he.yunzhou"})
	w.seen()
	return open
}

func TestSessionPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/sessions").want(http.StatusOK).goldens("sessions.empty")
	w.talks()
	v.get("/sessions").want(http.StatusOK).goldens("sessions.full").hides("<b>秒回")
	v.get("/sessions?period=never").want(http.StatusUnprocessableEntity).goldens("sessions.error")
	v.get("/sessions?from=2020-01-01&to=2020-01-31&channel=phone").want(http.StatusOK).goldens("sessions.none")
}

// Every condition can be chosen in the form, stands in the address, and can be taken away again.
func TestFilteringSessions(t *testing.T) {
	w := start(t)
	w.talks()
	v := w.as(access.Admin, "zh")
	today := w.clock.now().In(time.FixedZone("", 8*3600)).Format(time.DateOnly)
	for _, c := range []struct {
		form url.Values
		chip string
		n    int
	}{
		{url.Values{"period": {"today"}}, "开始时间<b>今天</b>", 5},
		{url.Values{"period": {"yesterday"}}, "开始时间<b>昨天</b>", 0},
		{url.Values{"from": {today}, "to": {today}, "period": {"yesterday"}}, "截止日期<b>" + today + "</b>", 5},
		{url.Values{"to": {"2020-01-01"}}, "截止日期<b>2020-01-01</b>", 0},
		{url.Values{"channel": {"app"}}, "渠道<b>App</b>", 2},
		{url.Values{"association": {"4"}}, "关联账号<b>青屿官微</b>", 1},
		{url.Values{"agent": {"he.yunzhou"}}, "客服<b>he.yunzhou</b>", 2},
		{url.Values{"origin": {"callback"}}, "发起方<b>客服回呼</b>", 0},
		{url.Values{"rating": {"rated"}}, "评价<b>已评价</b>", 2},
		{url.Values{"rating": {"unrated"}}, "评价<b>未评价</b>", 3},
		{url.Values{"rating": {"low"}}, "评价<b>差评（1–2 分）</b>", 1},
		{url.Values{"rating": {"high"}, "agent": {"he.yunzhou"}, "state": {"closed"}}, "评价<b>好评（4–5 分）</b>", 1},
	} {
		page := v.send("/sessions/filter", c.form).want(http.StatusOK).says(c.chip)
		if rows := strings.Count(page.body, `<th scope="row"`); rows != c.n {
			t.Errorf("%v: %d rows, want %d", c.form, rows, c.n)
		}
		for name := range c.form {
			if strings.Contains(page.path, "cursor=") || name != "period" && !strings.Contains(page.path, name+"=") {
				t.Errorf("%v led to %s", c.form, page.path)
			}
		}
	}
	page := v.get("/sessions?agent=he.yunzhou&state=closed").want(http.StatusOK)
	page.says(`href="/sessions?state=closed" aria-label="移除条件 客服 he.yunzhou"`, `href="/sessions?agent=he.yunzhou">全部`, `<option value="he.yunzhou" selected>`)
	if to := v.post("/sessions/filter", url.Values{"state": {""}, "period": {""}}).want(http.StatusSeeOther).header.Get("Location"); to != "/sessions" {
		t.Errorf("no condition leads to %s", to)
	}
}

// What is typed stands in no address and no log; the other conditions stay.
func TestLookingForASession(t *testing.T) {
	w := start(t)
	w.talks()
	v := w.as(access.Admin, "zh")
	to := v.post("/sessions?channel=weibo&state=closed&cursor=x", url.Values{"needle": {"阿黎"}}).want(http.StatusSeeOther).header.Get("Location")
	if !regexp.MustCompile(`^/sessions\?channel=weibo&q=[A-Za-z0-9_-]{12}&state=closed$`).MatchString(to) {
		t.Fatalf("led to %s", to)
	}
	page := v.get(to).want(http.StatusOK).says("阿黎", "共 1 次会话", "客户<b>阿黎</b>", `value="阿黎"`)
	q := regexp.MustCompile(`name="q" value="([^"]*)"`).FindStringSubmatch(page.body)
	v.send("/sessions/filter", url.Values{"q": {q[1]}, "channel": {"web"}}).want(http.StatusOK).says("没有符合条件的会话", "客户<b>阿黎</b>")
	w.as(access.Admin, "zh").get(to).want(http.StatusSeeOther).hides("阿黎")
	if strings.Contains(w.log.String(), "阿黎") {
		t.Error("what was looked for is in the log")
	}
}

func TestBlacklistingFromASession(t *testing.T) {
	w := start(t)
	open := w.talks()
	v := w.as(access.Admin, "zh")
	path := "/sessions/" + open.Session.String() + "/blacklist"
	v.get("/sessions").want(http.StatusOK).says(path + "?back=%2Fsessions")
	v.get(path+"?back=/sessions").want(http.StatusOK).says("将“晚风不晚🌙", "之后的消息会被记下并计数", "未结束的会话", "不设到期")
	back := url.Values{"back": {"/sessions?state=processing"}}
	v.post(path, back).want(http.StatusUnprocessableEntity).says(`aria-invalid="true"`)
	form := url.Values{"back": back["back"], "reason": {"辱骂客服"}, "days": {"7"}, "end": {"now"}}
	done := v.send(path, form).want(http.StatusOK).says("已加入黑名单", "没有符合条件的会话", "撤销")
	w.seen()
	v.get("/sessions").want(http.StatusOK).says("客户在黑名单", "/blacklist/"+open.Customer.String()+"/remove?back=%2Fsessions")
	v.get("/blacklist").want(http.StatusOK).says("辱骂客服", w.clock.now().Add(7*24*time.Hour).In(time.FixedZone("", 8*3600)).Format(exactly))
	v.post(path, form).want(http.StatusSeeOther)
	v.get("/sessions").says("toast bad") // there already
	action := regexp.MustCompile(`<form method="post" action="([^"]*/remove)"`).FindStringSubmatch(done.body)
	v.send(action[1], back).want(http.StatusOK).says("已移出黑名单")
	v.get("/sessions/" + uuid.NewString() + "/blacklist").want(http.StatusNotFound)
}

func TestThePagesOfManySessions(t *testing.T) {
	w := start(t)
	w.associations()
	for i := range 52 {
		w.writes(2, fmt.Sprint("v-", i), fmt.Sprint("somebody-", i, ";"), "hello")
	}
	w.seen()
	v := w.as(access.Admin, "en")
	first := v.get("/sessions?state=waiting").want(http.StatusOK).says("somebody-51;", "somebody-12;", "52 sessions").hides("somebody-11;")
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(first.body)
	v.get(strings.ReplaceAll(next[1], "&amp;", "&")).want(http.StatusOK).says("somebody-11;", "somebody-0;", `rel="prev"`).hides("somebody-12;", `rel="next"`)
	if len(first.body) > 60_000 {
		t.Errorf("a page of %d bytes", len(first.body))
	}
}

func TestWhoSeesSessions(t *testing.T) {
	w := start(t)
	w.talks()
	w.as(access.Analyst, "en").get("/sessions").want(http.StatusOK).says("***", "jiang.ke", "青屿官微").hides("晚风", "阿黎", "解答专业", "/blacklist?", `role="search"`)
	agent := w.as(access.Agent, "zh")
	agent.get("/sessions").want(http.StatusOK).says("晚风不晚", "小满", "你接待过的会话", `href="/sessions"`).hides("阿黎", "秒回", "/blacklist?", `id="f-agent"`)
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true, Blacklist: true}})
	agent.get("/sessions").want(http.StatusOK).says("/blacklist?")
	w.as(access.Operator, "en").get("/sessions").want(http.StatusForbidden)
}
