package filter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
)

func parse(t testing.TB, raw string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse([]byte(raw), filtertest.Language(true), "filter")
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return f
}

// now is a Tuesday afternoon in Shanghai.
var now = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)

func shanghai(t testing.TB) filter.Calendar {
	return filter.Calendar{Zone: zone(t, "Asia/Shanghai"), WeekStart: time.Monday}
}

// check asks whether short conditions, "op value" or "op" and at times "unset" before it, are true of a field.
func check(t *testing.T, s *filter.Subject, field string, conditions map[string]bool) {
	t.Helper()
	cal := shanghai(t)
	for short, want := range conditions {
		rest, unset := strings.CutPrefix(short, "unset ")
		op, value, has := strings.Cut(rest, " ")
		raw := fmt.Sprintf(`{"field":%q,"op":%q,"unset":%v`, field, op, unset)
		if has {
			raw += `,"value":` + value
		}
		f := parse(t, raw+"}")
		if got := f.Match(s, now, cal); got != want {
			t.Errorf("%s %s is %v", field, short, got)
		}
		folded := *s
		folded.Fold()
		if got := f.Match(&folded, now, cal); got != want {
			t.Errorf("%s %s is %v with the texts folded before", field, short, got)
		}
	}
}

func TestTexts(t *testing.T) {
	for text, conditions := range map[string]map[string]bool{
		"王小明": {`contains "王"`: true, `contains "小明"`: true, `contains "明小"`: false, `starts_with "王小"`: true, `starts_with "小"`: false,
			`eq "王小明"`: true, `eq "王"`: false, `ne "王"`: true, `not_contains "王"`: false, `not_contains "李"`: true,
			`in ["李四","王小明"]`: true, `in ["李四","王"]`: false, `is_set`: true, `not_set`: false, `unset eq "李四"`: false},
		"ＶＩＰ Straße": {`contains "vip"`: true, `contains "ＩＰ"`: true, `eq "vip strasse"`: true, `ne "VIP STRASSE"`: false, `starts_with "v"`: true,
			`contains "ss"`: true, `contains "p s"`: true, `contains " Straße "`: true},
		"50%":            {`contains "%"`: true, `contains "0%"`: true, `eq "5_%"`: false, `contains "_"`: false, `starts_with "%"`: false},
		`a\b`:            {`contains "\\"`: true, `contains "\\b"`: true},
		"axb":            {`contains "a_b"`: false, `contains "a%b"`: false},
		"e\u0301mile":    {`contains "É"`: true, `eq "émile"`: true, `starts_with "E\u0301"`: true, `contains "e"`: true},
		"👩\u200d💻 emoji": {`contains "💻"`: true, `starts_with "👩"`: true},
		"ﬁt":             {`eq "FIT"`: true, `contains "i"`: true},
		"":               {`is_set`: false, `not_set`: true, `eq "x"`: false, `ne "x"`: false, `contains "x"`: false, `not_contains "x"`: false, `in ["x"]`: false, `unset eq "x"`: true, `unset not_contains "x"`: true, `unset starts_with "x"`: true, `unset in ["x"]`: true},
	} {
		check(t, &filter.Subject{Name: text}, "name", conditions)
		check(t, &filter.Subject{Custom: map[string]filter.Value{"note": {Text: text}}}, "custom.note", conditions)
	}
	s := &filter.Subject{ExternalID: "wx_9", Nickname: "nick", Name: "name", Phone: "123", QQ: "q", WechatID: "w", Email: "e", Company: "c", Description: "d\ne"}
	for field, value := range map[string]string{"external_id": "WX_9", "nickname": "nick", "name": "name", "phone": "123", "qq": "q", "wechat_id": "w",
		"email": "e", "company": "c", "description": `d\ne`} {
		check(t, s, field, map[string]bool{`eq "` + value + `"`: true, `eq "other"`: false, `is_set`: true})
	}
	check(t, s, "phone", map[string]bool{`contains "1"`: true, `contains "23"`: true, `starts_with "12"`: true, `starts_with "2"`: false, `not_contains "4"`: true})
	check(t, s, "external_id", map[string]bool{`contains "_"`: true, `contains "x_"`: true, `contains "%9"`: false, `starts_with "wx"`: true})
}

