package jobs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/job"
)

// While others write between a job's appends it does less at once and rests; a while after the last of them it goes on as before.
func TestAJobGivesWayToWhoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m manners
		wrote := func(first, last int64) { m.appended(commands.Done{Changed: true, First: first, Position: last}) }
		is := func(polite bool) {
			t.Helper()
			most, rest := m.most(atOnce), m.rest()
			if polite && (most != fewAtOnce || rest != restBetween) || !polite && (most != atOnce || rest != 0) {
				t.Fatalf("polite %v: %d at once, resting %v", polite, most, rest)
			}
			if m.most(7) != 7 {
				t.Fatal("after failures it does no more at once than it may")
			}
		}
		is(false)
		wrote(101, 351) // whatever was before its first
		is(false)
		wrote(352, 602)
		is(false)
		m.appended(commands.Done{First: 0, Position: 900}) // it wrote nothing
		wrote(603, 700)
		is(false)
		wrote(703, 800)
		is(true)
		time.Sleep(politeFor - 1)
		is(true)
		time.Sleep(time.Nanosecond)
		is(false)
	})
}

// Jobs of one tenant that take turns do not take each other for people.
func TestJobsOfATenantAreNotOthersToEachOther(t *testing.T) {
	r := &Runner{walks: map[uuid.UUID]*walk{}, mannersOf: map[string]*manners{}}
	one, two := Task{Tenant: "acme", Kind: job.KindImport, ID: uuid.New()}, Task{Tenant: "acme", Kind: job.KindBulk, ID: uuid.New()}
	elsewhere := Task{Tenant: "other", Kind: job.KindImport, ID: uuid.New()}
	position := int64(0)
	wrote := func(task Task) *manners {
		m := r.walk(task).manners
		m.appended(commands.Done{Changed: true, First: position + 1, Position: position + 250})
		position += 250
		return m
	}
	for range 3 {
		if wrote(one).polite() || wrote(two).polite() {
			t.Fatal("they give way to each other")
		}
	}
	position++ // somebody writes
	if !wrote(one).polite() || !wrote(two).polite() || r.walk(elsewhere).manners.polite() {
		t.Error("all of the tenant give way, and nobody else")
	}
}

// Who waits for a read model that follows the log has waited for moments; one that is far behind is not asked all the time.
func TestAJobLooksAgainLessOften(t *testing.T) {
	var w walk
	for _, want := range []time.Duration{5, 10, 20, 40, 80, 100, 100} {
		if rest := w.behind(); rest != want*time.Millisecond {
			t.Errorf("after %d looks it rests %s, not %d ms", w.waited, rest, want)
		}
	}
	w.waited = 1000
	if rest := w.behind(); rest != catchUp {
		t.Errorf("after long it rests %s", rest)
	}
}
