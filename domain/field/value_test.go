package field_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
)

// wide is a tenant with a field of every type, called like it, one that is disabled and one that was removed.
func wide() *field.State {
	one := func(kind string, options ...field.Option) field.Added {
		return field.Added{Field: kind, Type: kind, Label: kind, Options: options}
	}
	return domaintest.Fold[field.State](
		one(field.TypeText), one(field.TypeMultiline), one(field.TypeNumber), one(field.TypeDate),
		one(field.TypeSelect, level.Options...), one(field.TypeMultiSelect, level.Options...), one(field.TypeCascade, region.Options...),
		size, field.Disabled{Field: "size"}, field.Added{Field: "gone", Type: field.TypeText, Label: "Gone"}, field.Removed{Field: "gone"},
	)
}

func TestNormalize(t *testing.T) {
	list := func(ids ...any) []any { return ids }
	s := wide()
	for _, c := range []struct {
		key         string
		value, want any
		rule        string // of a refusal
	}{
		{"text", " L\u3000", "L", ""},
		{"text", "e\u0301", "é", ""},
		{"text", "  ", nil, ""},
		{"text", nil, nil, ""},
		{"text", strings.Repeat("长", 256), strings.Repeat("长", 256), ""},
		{"text", strings.Repeat("长", 257), nil, domain.RuleTooLong},
		{"text", "a\nb", nil, domain.RuleCharacters},
		{"text", "a\x00", nil, domain.RuleCharacters},
		{"text", "\xff", nil, domain.RuleCharacters},
		{"text", 5.0, nil, domain.RuleFormat},
		{"text", list("a"), nil, domain.RuleFormat},
		{"text", list(), nil, domain.RuleFormat},
		{"multiline", "a\r\nb", "a\nb", ""},
		{"multiline", strings.Repeat("长", 1000), strings.Repeat("长", 1000), ""},
		{"multiline", strings.Repeat("长", 1001), nil, domain.RuleTooLong},

		{"number", 41.50, "41.5", ""},
		{"number", math.Copysign(0, -1), "0", ""},
		{"number", 1e15, "1000000000000000", ""},
		{"number", 1e16, nil, domain.RuleDigits},
		{"number", json.Number("9999999999999999"), "9999999999999999", ""},
		{"number", json.Number("-1.50e1"), "-15", ""},
		{"number", json.Number("1e999999999999999999999"), nil, domain.RuleDigits},
		{"number", json.RawMessage(`9999999999999999`), "9999999999999999", ""},
		{"number", json.RawMessage(`"1.50"`), "1.5", ""},
		{"number", json.RawMessage(`null`), nil, ""},
		{"number", json.RawMessage(`{`), nil, domain.RuleFormat},
		{"multi_select", json.RawMessage(`["o3","o1"]`), list("o1", "o3"), ""},
		{"number", "007.10", "7.1", ""},
		{"number", " ４２ ", "42", ""},
		{"number", "+5", "5", ""},
		{"number", "-0.00", "0", ""},
		{"number", "", nil, ""},
		{"number", "12345678901234567", nil, domain.RuleDigits},
		{"number", "1234567890123456.0", "1234567890123456", ""},
		{"number", strings.Repeat("0", 5000) + "1", nil, domain.RuleDigits},
		{"number", "1,000", nil, domain.RuleFormat},
		{"number", "1.", nil, domain.RuleFormat},
		{"number", ".5", nil, domain.RuleFormat},
		{"number", "NaN", nil, domain.RuleFormat},
		{"number", "0x10", nil, domain.RuleFormat},
		{"number", "--1", nil, domain.RuleFormat},
		{"number", true, nil, domain.RuleFormat},
		{"number", list(), nil, domain.RuleFormat},

		{"date", "2026-02-28", "2026-02-28", ""},
		{"date", " 2024-02-29", "2024-02-29", ""},
		{"date", "", nil, ""},
		{"date", "2026-02-29", nil, domain.RuleFormat},
		{"date", "2026-2-1", nil, domain.RuleFormat},
		{"date", "0001-01-01", nil, domain.RuleFormat},
		{"date", "0002-01-01", "0002-01-01", ""},
		{"date", "0000-01-01", nil, domain.RuleFormat},
		{"date", "2026-02-28T00:00:00Z", nil, domain.RuleFormat},
		{"date", 20260228.0, nil, domain.RuleFormat},

		{"select", "o2", "o2", ""},
		{"select", "", nil, ""},
		{"select", "silver", nil, domain.RuleOneOf},
		{"select", list("o2"), nil, domain.RuleFormat},

		{"multi_select", list("o3", "o1", "o3"), list("o1", "o3"), ""},
		{"multi_select", list(), nil, ""},
		{"multi_select", "", nil, ""},
		{"multi_select", list("o1", "o9"), nil, domain.RuleOneOf},
		{"multi_select", list("o1", nil), nil, domain.RuleFormat},
		{"multi_select", "o1", nil, domain.RuleFormat},
		{"multi_select", make([]any, 201), nil, domain.RuleTooMany},
		{"multi_select", map[string]any{"o1": true}, nil, domain.RuleFormat},

		{"cascade", list("o1", "o2", "o3"), list("o1", "o2", "o3"), ""},
		{"cascade", list("o1"), list("o1"), ""},
		{"cascade", list(), nil, ""},
		{"cascade", list("o2"), nil, domain.RuleOneOf},
		{"cascade", list("o1", "o3"), nil, domain.RuleOneOf},
		{"cascade", list("o1", "o6"), nil, domain.RuleOneOf},
		{"cascade", list("o1", "o1"), nil, domain.RuleOneOf},

		{"size", "L", nil, domain.RuleOneOf},
		{"size", nil, nil, domain.RuleOneOf},
		{"gone", "L", nil, domain.RuleOneOf},
		{"never", "L", nil, domain.RuleOneOf},
		{"phone", "138", nil, domain.RuleOneOf},
	} {
		got, err := s.Normalize(c.key, c.value)
		if c.rule == "" {
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %v: %#v, %v", c.key, c.value, got, err)
			}
			if again, err := s.Normalize(c.key, got); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("%s %v: %#v, and again %#v, %v", c.key, c.value, got, again, err)
			}
			continue
		}
		var refusal *domain.Refusal
		if !errors.As(err, &refusal) || got != nil || refusal.Code != domain.CodeValidation || refusal.Args["rule"] != c.rule || refusal.Location != "profile.custom."+c.key {
			t.Errorf("%s %.40v: %#v, %+v, want the rule %s", c.key, c.value, got, refusal, c.rule)
		}
	}
	// What cannot be a key is not repeated: it may be anything.
	var refusal *domain.Refusal
	if _, err := s.Normalize("王小明", "x"); !errors.As(err, &refusal) || refusal.Location != "profile.custom" {
		t.Errorf("refused at %+v", refusal)
	}
	if !s.Takes("text") || s.Takes("size") || s.Takes("gone") || s.Takes("never") || s.Takes("phone") {
		t.Error("Takes is wrong")
	}
}

