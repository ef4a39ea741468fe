package filter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
)

func list(n int, value string) string { return "[" + strings.Repeat(value+",", n-1) + value + "]" }

func nested(levels int, inner string) string {
	return strings.Repeat(`{"all":[`, levels) + inner + strings.Repeat(`]}`, levels)
}

func TestWhatIsRefused(t *testing.T) {
	const yes = `{"field":"imported","op":"is","value":true}`
	condition := func(field, op, value string) string {
		return fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, field, op, value)
	}
	for name, c := range map[string]struct{ filter, want string }{
		"no JSON":                {`{"all":`, "filter json"},
		"something after it":     {yes + ` {}`, "filter json"},
		"another value after it": {yes + `,`, "filter json"},
		"broken UTF-8":           {"{\"all\":[\"\xff\"]}", "filter encoding"},
		"too large":              {`{"all":[` + strings.Repeat(" ", filter.MaxSize) + `]}`, "filter too_long"},
		"a list":                 {`[` + yes + `]`, "filter type_object"},
		"a string":               {`"all"`, "filter type_object"},

		"unknown member of a group":       {`{"all":[],"some":1}`, "filter.some unknown"},
		"two groups in one":               {`{"all":[],"any":[]}`, "filter.any unknown"},
		"a condition beside a group":      {`{"field":"name","all":[]}`, "filter.field unknown"},
		"all that is no list":             {`{"all":` + yes + `}`, "filter.all type_array"},
		"any that is null":                {`{"any":null}`, "filter.any type_array"},
		"not that is a list":              {`{"not":[` + yes + `]}`, "filter.not type_object"},
		"a part that is null":             {`{"all":[` + yes + `,null]}`, "filter.all[1] type_object"},
		"an empty part":                   {`{"all":[{}]}`, "filter.all[0].field required"},
		"unknown member of a condition":   {`{"field":"name","op":"is_set","values":1}`, "filter.values unknown"},
		"a member twice":                  {`{"field":"name","op":"is_set","field":"phone"}`, "filter.field duplicate"},
		"a member twice, deep":            {`{"not":{"all":[{"field":"created_at","op":"in","value":{"period":"today","period":"today"}}]}}`, "filter.not.all[0].value.period duplicate"},
		"a member that is not repeated":   {`{"a b":1}`, "filter unknown"},
		"a member too long to repeat":     {`{"` + strings.Repeat("a", 5000) + `":1}`, "filter unknown"},
		"case of members":                 {`{"Field":"name","op":"is_set"}`, "filter.Field unknown"},
		"too deep":                        {nested(6, yes), "filter.all[0].all[0].all[0].all[0].all[0] too_deep"},
		"too deep by not":                 {strings.Repeat(`{"not":`, 6) + yes + strings.Repeat(`}`, 6), "filter.not.not.not.not.not too_deep"},
		"too deep and empty":              {nested(6, ``), "filter.all[0].all[0].all[0].all[0].all[0] too_deep"},
		"very deep":                       {nested(3000, yes), "filter.all[0].all[0].all[0].all[0].all[0] too_deep"},
		"a value that is very deep":       {condition("name", "in", strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), "filter.value[0] type_string"},
		"the fifty-first condition":       {`{"any":[` + yes + `,{"all":` + list(50, yes) + `}]}`, "filter.any[1].all[49] too_many"},
		"the fifty-first empty group":     {`{"any":` + list(51, `{"all":[]}`) + `}`, "filter.any[50].all too_many"},
		"no field":                        {`{"op":"is_set"}`, "filter.field required"},
		"a field that is no string":       {`{"field":7,"op":"is_set"}`, "filter.field type_string"},
		"unknown field":                   {`{"all":[{"field":"age","op":"is_set"}]}`, "filter.all[0].field unknown"},
		"unknown custom field":            {condition("custom.size", "eq", `"x"`), "filter.field unknown"},
		"no custom field":                 {condition("custom.", "eq", `"x"`), "filter.field unknown"},
		"groups where there are none":     {condition("groups", "has_any", `["`+filtertest.Groups[0].String()+`"]`), "filter.field unknown"},
		"no operator":                     {`{"field":"name"}`, "filter.op required"},
		"an operator that is null":        {`{"field":"name","op":null}`, "filter.op type_string"},
		"unknown operator":                {condition("name", "like", `"x"`), "filter.op unknown"},
		"an operator of another kind":     {condition("name", "lt", `"x"`), "filter.op unknown"},
		"any_text has no lt":              {condition("any_text", "lt", `"x"`), "filter.op unknown"},
		"no value":                        {`{"field":"name","op":"eq"}`, "filter.value required"},
		"a value where none belongs":      {condition("name", "is_set", `true`), "filter.value unknown"},
		"a value for is_empty":            {condition("tags", "is_empty", `true`), "filter.value unknown"},
		"unset that is no yes or no":      {`{"field":"name","op":"eq","value":"x","unset":1}`, "filter.unset type_bool"},
		"unset that is null":              {`{"field":"name","op":"eq","value":"x","unset":null}`, "filter.unset type_bool"},
		"a text that is a number":         {condition("name", "eq", `7`), "filter.value type_string"},
		"a text that is null":             {condition("name", "eq", `null`), "filter.value type_string"},
		"an empty text":                   {condition("name", "contains", `" \u3000"`), "filter.value required"},
		"a needle of 10 kB":               {condition("name", "contains", `"`+strings.Repeat("王", 3400)+`"`), "filter.value too_long"},
		"a needle of 257":                 {condition("name", "contains", `"`+strings.Repeat("王", 257)+`"`), "filter.value too_long"},
		"control characters":              {condition("name", "contains", `"a\u0007b"`), "filter.value characters"},
		"NUL":                             {condition("name", "contains", `"a\u0000b"`), "filter.value characters"},
		"a line break in a name":          {condition("name", "contains", `"a\nb"`), "filter.value characters"},
		"one character of an id":          {condition("external_id", "contains", `"a"`), "filter.value too_short"},
		"one full width digit of an id":   {condition("external_id", "starts_with", `"１"`), "filter.value too_short"},
		"one Chinese character of an id":  {condition("external_id", "not_contains", `"王"`), "filter.value too_short"},
		"in that is no list":              {condition("name", "in", `"x"`), "filter.value type_array"},
		"in of nothing":                   {condition("name", "in", `[]`), "filter.value required"},
		"201 texts":                       {condition("name", "in", list(201, `"x"`)), "filter.value too_many"},
		"a text of a list":                {condition("name", "in", `["x",7]`), "filter.value[1] type_string"},
		"a number that is a text":         {condition("session_count", "eq", `"7"`), "filter.value type_number"},
		"a number that is a list":         {condition("session_count", "eq", `[7]`), "filter.value type_number"},
		"17 digits":                       {condition("session_count", "eq", `12345678901234567`), "filter.value digits"},
		"17 digits with a point":          {condition("rating_avg", "eq", `0.1234567890123456`), "filter.value digits"},
		"a great exponent":                {condition("rating_avg", "eq", `1e999999999999999999999`), "filter.value digits"},
		"a small exponent":                {condition("rating_avg", "eq", `1e-999999999`), "filter.value digits"},
		"between one number":              {condition("session_count", "between", `[1]`), "filter.value format"},
		"between a number":                {condition("session_count", "between", `1`), "filter.value type_object"},
		"between without an end":          {condition("session_count", "between", `{"from":1}`), "filter.value.to required"},
		"between with a step":             {condition("session_count", "between", `{"from":1,"to":2,"step":1}`), "filter.value.step unknown"},
		"between texts":                   {condition("session_count", "between", `{"from":1,"to":"2"}`), "filter.value.to type_number"},
		"between backwards":               {condition("session_count", "between", `[2,1.9]`), "filter.value ascending"},
		"a time without zone":             {condition("created_at", "before", `"2026-11-01T00:00:00"`), "filter.value time"},
		"a date":                          {condition("created_at", "before", `"2026-11-01"`), "filter.value time"},
		"a day that is none":              {condition("created_at", "before", `"2026-02-30T00:00:00Z"`), "filter.value time"},
		"the first instant of all":        {condition("created_at", "before", `"0001-01-01T00:00:00Z"`), "filter.value time"},
		"a time that is a number":         {condition("created_at", "after", `1790000000`), "filter.value type_string"},
		"times backwards":                 {condition("created_at", "between", `["2026-11-02T00:00:00Z","2026-11-01T00:00:00Z"]`), "filter.value order"},
		"a time of a pair":                {condition("created_at", "between", `["2026-11-02T00:00:00Z","soon"]`), "filter.value[1] time"},
		"a time of a named pair":          {condition("created_at", "between", `{"from":"soon","to":"2026-11-02T00:00:00Z"}`), "filter.value.from time"},
		"unknown period":                  {condition("created_at", "in", `{"period":"this_year"}`), "filter.value.period one_of"},
		"a period that is a list":         {condition("created_at", "in", `{"period":["today"]}`), "filter.value.period type_string"},
		"a period that is bare":           {condition("created_at", "in", `"today"`), "filter.value type_object"},
		"no period":                       {condition("created_at", "in", `{"days":1}`), "filter.value.days unknown"},
		"no length":                       {condition("created_at", "within", `{}`), "filter.value format"},
		"two lengths":                     {condition("created_at", "within", `{"days":1,"hours":1}`), "filter.value format"},
		"unknown unit":                    {condition("created_at", "older_than", `{"weeks":1}`), "filter.value.weeks unknown"},
		"a length of nothing":             {condition("created_at", "older_than", `{"days":0}`), "filter.value.days range"},
		"a length below nothing":          {condition("created_at", "older_than", `{"days":-1}`), "filter.value.days range"},
		"a part of a length":              {condition("created_at", "older_than", `{"days":1.5}`), "filter.value.days range"},
		"over a hundred years":            {condition("created_at", "older_than", `{"days":36501}`), "filter.value.days range"},
		"a length beyond numbers":         {condition("created_at", "older_than", `{"minutes":99999999999999999999}`), "filter.value.minutes range"},
		"a length that is a text":         {condition("created_at", "older_than", `{"days":"7"}`), "filter.value.days type_number"},
		"unknown channel":                 {condition("channel", "in", `["app","fax"]`), "filter.value[1] one_of"},
		"a channel that is bare":          {condition("channel", "in", `"app"`), "filter.value type_array"},
		"unknown way":                     {condition("created_via", "in", `["fax"]`), "filter.value[0] one_of"},
		"an association of another world": {condition("association", "in", `[1,"x"]`), "filter.value[1] one_of"},
		"a part of an association":        {condition("association", "in", `[1.5]`), "filter.value[0] one_of"},
		"an association with a zero":      {condition("association", "in", `["01"]`), "filter.value[0] one_of"},
		"an association below one":        {condition("association", "in", `[0]`), "filter.value[0] one_of"},
		"an association that is true":     {condition("association", "in", `[true]`), "filter.value[0] type_number"},
		"an empty agent":                  {condition("last_agent", "in", `[""]`), "filter.value[0] required"},
		"unknown option":                  {condition("custom.level", "in", `["gold","tin"]`), "filter.value[1] one_of"},
		"a label is no option":            {condition("custom.level", "not_in", `["金"]`), "filter.value[0] one_of"},
		"a tag by name":                   {`{"all":[` + yes + `,{"any":[` + condition("tags", "has_any", `["VIP"]`) + `]}]}`, "filter.all[1].any[0].value[0] uuid"},
		"a tag in another form":           {condition("tags", "has_any", `["{`+filtertest.Tags[0].String()+`}"]`), "filter.value[0] uuid"},
		"no tags":                         {condition("tags", "has_all", `[]`), "filter.value required"},
		"yes or no that is a text":        {condition("imported", "is", `"true"`), "filter.value type_bool"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := filter.Parse([]byte(c.filter), filtertest.Language(false), "filter")
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("accepted as %s, error %v", f.JSON(), err)
			}
			if got := refusal.Location + " " + refusal.Args["rule"].(string); got != c.want || refusal.Code != domain.CodeValidation {
				t.Errorf("refused with %s %s, want %s", refusal.Code, got, c.want)
			}
			if f != nil {
				t.Error("there is a filter besides the refusal")
			}
		})
	}
}

