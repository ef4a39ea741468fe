package projections_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/projections"
)

func (m *model) sessions() *projections.Sessions {
	return projections.NewSessions(m.store, m.projector)
}

func (m *model) listSessions(q projections.SessionQuery) projections.SessionPage {
	m.t.Helper()
	page, err := m.sessions().List(m.t.Context(), tenant, q)
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

func TestSessionShowsWhatHappened(t *testing.T) {
	m := newModel(t, 1)
	m.NewCustomer("A")
	p := m.NewCustomer("王小明") // a web visitor
	id := m.OpenSession(p)
	m.sync(projections.SessionsName)
	s, err := m.sessions().One(t.Context(), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	if s.State != "waiting" || s.CustomerID != p.ID || s.Channel != "web" || s.AssociationID != 2 || s.Initiator != "customer" || s.Agent != nil ||
		s.MessageCount != 1 || s.CustomerMessageCount != 1 || s.Rating != nil || s.Web != nil || s.EndedAt != nil {
		t.Errorf("at first: %+v", s)
	}
	stream := session.Stream(id)
	m.Append(stream, p.ID, session.Accepted{Agent: "a1"})
	m.Append(stream, p.ID, session.MessageRecorded{Message: "m2", Sender: session.Sender{Kind: "agent", ID: "a1"}, Kind: "text", Text: "hello"})
	m.Append(stream, p.ID, session.WebAttributesRecorded{IP: "203.0.113.7", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0"})
	m.Append(stream, p.ID, session.Transferred{From: "a1", To: "a2"})
	m.Append(stream, p.ID, session.Closed{By: "agent", Cause: "done"})
	m.Append(stream, p.ID, session.Rated{Score: 4, Reasons: []string{"快"}, Comment: "谢谢"})
	m.Append(stream, p.ID, session.MessageRecorded{Message: "m3", Sender: session.Sender{Kind: "customer"}, Kind: "image", URL: "https://example.com/x.png", Late: true})
	m.sync(projections.SessionsName)
	if s, err = m.sessions().One(t.Context(), tenant, id); err != nil {
		t.Fatal(err)
	}
	if s.State != "closed" || s.Agent.ID != "a2" || s.AcceptedAt == nil || s.EndedAt == nil || s.EndedBy != "agent" || s.EndCause != "done" ||
		s.MessageCount != 3 || s.CustomerMessageCount != 2 || s.Web.Software != "Edge 130, Windows" || s.Web.IP != "203.0.113.7" {
		t.Errorf("at last: %+v", s)
	}
	if s.Rating == nil || s.Rating.Score != 4 || !slices.Equal(s.Rating.Reasons, []string{"快"}) || s.Rating.Comment != "谢谢" {
		t.Errorf("rating: %+v", s.Rating)
	}
	for _, where := range []string{"other", "nobody"} {
		if _, err := m.sessions().One(t.Context(), where, id); !errors.Is(err, projections.ErrNotFound) {
			t.Errorf("tenant %s: %v", where, err)
		}
	}

	items, more, err := projections.Transcript(t.Context(), m.store, tenant, id, 0, 3)
	if err != nil || !more || len(items) != 3 || items[0].Kind != projections.ItemSessionStarted || items[1].Message.Text != "first words" || items[2].Message.Sender.ID != "a1" {
		t.Fatalf("transcript: %+v, more %v, %v", items, more, err)
	}
	items, more, err = projections.Transcript(t.Context(), m.store, tenant, id, items[2].Version, 3)
	if err != nil || more || len(items) != 2 || items[0].Kind != projections.ItemSessionEnded || !items[1].Message.Late || items[1].Message.URL == "" {
		t.Fatalf("the rest: %+v, more %v, %v", items, more, err)
	}
}

func TestSessionsFilterAndPage(t *testing.T) {
	m := newModel(t, 50)
	for n := range 30 {
		p := m.NewCustomer(fmt.Sprint("n", n))
		for i := range 4 {
			id := m.OpenSession(p)
			m.Flush()
			m.Append(session.Stream(id), p.ID, session.Accepted{Agent: fmt.Sprint("a", n%3)})
			if i == 3 {
				m.Append(session.Stream(id), p.ID, session.Transferred{From: fmt.Sprint("a", n%3), To: "boss"})
				m.Append(session.Stream(id), p.ID, session.Rated{Score: 1 + n%5})
			}
			if n%2 == 0 {
				m.Append(session.Stream(id), p.ID, session.Closed{By: "agent"})
			}
			p.State.Unfinished.ID = uuid.Nil // as if it had been closed: this is about the list alone
		}
	}
	m.sync(projections.SessionsName)
	m.sync(projections.CustomersName)
	for _, c := range []struct {
		name string
		q    projections.SessionQuery
		want int64
	}{
		{"all", projections.SessionQuery{}, 120},
		{"customer", projections.SessionQuery{Customer: m.Customers[3].ID}, 4},
		{"agent, those handed over too", projections.SessionQuery{Agent: "a1"}, 40},
		{"agent to whom they were handed", projections.SessionQuery{Agent: "boss"}, 30},
		{"agent, open ones", projections.SessionQuery{Agent: "a1", State: "processing"}, 20},
		{"agent, ended ones", projections.SessionQuery{Agent: "a1", State: "closed"}, 20},
		{"agent and customer", projections.SessionQuery{Agent: "boss", Customer: m.Customers[3].ID}, 1},
		{"rated", projections.SessionQuery{Rated: new(true)}, 30},
		{"not rated", projections.SessionQuery{Rated: new(false)}, 90},
		{"score", projections.SessionQuery{Scores: []int{2}}, 6},
		{"scores", projections.SessionQuery{Scores: []int{1, 2}, Agent: "boss"}, 12},
		{"from customers", projections.SessionQuery{Origin: projections.OriginCustomer}, 120},
		{"callbacks", projections.SessionQuery{Origin: projections.OriginCallback}, 0},
		{"name", projections.SessionQuery{Text: "Ｎ1"}, 44},
		{"name and channel", projections.SessionQuery{Text: "N12", Channel: "app"}, 4},
		{"name and agent", projections.SessionQuery{Text: "n1", Agent: "boss"}, 11},
		{"visitor id", projections.SessionQuery{Text: "VISITOR-7"}, 4},
		{"a letter of every id", projections.SessionQuery{Text: "v"}, 0},
		{"nobody", projections.SessionQuery{Text: "nobody"}, 0},
		{"state", projections.SessionQuery{State: "processing"}, 60},
		{"association", projections.SessionQuery{Association: 1}, 32},
		{"association and agent", projections.SessionQuery{Association: 1, Agent: "a1"}, 12},
		{"channel", projections.SessionQuery{Channel: "app"}, 32},
		{"all of them", projections.SessionQuery{Channel: "app", State: "closed", Agent: "a0", Customer: m.Customers[12].ID}, 4},
		{"future", projections.SessionQuery{From: time.Now().Add(time.Hour)}, 0},
		{"before", projections.SessionQuery{To: time.Now().Add(time.Hour)}, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Limit = 7
			var pages [][]uuid.UUID
			seen := map[uuid.UUID]bool{}
			last := time.Now().Add(time.Hour)
			var page projections.SessionPage
			for {
				page = m.listSessions(c.q)
				if page.Count != (projections.Count{Value: c.want, Exact: true}) {
					t.Fatalf("count = %+v, want %d", page.Count, c.want)
				}
				var ids []uuid.UUID
				for _, s := range page.Items {
					if s.StartedAt.After(last) {
						t.Fatal("not the latest first")
					}
					last = s.StartedAt
					ids, seen[s.ID] = append(ids, s.ID), true
				}
				pages = append(pages, ids)
				if page.Next == "" {
					break
				}
				c.q.Cursor = page.Next
			}
			if int64(len(seen)) != c.want {
				t.Fatalf("%d sessions, want %d", len(seen), c.want)
			}
			for i := len(pages) - 2; i >= 0; i-- {
				c.q.Cursor = page.Prev
				page = m.listSessions(c.q)
				var ids []uuid.UUID
				for _, s := range page.Items {
					ids = append(ids, s.ID)
				}
				if !slices.Equal(ids, pages[i]) {
					t.Fatalf("page %d on the way back is another one", i)
				}
			}
		})
	}
}

func TestSessionsAreFoundByTheNameOfToday(t *testing.T) {
	m := newModel(t, 1)
	p := m.NewCustomer("before")
	id := m.OpenSession(p)
	m.Rename(p, "after")
	m.sync(projections.SessionsName)
	m.sync(projections.CustomersName)
	if page := m.listSessions(projections.SessionQuery{Text: "before"}); len(page.Items) != 0 || page.Count != (projections.Count{Exact: true}) {
		t.Errorf("by the old name: %+v", page)
	}
	page := m.listSessions(projections.SessionQuery{Text: "AFT"})
	if len(page.Items) != 1 || page.Items[0].ID != id || *page.Items[0].Customer != (projections.Visitor{ExternalID: "Visitor-0", Nickname: "after", Name: "after"}) {
		t.Errorf("by the new name: %+v", page)
	}
	m.Append(customer.Stream(p.ID), p.ID, customer.Blacklisted{Reason: "spam"})
	m.sync(projections.CustomersName)
	if one, err := m.sessions().One(t.Context(), tenant, id); err != nil || one.Customer == nil || one.Customer.Nickname != "after" || !one.Customer.Blacklisted {
		t.Errorf("one session: %+v, %v", one.Customer, err)
	}
}

func TestSessionStaysWithThoseWhoHadIt(t *testing.T) {
	m := newModel(t, 1)
	p, other := m.NewCustomer("A"), m.NewCustomer("B")
	id := m.OpenSession(p)
	m.Append(session.Stream(id), p.ID, session.Accepted{Agent: "a1"})
	m.Append(session.Stream(id), p.ID, session.Transferred{From: "a1", To: "a2"})
	m.Append(session.Stream(id), p.ID, session.Transferred{From: "a2", To: "a1"})
	m.Append(session.Stream(id), p.ID, session.Transferred{From: "a1", To: "a3"})
	m.sync(projections.SessionsName)
	all, err := m.sessions().Agents(t.Context(), tenant)
	if want := []projections.Agent{{ID: "a1", Name: "a1"}, {ID: "a2", Name: "a2"}, {ID: "a3", Name: "a3"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("agents: %v, %v", all, err)
	}
	for agent, want := range map[string]bool{"a1": true, "a2": true, "a3": true, "a4": false, "": false} {
		had, err := m.sessions().Had(t.Context(), tenant, id, agent)
		if err != nil || had != want {
			t.Errorf("%q had it: %v, %v", agent, had, err)
		}
		served, err := m.sessions().Served(t.Context(), tenant, p.ID, agent)
		if err != nil || served != want {
			t.Errorf("%q served the customer: %v, %v", agent, served, err)
		}
		for where, customer := range map[string]uuid.UUID{tenant: other.ID, "other": p.ID} {
			if served, err := m.sessions().Served(t.Context(), where, customer, agent); err != nil || served {
				t.Errorf("%q served somebody in %s: %v, %v", agent, where, served, err)
			}
		}
	}
	if page := m.listSessions(projections.SessionQuery{Agent: "a1"}); len(page.Items) != 1 || page.Items[0].Agent.ID != "a3" {
		t.Errorf("%+v", page)
	}
}
