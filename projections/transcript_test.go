package projections_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain/session"
	"customercenter/projections"
)

// line tells one item of a transcript from all others.
func line(i projections.TranscriptItem) string {
	s := fmt.Sprint(i.SessionID, " ", i.Version, " ", i.Kind)
	if i.Message != nil {
		s += " " + i.Message.ID + " " + i.Message.Text
	}
	return s
}

func lines(items []projections.TranscriptItem) []string {
	all := []string{}
	for _, i := range items {
		all = append(all, line(i))
	}
	return all
}

func (m *model) transcript(q projections.TranscriptQuery) projections.TranscriptPage {
	m.t.Helper()
	page, err := m.sessions().Transcript(m.t.Context(), tenant, q)
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

// plainly is a customer's transcript as it is read without thinking: every session from its beginning to its end. had says which sessions count.
func (m *model) plainly(customer uuid.UUID, agent string) (all []string, first []uuid.UUID) {
	m.t.Helper()
	all = []string{}
	q := projections.SessionQuery{Customer: customer, Agent: agent, Limit: 200}
	sessions := m.listSessions(q).Items
	slices.Reverse(sessions)
	for _, s := range sessions {
		items, more, err := projections.Transcript(m.t.Context(), m.store, tenant, s.ID, 0, 10_000)
		if err != nil || more {
			m.t.Fatal(more, err)
		}
		all = append(all, lines(items)...)
		first = append(first, s.ID)
	}
	return all, first
}

// Whatever happened, pages of any size have the whole transcript, once and in order, on the way back from the end, on the way forward
// from the beginning, and from the beginning of any session.
func TestTranscriptIsOneFlowInBothDirections(t *testing.T) {
	m := newModel(t, 40)
	m.Run(6000)
	m.sync(projections.SessionsName)
	withSessions := 0
	for _, p := range m.Customers[:40] {
		for _, agent := range []string{"", "agent-1"} {
			want, sessions := m.plainly(p.ID, agent)
			if len(sessions) > 1 {
				withSessions++
			}
			for _, limit := range []int{1, 3, 200} {
				if limit == 1 && len(want) > 60 {
					continue // a page per item is only slow
				}
				var got []string
				q := projections.TranscriptQuery{Customer: p.ID, Agent: agent, Limit: limit}
				page := m.transcript(q)
				if page.After != "" {
					t.Fatal("there is something after the end")
				}
				for {
					got = append(lines(page.Items), got...)
					if page.Before == "" {
						break
					}
					if len(page.Items) != limit {
						t.Fatalf("%d items on a page of %d that is not the last", len(page.Items), limit)
					}
					q.Before = page.Before
					page = m.transcript(q)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("back, by %d, agent %q:\n%v\nwant\n%v", limit, agent, got, want)
				}
				got = lines(page.Items)
				for q.Before = ""; page.After != ""; {
					q.After = page.After
					page = m.transcript(q)
					if page.Before == "" {
						t.Fatal("there is nothing before a later page")
					}
					got = append(got, lines(page.Items)...)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("forward, by %d, agent %q:\n%v\nwant\n%v", limit, agent, got, want)
				}
			}
			for i, id := range sessions {
				page := m.transcript(projections.TranscriptQuery{Customer: p.ID, Agent: agent, Session: id, Limit: 200})
				if page.Items[0].SessionID != id || page.Items[0].Kind != projections.ItemSessionStarted || (page.Before != "") != (i > 0) {
					t.Fatalf("from session %d on: %+v", i, page)
				}
			}
		}
	}
	if withSessions < 20 {
		t.Errorf("only %d customers had more than one session", withSessions)
	}
}

func TestTranscriptKeepsLateMessagesInTheirSession(t *testing.T) {
	m := newModel(t, 1)
	p, other := m.NewCustomer("A"), m.NewCustomer("B")
	first := m.OpenSession(p)
	m.Append(session.Stream(first), p.ID, session.Accepted{Agent: "a1"})
	m.Append(session.Stream(first), p.ID, session.Closed{By: "agent"})
	p.State.Unfinished.ID = uuid.Nil
	second := m.OpenSession(p)
	foreign := m.OpenSession(other)
	m.Flush()
	m.Append(session.Stream(first), p.ID, session.MessageRecorded{Message: "late", Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "late", Late: true})
	m.sync(projections.SessionsName)
	page := m.transcript(projections.TranscriptQuery{Customer: p.ID})
	var got []string
	for _, i := range page.Items {
		text := i.Kind
		if i.Message != nil {
			text = i.Message.Text
		}
		if i.SessionID == first {
			text = "1 " + text
		}
		got = append(got, text)
	}
	sessions := []string{"1 session_started", "1 first words", "1 session_ended", "1 late"}
	after := []string{"session_started", "first words"}
	// The world draws when things happened, so either session may have begun earlier.
	if !slices.Equal(got, slices.Concat(sessions, after)) && !slices.Equal(got, slices.Concat(after, sessions)) {
		t.Errorf("got %q", got)
	}
	if page := m.transcript(projections.TranscriptQuery{Customer: p.ID, Agent: "a1"}); len(page.Items) != 4 || page.Items[0].SessionID != first {
		t.Errorf("the agent's: %+v", page)
	}
	for name, c := range map[string]struct {
		q    projections.TranscriptQuery
		want error
	}{
		"a session of somebody else":         {projections.TranscriptQuery{Customer: p.ID, Session: foreign}, projections.ErrNotFound},
		"a session that the agent never had": {projections.TranscriptQuery{Customer: p.ID, Session: second, Agent: "a1"}, projections.ErrNotFound},
		"no session":                         {projections.TranscriptQuery{Customer: p.ID, Session: uuid.New()}, projections.ErrNotFound},
		"no cursor":                          {projections.TranscriptQuery{Customer: p.ID, Before: "x"}, projections.ErrCursor},
		"another list's cursor":              {projections.TranscriptQuery{Customer: p.ID, After: m.listSessions(projections.SessionQuery{Limit: 1}).Next}, projections.ErrCursor},
	} {
		if _, err := m.sessions().Transcript(t.Context(), tenant, c.q); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A cursor of one customer shows nothing of another.
	cursor := m.transcript(projections.TranscriptQuery{Customer: p.ID, Limit: 1}).Before
	for _, i := range m.transcript(projections.TranscriptQuery{Customer: other.ID, Before: cursor}).Items {
		if i.SessionID != foreign {
			t.Errorf("a foreign item: %+v", i)
		}
	}
	if page := m.transcript(projections.TranscriptQuery{Customer: uuid.New()}); len(page.Items) != 0 || page.Before != "" || page.After != "" {
		t.Errorf("nobody's: %+v", page)
	}
}
