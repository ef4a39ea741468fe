package filter_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
)

func known(t *testing.T) filter.Names {
	return filter.Names{
		Tags:         map[uuid.UUID]string{filtertest.Tags[0]: "VIP", filtertest.Tags[1]: "{to}"},
		Groups:       map[uuid.UUID]string{filtertest.Groups[0]: "沉睡客户"},
		Fields:       map[string]string{"custom.level": "等级", "custom.score": "积分", "custom.birthday": "生日", "nickname": "绰号"},
		Options:      map[string]map[string]string{"level": {"gold": "金牌", "silver": "银牌"}},
		Associations: map[string]string{"1": "售前"}, Agents: map[string]string{"agent-1": "小李"},
		Zone: zone(t, "Asia/Shanghai"),
	}
}

func TestDescribe(t *testing.T) {
	tags := fmt.Sprintf(`["%s","%s"]`, filtertest.Tags[0], filtertest.Tags[1])
	unknown := filtertest.Tags[5].String()
	for _, c := range []struct{ filter, zh, en string }{
		{`{}`, "所有客户", "everybody"},
		{`{"any":[]}`, "没有客户", "nobody"},
		{`{"all":[{"field":"created_at","op":"in","value":{"period":"this_week"}},{"field":"tags","op":"has_any","value":["` + filtertest.Tags[0].String() + `"]}]}`,
			"创建时间为本周 且 标签包含任一 VIP", "created this week and has any of the tags VIP"},
		{`{"all":[{"field":"name","op":"contains","value":"王"},{"any":[{"field":"qq","op":"is_set"},{"field":"email","op":"not_set"}]},{"not":{"field":"blacklisted","op":"is","value":true}}]}`,
			"名字包含“王” 且 （QQ 已设置 或 邮箱未设置） 且 非（在黑名单中）", `name contains "王" and (QQ is set or email is not set) and not (is on the blacklist)`},
		{`{"not":{"all":[{"field":"imported","op":"is","value":true},{"field":"session_open","op":"is","value":false}]}}`,
			"非（由导入创建 且 没有未结束的会话）", "not (was imported and has no unfinished session)"},
		{`{"any":[{"all":[{"field":"ever_served","op":"is","value":false}]}]}`, "从未接受过客服服务", "was never served by an agent"},
		{`{"field":"tags","op":"has_all","value":` + tags + `}`, "标签包含全部 VIP、{to}", "has all of the tags VIP, {to}"},
		{`{"field":"tags","op":"has_none","value":["` + unknown + `"]}`, "标签不包含 " + unknown, "has none of the tags " + unknown},
		{`{"field":"tags","op":"is_empty"}`, "没有标签", "has no tags"},
		{`{"field":"groups","op":"has_any","value":["` + filtertest.Groups[0].String() + `"]}`, "属于任一分组 沉睡客户", "is in any of the groups 沉睡客户"},
		{`{"field":"nickname","op":"eq","value":"{field}"}`, "绰号等于“{field}”", `绰号 is "{field}"`},
		{`{"field":"name","op":"in","value":["a","b","c"]}`, "名字为“a”、“b” 或 “c”之一", `name is one of "a", "b" or "c"`},
		{`{"field":"name","op":"not_contains","value":"a","unset":true}`, "名字不包含“a”（或未设置）", `name does not contain "a" (or not set)`},
		{`{"field":"any_text","op":"ne","value":"a"}`, "昵称、名字、客户ID或手机不等于“a”", `nickname, name, ID or phone is not "a"`},
		{`{"field":"any_text","op":"in","value":["a","b"]}`, "昵称、名字、客户ID或手机为“a” 或 “b”之一", `nickname, name, ID or phone is one of "a" or "b"`},
		{`{"field":"any_text","op":"starts_with","value":"a"}`, "昵称、名字、客户ID或手机以“a”开头", `nickname, name, ID or phone starts with "a"`},
		{`{"field":"rating_avg","op":"gte","value":4.5}`, "平均满意度不少于 4.5", "average rating is at least 4.5"},
		{`{"field":"custom.score","op":"between","value":[-1,2]}`, "积分在 -1 到 2 之间", "积分 is from -1 to 2"},
		{`{"field":"last_session_at","op":"older_than","value":{"days":30},"unset":true}`, "最近会话时间在 30 天以前（或未设置）", "last session more than 30 days ago (or not set)"},
		{`{"field":"created_at","op":"within","value":{"hours":1}}`, "创建时间在最近 1 小时内", "created in the last 1 hour"},
		{`{"field":"created_at","op":"before","value":"2026-11-01T00:00:00Z"}`, "创建时间早于 2026-11-01 08:00", "created before 2026-11-01 08:00"},
		{`{"field":"created_at","op":"after","value":"2026-11-01T00:00:01.5Z"}`, "创建时间不早于 2026-11-01 08:00:01.5", "created at 2026-11-01 08:00:01.5 or later"},
		{`{"field":"updated_at","op":"between","value":["2026-11-01T00:00:00Z","2026-11-02T00:00:00Z"]}`, "更新时间从 2026-11-01 08:00 起、早于 2026-11-02 08:00",
			"updated from 2026-11-01 08:00 until 2026-11-02 08:00"},
		{`{"field":"custom.birthday","op":"in","value":{"period":"last_month"}}`, "生日为上月", "生日 last month"},
		{`{"field":"channel","op":"in","value":["wechat","weibo"]}`, "渠道为微信 或 微博", "channel is WeChat or Weibo"},
		{`{"field":"association","op":"not_in","value":[1,7]}`, "关联不为售前 或 7", "association is not 售前 or 7"},
		{`{"field":"last_agent","op":"in","value":["agent-1","nobody"]}`, "最近服务客服为小李 或 nobody", "last agent is 小李 or nobody"},
		{`{"field":"custom.level","op":"in","value":["gold","bronze"]}`, "等级为金牌 或 bronze", "等级 is 金牌 or bronze"},
		{`{"field":"custom.note","op":"is_set"}`, "note 已设置", "note is set"},
	} {
		f := parse(t, c.filter)
		if got := f.Describe("zh-CN", known(t)); got != c.zh {
			t.Errorf("%s\n got %s\nwant %s", c.filter, got, c.zh)
		}
		if got := f.Describe("en", known(t)); got != c.en {
			t.Errorf("%s\n got %s\nwant %s", c.filter, got, c.en)
		}
	}
}

