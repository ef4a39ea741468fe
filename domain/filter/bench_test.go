package filter_test

import (
	"testing"
	"time"

	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
)

// BenchmarkMatch is what judging one customer costs. But for texts that were not folded before, nothing is allocated.
func BenchmarkMatch(b *testing.B) {
	tag := `"` + filtertest.Tags[1].String() + `"`
	cal := shanghai(b)
	s := &filter.Subject{Nickname: "王小明", Name: "王小明", ExternalID: "wx_1234567", Phone: "13800138000", CreatedAt: now.Add(-time.Hour), LastSessionAt: now.Add(-time.Hour),
		Channel: "wechat", Association: 12, SessionCount: 7, RatingSum: 13, RatingCount: 3, RatingLast: 4, Tags: filtertest.Tags[:3],
		Custom: map[string]filter.Value{"score": {Number: "12.5"}, "birthday": {Date: "1990-11-03"}, "level": {Options: []string{"gold"}}}}
	for _, c := range []struct{ name, filter string }{
		{"text", `{"field":"name","op":"contains","value":"明"}`},
		{"any text", `{"field":"any_text","op":"contains","value":"absent"}`},
		{"number", `{"field":"session_count","op":"gte","value":5}`},
		{"average", `{"field":"rating_avg","op":"gte","value":4.5}`},
		{"custom number", `{"field":"custom.score","op":"gte","value":4.5}`},
		{"within", `{"field":"last_session_at","op":"within","value":{"days":30}}`},
		{"period", `{"field":"created_at","op":"in","value":{"period":"this_week"}}`},
		{"custom date", `{"field":"custom.birthday","op":"in","value":{"period":"today"}}`},
		{"choice", `{"field":"channel","op":"in","value":["web","wechat"]}`},
		{"association", `{"field":"association","op":"in","value":[1,12]}`},
		{"option", `{"field":"custom.level","op":"in","value":["gold"]}`},
		{"set", `{"field":"tags","op":"has_any","value":[` + tag + `]}`},
		{"yes or no", `{"field":"blacklisted","op":"is","value":false}`},
		{"tree", `{"all":[{"field":"last_session_at","op":"older_than","value":{"minutes":30}},{"any":[{"field":"tags","op":"has_any","value":[` + tag + `]},{"field":"session_count","op":"gt","value":100}]},{"not":{"field":"blacklisted","op":"is","value":true}}]}`},
	} {
		f := parse(b, c.filter)
		b.Run(c.name, func(b *testing.B) {
			s.Fold()
			b.ReportAllocs()
			for b.Loop() {
				f.Match(s, now, cal)
			}
		})
	}
	b.Run("text not folded before", func(b *testing.B) {
		f := parse(b, `{"field":"name","op":"contains","value":"明"}`)
		s.Folded = nil
		b.ReportAllocs()
		for b.Loop() {
			f.Match(s, now, cal)
		}
	})
}

func BenchmarkNextFlip(b *testing.B) {
	cal := shanghai(b)
	s := &filter.Subject{CreatedAt: now.Add(-time.Hour), LastSessionAt: now.Add(-time.Hour)}
	for name, raw := range map[string]string{
		"within": `{"field":"last_session_at","op":"within","value":{"days":30}}`,
		"period": `{"field":"created_at","op":"in","value":{"period":"this_week"}}`,
	} {
		f := parse(b, raw)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.NextFlip(s, now, cal)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(`{"all":[{"field":"created_at","op":"in","value":{"period":"this_week"}},{"any":[{"field":"name","op":"contains","value":"王"},{"field":"external_id","op":"contains","value":"wx_9"}]}]}`)
	l := filtertest.Language(true)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := filter.Parse(raw, l, "filter"); err != nil {
			b.Fatal(err)
		}
	}
}
