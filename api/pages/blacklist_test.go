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
	"customercenter/domain/settings"
)

// blacklisted makes some customers and puts them on the blacklist. It returns the last one.
func (w *world) blacklisted() (last uuid.UUID) {
	w.t.Helper()
	w.associations()
	for i, c := range []struct{ id, name, reason string }{
		{"v-e10c44f2b8a6", "比价小能手（自动回复中请稍候再试谢谢）", "疑似同行程序询价，5 分钟内 80 条。"},
		{"qy_20399120", "旧账号勿扰", "本人要求停用此账号，改用新号联系。"},
		{"6092217745", "", "辱骂客服"},
		{"oVx8t5Pp0oIiUuYyTtRrEeWwQqAa", "秒回加V<b>看图</b>", "冒充官方客服索要验证码"},
	} {
		last = w.customer(c.id, c.name)
		cmd := commands.BlacklistCustomer{Customer: last, Reason: c.reason}
		if i%2 == 1 {
			cmd.ExpiresAt = w.clock.now().Add(time.Duration(i) * 72 * time.Hour)
		}
		run(w, cmd)
	}
	w.seen()
	return last
}

func TestBlacklistPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/blacklist").want(http.StatusOK).goldens("blacklist.empty")
	w.blacklisted()
	v.get("/blacklist").want(http.StatusOK).goldens("blacklist.full").hides("<b>看图")
	if path := v.get("/blacklist").leads("旧账号勿扰"); !strings.HasPrefix(path, customersPath+"/") {
		t.Errorf("a row leads to %s", path)
	}
	v.get("/blacklist?cursor=nonsense").want(http.StatusUnprocessableEntity).goldens("blacklist.error")
	v.send("/blacklist", url.Values{"needle": {"没有的人"}}).want(http.StatusOK).goldens("blacklist.none")
}

func TestTakingSomebodyOffTheBlacklist(t *testing.T) {
	w := start(t)
	id := w.blacklisted()
	v := w.as(access.Admin, "zh")
	page := v.get("/blacklist").want(http.StatusOK)
	ask := regexp.MustCompile(`href="(/blacklist/` + id.String() + `/remove[^"]*)"`).FindStringSubmatch(page.body)
	if ask == nil {
		t.Fatalf("no way to remove: %s", page.body)
	}
	v.get(ask[1]).want(http.StatusOK).says("将“秒回加V&lt;b&gt;看图&lt;/b&gt;”移除黑名单？", "下一条消息会创建会话")
	removed := v.send("/blacklist/"+id.String()+"/remove", url.Values{"back": {"/blacklist"}}).want(http.StatusOK)
	removed.says("已移出黑名单", "撤销", "共 3 位").hides("冒充官方客服索要验证码</td>")
	v.get("/blacklist").want(http.StatusOK).hides("已移出黑名单") // it is told once
	v.post("/blacklist/"+id.String()+"/remove", url.Values{}).want(http.StatusSeeOther)
	v.get("/blacklist").says("toast bad") // it was off already: the API's words, not a broken page

	back := v.send(removed.undo()).want(http.StatusOK).says("已重新加入黑名单", "共 4 位", "冒充官方客服索要验证码")
	if !strings.Contains(back.body, w.clock.now().Add(9*24*time.Hour).In(time.FixedZone("", 8*3600)).Format(exactly)) {
		t.Errorf("the end of the listing is lost: %s", back.body)
	}
}

// What is typed stands in no address and in no log, and another sign-in does not find it.
func TestLookingForSomebodyOnTheBlacklist(t *testing.T) {
	w := start(t)
	w.blacklisted()
	v := w.as(access.Admin, "zh")
	to := v.post("/blacklist", url.Values{"needle": {"旧账号"}}).want(http.StatusSeeOther).header.Get("Location")
	if !regexp.MustCompile(`^/blacklist\?q=[A-Za-z0-9_-]{12}$`).MatchString(to) {
		t.Fatalf("led to %s", to)
	}
	v.get(to).want(http.StatusOK).says("旧账号勿扰", "共 1 位", `value="旧账号"`).hides("比价小能手")
	another := w.as(access.Admin, "zh")
	if at := another.get(to).want(http.StatusSeeOther).at(); at != "/blacklist" {
		t.Errorf("a search that is gone leads to %s", at)
	}
	another.get("/blacklist").want(http.StatusOK).says("搜索内容只为当前登录保存", "比价小能手").hides(`value="旧账号"`)
	if strings.Contains(w.log.String(), "旧账号") {
		t.Error("what was looked for is in the log")
	}
	var kept int
	if err := w.pool.QueryRow(t.Context(), `select count(*) from sign_in_queries where position(convert_to('旧账号', 'UTF8') in sealed) > 0`).Scan(&kept); err != nil || kept > 0 {
		t.Errorf("what was looked for can be read in the database (%v)", err)
	}
	v.post("/blacklist", url.Values{"needle": {""}}).want(http.StatusSeeOther)
}

func TestThePagesOfALongBlacklist(t *testing.T) {
	w := start(t)
	w.associations()
	for i := range 53 {
		run(w, commands.BlacklistCustomer{Customer: w.customer(fmt.Sprint("v-", i), fmt.Sprint("somebody-", i, ";")), Reason: "spam"})
	}
	w.seen()
	v := w.as(access.Admin, "en")
	first := v.get("/blacklist").want(http.StatusOK).says("somebody-52;", "somebody-3;").hides("somebody-2;")
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(first.body)
	second := v.get(strings.ReplaceAll(next[1], "&amp;", "&")).want(http.StatusOK).says("somebody-2;", "somebody-0;", `rel="prev"`).hides("somebody-3;", `rel="next"`)
	if len(second.body) > 60_000 || len(first.body) > 60_000 {
		t.Errorf("pages of %d and %d bytes", len(first.body), len(second.body))
	}
}

func TestWhoSeesTheBlacklist(t *testing.T) {
	w := start(t)
	w.blacklisted()
	w.as(access.Analyst, "en").get("/blacklist").want(http.StatusOK).says("***").hides("旧账号", "/remove", `role="search"`)
	agent := w.as(access.Agent, "en")
	agent.get("/blacklist").want(http.StatusForbidden).hides(`href="/blacklist"`)
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	agent.get("/blacklist").want(http.StatusOK).says(`href="/blacklist"`, "Nobody is on the blacklist") // but no customers of one's own
	w.as(access.Operator, "en").get("/blacklist").want(http.StatusForbidden)
}