func TestAnyText(t *testing.T) {
	s := &filter.Subject{ExternalID: "wx_19", Nickname: "小明", Phone: "13800138000"}
	check(t, s, "any_text", map[string]bool{
		`contains "明"`: true, `contains "19"`: true, `contains "_"`: true, `contains "0138"`: true, `contains "李"`: false,
		`contains "9"`:      false, // too short for the id
		`contains "00"`:     false, // too short for the phone
		`not_contains "9"`:  true,
		`not_contains "19"`: false,
		`starts_with "wx"`:  true, `starts_with "w"`: false, `starts_with "小"`: true, `starts_with "138"`: true, `starts_with "x_"`: false,
		`eq "WX_19"`: true, `eq "小明"`: true, `eq "小"`: false, `eq "13800138000"`: true,
		`ne "小明"`: false, `ne "小"`: true, `unset ne "小明"`: false, `in ["李","小明"]`: true, `in ["小","wx_1"]`: false, `is_set`: true, `not_set`: false,
	})
	check(t, &filter.Subject{ExternalID: "7"}, "any_text", map[string]bool{`eq "7"`: true, `contains "7"`: false})
	s.Nickname, s.Name = "1", "9"
	check(t, s, "any_text", map[string]bool{`contains "9"`: true, `not_contains "9"`: false, `eq "9"`: true})
}

func TestNumbers(t *testing.T) {
	check(t, &filter.Subject{SessionCount: 3}, "session_count", map[string]bool{
		`eq 3`: true, `eq 3.0`: true, `eq 30e-1`: true, `ne 3`: false, `lt 3`: false, `lt 3.000000000001`: true, `lte 3`: true, `gt 2`: true, `gt 3`: false, `gte 3`: true,
		`between [3,4]`: true, `between [2,3]`: true, `between {"from":3.1,"to":4}`: false, `is_set`: true, `not_set`: false,
	})
	check(t, &filter.Subject{}, "session_count", map[string]bool{`eq 0`: true, `is_set`: true, `lt 0`: false, `gt -1`: true, `eq -0`: true})
	check(t, &filter.Subject{MessageCount: 7, SuppressedCount: 2}, "message_count", map[string]bool{`eq 7`: true})
	check(t, &filter.Subject{MessageCount: 7, SuppressedCount: 2}, "suppressed_count", map[string]bool{`eq 2`: true})
	// A third cannot be written: the average is compared as the fraction that it is.
	check(t, &filter.Subject{RatingSum: 10, RatingCount: 3, RatingLast: 4}, "rating_avg", map[string]bool{
		`eq 3.333333333333333`: false, `gt 3.333333333333333`: true, `lt 3.333333333333334`: true, `gte 3.34`: false, `is_set`: true,
		`between [3.333333333333333,3.333333333333334]`: true,
	})
	check(t, &filter.Subject{RatingSum: 9, RatingCount: 2, RatingLast: 4}, "rating_avg", map[string]bool{`eq 4.5`: true, `lte 4.5`: true})
	check(t, &filter.Subject{RatingSum: 9, RatingCount: 2, RatingLast: 4}, "rating_last", map[string]bool{`eq 4`: true, `is_set`: true})
	for _, field := range []string{"rating_avg", "rating_last", "custom.score"} {
		check(t, &filter.Subject{}, field, map[string]bool{`is_set`: false, `not_set`: true, `eq 0`: false, `ne 0`: false, `lt 5`: false, `unset ne 0`: true, `unset gt 99`: true})
	}
	score := func(n filter.Decimal) *filter.Subject {
		return &filter.Subject{Custom: map[string]filter.Value{"score": {Number: n}}}
	}
	check(t, score("-1.5"), "custom.score", map[string]bool{`eq -1.5`: true, `lt -1.4`: true, `lt -1.6`: false, `gt 0`: false, `between [-2,-1]`: true, `eq 1.5`: false})
	check(t, score("9999999999999999"), "custom.score", map[string]bool{`gt 9999999999999998`: true, `gt 9999999999999999`: false, `gte 1e15`: true, `eq 9.999999999999999e15`: true})
	check(t, score("0.000000000000001"), "custom.score", map[string]bool{`gt 0`: true, `eq 1e-15`: true, `lt 0.000000000000002`: true})
	check(t, score("0"), "custom.score", map[string]bool{`eq 0`: true, `is_set`: true, `gte -0`: true})
}