func TestWhatIsTheSame(t *testing.T) {
	a, b := filtertest.Tags[0].String(), filtertest.Tags[1].String()
	for _, c := range []struct{ filter, canonical string }{
		{``, `{}`},
		{` null `, `{}`},
		{`{ }`, `{}`},
		{`{"all":[]}`, `{"all":[]}`},
		{`{"any":[]}`, `{"any":[]}`},
		{nested(5, `{"op":"is_set","field":"name"}`), nested(5, `{"field":"name","op":"is_set"}`)},
		{`{"value":" Ｗang ","op":"eq","field":"name","unset":true}`, `{"field":"name","op":"eq","value":"Ｗang","unset":true}`},
		{`{"field":"name","op":"eq","value":"x","unset":false}`, `{"field":"name","op":"eq","value":"x"}`},
		{`{"field":"name","op":"is_set","unset":true}`, `{"field":"name","op":"is_set"}`},
		{`{"field":"external_id","op":"eq","value":"x","unset":true}`, `{"field":"external_id","op":"eq","value":"x"}`},
		{`{"field":"external_id","op":"contains","value":"_"}`, `{"field":"external_id","op":"contains","value":"_"}`},
		{`{"field":"any_text","op":"contains","value":"1"}`, `{"field":"any_text","op":"contains","value":"1"}`},
		{`{"field":"description","op":"contains","value":"a\r\nb"}`, `{"field":"description","op":"contains","value":"a\nb"}`},
		{`{"field":"custom.note","op":"in","value":["a\tb","e\u0301"]}`, `{"field":"custom.note","op":"in","value":["a\tb","é"]}`},
		{`{"field":"rating_avg","op":"gte","value":4.50}`, `{"field":"rating_avg","op":"gte","value":4.5}`},
		{`{"field":"rating_avg","op":"gte","value":-0.0e5}`, `{"field":"rating_avg","op":"gte","value":0}`},
		{`{"field":"custom.score","op":"between","value":[-1e3,25e-2]}`, `{"field":"custom.score","op":"between","value":{"from":-1000,"to":0.25}}`},
		{`{"field":"created_at","op":"before","value":"2026-11-01T08:00:00.1234567+08:00"}`, `{"field":"created_at","op":"before","value":"2026-11-01T00:00:00.123456Z"}`},
		{`{"field":"created_at","op":"between","value":["2026-11-01T00:00:00Z","2026-11-01T00:00:00Z"]}`, `{"field":"created_at","op":"between","value":{"from":"2026-11-01T00:00:00Z","to":"2026-11-01T00:00:00Z"}}`},
		{`{"field":"custom.birthday","op":"in","value":{"period":"today"}}`, `{"field":"custom.birthday","op":"in","value":{"period":"today"}}`},
		{`{"field":"last_session_at","op":"older_than","value":{"days":3e1},"unset":true}`, `{"field":"last_session_at","op":"older_than","value":{"days":30},"unset":true}`},
		{`{"field":"association","op":"in","value":[1,"12"]}`, `{"field":"association","op":"in","value":[1,12]}`},
		{`{"field":"custom.level","op":"in","value":["gold","gold"]}`, `{"field":"custom.level","op":"in","value":["gold","gold"]}`},
		{`{"field":"tags","op":"has_any","value":["` + strings.ToUpper(a) + `","` + b + `"],"unset":true}`, `{"field":"tags","op":"has_any","value":["` + a + `","` + b + `"]}`},
		{`{"field":"tags","op":"is_empty"}`, `{"field":"tags","op":"is_empty"}`},
		{`{"not":{"field":"blacklisted","op":"is","value":false}}`, `{"not":{"field":"blacklisted","op":"is","value":false}}`},
	} {
		f, err := filter.Parse([]byte(c.filter), filtertest.Language(false), "filter")
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := string(f.JSON()); got != c.canonical {
			t.Errorf("%s is %s, want %s", c.filter, got, c.canonical)
		}
	}
}

