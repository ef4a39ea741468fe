package bulk_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/domaintest"
	"customercenter/domain/job"
)

// recorded is an event of a bulk action's log, and its instant.
type recorded struct {
	event bulk.Event
	at    time.Time
}

// machine asks a bulk action for anything, in any order, and keeps the log of what came of it.
type machine struct {
	state bulk.State
	log   []recorded
	clock time.Time
}

// ask runs a decision, checks what must hold for every one, and applies its events.
func (m *machine) ask(t *rapid.T, decide func(*bulk.State) ([]bulk.Event, error)) (accepted bool) {
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
		return false
	}
	for _, e := range got {
		m.clock = m.clock.Add(time.Second)
		m.state.Apply(e, m.clock)
		m.log = append(m.log, recorded{e, m.clock})
	}
	if after := fmt.Sprintf("%+v", clone); after != before {
		t.Fatalf("applying events changed a clone taken before from %s to %s", before, after)
	}
	return len(got) > 0
}

func TestAnyOrder(t *testing.T) {
	actions := rapid.SampledFrom(append(bulk.Actions(), "erase"))
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{clock: domaintest.Start}
		// span is the next customers, or any others.
		span := func(t *rapid.T, next, end int) (from, to int) {
			from = next
			to = min(next+rapid.IntRange(1, 3).Draw(t, "customers"), end)
			if rapid.IntRange(0, 3).Draw(t, "others") == 0 {
				from, to = rapid.IntRange(0, 6).Draw(t, "from"), rapid.IntRange(0, 6).Draw(t, "to")
			}
			return from, to
		}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				d := bulk.Draft{Action: actions.Draw(t, "action"), Tag: rapid.SampledFrom([]uuid.UUID{vip, vip, other, uuid.Nil}).Draw(t, "tag"),
					Reason: rapid.SampledFrom([]string{"spam", " ", "\xff"}).Draw(t, "reason")}
				if rapid.Bool().Draw(t, "named") {
					d.Customers = []uuid.UUID{who(1), who(2), who(1)}
				} else if rapid.Bool().Draw(t, "by a filter") {
					d.Filter = parsed(`{}`)
				}
				m.ask(t, func(s *bulk.State) ([]bulk.Event, error) { return s.Start(a, d, m.clock, known, known) })
			},
			"select": func(t *rapid.T) {
				n := rapid.SampledFrom([]int{0, 1, 3, 5}).Draw(t, "customers")
				m.ask(t, func(s *bulk.State) ([]bulk.Event, error) {
					return s.Select(bulk.Selected{Position: 1, Customers: n}), nil
				})
			},
			"record": func(t *rapid.T) {
				from, to := span(t, m.state.Done, m.state.Selected.Customers)
				e := applied(from, max(from, to), rapid.SliceOfN(rapid.IntRange(0, 6), 0, 2).Draw(t, "refused")...)
				e.To = to
				m.ask(t, func(s *bulk.State) ([]bulk.Event, error) { return s.Record(e), nil })
			},
			"fail": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "really") == 0 {
					m.ask(t, func(s *bulk.State) ([]bulk.Event, error) { return s.Fail(domain.CodeInternal), nil })
				}
			},
			"cancel": func(t *rapid.T) {
				cancel := func(s *bulk.State) ([]bulk.Event, error) { return s.Cancel() }
				if rapid.IntRange(0, 2).Draw(t, "really") == 0 && m.ask(t, cancel) && m.ask(t, cancel) {
					t.Fatal("canceled twice")
				}
			},
			"undo": func(t *rapid.T) {
				m.ask(t, func(s *bulk.State) ([]bulk.Event, error) { return s.Undo() })
			},
			"record what was undone": func(t *rapid.T) {
				from, to := span(t, m.state.Looked, m.state.Done)
				e := bulk.Undone{From: from, To: to}
				for _, change := range m.changed(from, to) {
					if rapid.Bool().Draw(t, "untouched") {
						e.Count++
					} else {
						e.Kept = append(e.Kept, bulk.Refused{Customer: change, Code: domain.CodeChangedSince})
					}
				}
				m.ask(t, func(s *bulk.State) ([]bulk.Event, error) { return s.RecordUndone(e), nil })
			},
			"": func(t *rapid.T) {
				m.check(t)
			},
		})
	})
}

// changed reads the log: to whom of some customers something happened.
func (m *machine) changed(from, to int) (all []uuid.UUID) {
	for _, r := range m.log {
		if e, is := r.event.(bulk.Applied); is {
			for _, c := range e.Changed {
				if i := int(c.Customer[15]); i >= from && i < to {
					all = append(all, c.Customer)
				}
			}
		}
	}
	return all
}

// check reads the whole log, and holds it and the state against what must always be true.
func (m *machine) check(t *rapid.T) {
	var folded, want bulk.State
	for i, r := range m.log {
		_, begins := r.event.(bulk.Started)
		if begins != (i == 0) {
			t.Fatalf("event %d is %T", i, r.event)
		}
		runs := want.Status == job.Running
		fits := false
		switch e := r.event.(type) {
		case bulk.Started:
			fits = (e.Filter == nil) != (len(e.Customers) == 0)
			want = bulk.State{Asked: e, Status: job.Running}
		case bulk.Selected:
			fits = runs && !want.Undoing && !want.Chosen
			want.Chosen, want.Selected = true, e
		case bulk.Applied:
			fits = runs && !want.Undoing && want.Chosen && e.From == want.Done && e.To > e.From && e.To <= want.Selected.Customers
			want.Done, want.Changed, want.Refused = e.To, want.Changed+len(e.Changed), want.Refused+len(e.Refused)
		case bulk.Completed:
			fits, want.Status = runs && !want.Undoing && want.Chosen && want.Done == want.Selected.Customers, job.Completed
		case bulk.Failed:
			fits, want.Status = runs, job.Failed
		case bulk.Canceled:
			fits, want.Status = runs && !want.Undoing, job.Canceled
		case bulk.UndoStarted:
			fits = !runs && want.Status != job.Reverted && want.Changed > 0
			want.Status, want.Undoing = job.Running, true
		case bulk.Undone:
			fits = runs && want.Undoing && e.From == want.Looked && e.To > e.From && e.To <= want.Done
			want.Looked, want.Undone, want.Kept = e.To, want.Undone+e.Count, want.Kept+len(e.Kept)
		case bulk.Reverted:
			fits = runs && want.Undoing && want.Looked == want.Done && want.Undone+want.Kept == want.Changed
			want.Status, want.Undoing = job.Reverted, false
		}
		if !fits {
			t.Fatalf("event %d is %+v, by then it was %+v", i, r.event, want)
		}
		folded.Apply(r.event, r.at)
	}
	if !reflect.DeepEqual(folded, m.state) {
		t.Fatalf("folding the log gives %+v, the state is %+v", folded, m.state)
	}
	got := m.state
	got.Code, got.StartedAt, got.EndedAt = "", time.Time{}, time.Time{}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the state is %+v, the log says %+v", got, want)
	}
	if ended := want.Status != "" && want.Status != job.Running; ended == m.state.EndedAt.IsZero() || (m.state.Code != "") != (want.Status == job.Failed) {
		t.Fatalf("it is %s since %v with the code %q", want.Status, m.state.EndedAt, m.state.Code)
	}
}
