package pages

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
)

// undo is what the button of the toast sends.
func (s shown) undo() (action string, fields url.Values) {
	s.t.Helper()
	_, toasts, _ := strings.Cut(s.body, `<div id="toasts"`)
	toasts, _, _ = strings.Cut(toasts, `<div id="dialogs"`)
	form := regexp.MustCompile(`<form method="post" action="([^"]*)">`).FindStringSubmatch(toasts)
	if form == nil {
		s.t.Fatalf("%s offers no undo: %s", s.path, toasts)
	}
	fields = url.Values{}
	for _, f := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(toasts, -1) {
		fields.Add(f[1], html.UnescapeString(f[2]))
	}
	return html.UnescapeString(form[1]), fields
}

// An undo takes back what was done, and what a colleague has changed since is not overwritten: both are shown.
func TestUndoingWhatAColleagueHasChangedSince(t *testing.T) {
	w := start(t)
	k := w.known()
	tag := w.tag("装修")
	w.seen()
	v, path := w.as(access.Admin, "zh"), pathOf(k.id)
	gold, phone, day, friday, saturday := "金牌", "137 3333 4444", "sunday", "friday", "saturday"
	order := strings.Join(v.get("/fields").fieldsOf(), ",")
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		undone string            // what the page says after the undo
		theirs func()            // what the colleague does
		wanted int               // the answer to an undo that comes too late
		says   []string          // in it, or where it leads
		after  map[string]string // a page that shows that theirs stands
	}{
		"a tag's name": {path: "/tags/" + tag.String() + "/rename", form: url.Values{"new_name": {"新装修"}}, undone: ">装修<",
			theirs: func() { run(w, commands.RenameTag{Tag: tag, Name: gold}) }, wanted: http.StatusPreconditionFailed, says: []string{"刚才有人把它改成了“金牌”", `value="装修"`},
			after: map[string]string{"/tags": ">金牌<"}},
		"an account's name": {path: "/associations/1/rename", form: url.Values{"new_name": {"新商城"}}, undone: "商城 App",
			theirs: func() { run(w, commands.RenameAssociation{Association: 1, Name: gold}) }, wanted: http.StatusPreconditionFailed, says: []string{"金牌", `value="商城 App"`},
			after: map[string]string{"/associations": "金牌"}},
		"a field of a customer": {path: path + "/fields/phone", form: url.Values{"value": {"139 1111 2222"}}, undone: "修改手机：138 0000 4721",
			theirs: func() {
				run(w, commands.EditProfile{Customer: k.id, Changes: map[string]*string{"phone": &phone}})
			}, wanted: http.StatusPreconditionFailed, says: []string{"刚才有人改了这一项", "<b>137 3333 4444</b>", "<b>138 0000 4721</b>"}, after: map[string]string{path: "修改手机：137 3333 4444"}},
		"settings": {path: "/settings", form: url.Values{"time_zone": {"Asia/Shanghai"}, "week_start": {day}, "order_link": {""}}, undone: `value="monday" selected`,
			theirs: func() { run(w, commands.ChangeSettings{WeekStart: &friday}) }, wanted: http.StatusPreconditionFailed, says: []string{"现在是：星期五", `value="monday" selected`},
			after: map[string]string{"/settings": `value="friday" selected`}},
		"a group's rule": {path: "/groups/" + k.group + "/edit", form: url.Values{"name": {"高价值客户"}, "visible": {"true"}, "c.match": {"all"}, "c.0.field": {"external_id"}, "c.0.op": {"in"}, "c.0.was": {"lines"},
			"c.0.value": {"qy_2"}}, undone: "标签包含任一 VIP", theirs: func() { run(w, commands.ChangeGroup{Group: uuid.MustParse(k.group), Name: &gold}) }, wanted: http.StatusPreconditionFailed,
			says: []string{"有人修改了“金牌”", `value="高价值客户"`}, after: map[string]string{"/groups": "金牌"}},
		"a place on the blacklist": {path: path + "/blacklist", form: url.Values{"reason": {" 辱骂客服 "}, "days": {"7"}}, undone: "已移出黑名单",
			theirs: func() {
				run(w, commands.UnblacklistCustomer{Customer: k.id})
				run(w, commands.BlacklistCustomer{Customer: k.id, Reason: "同行询价"})
			}, wanted: http.StatusSeeOther, says: []string{"没有撤销", "的黑名单状态"},
			after: map[string]string{"/blacklist": "同行询价"}},
		"the order of fields": {path: "/fields/order", form: url.Values{"order": strings.Split(order, ","), "move": {"up.phone"}}, undone: "新的顺序已保存",
			theirs: func() {
				run(w, commands.ReorderFields{Order: strings.Split(strings.Replace(order, "company,email", "email,company", 1), ",")})
			}, wanted: http.StatusSeeOther, says: []string{"刚才有人改了字段"}},
	} {
		t.Run(name, func(t *testing.T) {
			action, fields := v.send(c.path, c.form).want(http.StatusOK).undo()
			v.send(action, fields).want(http.StatusOK).says(c.undone)
			action, fields = v.send(c.path, c.form).want(http.StatusOK).undo()
			c.theirs()
			w.seen()
			late := v.post(action, fields).want(c.wanted)
			if c.wanted == http.StatusSeeOther {
				late = v.get(late.header.Get("Location"))
			}
			late.says(c.says...)
			for path, text := range c.after {
				v.get(path).says(text)
			}
		})
	}

	// What the undo does not touch, a colleague may have changed.
	action, fields := v.send("/settings", url.Values{"time_zone": {"Asia/Tokyo"}, "week_start": {"friday"}, "order_link": {""}}).want(http.StatusOK).undo()
	run(w, commands.ChangeSettings{WeekStart: &saturday})
	v.send(action, fields).want(http.StatusOK).says("设置已保存", `value="saturday" selected`, `value="Asia/Shanghai"`)
}
