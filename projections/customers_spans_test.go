package projections

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
)

// has reports whether a key is in the span.
func (s valueSpan) has(key []byte) bool {
	from, to := bytes.Compare(key, s.from), bytes.Compare(key, s.to)
	return (s.from == nil || from > 0 || from == 0 && !s.after) && (s.to == nil || to < 0 || to == 0 && s.through)
}

// A value is in the span of a condition if the condition holds for it.
func TestSpansAreMatch(t *testing.T) {
	l, o := filtertest.Language(false), newNicknameOrder()
	numbers := rapid.Custom(func(t *rapid.T) filter.Value {
		n, _ := filter.ParseDecimal(rapid.SampledFrom([]string{"0", "1.5", "-1.5", "0.000000000000001", "9999999999999999", "10", "-10", "2"}).Draw(t, "number"))
		return filter.Value{Number: n}
	})
	dates := rapid.Custom(func(t *rapid.T) filter.Value {
		day := filtertest.Instant(t).AddDate(0, 0, rapid.IntRange(-2, 2).Draw(t, "days beside"))
		if rapid.IntRange(0, 9).Draw(t, "extreme") == 0 {
			day = rapid.SampledFrom([]time.Time{time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 3, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}).Draw(t, "day")
		}
		return filter.Value{Date: day.Format(time.DateOnly)}
	})
	spans := 0
	rapid.Check(t, func(t *rapid.T) {
		f, cal, at := filtertest.Condition(t, l), filtertest.Calendar(t), filtertest.Instant(t)
		c := f.Root().(*filter.Condition)
		if custom(c.Field) == "" { // beside the first date and the last
			c = &filter.Condition{Field: "custom." + filtertest.Date, Kind: filter.Time, Op: filter.After, From: rapid.SampledFrom([]time.Time{
				time.Date(1, 1, 1, 12, 0, 0, 0, time.UTC), time.Date(1, 1, 2, 12, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 12, 0, 0, 0, time.UTC),
			}).Draw(t, "bound")}
			if rapid.Bool().Draw(t, "before") {
				c.Op, c.From, c.To = filter.Before, time.Time{}, c.From
			}
		}
		if c.Op == filter.IsSet || c.Op == filter.NotSet || c.Kind == filter.Choice {
			return
		}
		span, ok := spanOf(c, at, cal)
		if !ok {
			return
		}
		spans++
		kind, value := field.TypeNumber, filter.Value{}
		var key []byte
		if c.Kind == filter.Time {
			kind, value = field.TypeDate, dates.Draw(t, "date")
			key = o.value(kind, value.Date)
		} else {
			value = numbers.Draw(t, "number")
			key = o.value(kind, string(value.Number))
		}
		if got, want := span.has(key), c.Match(&filter.Subject{Custom: map[string]filter.Value{custom(c.Field): value}}, at, cal); got != want {
			t.Fatalf("%+v of %+v: %v, want %v", c, value, got, want)
		}
	})
	if spans < 20 {
		t.Errorf("only %d spans", spans)
	}
}
