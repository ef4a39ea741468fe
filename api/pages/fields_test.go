package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"customercenter/api/access"
	"customercenter/commands"
	domain "customercenter/domain/field"
	"customercenter/projections"
)

// customField adds a field, shown, and returns its key.
func (w *world) customField(label, kind string, options ...string) string {
	w.t.Helper()
	var choices []domain.Choice
	for _, o := range options {
		choices = append(choices, domain.Choice{Label: o})
	}
	key := run(w, commands.AddField{Label: label, Type: kind, Options: choices}).Field
	shown := true
	run(w, commands.ChangeField{Field: key, Shown: &shown})
	return key
}

// fieldsOf are the keys of the fields in their order, as the page has them.
func (s shown) fieldsOf() (keys []string) {
	for _, found := range regexp.MustCompile(`name="order" value="([a-z0-9_]+)"`).FindAllStringSubmatch(s.body, -1) {
		keys = append(keys, found[1])
	}
	return keys
}

func TestFieldPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/fields").want(http.StatusOK).goldens("fields.empty")
	w.customField("户型", "select", "两室一厅", "三室两厅")
	w.customField("预计入住", "date")
	off, key := false, w.customField(strings.Repeat("很长的字段名", 8), "text")
	run(w, commands.ChangeField{Field: key, Enabled: &off})
	w.seen()
	v.get("/fields").want(http.StatusOK).goldens("fields.full")
	v.get("/fields/field").want(http.StatusOK).goldens("fields.one")
	v.get("/fields/phone").want(http.StatusOK).goldens("fields.system")
	v.get("/fields/new-field").want(http.StatusOK).goldens("fields.new")
	v.post("/fields", url.Values{"type": {"select"}, "label": {"户型"}, "more": {"一\n二\n"}, "shown": {"true"}}).want(http.StatusConflict).
		goldens("fields.new.error").says(`value="户型"`, `class="wrong"`)
	v.get("/fields/nothing").want(http.StatusNotFound)
}

func TestAddingAField(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.send("/fields", url.Values{"type": {"cascade"}, "label": {"地区"}, "hint": {"收货地"}, "more": {"广东 / 深圳\n广东/广州/天河\r\n\n浙江"}, "shown": {"true"}}).want(http.StatusOK).
		says("已添加字段“地区”", "5 个选项", "收货地").hides(`aria-checked="false" formaction="/fields/field/shown"`)
	if field, _, err := w.theField("field"); err != nil || fmt.Sprint(field.Options) != "[{o1 广东 } {o2 深圳 o1} {o3 广州 o1} {o4 天河 o3} {o5 浙江 }]" {
		t.Errorf("%v %v", field.Options, err)
	}
	// What was typed as options of another type does not count; hidden, if that is wanted.
	v.send("/fields", url.Values{"type": {"number"}, "label": {"面积"}, "more": {"x"}}).want(http.StatusOK).says("已添加字段“面积”", `id="shown-field_2" aria-checked="false"`)
	v.post("/fields", url.Values{"type": {"multi_select"}, "label": {"喜好"}, "more": {"茶\n茶"}}).want(http.StatusConflict).says("茶\n茶</textarea>", `id="f-more-wrong"`)
	v.post("/fields", url.Values{"type": {"select"}, "label": {"喜好"}, "more": {" \n"}}).want(http.StatusUnprocessableEntity).says(`id="f-more-wrong"`)
}

// theField is a field as it is stored.
func (w *world) theField(key string) (domain.Field, int64, error) {
	state, position, err := projections.NewCatalogues(w.store).Fields(w.t.Context(), "acme")
	f, _ := state.Find(key)
	return f, position, err
}

