package pages

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/customer"
	fields "customercenter/domain/field"
)

func TestCustomersLook(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "customers.empty", "/customers")
	w.crowd()
	w.looks(access.Admin, "customers", "/customers", "customers.filter", "/customers/filter", "customers.export", "/customers/export", "customers.columns", "/customers/columns", "customers.save", "/customers/views/new?view=all")
}

// Every kind of condition, groups in groups, and what is kept as it is.
func TestConditionsLook(t *testing.T) {
	w := start(t)
	w.crowd()
	run(w, commands.AddField{Key: "level", Type: "select", Label: "等级", Options: []fields.Choice{{Label: "金"}, {Label: "银"}}})
	for i := range 30 {
		w.tag(fmt.Sprintf("第 %d 个名字很长很长很长很长的标签", i))
	}
	w.seen()
	filter := `{"all":[{"field":"created_at","op":"between","value":["2026-10-31T16:00:00Z","2026-11-30T16:30:00Z"]},{"field":"last_session_at","op":"older_than","value":{"days":30},"unset":true},
		{"field":"tags","op":"is_empty"},{"any":[{"field":"company","op":"in","value":["示例公司","Example Ltd"]},{"all":[{"field":"session_count","op":"between","value":{"from":2,"to":10}},{"field":"custom.level","op":"in","value":["o1"]}]}]},
		{"not":{"all":[{"field":"qq","op":"is_set"},{"field":"email","op":"is_set"}]}},{"field":"association","op":"in","value":["1"]},{"field":"groups","op":"has_any","value":["0190a1b2-0000-7000-8000-000000000000"]}]}`
	w.looks(access.Admin, "conditions", "/customers/filter?filter="+url.QueryEscape(filter))
}

// On a phone, what is done to many stays within the window.
func TestSelectingOnAPhone(t *testing.T) {
	w := start(t)
	w.crowd()
	b := w.window(access.Admin, look{language: "en", width: narrow, dark: true})
	b.visit("/customers").says(".tabs", "All 6").click("tbody tr:first-child .pick input").sees(".bulk").accessible().shot("customers.selected.390")
	b.click(".filters > a.button").sees("#dialogs dialog[open]").accessible().shot("customers.filter.over.390")
}

// A filter is put together with the mouse: rows come and go without the page, and the address has what was chosen.
func TestFilteringCustomersInTheBrowser(t *testing.T) {
	w := start(t)
	w.crowd()
	for i := range 12 {
		w.tag(fmt.Sprintf("标签 %d", i))
	}
	w.seen()
	b := w.window(access.Admin, look{language: "zh"}).refuses("422 /customers/filter")
	b.visit("/customers").says(".tabs", "全部 6").click(".filters > a.button").sees("#dialogs dialog[open] cc-conditions").shot("customers.filter.over")
	b.write("#dialog cc-picks input[type=search]", "老客").press(kb.Enter).says("cc-conditions > [role=status]", "2 位").accessible()
	b.click("#c\\.add").sees("#c\\.4\\.field").until(`document.activeElement.id === "c.4.field"`)
	b.selects("#c\\.4\\.field", "session_count").sees("#dialog input[name='c.4.value'][inputmode]")
	b.write("#dialog input[name='c.4.value']", "viel").click("#dialog footer .primary").sees("#dialog .wrong").accessible().shot("customers.filter.wrong")
	b.write("#dialog input[name='c.4.value']", "0").press(kb.Enter).until(`document.querySelectorAll("main tbody tr").length === 2`)
	b.says(".chips", "标签包含任一 老客回购").says(".chips", "会话数不少于 0").until(`!document.querySelector("dialog[open]")`)
	if !strings.Contains(b.address(), "session_count") {
		t.Errorf("the address is %s", b.address())
	}
	b.click(".chips li:first-child a").until(`document.querySelectorAll(".chips li").length === 2`)
	b.click("[popovertarget=sort]").click("#sort button[value=nickname]").says("[popovertarget=sort]", "昵称，按拼音").until(`document.querySelectorAll(".chips li").length === 2`)
	if !strings.Contains(b.address(), "sort=nickname") {
		t.Errorf("the address is %s", b.address())
	}
}

// Somebody is found by one character, and opened, with the keyboard alone. What was typed stands nowhere in the address.
func TestFindingACustomerByKeyboard(t *testing.T) {
	w := start(t)
	w.crowd()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/customers").says(".tabs", "全部").press("/").until(`document.activeElement.id === "needle"`).press("饱", kb.Enter)
	b.says(".empty", "没有客户符合这 1 个条件").accessible().shot("customers.none")
	b.write("#needle", "晚").press(kb.Enter).until(`document.querySelectorAll("main tbody tr").length === 1`).says(".chips", "包含“晚”")
	if strings.Contains(b.address(), "%E6") || strings.Contains(b.address(), "晚") {
		t.Errorf("the address is %s", b.address())
	}
	b.press(kb.Tab, "j").until(`document.activeElement.closest("tbody tr")`)
	b.press("x").sees(".bulk").says("main", "已选").accessible().shot("customers.selected")
	b.press("j").press(kb.Enter).until(`location.pathname.match(/^.customers.[0-9a-f-]{36}$/)`)
}

// All that match are tagged, the page of the job says what became of it, and it is undone.
func TestTaggingManyInTheBrowser(t *testing.T) {
	w := start(t)
	w.crowd()
	run(w, commands.CreateCustomer{Association: 1, ExternalID: "qy_77", Profile: customer.Profile{Nickname: "<b>顾南栀</b>"}})
	w.seen()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/customers?view=all").click("[data-pick-all]").sees(".bulk").click(".bulk button[value=tag]").sees("#dialogs dialog[open]")
	b.says("#dialog", "选中的 7 位").says("#dialog", "全部 7 位").accessible().shot("bulk.ask")
	b.click("#dialog input[name=scope][value=all]").click("#dialog footer .primary").says("h1", "批量打标签").says("main", "排队中").shot("bulk.queued")
	id := uuid.MustParse(regexpID.FindString(b.address()))
	w.workOn(id)
	b.says("main", "已完成").says("#bulk-job", "已改变").accessible().shot("bulk.done")
	b.click("#bulk-job .head a[data-dialog]").sees("#dialogs dialog[open]").click("#dialog footer .primary").says("h1", "正在撤销")
	w.workOn(id)
	b.says("main .status", "已撤销").shot("bulk.undone")
}

// selects chooses a value of a select, as a person does.
func (b *window) selects(selector, value string) *window {
	b.t.Helper()
	return b.until(fmt.Sprintf(`(e => (e.value = %s, e.dispatchEvent(new Event("change", {bubbles: true})), e.value === %s))(document.querySelector(%s))`, quoted(value), quoted(value), quoted(selector)))
}