func TestVisible(t *testing.T) {
	s := wide()
	s.Apply(field.Changed{Field: "multi_select", Label: "m", Options: level.Options[1:]}, domaintest.Start)
	s.Apply(field.Changed{Field: "select", Label: "s", Options: level.Options[1:]}, domaintest.Start)
	s.Apply(field.Changed{Field: "cascade", Label: "c", Options: region.Options[:2]}, domaintest.Start)
	for _, c := range []struct{ custom, want map[string]any }{
		{nil, nil},
		{map[string]any{"text": "a", "number": "1", "select": "o2"}, map[string]any{"text": "a", "number": "1", "select": "o2"}},
		{map[string]any{"text": "a", "size": "L", "gone": "x", "never": "y"}, map[string]any{"text": "a"}},
		{map[string]any{"select": "o1"}, map[string]any{}},
		{map[string]any{"multi_select": []any{"o1", "o2"}}, map[string]any{"multi_select": []any{"o2"}}},
		{map[string]any{"multi_select": []any{"o1"}}, map[string]any{}},
		{map[string]any{"cascade": []any{"o1", "o2"}}, map[string]any{"cascade": []any{"o1", "o2"}}},
		{map[string]any{"cascade": []any{"o1", "o2", "o3"}}, map[string]any{"cascade": []any{"o1", "o2"}}},
		{map[string]any{"cascade": []any{"o5", "o6"}}, map[string]any{}},
	} {
		before, _ := json.Marshal(c.custom)
		if got := s.Visible(c.custom); !reflect.DeepEqual(got, c.want) {
			t.Errorf("of %v is shown %v", c.custom, got)
		}
		if after, _ := json.Marshal(c.custom); string(after) != string(before) {
			t.Errorf("%s became %s", before, after)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{`"L"`, `12.50`, `1e3`, `"２０２６-01-01"`, `["o1","o2"]`, `null`, `{}`, `"\u0000"`, `-0`, `[[]]`, `"9007199254740993"`} {
		f.Add(seed)
	}
	s := wide()
	f.Fuzz(func(t *testing.T, raw string) {
		var value any
		if json.Unmarshal([]byte(raw), &value) != nil {
			return
		}
		for _, kind := range field.Types() {
			got, err := s.Normalize(kind, value)
			if err != nil {
				var refusal *domain.Refusal
				if !errors.As(err, &refusal) || got != nil {
					t.Fatalf("%s: neither a value nor a refusal: %v, %v", kind, got, err)
				}
				continue
			}
			stored, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var read any
			if err := json.Unmarshal(stored, &read); err != nil {
				t.Fatal(err)
			}
			if again, err := s.Normalize(kind, read); err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("%s: %#v is stored as %s and read as %#v, %v", kind, got, stored, again, err)
			}
			if strings.Contains(string(stored), `\u0000`) {
				t.Fatalf("%s: NUL in %s", kind, stored)
			}
		}
	})
}
