package commands_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
)

// start is when the tests' sessions happen; it must lie in the past.
var start = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC).Add(-365 * 24 * time.Hour)

func minute(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Minute))) }

func TestTheFirstMessage(t *testing.T) {
	w := newWorld(t)
	cmd := text("Wang", "m1", "在吗？")
	cmd.Profile = customer.Profile{Nickname: "小王"}
	cmd.Web = &session.WebAttributesRecorded{IP: "1.2.3.4"}
	before := w.head()
	done := w.mustBy(w.at(minute(0)), cmd)
	want := []domain.Event{
		customer.Created{Association: 1, Channel: "app", ExternalID: "wang", Profile: customer.Profile{Nickname: "小王"}, Via: customer.ViaInbound, Generation: 1},
		customer.SessionOpened{Session: done.Session, Initiator: "customer"},
		session.Started{Customer: done.Customer, Association: 1, Channel: "app", Initiator: "customer"},
		session.MessageRecorded{Message: "m1", Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "在吗？"},
		session.WebAttributesRecorded{IP: "1.2.3.4"},
	}
	log := w.log(before)
	if len(log) != len(want) {
		t.Fatalf("appended %d events, want %d", len(log), len(want))
	}
	for i, d := range log {
		if d.Payload.(domain.Event).EventType() != want[i].EventType() || d.Customer != done.Customer || d.Envelope.Append != log[0].Envelope.Append {
			t.Errorf("event %d is %s of customer %v in append %v", i, d.Type, d.Customer, d.Envelope.Append)
		}
	}
	if done.Position != before+5 || !done.Changed || done.Late || done.Customer == uuid.Nil {
		t.Errorf("done %+v", done)
	}
	w.appends(w.at(minute(1)), text("wang", "m2", "您好"),
		session.MessageRecorded{Message: "m2", Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "您好"})
	if s := w.session(done.Session); s.Messages != 2 || s.Status != session.StatusWaiting {
		t.Errorf("session %+v", s)
	}
}

func TestReceiveMessageRefused(t *testing.T) {
	w := newWorld(t)
	w.must(commands.RemoveAssociation{Association: 2})
	for _, c := range []struct {
		code, at string
		change   func(*commands.ReceiveMessage)
	}{
		{domain.CodeNotFound, "association_id", func(m *commands.ReceiveMessage) { m.Association = 7 }},
		{domain.CodeAssociationGone, "association_id", func(m *commands.ReceiveMessage) { m.Association = 2 }},
		{domain.CodeIDInvalid, "external_id", func(m *commands.ReceiveMessage) { m.ExternalID = "a b" }},
		{"PHONE_TOO_LONG", "profile.phone", func(m *commands.ReceiveMessage) { m.Profile.Phone = strings.Repeat("1", 46) }},
		{domain.CodeValidation, "message.kind", func(m *commands.ReceiveMessage) { m.Message.Kind = "dance" }},
		{domain.CodeValidation, "message.text", func(m *commands.ReceiveMessage) { m.Message.Text = "" }},
		{domain.CodeValidation, "message.id", func(m *commands.ReceiveMessage) { m.Message.ID = "" }},
		{domain.CodeValidation, "web.ip", func(m *commands.ReceiveMessage) { m.Web = &session.WebAttributesRecorded{IP: "x"} }},
	} {
		cmd := text("x", "m1", "hello")
		c.change(&cmd)
		w.refused(w.by, cmd, c.code, c.at)
	}
	// What was wrong with a stranger's profile is wrong with a customer's, too.
	w.must(text("x", "m1", "hello"))
	cmd := text("x", "m2", "hello")
	cmd.Profile.Email = "a\x00"
	w.refused(w.by, cmd, domain.CodeValidation, "profile.email")
}

