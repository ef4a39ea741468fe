package commands_test

import (
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/session"
)

func TestSendMessage(t *testing.T) {
	w := newWorld(t)
	opened := w.mustBy(w.at(minute(0)), text("x", "m1", "hello"))
	send := func(change func(*commands.SendMessage)) commands.SendMessage {
		cmd := commands.SendMessage{Session: opened.Session, Agent: "a1", Message: commands.Message{ID: "s1", Kind: "text", Text: "您好"}, OnlyOf: "a1"}
		if change != nil {
			change(&cmd)
		}
		return cmd
	}
	w.refused(w.by, send(nil), commands.CodeForbidden, "")
	w.refused(w.by, send(func(c *commands.SendMessage) { c.OnlyOf = "" }), domain.CodeSessionNotAccepted, "")
	w.must(commands.AcceptSession{Session: commands.SessionRef{ID: opened.Session}, Agent: "a1"})
	w.appends(w.by, send(nil), session.MessageRecorded{Message: "s1", Sender: session.Sender{Kind: "agent", ID: "a1"}, Kind: "text", Text: "您好"})
	w.appends(w.by, send(func(c *commands.SendMessage) { c.Agent, c.OnlyOf = "boss", "" }),
		session.MessageRecorded{Message: "s1", Sender: session.Sender{Kind: "agent", ID: "boss"}, Kind: "text", Text: "您好"})
	for _, c := range []struct {
		code, at string
		change   func(*commands.SendMessage)
	}{
		{domain.CodeNotFound, "session_id", func(m *commands.SendMessage) { m.Session = uuid.New() }},
		{commands.CodeForbidden, "", func(m *commands.SendMessage) { m.OnlyOf = "a2" }},
		{domain.CodeValidation, "agent", func(m *commands.SendMessage) { m.Agent = "" }},
		{domain.CodeValidation, "id", func(m *commands.SendMessage) { m.Message.ID = "" }},
		{domain.CodeValidation, "kind", func(m *commands.SendMessage) { m.Message.Kind = "dance" }},
		{domain.CodeValidation, "text", func(m *commands.SendMessage) { m.Message.Text = "" }},
		{domain.CodeValidation, "url", func(m *commands.SendMessage) { m.Message.Kind = "image" }},
		{domain.CodeValidation, "name", func(m *commands.SendMessage) { m.Message.Name = "a\x00" }},
	} {
		w.refused(w.by, send(c.change), c.code, c.at)
	}
	w.must(commands.RemoveAssociation{Association: 1})
	w.refused(w.by, send(nil), domain.CodeAssociationGone, "")
	w.must(commands.CloseSession{Session: commands.SessionRef{ID: opened.Session}, By: domain.PartyAgent})
	w.refused(w.by, send(nil), domain.CodeSessionEnded, "")
	w.refused(w.at(minute(1)), send(nil), domain.CodeSessionEnded, "") // before the end, but only now
}
