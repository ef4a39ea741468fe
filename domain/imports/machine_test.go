package imports_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// recorded is an event of an import's log, and its instant.
type recorded struct {
	event imports.Event
	at    time.Time
}

// machine asks an import for anything, in any order, and keeps the log of what came of it.
type machine struct {
	state imports.State
	log   []recorded
	clock time.Time
}

// ask runs a decision, checks what must hold for every one, and applies its events.
func (m *machine) ask(t *rapid.T, decide func(*imports.State) ([]imports.Event, error)) (accepted bool) {
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
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{clock: domaintest.Start}
		// span is the next rows, or any others.
		span := func(t *rapid.T, next int) (from, to int) {
			from, to = next, next+rapid.IntRange(1, 3).Draw(t, "rows")
			if rapid.IntRange(0, 3).Draw(t, "others") == 0 {
				from, to = rapid.IntRange(0, 6).Draw(t, "from"), rapid.IntRange(0, 6).Draw(t, "to")
			}
			return from, to
		}
		t.Repeat(map[string]func(*rapid.T){
			"upload": func(t *rapid.T) {
				f := file
				f.Rows = rapid.IntRange(1, 5).Draw(t, "rows")
				f.FileName = rapid.SampledFrom([]string{"a.csv", " b", "", "x\ny", "\xff"}).Draw(t, "name")
				may := rapid.SampledFrom([]bool{true, true, false}).Draw(t, "entitled")
				m.ask(t, func(s *imports.State) ([]imports.Event, error) {
					if may {
						return s.Upload(a, f, entitled)
					}
					return s.Upload(a, f, not)
				})
			},
			"start": func(t *rapid.T) {
				dry := rapid.Bool().Draw(t, "dry run")
				m.ask(t, func(s *imports.State) ([]imports.Event, error) { return s.Start(dry, entitled) })
			},
			"record": func(t *rapid.T) {
				from, to := span(t, m.state.Done)
				to = max(min(to, m.state.File.Rows+rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "too many")), 0)
				e := rows(from, max(from, to), m.state.DryRun, rapid.SliceOfN(rapid.IntRange(0, 6), 0, 2).Draw(t, "refused")...)
				e.To = to
				m.ask(t, func(s *imports.State) ([]imports.Event, error) { return s.Record(e), nil })
			},
			"fail": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
					return
				}
				m.ask(t, func(s *imports.State) ([]imports.Event, error) { return s.Fail(domain.CodeInternal), nil })
			},
			"cancel": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
					return
				}
				cancel := func(s *imports.State) ([]imports.Event, error) { return s.Cancel() }
				first := m.ask(t, cancel)
				if second := m.ask(t, cancel); first && second {
					t.Fatal("canceled twice")
				}
			},
			"revert": func(t *rapid.T) {
				m.ask(t, func(s *imports.State) ([]imports.Event, error) { return s.Revert() })
			},
			"record what was taken back": func(t *rapid.T) {
				from, to := span(t, m.state.Looked)
				e := imports.RowsReverted{From: from, To: min(to, m.state.Done+rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "too many"))}
				for _, made := range m.made(from, to) {
					if rapid.Bool().Draw(t, "untouched") {
						e.Count++
					} else {
						e.Kept = append(e.Kept, made)
					}
				}
				m.ask(t, func(s *imports.State) ([]imports.Event, error) { return s.RecordReverted(e), nil })
			},
			"": func(t *rapid.T) {
				m.check(t)
			},
		})
	})
}

// made reads the log: the customers of rows that were dealt with in earnest.
func (m *machine) made(from, to int) (all []imports.Created) {
	for _, r := range m.log {
		if e, is := r.event.(imports.RowsRecorded); is {
			for _, c := range e.Created {
				if i := c.Row - 2; i >= from && i < to && c.Customer != (imports.Created{}).Customer {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// check reads the whole log, and holds it and the state against what must always be true.
func (m *machine) check(t *rapid.T) {
	var folded imports.State
	var file imports.Uploaded
	var status job.Status
	dry, earnest, reverting := false, false, false
	done, looked, created, rejected, withdrawn, kept := 0, 0, 0, 0, 0, 0
	for i, r := range m.log {
		_, begins := r.event.(imports.Uploaded)
		if begins != (i == 0) {
			t.Fatalf("event %d is %T", i, r.event)
		}
		runs := status == job.Running
		fits := false
		switch e := r.event.(type) {
		case imports.Uploaded:
			fits, file, status = true, e, job.Queued
		case imports.Started:
			fits = !runs && !earnest && (status == job.Queued || dry)
			status, dry, earnest, done, created, rejected = job.Running, e.DryRun, !e.DryRun, 0, 0, 0
		case imports.RowsRecorded:
			fits = runs && !reverting && e.From == done && e.To > e.From && e.To <= file.Rows && len(e.Created)+len(e.Rejected) == e.To-e.From
			done, created, rejected = e.To, created+len(e.Created), rejected+len(e.Rejected)
		case imports.Completed:
			fits, status = runs && !reverting && done == file.Rows, job.Completed
		case imports.Failed:
			fits, status = runs, job.Failed
		case imports.Canceled:
			fits, status = (runs || status == job.Queued) && !reverting, job.Canceled
		case imports.RevertStarted:
			fits = earnest && !runs && status != job.Reverted && created > 0
			status, reverting = job.Running, true
		case imports.RowsReverted:
			fits = runs && reverting && e.From == looked && e.To > e.From && e.To <= done
			looked, withdrawn, kept = e.To, withdrawn+e.Count, kept+len(e.Kept)
		case imports.Reverted:
			fits, status, reverting = runs && reverting && looked == done, job.Reverted, false
		}
		if !fits {
			t.Fatalf("event %d is %+v, in earnest: %v, while it is %s, done %d, looked %d", i, r.event, earnest, status, done, looked)
		}
		folded.Apply(r.event, r.at)
	}
	if !reflect.DeepEqual(folded, m.state) {
		t.Fatalf("folding the log gives %+v, the state is %+v", folded, m.state)
	}
	if earnest {
		if all := m.made(0, file.Rows); len(all) != created {
			t.Fatalf("%d customers were made, in the log are %v", created, all)
		}
	}
	want := imports.State{Status: status, DryRun: dry, Done: done, Created: created, Rejected: rejected, Reverting: reverting, Looked: looked, Withdrawn: withdrawn, Kept: kept}
	got := m.state
	got.File, got.Code, got.UploadedAt, got.EndedAt = imports.Uploaded{}, "", time.Time{}, time.Time{}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the state is %+v, the log says %+v", got, want)
	}
	ended := status != "" && status != job.Queued && status != job.Running
	if ended == m.state.EndedAt.IsZero() || (m.state.Code != "") != (status == job.Failed) {
		t.Fatalf("it is %s since %v with the code %q", status, m.state.EndedAt, m.state.Code)
	}
	if status == job.Reverted && withdrawn+kept != created {
		t.Fatalf("of %d customers %d were taken back and %d kept", created, withdrawn, kept)
	}
}
