package pages

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestSessionsLook(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "sessions.empty", "/sessions")
	open := w.talks()
	w.looks(access.Admin, "sessions", "/sessions", "sessions.filtered", "/sessions?period=today&association=2&rating=high", "sessions.none", "/sessions?channel=phone",
		"sessions.blacklist", "/sessions/"+open.Session.String()+"/blacklist")
}

// By mouse: conditions are chosen in a panel, told as chips, and taken away; somebody goes onto the blacklist and off again.
func TestSessionsByMouse(t *testing.T) {
	w := start(t)
	w.talks()
	b := w.window(access.Admin, look{language: "zh"}).refuses("422 /sessions")
	b.visit("/sessions").click(`[popovertarget="filter"]`).sees("#filter").accessible().shot("sessions.filter")
	b.until(`(document.querySelector("#f-rating").value = "low")`).click("#filter .primary").says(".chips", "差评").says(".pager", "共 1 次会话").says("tbody", "阿黎")
	if b.address() != "/sessions?rating=low" {
		t.Errorf("ended at %s", b.address())
	}
	b.click("tbody tr .act a").sees("#dialogs dialog[open]").says("#dialog-title", "阿黎").accessible()
	b.write("#f-reason", "恶意差评").click("#dialog button.danger").says("#toasts", "已加入黑名单").says("tbody tr .act", "移除黑名单").accessible().shot("sessions.blacklisted")
	b.click("#toasts form button").says("#toasts", "已移出黑名单").says("tbody tr .act", "加入黑名单")
	b.click(".chips a").says(".pager", "共 5 次会话").click(".tabs li:nth-child(2) a").says(".pager", "共 1 次会话").says("tbody", "秒回")
}

// By keyboard: the same, and back.
func TestSessionsByKeyboard(t *testing.T) {
	w := start(t)
	w.talks()
	b := w.window(access.Admin, look{language: "en", width: narrow}).refuses("422 /sessions")
	b.visit("/sessions").press("/").until(`document.activeElement.id === "needle"`).press("5512008812", kb.Enter).says(".chips", "5512008812").says(".pager", "1 session")
	b.focus("#main").press("j").until(`document.activeElement.closest("tbody tr:nth-child(1)")`)
	b.press(kb.Tab, kb.Enter).sees("#dialogs dialog[open]").until(`document.activeElement.id === "f-reason"`).accessible().shot("sessions.ask.narrow")
	b.press("spam", kb.Tab, kb.Tab, kb.Tab, kb.Enter).says("#toasts", "is on the blacklist")
	b.focus(`[popovertarget="filter"]`).press(kb.Enter).sees("#filter").accessible().shot("sessions.filter.narrow")
	b.press(kb.Escape).until(`!document.querySelector("#filter:popover-open")`).until(`document.activeElement.matches('[popovertarget="filter"]')`)
}
