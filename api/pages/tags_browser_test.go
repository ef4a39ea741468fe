package pages

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestTagsLook(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "tags.empty", "/tags")
	for _, name := range []string{"意向客户", "老客回购", "VIP", "装修中", "团购", "一个名字很长很长很长很长很长很长很长很长的标签"} {
		w.tag(name)
	}
	w.looks(access.Admin, "tags", "/tags")
}

func TestTagsInTheBrowser(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"}).refuses("422 /tags", "409 /tags", "412 /tags")
	b.visit("/tags").write("#f-name", "VIP").press(kb.Enter).says("#toasts", "已添加标签“VIP”").says("tbody tr", "VIP")
	if b.address() != "/tags" {
		t.Errorf("ended at %s", b.address())
	}
	b.write("#f-name", "vip").press(kb.Enter).sees(".add .wrong").accessible() // there is one already
	b.visit("/tags").click("tbody tr .act a:first-child").sees("#dialogs dialog[open]")
	b.until(`document.activeElement.id === "f-new_name"`)
	b.write("#f-new_name", "a,b").press(kb.Enter).sees("#dialogs dialog[open] .wrong").accessible().shot("tags.rename.wrong")
	b.write("#f-new_name", "大客户").press(kb.Enter).says("#toasts", "已改名为“大客户”").until(`!document.querySelector("dialog[open]")`)
	b.click("#toasts form button").says("tbody tr", "VIP")
	b.click("tbody tr .act a.danger").sees("#dialogs dialog[open]").click("#dialog button.danger").says("#toasts", "已删除标签“VIP”").sees(".empty")
}
