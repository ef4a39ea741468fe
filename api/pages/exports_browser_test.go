package pages

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestExportLooks(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "exports.empty", "/exports")
	vips := w.someCustomers()
	v := w.as(access.Admin, "zh")
	old := w.export(vips, "csv")
	w.work(old)
	v.get(old + "/file")
	w.clock.move(8 * 24 * time.Hour)
	v = w.as(access.Admin, "zh")
	v.send(w.export(`{}`, "csv")+"/cancel", nil)
	ready := w.export(`{"all":[`+vips+`,{"field":"nickname","op":"contains","value":"晚"},{"any":[{"field":"session_open","op":"is","value":false},{"field":"imported","op":"is","value":true}]}]}`, "xlsx")
	w.work(ready)
	run(w, tooLarge(w.export(`{}`, "xlsx")))
	w.export(vips, "xlsx")
	w.seen()
	w.looks(access.Admin, "exports", "/exports", "exports.downloads", old+"/downloads", "exports.gone", "410 "+old+"/file")
}

// An export is asked for elsewhere; here one sees it being made, downloads it, and sees that this was recorded.
func TestAnExportInTheBrowser(t *testing.T) {
	w := start(t)
	path := w.export(w.someCustomers(), "csv")
	w.seen()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/exports").says("tbody .status", "排队中").until(`document.querySelector("job-progress").events.readyState === 1`).accessible()
	w.work(path)
	b.says("tbody .status", "可下载").says("#exports-told", "可下载").accessible()
	// Chromium does not say what it downloads without a folder for it; what comes is what the link leads to.
	b.focus(`tbody .act a[href$="/file"]`).press(kb.Enter).says("tbody", "1 次")
	if text := value[string](b, `fetch(document.querySelector(".act a").href).then(r => r.text())`); len(text) < 50 {
		t.Errorf("the file is %q", text)
	}
	b.click(`tbody a[href$="/downloads"]`).sees("#dialogs dialog[open]").says("#dialog", "shen.zhiyao").accessible().press(kb.Escape).until(`!document.querySelector("dialog[open]")`)
	w.export(`{}`, "csv")
	w.seen()
	b.visit("/exports").click(`tbody tr:first-child .act a`).sees("#dialogs dialog[open]").press(kb.Tab, kb.Enter).says("tbody .status", "已停止")
	b.focus("tbody tr:first-child .act button").press(kb.Enter).says("tbody .status", "排队中").says("#toasts", "已开始生成")
}