// Without script, too, a field goes up and down; whoever ordered them together with somebody else is told.
func TestOrderingFields(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	first := v.get("/fields")
	etag := regexp.MustCompile(`name="etag" value="([^"]*)"`).FindStringSubmatch(first.body)[1]
	form := url.Values{"order": first.fieldsOf(), "etag": {strings.ReplaceAll(etag, "&#34;", `"`)}, "move": {"up.phone"}}
	moved := v.send("/fields/order", form).want(http.StatusOK).says("新的顺序已保存", "撤销")
	if got := moved.fieldsOf(); slices.Index(got, "phone") != 2 || len(got) != 9 {
		t.Errorf("%v", got)
	}
	v.send("/fields/order", form).want(http.StatusOK).says("刚才有人改了字段")
	back := v.send("/fields/order", url.Values{"order_before": {strings.Join(first.fieldsOf(), ",")}}).want(http.StatusOK)
	if got := back.fieldsOf(); !slices.Equal(got, first.fieldsOf()) {
		t.Errorf("%v", got)
	}
	v.send("/fields/order", url.Values{"order": first.fieldsOf(), "move": {"up.external_id"}}).want(http.StatusOK).says(noToasts)
}

func TestHidingAndDisablingAField(t *testing.T) {
	w := start(t)
	key := w.customField("户型", "text")
	v := w.as(access.Admin, "zh")
	action, undo := v.send("/fields/qq/shown", url.Values{"shown": {"false"}}).want(http.StatusOK).says("不再显示“QQ”", `id="shown-qq" aria-checked="false"`).hides("<dt>QQ</dt>").undo()
	v.send(action, undo).want(http.StatusOK).says("<dt>QQ</dt>")
	v.send("/fields/nickname/shown", url.Values{"shown": {"false"}}).want(http.StatusOK).says("toast bad", "<dt>昵称</dt>")
	v.send("/fields/"+key+"/enabled", url.Values{"enabled": {"false"}}).want(http.StatusOK).says("已停用“户型”", "撤销", "已停用</span>").hides("<dt>户型</dt>")
	v.get("/fields/"+key).want(http.StatusOK).says("重新启用", "停用了字段“户型”")
	v.send("/fields/"+key+"/enabled", url.Values{"enabled": {"true"}, "back": {"/fields/" + key}}).want(http.StatusOK).says("已启用“户型”")
}

func TestWhatIsInUseDoesNotGo(t *testing.T) {
	w := start(t)
	w.associations()
	key := w.customField("户型", "select", "两室", "三室")
	id := w.customer("qy_1", "晚风")
	run(w, commands.EditProfile{Customer: id, Custom: map[string]any{key: "o1"}})
	group := run(w, commands.DefineGroup{Name: "两室客户", Rule: json.RawMessage(`{"field":"custom.` + key + `","op":"in","value":["o1"]}`)})
	w.seen()
	v := w.as(access.Admin, "zh")
	v.get("/fields/"+key+"/remove").want(http.StatusOK).says("删除字段“户型”？", "1 位客户")
	link := `<a href="/groups/` + group.Group.String() + `">两室客户</a>`
	v.post("/fields/"+key+"/remove", url.Values{}).want(http.StatusConflict).says("“户型”正在使用，什么都没有改", link)
	v.post("/fields/"+key+"/enabled", url.Values{"enabled": {"false"}}).want(http.StatusConflict).says("停用字段“户型”？", link)
	v.post("/fields/"+key, url.Values{"label": {"户型"}, "option_id": {"o1", "o2"}, "option_label": {"两室", "三室"}, "gone": {"o1"}}).want(http.StatusConflict).
		says(link, `value="o1" checked`)
	run(w, commands.DeleteGroup{Group: group.Group})
	v.send("/fields/"+key+"/remove", url.Values{}).want(http.StatusOK).says("已删除字段“户型”").hides(`name="order" value="` + key + `"`)
}

