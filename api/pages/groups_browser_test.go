package pages

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
	"customercenter/commands/policies"
	"customercenter/internal/natstest"
)

// policies has what follows from events be done, as in the program.
func (w *world) policies() *policies.Runner {
	w.t.Helper()
	runner, err := policies.New(policies.Config{Store: w.store, Center: w.center, Builds: w.projector, NATS: natstest.Connect(w.t, natstest.Start(w.t)), Sweep: 50 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := runner.Run(ctx); err != nil {
			w.t.Errorf("policies: %v", err)
		}
	})
	w.t.Cleanup(func() { cancel(); running.Wait() })
	return runner
}

func TestGroupsLook(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "groups.empty", "/groups", "auto_messages.empty", "/auto-messages")
	vip, id := w.grouped()
	message := w.campaign(vip, id)
	w.clock.move(72 * time.Hour)
	group, auto := "/groups/"+id.String(), "/auto-messages/"+message.String()
	w.looks(access.Admin, "groups", "/groups", "group", group, "group.moves", group+"/moves", "group.edit", group+"/edit", "group.new", "/groups/new", "group.delete", group+"/delete",
		"auto_messages", "/auto-messages", "auto_message", auto, "auto_message.new", "/auto-messages/new", "auto_message.edit", auto+"/edit", "auto_message.stop", auto+"/stop")
}

// By mouse: a group is built, who would be in it shows meanwhile, and who is in it, and why, once it is saved. Then an auto message goes to it.
func TestAGroupAndAnAutoMessageByMouse(t *testing.T) {
	w := start(t)
	w.policies()
	vip, _ := w.grouped()
	b := w.window(access.Admin, look{language: "zh"})
	b.visit("/groups").click(`a[href="/groups/new"]`).says("h1", "新建分组").says("#preview", "添加一个条件")
	b.write("#f-name", "回购的人").click(`[name="c.0.value"][value="`+vip.String()+`"]`).says("#preview dd", "2").says("#preview", "Zoe·Lin").says("#preview", "将进入")
	b.accessible().shot("group.building")
	b.click(`#group-form button[value="add "]`).until(`document.activeElement.id === "c.2.field"`).says("#preview", "还没填完的条件没有算在内").says("#preview dd", "2")
	b.write(`[name="c.2.value"]`, "Zoe").says("#preview dd", "1").click(`#group-form button[value="remove 2"]`).says("#preview dd", "2") // it shows at once what is left
	b.click("#save").says("#toasts", "已创建分组“回购的人”").says("h1", "回购的人").says("main .banner", "标签包含任一 VIP")
	b.until(`!document.querySelector("#group").hasAttribute("hx-get")`).says("tbody", "Zoe·Lin").says("tbody", "标签包含任一 VIP：VIP").accessible().shot("group.built")

	b.click(`.nav a[href="/auto-messages"]`).click(`a[href="/auto-messages/new"]`).says("h1", "新建自动消息").write("#f-name", "预告").write("#f-text", "您好，明晚八点见。")
	b.until(`(document.querySelectorAll("[name=group]")[2].click(), true)`).says("#preview dd", "2").says("#preview", "晚风不晚").accessible().shot("auto_message.writing")
	b.click("#save").says("h1", "预告").says("main", "草稿").click(`a[href$="/start"]`).sees("#dialogs dialog[open]").says("#dialog", "现在有 2 位客户会收到").says("#dialog", "不能撤回")
	b.accessible().shot("auto_message.start")
	b.click("#dialog button.primary").says("#toasts", "已开始发送").says("main", "发送中")
	b.until(`[...document.querySelectorAll("#auto-message .figures > div")].some(f => f.textContent === "已发送2")`).says("tbody", "晚风不晚").accessible().shot("auto_message.running")
	b.click(`a[href$="/stop"]`).sees("#dialogs dialog[open]").click("#dialog button.danger").says("#toasts", "已停止发送").says("main", "继续发送")
}

// By keyboard: a rule is changed, and who would enter and leave shows meanwhile; the focus stays where one is.
func TestAGroupByKeyboard(t *testing.T) {
	w := start(t)
	w.grouped()
	b := w.window(access.Admin, look{language: "en"})
	b.visit("/groups").press("j").until(`document.activeElement.matches("tbody tr:first-child .lead a")`).press(kb.Enter).says("h1", "高价值客户")
	b.focus(`a[href$="/edit"]`).press(kb.Enter).says("h1", "Edit").says("#preview", "stays")
	b.focus(`[name="c.0.value"]`).press(kb.Tab).until(`document.activeElement.name === "c.0.value"`).press(" ").says("#preview", "+1").says("#preview", "enters")
	b.until(`document.activeElement.name === "c.0.value"`) // what is swapped is beside
	b.focus("#f-name").press(kb.End, " 2", kb.Enter).says("#toasts", "is saved").says("h1", "高价值客户 2")
	b.until(`!document.querySelector("#group").hasAttribute("hx-get")`).says("tbody", "阿麦").focus("#toasts form button").press(kb.Enter).says("#toasts", "is saved")
	b.until(`!document.querySelector("#group").hasAttribute("hx-get") && !document.querySelector("tbody").textContent.includes("阿麦")`)
	b.focus(`a[href$="/delete"]`).press(kb.Enter).sees("#dialogs dialog[open]").press(kb.Escape).until(`document.activeElement.matches("a[href$='/delete']")`)
	b.press(kb.Enter).sees("#dialogs dialog[open]").press(kb.Tab, kb.Enter).says("#toasts", "is deleted").until(`location.pathname === "/groups"`)
}