// Every field has its own words in both languages, and every operator of each kind a sentence.
func TestEveryFieldAndOperatorHasWords(t *testing.T) {
	operands := map[filter.Kind]string{filter.Text: `"abc"`, filter.Number: `1`, filter.Set: `["` + filtertest.Tags[0].String() + `"]`, filter.YesNo: "true"}
	byOp := map[filter.Op]string{filter.Before: `"2026-11-01T00:00:00Z"`, filter.After: `"2026-11-01T00:00:00Z"`, filter.Within: `{"days":2}`, filter.OlderThan: `{"days":2}`}
	values := map[string]string{"channel": `["app"]`, "association": `[1]`, "created_via": `["api"]`, "last_agent": `["agent-1"]`}
	language, seen := filtertest.Language(true), map[string]string{}
	for _, field := range filter.SystemFields() {
		kind, _ := language.KindOf(field)
		for _, op := range filter.Operators(kind) {
			operand := operands[kind]
			switch {
			case op == filter.Between && kind == filter.Number:
				operand = `[1,2]`
			case op == filter.Between:
				operand = `["2026-11-01T00:00:00Z","2026-11-02T00:00:00Z"]`
			case op == filter.In && kind == filter.Time:
				operand = `{"period":"today"}`
			case op == filter.In && kind == filter.Text:
				operand = `["abc"]`
			case kind == filter.Choice:
				operand = values[field]
			case byOp[op] != "":
				operand = byOp[op]
			}
			raw := fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, field, op, operand)
			if op == filter.IsSet || op == filter.NotSet || op == filter.IsEmpty {
				raw = fmt.Sprintf(`{"field":%q,"op":%q}`, field, op)
			}
			f, err := filter.Parse([]byte(raw), language, "filter")
			if err != nil {
				if field != filter.AnyText {
					t.Errorf("%s: %v", raw, err)
				}
				continue
			}
			for _, lang := range []string{"zh", "en"} {
				told := lang + f.Describe(lang, filter.Names{})
				if strings.ContainsAny(told, "{}") || strings.Contains(told, field) && strings.Contains(field, "_") || len(told) < 6 {
					t.Errorf("%s: %q", raw, told)
				}
				if other := seen[told]; other != "" {
					t.Errorf("%s and %s are both told as %q", raw, other, told)
				}
				seen[told] = raw
			}
		}
	}
}

