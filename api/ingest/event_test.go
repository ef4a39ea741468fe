package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
)

const sessionID = "0192f0c1-7c1e-7000-8000-000000000001"

// event is a well-formed event of a type with that data; changes replace or, when nil, remove attributes.
func event(kind, data string, changes map[string]any) string {
	e := map[string]any{"specversion": "1.0", "id": "e-1", "source": "/app/1", "type": kind, "time": "2026-11-03T09:30:00.5+08:00"}
	if data != "" {
		e["data"] = json.RawMessage(data)
	}
	for name, v := range changes {
		if e[name] = v; v == nil {
			delete(e, name)
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(body)
}

const received = `{"external_id":"x","message":{"id":"m1","kind":"text","text":"在吗"}}`

func TestParseRefuses(t *testing.T) {
	with := func(changes map[string]any) string { return event("message.received", received, changes) }
	data := func(kind, data string) string { return event(kind, data, nil) }
	for name, c := range map[string]struct{ body, code, at, rule string }{
		"too large":            {with(map[string]any{"x": strings.Repeat("a", MaxBytes)}), CodeTooLarge, "", ""},
		"nothing":              {"", CodeMalformed, "", ""},
		"no JSON":              {"<event/>", CodeMalformed, "", ""},
		"truncated":            {with(nil)[:50], CodeMalformed, "", ""},
		"two":                  {with(nil) + with(nil), CodeMalformed, "", ""},
		"an array":             {"[" + with(nil) + "]", CodeMalformed, "", ""},
		"a string":             {`"event"`, CodeMalformed, "", ""},
		"null":                 {`null`, domain.CodeValidation, "specversion", domain.RuleRequired},
		"no UTF-8":             {strings.Replace(with(nil), "在吗", "a\xff", 1), domain.CodeValidation, "", ruleEncoding},
		"NUL":                  {strings.Replace(with(nil), "在吗", "a\x00", 1), domain.CodeValidation, "", ruleNUL},
		"escaped NUL":          {strings.Replace(with(nil), "在吗", `a\u0000`, 1), domain.CodeValidation, "data.message.text", ruleNUL},
		"NUL nobody asked":     {with(map[string]any{"extra": []any{"a", "\x00"}}), domain.CodeValidation, "extra[1]", ruleNUL},
		"NUL in a name":        {`{"a\u0000":1}`, domain.CodeValidation, "", ruleNUL},
		"half a pair":          {strings.Replace(with(nil), "在吗", `\ud83d`, 1), domain.CodeValidation, "", ruleEncoding},
		"the other half":       {strings.Replace(with(nil), "在吗", `\ude00`, 1), domain.CodeValidation, "", ruleEncoding},
		"halves apart":         {strings.Replace(with(nil), "在吗", `\ud83d \ude00`, 1), domain.CodeValidation, "", ruleEncoding},
		"no version":           {with(map[string]any{"specversion": nil}), domain.CodeValidation, "specversion", domain.RuleRequired},
		"old version":          {with(map[string]any{"specversion": "0.3"}), domain.CodeValidation, "specversion", domain.RuleOneOf},
		"version a number":     {with(map[string]any{"specversion": 1}), domain.CodeValidation, "specversion", "type_string"},
		"no id":                {with(map[string]any{"id": nil}), domain.CodeValidation, "id", domain.RuleRequired},
		"long id":              {with(map[string]any{"id": strings.Repeat("长", MaxID+1)}), domain.CodeValidation, "id", domain.RuleTooLong},
		"id with a line":       {with(map[string]any{"id": "a\nb"}), domain.CodeValidation, "id", domain.RuleCharacters},
		"no source":            {with(map[string]any{"source": ""}), domain.CodeValidation, "source", domain.RuleRequired},
		"long source":          {with(map[string]any{"source": strings.Repeat("s", MaxID+1)}), domain.CodeValidation, "source", domain.RuleTooLong},
		"no type":              {with(map[string]any{"type": nil}), domain.CodeValidation, "type", domain.RuleRequired},
		"unknown type":         {with(map[string]any{"type": "message.recalled"}), CodeUnknownType, "type", ""},
		"no time":              {with(map[string]any{"time": "yesterday"}), domain.CodeValidation, "time", ruleTime},
		"before computers":     {with(map[string]any{"time": "1969-07-20T20:17:00Z"}), domain.CodeValidation, "time", domain.RuleRange},
		"time a number":        {with(map[string]any{"time": 1}), domain.CodeValidation, "time", "type_string"},
		"XML inside":           {with(map[string]any{"datacontenttype": "text/xml"}), domain.CodeValidation, "datacontenttype", domain.RuleOneOf},
		"base64":               {with(map[string]any{"data_base64": "e30="}), domain.CodeValidation, "data_base64", domain.RuleFormat},
		"no data":              {event("message.received", "", nil), domain.CodeValidation, "data", domain.RuleRequired},
		"data null":            {data("message.received", `null`), domain.CodeValidation, "data", domain.RuleRequired},
		"data a string":        {data("message.received", `"x"`), domain.CodeValidation, "data", "type_object"},
		"nobody":               {data("message.received", `{"message":{}}`), domain.CodeValidation, "data.external_id", domain.RuleRequired},
		"somebody a number":    {data("message.received", `{"external_id":7,"message":{}}`), domain.CodeValidation, "data.external_id", "type_string"},
		"no message":           {data("message.received", `{"external_id":"x"}`), domain.CodeValidation, "data.message", domain.RuleRequired},
		"message a list":       {data("message.received", `{"external_id":"x","message":[]}`), domain.CodeValidation, "data.message", "type_object"},
		"text a number":        {data("message.received", `{"external_id":"x","message":{"text":1}}`), domain.CodeValidation, "data.message.text", "type_string"},
		"profile a string":     {data("message.received", `{"external_id":"x","message":{},"profile":"x"}`), domain.CodeValidation, "data.profile", "type_object"},
		"sent nothing":         {data("message.sent", `{"external_id":"x","agent":"li"}`), domain.CodeValidation, "data.message", domain.RuleRequired},
		"sent to nobody":       {data("message.sent", `{"agent":"li","message":{}}`), domain.CodeValidation, "data.external_id", domain.RuleRequired},
		"no session id":        {data("session.closed", `{"session_id":"7"}`), domain.CodeValidation, "data.session_id", ruleUUID},
		"session id in braces": {data("session.closed", `{"session_id":"{`+sessionID+`}"}`), domain.CodeValidation, "data.session_id", ruleUUID},
		"session id a number":  {data("session.accepted", `{"session_id":7}`), domain.CodeValidation, "data.session_id", "type_string"},
		"agent a number":       {data("session.accepted", `{"external_id":"x","agent":1}`), domain.CodeValidation, "data.agent", "type_string"},
		"to a number":          {data("session.transferred", `{"external_id":"x","to":1}`), domain.CodeValidation, "data.to", "type_string"},
		"transfer of nothing":  {data("session.transferred", `{}`), domain.CodeValidation, "data.external_id", domain.RuleRequired},
		"no score":             {data("session.rated", `{"external_id":"x"}`), domain.CodeValidation, "data.score", domain.RuleRequired},
		"half a score":         {data("session.rated", `{"external_id":"x","score":4.5}`), domain.CodeValidation, "data.score", "type_number"},
		"reason no list":       {data("session.rated", `{"external_id":"x","score":4,"reasons":"x"}`), domain.CodeValidation, "data.reasons", "type_array"},
		"no attributes":        {data("web.attributes", `{"external_id":"x"}`), domain.CodeValidation, "data.web", domain.RuleRequired},
		"read nothing":         {data("message.read", `[]`), domain.CodeValidation, "data", "type_object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.body))
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("accepted: %v", err)
			}
			rule, _ := refusal.Args["rule"].(string)
			if refusal.Code != c.code || refusal.Location != c.at || rule != c.rule {
				t.Errorf("refused with %s at %q (%s), want %s at %q (%s)", refusal.Code, refusal.Location, rule, c.code, c.at, c.rule)
			}
		})
	}
}

