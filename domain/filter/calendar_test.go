package filter_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"customercenter/domain/filter"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return instant.UTC()
}

func TestSpansOfTheCalendar(t *testing.T) {
	const monday, sunday, wednesday = time.Monday, time.Sunday, time.Wednesday
	for _, c := range []struct {
		name, zone string
		weekStart  time.Weekday
		at         string
		period     string
		from, to   string
	}{
		{"a day in Shanghai", "Asia/Shanghai", monday, "2026-11-03T15:59:59.999999Z", "today", "2026-11-02T16:00:00Z", "2026-11-03T16:00:00Z"},
		{"its end belongs to the next", "Asia/Shanghai", monday, "2026-11-03T16:00:00Z", "today", "2026-11-03T16:00:00Z", "2026-11-04T16:00:00Z"},
		{"yesterday", "Asia/Shanghai", monday, "2026-11-03T16:00:00Z", "yesterday", "2026-11-02T16:00:00Z", "2026-11-03T16:00:00Z"},
		{"a week from Monday", "Asia/Shanghai", monday, "2026-11-08T12:00:00Z", "this_week", "2026-11-01T16:00:00Z", "2026-11-08T16:00:00Z"},
		{"a week from Sunday", "Asia/Shanghai", sunday, "2026-11-08T12:00:00Z", "this_week", "2026-11-07T16:00:00Z", "2026-11-14T16:00:00Z"},
		{"a week from Wednesday", "Asia/Shanghai", wednesday, "2026-11-03T12:00:00Z", "this_week", "2026-10-27T16:00:00Z", "2026-11-03T16:00:00Z"},
		{"last week", "Asia/Shanghai", monday, "2026-11-08T12:00:00Z", "last_week", "2026-10-25T16:00:00Z", "2026-11-01T16:00:00Z"},
		{"this month", "UTC", monday, "2026-02-28T23:59:59Z", "this_month", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"last month, from the end of a longer one", "UTC", monday, "2026-03-31T12:00:00Z", "last_month", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"last month of a leap year", "UTC", monday, "2028-03-31T12:00:00Z", "last_month", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"last month, from January", "UTC", monday, "2026-01-31T12:00:00Z", "last_month", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"},
		{"a day of 25 hours", "America/New_York", monday, "2026-11-01T12:00:00Z", "today", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"a day of 23 hours", "America/New_York", monday, "2026-03-08T12:00:00Z", "today", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"a month with the change", "America/New_York", monday, "2026-03-20T12:00:00Z", "this_month", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		{"half an hour forward", "Australia/Lord_Howe", monday, "2026-10-03T20:00:00Z", "today", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
		{"half an hour back", "Australia/Lord_Howe", monday, "2026-04-04T20:00:00Z", "today", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"no midnight: the day begins at one", "America/Sao_Paulo", monday, "2018-11-04T12:00:00Z", "today", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"the day before ends there", "America/Sao_Paulo", monday, "2018-11-04T02:59:59Z", "today", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"no midnight in Beirut", "Asia/Beirut", sunday, "2026-03-29T12:00:00Z", "this_week", "2026-03-28T22:00:00Z", "2026-04-04T21:00:00Z"},
		{"set back over midnight: the second hour before it", "America/Sao_Paulo", monday, "2018-02-18T02:30:00Z", "today", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		// In St. John's the clocks were set back at one past midnight: the day had begun, and it goes on.
		{"set back just after midnight: the first minute", "America/St_Johns", monday, "2010-11-07T02:30:30Z", "today", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
		{"set back just after midnight: the hour that shows the day before", "America/St_Johns", monday, "2010-11-07T03:00:00Z", "today", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
		// Samoa left out 30 December 2011.
		{"a day that was left out", "Pacific/Apia", monday, "2011-12-30T12:00:00Z", "yesterday", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"the day before it", "Pacific/Apia", monday, "2011-12-30T09:59:59Z", "today", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"the week with it", "Pacific/Apia", monday, "2011-12-30T12:00:00Z", "this_week", "2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := filter.Calendar{Zone: zone(t, c.zone), WeekStart: c.weekStart}.Span(c.period, at(t, c.at))
			if !from.Equal(at(t, c.from)) || !to.Equal(at(t, c.to)) {
				t.Errorf("%s at %s is %s to %s, want %s to %s", c.period, c.at, from.Format(time.RFC3339), to.Format(time.RFC3339), c.from, c.to)
			}
		})
	}
}

func TestWhatIsNoPeriod(t *testing.T) {
	if from, to := (filter.Calendar{}).Span("this_year", time.Unix(0, 0)); !from.IsZero() || !to.IsZero() {
		t.Errorf("this_year is %v to %v", from, to)
	}
}

// changes are zones and years in which the clocks did something odd.
var changes = []struct {
	zone string
	year int
}{
	{"America/New_York", 2026}, {"Australia/Lord_Howe", 2026}, {"America/Sao_Paulo", 2018}, {"Asia/Beirut", 2026}, {"America/St_Johns", 2010},
	{"Pacific/Apia", 2011}, {"Pacific/Kwajalein", 1993}, {"Asia/Shanghai", 2026}, {"Europe/Dublin", 2026}, {"Africa/Casablanca", 2026}, {"Asia/Gaza", 2026},
	{"America/Havana", 2026}, {"Antarctica/Troll", 2026}, {"Asia/Manila", 1844}, {"Africa/Monrovia", 1972},
}

func TestDaysWeeksAndMonthsFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(t, "change")
		loc, err := time.LoadLocation(change.zone)
		if err != nil {
			t.Fatal(err)
		}
		cal := filter.Calendar{Zone: loc, WeekStart: time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start"))}
		at := time.Date(change.year, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 366*24*4).Draw(t, "quarter")) * 15 * time.Minute)
		at = at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "microseconds")) * time.Microsecond)
		for _, unit := range [][2]string{{"today", "yesterday"}, {"this_week", "last_week"}, {"this_month", "last_month"}} {
			from, to := cal.Span(unit[0], at)
			if at.Before(from) || !at.Before(to) {
				t.Fatalf("%s of %v is %v to %v", unit[0], at, from, to)
			}
			before, until := cal.Span(unit[1], at)
			if !until.Equal(from) || until.Before(before) {
				t.Fatalf("%s of %v is %v to %v, and the one before %v to %v", unit[0], at, from, to, before, until)
			}
			for _, same := range []time.Time{from, to.Add(-time.Microsecond)} {
				if f, e := cal.Span(unit[0], same); !f.Equal(from) || !e.Equal(to) {
					t.Fatalf("%s of %v is %v to %v, and of %v %v to %v", unit[0], at, from, to, same, f, e)
				}
			}
			// The first instant shows midnight of its day, or the clocks jumped over it.
			y, m, d := from.In(loc).Date()
			if h, min, s := from.In(loc).Clock(); h+min+s != 0 {
				if start, _ := from.In(loc).ZoneBounds(); !start.Equal(from) {
					t.Fatalf("%s of %v begins at %v", unit[0], at, from.In(loc))
				}
			} else if before := from.Add(-time.Microsecond).In(loc); before.After(time.Date(y, m, d, 0, 0, 0, 0, loc)) {
				t.Fatalf("%s of %v begins at %v, which is not the first", unit[0], at, from.In(loc))
			}
		}
	})
}