func TestASessionFromBeginningToEnd(t *testing.T) {
	for _, name := range []string{"by identity", "by id", "by id, unknown to the process"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			opened := w.mustBy(w.at(minute(0)), text("x", "m1", "hello"))
			ref := func() commands.SessionRef {
				switch name {
				case "by identity":
					return byIdentity("X")
				case "by id":
					return byID(opened.Session)
				}
				w.center = newCenter(w.store)
				return byID(opened.Session)
			}
			w.appends(w.at(minute(1)), commands.AcceptSession{Session: ref(), Agent: "li"}, session.Accepted{Agent: "li"})
			w.appends(w.at(minute(1)), commands.AcceptSession{Session: ref(), Agent: "li"})
			w.refused(w.at(minute(1)), commands.AcceptSession{Session: ref(), Agent: "wu"}, domain.CodeSessionTaken, "")
			sent := commands.RecordMessage{Session: ref(), Sender: session.Sender{Kind: "agent", ID: "li"}, Message: commands.Message{ID: "s1", Kind: "text", Text: "您好"}}
			w.appends(w.at(minute(2)), sent, session.MessageRecorded{Message: "s1", Sender: session.Sender{Kind: "agent", ID: "li"}, Kind: "text", Text: "您好"})
			w.appends(w.at(minute(3)), commands.TransferSession{Session: ref(), To: "wu"}, session.Transferred{From: "li", To: "wu"})
			w.appends(w.at(minute(3)), commands.TransferSession{Session: ref(), To: "wu"})
			w.refused(w.at(minute(3)), commands.TransferSession{Session: ref(), To: ""}, domain.CodeValidation, "to")
			w.refused(w.at(minute(3)), commands.AbortSession{Session: ref(), By: "system"}, domain.CodeSessionTaken, "")
			w.appends(w.at(minute(3)), commands.RecordWebAttributes{Session: ref(), Web: session.WebAttributesRecorded{Region: "上海"}}, session.WebAttributesRecorded{Region: "上海"})
			w.appends(w.at(minute(3)), commands.RecordWebAttributes{Session: ref(), Web: session.WebAttributesRecorded{Region: "上海"}})
			w.mustBy(w.at(minute(4)), text("x", "m2", "谢谢"))
			wrote := minute(4)
			done := w.appends(w.at(minute(5)), commands.CloseSession{Session: ref(), By: "agent", Cause: "resolved"},
				session.Closed{By: "agent", Cause: "resolved"}, customer.SessionClosed{Session: opened.Session, LastCustomerMessageAt: &wrote})
			if done.Session != opened.Session || done.Customer != opened.Customer {
				t.Errorf("done %+v, want session and customer of %+v", done, opened)
			}
			w.appends(w.at(minute(6)), commands.CloseSession{Session: ref(), By: "customer"})
			w.refused(w.at(minute(6)), commands.AbortSession{Session: ref(), By: "system"}, domain.CodeSessionEnded, "")
			w.refused(w.at(minute(6)), commands.AcceptSession{Session: ref(), Agent: "li"}, domain.CodeSessionEnded, "")
			w.refused(w.at(minute(6)), sent, domain.CodeSessionEnded, "")
			w.appends(w.at(minute(7)), commands.RateSession{Session: ref(), Score: 5, Reasons: []string{"快"}, Comment: "好"},
				session.Rated{Score: 5, Reasons: []string{"快"}, Comment: "好"})
			w.refused(w.at(minute(7)), commands.RateSession{Session: ref(), Score: 4}, domain.CodeAlreadyRated, "")
			w.refused(w.at(minute(7)), commands.RateSession{Session: ref(), Score: 6}, domain.CodeValidation, "score")
			// After the end the next message begins another session.
			again := w.mustBy(w.at(minute(8)), text("x", "m3", "还有"))
			if again.Session == opened.Session || again.Customer != opened.Customer || again.Late {
				t.Errorf("after the end: %+v", again)
			}
		})
	}
}

func TestAWaitingSessionIsAborted(t *testing.T) {
	for name, end := range map[string]command{
		"close": commands.CloseSession{Session: byIdentity("x"), By: "customer", Cause: "left"},
		"abort": commands.AbortSession{Session: byIdentity("x"), By: "customer", Cause: "left"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			opened := w.mustBy(w.at(minute(0)), text("x", "m1", "hello"))
			wrote := minute(0)
			w.appends(w.at(minute(1)), end, session.Aborted{By: "customer", Cause: "left"},
				customer.SessionClosed{Session: opened.Session, Aborted: true, LastCustomerMessageAt: &wrote})
			w.appends(w.at(minute(1)), commands.AbortSession{Session: byID(opened.Session), By: "customer"})
			w.appends(w.at(minute(1)), commands.CloseSession{Session: byID(opened.Session), By: "system"})
			w.refused(w.at(minute(2)), commands.RateSession{Session: byIdentity("x"), Score: 5}, domain.CodeSessionNotAccepted, "")
			if again := w.mustBy(w.at(minute(3)), text("x", "m2", "hello")); again.Session == opened.Session {
				t.Error("a message went into an aborted session")
			}
		})
	}
}

