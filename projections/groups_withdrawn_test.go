package projections

import (
	"fmt"
	"testing"
	"time"
)

// Who is withdrawn leaves all groups by that event, is not waited for by the clock any more, and begins anew when coming back. Entries and leaves of
// all lives stay, one after the other.
func TestWithdrawnCustomersLeaveTheirGroups(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 100, 1)
	w.build()
	w.define(groupA, `{"field":"created_at","op":"older_than","value":{"hours":2}}`)
	w.define(groupB, `{"field":"created_via","op":"in","value":["import"]}`)
	stays, p, never := w.NewCustomer("a"), w.Import("b"), w.Import("c")
	w.settle()
	w.Withdraw(never) // before the clock has done anything
	left := w.Head()
	w.settle()
	if f := w.fates()[never.ID]; f.ordinal != 0 || len(f.groups) != 0 || len(f.changes) != 2 || !f.due.IsZero() || f.changes[1].Position != left || f.changes[1].Kind != causeEvent {
		t.Errorf("withdrawn at once: %+v", f)
	}
	w.pass(3 * time.Hour)
	w.settle()
	if a, b := w.status(groupA), w.status(groupB); a.Members != 2 || b.Members != 1 {
		t.Fatalf("%d and %d members", a.Members, b.Members)
	}
	w.pass(time.Minute)
	w.Withdraw(p)
	left = w.Head()
	w.settle()
	if a, b := w.status(groupA), w.status(groupB); a.Members != 1 || b.Members != 0 {
		t.Errorf("%d and %d members", a.Members, b.Members)
	}
	if members := w.members(groupA, 10); len(members) != 1 || members[0].Customer != stays.ID {
		t.Errorf("members %+v", members)
	}
	if in := w.of(p.ID); len(in) != 0 {
		t.Errorf("in %+v", in)
	}
	f := w.fates()[p.ID]
	if len(f.changes) != 4 { // into B, into A, out of both
		t.Fatalf("changes %+v", f.changes)
	}
	for _, c := range f.changes[2:] {
		if c.Entered || c.Kind != causeEvent || c.Position != left || !c.At.Equal(micros(w.now)) || c.Revision != 1 || c.Evidence != "[]" {
			t.Errorf("left %+v", c)
		}
	}
	w.pass(time.Hour)
	w.settle()
	w.check(nil)
	w.compare()

	w.ComeBack(p)
	w.settle()
	w.pass(3 * time.Hour)
	w.settle()
	if a, b := w.status(groupA), w.status(groupB); a.Members != 2 || b.Members != 0 {
		t.Errorf("%d and %d members after coming back", a.Members, b.Members)
	}
	if f := w.fates()[p.ID]; len(f.changes) != 5 || f.ordinal == 0 {
		t.Errorf("after coming back: %+v", f)
	}
	changes, _, err := w.groups().ChangesAfter(t.Context(), groupTenant, ChangesCursor{}, 100)
	if err != nil || len(changes) != 8 {
		t.Errorf("%d changes are told, %v", len(changes), err)
	}
	w.check(nil)
	w.compare()
}

// A rule that is being filled does not find who was withdrawn meanwhile, whether or not the fill had reached them.
func TestWithdrawnWhileARuleIsFilled(t *testing.T) {
	for turns := range 6 {
		w := newGroupWorld(t, 1, 100, 3, 1)
		w.build()
		for i := range 6 {
			w.Import([]string{"red", "blue"}[i%2])
		}
		w.define(groupA, `{"field":"nickname","op":"eq","value":"red"}`)
		w.settle()
		w.revise(groupA, 2, `{"field":"nickname","op":"eq","value":"blue"}`)
		for range turns {
			w.turn(0)
		}
		for _, p := range w.Customers[1:5] { // two of the old rule, two of the new one
			w.Withdraw(p)
		}
		w.ComeBack(w.Customers[1])
		w.turn(0)
		for _, m := range w.members(groupA, 10) {
			if m.Customer != w.Customers[0].ID && m.Customer != w.Customers[5].ID && m.Customer != w.Customers[1].ID {
				t.Errorf("after %d turns somebody is a member who was withdrawn", turns)
			}
		}
		w.settle()
		w.check(nil)
		w.compare()
	}
}

// Whichever event of somebody who is withdrawn, and may come back, cannot be read at first: folded anew, the customer is where a build from zero
// has them, and the entries and leaves are kept under the same numbers.
func TestParkedGroupsAroundAWithdrawal(t *testing.T) {
	for _, back := range []bool{false, true} {
		for version := 1; version <= 5 && (back || version <= 2); version++ { // created, withdrawn, created again, session opened, renamed
			for _, entered := range []bool{false, true} { // in the first life
				name := fmt.Sprint("version ", version, ", back ", back, ", entered ", entered)
				w := newGroupWorld(t, 1, 2, 3, 2)
				w.build()
				w.define(groupA, `{"field":"session_count","op":"gte","value":1}`)
				if entered {
					w.define(groupB, `{"field":"created_at","op":"older_than","value":{"hours":1}}`)
				}
				w.NewCustomer("before")
				p := w.Import("王")
				spoil := func(to int) {
					t.Helper()
					if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = $1 where customer = $2 and stream like 'customer-%' and version = $3`, to, p.ID, version); err != nil {
						t.Fatal(err)
					}
				}
				spoil(99)
				w.settle()
				w.pass(2 * time.Hour)
				w.settle()
				w.Withdraw(p)
				spoil(99)
				w.settle()
				if back {
					w.ComeBack(p)
					spoil(99)
					w.NewCustomer("meanwhile")
					w.settle()
					w.Rename(p, "李")
					spoil(99)
				}
				w.settle()
				parked, err := w.p.Parked(t.Context(), GroupsName, groupTenant)
				if err != nil || len(parked) != 1 || parked[0].Customer != p.ID {
					t.Fatalf("%s: parked %+v, %v", name, parked, err)
				}
				spoil(1)
				if n, err := w.p.Retry(t.Context(), GroupsName, groupTenant, p.ID); err != nil || n != 1 {
					t.Fatalf("%s: retried in %d builds, %v", name, n, err)
				}
				w.settle()
				w.check(nil)
				w.compare()
				w.pass(2 * time.Hour)
				w.settle()
				w.check(nil)
				if t.Failed() {
					t.Fatal(name)
				}
			}
		}
	}
}
