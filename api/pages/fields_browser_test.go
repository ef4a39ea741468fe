package pages

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestFieldsLook(t *testing.T) {
	w := start(t)
	w.customField("户型", "select", "两室一厅", "三室两厅")
	w.customField("预计入住", "date")
	w.customField("一个名字很长很长很长很长很长很长很长很长很长很长很长很长很长的字段🏡", "multiline")
	w.looks(access.Admin, "fields", "/fields", "fields.one", "/fields/field", "fields.system", "/fields/phone", "fields.new", "/fields/new-field", "fields.remove", "/fields/field/remove")
	b := w.window(access.Agent, look{language: "zh"})
	b.visit("/fields").accessible().shot("fields.agent")
}

// drag moves the mouse from one element to another with the button down.
func (b *window) drag(from, to string) *window {
	b.t.Helper()
	at := func(selector string) (x, y float64) {
		box := value[[]float64](b, fmt.Sprintf("(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector(%s).getBoundingClientRect())", quoted(selector)))
		return box[0], box[1]
	}
	x, y := at(from)
	toX, toY := at(to)
	for i, step := range []struct {
		kind input.DispatchMouseEventType
		x, y float64
	}{{input.DispatchMouseEventTypeMouseMoved, x, y}, {input.DispatchMouseEventTypeMousePressed, x, y}, {input.DispatchMouseEventTypeMouseMoved, x, (y + toY) / 2}, {input.DispatchMouseEventTypeMouseMoved, toX, toY}, {input.DispatchMouseEventTypeMouseReleased, toX, toY}} {
		event := input.DispatchMouseEventParams{Type: step.kind, X: step.x, Y: step.y}
		if i > 0 {
			event.Button, event.ClickCount, event.Buttons = input.MouseButtonLeft, 1, 1
		}
		b.do(command(input.DispatchMouseEvent, event))
	}
	return b
}

func TestOrderingFieldsInTheBrowser(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"})
	place := func(key string, n int) *window {
		return b.until(fmt.Sprintf(`document.querySelector(".sortable > li:nth-child(%d) [name=order]").value === %q`, n, key))
	}
	// By keyboard: Escape puts it back, and when nothing more is pressed the order is saved. The focus stays.
	b.visit("/fields").focus("#grip-phone").press(kb.ArrowUp, kb.ArrowUp)
	place("phone", 2).says("sortable-list [role=status]", "手机：第 2 位，共 9 位")
	b.press(kb.Escape)
	place("phone", 4).press(kb.ArrowDown, kb.Enter).says("#toasts", "新的顺序已保存")
	place("phone", 5).until(`document.activeElement.id === "grip-phone"`)
	b.press(kb.ArrowDown).until(`document.querySelector(".sample").innerText.indexOf("手机") > document.querySelector(".sample").innerText.indexOf("微信号")`)
	b.accessible().shot("fields.ordered")
	// By mouse, and taken back.
	b.drag("#grip-description", "#grip-name").says("#toasts", "新的顺序已保存")
	place("description", 3).until(`document.querySelector(".sample dt:nth-of-type(3)").textContent === "描述"`).click("#toasts form button")
	place("description", 9).until(`document.querySelector(".sample dt:last-of-type").textContent === "描述"`)
	b.click("#shown-qq").says("#toasts", "不再显示“QQ”").until(`document.querySelector("#shown-qq").getAttribute("aria-checked") === "false" && document.activeElement.id === "shown-qq"`)
	b.press(" ").says("#toasts", "现在显示“QQ”").accessible()
}

func TestMakingAFieldInTheBrowser(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"}).refuses("409 /fields", "422 /fields", "412 /fields")
	b.visit("/fields").click(".head .primary").sees("#f-label").until(`document.activeElement.id === "f-label"`).until(`!document.querySelector("#f-more").checkVisibility()`)
	b.write("#f-label", "手机").click(`[value="select"]`).write("#f-more", "两室\n三室").click("#field-form footer .primary").sees(".wrong").accessible().shot("fields.new.wrong")
	b.write("#f-label", "户型").press(kb.Enter).says("#toasts", "已添加字段“户型”").says(".sample", "户型")
	b.click(`.sortable a[href="/fields/field"]`).sees("#f-o1")
	b.drag("#grip-o2", "#grip-o1").until(`document.querySelector(".options > li:first-child [name=option_id]").value === "o2"`)
	b.write("#f-o1", "两居").click(".options > li:first-child [name=gone]").sees(".going").accessible().shot("fields.going")
	b.write("#f-more", "四居").click("#field-form footer .primary").says("#toasts", "已保存").says("#history", "四居").until(`!document.querySelector("#f-o2")`)
	b.click("a[href$='/remove']").sees("#dialogs dialog[open]").accessible().shot("fields.remove.ask")
	b.click("#dialog button.danger").says("#toasts", "已删除字段“户型”")
	if b.address() != "/fields" {
		t.Errorf("ended at %s", b.address())
	}
}

// What could not be sent, because the network failed, is sent with the next move.
func TestOrderingFieldsWithoutNetwork(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"}).refuses("409 /fields", "422 /fields", "412 /fields")
	cut := func(is bool) {
		b.do(command(network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: is, DownloadThroughput: -1, UploadThroughput: -1}}}))
	}
	b.visit("/fields")
	cut(true)
	b.focus("#grip-phone").press(kb.ArrowUp, kb.Enter).until(`document.querySelector("sortable-list").sent === false`)
	cut(false)
	b.mu.Lock()
	b.troubles = nil // htmx tells the console that it could not fetch
	b.mu.Unlock()
	b.press(kb.ArrowUp, kb.Enter).says("#toasts", "新的顺序已保存").until(`document.querySelector(".sample dt:nth-of-type(2)").textContent === "手机"`)
}