func TestParseReads(t *testing.T) {
	web := session.WebAttributesRecorded{IP: "1.2.3.4", Region: "上海", UserAgent: "Mozilla", Referrer: "https://a.example"}
	webJSON := `"web":{"ip":"1.2.3.4","region":"上海","user_agent":"Mozilla","referrer":"https://a.example"}`
	byID := commands.SessionRef{ID: uuid.MustParse(sessionID), Association: 7}
	x := commands.SessionRef{Association: 7, ExternalID: "x"}
	for name, c := range map[string]struct {
		body string
		want command
	}{
		"message.received": {event("message.received", `{"external_id":"x","nickname":"小王","profile":{"nickname":"n","name":"王","phone":"1","qq":"2","wechat_id":"w","email":"e","company":"c","description":"d","custom":{"a":1}},
			"message":{"id":"m1","kind":"file","text":"t","url":"u","name":"f","more":[]},`+webJSON+`,"other":1}`, map[string]any{"traceparent": 5}),
			commands.ReceiveMessage{Association: 7, ExternalID: "x",
				Profile: customer.Profile{Nickname: "小王", Name: "王", Phone: "1", QQ: "2", WechatID: "w", Email: "e", Company: "c", Description: "d",
					Custom: map[string]any{"a": json.RawMessage("1")}},
				Message: commands.Message{ID: "m1", Kind: "file", Text: "t", URL: "u", Name: "f"}, Web: &web}},
		"message.received, little": {event("message.received", received, map[string]any{"datacontenttype": "application/json; charset=utf-8"}),
			commands.ReceiveMessage{Association: 7, ExternalID: "x", Message: commands.Message{ID: "m1", Kind: "text", Text: "在吗"}}},
		"message.sent": {event("message.sent", `{"session_id":"`+sessionID+`","agent":"li","message":{"id":"m","kind":"text","text":"t"}}`, nil),
			commands.RecordMessage{Session: byID, Sender: session.Sender{Kind: "agent", ID: "li"}, Message: commands.Message{ID: "m", Kind: "text", Text: "t"}}},
		"session.accepted":    {event("session.accepted", `{"external_id":"x","agent":"li"}`, nil), commands.AcceptSession{Session: x, Agent: "li"}},
		"session.transferred": {event("session.transferred", `{"external_id":"x","from":"li","to":"wu"}`, nil), commands.TransferSession{Session: x, To: "wu"}},
		"session.closed":      {event("session.closed", `{"external_id":"x","by":"agent","cause":"done"}`, nil), commands.CloseSession{Session: x, By: "agent", Cause: "done"}},
		"session.rated": {event("session.rated", `{"external_id":"x","score":4,"reasons":["快"],"comment":"好"}`, nil),
			commands.RateSession{Session: x, Score: 4, Reasons: []string{"快"}, Comment: "好"}},
		"web.attributes": {event("web.attributes", `{"external_id":"x",`+webJSON+`}`, nil), commands.RecordWebAttributes{Session: x, Web: web}},
		"session by the subject": {event("session.closed", `{"by":"agent"}`, map[string]any{"subject": "session-" + sessionID}),
			commands.CloseSession{Session: byID, By: "agent"}},
		"session by a bare subject": {event("session.closed", `{"by":"agent"}`, map[string]any{"subject": sessionID}),
			commands.CloseSession{Session: byID, By: "agent"}},
		"another subject": {event("session.closed", `{"external_id":"x","by":"agent"}`, map[string]any{"subject": "something else, just as long as a UUID!"}),
			commands.CloseSession{Session: x, By: "agent"}},
		"message.delivered": {event("message.delivered", `{"message":{"id":"m"}}`, nil), nil},
		"message.read":      {event("message.read", `{}`, nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Parse([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if want := time.Date(2026, 11, 3, 1, 30, 0, 500_000_000, time.UTC); e.ID != "e-1" || e.Source != "/app/1" || !e.Time.Equal(want) || e.Time.Location() != time.UTC {
				t.Errorf("event %+v", e)
			}
			var got command
			if e.data.command != nil {
				got = e.data.command(7)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("asks for\n%+v, want\n%+v", got, c.want)
			}
		})
	}
}

// The refusal of an event that is in a batch, or in the dead letters, should name its id.
func TestParseNamesWhatItRefuses(t *testing.T) {
	e, err := Parse([]byte(event("message.recalled", received, nil)))
	if err == nil || e.ID != "e-1" || e.Source != "/app/1" || e.Type != "message.recalled" {
		t.Errorf("event %+v, %v", e, err)
	}
}

func TestEscapesThatAreNone(t *testing.T) {
	for _, fine := range []string{`\\u0000`, `\\\\u0000 \n`, `😀`, `中`, `"\"`, `a\`} {
		if rule := checkEscapes([]byte(fine)); rule != "" {
			t.Errorf("%s breaks %s", fine, rule)
		}
	}
	for _, broken := range []string{`\u0000`, `\\\u0000`, `\\\\\u0000`, `\n\u0000`} {
		if rule := checkEscapes([]byte(broken)); rule != ruleNUL {
			t.Errorf("%s breaks %q", broken, rule)
		}
	}
}

func TestSplit(t *testing.T) {
	one, two := event("message.read", `{}`, nil), `{"a" : "\u00e9"}`
	events, err := Split([]byte(" [" + one + " ,\n" + two + "] "))
	if err != nil || len(events) != 2 || string(events[0]) != one || string(events[1]) != two {
		t.Errorf("split into %q, %v", events, err)
	}
	if events, err := Split([]byte(`[]`)); err != nil || len(events) != 0 {
		t.Errorf("an empty batch: %q, %v", events, err)
	}
	for _, bad := range []string{``, `null`, `{}`, one, `[` + one} {
		var refusal *domain.Refusal
		if _, err := Split([]byte(bad)); !errors.As(err, &refusal) || refusal.Code != CodeMalformed {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever comes in, Parse neither panics nor lets text through that cannot be stored, and its refusals quote nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		event("message.received", received, nil), event("session.rated", `{"external_id":"x","score":4,"reasons":["快"]}`, nil),
		event("session.closed", `{"session_id":"`+sessionID+`"}`, nil), event("web.attributes", `{"external_id":"x","web":{}}`, nil),
		event("message.sent", `{"external_id":"x","agent":"a","message":{"text":"\ud83d\ude00"}}`, nil),
		`{"a\u0000":["\u0000"]}`, `[`, `null`, `"\ud800"`, "{\"id\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Parse(body)
		var refusal *domain.Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("an error that is no refusal: %v", err)
		}
		if err != nil {
			if len(refusal.Location) > 200 || !utf8.ValidString(refusal.Location) || strings.ContainsRune(refusal.Location, 0) {
				t.Fatalf("location %q", refusal.Location)
			}
			return
		}
		if e.ID == "" || e.Source == "" || len(e.ID) > 4*MaxID || e.Time.After(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Fatalf("event %+v", e)
		}
		if e.data.command == nil {
			return
		}
		if e.data.externalID == "" && e.data.session == uuid.Nil {
			t.Fatal("an event about nobody")
		}
		walk(t, reflect.ValueOf(e.data.command(1)))
	})
}

// Whatever a batch is, Split refuses it, or takes it apart into events that together are what it was.
func FuzzSplit(f *testing.F) {
	one := event("message.received", received, nil)
	for _, seed := range []string{"[" + one + "," + one + "]", "[]", " [ 1 , \"]\" , [[]] ] ", "[null]", "[,]", "[1", "[1]]", "{}", `[{"a":"\\\""}]`, strings.Repeat("[", 11_000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := Split(body)
		var refusal *domain.Refusal
		if err != nil {
			if !errors.As(err, &refusal) || refusal.Code != CodeMalformed || json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
				t.Fatalf("%q is refused with %v", body, err)
			}
			return
		}
		var before, after bytes.Buffer
		together := append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
		if errors.Join(json.Compact(&before, body), json.Compact(&after, together)) != nil || !bytes.Equal(before.Bytes(), after.Bytes()) {
			t.Fatalf("%q is split into %q", body, events)
		}
		for _, event := range events {
			if _, err := Parse(event); err != nil && !errors.As(err, &refusal) {
				t.Fatalf("an error that is no refusal: %v", err)
			}
		}
	})
}

// walk checks every text in a value.
func walk(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			walk(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(t, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(t, v.Index(i))
		}
	case reflect.String:
		if s := v.String(); !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Fatalf("text %q got through", s)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	body := []byte(event("message.received", received, nil))
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}
