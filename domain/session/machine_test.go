package session_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/session"
)

// recorded is an event of a session's log and its instant.
type recorded struct {
	event session.Event
	at    time.Time
}

// machine asks a session for anything, in any order, and keeps the log of what came of it.
type machine struct {
	state session.State
	log   []recorded
	clock time.Time
}

// ask runs a decision, checks what must hold for every one, and applies its events as of at.
func (m *machine) ask(t *rapid.T, at time.Time, decide func(*session.State) ([]session.Event, error)) {
	before := m.state.Clone()
	got, err := decide(&m.state)
	if m.state != before {
		t.Fatalf("the decision changed the state")
	}
	if err != nil {
		var refusal *domain.Refusal
		if !errors.As(err, &refusal) || len(got) > 0 {
			t.Fatalf("neither events nor a refusal: %v, %v", got, err)
		}
		return
	}
	for _, e := range got {
		m.state.Apply(e, at)
		m.log = append(m.log, recorded{e, at})
	}
}

func TestAnyOrder(t *testing.T) {
	agents := rapid.SampledFrom([]string{"ann", "bob", " ann ", ""})
	parties := rapid.SampledFrom([]string{"customer", "agent", "system", "dog"})
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{clock: domaintest.Start}
		messages := 0
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				n := session.New{Customer: somebody, Association: 1, Channel: "web", CallbackBy: agents.Draw(t, "callback by")}
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.Start(n) })
			},
			"accept": func(t *rapid.T) {
				agent := agents.Draw(t, "agent")
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.Accept(agent) })
			},
			"transfer": func(t *rapid.T) {
				to := agents.Draw(t, "to")
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.Transfer(to) })
			},
			"message": func(t *rapid.T) {
				messages++
				msg := session.MessageRecorded{
					Message: fmt.Sprint(messages), Kind: session.KindText, Text: rapid.SampledFrom([]string{"", "hi", "\x00"}).Draw(t, "text"),
					Sender: session.Sender{Kind: parties.Draw(t, "sender"), ID: "x"}, Late: rapid.Bool().Draw(t, "says it is late"),
				}
				at := m.clock.Add(time.Duration(rapid.IntRange(-600, 400).Draw(t, "written")) * time.Second)
				m.ask(t, at, func(s *session.State) ([]session.Event, error) { return s.RecordMessage(msg, at, m.clock) })
			},
			"web attributes": func(t *rapid.T) {
				w := session.WebAttributesRecorded{
					IP:     rapid.SampledFrom([]string{"", "203.0.113.7", "2001:DB8::1", "x"}).Draw(t, "ip"),
					Region: rapid.SampledFrom([]string{"", "上海"}).Draw(t, "region"),
				}
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.RecordWebAttributes(w, m.clock, m.clock) })
			},
			"rate": func(t *rapid.T) {
				r := session.Rated{Score: rapid.IntRange(0, 6).Draw(t, "score")}
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.Rate(r) })
			},
			"close": func(t *rapid.T) {
				by := parties.Draw(t, "by")
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.Close(by, "") })
			},
			"abort": func(t *rapid.T) {
				by := parties.Draw(t, "by")
				m.ask(t, m.clock, func(s *session.State) ([]session.Event, error) { return s.Abort(by, "") })
			},
			"time goes by": func(t *rapid.T) {
				m.clock = m.clock.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) { m.check(t) },
		})
	})
}

// check holds the log and the state against what must always be true.
func (m *machine) check(t *rapid.T) {
	var folded session.State
	var endedAt time.Time
	status, owner, ratings, messages := session.Status(""), "", 0, 0
	var web session.WebAttributesRecorded
	must := func(e session.Event, allowed ...session.Status) {
		for _, a := range allowed {
			if status == a {
				return
			}
		}
		t.Fatalf("%s while %q", e.EventType(), status)
	}
	for _, r := range m.log {
		switch e := r.event.(type) {
		case session.Started:
			must(e, "")
			status = session.StatusWaiting
		case session.Accepted:
			must(e, session.StatusWaiting)
			status, owner = session.StatusProcessing, e.Agent
		case session.Transferred:
			must(e, session.StatusProcessing)
			if e.From != owner || e.To == owner || e.To == "" {
				t.Fatalf("%+v while %s has it", e, owner)
			}
			owner = e.To
		case session.MessageRecorded:
			messages++
			must(e, session.StatusWaiting, session.StatusProcessing, session.StatusClosed, session.StatusAborted)
			if ended := !endedAt.IsZero(); e.Late != ended || ended && !r.at.Before(endedAt) {
				t.Fatalf("message of %v, late %v, ended at %v", r.at, e.Late, endedAt)
			}
		case session.WebAttributesRecorded:
			must(e, session.StatusWaiting, session.StatusProcessing)
			if e == web {
				t.Fatal("the same attributes twice")
			}
			web = e
		case session.Rated:
			ratings++
			must(e, session.StatusProcessing, session.StatusClosed)
			if e.Score < 1 || e.Score > 5 {
				t.Fatalf("rated with %d", e.Score)
			}
		case session.Closed:
			must(e, session.StatusProcessing)
			status, endedAt = session.StatusClosed, r.at
		case session.Aborted:
			must(e, session.StatusWaiting)
			status, endedAt = session.StatusAborted, r.at
		}
		folded.Apply(r.event, r.at)
	}
	if ratings > 1 {
		t.Fatalf("rated %d times", ratings)
	}
	if !reflect.DeepEqual(folded, m.state) {
		t.Fatalf("folding the log gives %+v, the state is %+v", folded, m.state)
	}
	s := m.state
	if s.Status != status || s.Agent != owner || s.Messages != messages || s.Rated != (ratings == 1) || !s.EndedAt.Equal(endedAt) {
		t.Fatalf("the state is %+v", s)
	}
}