func TestExplain(t *testing.T) {
	s := &filter.Subject{Name: "王小明", ExternalID: "wx_9", SessionCount: 3, RatingSum: 10, RatingCount: 3, RatingLast: 4, CreatedAt: now.Add(-48 * time.Hour),
		LastSessionAt: now.Add(-31 * 24 * time.Hour), Channel: "wechat", Tags: []uuid.UUID{filtertest.Tags[0], filtertest.Tags[3]}, Association: 1,
		Custom: map[string]filter.Value{"level": {Options: []string{"gold"}}, "birthday": {Date: "2026-11-03"}, "score": {Number: "1.5"}}}
	vip := `{"field":"tags","op":"has_any","value":["` + filtertest.Tags[1].String() + `","` + filtertest.Tags[0].String() + `"]}`
	no := `{"field":"session_count","op":"lt","value":3}`
	type seen struct {
		path, observed, threshold string
		met                       bool
		zh, en                    string
	}
	for _, c := range []struct {
		filter string
		want   []seen
	}{
		{`{}`, nil},
		{`{"all":[{"field":"last_session_at","op":"older_than","value":{"days":30}},` + vip + `]}`, []seen{
			{"filter.all[0]", "2026-10-03T09:00:00Z", "/2026-10-04T09:00:00Z", true, "最近会话时间在 30 天以前：2026-10-03 17:00（当时为 2026-10-04 17:00 以前）",
				"last session more than 30 days ago: 2026-10-03 17:00 (then: before 2026-10-04 17:00)"},
			{"filter.all[1]", `["` + filtertest.Tags[0].String() + `"]`, `["` + filtertest.Tags[1].String() + `","` + filtertest.Tags[0].String() + `"]`, true,
				"标签包含任一 {to}、VIP：VIP", "has any of the tags {to}, VIP: VIP"}}},
		// Of all, what is not met is enough; of any, what is met.
		{`{"all":[` + vip + `,` + no + `]}`, []seen{{"filter.all[1]", "3", "3", false, "会话数小于 3：3（不满足）", "number of sessions is less than 3: 3 (not met)"}}},
		{`{"any":[` + no + `,{"field":"name","op":"contains","value":"小"}]}`, []seen{{"filter.any[1]", "王小明", "小", true, "名字包含“小”：“王小明”", `name contains "小": "王小明"`}}},
		{`{"not":{"any":[` + no + `,{"field":"phone","op":"is_set"}]}}`, []seen{
			{"filter.not.any[0]", "3", "3", false, "会话数小于 3：3（不满足）", "number of sessions is less than 3: 3 (not met)"},
			{"filter.not.any[1]", "", "", false, "手机已设置：未设置（不满足）", "phone is set: not set (not met)"}}},
		{`{"field":"any_text","op":"in","value":["x","wx_9"]}`, []seen{{"filter", "wx_9", `["x","wx_9"]`, true, "昵称、名字、客户ID或手机为“x” 或 “wx_9”之一：“wx_9”", `nickname, name, ID or phone is one of "x" or "wx_9": "wx_9"`}}},
		{`{"field":"any_text","op":"contains","value":"_"}`, []seen{{"filter", "wx_9", "_", true, "昵称、名字、客户ID或手机包含“_”：“wx_9”", `nickname, name, ID or phone contains "_": "wx_9"`}}},
		{`{"field":"rating_avg","op":"gt","value":3}`, []seen{{"filter", "3.3333", "3", true, "平均满意度大于 3：3.3333", "average rating is more than 3: 3.3333"}}},
		{`{"field":"created_at","op":"in","value":{"period":"this_week"}}`, []seen{{"filter", "2026-11-01T09:00:00Z", "2026-11-01T16:00:00Z/2026-11-08T16:00:00Z", false,
			"创建时间为本周：2026-11-01 17:00（当时为 2026-11-02 00:00 – 2026-11-09 00:00）（不满足）",
			"created this week: 2026-11-01 17:00 (then: 2026-11-02 00:00 – 2026-11-09 00:00) (not met)"}}},
		{`{"field":"channel","op":"in","value":["wechat"]}`, []seen{{"filter", "wechat", `["wechat"]`, true, "渠道为微信：微信", "channel is WeChat: WeChat"}}},
		{`{"field":"association","op":"in","value":[1]}`, []seen{{"filter", "1", `[1]`, true, "关联为售前：售前", "association is 售前: 售前"}}},
		{`{"field":"custom.level","op":"in","value":["gold"]}`, []seen{{"filter", `["gold"]`, `["gold"]`, true, "等级为金牌：金牌", "等级 is 金牌: 金牌"}}},
		{`{"field":"custom.score","op":"eq","value":1.5}`, []seen{{"filter", "1.5", "1.5", true, "积分等于 1.5：1.5", "积分 is 1.5: 1.5"}}},
		{`{"field":"custom.birthday","op":"in","value":{"period":"today"}}`, []seen{{"filter", "2026-11-03", "2026-11-02T16:00:00Z/2026-11-03T16:00:00Z", true,
			"生日为今天：2026-11-03（当时为 2026-11-03 00:00 – 2026-11-04 00:00）", "生日 today: 2026-11-03 (then: 2026-11-03 00:00 – 2026-11-04 00:00)"}}},
		{`{"field":"last_agent","op":"in","value":["a"],"unset":true}`, []seen{{"filter", "", `["a"]`, true, "最近服务客服为a（或未设置）：未设置", "last agent is a (or not set): not set"}}},
		{`{"field":"groups","op":"is_empty"}`, []seen{{"filter", "[]", "", true, "不属于任何分组：均无", "is in no group: none of them"}}},
		{`{"field":"blacklisted","op":"is","value":true}`, []seen{{"filter", "false", "true", false, "在黑名单中：否（不满足）", "is on the blacklist: no (not met)"}}},
	} {
		var got []seen
		for _, e := range parse(t, c.filter).Explain(s, now, shanghai(t)) {
			var kept filter.Evidence // as it comes back from where it was kept
			raw, err := json.Marshal(e)
			if err == nil {
				err = json.Unmarshal(raw, &kept)
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, seen{e.Path, e.Observed, e.Threshold, e.Met, kept.Text("zh", known(t)), kept.Text("en", known(t))})
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %+v\nwant %+v", c.filter, got, c.want)
		}
	}
}

