package pages

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/eventstore"
)

// sends decides that customers get an auto message, as the policy does.
func (w *world) sends(autoMessage uuid.UUID, customers ...uuid.UUID) {
	w.t.Helper()
	by := commands.By{Tenant: "acme", Actor: eventstore.Actor{Kind: "policy", ID: "address-auto-messages"}}
	if _, err := (commands.SendAutoMessage{AutoMessage: autoMessage, Customers: customers}).Run(w.t.Context(), w.center, by); err != nil {
		w.t.Fatal(err)
	}
}

// reports tells that the channel has delivered an auto message to a customer of association 1, and that it was read.
func (w *world) reports(autoMessage, customer uuid.UUID) {
	w.t.Helper()
	id := automessage.RecipientID(autoMessage, customer, 1)
	run(w, commands.RecordAutoMessageReport{Association: 1, Message: id})
	run(w, commands.RecordAutoMessageReport{Association: 1, Message: id, Read: true})
}

// campaign makes customers, a group, and an auto message to it that has been sent to two of four, and read by one.
func (w *world) campaign(vip, group uuid.UUID) (message uuid.UUID) {
	w.t.Helper()
	third := w.customer("qy_9", "", vip)
	run(w, commands.DefineAutoMessage{Name: "草稿", Text: "您好", Audience: commands.Audience{Filter: []byte(tagged(vip))}})
	message = run(w, commands.DefineAutoMessage{Name: "双十一预告", Text: "您好：\n明晚八点，老客专享价。<b>", Audience: commands.Audience{Groups: []uuid.UUID{group}}}).AutoMessage
	run(w, commands.StartAutoMessage{AutoMessage: message})
	fourth := w.customer("qy_10", "小满·很长很长很长很长很长很长很长很长的昵称", vip)
	w.sends(message, third)
	w.sends(message, fourth)
	w.reports(message, fourth)
	w.seen()
	return message
}

func TestAutoMessagePages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/auto-messages").want(http.StatusOK).goldens("auto_messages.empty")
	path := "/auto-messages/" + w.campaign(w.grouped()).String()
	v.get("/auto-messages").want(http.StatusOK).goldens("auto_messages.full")
	v.get(path).want(http.StatusOK).goldens("auto_message.full").hides("专享价。<b>")
	v.get("/auto-messages/new").want(http.StatusOK).goldens("auto_message.new")
	v.post("/auto-messages/new", url.Values{"name": {"双十一预告"}, "text": {""}, "rate": {"600"}, "kind": {"filter"}, "c.match": {"all"}}).
		want(http.StatusUnprocessableEntity).goldens("auto_message.wrong")
	v.get(path + "?cursor=nonsense").want(http.StatusUnprocessableEntity)
	v.get("/auto-messages/0190a1b2-0000-7000-8000-000000000000").want(http.StatusNotFound)
}

