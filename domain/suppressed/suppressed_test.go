package suppressed_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
)

func TestRecord(t *testing.T) {
	type testCase = domaintest.Case[suppressed.State, suppressed.Event]
	now := domaintest.Minute(60)
	record := func(at time.Time, change func(*session.MessageRecorded)) func(*suppressed.State) ([]suppressed.Event, error) {
		m := session.MessageRecorded{Message: "m1", Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: "在吗？"}
		if change != nil {
			change(&m)
		}
		return func(s *suppressed.State) ([]suppressed.Event, error) { return s.Record(m, at, now) }
	}
	words := suppressed.MessageRecorded{Message: "m1", Kind: "text", Text: "在吗？"}
	file := suppressed.MessageRecorded{Message: "m1", Kind: "file", URL: "https://x.example/a", Name: "a.pdf"}
	domaintest.Run(t, []testCase{
		{Name: "text", When: record(now, nil), Then: []suppressed.Event{words}},
		{Name: "long ago", When: record(now.AddDate(-1, 0, 0), nil), Then: []suppressed.Event{words}},
		{
			Name: "file", Given: []domain.Event{words},
			When: record(now, func(m *session.MessageRecorded) { m.Kind, m.Text, m.URL, m.Name = file.Kind, "", file.URL, file.Name }),
			Then: []suppressed.Event{file},
		},
		{Name: "tomorrow", When: record(now.AddDate(0, 0, 1), nil), Refused: domain.CodeOccurredInFuture, At: "occurred_at"},
		{Name: "no id", When: record(now, func(m *session.MessageRecorded) { m.Message = "" }), Refused: domain.CodeValidation, At: "message.id"},
		{Name: "no text", When: record(now, func(m *session.MessageRecorded) { m.Text = "" }), Refused: domain.CodeValidation, At: "message.text"},
		{Name: "unknown kind", When: record(now, func(m *session.MessageRecorded) { m.Kind = "dance" }), Refused: domain.CodeValidation, At: "message.kind"},
	})
}

func TestCounting(t *testing.T) {
	s := domaintest.Fold[suppressed.State](suppressed.MessageRecorded{Message: "1"}, suppressed.MessageRecorded{Message: "2"})
	before := s.Clone()
	s.Apply(suppressed.MessageRecorded{Message: "3"}, domaintest.Minute(3))
	s.Apply(session.MessageRecorded{Message: "4"}, domaintest.Minute(4))
	if s.Messages != 3 || before.Messages != 2 {
		t.Errorf("%d messages, and %d in the clone taken before; want 3 and 2", s.Messages, before.Messages)
	}
	s.Apply(suppressed.MessageRecorded{Message: "0"}, domaintest.Minute(-1))
	if !s.LastAt.Equal(domaintest.Minute(3)) {
		t.Errorf("the last was written at %v, want %v", s.LastAt, domaintest.Minute(3))
	}
}

func TestStream(t *testing.T) {
	if got, want := suppressed.Stream(uuid.Max), "suppressed-ffffffff-ffff-ffff-ffff-ffffffffffff"; got != want {
		t.Errorf("Stream = %q, want %q", got, want)
	}
}
