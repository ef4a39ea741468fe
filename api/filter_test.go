package api

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/settings"
)

// A Wednesday afternoon in Shanghai.
var wednesday = time.Date(2026, 11, 4, 7, 30, 0, 0, time.UTC)

func shanghai(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, time.FixedZone("CST", 8*3600))
	if err != nil {
		panic(err)
	}
	return t
}

func TestFilterTimes(t *testing.T) {
	none := time.Time{}
	for text, want := range map[string][2]time.Time{
		``:           {shanghai("2026-11-02 00:00"), shanghai("2026-11-09 00:00")}, // this week
		`null`:       {shanghai("2026-11-02 00:00"), shanghai("2026-11-09 00:00")},
		`{}`:         {none, none},
		`{"all":[]}`: {none, none},
		`{"all":[{"field":"created_at","op":"in","value":{"period":"today"}}]}`:                           {shanghai("2026-11-04 00:00"), shanghai("2026-11-05 00:00")},
		`{"field":"created_at","op":"in","value":{"period":"today"}}`:                                     {shanghai("2026-11-04 00:00"), shanghai("2026-11-05 00:00")},
		`{"all":[{"field":"created_at","op":"in","value":{"period":"yesterday"}}]}`:                       {shanghai("2026-11-03 00:00"), shanghai("2026-11-04 00:00")},
		`{"all":[{"field":"created_at","op":"in","value":{"period":"this_week"}}]}`:                       {shanghai("2026-11-02 00:00"), shanghai("2026-11-09 00:00")},
		`{"all":[{"field":"created_at","op":"in","value":{"period":"last_week"}}]}`:                       {shanghai("2026-10-26 00:00"), shanghai("2026-11-02 00:00")},
		`{"all":[{"field":"created_at","op":"in","value":{"period":"this_month"}}]}`:                      {shanghai("2026-11-01 00:00"), shanghai("2026-12-01 00:00")},
		`{"all":[{"field":"created_at","op":"in","value":{"period":"last_month"}}]}`:                      {shanghai("2026-10-01 00:00"), shanghai("2026-11-01 00:00")},
		`{"all":[{"field":"created_at","op":"within","value":{"days":7}}]}`:                               {wednesday.AddDate(0, 0, -7), none},
		`{"all":[{"field":"created_at","op":"within","value":{"hours":2}}]}`:                              {wednesday.Add(-2 * time.Hour), none},
		`{"all":[{"field":"created_at","op":"within","value":{"minutes":1}}]}`:                            {wednesday.Add(-time.Minute), none},
		`{"all":[{"field":"created_at","op":"before","value":"2026-11-01T00:00:00+08:00"}]}`:              {none, shanghai("2026-11-01 00:00")},
		`{"all":[{"field":"created_at","op":"after","value":"2026-11-01T00:00:00+08:00","unset":false}]}`: {shanghai("2026-11-01 00:00"), none},
		`{"all":[{"field":"created_at","op":"between","value":{"from":"2026-11-01T00:00:00+08:00","to":"2026-11-02T00:00:00+08:00"}}]}`: {
			shanghai("2026-11-01 00:00"), shanghai("2026-11-02 00:00")},
		`{"all":[{"field":"created_at","op":"between","value":["2026-11-01T00:00:00+08:00","2026-11-02T00:00:00+08:00"]}]}`: {
			shanghai("2026-11-01 00:00"), shanghai("2026-11-02 00:00")},
		// Two conditions: both hold.
		`{"all":[{"field":"created_at","op":"in","value":{"period":"this_week"}},{"field":"created_at","op":"before","value":"2026-11-03T00:00:00+08:00"}]}`: {
			shanghai("2026-11-02 00:00"), shanghai("2026-11-03 00:00")},
	} {
		f, err := parseFilter(json.RawMessage(text), &settings.State{}, wednesday)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !f.query.From.Equal(want[0]) || !f.query.To.Equal(want[1]) {
			t.Errorf("%s: got %v to %v, want %v to %v", text, f.query.From, f.query.To, want[0], want[1])
		}
		if f.personal {
			t.Errorf("%s asks for nothing personal", text)
		}
	}
}

