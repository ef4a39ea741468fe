package pages

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/commands"
)

// moody is an API that refuses everything while it is told to.
type moody struct {
	http.Handler
	refuses atomic.Bool
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !m.refuses.Load() {
		m.Handler.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusTooManyRequests)
	_ = json.NewEncoder(w).Encode(api.Problem{Status: http.StatusTooManyRequests, Code: "RATE_LIMITED", Title: "请求太多", Detail: "请稍后再试。"})
}

func startMoody(t *testing.T) (*world, *moody) {
	m := &moody{}
	return start(t, func(c *Config) { m.Handler, c.API = c.API, m }), m
}

// What renews itself stays where it is while the API refuses, says that it is not up to date, and goes on afterwards.
func TestWhatRenewsItselfOutlastsARefusal(t *testing.T) {
	w, mood := startMoody(t)
	k := w.known()
	b := w.window(access.Admin, look{language: "zh"}).refuses("429 /")
	b.visit(pathOf(k.id)).sees(".flow")
	mood.refuses.Store(true)
	b.sees("#next .not-updated").accessible().shot("customer.not_updated")
	mood.refuses.Store(false)
	w.wroteMessage(2, "v-20481937", commands.Message{Kind: "text", Text: "还在吗？"}, 0, nil)
	b.says(".flow", "还在吗？").until(`document.querySelector("#next") && !document.querySelector(".not-updated")`)

	tag := w.tag("新客")
	w.seen()
	b.visit("/groups/new").says("#preview", "添加一个条件")
	mood.refuses.Store(true)
	value := `[name="c.0.value"][value="` + tag.String() + `"]`
	b.click(value).sees("aside > .not-updated").sees("#preview").shot("group.not_updated")
	b.click(`#group-form button[value="add "]`).says("#toasts .bad", "请求太多：请稍后再试。").sees("#group-form").accessible().shot("group.refused")
	mood.refuses.Store(false)
	b.click(`#group-form button[value="add "]`).sees(`[name="c.2.field"]`).says("#preview dd", "0").until(`!document.querySelector(".not-updated") && document.querySelector('` + value + `').checked`)

	b.visit("/customers").sees(".per-day figure, .per-day .small")
	mood.refuses.Store(true)
	b.until(`fetch("/customers/tabs", {headers: {"HX-Request": "true"}}).then(a => a.status === 204)`).sees(".views .tabs")
}

// When the server is gone, links and forms say so, and what was typed stays.
func TestTheServerIsGone(t *testing.T) {
	w := start(t)
	w.tag("VIP")
	w.seen()
	b := w.window(access.Admin, look{language: "en"}).refuses("net /")
	gone := func(is bool) {
		b.do(command(network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{
			{Offline: is, DownloadThroughput: -1, UploadThroughput: -1}}}))
	}
	b.visit("/tags").says("tbody", "VIP")
	gone(true)
	b.click(`.nav a[href="/blacklist"]`).says("#toasts .bad", "The page is as it was").says("h1", "Tags").accessible().shot("gone.link")
	b.write("#f-name", "Regular").click("main form .primary").says("#toasts .bad", "may or may not be saved").until(`document.querySelector("#f-name").value === "Regular" && document.querySelectorAll("#toasts > *").length === 1`)
	gone(false)
	b.click("#toasts [data-dismiss]").click("main form .primary").says("#toasts", "Regular").says("tbody", "Regular")
	b.click(`tbody a[href$="/rename"]`).sees("#dialogs dialog[open]").write("#f-new_name", "Gold")
	gone(true)
	b.click("#dialog .primary").says("#dialog .bad", "may or may not be saved").accessible().shot("gone.dialog")
	gone(false)
	b.click("#dialog .primary").says("#toasts", "Gold")
}
