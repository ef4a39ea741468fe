package pages

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api"
	"customercenter/api/access"
)

func TestSystemLooks(t *testing.T) {
	w := start(t)
	w.lags = []api.Lag{{Part: "relay", Tenant: "acme", Position: 9, Head: 9}, {Part: "send-messages", Tenant: "acme"}}
	w.looks(access.Operator, "system.well", "/system", "system.tenants", "/system/tenants")
	build := w.troubled()
	w.looks(access.Operator, "system.troubled", "/system", "system.parked", "/system/models/customers/parked", "system.drop", fmt.Sprint("/system/models/sessions/drop?build=", build))
	w.looks(access.Admin, "system.admin", "/system")
}

// The page looks again by itself, and the focus stays where it was.
func TestSystemRefreshesItself(t *testing.T) {
	w := start(t)
	w.troubled()
	b := w.window(access.Operator, look{language: "zh"}).refuses("422 /system", "409 /system")
	b.visit("/system").says("#system", "3 小时").focus("tbody tr .act a")
	before := value[string](b, `document.activeElement.textContent`)
	w.lags = nil
	b.until(`!document.querySelector("#system").textContent.includes("3 小时")`)
	if after := value[string](b, `document.activeElement.textContent`); after != before {
		t.Errorf("the focus went from %q to %q", before, after)
	}
	if b.address() != "/system" {
		t.Errorf("went to %s", b.address())
	}
	// By keyboard: a dialog that names the effect, over the page.
	b.press(kb.Enter).sees("#dialogs dialog[open]").says("#dialog-title", "重建读模型").press(kb.Escape).until(`!document.querySelector("dialog[open]")`)
	b.click(".system-build form button").says("h1", "不一致").accessible().shot("system.differences")
	b.visit("/system").click(`.system-build a[href*="switch"]`).sees("#dialogs dialog[open]").click("#dialog button.primary").says("#toasts", "已改用构建").says(".system-build", "之前使用的版本").accessible()
	b.click("#toasts form button").says("#toasts", "已改用构建").says(".system-build", "可能与正在使用的不一致")
}