func TestChangingOptions(t *testing.T) {
	w := start(t)
	key := run(w, commands.AddField{Label: "地区", Type: "cascade", Options: []domain.Choice{{Label: "广东", Options: []domain.Choice{{Label: "深圳"}, {Label: "广州"}}}, {Label: "浙江"}}}).Field
	v := w.as(access.Admin, "zh")
	form := url.Values{"label": {"地区"}, "hint": {""}, "option_id": {"o1", "o2", "o3", "o4"}, "option_label": {"广东省", "深圳", "广州", "浙江"}}
	form.Set("move", "up.o3")
	unsaved := v.post("/fields/"+key, form).want(http.StatusOK).says("还没有保存", `value="广东省"`)
	if a, b := strings.Index(unsaved.body, `id="f-o3"`), strings.Index(unsaved.body, `id="f-o2"`); a < 0 || a > b {
		t.Error("o3 is not before o2")
	}
	form.Set("move", "down.o1") // with all below it
	if moved := v.post("/fields/"+key, form).want(http.StatusOK); strings.Index(moved.body, `id="f-o4"`) > strings.Index(moved.body, `id="f-o1"`) {
		t.Error("o4 is not before o1")
	}
	form.Del("move")
	form["gone"], form["more"] = []string{"o2"}, []string{"广东省/珠海\n福建"}
	v.send("/fields/"+key, form).want(http.StatusOK).says("已保存字段“地区”", `value="珠海"`, "选项：").hides(`value="深圳"`)
	if f, _, err := w.theField(key); err != nil || fmt.Sprint(f.Options) != "[{o1 广东省 } {o3 广州 o1} {o5 珠海 o1} {o4 浙江 } {o6 福建 }]" {
		t.Errorf("%v %v", f.Options, err)
	}
	// Somebody was faster: what was typed stays, and what came meanwhile is added.
	late := url.Values{"label": {"地域"}, "etag": {`"1"`}, "option_id": {"o1", "o4"}, "option_label": {"广东", "浙江"}}
	v.post("/fields/"+key, late).want(http.StatusPreconditionFailed).says("刚才有人改了这个字段", "它现在叫“地区”", `value="地域"`, `value="珠海"`)
	wrong := url.Values{"label": {strings.Repeat("长", 51)}, "option_id": {"o1", "o3", "o5", "o4", "o6"}, "option_label": {"广东", "广州", "珠海", "浙江", "福建"}}
	v.post("/fields/"+key, wrong).want(http.StatusUnprocessableEntity).says(`id="f-label-wrong"`)
	wrong["label"], wrong["option_label"] = []string{"地区"}, []string{"广东", "广州", "广州", "浙江", "福建"}
	v.post("/fields/"+key, wrong).want(http.StatusConflict).says(`aria-describedby="f-o5-wrong"`)
}

func TestOthersSeeFieldsOnly(t *testing.T) {
	w := start(t)
	key := w.customField("户型", "select", "两室")
	for _, role := range []access.Role{access.Agent, access.Analyst} {
		v := w.as(role, "zh")
		v.get("/fields").want(http.StatusOK).says("户型").hides("<button class=\"grip", "formaction", "新字段")
		v.get("/fields/"+key).want(http.StatusOK).says("custom."+key, "两室").hides("<input id=\"f-label", "/remove", "变更记录")
		v.get("/fields/new-field").want(http.StatusNotFound)
		v.send("/fields/"+key+"/remove", url.Values{}).want(http.StatusOK).says("toast bad", "户型")
		v.post("/fields/"+key, url.Values{"label": {"x"}}).want(http.StatusForbidden)
	}
}

func TestThereMayBeAHundredFields(t *testing.T) {
	w := start(t)
	for i := range domain.MaxCustom {
		run(w, commands.AddField{Key: fmt.Sprint("f", i), Label: fmt.Sprint("字段", i), Type: "text"})
	}
	v := w.as(access.Admin, "zh")
	v.get("/fields").want(http.StatusOK).says("100 / 100", `aria-disabled="true" aria-describedby="full"`, "自定义字段已满").hides("/fields/new-field")
	v.post("/fields", url.Values{"type": {"text"}, "label": {"又一个"}}).want(http.StatusConflict).says(`role="alert"`, `value="又一个"`)
}
