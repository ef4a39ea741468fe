package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
)

func TestTagPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/tags").want(http.StatusOK).goldens("tags.empty")
	w.associations()
	vip := w.tag("VIP")
	w.tag("老客回购")
	w.customer("qy_1", "晚风", vip)
	w.seen()
	v.get("/tags").want(http.StatusOK).says("VIP", "老客回购")
	v.post("/tags", url.Values{"name": {"ｖｉｐ"}}).want(http.StatusUnprocessableEntity).goldens("tags.error").says(`value="ｖｉｐ"`)
	v.get("/tags/" + vip.String() + "/rename").want(http.StatusOK).says(`value="VIP"`)
	v.get("/tags/0190a1b2-0000-7000-8000-000000000000/rename").want(http.StatusNotFound)
}

func TestAddingAndRenamingATag(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.send("/tags", url.Values{"name": {" 团购 "}}).want(http.StatusOK).says("已添加标签“团购”", ">团购<")
	id := w.tag("装修中").String()
	w.seen()
	v.send("/tags/"+id+"/rename", url.Values{"new_name": {"已装修"}}).want(http.StatusOK).says("“装修中”已改名为“已装修”", "撤销", ">已装修<")
	v.post("/tags/"+id+"/rename", url.Values{"new_name": {"团购"}}).want(http.StatusUnprocessableEntity).says(`value="团购"`, "class=\"wrong\"")
	// Somebody was faster: nothing is lost, and whoever sends again knows what is replaced.
	v.post("/tags/"+id+"/rename", url.Values{"new_name": {"精装修"}, "etag": {`"1"`}}).want(http.StatusPreconditionFailed).says("刚才有人把它改成了“已装修”", `value="精装修"`)
	v.send("/tags/"+id+"/rename", url.Values{"new_name": {"装修中"}}).want(http.StatusOK).says(">装修中<")
	v.get("/tags/"+id+"/history").want(http.StatusOK).says("创建了标签“装修中”", "<del>装修中</del> → <ins>已装修</ins>")
}

func TestDeletingATagSaysWhoUsesIt(t *testing.T) {
	w := start(t)
	w.associations()
	vip := w.tag("VIP")
	w.customer("qy_1", "晚风", vip)
	name, filter := "VIP 视图", json.RawMessage(`{"field":"tags","op":"has_any","value":["`+vip.String()+`"]}`)
	run(w, commands.DefineGroup{Name: "高价值客户", Rule: filter})
	run(w, commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Filter: filter, Admin: true}})
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get("/tags/"+vip.String()+"/delete").want(http.StatusOK).says("删除标签“VIP”？", "1 位客户", "高价值客户", "VIP 视图")
	v.send("/tags/"+vip.String()+"/delete", url.Values{}).want(http.StatusOK).says("已删除标签“VIP”").hides(`<td class="number"`)
}

// A tag on which a running auto message depends stays, and the dialog says which one that is; so does a group. The page of one that names what is gone says so.
func TestWhatAnAutoMessageSendsByStays(t *testing.T) {
	w := start(t)
	vip, group := w.grouped()
	byTag := run(w, commands.DefineAutoMessage{Name: "双十一", Text: "您好", Audience: commands.Audience{Filter: []byte(`{"not":` + tagged(vip) + `}`)}}).AutoMessage
	byGroup := run(w, commands.DefineAutoMessage{Name: "老客专享", Text: "您好", Audience: commands.Audience{Groups: []uuid.UUID{group}}}).AutoMessage
	for _, id := range []uuid.UUID{byTag, byGroup} {
		run(w, commands.StartAutoMessage{AutoMessage: id})
	}
	w.seen()
	v := w.as(access.Admin, "zh")
	v.post("/tags/"+vip.String()+"/delete", url.Values{}).want(http.StatusConflict).says("请先停止发送", "双十一", "老客专享")
	v.post("/groups/"+group.String()+"/delete", url.Values{}).want(http.StatusConflict).says("请先停止发送", "老客专享").hides("双十一")
	for _, id := range []uuid.UUID{byTag, byGroup} {
		run(w, commands.StopAutoMessage{AutoMessage: id})
	}
	v.get("/auto-messages/" + byTag.String()).want(http.StatusOK).hides("已被删除")
	v.send("/tags/"+vip.String()+"/delete", url.Values{}).want(http.StatusOK).says("已删除标签")
	v.get("/auto-messages/"+byTag.String()).want(http.StatusOK).says("已被删除", "另建一条")
}

// A dialog comes as a page of its own, or over the page if the script asks for it.
func TestADialogOverThePage(t *testing.T) {
	w := start(t)
	id := w.tag("VIP").String()
	w.seen()
	v := w.as(access.Admin, "en")
	v.get("/tags/"+id+"/delete").says("<!doctype html>", "<section class=\"dialog here\"")
	v.header.Set("HX-Request", "true")
	over := v.get("/tags/"+id+"/delete").hides("<!doctype html>", "<main").says("<dialog")
	if over.header.Get("HX-Retarget") != "#dialogs" {
		t.Errorf("headers %v", over.header)
	}
	wrong := v.post("/tags/"+id+"/rename", url.Values{"new_name": {strings.Repeat("长", 51)}}).want(http.StatusUnprocessableEntity).says("<dialog", "class=\"wrong\"")
	if wrong.header.Get("HX-Retarget") != "#dialogs" {
		t.Errorf("headers %v", wrong.header)
	}
}

func TestOnlyAdminsChangeTags(t *testing.T) {
	w := start(t)
	id := w.tag("VIP").String()
	w.seen()
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		v := w.as(role, "en")
		v.get("/tags").want(http.StatusOK).says("VIP").hides("/delete", "/rename", `action="/tags"`)
		v.post("/tags/"+id+"/delete", url.Values{}).want(http.StatusSeeOther)
		v.get("/tags").want(http.StatusOK).says("VIP", "toast bad")
	}
}
