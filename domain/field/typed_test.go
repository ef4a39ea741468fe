package field_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
)

// odd is a tenant whose options have in their labels what parts options in a cell.
func odd() *field.State {
	return domaintest.Fold[field.State](
		field.Added{Field: "hours", Type: field.TypeMultiSelect, Label: "Hours", Options: []field.Option{
			{ID: "o1", Label: "Sat, Sun"}, {ID: "o2", Label: "Sat"}, {ID: "o3", Label: "9-5"}, {ID: "o4", Label: "早，晚"}, {ID: "o5", Label: ",,"},
		}},
		field.Added{Field: "service", Type: field.TypeCascade, Label: "Service", Options: []field.Option{
			{ID: "o1", Label: "24/7"}, {ID: "o2", Label: "phone/chat", Parent: "o1"}, {ID: "o3", Label: "phone", Parent: "o1"}, {ID: "o4", Label: "24"},
			{ID: "o5", Label: "phone", Parent: "o4"},
		}},
	)
}

func TestTyped(t *testing.T) {
	list := func(ids ...any) []any { return ids }
	for _, c := range []struct {
		state     *field.State
		key, cell string
		want      any
		refused   string // the rule that Normalize names, if it refuses it
	}{
		{wide(), "text", " L ", " L ", ""},
		{wide(), "multiline", "a\r\nb", "a\r\nb", ""},
		{wide(), "number", "１２.50", "１２.50", ""},
		{wide(), "number", "1,250", "1,250", domain.RuleFormat},
		{wide(), "date", "2026-11-03", "2026-11-03", ""},
		{wide(), "date", " 2026-11-3 ", "2026-11-03", ""},
		{wide(), "date", "2026/11/3", "2026-11-03", ""},
		{wide(), "date", "2026.1.2", "2026-01-02", ""},
		{wide(), "date", "２０２６年1月2日", "2026-01-02", ""},
		{wide(), "date", "20261103", "2026-11-03", ""},
		{wide(), "date", "2026-11-03 00:00:00", "2026-11-03", ""},
		{wide(), "date", "2026-11-03 08:30:00", "2026-11-03 08:30:00", domain.RuleFormat},
		{wide(), "date", "11/3/2026", "11/3/2026", domain.RuleFormat},
		{wide(), "date", "26-11-03", "26-11-03", domain.RuleFormat},
		{wide(), "date", "2026-02-30", "2026-02-30", domain.RuleFormat},
		{wide(), "date", "0001/1/1", "0001-01-01", domain.RuleFormat},
		{wide(), "date", "46329", "46329", domain.RuleFormat}, // as a spreadsheet program counts days
		{wide(), "never", "x", "x", domain.RuleOneOf},
		{wide(), "gone", "x", "x", domain.RuleOneOf},
		{wide(), "size", "x", "x", domain.RuleOneOf}, // disabled
		{wide(), "phone", "x", "x", domain.RuleOneOf},

		{wide(), "select", "silver", "o2", ""},
		{wide(), "select", " ＳＩＬＶＥＲ　", "o2", ""},
		{wide(), "select", "o2", "o2", ""}, // an id
		{wide(), "select", "platinum", "platinum", domain.RuleOneOf},
		{wide(), "select", "gold,silver", "gold,silver", domain.RuleOneOf},

		{wide(), "multi_select", "bronze", list("o3"), ""},
		{wide(), "multi_select", "Bronze , ＧＯＬＤ", list("o3", "o1"), ""},
		{wide(), "multi_select", ",gold,, silver,", list("o1", "o2"), ""},
		{wide(), "multi_select", "gold,gold", list("o1", "o1"), ""},
		{wide(), "multi_select", "gold，silver", list("gold，silver"), domain.RuleOneOf}, // commas of a Chinese keyboard part nothing
		{wide(), "multi_select", "gold,tin", list("o1", "tin"), domain.RuleOneOf},
		{wide(), "multi_select", ",", list(""), domain.RuleOneOf},
		{wide(), "multi_select", " , ,", list(" "), domain.RuleOneOf},

		{wide(), "cascade", "广东", list("o1"), ""},
		{wide(), "cascade", "广东/深圳/南山", list("o1", "o2", "o3"), ""},
		{wide(), "cascade", " 广东 / 深圳 ", list("o1", "o2"), ""},
		{wide(), "cascade", "/广东//广州/", list("o1", "o4"), ""},
		{wide(), "cascade", "深圳", list("深圳"), domain.RuleOneOf},
		{wide(), "cascade", "四川/深圳", list("o5", "深圳"), domain.RuleOneOf},
		{wide(), "cascade", "广东/南山", list("o1", "南山"), domain.RuleOneOf},
		{wide(), "cascade", "广东,深圳", list("广东,深圳"), domain.RuleOneOf},
		{wide(), "cascade", "/", list(""), domain.RuleOneOf},

		{odd(), "hours", "Sat, Sun", list("o1"), ""},
		{odd(), "hours", "sat, sun,9-5", list("o1", "o3"), ""},
		{odd(), "hours", "Sat,9-5", list("o2", "o3"), ""},
		{odd(), "hours", "Sat,Sun", list("o2", "Sun"), domain.RuleOneOf},
		{odd(), "hours", "早，晚,Sat", list("o4", "o2"), ""},
		{odd(), "hours", ",,", list("o5"), ""},
		{odd(), "service", "24/7/phone/chat", list("o1", "o2"), ""},
		{odd(), "service", "24/7/phone", list("o1", "o3"), ""},
		{odd(), "service", "24/phone", list("o4", "o5"), ""},
		{odd(), "service", "24", list("o4"), ""},
	} {
		got := c.state.Typed(c.key, c.cell)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: %#v, want %#v", c.key, c.cell, got, c.want)
		}
		_, err := c.state.Normalize(c.key, got)
		rule := ""
		if refusal, is := err.(*domain.Refusal); is {
			rule, _ = refusal.Args["rule"].(string)
		}
		if rule != c.refused {
			t.Errorf("%s %q is refused by the rule %q, want %q", c.key, c.cell, rule, c.refused)
		}
	}
	if got := len(wide().Typed("multi_select", strings.Repeat("tin,", 100_000)).([]any)); got != field.MaxOptions+1 {
		t.Errorf("of very many options %d are read: one more than there can be is enough to refuse them", got)
	}
}

