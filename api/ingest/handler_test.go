package ingest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
)

// newHandlerWorld is a world without a queue.
func newHandlerWorld(t *testing.T) *world {
	w := &world{t: t}
	w.setUp(eventstoretest.Pool(t))
	return w
}

func (w *world) handle(a Arrival) Outcome {
	w.t.Helper()
	if a.Tenant == "" {
		a.Tenant = tenant
	}
	outcome, err := w.handler.Handle(w.t.Context(), a)
	if err != nil {
		w.t.Fatal(err)
	}
	return outcome
}

// in is an event of the association 1.
func in(body string) Arrival { return Arrival{Association: 1, Body: []byte(body)} }

// numbered is an event with an id and a time of its own.
func numbered(kind string, n int, data string) string {
	return event(kind, data, map[string]any{"id": fmt.Sprint("e-", n), "time": numberedTime(n).Format(time.RFC3339)})
}

func numberedTime(n int) time.Time {
	return time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC).Add(-30*24*time.Hour + time.Duration(n)*time.Minute)
}

// A whole conversation, told by a channel.
func TestHandle(t *testing.T) {
	w := newHandlerWorld(t)
	first := w.handle(in(numbered("message.received", 1, `{"external_id":"Wang","nickname":"小王","message":{"id":"m1","kind":"text","text":"在吗"},"web":{"ip":"1.2.3.4"}}`)))
	if first.Status != StatusAccepted || first.ID != "e-1" || first.Customer == uuid.Nil || first.Session == uuid.Nil || first.Position != 9 {
		t.Fatalf("outcome %+v", first)
	}
	for i, c := range []struct{ kind, data string }{
		{"session.accepted", `{"external_id":"wang","agent":"li"}`},
		{"message.sent", `{"external_id":"wang","agent":"li","message":{"id":"s1","kind":"text","text":"您好"}}`},
		{"session.transferred", `{"session_id":"` + first.Session.String() + `","from":"li","to":"wu"}`},
		{"web.attributes", `{"external_id":"wang","web":{"region":"上海"}}`},
		{"message.delivered", `{"external_id":"wang"}`},
		{"session.closed", `{"external_id":"wang","by":"agent","cause":"resolved"}`},
		{"session.rated", `{"external_id":"wang","score":5}`},
	} {
		outcome := w.handle(in(numbered(c.kind, i+2, c.data)))
		if outcome.Status != StatusAccepted || c.kind != "message.delivered" && (outcome.Session != first.Session || outcome.Customer != first.Customer) {
			t.Fatalf("%s: %+v", c.kind, outcome)
		}
	}
	// Written before the close, it arrives after it.
	body := event("message.received", strings.Replace(received, `"x"`, `"WANG"`, 1), map[string]any{"id": "late", "time": numberedTime(5).Format(time.RFC3339)})
	late := w.handle(in(body))
	if late.Status != StatusAccepted || !late.Late || late.Session != first.Session {
		t.Errorf("late: %+v", late)
	}
	// A duplicate gets the first outcome, late or not.
	again := w.handle(in(body))
	if again.Status != StatusDuplicate || !again.Late || again.Position != late.Position || again.Session != late.Session {
		t.Errorf("duplicate: %+v, first %+v", again, late)
	}
	log := w.log()
	types := map[string]int{}
	for _, d := range log[4:] {
		types[d.Type]++
		if d.Envelope.Actor != (eventstore.Actor{Kind: "channel", ID: "1"}) || d.Envelope.Cause == "" || d.Envelope.Correlation != d.Envelope.Cause || d.Envelope.OccurredAt == nil {
			t.Errorf("%s at %d: %+v", d.Type, d.Position, d.Envelope)
		}
	}
	if want := map[string]int{"customer.created": 1, "customer.session_opened": 1, "customer.session_closed": 1, "session.started": 1, "session.accepted": 1,
		"session.transferred": 1, "session.message_recorded": 3, "session.web_attributes_recorded": 2, "session.closed": 1, "session.rated": 1}; !reflect.DeepEqual(types, want) {
		t.Errorf("the log has %v, want %v", types, want)
	}
}

