package filter_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
)

func TestMentions(t *testing.T) {
	for text, want := range map[string]filter.Mentioned{
		`{}`:                                     {},
		`null`:                                   {},
		`{"field":"custom.level","op":"is_set"}`: {"custom.level": nil},
		`{"field":"custom.level","op":"in","value":["a","b"]}`:                                             {"custom.level": {"a", "b"}},
		`{"field":"name","op":"eq","value":"field"}`:                                                       {"name": {"field"}},
		`{"all":[{"any":[{"not":{"field":"x","op":"in","value":["a"]}}]},{"field":"y","op":"is_set"}]}`:    {"x": {"a"}, "y": nil},
		`{"any":[{"field":"x","op":"in","value":["a"]},{"field":"x","op":"not_in","value":["b"]}]}`:        {"x": {"a", "b"}},
		`{"field":"created_at","op":"within","value":{"days":7}}`:                                          {"created_at": nil},
		`{"all":[{"field":"x","op":"is_set"},{"not":{"all":[{"field":"x","op":"eq","value":"needle"}]}}]}`: {"x": {"needle"}},
	} {
		if got := filter.Mentions(json.RawMessage(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s mentions %v, want %v", text, got, want)
		}
	}
	m := filter.Mentions(json.RawMessage(`{"field":"custom.level","op":"in","value":["a"]}`))
	if !m.Field("custom.level") || m.Field("level") || !m.Value("custom.level", "a") || m.Value("custom.level", "b") || m.Value("level", "a") {
		t.Errorf("got %v", m)
	}
}

// The quick look says the same as the filter itself.
func TestWhatMentionsOfPersonalData(t *testing.T) {
	language := &filter.Language{Groups: true, Custom: []filter.CustomField{{Key: "level", Label: "Level", Kind: filter.Number}}}
	seen := map[bool]int{}
	for _, text := range []string{
		`{}`, `{"field":"blacklisted","op":"is","value":true}`, `{"field":"tags","op":"is_empty"}`, `{"field":"phone","op":"is_set"}`,
		`{"all":[{"field":"created_at","op":"within","value":{"days":1}},{"not":{"field":"any_text","op":"contains","value":"wang"}}]}`,
		`{"any":[{"field":"custom.level","op":"gt","value":1}]}`, `{"field":"last_agent","op":"in","value":["a"]}`,
	} {
		f, err := filter.Parse([]byte(text), language, "f")
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Mentions(f.JSON()).Personal(); got != f.Personal() {
			t.Errorf("%s mentions personal data: %v", text, got)
		}
		seen[f.Personal()]++
	}
	if seen[true] < 3 || seen[false] < 3 {
		t.Errorf("too few of a kind: %v", seen)
	}
}

func TestCheckNamed(t *testing.T) {
	tag, group := "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
	is := func(want string) func(uuid.UUID) bool {
		return func(id uuid.UUID) bool { return id.String() == want }
	}
	for text, want := range map[string][2]string{
		`{}`: {},
		`{"field":"tags","op":"has_any","value":["` + tag + `"]}`:                                                      {},
		`{"field":"tags","op":"has_any","value":["` + tag + `","` + group + `"]}`:                                      {domain.CodeTagUnknown, "f.value[1]"},
		`{"field":"groups","op":"has_all","value":["` + group + `"]}`:                                                  {},
		`{"all":[{"field":"groups","op":"has_none","value":["` + tag + `"]}]}`:                                         {domain.CodeGroupUnknown, "f.all[0].value[0]"},
		`{"any":[{"field":"tags","op":"is_empty"},{"not":{"field":"tags","op":"has_any","value":["` + group + `"]}}]}`: {domain.CodeTagUnknown, "f.any[1].not.value[0]"},
	} {
		f, err := filter.Parse([]byte(text), &filter.Language{Groups: true}, "f")
		if err != nil {
			t.Fatal(err)
		}
		got := [2]string{}
		var refusal *domain.Refusal
		if err := f.CheckNamed(is(tag), is(group)); errors.As(err, &refusal) {
			got = [2]string{refusal.Code, refusal.Location}
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is refused with %v, want %v", text, got, want)
		}
	}
}

// What leaves customers out by what is gone is refused, what asks for it is not.
func TestCheckSpared(t *testing.T) {
	gone := `"value":["00000000-0000-7000-8000-000000000001"]}`
	for text, refused := range map[string]bool{
		`{"field":"tags","op":"has_any",` + gone:                                            false,
		`{"field":"groups","op":"has_all",` + gone:                                          false,
		`{"field":"tags","op":"has_none",` + gone:                                           true,
		`{"any":[{"not":{"all":[{"field":"groups","op":"has_any",` + gone + `]}}]}`:         true,
		`{"not":{"field":"tags","op":"has_none",` + gone + `}`:                              false,
		`{"all":[{"not":{"not":{"field":"tags","op":"has_all",` + gone + `}}]}`:             false,
		`{"all":[{"field":"tags","op":"is_empty"},{"field":"name","op":"eq","value":"x"}]}`: false,
	} {
		f, err := filter.Parse([]byte(text), &filter.Language{Groups: true}, "f")
		if err != nil {
			t.Fatal(err)
		}
		none := func(uuid.UUID) bool { return false }
		if err := f.CheckSpared(none, none); (err != nil) != refused {
			t.Errorf("%s: %v, refused should be %v", text, err, refused)
		}
	}
}
