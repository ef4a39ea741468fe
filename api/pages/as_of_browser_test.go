package pages

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

func TestThePastLooks(t *testing.T) {
	w := start(t)
	moment := w.then()
	list := "/customers?view=all&" + asOf(moment)
	w.looks(access.Admin, "as_of.preparing", list, "customers.past.refused", "422 /customers?as_of=2999-01-01T00:00", "as_of.picker", "/customers/as-of?view=all")
	w.remembers()
	w.as(access.Admin, "zh").past(list)
	w.as(access.Admin, "zh").past("/sessions?" + asOf(moment))
	who := w.as(access.Admin, "zh").get(list).leads("那时就在")
	group := w.as(access.Admin, "zh").get("/groups").leads("高价值客户") + "?" + asOf(moment)
	w.as(access.Admin, "zh").past(group)
	w.looks(access.Admin, "customers.past", list, "sessions.past", "/sessions?"+asOf(moment), "sessions.past.refused", "422 /sessions?as_of=yesterday", "customer.past", who, "group.past", group)
}

// By mouse: a moment is picked, the list of then appears when it is ready, and leads back.
func TestLookingIntoThePastByMouse(t *testing.T) {
	w := start(t)
	moment := w.then()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/customers?view=all").says("main tbody", "后来才来").click(`.filters a[href*="/as-of"]`).sees("#dialogs dialog[open] #as-of-moment").accessible().shot("as_of.picker")
	b.until(fmt.Sprintf(`(e => (e.value = %s, e.value !== ""))(document.querySelector("#as-of-moment"))`, quoted(moment))).click("#dialog footer .primary")
	b.says("#as-of h1", "正在准备当时的数据").accessible()
	w.remembers()
	b.says(".notice", "时的客户").says("main tbody", "那时的标签").says(".tabs", "全部 7").until(`!document.querySelector("[data-pick-all], .bulk, .call")`).accessible().shot("customers.past")
	address := b.address()
	if !strings.Contains(address, "as_of=") || !strings.Contains(address, "view=all") {
		t.Errorf("the address is %s", address)
	}
	b.click("[popovertarget=sort]").click("#sort button[value=nickname]").says("[popovertarget=sort]", "昵称，按拼音").says(".notice", "时的客户")
	b.click("main tbody .lead a").says("#customer-head .notice", "时的样子").until(`!document.querySelector("#aside form, #records form")`).click(".tabs a[href*='/changes']").says("#log", "创建了客户").says("#customer-head .notice", "时的样子")
	b.click("#log li:last-child small a").says("#customer-head .notice", "时的样子").says(".tabs [aria-current]", "互动记录").click("#customer-head .notice a.button").until(`!location.search.includes("as_of") && document.querySelector("#tag-add")`)
	b.visit(address).click(".notice a.button").says("main tbody", "后来才来").until(`!location.search.includes("as_of") && !document.querySelector(".notice")`)
}

// With the keyboard alone: the control is reached, sent by Enter, and the way back is a link.
func TestLookingIntoThePastByKeyboard(t *testing.T) {
	w := start(t)
	w.remembers()
	moment := w.then()
	b := w.window(access.Admin, look{language: "en"})
	b.visit("/customers?view=all").says("main tbody", "后来才来").focus(`.filters a[href*="/as-of"]`).press(kb.Enter).sees("#dialogs dialog[open] #as-of-moment")
	b.until(fmt.Sprintf(`(e => (e.value = %s, e.value !== ""))(document.querySelector("#as-of-moment"))`, quoted(moment))).focus("#dialog footer .primary").press(kb.Enter)
	b.says(".notice", "Customers as they were on").focus(".notice a.button").press(kb.Enter).says("main tbody", "后来才来")
}
