package pages

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/settings"
)

func TestCustomerLooks(t *testing.T) {
	w := start(t)
	k := w.known()
	w.inGroup(k.id)
	never := run(w, commands.CreateCustomer{Association: 3, ExternalID: "oNever8t5Pp0oIiUuYyTtRrEeWwQqAa", Profile: customer.Profile{Nickname: "没说过话"}}).Customer
	run(w, commands.BlacklistCustomer{Customer: never, Reason: "冒充官方客服索要验证码，已劝阻两次。"})
	w.seen()
	path := pathOf(k.id)
	w.looks(access.Admin, "customer", path, "customer.rated", path+"?session="+k.rated.String(), "customer.changes", path+"/changes", "customer.edit", path+"/fields/likes",
		"customer.listed", pathOf(never), "customer.blacklist", path+"/blacklist")
	run(w, commands.SetAgentAccess{Access: settings.AgentAccess{}})
	w.looks(access.Agent, "customer.agent", path)
	w.looks(access.Analyst, "customer.analyst", path)
}

// By mouse: tags, why somebody is in a group, and the blacklist, without losing what one is writing.
func TestWorkingOnACustomerByMouse(t *testing.T) {
	w := start(t)
	k := w.known()
	w.inGroup(k.id)
	b := w.window(access.Admin, look{language: "zh"})
	b.visit(pathOf(k.id)).write("#f-text", "正在写的回复")
	b.click("#tag-add").sees("#tag-picker:popover-open").accessible().shot("customer.tags")
	b.write("#tag-picker input[name=name]", "装修").until(`document.querySelectorAll("#tag-choices > :not([hidden])").length === 1`)
	b.click("#tag-choices > :not([hidden])").says("#toasts", "已添加标签“装修中”").says("#aside .tags", "装修中")
	b.until(`document.querySelector("#f-text").value === "正在写的回复"`)
	b.click("#toasts form button").says("#toasts", "已移除标签“装修中”")
	b.click("[popovertarget^=why-]").sees("[id^=why-]:popover-open").says("[id^=why-]", "VIP").accessible().shot("customer.why")
	b.press(kb.Escape)
	b.click("#v-phone .edit").until(`document.activeElement.id === "e-phone"`).accessible().shot("customer.phone")
	b.write("#e-phone", "139 1111 2222").click("#v-phone form .primary").says("#v-phone", "139 1111 2222").says("#toasts", "已保存")
	b.until(`document.querySelector("#f-text").value === "正在写的回复"`)
	if b.address() != pathOf(k.id) {
		t.Errorf("ended at %s", b.address())
	}
	b.click("#aside [href*='/blacklist']").sees("#dialogs dialog[open]").write("#f-reason", "连续发送广告").click("#dialog button.danger").says("#toasts", "已加入黑名单").says("#aside", "连续发送广告")
	b.click("#toasts form button").says("#toasts", "已移出黑名单")
}

// By keyboard: a field is changed and left alone, a message is answered, and what the customer says then appears by itself.
func TestWorkingOnACustomerByKeyboard(t *testing.T) {
	w := start(t)
	k := w.known()
	b := w.window(access.Admin, look{language: "en"}).refuses("422 /customers/")
	b.visit(pathOf(k.id))
	// A key that comes before the new form is wired, within milliseconds, makes the browser follow the link by itself.
	wired := `document.activeElement.id === "e-company" && document.querySelector("#v-company [data-cancel][data-htmx-powered]")`
	b.focus("#v-company .edit").press(kb.Enter).until(wired).press(kb.Escape).until(`document.activeElement.matches("#v-company .edit")`)
	b.press(kb.Enter).until(wired).write("#e-company", "青屿设计").press(kb.Enter).says("#v-company", "青屿设计")
	b.until(`document.activeElement.matches("#v-company .edit")`)
	b.focus("#v-area .edit").press(kb.Enter).until(`document.activeElement.id === "e-area"`).write("#e-area", "many").press(kb.Enter).sees("#v-area .wrong").accessible()
	b.press(kb.Escape).until(`document.activeElement.matches("#v-area .edit")`)

	b.focus("#f-text").write("#f-text", "周三下午可以吗？").press(kb.Tab, kb.Enter).says(".flow", "周三下午可以吗？").until(`document.querySelector("#f-text").value === "" && document.activeElement.id === "f-text"`)
	w.wroteMessage(2, "v-20481937", commands.Message{Kind: "text", Text: "可以，谢谢！"}, 0, nil)
	b.says(".flow", "可以，谢谢！").accessible()
	b.until(`document.querySelectorAll(".flow [id^=i-]").length === new Set([...document.querySelectorAll(".flow [id^=i-]")].map(e => e.id)).size`)
	b.focus(".tabs li:last-child a").press(kb.Enter).says("#log", "青屿设计").until(`location.pathname.endsWith("/changes")`)
}

// What was said before comes in above, and one stays where one was; another session is read without losing the rest of the page.
func TestReadingByMouse(t *testing.T) {
	w := start(t)
	w.associations()
	var first, last commands.Done
	for i := range 80 {
		last = w.wrote("qy_1", fmt.Sprint("message ", i, ";"), time.Duration(200-i)*time.Minute)
		if i == 0 {
			first = last
		}
		if i == 20 {
			w.did(commands.AbortSession{Session: commands.SessionRef{ID: last.Session}, By: domain.PartySystem, Cause: "timeout"}.Run(t.Context(), w.center, w.at("channel", 179*time.Minute+30*time.Second)))
		}
	}
	w.seen()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit(pathOf(last.Customer)).until(`document.querySelector(".scroller").getBoundingClientRect().bottom - document.querySelector(".flow").lastElementChild.previousElementSibling.getBoundingClientRect().bottom >= 0`)
	b.says(".flow", "message 79;")
	place := value[float64](b, `document.querySelector("#earlier").scrollIntoView(), document.querySelector("#earlier + .items > *").getBoundingClientRect().top`)
	id := value[string](b, `document.querySelector("#earlier + .items > *").id`)
	b.click("#earlier").says(".flow", "message 0;").until(`!document.querySelector("#earlier")`)
	if moved := value[float64](b, `document.getElementById("`+id+`").getBoundingClientRect().top`) - place; moved < -60 || moved > 60 {
		t.Errorf("what was read moved by %v", moved)
	}
	if n := value[int](b, `document.querySelectorAll(".flow .said").length`); n != 80 {
		t.Errorf("%d messages", n)
	}
	b.click("#v-name .edit").sees("#e-name").write("#e-name", "还没保存")
	b.click(".picklist li:last-child a").says(".scroller.from-top", "message 0;").until(`location.search === "?session=` + first.Session.String() + `"`)
	b.until(`document.querySelector("#e-name").value === "还没保存"`).accessible()
	b.click("#later").says(".flow", "message 79;").until(`!document.querySelector("#later")`)
	b.click(".reply button.primary").says("#toasts", "会话已由你接待").sees("#f-text")
}
