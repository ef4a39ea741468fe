package pages

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/customer"
)

// began is the id of the job that an answer leads to.
func (s shown) began() uuid.UUID {
	s.t.Helper()
	found := regexp.MustCompile(`^/bulk/([0-9a-f-]{36})\?back=`).FindStringSubmatch(s.at())
	if found == nil {
		s.t.Fatalf("%s leads to %q", s.path, s.at())
	}
	return uuid.MustParse(found[1])
}

func TestBlacklistingMany(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	address := "/customers?view=all&filter=" + url.QueryEscape(string(condition("channel", "in", []string{"app"})))
	list := v.get(address).want(http.StatusOK)
	form := list.form("/customers/bulk")
	form.Set("action", "blacklist")
	for _, found := range regexp.MustCompile(`name=id value=([^ ]*)`).FindAllStringSubmatch(list.body, -1)[:2] {
		form.Add("id", found[1])
	}
	dialog := v.post("/customers/bulk", form).want(http.StatusOK).says("批量加入黑名单", "不再创建会话", "选中的 2 位", "符合当前条件的全部 3 位", `value="ids" checked`)
	form = dialog.form("/customers/bulk/start")
	form["scope"] = []string{"all"}
	v.post("/customers/bulk/start", form).want(http.StatusUnprocessableEntity).says(`class="wrong"`, `name="reason"`, `value="all" checked`)
	form.Set("reason", "刷单")
	form.Set("expires_at", "2001-01-01T00:00")
	v.post("/customers/bulk/start", form).want(http.StatusUnprocessableEntity).says(`value="刷单"`, `id="f-expires_at-wrong"`)
	form.Set("expires_at", "明年元旦")
	v.post("/customers/bulk/start", form).want(http.StatusUnprocessableEntity).says(`value="明年元旦"`, "看不懂这个时间")
	form.Set("expires_at", "")
	started := v.post("/customers/bulk/start", form).want(http.StatusSeeOther)
	id := started.began()
	v.get(started.at()).want(http.StatusOK).says("已开始", "排队中", "刷单", "渠道为APP", `src="/bulk/`+id.String()+`/events"`, `action="/bulk/`+id.String()+`/cancel"`)
	w.workOn(id)
	// One of them was on the list already.
	done := v.get(started.at()).want(http.StatusOK).says("已完成", `涉及客户</dt><dd data-live="selected">3<`, `已改变</dt><dd data-live="changed">2<`, `href="/customers?filter=`).hides("job-progress", "/cancel")
	events := v.get("/bulk/" + id.String() + "/events").want(http.StatusOK).says("event: end")
	if kind := events.header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("events are %s", kind)
	}
	v.get(done.leads("撤销")).want(http.StatusOK).says("2 位客户会恢复原样")
	// Meanwhile somebody is taken off by hand: that stays so.
	var off string
	for _, found := range regexp.MustCompile(`(?s)href="/customers/([0-9a-f-]{36})">晚风`).FindAllStringSubmatch(list.body, -1) {
		off = found[1]
	}
	run(w, commands.UnblacklistCustomer{Customer: uuid.MustParse(off)})
	w.seen()
	v.send("/bulk/"+id.String()+"/undo", url.Values{"back": {"/customers"}}).want(http.StatusOK).says("正在撤销")
	w.workOn(id)
	v.get("/bulk/"+id.String()).want(http.StatusOK).says("已撤销", "1 位没有撤销，原因", "晚风不晚").hides("撤销</a>")
}

func TestBulkPages(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "zh")
	v.post("/customers/bulk", url.Values{"action": {"blacklist"}, "view": {"all"}}).want(http.StatusOK).goldens("bulk.ask")
	started := v.post("/customers/bulk/start", url.Values{"action": {"blacklist"}, "reason": {"刷单"}, "scope": {"all"}, "view": {"all"}}).want(http.StatusSeeOther)
	v.get(started.at()).want(http.StatusOK).goldens("bulk.queued")
	w.workOn(started.began())
	v.get(started.at()).want(http.StatusOK).goldens("bulk.done")
}

func TestWhatIsRefusedOfMany(t *testing.T) {
	w := start(t)
	w.crowd()
	v := w.as(access.Admin, "en")
	gone := uuid.Must(uuid.NewV7()).String()
	tag := w.tag("New").String()
	w.seen()
	v.post("/customers/bulk", url.Values{"action": {"tag"}, "view": {"all"}}).want(http.StatusOK).says("All 6 who match now", ">New<").hides("selected", `value="ids"`)
	started := v.post("/customers/bulk/start", url.Values{"action": {"tag"}, "tag_id": {tag}, "scope": {"ids"}, "id": {gone, "nonsense"}}).want(http.StatusSeeOther)
	w.workOn(started.began())
	v.get(started.at()).want(http.StatusOK).says("Done", "1 was not changed, and why", short(gone))
	v.post("/customers/bulk/start", url.Values{"action": {"tag"}, "scope": {"ids"}, "id": {gone}}).want(http.StatusUnprocessableEntity)
	v.post("/customers/bulk/start", url.Values{"action": {"tag"}, "tag_id": {tag}, "scope": {"ids"}}).want(http.StatusUnprocessableEntity)
	// One that was not worked on yet is canceled.
	started = v.post("/customers/bulk/start", url.Values{"action": {"untag"}, "tag_id": {tag}, "scope": {"all"}, "view": {"all"}}).want(http.StatusSeeOther)
	v.send("/bulk/"+started.began().String()+"/cancel", url.Values{"back": {"/customers?view=all"}}).want(http.StatusOK).says("Canceled", `href="/customers?view=all"`)
	v.get("/bulk/" + gone).want(http.StatusNotFound)
	w.as(access.Agent, "en").get("/bulk/" + started.began().String()).want(http.StatusForbidden)
}

// The budget of the page that people have open all day: a filtered list of 50 rows, each with a name and another below it, three tags and a group; one in
// five has a session that has not ended.
func TestListOfCustomersIsSmall(t *testing.T) {
	w := start(t)
	w.associations()
	tags := []uuid.UUID{w.tag("VIP"), w.tag("老客回购"), w.tag("三个月内交房")}
	run(w, commands.DefineGroup{Name: "高价值客户", Rule: condition("tags", "has_any", []string{tags[0].String()})})
	for i := range 50 {
		id := "ovx8t5kfq2mn7rywlpzs3dhcj" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		run(w, commands.CreateCustomer{Association: 1, ExternalID: id, Profile: customer.Profile{Nickname: "不吃香菜的小满同学", Name: "欧阳予安"}, Tags: tags})
		if i%5 == 0 {
			w.wroteMessage(1, id, commands.Message{Kind: "text", Text: "在吗"}, time.Duration(i)*time.Minute, nil)
		}
	}
	w.seen()
	for _, language := range []string{"zh", "en"} {
		page := w.as(access.Admin, "zh").get("/customers?view=all&filter=" + url.QueryEscape(string(condition("tags", "has_any", tags[:2])))).want(http.StatusOK)
		if rows := strings.Count(page.body, "name=id "); rows != 50 || len(page.body) > 60_000 {
			t.Errorf("%s: %d rows in %d bytes", language, rows, len(page.body))
		}
		t.Logf("%s: %d bytes", language, len(page.body))
	}
	script := loadAssets().files["script.js"]
	if len(script.gzip) > 25_000 {
		t.Errorf("the script has %d bytes, compressed", len(script.gzip))
	}
	t.Logf("script: %d bytes, compressed", len(script.gzip))
}
