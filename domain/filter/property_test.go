package filter_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
)

func TestCanonicalFormParsesToTheSame(t *testing.T) {
	l := filtertest.Language(true)
	rapid.Check(t, func(t *rapid.T) {
		f := filtertest.Filter(t, l)
		canonical := f.JSON()
		again, err := filter.Parse(canonical, l, "filter")
		if err != nil {
			t.Fatalf("%v: %s", err, canonical)
		}
		if !reflect.DeepEqual(again, f) {
			t.Fatalf("%s is another filter than it was", canonical)
		}
		if !bytes.Equal(again.JSON(), canonical) {
			t.Fatalf("%s, and again %s", canonical, again.JSON())
		}
	})
}

func TestLawsOfGroups(t *testing.T) {
	l := filtertest.Language(true)
	rapid.Check(t, func(t *rapid.T) {
		s, at, cal := filtertest.Subject(t), filtertest.Instant(t), filtertest.Calendar(t)
		a, b := filtertest.Condition(t, l), filtertest.Condition(t, l)
		isA, isB := a.Match(s, at, cal), b.Match(s, at, cal)
		for _, c := range []struct {
			tree string
			want bool
		}{
			{`{"not":A}`, !isA},
			{`{"all":[A,B]}`, isA && isB},
			{`{"any":[A,B]}`, isA || isB},
			{`{"all":[A]}`, isA},
			{`{"any":[A]}`, isA},
			{`{"all":[]}`, true},
			{`{"any":[]}`, false},
			{`{"not":{"all":[A,{"not":B}]}}`, !isA || isB},
			{`{"any":[{"all":[A,B]},{"all":[A,{"not":B}]}]}`, isA},
		} {
			raw := bytes.ReplaceAll([]byte(c.tree), []byte("A"), []byte("<a>"))
			raw = bytes.ReplaceAll(raw, []byte("B"), b.JSON())
			raw = bytes.ReplaceAll(raw, []byte("<a>"), a.JSON())
			f, err := filter.Parse(raw, l, "filter")
			if err != nil {
				t.Fatalf("%v: %s", err, raw)
			}
			if got := f.Match(s, at, cal); got != c.want {
				t.Fatalf("%s is %v where A is %v and B is %v: %s", c.tree, got, isA, isB, raw)
			}
			s.Fold()
			if got := f.Match(s, at, cal); got != c.want {
				t.Fatalf("%s is %v with the texts folded before: %s", c.tree, got, raw)
			}
			s.Folded = nil
		}
	})
}

// instants are those at which anything can change for a customer by the clock alone, with their neighbours, and some more.
func instants(s *filter.Subject, at time.Time, cal filter.Calendar) []time.Time {
	moments := []time.Time{at, s.ListedUntil}
	for _, t := range []time.Time{s.CreatedAt, s.UpdatedAt, s.FirstSessionAt, s.LastSessionAt, s.LastMessageAt, s.ListedAt, dateOf(s, cal)} {
		if t.IsZero() {
			continue
		}
		for _, length := range []time.Duration{0, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 36500 * 24 * time.Hour} {
			moments = append(moments, t.Add(length))
		}
	}
	for day := range 100 { // midnights, where there are any, and the middle of each day
		y, m, d := at.In(cal.Zone).Date()
		moments = append(moments, time.Date(y, m, d+day, 0, 0, 0, 0, cal.Zone), time.Date(y, m, d+day, 1, 0, 0, 0, cal.Zone),
			time.Date(y, m, d+day, 12, 0, 0, 0, cal.Zone))
	}
	var all []time.Time
	for _, m := range moments {
		all = append(all, m.Add(-time.Microsecond), m, m.Add(time.Microsecond), m.Add(2*time.Microsecond))
	}
	return all
}

func dateOf(s *filter.Subject, cal filter.Calendar) time.Time {
	t, _ := cal.DateStart(s.Custom[filtertest.Date].Date)
	return t
}

func TestNothingChangesBeforeTheNextFlip(t *testing.T) {
	l := filtertest.Language(true)
	rapid.Check(t, func(t *rapid.T) {
		s, at, cal := filtertest.Subject(t), filtertest.Instant(t), filtertest.Calendar(t)
		f := filtertest.Filter(t, l)
		checkFlip(t, f, s, at, cal)
	})
}

