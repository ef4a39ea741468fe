package projections

import (
	"encoding/json"
	"testing"
	"time"

	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
	"customercenter/domain/filter"
)

// Rules see the values of custom fields in the form in which they are kept, whatever their type.
func TestRulesSeeCustomValues(t *testing.T) {
	fields := domaintest.Fold[field.State](
		field.Added{Field: "text", Type: field.TypeText, Label: "A"}, field.Added{Field: "lines", Type: field.TypeMultiline, Label: "B"},
		field.Added{Field: "number", Type: field.TypeNumber, Label: "C"}, field.Added{Field: "date", Type: field.TypeDate, Label: "D"},
		field.Added{Field: "one", Type: field.TypeSelect, Label: "E", Options: []field.Option{{ID: "o1", Label: "a"}, {ID: "o2", Label: "b"}}},
		field.Added{Field: "several", Type: field.TypeMultiSelect, Label: "F", Options: []field.Option{{ID: "o1", Label: "a"}, {ID: "o2", Label: "b"}}},
		field.Added{Field: "way", Type: field.TypeCascade, Label: "G", Options: []field.Option{{ID: "o1", Label: "a"}, {ID: "o2", Label: "b", Parent: "o1"}}},
	)
	language := &filter.Language{Custom: fields.Filterable()}
	for _, c := range []struct{ key, value, is, isNot string }{
		{"text", `"ＶＩＰ"`, `"op":"contains","value":"vip"`, `"op":"not_contains","value":"vip"`},
		{"text", `"12"`, `"op":"eq","value":"12"`, `"op":"not_set"`},
		{"lines", `"a\nb"`, `"op":"starts_with","value":"a"`, `"op":"eq","value":"a"`},
		{"number", `12.50`, `"op":"eq","value":12.5`, `"op":"gt","value":12.5`},
		{"number", `"-3"`, `"op":"between","value":[-3,0]`, `"op":"not_set"`},
		{"number", `0`, `"op":"is_set"`, `"op":"ne","value":0`},
		{"number", `9999999999999999`, `"op":"gt","value":9999999999999998`, `"op":"lt","value":9999999999999999`},
		{"date", `"2026-11-03"`, `"op":"after","value":"2026-11-03T00:00:00Z"`, `"op":"before","value":"2026-11-03T00:00:00Z"`},
		{"one", `"o1"`, `"op":"in","value":["o1"]`, `"op":"not_in","value":["o1"]`},
		{"several", `["o2"]`, `"op":"in","value":["o2"]`, `"op":"in","value":["o1"]`},
		{"way", `["o1","o2"]`, `"op":"in","value":["o1"]`, `"op":"not_in","value":["o2"]`},
	} {
		kept, err := fields.Normalize(c.key, json.RawMessage(c.value))
		if err != nil {
			t.Fatal(err)
		}
		var s groupSubject
		if err := s.setProfile(customer.Profile{Custom: map[string]any{c.key: kept}}); err != nil {
			t.Fatal(err)
		}
		again, err := decodeGroupSubject(s.encode())
		if err != nil {
			t.Fatal(err)
		}
		for condition, want := range map[string]bool{c.is: true, c.isNot: false} {
			f, err := filter.Parse([]byte(`{"field":"custom.`+c.key+`",`+condition+`}`), language, "rule")
			if err != nil {
				t.Fatal(err)
			}
			for _, subject := range []*groupSubject{&s, again} {
				if got := f.Match(&subject.Subject, time.Unix(0, 0), filter.Calendar{}); got != want {
					t.Errorf("%s that is %s: %s is %v", c.key, c.value, condition, got)
				}
			}
		}
	}
}
