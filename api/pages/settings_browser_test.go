package pages

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
	"customercenter/commands"
)

func TestSettingsLook(t *testing.T) {
	w := start(t)
	w.looks(access.Admin, "associations.empty", "/associations")
	w.associations()
	run(w, commands.RegisterAssociation{Channel: "app", Account: strings.Repeat("long-account-", 9) + "#shop", Name: "一个名字很长很长很长很长很长很长很长很长很长很长的关联🛍"})
	w.customer("qy_1", "晚风")
	day := "sunday"
	run(w, commands.ChangeSettings{WeekStart: &day})
	w.seen()
	w.looks(access.Admin, "associations", "/associations", "associations.new", "/associations/new", "associations.history", "/associations/5/history", "settings", "/settings", "tokens", "/tokens",
		"tokens.new", "/tokens/new?role=channel&association=3&actor=wechat-3", "tokens.revoke", "/tokens/"+w.made[access.Admin].ID.String()+"/revoke")
	b := w.window(access.Agent, look{language: "zh"})
	b.visit("/associations").accessible().shot("associations.agent")
}

// From a new account to the token that its channel works with, by keyboard; then the account is disconnected, and that is taken back.
func TestConnectingInTheBrowser(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "zh"}).refuses("422 /settings", "412 /settings").refuses("422 /associations")
	b.visit("/associations").focus(".head .primary").press(kb.Enter).sees("#dialogs dialog[open]").until(`document.activeElement.id === "f-account"`)
	b.write("#f-account", "shop").write("#f-name", "商城").press(kb.Enter).sees("#dialogs dialog[open] .wrong").accessible().shot("associations.wrong")
	b.write("#f-account", "org#shop").press(kb.Enter).says("#toasts", "已关联“商城”").until(`!document.querySelector("dialog[open]")`)
	b.press("j").focus("tbody .act a:first-child").press(kb.Enter).sees("#token-form").until(`document.querySelector("#f-association_id").value === "1"`).until(`!document.querySelector(".for-analyst").checkVisibility()`)
	b.click("#token-form footer .primary").sees("#f-token").accessible().shot("tokens.made")
	secret := value[string](b, `document.querySelector("#f-token").value`)
	if who, err := w.tokens.Verify(t.Context(), secret); err != nil || who.Association != 1 {
		t.Errorf("%v %v", who, err)
	}
	b.click("footer .primary").says("tbody", "app-1").accessible()
	b.click("tbody tr:first-child .danger").sees("#dialogs dialog[open]").click("#dialog button.danger").says("#toasts", "已吊销").says("tbody tr:first-child", "已吊销")
	b.visit("/associations").click("tbody .act .danger").sees("#dialogs dialog[open]").click("#dialog button.danger").sees(".empty")
	b.click("#toasts form button").says("tbody", "商城")
}

func TestChangingSettingsInTheBrowser(t *testing.T) {
	w := start(t)
	b := w.window(access.Admin, look{language: "en"}).refuses("422 /settings", "412 /settings")
	b.visit("/settings").click("[name=customer_center]").write("#f-order_link", "http://x").press(kb.Enter).sees("#f-order_link-wrong").accessible().shot("settings.wrong")
	b.until(`document.querySelector("[name=customer_center]").checked`).write("#f-order_link", "").press(kb.Enter).says("#toasts", "The settings are saved").says("#history", "not allowed → allowed")
	on, zone := true, "Asia/Seoul"
	run(w, commands.ChangeSettings{Blacklist: &on, TimeZone: &zone}) // somebody is faster
	b.write("#f-time_zone", "Asia/Tokyo").press(kb.Enter).says(".banner", "somebody has just changed").says("#settings-form", "It is now: Asia/Seoul").until(`document.querySelector("[name=blacklist]").checked`).accessible().shot("settings.lost")
	b.press(kb.Enter).focus("#f-time_zone").press(kb.Enter).says("#toasts", "The settings are saved").says("#history", "Asia/Tokyo")
	b.click("#toasts form button").until(`document.querySelector("#f-time_zone").value === "Asia/Seoul"`)
}