func TestPeriodsFollowZoneAndWeek(t *testing.T) {
	// In Kiritimati it is Thursday already, in Honolulu still Tuesday evening.
	for _, c := range []struct {
		zone, week string
		from       string
	}{
		{"Pacific/Kiritimati", "thursday", "2026-11-04T10:00:00Z"},
		{"Pacific/Honolulu", "wednesday", "2026-10-28T10:00:00Z"},
		{"Pacific/Honolulu", "tuesday", "2026-11-03T10:00:00Z"},
		{"Asia/Shanghai", "sunday", "2026-10-31T16:00:00Z"},
		{"UTC", "monday", "2026-11-02T00:00:00Z"},
	} {
		now := wednesday
		if c.zone == "Pacific/Kiritimati" {
			now = wednesday.Add(4 * time.Hour)
		}
		f, err := parseFilter(nil, &settings.State{Zone: c.zone, WeekDay: c.week}, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.query.From.UTC().Format(time.RFC3339); got != c.from {
			t.Errorf("%s, %s: the week begins %s, want %s", c.zone, c.week, got, c.from)
		}
	}
	// Days without midnight: the clock went from 00:00 to 01:00 in Santiago on 2026-09-06, and in Beirut on 2026-03-29.
	for zone, days := range map[string][3]string{
		"America/Santiago": {"2026-09-06T15:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"},
		"Asia/Beirut":      {"2026-03-29T15:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
		"Europe/Berlin":    {"2026-10-25T15:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
	} {
		now, err := time.Parse(time.RFC3339, days[0])
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseFilter(json.RawMessage(`{"field":"created_at","op":"in","value":{"period":"today"}}`), &settings.State{Zone: zone}, now)
		if err != nil {
			t.Fatal(err)
		}
		if from, to := f.query.From.UTC().Format(time.RFC3339), f.query.To.UTC().Format(time.RFC3339); from != days[1] || to != days[2] {
			t.Errorf("%s: today is %s to %s, want %s to %s", zone, from, to, days[1], days[2])
		}
	}
}

func TestFilterTextAndSets(t *testing.T) {
	tag := uuid.NewString()
	f, err := parseFilter(json.RawMessage(`{"all":[
		{"field":"tags","op":"has_any","value":["`+tag+`"]},
		{"field":"any_text","op":"contains","value":" 王 "},
		{"field":"external_id","op":"contains","value":"Wx"},
		{"field":"channel","op":"in","value":["web","app"]},
		{"field":"channel","op":"in","value":["app","weibo"]}]}`), &settings.State{}, wednesday)
	if err != nil {
		t.Fatal(err)
	}
	q := f.query
	if q.Name != "王" || q.ID != "Wx" || !slices.Equal(q.Channels, []string{"app"}) || len(q.Tags) != 1 || q.Tags[0].String() != tag || !f.personal {
		t.Errorf("got %+v, personal %v", q, f.personal)
	}
	if f, err = parseFilter(json.RawMessage(`{"all":[{"field":"channel","op":"in","value":["web"]},{"field":"channel","op":"in","value":["app"]}]}`), &settings.State{}, wednesday); err != nil ||
		f.query.Channels == nil || len(f.query.Channels) != 0 || f.personal {
		t.Errorf("two channels at once: %+v %v", f, err)
	}
	if _, err := parseFilter(json.RawMessage(`{"field":"external_id","op":"contains","value":"_"}`), &settings.State{}, wednesday); err != nil {
		t.Errorf("one character that is no letter or digit: %v", err)
	}
}

func TestFilterYesOrNo(t *testing.T) {
	f, err := parseFilter(json.RawMessage(`{"all":[{"field":"blacklisted","op":"is","value":true},{"field":"blacklisted","op":"is","value":true},
		{"field":"session_open","op":"is","value":false},{"field":"ever_served","op":"is","value":true}]}`), &settings.State{}, wednesday)
	if err != nil {
		t.Fatal(err)
	}
	if q := f.query; q.Blacklisted == nil || !*q.Blacklisted || q.SessionOpen == nil || *q.SessionOpen || q.EverServed == nil || !*q.EverServed || f.personal {
		t.Errorf("got %+v, personal %v", q, f.personal)
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"field":"blacklisted","op":"eq","value":true}`:                                                           "filter.op unknown",
		`{"field":"blacklisted","op":"is","value":"true"}`:                                                         "filter.value type_bool",
		`{"field":"blacklisted","op":"is","value":null}`:                                                           "filter.value type_bool",
		`{"field":"session_open","op":"is"}`:                                                                       "filter.value required",
		`{"all":[{"field":"ever_served","op":"is","value":true},{"field":"ever_served","op":"is","value":false}]}`: "filter.all[1] not_yet",
		`[]`:                   "filter type_object",
		`1`:                    "filter type_object",
		`{`:                    "filter json",
		"\"\xff\"":             "filter encoding",
		`{"a\u0000":1}`:        "filter nul",
		`{"some":[]}`:          "filter.some unknown",
		`{"any":[]}`:           "filter.any not_yet",
		`{"not":{}}`:           "filter.not not_yet",
		`{"all":{}}`:           "filter.all type_array",
		`{"all":null}`:         "filter.all type_array",
		`{"all":[1]}`:          "filter.all[0] type_object",
		`{"all":[{}]}`:         "filter.all[0].field required",
		`{"all":[{"any":[]}]}`: "filter.all[0].any not_yet",
		`{"all":[{"field":"created_at","op":"in","value":{"period":"today"}},{"field":"shoe_size","op":"eq","value":1}]}`: "filter.all[1].field unknown",
		`{"all":[{"field":1}]}`:                                                                                   "filter.all[0].field type_string",
		`{"all":[{"field":"created_at"}]}`:                                                                        "filter.all[0].op required",
		`{"all":[{"field":"created_at","op":"in"}]}`:                                                              "filter.all[0].value required",
		`{"all":[{"field":"created_at","op":"eq","value":1}]}`:                                                    "filter.all[0].op unknown",
		`{"all":[{"field":"created_at","op":"older_than","value":{"days":1}}]}`:                                   "filter.all[0].op not_yet",
		`{"all":[{"field":"created_at","op":"in","value":{"period":"next_week"}}]}`:                               "filter.all[0].value.period one_of",
		`{"all":[{"field":"created_at","op":"in","value":{"period":1}}]}`:                                         "filter.all[0].value.period type_string",
		`{"all":[{"field":"created_at","op":"in","value":{"era":"x"}}]}`:                                          "filter.all[0].value.era unknown",
		`{"all":[{"field":"created_at","op":"before","value":"2026-11-01"}]}`:                                     "filter.all[0].value time",
		`{"all":[{"field":"created_at","op":"before","value":5}]}`:                                                "filter.all[0].value type_string",
		`{"all":[{"field":"created_at","op":"between","value":["2026-11-01T00:00:00Z"]}]}`:                        "filter.all[0].value format",
		`{"all":[{"field":"created_at","op":"between","value":{"from":"2026-11-01T00:00:00Z"}}]}`:                 "filter.all[0].value.to required",
		`{"all":[{"field":"created_at","op":"between","value":["2026-11-02T00:00:00Z","2026-11-01T00:00:00Z"]}]}`: "filter.all[0].value order",
		`{"all":[{"field":"created_at","op":"within","value":{"days":0}}]}`:                                       "filter.all[0].value.days range",
		`{"all":[{"field":"created_at","op":"within","value":{"days":99999999999}}]}`:                             "filter.all[0].value.days range",
		`{"all":[{"field":"created_at","op":"within","value":{"days":1.5}}]}`:                                     "filter.all[0].value.days type_number",
		`{"all":[{"field":"created_at","op":"within","value":{"days":1,"hours":1}}]}`:                             "filter.all[0].value format",
		`{"all":[{"field":"created_at","op":"within","value":{"years":1}}]}`:                                      "filter.all[0].value.years unknown",
		`{"all":[{"field":"created_at","op":"in","value":{"period":"today"},"unset":true}]}`:                      "filter.all[0].unset not_yet",
		`{"all":[{"field":"created_at","op":"in","value":{"period":"today"},"unset":1}]}`:                         "filter.all[0].unset type_bool",
		`{"all":[{"field":"created_at","op":"in","value":{"period":"today"},"x":1}]}`:                             "filter.all[0].x unknown",
		`{"all":[{"field":"tags","op":"has_all","value":[]}]}`:                                                    "filter.all[0].op not_yet",
		`{"all":[{"field":"tags","op":"has_any","value":[]}]}`:                                                    "filter.all[0].value required",
		`{"all":[{"field":"tags","op":"has_any","value":["vip"]}]}`:                                               "filter.all[0].value[0] uuid",
		`{"all":[{"field":"tags","op":"has_any","value":[null]}]}`:                                                "filter.all[0].value[0] type_string",
		`{"all":[{"field":"channel","op":"in","value":["fax"]}]}`:                                                 "filter.all[0].value[0] one_of",
		`{"all":[{"field":"channel","op":"in","value":"web"}]}`:                                                   "filter.all[0].value type_array",
		`{"all":[{"field":"name","op":"contains","value":"  "}]}`:                                                 "filter.all[0].value required",
		`{"all":[{"field":"name","op":"starts_with","value":"x"}]}`:                                               "filter.all[0].op unknown",
		`{"all":[{"field":"external_id","op":"contains","value":"x"}]}`:                                           "filter.all[0].value too_short",
		`{"all":[{"field":"name","op":"contains","value":"a"},{"field":"nickname","op":"contains","value":"b"}]}`: "filter.all[1] not_yet",
		`{"all":[` + strings.Repeat(`{},`, 50) + `{}]}`:                                                           "filter.all too_many",
		`{"all":[{"field":"name","op":"contains","value":"` + strings.Repeat("x", 257) + `"}]}`:                   "filter.all[0].value too_long",
		`{"all":[{"field":"name","op":"contains","value":"a\tb"}]}`:                                               "filter.all[0].value characters",
	} {
		_, err := parseFilter(json.RawMessage(text), &settings.State{}, wednesday)
		var refusal *domain.Refusal
		if !errors.As(err, &refusal) || refusal.Code != domain.CodeValidation {
			t.Errorf("%.80s: got %v", text, err)
			continue
		}
		if got := refusal.Location + " " + refusal.Args["rule"].(string); got != want {
			t.Errorf("%.80s: got %s, want %s", text, got, want)
		}
	}
}

// FuzzFilter looks for a filter that makes the reader panic, or that is refused without a path.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"all":[{"field":"created_at","op":"within","value":{"days":7}}]}`, `{"all":[{"field":"name","op":"contains","value":"王"}]}`,
		`{"field":"created_at","op":"between","value":["2026-11-01T00:00:00Z","2026-11-02T00:00:00Z"]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseFilter(json.RawMessage(text), &settings.State{}, wednesday)
		var refusal *domain.Refusal
		if err != nil && (!errors.As(err, &refusal) || !strings.HasPrefix(refusal.Location, "filter") || refusal.Args["rule"] == nil) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && !got.query.To.IsZero() && got.query.From.IsZero() && got.personal && got.query.Name == "" && got.query.ID == "" {
			t.Errorf("%q: %+v", text, got)
		}
	})
}

func FuzzCheckText(f *testing.F) {
	for _, seed := range []string{`"\u0000"`, `"\\u0000"`, `"\\\u0000"`, "\xff", `{"a":"b"}`, "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		if json.Unmarshal(text, &v) != nil {
			return
		}
		// Written anew, a text that passed holds no NUL; one that was refused for NUL does.
		again, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		switch checkText(text) {
		case "":
			if escapedNUL(again) && !strings.Contains(string(text), "u0000") {
				t.Errorf("%q passed", text)
			}
		case ruleNUL:
			if !strings.Contains(string(text), `\u0000`) {
				t.Errorf("%q was refused", text)
			}
		}
	})
}