// Source and id are the identity of an event. A channel that writes it anew when it sends it again, with other blanks, members in another
// order or another time, is told the first outcome, be it a refusal.
func TestHandleTheSameInOtherBytes(t *testing.T) {
	w := newHandlerWorld(t)
	body := event("message.received", received, nil)
	first := w.handle(in(body))
	if first.Status != StatusAccepted {
		t.Fatalf("%+v", first)
	}
	refused := w.handle(in(event("session.rated", `{"external_id":"x","score":6}`, map[string]any{"id": "e-refused"})))
	if refused.Status != StatusRefused {
		t.Fatalf("%+v", refused)
	}
	head := len(w.log())
	for _, again := range []string{body + " ", "\n" + body, event("message.received", received, map[string]any{"time": nil, "batch": 2})} {
		if o := w.handle(in(again)); o.Status != StatusDuplicate || o.Session != first.Session || o.Position != first.Position {
			t.Errorf("%s\n%+v, want the outcome %+v", again, o, first)
		}
	}
	again := w.handle(in(event("session.rated", `{"external_id":"x", "score":6}`, map[string]any{"id": "e-refused"}) + " "))
	if again.Status != StatusRefused || again.Code != refused.Code || again.Location != refused.Location {
		t.Errorf("%+v, want the outcome %+v", again, refused)
	}
	if len(w.log()) != head {
		t.Error("a duplicate is in the log")
	}
}

func TestHandleRefuses(t *testing.T) {
	w := newHandlerWorld(t)
	opened := w.handle(in(numbered("message.received", 0, received)))
	if _, err := (commands.RemoveAssociation{Association: 4}).Run(t.Context(), w.center, commands.By{Tenant: tenant}); err != nil {
		t.Fatal(err)
	}
	message := func(change string) string {
		return `{"external_id":"x","message":{"id":"m1","kind":"text","text":"a"` + change + `}}`
	}
	long := `{"external_id":"x","profile":{"phone":"` + strings.Repeat("1", 46) + `"},"message":{"id":"m1","kind":"text","text":"a"}}`
	for name, c := range map[string]struct {
		arrival  Arrival
		code, at string
	}{
		"broken":                {in("{"), CodeMalformed, ""},
		"unknown association":   {Arrival{Association: 9, Body: []byte(event("message.received", received, nil))}, CodeUnknownAssociation, "association_id"},
		"no association":        {Arrival{Association: 0, Body: []byte(event("session.closed", `{"session_id":"`+opened.Session.String()+`","by":"agent"}`, nil))}, CodeUnknownAssociation, "association_id"},
		"removed association":   {Arrival{Association: 4, Body: []byte(event("message.received", received, nil))}, domain.CodeAssociationGone, "association_id"},
		"another's session":     {Arrival{Association: 2, Body: []byte(event("session.closed", `{"session_id":"`+opened.Session.String()+`","by":"agent"}`, nil))}, domain.CodeNotFound, "data.session_id"},
		"unknown tenant":        {Arrival{Tenant: "nobody", Association: 1, Body: []byte(event("message.received", received, nil))}, CodeUnknownTenant, ""},
		"unknown tenant's talk": {Arrival{Tenant: "nobody", Association: 1, Body: []byte(event("session.closed", `{"session_id":"`+sessionID+`","by":"agent"}`, nil))}, CodeUnknownTenant, ""},
		"wrong alphabet":        {in(event("message.received", `{"external_id":"a b","message":{"id":"m","kind":"text","text":"a"}}`, nil)), domain.CodeIDInvalid, "data.external_id"},
		"wrong kind":            {in(event("message.received", message(`,"kind":"dance"`), nil)), domain.CodeValidation, "data.message.kind"},
		"no text":               {in(event("message.received", message(`,"text":""`), nil)), domain.CodeValidation, "data.message.text"},
		"nickname":              {in(event("message.received", `{"external_id":"x","nickname":"a\nb","message":{"id":"m","kind":"text","text":"a"}}`, nil)), domain.CodeValidation, "data.nickname"},
		"profile":               {in(event("message.received", long, nil)), "PHONE_TOO_LONG", "data.profile.phone"},
		"web":                   {in(event("web.attributes", `{"external_id":"x","web":{"ip":"home"}}`, nil)), domain.CodeValidation, "data.web.ip"},
		"the future":            {in(event("message.received", received, map[string]any{"time": "2099-12-31T23:59:59Z"})), domain.CodeOccurredInFuture, "time"},
		"no agent":              {in(event("message.sent", `{"external_id":"x","message":{"id":"s","kind":"text","text":"a"}}`, nil)), domain.CodeValidation, "data.agent"},
		"accepted by nobody":    {in(event("session.accepted", `{"external_id":"x"}`, nil)), domain.CodeValidation, "data.agent"},
		"to nobody":             {in(event("session.transferred", `{"external_id":"x"}`, nil)), domain.CodeValidation, "data.to"},
		"closed by nobody":      {in(event("session.closed", `{"external_id":"x"}`, nil)), domain.CodeValidation, "data.by"},
		"a stranger":            {in(event("session.accepted", `{"external_id":"stranger","agent":"li"}`, nil)), domain.CodeNotFound, "data.external_id"},
		"not accepted":          {in(event("session.rated", `{"external_id":"x","score":3}`, nil)), domain.CodeSessionNotAccepted, ""},
		"too good":              {in(event("session.rated", `{"external_id":"x","score":6}`, nil)), domain.CodeValidation, "data.score"},
	} {
		t.Run(name, func(t *testing.T) {
			head := len(w.log())
			a := c.arrival
			a.Body = []byte(strings.Replace(string(a.Body), `"e-1"`, `"`+name+`"`, 1))
			outcome := w.handle(a)
			if outcome.Status != StatusRefused || outcome.Code != c.code || outcome.Location != c.at {
				t.Fatalf("%+v, want it refused with %s at %q", outcome, c.code, c.at)
			}
			if again := w.handle(a); again.Status != StatusRefused || again.Code != c.code || again.Location != c.at {
				t.Errorf("the second time %+v", again)
			}
			if len(w.log()) != head {
				t.Error("a refused event is in the log")
			}
		})
	}
}

