package pages

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"customercenter/api/access"
	"customercenter/commands"
)

var regexpOlder = regexp.MustCompile(`href="(/settings\?before=\d+)#history"`)

func TestSettingsPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/settings").want(http.StatusOK).goldens("settings.empty")
	day, link, on := "sunday", "https://shop.example/orders?buyer={external_id}", true
	run(w, commands.ChangeSettings{WeekStart: &day, OrderLink: &link, CustomerCenter: &on})
	v.get("/settings").want(http.StatusOK).goldens("settings.full")
	v.post("/settings", url.Values{"time_zone": {"Mars/Olympus"}, "week_start": {"friday"}, "order_link": {"http://x"}}).want(http.StatusUnprocessableEntity).
		goldens("settings.error").says(`value="Mars/Olympus"`, `value="friday" selected`)
}

func TestChangingSettings(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	form := url.Values{"time_zone": {"Asia/Tokyo"}, "week_start": {"sunday"}, "customer_center": {"true"}, "order_link": {"https://shop.example/{external_id}"}}
	v.send("/settings", form).want(http.StatusOK).says("设置已保存", "撤销", `name="customer_center" value="true" checked`, "<code>https://shop.example/qy_20481937</code>",
		"<del>星期一</del> → <ins>星期日</ins>")
	v.send("/settings", form).want(http.StatusOK).says("没有改动")
	// Somebody was faster: what only they changed stands, and where both did, both values are shown. Nothing is lost.
	form["etag"], form["week_start"] = []string{`"1"`}, []string{"friday"}
	for name, value := range map[string]string{"time_zone": "Asia/Tokyo", "week_start": "monday", "customer_center": "", "blacklist": "", "order_link": "https://shop.example/{external_id}"} {
		form.Set("was_"+name, value)
	}
	v.post("/settings", form).want(http.StatusPreconditionFailed).says("刚才有人改了同一项设置", "现在是：星期日", `value="friday" selected`).hides("现在是：Asia/Tokyo")
	form.Set("week_start", "monday")
	v.send("/settings", form).want(http.StatusOK).says("没有改动", `value="sunday" selected`)
	form.Set("order_link", "")
	v.send("/settings", form).want(http.StatusOK).says("设置已保存", `value="sunday" selected`, `value="Asia/Tokyo"`)
	v.send("/settings", url.Values{"time_zone": {"Asia/Shanghai"}, "week_start": {"monday"}, "order_link": {""}}).want(http.StatusOK).says("设置已保存").
		hides(`name="customer_center" value="true" checked`)
}

// A long history comes in pages.
func TestSettingsHistoryInPages(t *testing.T) {
	w := start(t)
	for i := range 25 {
		day := weekDays[(i+1)%7]
		run(w, commands.ChangeSettings{WeekStart: &day})
	}
	v := w.as(access.Admin, "zh")
	first := v.get("/settings").want(http.StatusOK).says("更早的变更")
	older := regexpOlder.FindStringSubmatch(first.body)
	if older == nil {
		t.Fatal(first.body)
	}
	v.get(older[1]).want(http.StatusOK).says("回到最新").hides("更早的变更")
}
