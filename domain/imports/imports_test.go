package imports_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/domain/settings"
)

type (
	testCase = domaintest.Case[imports.State, imports.Event]
	events   = []imports.Event
	given    = []domain.Event
	when     = func(*imports.State) ([]imports.Event, error)
)

var (
	a = uuid.UUID{15: 0xa}
	b = uuid.UUID{15: 0xb}

	entitled = domaintest.Fold[settings.State](settings.EntitlementGranted{Entitlement: settings.EntitlementImport})
	not      = new(settings.State)
)

// file has three rows.
var file = imports.Uploaded{Import: a, FileName: "客户.xlsx", Format: "xlsx", Bytes: 9000, Rows: 3, Columns: []string{"external_id", "association_id"}}

// rows are the outcomes of some of its rows: those that are not refused make a customer, unless it is a dry run.
func rows(from, to int, dry bool, refused ...int) imports.RowsRecorded {
	e := imports.RowsRecorded{From: from, To: to}
	for i := from; i < to; i++ {
		switch number := i + 2; {
		case slices.Contains(refused, i):
			e.Rejected = append(e.Rejected, imports.Refused{Row: number, Column: "external_id", Code: domain.CodeCustomerExists})
		case dry:
			e.Created = append(e.Created, imports.Created{Row: number})
		default:
			e.Created = append(e.Created, imports.Created{Row: number, Customer: uuid.UUID{14: 1, 15: byte(number)}})
		}
	}
	return e
}

