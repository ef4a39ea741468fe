package customer_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

// recorded is an event of a customer's log, its instant, and that of the decision.
type recorded struct {
	event       customer.Event
	at, decided time.Time
}

// machine asks a customer for anything, in any order, and keeps the log of what came of it.
type machine struct {
	state customer.State
	log   []recorded
	clock time.Time
}

// ask runs a decision, checks what must hold for every one, and applies its events.
func (m *machine) ask(t *rapid.T, decide func(*customer.State) ([]customer.Event, error)) {
	// The clone is compared by what it prints, because a clone that shares memory would change with the original.
	clone := m.state.Clone()
	before := fmt.Sprintf("%+v", clone)
	got, err := decide(&m.state)
	if after := fmt.Sprintf("%+v", m.state); after != before {
		t.Fatalf("the decision changed the state from %s to %s", before, after)
	}
	if err != nil {
		var refusal *domain.Refusal
		if !errors.As(err, &refusal) || len(got) > 0 {
			t.Fatalf("neither events nor a refusal: %v, %v", got, err)
		}
		return
	}
	decided := m.clock
	m.clock = m.clock.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
	for _, e := range got {
		m.state.Apply(e, m.clock)
		m.log = append(m.log, recorded{e, m.clock, decided})
	}
	if after := fmt.Sprintf("%+v", clone); after != before {
		t.Fatalf("applying events changed a clone taken before from %s to %s", before, after)
	}
}

// settled runs a decision twice; once it was accepted, the same again changes nothing.
func (m *machine) settled(t *rapid.T, decide func(*customer.State) ([]customer.Event, error)) {
	accepted := false
	m.ask(t, func(s *customer.State) ([]customer.Event, error) {
		got, err := decide(s)
		accepted = err == nil
		return got, err
	})
	if !accepted {
		return
	}
	if again, err := decide(&m.state); err != nil || len(again) > 0 {
		t.Fatalf("the same again gave %v, %v", again, err)
	}
}

func TestAnyOrder(t *testing.T) {
	tags := rapid.Map(rapid.IntRange(1, 7), id)
	sessions := rapid.Map(rapid.IntRange(1, 12), id)
	imports := rapid.Map(rapid.IntRange(0, 2), id)
	values := rapid.SampledFrom([]string{"", " ", "a", " a", "王小明", "e\u0301", "\x00", "\xff", "x\ny"})
	keys := rapid.SampledFrom([]string{"nickname", "name", "description", "external_id", "shoe_size"})
	chosen := rapid.MapOfN(rapid.SampledFrom([]string{"size", "age", "likes", "shoe_size"}),
		rapid.SampledFrom([]any{nil, "", "1", " 2.0", 3.0, "x\ny", []any{}, []any{"o2", "o1"}, []any{"o1", "o1"}, []any{"o9"}, true}), 0, 3)

	rapid.Check(t, func(t *rapid.T) {
		m := &machine{clock: domaintest.Start}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				n := customer.New{
					Association: 1, Channel: rapid.SampledFrom(domain.Channels()).Draw(t, "channel"),
					ExternalID: rapid.SampledFrom([]string{"1", "42 ", "A", "王"}).Draw(t, "external id"),
					Profile:    customer.Profile{Nickname: values.Draw(t, "nickname"), Custom: chosen.Draw(t, "custom values")},
					Tags:       rapid.SliceOfN(tags, 0, 3).Draw(t, "tags"), Via: customer.ViaAPI,
				}
				if by := imports.Draw(t, "import"); by != uuid.Nil {
					n.Via, n.Import = customer.ViaImport, by
				}
				m.ask(t, func(s *customer.State) ([]customer.Event, error) { return s.Create(n, known, normal) })
			},
			"change profile": func(t *rapid.T) {
				edit := customer.Edit{Fields: rapid.MapOfN(keys, rapid.Ptr(values, true), 0, 3).Draw(t, "changes"), Custom: chosen.Draw(t, "custom values")}
				m.settled(t, func(s *customer.State) ([]customer.Event, error) { return s.ChangeProfile(edit, normal) })
			},
			"tag": func(t *rapid.T) {
				tag := tags.Draw(t, "tag")
				m.settled(t, func(s *customer.State) ([]customer.Event, error) { return s.Tag(tag, known) })
			},
			"untag": func(t *rapid.T) {
				tag := tags.Draw(t, "tag")
				m.settled(t, func(s *customer.State) ([]customer.Event, error) { return s.Untag(tag) })
			},
			"replace tags": func(t *rapid.T) {
				set := rapid.SliceOfN(tags, 0, 4).Draw(t, "tags")
				m.settled(t, func(s *customer.State) ([]customer.Event, error) { return s.ReplaceTags(set, known) })
			},
			"open session": func(t *rapid.T) {
				session := sessions.Draw(t, "session")
				m.settled(t, func(s *customer.State) ([]customer.Event, error) {
					return s.OpenSession(session, "customer", m.clock)
				})
			},
			"close session": func(t *rapid.T) {
				session, aborted := sessions.Draw(t, "session"), rapid.Bool().Draw(t, "aborted")
				if rapid.Bool().Draw(t, "the unfinished one") {
					session = m.state.Unfinished.ID
				}
				last := m.clock.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "before")) * time.Second)
				m.settled(t, func(s *customer.State) ([]customer.Event, error) { return s.CloseSession(session, aborted, last) })
			},
			"blacklist": func(t *rapid.T) {
				var ends time.Time
				if rapid.Bool().Draw(t, "for a while") {
					ends = m.clock.Add(time.Duration(rapid.IntRange(-10, 1200).Draw(t, "seconds listed")) * time.Second)
				}
				reason := values.Draw(t, "reason")
				m.ask(t, func(s *customer.State) ([]customer.Event, error) { return s.Blacklist(reason, ends, m.clock) })
			},
			"unblacklist": func(t *rapid.T) {
				m.ask(t, func(s *customer.State) ([]customer.Event, error) { return s.Unblacklist(m.clock) })
			},
			"lift": func(t *rapid.T) {
				m.ask(t, func(s *customer.State) ([]customer.Event, error) { return s.LiftExpired(m.clock) })
			},
			"call back":       func(t *rapid.T) { m.callBack(t, sessions.Draw(t, "session")) },
			"place a message": func(t *rapid.T) { m.place(t) },
			"withdraw": func(t *rapid.T) {
				by := m.state.Import
				if rapid.Bool().Draw(t, "by any import") {
					by = imports.Draw(t, "import")
				}
				m.withdraw(t, by)
			},
			"erase": func(t *rapid.T) { m.erase(t) },
			"": func(t *rapid.T) {
				m.check(t)
			},
		})
	})
}

