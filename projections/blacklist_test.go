package projections_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/session"
	"customercenter/projections"
)

func (m *model) blacklist(q projections.BlacklistQuery) projections.BlacklistPage {
	m.t.Helper()
	page, err := m.customers.Blacklist(m.t.Context(), tenant, q)
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

func listed(page projections.BlacklistPage) (names []string) {
	for _, b := range page.Items {
		names = append(names, b.Customer.Nickname)
	}
	return names
}

func TestBlacklistShowsWhatHappened(t *testing.T) {
	m := newModel(t, 1)
	p := m.NewCustomer("王小明")
	m.Blacklist(p, time.Time{})
	m.Suppress(p)
	m.Suppress(p)
	m.sync(projections.CustomersName)
	c := m.one(p.ID)
	if !c.Blacklisted || c.Listing == nil || c.Listing.Reason != "spam from 王小明" || c.Listing.Actor != (projections.Actor{Kind: "system", ID: "test", Name: "test"}) ||
		c.Listing.ExpiresAt != nil || c.Listing.SuppressedMessages != 2 || c.SuppressedCount != 2 || !c.Listing.Since.Equal(c.UpdatedAt) ||
		c.Version != 2 || !c.UpdatedAt.After(c.CreatedAt) || c.MessageCount != 0 || c.LastMessageAt != nil {
		t.Errorf("listed: %+v, %+v", c, c.Listing)
	}
	page := m.blacklist(projections.BlacklistQuery{})
	if len(page.Items) != 1 || page.Count != (projections.Count{Value: 1, Exact: true}) || page.Next != "" || page.Prev != "" ||
		page.Items[0].Customer != (projections.BlacklistedCustomer{ID: p.ID, ExternalID: "Visitor-0", Nickname: "王小明"}) || page.Items[0].Reason != c.Listing.Reason ||
		page.Items[0].Actor != c.Listing.Actor || !page.Items[0].Since.Equal(c.Listing.Since) || page.Items[0].SuppressedMessages != 2 {
		t.Errorf("the blacklist: %+v", page)
	}

	m.Unblacklist(p)
	m.sync(projections.CustomersName)
	if c = m.one(p.ID); c.Blacklisted || c.Listing != nil || c.SuppressedCount != 2 || c.Version != 3 {
		t.Errorf("lifted: %+v", c)
	}
	if page = m.blacklist(projections.BlacklistQuery{}); len(page.Items) != 0 {
		t.Errorf("the blacklist: %+v", page)
	}

	// A new listing counts anew; a new life has none.
	m.Blacklist(p, time.Time{})
	m.Suppress(p)
	m.sync(projections.CustomersName)
	if c = m.one(p.ID); c.Listing.SuppressedMessages != 1 || c.SuppressedCount != 3 {
		t.Errorf("listed again: %+v, %+v", c, c.Listing)
	}
	m.Recreate(p, "王大明")
	m.sync(projections.CustomersName)
	if c = m.one(p.ID); c.Blacklisted || c.SuppressedCount != 0 || len(m.blacklist(projections.BlacklistQuery{}).Items) != 0 {
		t.Errorf("a new life: %+v", c)
	}
}

// An entry that has expired counts as gone, although nobody has lifted it.
func TestExpiredListingsAreGone(t *testing.T) {
	m := newModel(t, 1)
	forever, expiring, free := m.NewCustomer("for ever"), m.NewCustomer("for an hour"), m.NewCustomer("free")
	m.Blacklist(forever, time.Time{})
	m.Blacklist(expiring, time.Now().Add(time.Hour))
	m.sync(projections.CustomersName)
	all := []string{"free", "for an hour", "for ever"}
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{{0, []string{"for an hour", "for ever"}}, {2 * time.Hour, []string{"for ever"}}} {
		at := m.customers.WithClock(func() time.Time { return time.Now().Add(c.after) })
		page, err := at.Blacklist(t.Context(), tenant, projections.BlacklistQuery{})
		if err != nil || !slices.Equal(listed(page), c.want) || page.Count.Value != int64(len(c.want)) {
			t.Errorf("after %v: %v %v", c.after, listed(page), err)
		}
		// The same by whatever way the list walks.
		for _, c2 := range []struct{ also, sort string }{{"", ""}, {"f", ""}, {"", projections.SortLastSessionDesc}, {"r", projections.SortLastSessionDesc}, {"or", ""}} {
			for _, want := range []bool{false, true} {
				q := found(t, `{"field":"blacklisted","op":"is","value":%v}`, want)
				if c2.also != "" {
					q = found(t, `{"all":[{"field":"blacklisted","op":"is","value":%v},{"any":[{"field":"nickname","op":"contains","value":%q},{"field":"nickname","op":"eq","value":"free"}]}]}`, want, c2.also)
				}
				q.Sort = c2.sort
				page, err := at.List(t.Context(), tenant, q)
				names := nicknames(page)
				wanted := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(c.want, n) != want })
				if err != nil || !slices.Equal(names, wanted) || page.Count.Value != int64(len(wanted)) {
					t.Errorf("after %v, %+v, blacklisted %v: %v %v", c.after, q, want, names, err)
				}
			}
		}
		for _, p := range []uuid.UUID{forever.ID, expiring.ID, free.ID} {
			one, err := at.One(t.Context(), tenant, p)
			if err != nil || one.Blacklisted != slices.Contains(c.want, one.Profile.Nickname) || one.Blacklisted != (one.Listing != nil) {
				t.Errorf("after %v: %+v %v", c.after, one, err)
			}
		}
	}
}

