package pages

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
)

// newcomer is somebody who is an admin since today, at a product that has been in use: everything runs, and follows by itself. The window shows
// what the one-time link shows; what is downloaded comes into the folder.
func newcomer(t *testing.T, language string) (b *window, k knownCustomer, downloads string) {
	w := start(t)
	w.policies()
	w.entitle()
	k = w.known()
	for i, name := range []string{"不吃香菜的小满同学", "Zoe·Lin", "阿麦<b>要早睡</b>"} {
		w.customer(fmt.Sprint("qy_204", i), name)
	}
	// Long ago the customer has said more than a page shows.
	long := w.wroteMessage(3, "oVx8t5KfQ2mN7rYwLpZs3dHcJ0bA", commands.Message{Kind: "text", Text: "第一句话"}, 90*24*time.Hour, nil)
	for i := range 70 {
		w.wroteMessage(3, "oVx8t5KfQ2mN7rYwLpZs3dHcJ0bA", commands.Message{Kind: "text", Text: fmt.Sprint("第 ", i+2, " 句")}, 90*24*time.Hour-time.Duration(i)*time.Minute, nil)
	}
	w.did(commands.AbortSession{Session: commands.SessionRef{ID: long.Session}, By: domain.PartySystem, Cause: "timeout"}.Run(t.Context(), w.center, w.at("channel", 80*24*time.Hour)))
	w.seen()
	w.inGroup(k.id)
	secret, err := w.signIns.Link(t.Context(), w.made[access.Admin].ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b = w.window("", look{language: language, time: 8 * time.Minute})
	downloads = b.downloads()
	return b.visit("/sign-in/" + secret), k, downloads
}

// downloads has the window put what it downloads into a folder.
func (b *window) downloads() string {
	b.t.Helper()
	dir := b.t.TempDir()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		about, err := cdp.Call(ctx, t, target.GetTargetInfo, target.GetTargetInfoParams{})
		if err == nil {
			_, err = cdp.Call(ctx, t, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
				Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: about.TargetInfo.BrowserContextID, DownloadPath: dir})
		}
		return err
	}))
	return dir
}

// downloaded waits until a file whose name ends so has come whole, and returns what is in it.
func (b *window) downloaded(dir, ending string) string {
	b.t.Helper()
	for end := time.Now().Add(longest); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(dir, "*"+ending))
		if err != nil {
			b.t.Fatal(err)
		}
		if len(found) > 0 {
			text, err := os.ReadFile(found[0])
			if err != nil {
				b.t.Fatal(err)
			}
			if len(text) == 0 {
				continue // the browser holds its place with an empty file, and puts the whole one there at once
			}
			if err := os.Remove(found[0]); err != nil {
				b.t.Fatal(err)
			}
			return string(text)
		}
	}
	b.went(fmt.Errorf("nothing like *%s was downloaded", ending))
	return ""
}

// tab presses Tab until the focus is where a selector says, as somebody without a mouse gets there.
func (b *window) tab(selector string) *window {
	b.t.Helper()
	b.sees(selector)
	for range 150 {
		if value[bool](b, "!!document.activeElement?.matches("+quoted(selector)+")") {
			return b
		}
		b.press(kb.Tab)
	}
	b.went(fmt.Errorf("Tab does not lead to %s", selector))
	return b
}

// has checks what was downloaded.
func (b *window) has(text string, parts ...string) {
	b.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			b.t.Errorf("the file does not say %q: %s", part, text)
		}
	}
}