func TestShown(t *testing.T) {
	gone := wide()
	gone.Apply(field.Changed{Field: "multi_select", Label: "m", Options: level.Options[1:]}, domaintest.Start)
	for _, c := range []struct {
		state *field.State
		key   string
		value any
		want  string
	}{
		{wide(), "text", "L", "L"},
		{wide(), "number", "12.5", "12.5"},
		{wide(), "date", "2026-11-03", "2026-11-03"},
		{wide(), "text", nil, ""},
		{wide(), "text", "o1", "o1"},
		{wide(), "select", "o2", "silver"},
		{wide(), "select", "o9", "o9"},
		{wide(), "multi_select", []any{"o3", "o1"}, "bronze,gold"},
		{wide(), "multi_select", []any{}, ""},
		{wide(), "cascade", []any{"o1", "o2", "o3"}, "广东/深圳/南山"},
		{gone, "multi_select", []any{"o1", "o2"}, "o1,silver"},
		{wide(), "never", "x", ""},
		{wide(), "gone", "x", ""},
		{odd(), "hours", []any{"o1", "o3"}, "Sat, Sun,9-5"},
	} {
		if got := c.state.Shown(c.key, c.value); got != c.want {
			t.Errorf("%s %v is shown as %q, want %q", c.key, c.value, got, c.want)
		}
	}
}

// What an export has in a cell, an import reads as it was.
func TestWhatIsShownIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := wide()
		kind := rapid.SampledFrom([]string{field.TypeSelect, field.TypeMultiSelect, field.TypeCascade}).Draw(t, "type")
		label := rapid.SampledFrom([]string{"甲", "乙", "A", "b c", "d/e", "f,g", "h，i", "Ｗ", "x.y", "/z", "j,", "９"})
		labels := rapid.SliceOfNDistinct(label, 1, 8, rapid.ID).Draw(t, "labels")
		f := field.Added{Field: "drawn", Type: kind, Label: "drawn"}
		for i, label := range labels {
			o := field.Option{ID: fmt.Sprint("o", i+1), Label: label}
			if kind == field.TypeCascade && i > 0 {
				o.Parent = fmt.Sprint("o", rapid.IntRange(0, i).Draw(t, "parent"))
				if o.Parent == "o0" {
					o.Parent = ""
				}
			}
			f.Options = append(f.Options, o)
		}
		s.Apply(f, domaintest.Start)
		var value any
		switch kind {
		case field.TypeSelect:
			value = rapid.SampledFrom(f.Options).Draw(t, "chosen").ID
		case field.TypeMultiSelect:
			var chosen []any
			for _, o := range f.Options {
				if rapid.Bool().Draw(t, o.Label) {
					chosen = append(chosen, o.ID)
				}
			}
			value = chosen
		default:
			var way []any
			for at := rapid.SampledFrom(f.Options).Draw(t, "chosen"); ; {
				way = append([]any{at.ID}, way...)
				if at.Parent == "" {
					break
				}
				var number int
				fmt.Sscanf(at.Parent, "o%d", &number)
				at = f.Options[number-1]
			}
			value = way
		}
		want, err := s.Normalize("drawn", value)
		if err != nil {
			t.Fatal(err)
		}
		cell := s.Shown("drawn", value)
		var got any // an empty cell is not read at all
		if cell != "" {
			if got, err = s.Normalize("drawn", s.Typed("drawn", cell)); err != nil {
				t.Fatalf("%q: %v", cell, err)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%v is shown as %q and read as %v", want, cell, got)
		}
	})
}