// place holds where a message goes against a reading of the whole log.
func (m *machine) place(t *rapid.T) {
	at := m.clock.Add(time.Duration(rapid.IntRange(-3600, 600).Draw(t, "written")) * time.Second)
	got, err := m.state.SessionFor(at, m.clock)
	if at.After(m.clock.Add(5 * time.Minute)) {
		if err == nil {
			t.Fatalf("a message from the future went into %v", got.Session)
		}
		return
	}
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	unfinished, ended := m.sessions()
	switch {
	case got.Late:
		if end, found := ended[got.Session]; !found || !at.Before(end) {
			t.Fatalf("late into %v, which ended at %v, written at %v", got.Session, end, at)
		}
	case got.Opens():
		if unfinished != uuid.Nil {
			t.Fatalf("opens a second session beside %v", unfinished)
		}
		for session, end := range ended {
			if at.Before(end) {
				t.Fatalf("opens a session although it was written before the end of %v", session)
			}
		}
	case got.Session != unfinished:
		t.Fatalf("goes into %v, unfinished is %v", got.Session, unfinished)
	}
}

// callBack opens a session towards the customer, and holds the answer against the log.
func (m *machine) callBack(t *rapid.T, session uuid.UUID) {
	unfinished, _ := m.sessions()
	may := m.state.MayBeCalledBack(m.clock) == nil
	if may && (unfinished != uuid.Nil || m.listing(len(m.log)).Counts(m.clock)) {
		t.Fatalf("may be called back with the session %v, listed: %v", unfinished, m.listing(len(m.log)))
	}
	m.ask(t, func(s *customer.State) ([]customer.Event, error) {
		if err := s.MayBeCalledBack(m.clock); err != nil {
			return nil, err
		}
		return s.OpenSession(session, "agent", m.clock)
	})
}

// withdraw reverts an import, and holds the answer against the last event of the log: only a creation by that import can be undone.
func (m *machine) withdraw(t *rapid.T, by uuid.UUID) {
	want := domain.CodeCustomerTouched
	if !m.exists() {
		want = domain.CodeNotFound
	} else if made, ok := m.log[len(m.log)-1].event.(customer.Created); ok && made.Import != uuid.Nil && made.Import == by {
		want = ""
	}
	m.ask(t, func(s *customer.State) ([]customer.Event, error) {
		got, err := s.Withdraw(by)
		var refusal *domain.Refusal
		switch {
		case want == "" && (err != nil || !reflect.DeepEqual(got, []customer.Event{customer.Withdrawn{Import: by}})):
			t.Fatalf("withdrawing gave %v, %v", got, err)
		case want != "" && (!errors.As(err, &refusal) || refusal.Code != want):
			t.Fatalf("withdrawing gave %v, %v, want %s", got, err, want)
		}
		return got, err
	})
}

