package pages

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestBlacklistLooks(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "blacklist.empty", "/blacklist")
	id := w.blacklisted()
	w.looks(access.Admin, "blacklist", "/blacklist", "blacklist.remove", "/blacklist/"+id.String()+"/remove")
}

// By mouse: the dialog comes over the page, names whom it is about, and what was done can be undone.
func TestRemovingByMouse(t *testing.T) {
	w := start(t)
	w.blacklisted()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/blacklist").click("tbody tr:first-child .act a").sees("#dialogs dialog[open]")
	b.says("#dialog-title", "秒回加V<b>看图</b>").accessible().shot("blacklist.ask")
	if b.address() != "/blacklist" {
		t.Errorf("the dialog is at %s", b.address())
	}
	b.click("#dialog [data-close]").until(`!document.querySelector("dialog[open]")`)
	b.click("tbody tr:first-child .act a").sees("#dialogs dialog[open]").click("#dialog button.danger")
	b.says("#toasts", "已移出黑名单").says(".pager", "共 3 位").accessible().shot("blacklist.removed")
	b.click("#toasts form button").says(".pager", "共 4 位").says("#toasts", "已重新加入黑名单")
	b.click("#toasts [data-dismiss]").until(`!document.querySelector("#toasts").children.length`)
}

// By keyboard: the same.
func TestRemovingByKeyboard(t *testing.T) {
	w := start(t)
	w.blacklisted()
	b := w.window(access.Admin, look{language: "en"})
	b.visit("/blacklist").press("j", "j").until(`document.activeElement.closest("tbody tr:nth-child(2)")`)
	b.press("k").until(`document.activeElement.closest("tbody tr:nth-child(1)")`)
	b.focus("tbody tr:first-child .act a")
	b.press(kb.Enter).sees("#dialogs dialog[open]").press(kb.Escape).until(`!document.querySelector("dialog[open]")`)
	b.until(`document.activeElement.matches("tbody tr:first-child .act a")`) // where one was
	b.press(kb.Enter).sees("#dialogs dialog[open]").press(kb.Tab, kb.Enter).says("#toasts", "is off the blacklist").says(".pager", "3 in all")
	b.press("/").until(`document.activeElement.id === "needle"`).press("6092217745", kb.Enter).says(".chips", "6092217745").says(".pager", "1 in all")
	b.press(kb.Escape).focus("#main")
	b.press("?").sees("#keys[open]").accessible().press(kb.Escape).until(`!document.querySelector("#keys[open]")`)
}
