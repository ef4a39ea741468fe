package bulk_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
	"customercenter/domain/filter"
	"customercenter/domain/job"
)

type (
	testCase = domaintest.Case[bulk.State, bulk.Event]
	events   = []bulk.Event
	given    = []domain.Event
	when     = func(*bulk.State) ([]bulk.Event, error)
)

var (
	a     = uuid.UUID{15: 0xa}
	vip   = uuid.UUID{15: 0xc1}
	other = uuid.UUID{15: 0xc2}
)

// who is the customer of that number.
func who(n int) uuid.UUID { return uuid.UUID{14: 1, 15: byte(n)} }

func known(id uuid.UUID) bool { return id == vip }

func parsed(text string) *filter.Filter {
	f, err := filter.Parse([]byte(text), &filter.Language{Groups: true}, "filter")
	if err != nil {
		panic(err)
	}
	return f
}

// applied says of some customers that something happened to all but those.
func applied(from, to int, refused ...int) bulk.Applied {
	e := bulk.Applied{From: from, To: to}
	for i := from; i < to; i++ {
		if slices.Contains(refused, i) {
			e.Refused = append(e.Refused, bulk.Refused{Customer: who(i), Code: domain.CodeNotFound})
		} else {
			e.Changed = append(e.Changed, bulk.Change{Customer: who(i), Version: 2})
		}
	}
	return e
}