// What NextFlip says of periods holds where the clocks do odd things, too.
func TestPeriodsFlipWhereTheClocksAreChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(t, "change")
		loc, err := time.LoadLocation(change.zone)
		if err != nil {
			t.Fatal(err)
		}
		cal := filter.Calendar{Zone: loc, WeekStart: time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start"))}
		quarter := func(name string) time.Time {
			n := rapid.IntRange(0, 366*24*4).Draw(t, name)
			return time.Date(change.year, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 15 * time.Minute)
		}
		s := &filter.Subject{CreatedAt: quarter("created")}
		at := s.CreatedAt.Add(quarter("at").Sub(s.CreatedAt) / time.Duration(rapid.SampledFrom([]int{1, 10, 100}).Draw(t, "near")))
		period := rapid.SampledFrom(filter.Periods()).Draw(t, "period")
		f, err := filter.Parse([]byte(`{"field":"created_at","op":"in","value":{"period":"`+period+`"}}`), nil, "filter")
		if err != nil {
			t.Fatal(err)
		}
		flip := checkFlip(t, f, s, at, cal)
		if !flip.IsZero() && f.Match(s, flip, cal) == f.Match(s, at, cal) {
			t.Fatalf("%s of %v does not change at %v", period, s.CreatedAt, flip)
		}
	})
}
