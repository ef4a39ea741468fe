// Package filtertest draws filters, customers, calendars and instants that hit each other often, for property tests.
package filtertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"customercenter/domain/filter"
)

// The ids that filters and customers are drawn from.
var (
	Tags   = ids("tag", 6)
	Groups = ids("group", 4)
	Agents = []string{"agent-1", "agent-2", "ag_3%"}
)

func ids(kind string, n int) []uuid.UUID {
	out := make([]uuid.UUID, n)
	for i := range out {
		out[i] = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %d", kind, i))
	}
	return out
}

// The custom fields that Language has, by kind.
const (
	Select  = "level"    // one option
	Cascade = "city"     // a path of options
	Note    = "note"     // text
	Score   = "score"    // number
	Date    = "birthday" // date
)

// Language is a language with a custom field of each kind.
func Language(groups bool) *filter.Language {
	return &filter.Language{Groups: groups, Custom: []filter.CustomField{
		{Key: Select, Label: "等级", Kind: filter.Choice, Options: map[string]string{"gold": "金", "silver": "银", "bronze": "铜"}},
		{Key: Cascade, Label: "城市", Kind: filter.Choice, Options: map[string]string{"cn": "中国", "sh": "上海", "bj": "北京", "pd": "浦东"}},
		{Key: Note, Label: "备注", Kind: filter.Text},
		{Key: Score, Label: "积分", Kind: filter.Number},
		{Key: Date, Label: "生日", Kind: filter.Time},
	}}
}

// names are texts that differ in what comparing and searching must get right.
var names = []string{"王小明", "王芳", "小王", "欧阳小明", "Wang", "ＷＡＮＧ", "wang fang", "50%", "a_b", `a\b`, "axb", "e\u0301mile", "Émile", "😀王", "Straße",
	"STRASSE", "ﬁt", "1", "O'Brien", "İstanbul", "ｶﾞ", "가나"}

