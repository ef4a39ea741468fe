package pages

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"customercenter/projections"
)

// partsPage shows every part in all its states, for those who make pages. It is served with Config.Parts only.
var partsPage = page{words: galleryWords, routes: (*Pages).partsPages}

func (p *Pages) partsPages(r chi.Router) { r.Get("/_parts", p.showParts) }

// partsView has something for every part to show.
type partsView struct {
	Avatars      []avatar
	Tags         []tag
	Statuses     []status
	People       []who
	Past, Future *moment
	ID           string
	Fields       []field
	Search       searchBox
	Chips        []chip
	Tabs         tabs
	Pager, Alone pager
	Toasts       []notice
	Banners      []banner
	Empty        empty
	Progress     []progress
	Jobs         []jobProgress
	Steps        []step
	Facts        []fact
	Timeline     []happening
	Begin, End   edge
	Said         []said
	Drop         drop
	Confirm      confirm
	History      historyView
	Sortable     []fact
	Rule         conditionsView // with several choices, a range of dates, groups in groups, and what is wrong
}

func (p *Pages) showParts(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	now := p.Now()
	at := func(d time.Duration) *moment { t := now.Add(d); return v.moment(&t) }
	some, many := &projections.Count{Value: 128, Exact: true}, &projections.Count{Value: 1000}
	view := partsView{
		Avatars: []avatar{avatarOf("晚风不晚🌙"), avatarOf("Zoe·Lin"), avatarOf("🌙"), avatarOf("7up"), {"沈", 5}, {"江", 6}},
		Tags:    []tag{{"意向客户", 1}, {"老客回购", 2}, {"VIP", 3}, {"装修中", 4}, {"企业", 5}, {"投诉", 6}},
		Statuses: []status{{Tone: "live", Text: v.t("gallery.live")}, {Tone: "warn", Text: v.t("gallery.waiting")}, {Tone: "good", Text: v.t("gallery.done")},
			{Tone: "bad", Text: v.t("gallery.failed")}, {Hollow: true, Text: v.t("gallery.ended")}},
		People: []who{{Avatar: avatarOf("晚风不晚🌙"), Name: "晚风不晚🌙", Below: "陆予安", Path: "#"}, {Avatar: avatarOf(""), Nameless: v.t("nobody")}},
		Past:   at(-6 * time.Minute), Future: at(3 * 24 * time.Hour), ID: "oVx8t5KfQ2mN7rYwLpZs3dHcJ0bA",
		Fields: []field{
			{Name: "plain", Label: v.t("gallery.field"), Value: "晚风不晚🌙", Hint: v.t("gallery.hint")},
			{Name: "wrong", Label: v.t("gallery.field"), Value: "138", Wrong: v.t("gallery.wrong")},
			{Name: "fixed", Label: v.t("gallery.field"), Value: "qy_20481937", Sunken: true},
			{Name: "chosen", Label: v.t("gallery.field"), Options: []option{{"a", "App", false}, {"w", "WeChat", true}}},
			{Name: "long", Label: v.t("gallery.field"), Lines: 3, Max: 150},
			{Name: "day", Label: v.t("gallery.field"), Type: "date"},
		},
		Search: searchBox{Action: "/_parts", Label: v.t("do.search")},
		Chips:  []chip{{v.t("gallery.created"), v.t("gallery.week"), "#"}, {v.t("gallery.channel"), "App", "#"}},
		Tabs: tabs{Label: v.t("gallery.views"), Groups: []tabGroup{
			{Tabs: []tab{{Path: "#", Text: v.t("gallery.all"), Count: many, Current: true}, {Path: "#", Text: v.t("gallery.week"), Count: some}}},
			{Label: v.t("gallery.groups"), Tabs: []tab{{Path: "#", Text: "VIP", Icon: "layers"}}}}},
		Pager:  pager{Label: v.t("gallery.pages"), Summary: "1,000+", Next: "#"},
		Alone:  pager{Label: v.t("gallery.one_page"), Summary: "5"},
		Toasts: []notice{{Tone: "good", Text: v.t("gallery.toast"), Undo: &undo{Action: "/_parts"}}, {Tone: "bad", Text: v.t("gallery.wrong")}},
		Banners: []banner{{Tone: "bad", Text: v.t("gallery.failed"), More: v.t("gallery.hint")}, {Tone: "warn", Text: v.t("gallery.waiting")},
			{Tone: "good", Text: v.t("gallery.done")}, {Text: v.t("gallery.hint")}},
		Empty:    empty{Icon: "users", Title: v.t("gallery.empty"), Text: v.t("gallery.hint"), Actions: []action{{Path: "#", Text: v.t("filter.clear")}}},
		Jobs:     []jobProgress{{Label: v.t("gallery.job"), Unit: v.t("gallery.unit"), Done: 7440, Total: 12000}, {Label: v.t("gallery.job_unknown")}},
		Progress: []progress{{Label: v.t("gallery.progress"), Done: 320, Total: 1000, Text: "320 / 1,000"}, {Label: v.t("gallery.unknown"), Text: "…"}},
		Steps:    []step{{Text: v.t("gallery.first"), Done: true}, {Text: v.t("gallery.second"), Current: true}, {Text: v.t("gallery.third")}},
		Facts:    []fact{{Name: v.t("gallery.field"), Value: "138 0000 4721"}, {Name: v.t("gallery.field"), Unset: true}},
		Timeline: []happening{{Icon: "pencil", Hue: 5, Text: v.t("gallery.changed"), New: "138 0000 4721", Small: v.t("gallery.page"), When: at(-time.Hour)},
			{Icon: "layers", Hue: 2, Text: v.t("gallery.entered"), When: at(-50 * time.Hour)}},
		Begin: edge{Title: v.t("gallery.begin"), Text: at(-time.Hour).Exact}, End: edge{Text: v.t("gallery.end")},
		Said: []said{{Avatar: avatarOf("晚"), Name: "晚风不晚🌙", When: at(-time.Hour), Text: "月底前能送到杭州吗？"},
			{Avatar: avatarOf("贺云舟"), Name: "贺云舟", When: at(-59 * time.Minute), Agent: true, Text: "杭州仓现货，预计 11 月 23 日送达。"}},
		Drop:    drop{Name: "file", Label: v.t("gallery.drop"), Hint: v.t("gallery.drop_hint"), Accept: ".xlsx,.csv"},
		Confirm: confirm{Title: v.t("gallery.ask"), Text: v.t("gallery.hint"), Action: "/_parts", Button: v.t("gallery.delete"), Danger: true, Back: "/_parts", Uses: []use{{Kind: "group", Name: "高价值客户"}, {Kind: "view", Name: "华东"}}},
	}
	view.History = historyView{Title: v.t("gallery.history"), Back: "#", BackText: v.t("gallery.title"), Older: "#", Items: []historyItem{
		{Icon: "pencil", Hue: 5, Changes: []historyChange{{v.t("gallery.field"), "", "138 0000 4721"}}, Actor: "shen.zhiyao", When: at(-time.Hour)},
		{Icon: "plus", Hue: 2, Text: v.t("gallery.entered"), Actor: "he.yunzhou", When: at(-50 * time.Hour)}}}
	view.Sortable = []fact{{Name: "户型", Value: "house"}, {Name: "预计入住", Value: "moving_in"}}
	rule, err := v.conditions(conditionsUse{At: "rule"}, json.RawMessage(`{"all":[{"field":"channel","op":"in","value":["app","wechat"]},
		{"field":"created_at","op":"between","value":["2026-10-31T16:00:00Z","2026-11-30T16:00:00Z"]},{"any":[{"field":"nickname","op":"contains","value":"晚风"},
		{"field":"last_session_at","op":"older_than","value":{"days":30},"unset":true}]},{"not":{"all":[{"field":"qq","op":"is_set"},{"field":"email","op":"is_set"}]}}]}`))
	if err != nil {
		v.fail(err)
		return
	}
	rule.root.parts[0].wrong = v.t("gallery.wrong")
	view.Rule = rule.view(v)
	v.show(http.StatusOK, "gallery", v.t("gallery.title"), view)
}