// What people judge the product by: a new admin does everything that issue 6 names, without having read anything. By mouse.
func TestTheJourneyByMouse(t *testing.T) {
	b, k, downloads := newcomer(t, "zh")
	b.says("h1", "shen.zhiyao").click("button.primary").says("h1", "客户中心").until(`document.querySelectorAll("main tbody tr").length === 5`)

	// Somebody is found by one character of the name.
	b.click("#needle").write("#needle", "晚").press(kb.Enter).until(`document.querySelectorAll("main tbody tr").length === 1`).says("main tbody", "晚风不晚").shot("journey.found")
	b.click("main tbody tr .who").until(`location.pathname === "` + pathOf(k.id) + `"`)

	// Why they are in a group; all that was said.
	b.click("[popovertarget^=why-]").sees("[id^=why-]:popover-open").says("[id^=why-]", "VIP").shot("journey.why")
	b.press(kb.Escape)
	b.says(".flow", "可以的，您希望改到哪天？").says(".flow", "你好，想问下那款 1.6 米的橡木餐桌").says(".flow", "图纸看得很仔细。")

	// A tag, and the blacklist, which is taken back.
	b.click("#tag-add").sees("#tag-picker:popover-open").write("#tag-picker input[name=name]", "装修").click("#tag-choices > :not([hidden])").says("#aside .tags", "装修中")
	b.click("#aside [href*='/blacklist']").sees("#dialogs dialog[open]").write("#f-reason", "连续发送广告").selects("#f-end", "now").click("#dialog button.danger").says("#toasts", "已加入黑名单").says("#aside", "连续发送广告")
	b.says("#customer-head", "客户在黑名单中").shot("journey.listed")
	b.click("#toasts form button").says("#toasts", "已移出黑名单")

	// A callback.
	b.click("#customer-head .call .primary").sees("#dialogs dialog[open]").write("#dialog textarea", "您好，送货时间改好了。").click("#dialog footer .primary").says("#toasts", "会话已开启").says(".flow", "您好，送货时间改好了。").accessible().shot("journey.called")

	// Long histories come piece by piece.
	b.click(`.crumbs a`).click("#needle").write("#needle", "oVx8").press(kb.Enter).until(`document.querySelectorAll("main tbody tr").length === 1`).click("main tbody .lead a")
	b.says(".flow", "第 71 句").click("#earlier").says(".flow", "第一句话").until(`!document.querySelector("#earlier")`)

	// A group, with whoever would be in it, and an auto message to it.
	b.click(`.nav a[href="/groups"]`).click(`a[href="/groups/new"]`).write("#f-name", "装修的人").until(`[...document.querySelectorAll("[name='c.0.value']")].find(e => e.parentElement.textContent.includes("装修中"))?.click() ?? true`)
	b.says("#preview dd", "1").says("#preview", "晚风不晚").says("#preview", "将进入").shot("journey.group")
	b.click("#save").says("#toasts", "已创建分组").says("h1", "装修的人")
	b.until(`!document.querySelector("#group").hasAttribute("hx-get")`).says("tbody", "标签包含任一 装修中")
	b.click(`.nav a[href="/auto-messages"]`).click(`a[href="/auto-messages/new"]`).write("#f-name", "预告").write("#f-text", "您好，明晚八点见。")
	b.until(`[...document.querySelectorAll("[name=group]")].find(e => e.parentElement.textContent.includes("装修的人"))?.click() ?? true`).says("#preview dd", "1").click("#save").says("main", "草稿")
	b.click(`a[href$="/start"]`).sees("#dialogs dialog[open]").says("#dialog", "现在有 1 位客户会收到").click("#dialog button.primary").says("main", "发送中").says("tbody", "晚风不晚").shot("journey.sent")

	// A file with three broken rows, and their reasons.
	b.click(`.nav a[href="/customers"]`).click(`header a[href="/import"]`).choose("#f-file", "十一月门店客户.csv", threeBroken).click("file-upload .primary").says("#import .status", "待导入").says("#start", "导入 2 行")
	b.click("#start").says("#import .status", "已导入").says("tbody", "PHONE_TOO_LONG").shot("journey.imported")
	b.click(`a[href$="/rejected"]`)
	b.has(b.downloaded(downloads, ".csv"), "谷雨", "与第 2 行是同一客户", "“手机”超过 45 个字符")

	// An export, in its list, and its file.
	b.click(`.nav a[href="/customers"]`).click(`header a[href^="/customers/export"]`).sees("#dialogs dialog[open]").says("#dialog", "7 位客户").click("#dialog [name=format][value=csv]").click("#dialog footer .primary")
	b.says("h1", "导出管理").says("tbody .status", "可下载").click(`tbody .act a[href$="/file"]`)
	b.has(b.downloaded(downloads, ".csv"), "晚风不晚", "小满", "138 0000 4721", "装修中")
	b.says("tbody", "1 次").accessible().shot("journey.exported")
}