func TestDecisions(t *testing.T) {
	now := domaintest.Start
	later := now.Add(time.Hour)
	start := func(d bulk.Draft) when {
		return func(s *bulk.State) ([]bulk.Event, error) { return s.Start(a, d, now, known, known) }
	}
	one := []uuid.UUID{who(1)}
	everybody, nobody := parsed(`{}`), parsed(`{"any":[]}`)
	tagged := `{"field":"tags","op":"has_any","value":["` + other.String() + `"]}`
	grouped := `{"not":{"field":"groups","op":"has_any","value":["` + vip.String() + `","` + other.String() + `"]}}`
	reason := strings.Repeat("因", customer.MaxReason)
	const invalid = domain.CodeValidation
	many := make([]uuid.UUID, bulk.MaxNamed+1)
	for i := range many {
		many[i] = uuid.NewSHA1(a, []byte{byte(i), byte(i >> 8)})
	}

	started := bulk.Started{Bulk: a, Action: bulk.Tag, Tag: vip, Customers: one}
	selected := func(n int) bulk.Selected { return bulk.Selected{Position: 9, Customers: n} }
	choose := func(n int) when {
		return func(s *bulk.State) ([]bulk.Event, error) { return s.Select(selected(n)), nil }
	}
	record := func(e bulk.Applied) when {
		return func(s *bulk.State) ([]bulk.Event, error) { return s.Record(e), nil }
	}
	undone := func(e bulk.Undone) when {
		return func(s *bulk.State) ([]bulk.Event, error) { return s.RecordUndone(e), nil }
	}
	fail := func(s *bulk.State) ([]bulk.Event, error) { return s.Fail(domain.CodeInternal), nil }
	cancel := func(s *bulk.State) ([]bulk.Event, error) { return s.Cancel() }
	undo := func(s *bulk.State) ([]bulk.Event, error) { return s.Undo() }
	completed, failed, canceled := bulk.Completed{}, bulk.Failed{Code: domain.CodeInternal}, bulk.Canceled{}
	back := bulk.UndoStarted{}
	and := func(g given, more ...domain.Event) given { return append(g[:len(g):len(g)], more...) }

	// How a bulk action can stand.
	none := given{}
	begun := given{started}
	chosen := and(begun, selected(3))
	forNobody := and(begun, selected(0), completed)
	running := and(chosen, applied(0, 2, 0))
	done := and(running, applied(2, 3), completed)
	inVain := and(chosen, applied(0, 3, 0, 1, 2), completed)
	hasFailed := and(running, failed)
	failedBefore := and(begun, failed)
	hasCanceled := and(running, canceled)
	canceledBefore := and(chosen, canceled)
	undoing := and(done, back, bulk.Undone{To: 2, Count: 1})
	undoFailed := and(undoing, failed)
	undoAgain := and(undoFailed, back)
	hasUndone := and(undoing, bulk.Undone{From: 2, To: 3, Count: 1}, bulk.Reverted{})

	cases := []testCase{
		{Name: "tag whom one names", When: start(bulk.Draft{Action: bulk.Tag, Tag: vip, Customers: []uuid.UUID{who(2), who(1), who(2)}}),
			Then: events{bulk.Started{Bulk: a, Action: bulk.Tag, Tag: vip, Customers: []uuid.UUID{who(2), who(1)}}}},
		{Name: "untag everybody", When: start(bulk.Draft{Action: bulk.Untag, Tag: vip, Filter: everybody}),
			Then: events{bulk.Started{Bulk: a, Action: bulk.Untag, Tag: vip, Filter: everybody.JSON()}}},
		{Name: "as many as can be named", When: start(bulk.Draft{Action: bulk.Unblacklist, Customers: many[1:]}),
			Then: events{bulk.Started{Bulk: a, Action: bulk.Unblacklist, Customers: many[1:]}}},
		{Name: "blacklist for ever", When: start(bulk.Draft{Action: bulk.Blacklist, Reason: " " + reason, Filter: nobody}),
			Then: events{bulk.Started{Bulk: a, Action: bulk.Blacklist, Reason: reason, Filter: nobody.JSON()}}},
		{Name: "blacklist for a while", When: start(bulk.Draft{Action: bulk.Blacklist, Reason: "spam", ExpiresAt: later.In(time.FixedZone("", 3600)), Customers: one}),
			Then: events{bulk.Started{Bulk: a, Action: bulk.Blacklist, Reason: "spam", ExpiresAt: &later, Customers: one}}},
		{Name: "what the action does not need is passed over", When: start(bulk.Draft{Action: bulk.Unblacklist, Tag: other, Reason: "x", ExpiresAt: now, Customers: one}),
			Then: events{bulk.Started{Bulk: a, Action: bulk.Unblacklist, Customers: one}}},
		{Name: "id taken", Given: begun, When: start(bulk.Draft{Action: bulk.Tag, Tag: vip, Customers: one}), Refused: domain.CodeConflict},
		{Name: "no action", When: start(bulk.Draft{Customers: one}), Refused: invalid, At: "action"},
		{Name: "unknown action", When: start(bulk.Draft{Action: "erase", Customers: one}), Refused: invalid, At: "action"},
		{Name: "no tag", When: start(bulk.Draft{Action: bulk.Tag, Customers: one}), Refused: invalid, At: "tag_id"},
		{Name: "unknown tag", When: start(bulk.Draft{Action: bulk.Untag, Tag: other, Customers: one}), Refused: domain.CodeTagUnknown, At: "tag_id"},
		{Name: "no reason", When: start(bulk.Draft{Action: bulk.Blacklist, Reason: " ", Customers: one}), Refused: invalid, At: "reason"},
		{Name: "too long a reason", When: start(bulk.Draft{Action: bulk.Blacklist, Reason: reason + "因", Customers: one}), Refused: invalid, At: "reason"},
		{Name: "a listing of the past", When: start(bulk.Draft{Action: bulk.Blacklist, Reason: "x", ExpiresAt: now, Customers: one}), Refused: invalid, At: "expires_at"},
		{Name: "nobody named", When: start(bulk.Draft{Action: bulk.Unblacklist}), Refused: invalid, At: "ids"},
		{Name: "too many named", When: start(bulk.Draft{Action: bulk.Unblacklist, Customers: many}), Refused: invalid, At: "ids"},
		{Name: "named beside a filter", When: start(bulk.Draft{Action: bulk.Unblacklist, Filter: everybody, Customers: one}), Refused: invalid, At: "ids"},
		{Name: "a filter with an unknown tag", When: start(bulk.Draft{Action: bulk.Unblacklist, Filter: parsed(tagged)}), Refused: domain.CodeTagUnknown, At: "filter.value[0]"},
		{Name: "a filter with an unknown group", When: start(bulk.Draft{Action: bulk.Unblacklist, Filter: parsed(grouped)}), Refused: domain.CodeGroupUnknown, At: "filter.not.value[1]"},

		{Name: "select", Given: begun, When: choose(3), Then: events{selected(3)}},
		{Name: "select nobody", Given: begun, When: choose(0), Then: events{selected(0), completed}},
		{Name: "select again", Given: chosen, When: choose(4)},
		{Name: "select for none", When: choose(3)},
		{Name: "select what was canceled", Given: and(begun, canceled), When: choose(3)},
		{Name: "select what failed", Given: failedBefore, When: choose(3)},

		{Name: "record the first", Given: chosen, When: record(applied(0, 2)), Then: events{applied(0, 2)}},
		{Name: "record the last", Given: running, When: record(applied(2, 3)), Then: events{applied(2, 3), completed}},
		{Name: "record all", Given: chosen, When: record(applied(0, 3, 1)), Then: events{applied(0, 3, 1), completed}},
		{Name: "record that nothing was to be done", Given: chosen, When: record(bulk.Applied{To: 1}), Then: events{bulk.Applied{To: 1}}},
		{Name: "record what others have recorded", Given: running, When: record(applied(0, 2))},
		{Name: "record behind a gap", Given: chosen, When: record(applied(1, 2))},
		{Name: "record nobody", Given: running, When: record(applied(2, 2))},
		{Name: "record more than there are", Given: running, When: record(applied(2, 4))},
		{Name: "record before it is settled who is meant", Given: begun, When: record(applied(0, 1))},
		{Name: "record after the end", Given: hasCanceled, When: record(applied(2, 3))},
		{Name: "record after a failure", Given: hasFailed, When: record(applied(2, 3))},
		{Name: "record while it is undone", Given: and(hasCanceled, back), When: record(applied(2, 3))},

		{Name: "undo the first", Given: and(done, back), When: undone(bulk.Undone{To: 2, Count: 1}), Then: events{bulk.Undone{To: 2, Count: 1}}},
		{Name: "undo the last", Given: undoing, When: undone(bulk.Undone{From: 2, To: 3, Count: 1}), Then: events{bulk.Undone{From: 2, To: 3, Count: 1}, bulk.Reverted{}}},
		{Name: "undo the last after a failure", Given: undoAgain, When: undone(bulk.Undone{From: 2, To: 3}), Then: events{bulk.Undone{From: 2, To: 3}, bulk.Reverted{}}},
		{Name: "undo what was done before it was canceled", Given: and(hasCanceled, back), When: undone(bulk.Undone{To: 2, Count: 1}), Then: events{bulk.Undone{To: 2, Count: 1}, bulk.Reverted{}}},
		{Name: "undo what others have undone", Given: undoing, When: undone(bulk.Undone{To: 2})},
		{Name: "undo behind a gap", Given: and(done, back), When: undone(bulk.Undone{From: 2, To: 3})},
		{Name: "undo nobody", Given: undoing, When: undone(bulk.Undone{From: 2, To: 2})},
		{Name: "undo more than was done", Given: and(hasCanceled, back), When: undone(bulk.Undone{To: 3})},
		{Name: "undo some while it is running", Given: running, When: undone(bulk.Undone{To: 2})},
		{Name: "undo some after the failure", Given: undoFailed, When: undone(bulk.Undone{From: 2, To: 3})},
	}
	const status, missing = domain.CodeJobStatus, domain.CodeNotFound
	for _, c := range []struct {
		name               string
		given              given
		fail, cancel, undo string // the code with which it is refused; "no" for what changes nothing
	}{
		{name: "none", given: none, fail: "no", cancel: missing, undo: missing},
		{name: "begun", given: begun, undo: status},
		{name: "chosen", given: chosen, undo: status},
		{name: "done for nobody", given: forNobody, fail: "no", cancel: status, undo: status},
		{name: "running", given: running, undo: status},
		{name: "done", given: done, fail: "no", cancel: status},
		{name: "done in vain", given: inVain, fail: "no", cancel: status, undo: status},
		{name: "failed", given: hasFailed, fail: "no", cancel: status},
		{name: "failed before", given: failedBefore, fail: "no", cancel: status, undo: status},
		{name: "canceled", given: hasCanceled, fail: "no", cancel: "no"},
		{name: "canceled before", given: canceledBefore, fail: "no", cancel: "no", undo: status},
		{name: "undoing", given: undoing, cancel: status, undo: status},
		{name: "undone in vain", given: undoFailed, fail: "no", cancel: status},
		{name: "undoing again", given: undoAgain, cancel: status, undo: status},
		{name: "undone", given: hasUndone, fail: "no", cancel: status, undo: status},
	} {
		for _, asked := range []struct {
			what, refused string
			when          when
			then          bulk.Event
		}{{"fail", c.fail, fail, failed}, {"cancel", c.cancel, cancel, canceled}, {"undo", c.undo, undo, back}} {
			one := testCase{Name: asked.what + " when " + c.name, Given: c.given, When: asked.when}
			switch asked.refused {
			case "":
				one.Then = events{asked.then}
			case "no":
			default:
				one.Refused = asked.refused
			}
			cases = append(cases, one)
		}
	}
	domaintest.Run(t, cases)
}