func TestTheNextFlipOfAConditionIsOne(t *testing.T) {
	l := filtertest.Language(true)
	times := rapid.Custom(func(t *rapid.T) *filter.Filter { return filtertest.Condition(t, l) }).Filter(func(f *filter.Filter) bool {
		c := f.Root().(*filter.Condition)
		return c.Kind == filter.Time || c.Field == "blacklisted"
	})
	rapid.Check(t, func(t *rapid.T) {
		s, at, cal := filtertest.Subject(t), filtertest.Instant(t), filtertest.Calendar(t)
		f := times.Draw(t, "condition")
		for range 4 { // a listing that ends after a period that came and went is the longest story
			flip := checkFlip(t, f, s, at, cal)
			if flip.IsZero() {
				return
			}
			if f.Match(s, flip, cal) == f.Match(s, at, cal) {
				t.Fatalf("%s does not change at %v", f.JSON(), flip)
			}
			at = flip
		}
		t.Fatalf("%s still changes after %v", f.JSON(), at)
	})
}

func checkFlip(t *rapid.T, f *filter.Filter, s *filter.Subject, at time.Time, cal filter.Calendar) time.Time {
	now, flip := f.Match(s, at, cal), f.NextFlip(s, at, cal)
	if !flip.IsZero() && (!flip.After(at) || flip != flip.Truncate(time.Microsecond) || flip.Location() != time.UTC) {
		t.Fatalf("the next flip after %v is %v", at, flip)
	}
	moments := instants(s, at, cal)
	if !flip.IsZero() {
		moments = append(moments, flip.Add(-time.Microsecond), at.Add(flip.Sub(at)/2))
	}
	for _, m := range moments {
		if m.Before(at) || !flip.IsZero() && !m.Before(flip) {
			continue
		}
		if f.Match(s, m, cal) != now {
			t.Fatalf("%s is %v at %v and changes at %v, before %v", f.JSON(), now, at, m, flip)
		}
	}
	return flip
}

func TestEvidenceAndWordsOfAnything(t *testing.T) {
	l := filtertest.Language(true)
	rapid.Check(t, func(t *rapid.T) {
		s, at, cal := filtertest.Subject(t), filtertest.Instant(t), filtertest.Calendar(t)
		f := filtertest.Filter(t, l)
		evidence := f.Explain(s, at, cal)
		for _, lang := range []string{"zh-CN", "en"} {
			if f.Describe(lang, filter.Names{Zone: cal.Zone}) == "" {
				t.Fatalf("no words for %s", f.JSON())
			}
			for _, e := range evidence {
				condition, text := e.Words(lang, filter.Names{Zone: cal.Zone})
				if condition == "" || text == condition || condition == e.Condition {
					t.Fatalf("%s: %q, %q", e.Condition, condition, text)
				}
			}
		}
		for _, e := range evidence {
			one, err := filter.Parse([]byte(e.Condition), l, "")
			if err != nil {
				t.Fatalf("%v: %s", err, e.Condition)
			}
			if one.Match(s, at, cal) != e.Met {
				t.Fatalf("%s is not %v", e.Condition, e.Met)
			}
		}
	})
}

// What Explain names decides: with everything else taken out of the tree, it comes out the same.
func TestEvidenceSuffices(t *testing.T) {
	l := filtertest.Language(true)
	rapid.Check(t, func(t *rapid.T) {
		s, at, cal := filtertest.Subject(t), filtertest.Instant(t), filtertest.Calendar(t)
		f := filtertest.Filter(t, l)
		named := map[string]bool{}
		for _, e := range f.Explain(s, at, cal) {
			if _, twice := named[e.Path]; twice {
				t.Fatalf("%s is there twice", e.Path)
			}
			named[e.Path] = e.Met
		}
		want := f.Match(s, at, cal)
		// Whatever the others are, the tree is what the named ones make it.
		if f.Root() == nil {
			return
		}
		for _, others := range []bool{true, false} {
			if got := judge(f.Root(), named, others); got != want {
				t.Fatalf("%s is %v by the evidence if all others are %v, want %v", f.JSON(), got, others, want)
			}
		}
	})
}

func judge(n filter.Node, named map[string]bool, others bool) bool {
	switch n := n.(type) {
	case filter.All:
		for _, part := range n {
			if !judge(part, named, others) {
				return false
			}
		}
		return true
	case filter.Any:
		for _, part := range n {
			if judge(part, named, others) {
				return true
			}
		}
		return false
	case filter.Not:
		return !judge(n.Node, named, others)
	}
	if met, ok := named[n.(*filter.Condition).Path]; ok {
		return met
	}
	return others
}
