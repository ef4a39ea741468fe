package pages

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	fields "customercenter/domain/field"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// at is acme's admin, or a channel if it is told to be, telling of something that happened outside some time ago.
func (w *world) at(kind string, ago time.Duration) commands.By {
	return commands.By{Tenant: "acme", Actor: eventstore.Actor{Kind: kind, ID: map[string]string{"channel": "channel-1", "admin": "shen.zhiyao", "agent": "he.yunzhou"}[kind]}, OccurredAt: w.clock.now().Add(-ago)}
}

func (w *world) did(done commands.Done, err error) commands.Done {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// wrote has a customer write through the association 1.
func (w *world) wrote(externalID, text string, ago time.Duration) commands.Done {
	w.t.Helper()
	return w.wroteMessage(1, externalID, commands.Message{Kind: "text", Text: text}, ago, nil)
}

var messageNumber int

func (w *world) wroteMessage(association int, externalID string, m commands.Message, ago time.Duration, web *session.WebAttributesRecorded) commands.Done {
	w.t.Helper()
	messageNumber++
	m.ID = fmt.Sprint("m-", messageNumber)
	return w.did(commands.ReceiveMessage{Association: association, ExternalID: externalID, Message: m, Web: web}.Run(w.t.Context(), w.center, w.at("channel", ago)))
}

// answered has an agent write in a session.
func (w *world) answered(id uuid.UUID, text string, ago time.Duration) {
	w.t.Helper()
	messageNumber++
	w.did(commands.RecordMessage{Session: commands.SessionRef{ID: id}, Sender: session.Sender{Kind: domain.PartyAgent, ID: "he.yunzhou"},
		Message: commands.Message{ID: fmt.Sprint("m-", messageNumber), Kind: "text", Text: text}}.Run(w.t.Context(), w.center, w.at("channel", ago)))
}

// known are the ids of a customer with everything: a long name, all kinds of fields, tags, a group, a rated session and one that is open.
type knownCustomer struct {
	id, vip, rated, open uuid.UUID
	group                string
}

const longName = "晚风不晚🌙一个名字写满四十五个字符的客户看看标题和列表里到底放不放得下"

// known makes such a customer of the association 2, whom the agent he.yunzhou serves.
func (w *world) known() (k knownCustomer) {
	w.t.Helper()
	w.associations()
	run(w, commands.SetOrderLink{Template: "https://shop.example.com/orders?customer={external_id}"})
	options := []fields.Choice{{Label: "实木"}, {Label: "板式"}, {Label: "金属 & <玻璃>"}}
	for _, f := range []commands.AddField{
		{Key: "house", Type: "text", Label: "户型", Hint: "例如：三室两厅"}, {Key: "remarks", Type: "multiline", Label: "装修备注"}, {Key: "area", Type: "number", Label: "面积（㎡）"},
		{Key: "moving", Type: "date", Label: "预计入住"}, {Key: "level", Type: "select", Label: "客户等级", Options: []fields.Choice{{Label: "普通"}, {Label: "金卡"}}},
		{Key: "likes", Type: "multi_select", Label: "喜欢的材质", Options: options},
		{Key: "place", Type: "cascade", Label: "所在地区", Options: []fields.Choice{{Label: "浙江", Options: []fields.Choice{{Label: "杭州"}, {Label: "宁波"}}}, {Label: "上海"}}},
	} {
		run(w, f)
		run(w, commands.ShowField{Field: f.Key})
	}
	k.vip = w.tag("VIP")
	w.tag("老客回购")
	w.tag("装修中")
	k.group = run(w, commands.DefineGroup{Name: "高价值客户", Rule: json.RawMessage(`{"all":[{"field":"tags","op":"has_any","value":["` + k.vip.String() + `"]},{"field":"session_count","op":"gte","value":1}]}`), AgentVisible: true}).Group.String()
	w.seen()
	k.id = run(w, commands.CreateCustomer{Association: 2, ExternalID: "v-20481937", Tags: []uuid.UUID{k.vip}, Profile: customer.Profile{
		Nickname: longName, Name: "陆予安", Phone: "138 0000 4721", Email: "yuan.lu@example.com", Company: "杭州拾光设计事务所", Description: "关心环保等级，偏好浅色橡木；\n周末下午方便接电话。",
		Custom: map[string]any{"house": "三室两厅", "area": "118.5", "moving": "2027-03-15"},
	}}).Customer
	const days = 24 * time.Hour
	web := &session.WebAttributesRecorded{IP: "203.0.113.86", Region: "浙江 杭州", Referrer: "https://search.example.com/?q=实木餐桌",
		UserAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"}
	text := func(s string, ago time.Duration) uuid.UUID {
		return w.wroteMessage(2, "v-20481937", commands.Message{Kind: "text", Text: s}, ago, web).Session
	}
	k.rated = text("你好，想问下那款 1.6 米的橡木餐桌，现在下单月底前能送到杭州吗？", 2*days)
	w.did(commands.AcceptSession{Session: commands.SessionRef{ID: k.rated}, Agent: "he.yunzhou"}.Run(w.t.Context(), w.center, w.at("agent", 2*days-time.Minute)))
	w.answered(k.rated, "您好，杭州仓现货，今天 18:00 前下单预计两天后送达，含上楼安装。", 2*days-2*time.Minute)
	w.wroteMessage(2, "v-20481937", commands.Message{Kind: "file", URL: "https://files.example.com/plan.pdf", Name: "餐厅平面图.pdf"}, 2*days-3*time.Minute, nil)
	w.wroteMessage(2, "v-20481937", commands.Message{Kind: "image", URL: "https://files.example.com/view.jpg", Text: "<b>看图</b>"}, 2*days-3*time.Minute, nil)
	w.did(commands.CloseSession{Session: commands.SessionRef{ID: k.rated}, By: domain.PartyAgent}.Run(w.t.Context(), w.center, w.at("agent", 2*days-28*time.Minute)))
	text("好的，谢谢，我下单了！", 2*days-20*time.Minute) // it was on its way when the session ended
	w.did(commands.RateSession{Session: commands.SessionRef{ID: k.rated}, Score: 4, Reasons: []string{"回复及时", "解答专业"}, Comment: "图纸看得很仔细。"}.Run(w.t.Context(), w.center, w.at("channel", 2*days-31*time.Minute)))
	k.open = text("订单 QY-77120493 今天能改送货时间吗？", 5*time.Minute)
	w.did(commands.AcceptSession{Session: commands.SessionRef{ID: k.open}, Agent: "he.yunzhou"}.Run(w.t.Context(), w.center, w.at("agent", 4*time.Minute)))
	w.answered(k.open, "可以的，您希望改到哪天？", 3*time.Minute)
	w.seen()
	return k
}

func pathOf(id uuid.UUID) string { return "/customers/" + id.String() }

// inGroup waits until the customer is in the group: rules of groups are seen to in pieces.
func (w *world) inGroup(id uuid.UUID) {
	w.t.Helper()
	v := w.as("admin", "zh")
	for end := time.Now().Add(longest); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if page := v.get(pathOf(id)); page.status == 200 && !strings.Contains(page.body, "不在任何分组") {
			return
		}
	}
	w.t.Fatal("the customer is in no group")
}
