package pages

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestShellLooks(t *testing.T) {
	w := start(t, func(c *Config) { c.Parts = true })
	secret, err := w.signIns.Link(t.Context(), w.made[access.Admin].ID, access.SignInFor)
	if err != nil {
		t.Fatal(err)
	}
	w.looks("", "signin", "/sign-in?why=idle", "link", "/sign-in/"+secret)
	w.looks(access.Admin, "missing", "404 /nothing", "parts", "/_parts")
	w.looks(access.Operator, "operator", "/")
}

// Going on from page to page, back, and to the language and theme, with what htmx swaps and what it does not.
func TestGoingAround(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/").says("h1", "客户中心").click(`.nav a[href="/blacklist"]`).says("h1", "黑名单").until(`document.title === "黑名单 · 青屿生活"`)
	b.click(`.nav a[href="/tags"]`).says("h1", "客户标签").until(`document.title === "客户标签 · 青屿生活" && location.pathname === "/tags"`)
	b.until(`document.querySelector(".nav [aria-current]").getAttribute("href") === "/tags" && document.activeElement.id === "main"`)
	b.until(`(history.back(), true)`).says("h1", "黑名单").until(`document.querySelector(".nav [aria-current]").getAttribute("href") === "/blacklist"`)
	b.click(".more").sees("#account").accessible().shot("account")
	b.click(`#account [value="dark"]`).until(`document.documentElement.dataset.theme === "dark"`).accessible()
	b.click(".more").click(`#account [value="en"]`).says("h1", "Blacklist")
	b.click(".more").click(`#account [action="/sign-out"] button`).says("main", "You are signed out")

	b = w.window(access.Admin, look{language: "zh", width: narrow})
	b.visit("/blacklist").click(".places").sees("#places").accessible().shot("places")
	b.click(`#places a[href="/tags"]`).says("h1", "客户标签").until(`!document.querySelector("#places:popover-open")`)
}

// Somebody whose sign-in has ended comes to the sign-in page as a whole, and from there back.
func TestASignInThatEndsMeanwhile(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/blacklist")
	w.clock.move(access.SignInIdle)
	b.click(`.nav a[href="/tags"]`).says(".signin", "2 小时没有操作").write("#f-token", w.texts[access.Admin]).press(kb.Enter).says("h1", "黑名单")
}