func TestTimes(t *testing.T) {
	conditions := map[string]bool{
		`before "2026-11-03T09:00:00Z"`: false, `before "2026-11-03T09:00:00.000001Z"`: true, `before "2026-11-03T17:00:00.000001+08:00"`: true,
		`after "2026-11-03T09:00:00Z"`: true, `after "2026-11-03T09:00:00.000001Z"`: false,
		`between ["2026-11-03T09:00:00Z","2026-11-03T09:00:00.000001Z"]`: true, `between ["2026-11-03T08:00:00Z","2026-11-03T09:00:00Z"]`: false,
		`between ["2026-11-03T09:00:00Z","2026-11-03T09:00:00Z"]`: false,
		`in {"period":"today"}`:                                   true, `in {"period":"yesterday"}`: false, `in {"period":"this_week"}`: true, `in {"period":"last_month"}`: false,
		`within {"minutes":1}`: true, `older_than {"minutes":1}`: false, `is_set`: true, `not_set`: false,
	}
	check(t, &filter.Subject{CreatedAt: now}, "created_at", conditions)
	check(t, &filter.Subject{UpdatedAt: now}, "updated_at", conditions)
	check(t, &filter.Subject{FirstSessionAt: now}, "first_session_at", conditions)
	check(t, &filter.Subject{LastSessionAt: now}, "last_session_at", conditions)
	check(t, &filter.Subject{LastMessageAt: now}, "last_message_at", conditions)
	check(t, &filter.Subject{ListedAt: now}, "blacklisted_at", conditions)

	day := 24 * time.Hour
	check(t, &filter.Subject{LastSessionAt: now.Add(-30 * day)}, "last_session_at", map[string]bool{
		`within {"days":30}`: true, `within {"hours":720}`: true, `older_than {"days":30}`: false, `within {"hours":719}`: false})
	check(t, &filter.Subject{LastSessionAt: now.Add(-30*day - time.Microsecond)}, "last_session_at", map[string]bool{
		`within {"days":30}`: false, `older_than {"days":30}`: true})
	check(t, &filter.Subject{LastSessionAt: now.Add(day)}, "last_session_at", map[string]bool{
		`within {"days":30}`: true, `older_than {"days":30}`: false, `in {"period":"today"}`: false, `in {"period":"this_week"}`: true})
	check(t, &filter.Subject{}, "last_session_at", map[string]bool{`is_set`: false, `not_set`: true, `before "2026-11-03T09:00:00Z"`: false,
		`older_than {"days":30}`: false, `unset older_than {"days":30}`: true, `unset in {"period":"today"}`: true})

	date := func(s string) *filter.Subject {
		return &filter.Subject{Custom: map[string]filter.Value{"birthday": {Date: s}}}
	}
	check(t, date("2026-11-03"), "custom.birthday", map[string]bool{`in {"period":"today"}`: true, `before "2026-11-02T16:00:00Z"`: false,
		`before "2026-11-02T16:00:00.000001Z"`: true, `after "2026-11-02T16:00:00Z"`: true, `within {"hours":17}`: true, `within {"hours":16}`: false})
	check(t, date("2026-11-02"), "custom.birthday", map[string]bool{`in {"period":"yesterday"}`: true, `in {"period":"this_week"}`: true})
	check(t, &filter.Subject{}, "custom.birthday", map[string]bool{`not_set`: true, `unset in {"period":"today"}`: true})
}

func TestTheInstantCountsToTheMicrosecond(t *testing.T) {
	s := &filter.Subject{LastSessionAt: now}
	f := parse(t, `{"field":"last_session_at","op":"within","value":{"minutes":1}}`)
	if !f.Match(s, now.Add(time.Minute+999*time.Nanosecond), shanghai(t)) {
		t.Error("a part of a microsecond counts")
	}
	if got, want := f.NextFlip(s, now.Add(time.Minute+999*time.Nanosecond), shanghai(t)), now.Add(time.Minute+time.Microsecond); got != want {
		t.Errorf("changes at %v, want %v", got, want)
	}
}

func TestChoices(t *testing.T) {
	s := &filter.Subject{Channel: "app", Association: 12, CreatedVia: "import", LastAgent: "a%"}
	check(t, s, "channel", map[string]bool{`in ["web","app"]`: true, `in ["web"]`: false, `not_in ["web"]`: true, `not_in ["app"]`: false, `is_set`: true})
	check(t, s, "association", map[string]bool{`in [12]`: true, `in ["12"]`: true, `in [1,2]`: false, `not_in [1]`: true, `not_in [12]`: false, `is_set`: true, `not_set`: false})
	check(t, s, "created_via", map[string]bool{`in ["import"]`: true, `in ["api","inbound"]`: false})
	check(t, s, "last_agent", map[string]bool{`in ["a%"]`: true, `in ["A%"]`: false, `in ["a_"]`: false, `is_set`: true})
	check(t, &filter.Subject{}, "last_agent", map[string]bool{`in ["a"]`: false, `not_in ["a"]`: false, `unset not_in ["a"]`: true, `unset in ["a"]`: true, `not_set`: true})
	city := func(path ...string) *filter.Subject {
		return &filter.Subject{Custom: map[string]filter.Value{"city": {Options: path}}}
	}
	check(t, city("cn", "sh"), "custom.city", map[string]bool{`in ["cn"]`: true, `in ["sh"]`: true, `in ["bj","sh"]`: true, `in ["pd"]`: false,
		`not_in ["cn"]`: false, `not_in ["bj"]`: true, `is_set`: true})
	check(t, city(), "custom.city", map[string]bool{`in ["cn"]`: false, `not_in ["cn"]`: false, `unset not_in ["cn"]`: true, `is_set`: false, `not_set`: true})
}