// What was refused can be judged anew when an operator sends it again; what was carried out cannot be carried out twice.
func TestHandleResent(t *testing.T) {
	w := newHandlerWorld(t)
	a := Arrival{Association: 5, Body: []byte(event("message.received", received, nil))}
	if o := w.handle(a); o.Code != CodeUnknownAssociation {
		t.Fatalf("%+v", o)
	}
	if _, err := (commands.RegisterAssociation{Channel: "app", Account: "org#new", Name: "n"}).Run(t.Context(), w.center, commands.By{Tenant: tenant}); err != nil {
		t.Fatal(err)
	}
	if o := w.handle(a); o.Code != CodeUnknownAssociation {
		t.Fatalf("a duplicate does not get the first outcome: %+v", o)
	}
	a.Resent = 1
	sent := w.handle(a)
	if sent.Status != StatusAccepted {
		t.Fatalf("sent again: %+v", sent)
	}
	if again := w.handle(a); again.Status != StatusDuplicate || again.Session != sent.Session || again.Position != sent.Position {
		t.Errorf("sent again, and taken twice: %+v", again)
	}
	messages := 0
	for _, d := range w.log() {
		if _, ok := d.Payload.(session.MessageRecorded); ok {
			messages++
		}
	}
	if messages != 1 {
		t.Errorf("%d messages", messages)
	}
	b := in(event("message.received", received, map[string]any{"id": "once"}))
	w.handle(b)
	b.Resent = 3
	if o := w.handle(b); o.Status != StatusDuplicate {
		t.Errorf("what was carried out was carried out again: %+v", o)
	}
}