// Whatever is accepted can be stored and read again: the canonical form, which may be the longer one, has the same limit.
func TestTheCanonicalFormIsNotTooLarge(t *testing.T) {
	for name, character := range map[string]string{"escaped": "<", "decomposed": "\U0001D160", "as it is": "x"} {
		accepted, refused := 0, 0
		for n := 1; n <= filter.MaxValues; n++ {
			raw := `{"field":"company","op":"in","value":` + list(n, `"`+strings.Repeat(character, filter.MaxNeedle/3)+`"`) + `}`
			f, err := filter.Parse([]byte(raw), nil, "filter")
			if err != nil {
				var refusal *domain.Refusal
				if !errors.As(err, &refusal) || refusal.Location != "filter" || refusal.Args["rule"] != domain.RuleTooLong {
					t.Fatalf("%s, %d values: %v", name, n, err)
				}
				refused++
				continue
			}
			accepted++
			if _, err := filter.Parse(f.JSON(), nil, "filter"); err != nil {
				t.Fatalf("%s, %d values of %d bytes cannot be read again from %d: %v", name, n, len(raw), len(f.JSON()), err)
			}
		}
		if accepted == 0 || (refused > 0) != (character != "x") {
			t.Errorf("%s: %d are accepted, %d refused", name, accepted, refused)
		}
	}
}