func TestSets(t *testing.T) {
	a, b, c := filtertest.Tags[0], filtertest.Tags[1], filtertest.Tags[2]
	list := func(ids ...uuid.UUID) string {
		var quoted []string
		for _, id := range ids {
			quoted = append(quoted, `"`+id.String()+`"`)
		}
		return "[" + strings.Join(quoted, ",") + "]"
	}
	conditions := map[string]bool{
		"has_any " + list(a): true, "has_any " + list(c, b): true, "has_any " + list(c): false,
		"has_all " + list(a, b): true, "has_all " + list(a, c): false, "has_all " + list(a, a): true,
		"has_none " + list(c): true, "has_none " + list(c, a): false, "is_empty": false,
	}
	check(t, &filter.Subject{Tags: []uuid.UUID{a, b}}, "tags", conditions)
	check(t, &filter.Subject{Groups: []uuid.UUID{a, b}}, "groups", conditions)
	check(t, &filter.Subject{}, "tags", map[string]bool{"has_any " + list(a): false, "unset has_any " + list(a): false, "has_all " + list(a): false,
		"has_none " + list(a): true, "is_empty": true, "unset is_empty": true})
}

func TestYesOrNo(t *testing.T) {
	yes, no := map[string]bool{"is true": true, "is false": false}, map[string]bool{"is true": false, "is false": true, "unset is true": false}
	check(t, &filter.Subject{CreatedVia: "import"}, "imported", yes)
	check(t, &filter.Subject{CreatedVia: "api"}, "imported", no)
	check(t, &filter.Subject{SessionOpen: true}, "session_open", yes)
	check(t, &filter.Subject{}, "session_open", no)
	check(t, &filter.Subject{EverServed: true}, "ever_served", yes)
	check(t, &filter.Subject{}, "ever_served", no)
	check(t, &filter.Subject{ListedAt: now.Add(-time.Hour)}, "blacklisted", yes)
	check(t, &filter.Subject{}, "blacklisted", no)
	check(t, &filter.Subject{ListedAt: now.Add(-time.Hour), ListedUntil: now.Add(time.Microsecond)}, "blacklisted", yes)
	check(t, &filter.Subject{ListedAt: now.Add(-time.Hour), ListedUntil: now}, "blacklisted", no)
	check(t, &filter.Subject{ListedAt: now.Add(-time.Hour), ListedUntil: now}, "blacklisted_at", map[string]bool{`is_set`: false, `unset within {"days":1}`: true, `within {"days":1}`: false})
}

