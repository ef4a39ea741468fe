package projections

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// ruin makes what the rules know of a customer unreadable.
func (w *groupWorld) ruin(id uuid.UUID) {
	w.t.Helper()
	tag, err := w.store.Pool().Exec(w.t.Context(), in(w.schema(), `update $.group_subject set subject = '\x00' where tenant = $1 and id = $2`), groupTenant, id)
	if err != nil || tag.RowsAffected() != 1 {
		w.t.Fatal(tag, err)
	}
}

// settleBy is settle with another hand, which has seen none of the rows yet.
func (w *groupWorld) settleBy(hand int) {
	w.t.Helper()
	w.Flush()
	for quiet := 0; quiet < 2; quiet++ {
		for w.turn(hand) {
			quiet = 0
		}
	}
}

// One customer whom neither the clock nor a new rule can move is parked; everybody else gets on, and so do events. Folded anew, the customer is
// where a build from zero has them.
func TestCustomerWhomTheClockCannotMoveIsParked(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 3, 3)
	w.build()
	for range 10 {
		w.NewCustomer("王")
	}
	late, slow := w.Customers[2], w.Customers[6]
	w.define(groupA, `{"field":"created_at","op":"older_than","value":{"hours":1}}`)
	w.settle()
	parked := func(want ...uuid.UUID) {
		t.Helper()
		all, err := w.p.Parked(t.Context(), GroupsName, groupTenant)
		if err != nil || len(all) != len(want) {
			t.Fatalf("parked: %+v, %v", all, err)
		}
		for i, id := range want { // the latest first
			if p := all[i]; p.Customer != id || p.Type != "clock" || p.Reason != errSubject.Error() || p.Position == 0 {
				t.Errorf("parked: %+v", p)
			}
		}
	}
	members := func(group uuid.UUID, want int64) {
		t.Helper()
		if s := w.status(group); s.Members != want || s.Filling != nil {
			t.Fatalf("%+v, want %d members", s, want)
		}
	}

	w.ruin(late.ID)
	w.pass(2 * time.Hour)
	w.settleBy(1)
	parked(late.ID)
	members(groupA, 9)

	w.ruin(slow.ID)
	w.define(groupB, `{"field":"nickname","op":"eq","value":"王"}`)
	w.settleBy(2)
	parked(slow.ID, late.ID)
	members(groupB, 8)
	w.Rename(w.Customers[0], "李")
	w.Rename(late, "李")
	w.settleBy(2)
	members(groupB, 7)

	for _, id := range []uuid.UUID{late.ID, slow.ID} {
		if n, err := w.p.Retry(t.Context(), GroupsName, groupTenant, id); err != nil || n != 1 {
			t.Fatalf("retried in %d builds, %v", n, err)
		}
	}
	w.settle()
	parked()
	members(groupA, 10)
	members(groupB, 8)
	w.check(nil)
	w.compare()
}

// What was passed over of a parked customer is told when the customer is there again, also if that is in another build than the one that was
// followed.
func TestChangesOfAParkedCustomerAreToldByTheNextBuild(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 100, 1)
	w.build()
	p := w.NewCustomer("nobody")
	w.define(groupA, `{"field":"nickname","op":"eq","value":"王"}`)
	w.settle()
	version := func(position int64, version int) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = $1 where position = $2`, version, position); err != nil {
			t.Fatal(err)
		}
	}
	follow := func(at ChangesCursor) ([]GroupChange, ChangesCursor) {
		t.Helper()
		changes, behind, err := w.groups().ChangesAfter(t.Context(), groupTenant, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		return changes, behind
	}
	w.Rename(p, "王")
	w.Flush()
	version(w.Head(), 99)
	w.settle()
	w.pass(24 * time.Hour)
	w.settle()
	if n, err := w.p.Parked(t.Context(), GroupsName, groupTenant); err != nil || len(n) != 1 {
		t.Fatalf("parked: %+v, %v", n, err)
	}
	changes, at := follow(ChangesCursor{})
	if len(changes) != 0 {
		t.Fatalf("%+v", changes)
	}
	version(w.Head(), 1) // a program that understands the event builds anew
	b, err := w.p.Rebuild(t.Context(), GroupsName, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.p.Switch(t.Context(), GroupsName, b.ID); err != nil {
		t.Fatal(err)
	}
	if changes, _ = follow(at); len(changes) != 1 || changes[0].Customer != p.ID || !changes[0].Entered {
		t.Fatalf("told by the next build: %+v", changes)
	}
}

// A program that cannot read the rules stops at the next event, and says so. It does not park whoever happens to have one.
func TestRulesThatCannotBeReadParkNobody(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 100, 3)
	w.build()
	for range 5 {
		w.NewCustomer("nobody")
	}
	w.define(groupA, `{"field":"nickname","op":"eq","value":"王"}`)
	w.settle()
	rule := func(field string) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), in(w.schema(), `update $.group_catalogue set data = jsonb_set(data, '{rule,field}', to_jsonb($2::text)) where tenant = $1`),
			groupTenant, field); err != nil {
			t.Fatal(err)
		}
	}
	before := w.Head()
	stopped := func() (string, int64, int) {
		t.Helper()
		all, err := w.p.Status(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0].Stopped, all[0].Position, all[0].Parked
	}
	rule("of_a_later_program")
	for _, c := range w.Customers {
		w.Rename(c, "王")
	}
	w.Flush()
	for range 2 {
		if _, err := w.hands[1].Turn(t.Context(), groupTenant); err == nil {
			t.Error("the feeder goes on without the rules")
		}
	}
	if why, at, parked := stopped(); !strings.Contains(why, "the rules at") || at != before || parked != 0 {
		t.Errorf("stopped: %q at %d, want %d; %d parked", why, at, before, parked)
	}
	rule("nickname")
	w.settleBy(2)
	if why, at, parked := stopped(); why != "" || at != w.Head() || parked != 0 {
		t.Errorf("stopped: %q at %d; %d parked", why, at, parked)
	}
	if s := w.status(groupA); s.Members != 5 {
		t.Errorf("%+v", s)
	}
	w.check(nil)
	w.compare()
}