func TestWithoutALanguageThereAreTheSystemFields(t *testing.T) {
	if _, err := filter.Parse([]byte(`{"field":"name","op":"is_set"}`), nil, "filter"); err != nil {
		t.Error(err)
	}
	if _, err := filter.Parse([]byte(`{"field":"custom.note","op":"is_set"}`), nil, "filter"); err == nil {
		t.Error("a custom field of nobody was accepted")
	}
}

func TestGroupsAreReadWhereTheyMayBe(t *testing.T) {
	raw := []byte(`{"field":"groups","op":"has_any","value":["` + filtertest.Groups[0].String() + `"]}`)
	if _, err := filter.Parse(raw, filtertest.Language(true), "filter"); err != nil {
		t.Error(err)
	}
}

func TestWhatAFilterReads(t *testing.T) {
	tag, group := filtertest.Tags[0], filtertest.Groups[1]
	raw := fmt.Sprintf(`{"any":[
		{"field":"tags","op":"has_any","value":[%q,%q]},
		{"not":{"field":"groups","op":"has_none","value":[%q]}},
		{"all":[{"field":"custom.level","op":"in","value":["gold","silver"]},{"field":"custom.level","op":"not_in","value":["gold"]}]},
		{"field":"custom.city","op":"is_set"},
		{"field":"any_text","op":"contains","value":"王"},
		{"field":"name","op":"is_set"}]}`, tag, tag, group)
	f, err := filter.Parse([]byte(raw), filtertest.Language(true), "filter")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"custom.city", "custom.level", "external_id", "groups", "name", "nickname", "phone", "tags"}
	if got := f.Fields(); !reflect.DeepEqual(got, want) {
		t.Errorf("the filter reads %v, want %v", got, want)
	}
	tags, groups, options := f.References()
	got, _ := json.Marshal([]any{tags, groups, options})
	if want := fmt.Sprintf(`[[%q],[%q],{"level":["gold","silver"]}]`, tag, group); string(got) != want {
		t.Errorf("the filter names %s, want %s", got, want)
	}
	everybody := &filter.Filter{}
	if tags, groups, options := everybody.References(); len(everybody.Fields())+len(tags)+len(groups)+len(options) != 0 {
		t.Error("everybody reads something")
	}
}