func TestHowItStands(t *testing.T) {
	at := domaintest.Minute
	started, selected := bulk.Started{Bulk: a, Action: bulk.Tag, Tag: vip}, bulk.Selected{Position: 9, Customers: 3}
	kept := []bulk.Refused{{Customer: who(1), Code: domain.CodeChangedSince}}
	story := given{
		started, selected, applied(0, 2, 0), applied(2, 3), bulk.Completed{},
		bulk.UndoStarted{}, bulk.Undone{To: 2, Kept: kept}, bulk.Failed{Code: domain.CodeInternal}, bulk.UndoStarted{}, bulk.Undone{From: 2, To: 3, Count: 1}, bulk.Reverted{},
	}
	for i, want := range []bulk.State{
		{Status: job.Running},
		{Status: job.Running},
		{Status: job.Running, Done: 2, Changed: 1, Refused: 1},
		{Status: job.Running, Done: 3, Changed: 2, Refused: 1},
		{Status: job.Completed, Done: 3, Changed: 2, Refused: 1, EndedAt: at(4)},
		{Status: job.Running, Done: 3, Changed: 2, Refused: 1, Undoing: true},
		{Status: job.Running, Done: 3, Changed: 2, Refused: 1, Undoing: true, Looked: 2, Kept: 1},
		{Status: job.Failed, Done: 3, Changed: 2, Refused: 1, Undoing: true, Looked: 2, Kept: 1, Code: domain.CodeInternal, EndedAt: at(7)},
		{Status: job.Running, Done: 3, Changed: 2, Refused: 1, Undoing: true, Looked: 2, Kept: 1},
		{Status: job.Running, Done: 3, Changed: 2, Refused: 1, Undoing: true, Looked: 3, Undone: 1, Kept: 1},
		{Status: job.Reverted, Done: 3, Changed: 2, Refused: 1, Looked: 3, Undone: 1, Kept: 1, EndedAt: at(10)},
	} {
		want.Asked, want.StartedAt = started, at(0)
		if i > 0 {
			want.Chosen, want.Selected = true, selected
		}
		got := *domaintest.Fold[bulk.State](story[:i+1]...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("after %d events:\n got %+v\nwant %+v", i+1, got, want)
		}
		if going := want.Status == job.Running && !want.Undoing; got.Going() != going {
			t.Errorf("after %d events it is going on: %v", i+1, got.Going())
		}
	}
	s := domaintest.Fold[bulk.State](story[:2]...)
	c := s.Clone()
	c.Apply(bulk.Canceled{}, at(5))
	if s.Status != job.Running {
		t.Error("the clone's event reached the original")
	}
	for _, action := range bulk.Actions() {
		if _, err := new(bulk.State).Start(a, bulk.Draft{Action: action, Tag: vip, Reason: "x", Filter: parsed(`{}`)}, at(0), known, known); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
}