func TestBlacklistPagesAndSearch(t *testing.T) {
	m := newModel(t, 50)
	for n := range 25 {
		p := m.NewCustomer(fmt.Sprintf("客户%02d ＡＢＣ", n))
		if n%5 == 0 {
			m.OpenSession(p)
			m.Accept(p, "a1")
		}
		if n != 3 {
			m.Blacklist(p, time.Time{})
		}
	}
	m.sync(projections.CustomersName)
	for _, c := range []struct {
		q    projections.BlacklistQuery
		want int
	}{
		{projections.BlacklistQuery{}, 24},
		{projections.BlacklistQuery{Q: "abc"}, 24},
		{projections.BlacklistQuery{Q: "户1"}, 10},
		{projections.BlacklistQuery{Q: "VISITOR-7"}, 1},
		{projections.BlacklistQuery{Q: "客户03"}, 0},
		{projections.BlacklistQuery{Q: "%"}, 0},
		{projections.BlacklistQuery{ServedBy: "a1"}, 5},
		{projections.BlacklistQuery{ServedBy: "a1", Q: "户1"}, 2},
		{projections.BlacklistQuery{ServedBy: "a2"}, 0},
	} {
		t.Run(fmt.Sprintf("%+v", c.q), func(t *testing.T) {
			c.q.Limit = 7
			var all []string
			var pages [][]string
			var page projections.BlacklistPage
			for {
				page = m.blacklist(c.q)
				if page.Count != (projections.Count{Value: int64(c.want), Exact: true}) {
					t.Fatalf("count %+v", page.Count)
				}
				all, pages = append(all, listed(page)...), append(pages, listed(page))
				if c.q.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			newestFirst := slices.Clone(all)
			slices.Sort(newestFirst)
			slices.Reverse(newestFirst)
			if len(all) != c.want || !slices.Equal(all, newestFirst) {
				t.Fatalf("%v", all)
			}
			for i := len(pages) - 2; i >= 0; i-- {
				c.q.Cursor = page.Prev
				if page = m.blacklist(c.q); !slices.Equal(listed(page), pages[i]) || (page.Prev == "") != (i == 0) {
					t.Fatalf("page %d on the way back is %v, before it %q", i, listed(page), page.Prev)
				}
			}
		})
	}
	if _, err := m.customers.Blacklist(t.Context(), tenant, projections.BlacklistQuery{Cursor: "x"}); !errors.Is(err, projections.ErrCursor) {
		t.Errorf("a foreign cursor: %v", err)
	}
}

// An agent has the customers whose session the agent owns or owned: accepted it, had it transferred, or called back.
func TestServedByAnAgent(t *testing.T) {
	m := newModel(t, 1)
	accepted, transferred, called, waiting := m.NewCustomer("accepted"), m.NewCustomer("transferred"), m.NewCustomer("called back"), m.NewCustomer("waiting")
	m.NewCustomer("nobody's")
	m.OpenSession(accepted)
	m.Accept(accepted, "a1")
	m.Close(accepted)
	m.OpenSession(transferred)
	m.Accept(transferred, "a2")
	m.Append(session.Stream(transferred.State.Unfinished.ID), transferred.ID, session.Transferred{From: "a2", To: "a1"})
	m.CallBack(called, "a1")
	m.OpenSession(waiting)
	m.Blacklist(accepted, time.Time{})
	m.sync(projections.CustomersName)
	for _, c := range []struct {
		agent, filter, sort string
		limit               int
		want                []string
	}{
		{"a1", `{}`, "", 0, []string{"called back", "transferred", "accepted"}},
		{"a2", `{}`, "", 0, []string{"transferred"}},
		{"a3", `{}`, "", 0, nil},
		{"a1", `{}`, projections.SortCreated, 2, []string{"accepted", "transferred"}},
		{"a1", `{"field":"nickname","op":"contains","value":"RR"}`, "", 0, []string{"transferred"}},
		{"a1", `{"field":"nickname","op":"contains","value":"waiting"}`, "", 0, nil},
		{"a1", `{"field":"nickname","op":"contains","value":"ACC"}`, "", 0, []string{"accepted"}},
		{"a1", `{"field":"blacklisted","op":"is","value":false}`, "", 0, []string{"called back", "transferred"}},
		{"a1", `{"field":"blacklisted","op":"is","value":true}`, "", 0, []string{"accepted"}},
		{"a1", `{"field":"session_open","op":"is","value":false}`, "", 0, []string{"accepted"}},
		{"a1", `{"field":"ever_served","op":"is","value":false}`, "", 0, nil},
		{"a1", `{"field":"created_at","op":"older_than","value":{"hours":1}}`, "", 0, nil},
		{"a1", `{"field":"channel","op":"in","value":["web"]}`, projections.SortLastSession, 0, []string{"transferred"}},
		{"", `{"field":"ever_served","op":"is","value":true}`, "", 0, []string{"called back", "transferred", "accepted"}},
		{"", `{"field":"ever_served","op":"is","value":false}`, "", 0, []string{"nobody's", "waiting"}},
		{"", `{"field":"session_open","op":"is","value":true}`, projections.SortCreated, 0, []string{"transferred", "called back", "waiting"}},
		{"", `{"all":[{"field":"session_open","op":"is","value":true},{"field":"ever_served","op":"is","value":false},{"field":"nickname","op":"contains","value":"i"}]}`, "", 0, []string{"waiting"}},
		{"", `{"field":"last_agent","op":"in","value":["a1"]}`, "", 0, []string{"called back", "transferred", "accepted"}},
	} {
		q := found(t, "%s", c.filter)
		q.ServedBy, q.Sort, q.Limit = c.agent, c.sort, c.limit
		if page := m.list(q); !slices.Equal(nicknames(page), c.want) {
			t.Errorf("%+v: %v, want %v", c, nicknames(page), c.want)
		} else if c.limit == 0 && page.Count != (projections.Count{Value: int64(len(c.want)), Exact: true}) {
			t.Errorf("%+v: count %+v", c, page.Count)
		}
	}
	// By the last session, page by page.
	var names []string
	q := projections.ListQuery{ServedBy: "a1", Sort: projections.SortLastSessionDesc, Limit: 1}
	last := time.Now().Add(time.Hour)
	for {
		page := m.list(q)
		if page.Count.Value != 3 || len(page.Items) != 1 || page.Items[0].LastSessionAt.After(last) {
			t.Fatalf("%+v", page)
		}
		names, last = append(names, nicknames(page)...), *page.Items[0].LastSessionAt
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"accepted", "called back", "transferred"}) {
		t.Errorf("%v", names)
	}

	for agent, found := range map[string]bool{"": true, "a1": true, "a2": false} {
		if _, err := m.customers.OneServedBy(t.Context(), tenant, agent, accepted.ID); (err == nil) != found || err != nil && !errors.Is(err, projections.ErrNotFound) {
			t.Errorf("%s: %v", agent, err)
		}
	}
	// In a new life nobody has served the customer.
	m.Recreate(accepted, "again")
	m.sync(projections.CustomersName)
	if _, err := m.customers.OneServedBy(t.Context(), tenant, "a1", accepted.ID); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("a new life: %v", err)
	}
	if page := m.list(projections.ListQuery{ServedBy: "a1"}); page.Count.Value != 2 {
		t.Errorf("a new life: %v", nicknames(page))
	}
}