// What is kept of the longest conditions is short, and says that it is not all.
func TestEvidenceIsShort(t *testing.T) {
	many := func(value func(i int) string) string {
		values := make([]string, filter.MaxValues)
		for i := range values {
			values[i] = value(i)
		}
		raw, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	long := strings.Repeat("x", filter.MaxNeedle-3)
	tag := func(i int) string { return uuid.NewSHA1(uuid.Nil, []byte{byte(i)}).String() }
	s := &filter.Subject{Name: long + "197", LastAgent: "a7", Description: strings.Repeat("长", 1000), Association: 7}
	var chosen []string
	options := map[string]string{}
	for i := range filter.MaxValues {
		s.Tags = append(s.Tags, uuid.MustParse(tag(i)))
		chosen = append(chosen, fmt.Sprint("option-", i))
		options[chosen[i]] = chosen[i]
	}
	s.Custom = map[string]filter.Value{"level": {Options: chosen}}
	language := &filter.Language{Custom: []filter.CustomField{{Key: "level", Kind: filter.Choice, Options: options}}}
	for raw, zh := range map[string]string{
		`{"field":"name","op":"in","value":` + many(func(i int) string { return fmt.Sprint(long, i) }) + `}`:              "名字为“" + long + "0” 等 200 个之一：“" + long + "197”",
		`{"field":"description","op":"contains","value":"` + long + `","unset":true}`:                                     "",
		`{"field":"last_agent","op":"in","value":` + many(func(i int) string { return fmt.Sprint("a", i) }) + `}`:         "最近服务客服为a0、a1、",
		`{"field":"association","op":"in","value":` + many(func(i int) string { return fmt.Sprint(i + 1) }) + `}`:         "关联为1、2、",
		`{"field":"tags","op":"has_all","value":` + many(tag) + `}`:                                                       "标签包含全部 " + tag(0),
		`{"field":"custom.level","op":"in","value":` + many(func(i int) string { return fmt.Sprint("option-", i) }) + `}`: "level 为option-0、",
	} {
		f, err := filter.Parse([]byte(raw), language, "filter")
		if err != nil {
			t.Fatalf("%.80s: %v", raw, err)
		}
		for _, e := range f.Explain(s, now, filter.Calendar{}) {
			for what, kept := range map[string]string{"condition": e.Condition, "observed": e.Observed, "threshold": e.Threshold} {
				if n := len([]rune(kept)); n > 400 || what == "observed" && n > 260 {
					t.Errorf("%.80s: %d characters of the %s are kept", raw, n, what)
				}
			}
			if got := e.Text("zh", filter.Names{}); !strings.HasPrefix(got, zh) || e.More > 0 && !strings.Contains(got, "等 200 个") {
				t.Errorf("%.80s is told as %s, want %s", raw, got, zh)
			}
			if e.More > 0 != strings.HasSuffix(e.Threshold, `,"…"]`) || e.More > 0 && !strings.Contains(e.Text("en", filter.Names{}), fmt.Sprintf(" and %d more", e.More)) {
				t.Errorf("%.80s leaves out %d: %s", raw, e.More, e.Threshold)
			}
		}
	}
}