func TestWritingAnAutoMessageWithoutScript(t *testing.T) {
	w := start(t)
	vip, group := w.grouped()
	v := w.as(access.Admin, "zh")
	form := url.Values{"name": {"预告"}, "text": {"您好\r\n再见"}, "rate": {"1"}, "kind": {"groups"}}
	v.post("/auto-messages/new", form).want(http.StatusUnprocessableEntity).says("请至少选择一个分组")
	form.Set("group", group.String())
	v.post("/auto-messages/new", with(form, "do", "preview")).want(http.StatusOK).says("<dd>2</dd>", "约需 2 分钟", "Zoe·Lin")
	v.post("/auto-messages/new", with(form, "rate", "fast")).want(http.StatusUnprocessableEntity).says("请填写 1 到 60,000 的整数")
	made := v.post("/auto-messages/new", form).want(http.StatusSeeOther).header.Get("Location")
	v.get(made).want(http.StatusOK).says("已保存草稿“预告”", "草稿", "分组的成员", ">高价值客户</a>", "启动后，这里会列出")
	v.get(made+"/start").want(http.StatusOK).says("启动“预告”？", "2 位客户", "约需 2 分钟", "不能撤回")
	v.send(made+"/start", url.Values{}).want(http.StatusOK).says("已开始发送", "发送中", `hx-trigger="every 3s"`, "停止后才能删除")
	v.get(made+"/edit").want(http.StatusOK).says("内容和受众不能再改", "复制成新的", "readonly").hides(`name="kind"`)
	v.get("/auto-messages/new?from="+strings.TrimPrefix(made, "/auto-messages/")).want(http.StatusOK).says("您好\n再见", `value="`+group.String()+`" checked`)
	v.send(made+"/edit", url.Values{"name": {"新预告"}, "rate": {"60"}}).want(http.StatusOK).says("已保存“新预告”", "最多 60 条")
	v.get(made+"/stop").want(http.StatusOK).says("停止发送“新预告”？", "不能撤回")
	v.send(made+"/stop", url.Values{}).want(http.StatusOK).says("已停止发送", "撤销", "继续发送")
	v.send(made+"/delete", url.Values{}).want(http.StatusOK).says("已删除自动消息“新预告”")

	// By conditions, of which those of other channels are left out.
	run(w, commands.CreateCustomer{Association: 3, ExternalID: "openid", Tags: []uuid.UUID{vip}})
	w.seen()
	byFilter := with(tagTerm(vip), "name", "按条件", "text", "您好", "rate", "600", "kind", "filter")
	v.post("/auto-messages/new", with(byFilter, "do", "preview")).want(http.StatusOK).says("<dd>2</dd>", "<dd>3</dd>", "其余的收不到")
	v.send("/auto-messages/new", byFilter).want(http.StatusOK).says("标签包含任一 VIP")
}

func TestAutoMessagesToChosenCustomers(t *testing.T) {
	w := start(t)
	w.grouped()
	run(w, commands.CreateCustomer{Association: 3, ExternalID: "openid"})
	w.seen()
	v := w.as(access.Admin, "zh")
	form := url.Values{"name": {"名单"}, "text": {"您好"}, "rate": {"600"}, "kind": {"customers"}, "customers": {"qy_1\nQY_2, nobody"}}
	v.post("/auto-messages/new", form).want(http.StatusUnprocessableEntity).says("没有这些客户：QY_2, nobody", "qy_1\nQY_2, nobody")
	v.post("/auto-messages/new", with(form, "customers", "openid")).want(http.StatusUnprocessableEntity).says("不在 App 或网页渠道")
	v.post("/auto-messages/new", with(form, "customers", "")).want(http.StatusUnprocessableEntity).says("请填写至少一个客户 ID")
	form.Set("customers", "qy_1 qy_2\r\nqy_1")
	v.post("/auto-messages/new", with(form, "do", "preview")).want(http.StatusOK).says("<dd>2</dd>")
	made := v.post("/auto-messages/new", form).want(http.StatusSeeOther).header.Get("Location")
	v.get(made).want(http.StatusOK).says("名单上的 2 位客户")
	v.post(made+"/recipients", url.Values{"customers": {"nobody"}}).want(http.StatusUnprocessableEntity).says("没有这些客户：nobody")
	v.send(made+"/recipients", url.Values{"customers": {"qy_3"}}).want(http.StatusOK).says("已把 1 位客户加入名单", "名单上的 3 位客户")
	v.get(made + "/edit").want(http.StatusOK).says("名单上的 3 位客户")
	v.send(made+"/edit", with(form, "name", "名单二")).want(http.StatusOK).says("已保存“名单二”", "名单上的 3 位客户")
}

func TestOnlyAdminsSeeAutoMessages(t *testing.T) {
	w := start(t)
	path := "/auto-messages/" + w.campaign(w.grouped()).String()
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		v := w.as(role, "en")
		v.get("/auto-messages").want(http.StatusForbidden).hides(`href="/auto-messages"`)
		v.get(path).want(http.StatusForbidden)
		v.get("/auto-messages/new").want(http.StatusForbidden)
	}
}