// needles are what is looked for in texts: pieces of names and ids, of one character and more, and what is in none.
var needles = []string{"王", "小", "小明", "w", "wan", "ＡＮＧ", "g f", "%", "_", `\`, "x", "É", "e\u0301", "😀", "ss", "strasse", "fi", "1", "13", "138", "wx", "X_", "9", "'", "i̇",
	"ガ", "가", "zz", "absent"}

var externalIDs = []string{"wx_9", "wx19", "WX-9A", "1380", "a.b", "a_b", "axb", "u1", "u2", "user-138"}

var phones = []string{"13800138000", "+86 138 0013", "1380013", "021-555", "１３８００"}

// starts are instants around which something happens in one of Calendar's zones: midnights, the ends of weeks, months and of summer time.
var starts = []time.Time{
	time.Date(2026, 10, 31, 16, 0, 0, 0, time.UTC), // midnight of a first in Shanghai
	time.Date(2026, 11, 1, 4, 0, 0, 0, time.UTC),   // midnight of a first in New York, a Sunday
	time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),   // the clocks are set back there
	time.Date(2026, 11, 8, 5, 0, 0, 0, time.UTC),   // midnight a week later
	time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC), // the clocks are set forward half an hour on Lord Howe Island
	time.Date(2026, 10, 9, 16, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC),
	time.Date(2026, 10, 24, 21, 0, 0, 0, time.UTC), // midnight in Beirut, which they are set back to from one
	time.Date(2026, 10, 14, 9, 30, 0, 0, time.UTC),
}

// Starts are the instants around which Instant draws.
func Starts() []time.Time { return slices.Clone(starts) }

// Instant draws an instant from a space of a few months that is small enough for two to be the same, or one of Within's lengths apart.
func Instant(t *rapid.T) time.Time {
	return rapid.Custom(instant).Draw(t, "instant")
}

func instant(t *rapid.T) time.Time {
	at := rapid.SampledFrom(starts).Draw(t, "start")
	at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, -1, 1, -7, 7, -30, 30, -31}).Draw(t, "days")) * 24 * time.Hour)
	at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, -1, 1, 12}).Draw(t, "hours")) * time.Hour)
	return at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "microseconds")) * time.Microsecond)
}

// Zones are those of Calendar.
func Zones() []string {
	return []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Sao_Paulo", "UTC"}
}

// Calendar draws a zone and the first day of a week.
func Calendar(t *rapid.T) filter.Calendar {
	zone, err := time.LoadLocation(rapid.SampledFrom(Zones()).Draw(t, "zone"))
	if err != nil {
		t.Fatalf("load the zone: %v", err)
	}
	return filter.Calendar{Zone: zone, WeekStart: time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start"))}
}

// Subject draws a customer. Its values fit together as those of real ones: no rating without a session, for one.
func Subject(t *rapid.T) *filter.Subject {
	maybe := func(values []string, what string) string {
		if rapid.IntRange(0, 3).Draw(t, what+" is not set") == 0 {
			return ""
		}
		return rapid.SampledFrom(values).Draw(t, what)
	}
	s := &filter.Subject{
		ID:          uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, rapid.Uint64().Draw(t, "id"))),
		Association: rapid.IntRange(1, 3).Draw(t, "association"),
		Channel:     rapid.SampledFrom([]string{"app", "web", "wechat"}).Draw(t, "channel"),
		ExternalID:  rapid.SampledFrom(externalIDs).Draw(t, "external id"),
		Nickname:    maybe(names, "nickname"), Name: maybe(names, "name"), Phone: maybe(phones, "phone"), QQ: maybe(externalIDs, "qq"),
		WechatID: maybe(externalIDs, "wechat id"), Email: maybe(names, "email"), Company: maybe(names, "company"),
		Description: maybe(append([]string{"王\n小明", "a_b\n\t50%"}, names...), "description"),
		Tags:        some(t, Tags, "tags"), Groups: some(t, Groups, "groups"),
		CreatedVia: rapid.SampledFrom([]string{"inbound", "import", "api"}).Draw(t, "created via"),
		CreatedAt:  Instant(t), UpdatedAt: Instant(t),
		SuppressedCount: rapid.IntRange(0, 2).Draw(t, "suppressed"),
	}
	custom(t, s)
	if s.SessionCount = rapid.IntRange(0, 3).Draw(t, "sessions"); s.SessionCount > 0 {
		s.FirstSessionAt, s.LastSessionAt = Instant(t), Instant(t)
		if s.LastSessionAt.Before(s.FirstSessionAt) {
			s.FirstSessionAt, s.LastSessionAt = s.LastSessionAt, s.FirstSessionAt
		}
		s.SessionOpen = rapid.Bool().Draw(t, "open")
		if s.MessageCount = rapid.IntRange(0, 4).Draw(t, "messages"); s.MessageCount > 0 {
			s.LastMessageAt = Instant(t)
		}
		if s.EverServed = rapid.Bool().Draw(t, "served"); s.EverServed {
			s.LastAgent = rapid.SampledFrom(Agents).Draw(t, "last agent")
		}
		for range rapid.IntRange(0, s.SessionCount).Draw(t, "ratings") {
			s.RatingLast = rapid.IntRange(1, 5).Draw(t, "rating")
			s.RatingSum, s.RatingCount = s.RatingSum+s.RatingLast, s.RatingCount+1
		}
	}
	if rapid.Bool().Draw(t, "listed") {
		s.ListedAt = Instant(t)
		if until := Instant(t); until.After(s.ListedAt) {
			s.ListedUntil = until
		}
	}
	return s
}

func custom(t *rapid.T, s *filter.Subject) {
	for _, v := range []struct {
		key    string
		values []filter.Value
	}{
		{Select, []filter.Value{{Options: []string{"gold"}}, {Options: []string{"silver"}}, {Options: []string{"bronze", "gold"}}}},
		{Cascade, []filter.Value{{Options: []string{"cn"}}, {Options: []string{"cn", "sh"}}, {Options: []string{"cn", "sh", "pd"}}}},
		{Note, []filter.Value{{Text: "王\n50%"}, {Text: "ＡＢ_c"}, {Text: "x"}}},
		{Score, []filter.Value{{Number: "0"}, {Number: "1.5"}, {Number: "-1.5"}, {Number: "0.000000000000001"}, {Number: "9999999999999999"}, {Number: "10"}}},
		{Date, []filter.Value{{Date: "2026-11-01"}, {Date: "2026-10-31"}, {Date: "2026-10-04"}, {Date: "2000-02-29"}}},
	} {
		if !rapid.Bool().Draw(t, v.key+" is set") {
			continue
		}
		if s.Custom == nil {
			s.Custom = map[string]filter.Value{}
		}
		s.Custom[v.key] = rapid.SampledFrom(v.values).Draw(t, v.key)
	}
}

// some draws some of the values, each at most once.
func some[T comparable](t *rapid.T, values []T, what string) []T {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 0, 3, rapid.ID[T]).Draw(t, what)
}

// Filter draws a filter of the language: at times everybody, at times one condition, else a tree.
func Filter(t *rapid.T, l *filter.Language) *filter.Filter {
	raw := Raw(t, l)
	f, err := filter.Parse(raw, l, "filter")
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return f
}

// Raw draws a filter as JSON.
func Raw(t *rapid.T, l *filter.Language) []byte {
	var tree any
	if rapid.IntRange(0, 20).Draw(t, "everybody") == 0 {
		tree = map[string]any{}
	} else {
		tree = node(t, l, rapid.IntRange(0, 3).Draw(t, "levels"))
	}
	return encode(t, tree)
}

// Condition draws a filter of one condition.
func Condition(t *rapid.T, l *filter.Language) *filter.Filter {
	raw := encode(t, condition(t, l))
	f, err := filter.Parse(raw, l, "filter")
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return f
}

func encode(t *rapid.T, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode the filter: %v", err)
	}
	return raw
}

func node(t *rapid.T, l *filter.Language, levels int) any {
	if levels == 0 {
		return condition(t, l)
	}
	kind := rapid.SampledFrom([]string{"all", "any", "not", "condition"}).Draw(t, "node")
	switch kind {
	case "condition":
		return condition(t, l)
	case "not":
		return map[string]any{"not": node(t, l, levels-1)}
	}
	parts := make([]any, rapid.IntRange(0, 3).Draw(t, "parts"))
	for i := range parts {
		parts[i] = node(t, l, levels-1)
	}
	return map[string]any{kind: parts}
}

func condition(t *rapid.T, l *filter.Language) map[string]any {
	fields := filter.SystemFields()
	if !l.Groups {
		fields = slices.DeleteFunc(fields, func(name string) bool { return name == "groups" })
	}
	for _, own := range l.Custom {
		fields = append(fields, "custom."+own.Key)
	}
	name := rapid.SampledFrom(fields).Draw(t, "field")
	kind, ok := l.KindOf(name)
	if !ok {
		t.Fatalf("no field %s", name)
	}
	op := rapid.SampledFrom(filter.Operators(kind)).Draw(t, "op")
	c := map[string]any{"field": name, "op": op}
	if rapid.IntRange(0, 3).Draw(t, "unset") == 0 {
		c["unset"] = rapid.Bool().Draw(t, "unset is")
	}
	if v := operand(t, l, name, kind, op); v != nil {
		c["value"] = v
	}
	return c
}

func operand(t *rapid.T, l *filter.Language, name string, kind filter.Kind, op filter.Op) any {
	if op == filter.IsSet || op == filter.NotSet || op == filter.IsEmpty {
		return nil
	}
	switch kind {
	case filter.Text:
		return textOperand(t, name, op)
	case filter.Number:
		draw := func() json.Number {
			return json.Number(rapid.SampledFrom([]string{"0", "1", "2", "3", "4.5", "3.3333333333333", "-1.5", "1.50", "15e-1", "1e1", "9999999999999999"}).Draw(t, "number"))
		}
		if op != filter.Between {
			return draw()
		}
		low, high := decimal(draw()), decimal(draw())
		if high.Compare(low) < 0 {
			low, high = high, low
		}
		return []json.Number{json.Number(low), json.Number(high)}
	case filter.Time:
		return timeOperand(t, op)
	case filter.Choice:
		return some1(t, choices(l, name), "choices")
	case filter.Set:
		if name == "groups" {
			return some1(t, Groups, "groups")
		}
		return some1(t, Tags, "tags")
	}
	return rapid.Bool().Draw(t, "is")
}

func decimal(n json.Number) filter.Decimal {
	d, _ := filter.ParseDecimal(n.String())
	return d
}

func textOperand(t *rapid.T, name string, op filter.Op) any {
	pool := slices.Concat(names, externalIDs, phones)
	switch op {
	case filter.In:
		return some1(t, pool, "texts")
	case filter.Eq, filter.Ne:
		return rapid.SampledFrom(pool).Draw(t, "text")
	}
	pool = slices.DeleteFunc(append(pool, slices.Repeat(needles, 3)...), func(needle string) bool {
		f := fmt.Sprintf(`{"field":%q,"op":"contains","value":%s}`, name, encode(t, needle))
		_, err := filter.Parse([]byte(f), Language(false), "")
		return err != nil // too short for this field
	})
	return rapid.SampledFrom(pool).Draw(t, "needle")
}

func timeOperand(t *rapid.T, op filter.Op) any {
	switch op {
	case filter.Before, filter.After:
		return Instant(t)
	case filter.Between:
		from, to := Instant(t), Instant(t)
		if to.Before(from) {
			from, to = to, from
		}
		return map[string]any{"from": from, "to": to}
	case filter.In:
		return map[string]any{"period": rapid.SampledFrom(filter.Periods()).Draw(t, "period")}
	}
	return rapid.SampledFrom([]map[string]any{{"days": 1}, {"days": 7}, {"days": 30}, {"hours": 1}, {"hours": 24}, {"minutes": 60},
		{"minutes": 1440}, {"days": 36500}}).Draw(t, "length")
}

func choices(l *filter.Language, name string) []string {
	switch name {
	case "channel":
		return []string{"app", "web", "wechat", "weibo"}
	case "association":
		return []string{"1", "2", "3", "4"}
	case "created_via":
		return []string{"inbound", "import", "api"}
	case "last_agent":
		return append([]string{"nobody"}, Agents...)
	}
	for _, own := range l.Custom {
		if "custom."+own.Key == name {
			return slices.Sorted(maps.Keys(own.Options))
		}
	}
	return nil
}

// some1 draws one or several of the values.
func some1[T comparable](t *rapid.T, values []T, what string) []T {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 3, rapid.ID[T]).Draw(t, what)
}