func TestNextFlip(t *testing.T) {
	const never = ""
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	day := 24 * time.Hour
	for _, c := range []struct {
		name      string
		subject   filter.Subject
		condition string
		want      string
	}{
		{"within ends after its last instant", filter.Subject{CreatedAt: ago(day)}, `"created_at","op":"within","value":{"days":7}`, "2026-11-09T09:00:00.000001Z"},
		{"within has ended", filter.Subject{CreatedAt: ago(8 * day)}, `"created_at","op":"within","value":{"days":7}`, never},
		{"within the last instant", filter.Subject{CreatedAt: ago(7 * day)}, `"created_at","op":"within","value":{"days":7}`, "2026-11-03T09:00:00.000001Z"},
		{"older begins", filter.Subject{CreatedAt: ago(day)}, `"created_at","op":"older_than","value":{"hours":25}`, "2026-11-03T10:00:00.000001Z"},
		{"older stays", filter.Subject{CreatedAt: ago(day)}, `"created_at","op":"older_than","value":{"hours":23}`, never},
		{"today ends", filter.Subject{CreatedAt: now}, `"created_at","op":"in","value":{"period":"today"}`, "2026-11-03T16:00:00Z"},
		{"yesterday begins", filter.Subject{CreatedAt: now}, `"created_at","op":"in","value":{"period":"yesterday"}`, "2026-11-03T16:00:00Z"},
		{"last week begins", filter.Subject{CreatedAt: now}, `"created_at","op":"in","value":{"period":"last_week"}`, "2026-11-08T16:00:00Z"},
		{"last month ends", filter.Subject{CreatedAt: ago(5 * day)}, `"created_at","op":"in","value":{"period":"last_month"}`, "2026-11-30T16:00:00Z"},
		{"a period is over", filter.Subject{CreatedAt: ago(5 * day)}, `"created_at","op":"in","value":{"period":"today"}`, never},
		{"today comes", filter.Subject{CreatedAt: now.Add(day)}, `"created_at","op":"in","value":{"period":"today"}`, "2026-11-03T16:00:00Z"},
		{"an instant stays", filter.Subject{CreatedAt: now}, `"created_at","op":"before","value":"2027-01-01T00:00:00Z"`, never},
		{"what is set stays", filter.Subject{CreatedAt: now}, `"last_session_at","op":"not_set"`, never},
		{"what is not set stays", filter.Subject{}, `"last_session_at","op":"older_than","value":{"days":1}`, never},
		{"a date", filter.Subject{Custom: map[string]filter.Value{"birthday": {Date: "2026-11-05"}}}, `"custom.birthday","op":"in","value":{"period":"today"}`, "2026-11-04T16:00:00Z"},
		{"the blacklist ends", filter.Subject{ListedAt: ago(day), ListedUntil: now.Add(day)}, `"blacklisted","op":"is","value":false`, "2026-11-04T09:00:00Z"},
		{"the blacklist has ended", filter.Subject{ListedAt: ago(day), ListedUntil: now}, `"blacklisted","op":"is","value":true`, never},
		{"the blacklist does not end", filter.Subject{ListedAt: ago(day)}, `"blacklisted","op":"is","value":true`, never},
		{"listed long ago comes first", filter.Subject{ListedAt: ago(day), ListedUntil: now.Add(3 * day)}, `"blacklisted_at","op":"older_than","value":{"days":2}`, "2026-11-04T09:00:00.000001Z"},
		{"the end of the listing comes first", filter.Subject{ListedAt: ago(day), ListedUntil: now.Add(2 * day)}, `"blacklisted_at","op":"within","value":{"days":7}`, "2026-11-05T09:00:00Z"},
		{"the end of the listing changes nothing", filter.Subject{ListedAt: ago(day), ListedUntil: now.Add(2 * day)}, `"blacklisted_at","op":"within","unset":true,"value":{"days":7}`, never},
		{"the end of the listing unsets", filter.Subject{ListedAt: ago(day), ListedUntil: now.Add(2 * day)}, `"blacklisted_at","op":"is_set"`, "2026-11-05T09:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := parse(t, `{"field":`+c.condition+`}`)
			got := f.NextFlip(&c.subject, now, shanghai(t))
			if c.want == never {
				if !got.IsZero() {
					t.Errorf("changes at %v", got)
				}
			} else if got != at(t, c.want) {
				t.Errorf("changes at %v, want %s", got, c.want)
			}
		})
	}
	// Who reached out on the last day before the one that Samoa left out was never there "yesterday".
	apia := filter.Calendar{Zone: zone(t, "Pacific/Apia")}
	s := &filter.Subject{CreatedAt: at(t, "2011-12-29T12:00:00Z")}
	if got := parse(t, `{"field":"created_at","op":"in","value":{"period":"yesterday"}}`).NextFlip(s, s.CreatedAt, apia); !got.IsZero() {
		t.Errorf("yesterday comes at %v", got)
	}
	tree := parse(t, `{"any":[{"not":{"field":"created_at","op":"within","value":{"days":7}}},{"all":[{"field":"created_at","op":"in","value":{"period":"today"}}]}]}`)
	if got := tree.NextFlip(&filter.Subject{CreatedAt: now}, now, shanghai(t)); got != at(t, "2026-11-03T16:00:00Z") {
		t.Errorf("of a tree the first is %v", got)
	}
	if got := parse(t, `{}`).NextFlip(&filter.Subject{CreatedAt: now}, now, shanghai(t)); !got.IsZero() {
		t.Errorf("everybody changes at %v", got)
	}
}

func TestEverybody(t *testing.T) {
	var zero filter.Filter
	for _, f := range []*filter.Filter{&zero, parse(t, `{}`), parse(t, `{"all":[]}`), parse(t, `{"not":{"any":[]}}`)} {
		if !f.Match(&filter.Subject{}, now, filter.Calendar{}) {
			t.Errorf("%s is not everybody", f.JSON())
		}
	}
}