// erase ends the unfinished session and erases. Only of nobody, and of whoever was erased last, there is nothing to erase.
func (m *machine) erase(t *rapid.T) {
	left := len(m.log) > 0
	if left {
		_, erased := m.log[len(m.log)-1].event.(customer.Erased)
		left = !erased
	}
	m.ask(t, func(s *customer.State) ([]customer.Event, error) {
		got, err := s.Erase()
		var refusal *domain.Refusal
		if left != (err == nil) || err != nil && (!errors.As(err, &refusal) || refusal.Code != domain.CodeNotFound) {
			t.Fatalf("erasing gave %v, %v", got, err)
		}
		if err == nil && s.Exists {
			closed, err := s.CloseSession(s.Unfinished.ID, false, time.Time{})
			return append(closed, got...), err
		}
		return got, err
	})
}

// exists reads the log: whether there is a customer after it.
func (m *machine) exists() bool {
	if len(m.log) == 0 {
		return false
	}
	switch m.log[len(m.log)-1].event.(type) {
	case customer.Withdrawn, customer.Erased:
		return false
	}
	return true
}

// listing reads the first n events of the log: the entry on the blacklist that stands after them, expired or not.
func (m *machine) listing(n int) *customer.Listing {
	var listing *customer.Listing
	for _, r := range m.log[:n] {
		switch e := r.event.(type) {
		case customer.Blacklisted:
			listing = &customer.Listing{Since: r.at}
			if e.ExpiresAt != nil {
				listing.ExpiresAt = *e.ExpiresAt
			}
		case customer.Unblacklisted, customer.Erased:
			listing = nil
		}
	}
	return listing
}

// checkListing holds an event against the entry on the blacklist that stood before it.
func (m *machine) checkListing(t *rapid.T, i int) {
	r, before := m.log[i], m.listing(i)
	switch e := r.event.(type) {
	case customer.SessionOpened:
		if before.Counts(r.decided) {
			t.Fatalf("opened a session while listed: %+v", before)
		}
	case customer.Blacklisted:
		if before != nil {
			t.Fatalf("listed twice: %+v", before)
		}
	case customer.Unblacklisted:
		if before == nil || before.Counts(r.decided) != (e.Cause == customer.CauseManual) {
			t.Fatalf("taken off the list as %s, listed: %+v", e.Cause, before)
		}
	}
}

// sessions reads the log: the session that is unfinished, and when each other one ended.
func (m *machine) sessions() (unfinished uuid.UUID, ended map[uuid.UUID]time.Time) {
	ended = map[uuid.UUID]time.Time{}
	for _, r := range m.log {
		switch e := r.event.(type) {
		case customer.SessionOpened:
			unfinished = e.Session
		case customer.SessionClosed:
			unfinished = uuid.Nil
			ended[e.Session] = r.at
		case customer.Erased:
			clear(ended) // they are not told of any more
		}
	}
	return unfinished, ended
}

// check holds the log and the state against what must always be true.
func (m *machine) check(t *rapid.T) {
	var folded customer.State
	var unfinished uuid.UUID
	carried := map[uuid.UUID]bool{}
	lives, living := 0, false
	for i, r := range m.log {
		_, begins := r.event.(customer.Created)
		if _, erased := r.event.(customer.Erased); begins == living && !(erased && lives > 0) {
			t.Fatalf("event %d is %T, with a customer: %v", i, r.event, living)
		}
		switch e := r.event.(type) {
		case customer.Created:
			lives, living = lives+1, true
			if e.Generation != lives {
				t.Fatalf("life %d is generation %d", lives, e.Generation)
			}
			for _, tag := range e.Tags {
				carried[tag] = true
			}
		case customer.Tagged:
			if carried[e.Tag] || !known(e.Tag) {
				t.Fatalf("tagged with %v, which it has or nobody knows", e.Tag)
			}
			carried[e.Tag] = true
		case customer.Untagged:
			if !carried[e.Tag] {
				t.Fatalf("untagged %v, which it does not have", e.Tag)
			}
			delete(carried, e.Tag)
		case customer.SessionOpened:
			if unfinished != uuid.Nil {
				t.Fatal("two unfinished sessions")
			}
			unfinished = e.Session
		case customer.SessionClosed:
			if unfinished != e.Session {
				t.Fatal("closed a session that was not unfinished")
			}
			unfinished = uuid.Nil
		case customer.Withdrawn, customer.Erased:
			living = false
			clear(carried)
		}
		m.checkListing(t, i)
		folded.Apply(r.event, r.at)
	}
	if m.state.Exists != living || m.state.Generation != lives {
		t.Fatalf("after %d lives, the last going on: %v, the state is %+v", lives, living, m.state)
	}
	if !reflect.DeepEqual(folded, m.state) {
		t.Fatalf("folding the log gives %+v, the state is %+v", folded, m.state)
	}
	if m.state.Unfinished.ID != unfinished || len(m.state.Tags) != len(carried) || len(m.state.Finished) > customer.RememberedSessions {
		t.Fatalf("the state is %+v", m.state)
	}
}