// The window of a channel counts from what the customer wrote last, in a session, after its end or while on the blacklist.
func TestLastCustomerMessage(t *testing.T) {
	m := newModel(t, 1)
	p := m.NewCustomer("p")
	m.sync(projections.CustomersName)
	if c := m.one(p.ID); c.LastCustomerMessageAt != nil {
		t.Errorf("nobody wrote: %v", c.LastCustomerMessageAt)
	}
	id := m.OpenSession(p)
	m.Accept(p, "a1")
	m.sync(projections.CustomersName)
	wrote := m.one(p.ID).LastCustomerMessageAt
	if wrote == nil || !wrote.Equal(*m.one(p.ID).LastMessageAt) {
		t.Fatalf("the first words: %v", wrote)
	}
	m.Close(p)
	m.sync(projections.CustomersName)
	if wrote = m.one(p.ID).LastCustomerMessageAt; wrote == nil {
		t.Fatal("forgotten at the close")
	}
	for n := range 10 {
		m.Append(session.Stream(id), p.ID, session.MessageRecorded{Message: fmt.Sprint(n), Sender: session.Sender{Kind: "agent", ID: "a1"}, Kind: "text", Text: "x"})
	}
	m.sync(projections.CustomersName)
	c := m.one(p.ID)
	if !c.LastCustomerMessageAt.Equal(*wrote) || c.MessageCount != 11 || !c.LastMessageAt.After(*wrote) {
		t.Errorf("%v after the agent's messages, %v before", c.LastCustomerMessageAt, wrote)
	}
	for n := range 10 { // some of them happened when they were recorded, so after all before
		m.Append(session.Stream(id), p.ID, session.MessageRecorded{Message: fmt.Sprint("late", n), Sender: session.Sender{Kind: "customer"}, Kind: "text", Text: "x", Late: true})
	}
	m.sync(projections.CustomersName)
	if c = m.one(p.ID); !c.LastCustomerMessageAt.After(*wrote) || !c.LastCustomerMessageAt.Equal(*c.LastMessageAt) {
		t.Errorf("%v after a late message, %v before", c.LastCustomerMessageAt, wrote)
	}
	wrote = c.LastCustomerMessageAt
	m.Blacklist(p, time.Time{})
	for range 10 {
		m.Suppress(p)
		m.Flush()
	}
	m.sync(projections.CustomersName)
	if c = m.one(p.ID); !c.LastCustomerMessageAt.After(*wrote) || c.MessageCount != 21 || c.SuppressedCount != 10 {
		t.Errorf("%v after a suppressed message, %v before; %d messages", c.LastCustomerMessageAt, wrote, c.MessageCount)
	}
}