func TestDecisions(t *testing.T) {
	upload := func(id uuid.UUID, name string, may *settings.State) when {
		return func(s *imports.State) ([]imports.Event, error) {
			f := file
			f.FileName = name
			return s.Upload(id, f, may)
		}
	}
	start := func(dry bool, may *settings.State) when {
		return func(s *imports.State) ([]imports.Event, error) { return s.Start(dry, may) }
	}
	record := func(e imports.RowsRecorded) when {
		return func(s *imports.State) ([]imports.Event, error) { return s.Record(e), nil }
	}
	reverted := func(e imports.RowsReverted) when {
		return func(s *imports.State) ([]imports.Event, error) { return s.RecordReverted(e), nil }
	}
	fail := func(s *imports.State) ([]imports.Event, error) { return s.Fail(domain.CodeInternal), nil }
	cancel := func(s *imports.State) ([]imports.Event, error) { return s.Cancel() }
	revert := func(s *imports.State) ([]imports.Event, error) { return s.Revert() }

	tried, begun := imports.Started{DryRun: true}, imports.Started{}
	completed, failed, canceled := imports.Completed{}, imports.Failed{Code: domain.CodeInternal}, imports.Canceled{}
	back := imports.RevertStarted{}
	longest := strings.Repeat("长", imports.MaxFileName)
	uploaded := func(name string) events {
		f := file
		f.FileName = name
		return events{f}
	}

	// How an import can stand.
	none := given{}
	queued := given{file}
	trying := given{file, tried, rows(0, 1, true)}
	tryFailed := given{file, tried, failed}
	tryCanceled := given{file, tried, rows(0, 1, true), canceled}
	hasTried := given{file, tried, rows(0, 3, true, 1), completed}
	running := given{file, begun, rows(0, 2, false, 0)}
	tryThenRunning := given{file, tried, rows(0, 3, true), completed, begun}
	done := given{file, begun, rows(0, 2, false), rows(2, 3, false), completed}
	doneForNobody := given{file, begun, rows(0, 3, false, 0, 1, 2), completed}
	hasFailed := given{file, begun, rows(0, 1, false), failed}
	hasCanceled := given{file, begun, rows(0, 1, false), canceled}
	canceledBefore := given{file, canceled}
	reverting := given{file, begun, rows(0, 2, false), rows(2, 3, false), completed, back, imports.RowsReverted{From: 0, To: 2, Count: 2}}
	revertFailed := append(reverting[:len(reverting):len(reverting)], failed)
	revertAgain := append(revertFailed[:len(revertFailed):len(revertFailed)], back)
	hasReverted := append(reverting[:len(reverting):len(reverting)], imports.RowsReverted{From: 2, To: 3}, imports.Reverted{})

	const status, missing = domain.CodeJobStatus, domain.CodeNotFound
	cases := []testCase{
		{Name: "upload", When: upload(a, " 客户.xlsx\u3000", entitled), Then: uploaded("客户.xlsx")},
		{Name: "upload with the longest name", When: upload(a, longest, entitled), Then: uploaded(longest)},
		{Name: "upload with too long a name", When: upload(a, longest+"长", entitled), Refused: domain.CodeValidation, At: "file"},
		{Name: "upload with a name of two lines", When: upload(a, "a\nb", entitled), Refused: domain.CodeValidation, At: "file"},
		{Name: "upload without the entitlement", When: upload(a, "a.csv", not), Refused: domain.CodeNotEntitled},
		{Name: "upload under an id that is taken", Given: queued, When: upload(a, "a.csv", entitled), Refused: domain.CodeConflict},

		{Name: "record the first rows", Given: given{file, begun}, When: record(rows(0, 2, false)), Then: events{rows(0, 2, false)}},
		{Name: "record the last rows", Given: running, When: record(rows(2, 3, false)), Then: events{rows(2, 3, false), completed}},
		{Name: "record all rows", Given: given{file, begun}, When: record(rows(0, 3, false, 1)), Then: events{rows(0, 3, false, 1), completed}},
		{Name: "record the rows of a trial", Given: trying, When: record(rows(1, 3, true)), Then: events{rows(1, 3, true), completed}},
		{Name: "record from the beginning after a trial", Given: tryThenRunning, When: record(rows(0, 1, false)), Then: events{rows(0, 1, false)}},
		{Name: "record rows that others have recorded", Given: running, When: record(rows(0, 2, false))},
		{Name: "record rows that overlap", Given: running, When: record(rows(1, 3, false))},
		{Name: "record rows behind a gap", Given: given{file, begun}, When: record(rows(1, 2, false))},
		{Name: "record no rows", Given: running, When: record(rows(2, 2, false))},
		{Name: "record rows backwards", Given: running, When: record(imports.RowsRecorded{From: 2, To: 1})},
		{Name: "record more rows than there are", Given: running, When: record(rows(2, 4, false))},
		{Name: "record rows of none", When: record(rows(0, 1, false))},
		{Name: "record rows before the start", Given: queued, When: record(rows(0, 1, false))},
		{Name: "record rows after the end", Given: hasCanceled, When: record(rows(1, 2, false))},
		{Name: "record rows after a failure", Given: hasFailed, When: record(rows(1, 2, false))},
		{Name: "record rows while customers are taken back", Given: reverting, When: record(rows(2, 3, false))},

		{Name: "take back the next", Given: done[:len(done):len(done)], When: reverted(imports.RowsReverted{To: 2, Count: 2})},
		{Name: "take back the first", Given: append(done[:len(done):len(done)], back), When: reverted(imports.RowsReverted{To: 2, Count: 2}),
			Then: events{imports.RowsReverted{To: 2, Count: 2}}},
		{Name: "take back the last", Given: reverting, When: reverted(imports.RowsReverted{From: 2, To: 3, Count: 1}),
			Then: events{imports.RowsReverted{From: 2, To: 3, Count: 1}, imports.Reverted{}}},
		{Name: "take back the last after a failure", Given: revertAgain, When: reverted(imports.RowsReverted{From: 2, To: 3, Count: 1}),
			Then: events{imports.RowsReverted{From: 2, To: 3, Count: 1}, imports.Reverted{}}},
		{Name: "take back what a canceled import has made", Given: append(hasCanceled[:len(hasCanceled):len(hasCanceled)], back), When: reverted(imports.RowsReverted{To: 1, Count: 1}),
			Then: events{imports.RowsReverted{To: 1, Count: 1}, imports.Reverted{}}},
		{Name: "take back what others have taken back", Given: reverting, When: reverted(imports.RowsReverted{To: 2, Count: 2})},
		{Name: "take back behind a gap", Given: append(done[:len(done):len(done)], back), When: reverted(imports.RowsReverted{From: 2, To: 3})},
		{Name: "take back nothing", Given: reverting, When: reverted(imports.RowsReverted{From: 2, To: 2})},
		{Name: "take back more than was done", Given: append(hasCanceled[:len(hasCanceled):len(hasCanceled)], back), When: reverted(imports.RowsReverted{To: 2})},
		{Name: "take back after the failure", Given: revertFailed, When: reverted(imports.RowsReverted{From: 2, To: 3})},
		{Name: "take back while it is running", Given: running, When: reverted(imports.RowsReverted{To: 1})},
	}
	// What each can do, however it stands.
	for _, c := range []struct {
		name                                string
		given                               given
		start, tryOut, fail, cancel, revert string // the code with which it is refused; "no" for what changes nothing
	}{
		{name: "none", given: none, start: missing, tryOut: missing, cancel: missing, revert: missing, fail: "no"},
		{name: "queued", given: queued, fail: "no", revert: status},
		{name: "trying", given: trying, start: status, tryOut: status, revert: status},
		{name: "tried in vain", given: tryFailed, fail: "no", cancel: status, revert: status},
		{name: "tried and canceled", given: tryCanceled, fail: "no", cancel: "no", revert: status},
		{name: "tried", given: hasTried, fail: "no", cancel: status, revert: status},
		{name: "running", given: running, start: status, tryOut: status, revert: status},
		{name: "running after a trial", given: tryThenRunning, start: status, tryOut: status, revert: status},
		{name: "done", given: done, start: status, tryOut: status, fail: "no", cancel: status},
		{name: "done, for nobody", given: doneForNobody, start: status, tryOut: status, fail: "no", cancel: status, revert: status},
		{name: "failed", given: hasFailed, start: status, tryOut: status, fail: "no", cancel: status},
		{name: "canceled", given: hasCanceled, start: status, tryOut: status, fail: "no", cancel: "no"},
		{name: "canceled before the start", given: canceledBefore, start: status, tryOut: status, fail: "no", cancel: "no", revert: status},
		{name: "reverting", given: reverting, start: status, tryOut: status, cancel: status, revert: status},
		{name: "reverted in vain", given: revertFailed, start: status, tryOut: status, fail: "no", cancel: status},
		{name: "reverting again", given: revertAgain, start: status, tryOut: status, cancel: status, revert: status},
		{name: "reverted", given: hasReverted, start: status, tryOut: status, fail: "no", cancel: status, revert: status},
	} {
		for _, asked := range []struct {
			what, refused string
			when          when
			then          imports.Event
		}{
			{"start", c.start, start(false, entitled), begun},
			{"try", c.tryOut, start(true, entitled), tried},
			{"fail", c.fail, fail, failed},
			{"cancel", c.cancel, cancel, canceled},
			{"revert", c.revert, revert, back},
		} {
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
		if c.start == "" { // what could be started cannot be without the entitlement
			cases = append(cases, testCase{Name: "start without the entitlement when " + c.name, Given: c.given, When: start(false, not), Refused: domain.CodeNotEntitled})
		}
	}
	domaintest.Run(t, cases)
}

func TestHowItStands(t *testing.T) {
	at := domaintest.Minute
	kept := imports.RowsReverted{From: 0, To: 2, Count: 1, Kept: []imports.Created{{Row: 3, Customer: b}}}
	story := given{
		file, imports.Started{DryRun: true}, rows(0, 3, true, 1), imports.Completed{},
		imports.Started{}, rows(0, 2, false, 0), rows(2, 3, false), imports.Completed{},
		imports.RevertStarted{}, kept, imports.Failed{Code: domain.CodeInternal},
		imports.RevertStarted{}, imports.RowsReverted{From: 2, To: 3, Count: 1}, imports.Reverted{},
	}
	for i, want := range []imports.State{
		{Status: job.Queued},
		{Status: job.Running, DryRun: true},
		{Status: job.Running, DryRun: true, Done: 3, Created: 2, Rejected: 1},
		{Status: job.Completed, DryRun: true, Done: 3, Created: 2, Rejected: 1, EndedAt: at(3)},
		{Status: job.Running},
		{Status: job.Running, Done: 2, Created: 1, Rejected: 1},
		{Status: job.Running, Done: 3, Created: 2, Rejected: 1},
		{Status: job.Completed, Done: 3, Created: 2, Rejected: 1, EndedAt: at(7)},
		{Status: job.Running, Done: 3, Created: 2, Rejected: 1, Reverting: true},
		{Status: job.Running, Done: 3, Created: 2, Rejected: 1, Reverting: true, Looked: 2, Withdrawn: 1, Kept: 1},
		{Status: job.Failed, Done: 3, Created: 2, Rejected: 1, Reverting: true, Looked: 2, Withdrawn: 1, Kept: 1, Code: domain.CodeInternal, EndedAt: at(10)},
		{Status: job.Running, Done: 3, Created: 2, Rejected: 1, Reverting: true, Looked: 2, Withdrawn: 1, Kept: 1},
		{Status: job.Running, Done: 3, Created: 2, Rejected: 1, Reverting: true, Looked: 3, Withdrawn: 2, Kept: 1},
		{Status: job.Reverted, Done: 3, Created: 2, Rejected: 1, Looked: 3, Withdrawn: 2, Kept: 1, EndedAt: at(13)},
	} {
		want.File, want.UploadedAt = file, at(0)
		got := *domaintest.Fold[imports.State](story[:i+1]...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("after %d events:\n got %+v\nwant %+v", i+1, got, want)
		}
		if going := want.Status == job.Running && !want.Reverting; got.Going() != going {
			t.Errorf("after %d events it is going on: %v", i+1, got.Going())
		}
	}
	foreign := domaintest.Fold[imports.State](settings.EntitlementGranted{})
	if !reflect.DeepEqual(*foreign, imports.State{}) {
		t.Errorf("an event of another aggregate made it %+v", foreign)
	}
	s := domaintest.Fold[imports.State](story[:2]...)
	c := s.Clone()
	c.Apply(imports.Canceled{}, time.Now())
	if s.Status != job.Running {
		t.Error("the clone's event reached the original")
	}
}