func TestWhatIsPersonal(t *testing.T) {
	for raw, want := range map[string]bool{
		`{}`:                                   false,
		`{"field":"created_at","op":"is_set"}`: false,
		`{"field":"tags","op":"is_empty"}`:     false,
		`{"field":"last_agent","op":"is_set"}`: false,
		`{"any":[{"not":{"field":"company","op":"is_set"}}]}`:     true,
		`{"field":"external_id","op":"is_set"}`:                   true,
		`{"field":"any_text","op":"contains","value":"x"}`:        true,
		`{"field":"custom.birthday","op":"is_set"}`:               true,
		`{"field":"custom.level","op":"in","value":["gold"]}`:     true,
		`{"all":[{"field":"channel","op":"in","value":["app"]}]}`: false,
	} {
		f, err := filter.Parse([]byte(raw), filtertest.Language(false), "filter")
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		} else if f.Personal() != want {
			t.Errorf("%s is personal: %v", raw, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[`, `{"all":[]}`, `{"not":{"any":[]}}`, `{"a":{"a":{"a":[[[[]]]]}}}`,
		`{"all":[{"field":"created_at","op":"in","value":{"period":"this_week"}},{"field":"tags","op":"has_any","value":["2b0cbf21-f4f7-5ed9-8d2c-2b8a5a4e4a00"]},
			{"any":[{"field":"name","op":"contains","value":"王"},{"field":"external_id","op":"contains","value":"wx_9"}]},{"not":{"field":"blacklisted","op":"is","value":true}}]}`,
		`{"field":"rating_avg","op":"between","value":[-1.5e-3,2E+2],"unset":true}`,
		`{"field":"custom.score","op":"eq","value":00.1}`,
		`{"field":"last_session_at","op":"older_than","value":{"days":30}}`,
		`{"field":"created_at","op":"between","value":{"from":"2026-11-01T00:00:00.000000001Z","to":"9999-12-31T23:59:59-23:59"}}`,
		`{"field":"name","op":"in","value":["\ud800","\u00a8","\u0345"]}`,
		`{"field":"association","op":"in","value":[1,"2"]}`,
		`{"field":"any_text","op":"starts_with","value":"%"}`,
	} {
		f.Add([]byte(seed))
	}
	l := filtertest.Language(true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsed, err := filter.Parse(raw, l, "filter")
		if err != nil {
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) || refusal.Code != domain.CodeValidation || !strings.HasPrefix(refusal.Location, "filter") || refusal.Args["rule"] == nil {
				t.Fatalf("refused by %#v", err)
			}
			return
		}
		canonical := parsed.JSON()
		again, err := filter.Parse(canonical, l, "filter")
		if err != nil || string(again.JSON()) != string(canonical) {
			t.Fatalf("%s, and again %v, %v", canonical, again, err)
		}
		parsed.Match(&filter.Subject{}, filtertest.Starts()[0], filter.Calendar{})
		if parsed.Describe("zh", filter.Names{}) == "" || parsed.Describe("en", filter.Names{}) == "" {
			t.Fatalf("no words for %s", canonical)
		}
	})
}