func TestSessionNotFound(t *testing.T) {
	w := newWorld(t)
	w.must(commands.CreateCustomer{Association: 1, ExternalID: "silent"})
	opened := w.must(text("x", "m1", "hello"))
	for _, c := range []struct {
		ref      commands.SessionRef
		code, at string
	}{
		{byID(uuid.Max), domain.CodeNotFound, "session_id"},
		{commands.SessionRef{ID: opened.Session, Association: 2}, domain.CodeNotFound, "session_id"},
		{byIdentity("stranger"), domain.CodeNotFound, "external_id"},
		{byIdentity("silent"), domain.CodeNotFound, "external_id"},
		{byIdentity("a b"), domain.CodeIDInvalid, "external_id"},
		{commands.SessionRef{Association: 9, ExternalID: "x"}, domain.CodeNotFound, "association_id"},
	} {
		for _, cmd := range []command{
			commands.AcceptSession{Session: c.ref, Agent: "li"},
			commands.TransferSession{Session: c.ref, To: "li"},
			commands.CloseSession{Session: c.ref, By: "agent"},
			commands.AbortSession{Session: c.ref, By: "agent"},
			commands.RateSession{Session: c.ref, Score: 5},
			commands.RecordMessage{Session: c.ref, Sender: session.Sender{Kind: "agent", ID: "li"}, Message: commands.Message{ID: "1", Kind: "text", Text: "x"}},
			commands.RecordWebAttributes{Session: c.ref, Web: session.WebAttributesRecorded{Region: "x"}},
		} {
			w.refused(w.by, cmd, c.code, c.at)
		}
	}
	w.refused(w.by, commands.RecordMessage{Session: byID(opened.Session), Sender: session.Sender{Kind: "customer"}}, domain.CodeValidation, "message.sender")
}

func TestLateMessages(t *testing.T) {
	w := newWorld(t)
	first := w.mustBy(w.at(minute(0)), text("x", "m1", "hello"))
	w.mustBy(w.at(minute(1)), commands.AcceptSession{Session: byIdentity("x"), Agent: "li"})
	w.mustBy(w.at(minute(5)), commands.CloseSession{Session: byIdentity("x"), By: "agent"})
	sent := func(id string) commands.RecordMessage {
		return commands.RecordMessage{Session: byIdentity("x"), Sender: session.Sender{Kind: "agent", ID: "li"}, Message: commands.Message{ID: id, Kind: "text", Text: "x"}}
	}
	late := w.appends(w.at(minute(4)), text("x", "m2", "late"),
		session.MessageRecorded{Message: "m2", Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "late", Late: true})
	if !late.Late || late.Session != first.Session {
		t.Errorf("late %+v", late)
	}
	if done := w.mustBy(w.at(minute(4.5)), sent("s1")); !done.Late || done.Session != first.Session {
		t.Errorf("late from the agent %+v", done)
	}
	second := w.mustBy(w.at(minute(6)), text("x", "m3", "again"))
	if second.Session == first.Session || second.Late {
		t.Errorf("next %+v", second)
	}
	// With the next session open, what is older than the first one's end still goes there, an end and a rating too.
	if done := w.mustBy(w.at(minute(3)), sent("s2")); !done.Late || done.Session != first.Session {
		t.Errorf("late under the next session %+v", done)
	}
	w.appends(w.at(minute(5.5)), commands.CloseSession{Session: byIdentity("x"), By: "customer"})
	if done := w.mustBy(w.at(minute(5.5)), commands.RateSession{Session: byIdentity("x"), Score: 4}); done.Session != first.Session {
		t.Errorf("rating before the next session went to %v", done.Session)
	}
	// A rating while the next one waits is about the one before.
	w.refused(w.at(minute(7)), commands.RateSession{Session: byIdentity("x"), Score: 5}, domain.CodeAlreadyRated, "")
	if s := w.session(second.Session); s.Status != session.StatusWaiting || s.Rated || s.Messages != 1 {
		t.Errorf("the second session %+v", s)
	}
	if c := w.customer(first.Customer); c.Unfinished.ID != second.Session || len(c.Finished) != 1 {
		t.Errorf("customer %+v", c)
	}
}

// A center must see what other processes did, whatever it remembers itself.
func TestTwoProcesses(t *testing.T) {
	w := newWorld(t)
	here, there := w.center, newCenter(w.store)
	opened := w.must(text("x", "m1", "hello"))
	w.center = there
	w.must(commands.AcceptSession{Session: byIdentity("x"), Agent: "li"})
	w.must(commands.CloseSession{Session: byIdentity("x"), By: "agent"})
	w.center = here
	next := w.must(text("x", "m2", "again"))
	if next.Session == opened.Session {
		t.Error("a message went into a session that another process had closed")
	}
	w.center = there
	if third := w.must(text("x", "m3", "more")); third.Session != next.Session {
		t.Error("a message did not find the session that another process had opened")
	}
	whose, found, err := newCenter(w.store).CustomerOfSession(t.Context(), tenant, next.Session)
	if err != nil || !found || whose != opened.Customer {
		t.Errorf("the session belongs to %v, %v, %v; want %v", whose, found, err, opened.Customer)
	}
	if _, found, err := here.CustomerOfSession(t.Context(), tenant, uuid.Max); found || err != nil {
		t.Errorf("found %v, %v for a session that never was", found, err)
	}
}