// The same without a mouse: whatever is done, Tab leads there, and Enter or the space bar does it. Files are chosen in the browser's own dialog.
func TestTheJourneyByKeyboard(t *testing.T) {
	b, k, downloads := newcomer(t, "en")
	b.tab("button.primary").press(kb.Enter).says("h1", "Customers").until(`document.querySelectorAll("main tbody tr").length === 5`)

	b.press("/").until(`document.activeElement.id === "needle"`).press("晚", kb.Enter).until(`document.querySelectorAll("main tbody tr").length === 1`)
	b.press(kb.Tab, "j").until(`document.activeElement.closest("tbody tr")`).press(kb.Enter).until(`location.pathname === "` + pathOf(k.id) + `"`)

	b.tab("[popovertarget^=why-]").press(kb.Enter).sees("[id^=why-]:popover-open").says("[id^=why-]", "VIP").press(kb.Escape).until(`!document.querySelector(":popover-open") && document.activeElement.matches("[popovertarget^=why-]")`)
	b.tab(".scroller").press(kb.Home).until(`document.querySelector(".flow").getBoundingClientRect().top >= document.querySelector(".scroller").getBoundingClientRect().top`).says(".flow", "你好，想问下那款 1.6 米的橡木餐桌")

	b.tab("#tag-add").press(kb.Enter).until(`document.activeElement.matches("#tag-picker input[name=name]")`).press("装修中", kb.Enter).says("#aside .tags", "装修中")
	b.tab("#aside [href*='/blacklist']").press(kb.Enter).until(`document.activeElement.id === "f-reason"`).press("spam", kb.Tab, kb.Tab, kb.End).until(`document.querySelector("#f-end").value === "now"`)
	b.tab("#dialog button.danger").press(kb.Enter).says("#aside", "spam").tab("#toasts form button").press(kb.Enter).until(`!document.querySelector("#aside").textContent.includes("spam")`)

	b.tab("#customer-head .call .primary").press(kb.Enter).until(`document.activeElement.matches("#dialog textarea")`).press("ok 👍", kb.Tab)
	b.tab("#dialog footer .primary").press(kb.Enter).says(".flow", "ok 👍").accessible()

	b.tab(`.nav a[href="/groups"]`).press(kb.Enter).tab(`a[href="/groups/new"]`).press(kb.Enter).tab("#f-name").press("Renovating")
	b.until(`[...document.querySelectorAll("[name='c.0.value']")].some(e => e.parentElement.textContent.includes("装修中") && (e.id = "chosen"))`).tab("#chosen").press(" ").says("#preview dd", "1").says("#preview", "晚风不晚").says("#preview", "enters")
	b.tab("#save").press(kb.Enter).says("h1", "Renovating").until(`!document.querySelector("#group").hasAttribute("hx-get")`).says("tbody", "晚风不晚")

	b.tab(`.nav a[href="/auto-messages"]`).press(kb.Enter).tab(`a[href="/auto-messages/new"]`).press(kb.Enter).tab("#f-name").press("Soon").tab("#f-text").press("8 pm")
	b.until(`[...document.querySelectorAll("[name=group]")].some(e => e.parentElement.textContent.includes("Renovating") && (e.id = "chosen"))`).tab("#chosen").press(" ").says("#preview dd", "1")
	b.tab("#save").press(kb.Enter).tab(`a[href$="/start"]`).press(kb.Enter).sees("#dialogs dialog[open]").tab("#dialog button.primary").press(kb.Enter).says("tbody", "晚风不晚")

	b.tab(`.nav a[href="/import"]`).press(kb.Enter).choose("#f-file", "november.csv", threeBroken).tab("file-upload .primary").press(kb.Enter).says("#import .status", "Tried")
	b.tab("#start").press(kb.Enter).says("#import .status", "Imported").tab(`a[href$="/rejected"]`).press(kb.Enter)
	b.has(b.downloaded(downloads, ".csv"), "谷雨", "Row 2 asks for the same customer", "“Phone” has more than 45 characters")

	b.tab(`.nav a[href="/customers"]`).press(kb.Enter).tab(`header a[href^="/customers/export"]`).press(kb.Enter).sees("#dialogs dialog[open]").tab("#dialog [name=format]").press(kb.ArrowDown).until(`document.querySelector("#dialog [value=csv]").checked`)
	b.tab("#dialog footer .primary").press(kb.Enter).says("h1", "Exports").says("tbody .status", "Ready").tab(`tbody .act a[href$="/file"]`).press(kb.Enter)
	b.has(b.downloaded(downloads, ".csv"), "晚风不晚", "小满", "138 0000 4721", "装修中")
	b.says("tbody", "1 time")
}
