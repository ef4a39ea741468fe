package pages

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
	"customercenter/projections"
)

// The strip is over both lists, and its page tells the numbers without script, too. Agents see their own customers only, so they are not told of everybody's.
func TestPerDayPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/customers/per-day").want(http.StatusOK).goldens("per_day.empty")
	w.talks()
	today := w.clock.now().In(time.FixedZone("", 8*3600)).Format(time.DateOnly)
	v.get("/customers/per-day").want(http.StatusOK).says("<title>"+today+" · 5</title>", "<dd>5</dd>").hides(today + " · 0")
	v.get("/sessions/per-day").want(http.StatusOK).says("<title>"+today+" · 5</title>", `<th scope="row" class="lead">`+today+`</th><td class="number" data-label="`)
	w.as(access.Analyst, "zh").get("/sessions/per-day").want(http.StatusOK).says("<dd>5</dd>")
	w.as(access.Agent, "zh").get("/sessions").want(http.StatusOK).hides("per-day")
	w.as(access.Agent, "zh").get("/sessions/per-day").want(http.StatusForbidden)
}

// Whether charts are folded is kept, and those that are folded are fetched when they are opened only.
func TestChartsStayFolded(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/sessions").says(`<details class="per-day" data-keep="charts" open hx-get="/sessions/per-day" hx-trigger="load"`)
	v.send("/preferences", url.Values{"charts": {"folded"}, "back": {"/customers"}}).want(http.StatusOK).
		says(`<details class="per-day" data-keep="charts" hx-get="/customers/per-day" hx-trigger="toggle once"`)
	v.send("/preferences", url.Values{"charts": {"nonsense"}, "back": {"/customers"}}).says(`"toggle once"`)
	v.send("/preferences", url.Values{"charts": {"open"}, "back": {"/customers"}}).says(`hx-trigger="load" hx-select="#per-day"`)
}

// Every day has its bar: the most to the top, one customer beside thousands to be seen, none without one.
func TestBars(t *testing.T) {
	b := barsOf([]projections.Day{{Date: "2026-11-24", Count: 1}, {Date: "2026-11-25"}, {Date: "2026-11-26", Count: 2400}, {Date: "2026-11-27", Count: 1200}}, 2400, "in words")
	want := []bar{{"1.5", "47.0", "1.0", "2026-11-24 · 1"}, {"21.5", "0.0", "48.0", "2026-11-26 · 2,400"}, {"31.5", "24.0", "24.0", "2026-11-27 · 1,200"}}
	if len(b.Bars) != len(want) || b.Width != 40 || b.From != "11-24" || b.Middle != "11-26" || b.End != "11-27" {
		t.Fatalf("got %+v", b)
	}
	for i := range want {
		if b.Bars[i] != want[i] {
			t.Errorf("got %+v, want %+v", b.Bars[i], want[i])
		}
	}
}

func TestPerDayLooks(t *testing.T) {
	w := start(t)
	w.talks()
	w.looks(access.Admin, "per_day", "/customers/per-day")
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/sessions").sees("#per-day svg").says("#per-day", "合计").accessible().shot("sessions.per_day")
	b.click(".per-day > summary").until(`!document.querySelector(".per-day").open`).until(`fetch("/sessions").then(r => r.text()).then(t => t.includes("toggle once"))`)
	b.visit("/customers").until(`!document.querySelector(".per-day").open && !document.querySelector("#per-day svg")`).accessible()
	b.focus(".per-day > summary").press(kb.Enter).sees("#per-day svg").says("#per-day", "合计")
}
