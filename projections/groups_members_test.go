package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/group"
)

// groups are the queries over the world's read model.
func (w *groupWorld) groups() *Groups { return NewGroups(w.store, w.p, NewCatalogues(w.store)) }

// members walks all pages of a group.
func (w *groupWorld) members(id uuid.UUID, limit int) (all []Member) {
	w.t.Helper()
	for next := ""; ; {
		page, err := w.groups().Members(w.t.Context(), groupTenant, id, next, limit)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if next = page.Next; next == "" {
			return all
		}
	}
}

func (w *groupWorld) status(id uuid.UUID) GroupStatus {
	w.t.Helper()
	all, err := w.groups().Status(w.t.Context(), groupTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return all[id]
}

func (w *groupWorld) of(customer uuid.UUID) []Membership {
	w.t.Helper()
	all, err := w.groups().Of(w.t.Context(), groupTenant, customer)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *groupWorld) define(id uuid.UUID, rule string) {
	w.t.Helper()
	w.Append(group.Stream, uuid.Nil, group.Defined{Group: id, Name: "group " + id.String()[:4], Rule: json.RawMessage(rule)})
}

func (w *groupWorld) revise(id uuid.UUID, revision int, rule string) {
	w.t.Helper()
	w.Append(group.Stream, uuid.Nil, group.Revised{Group: id, Revision: revision, Rule: json.RawMessage(rule)})
}

var (
	groupA = uuid.MustParse("019a0000-0000-7000-8000-00000000000a")
	groupB = uuid.MustParse("019a0000-0000-7000-8000-00000000000b")
)

// While a new rule looks at everybody, every answer is by the old one; then all of them change at once.
func TestTheOldRuleIsServedUntilTheNewOneHasSeenEverybody(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 4, 1)
	w.build()
	for i := range 20 { // by turns in the group by the first rule, and by the second
		w.NewCustomer([]string{"red", "blue"}[i%2])
	}
	began := w.now
	w.define(groupA, `{"field":"nickname","op":"eq","value":"red"}`)
	w.settle()
	if s := w.status(groupA); s.Members != 10 || s.Revision != 1 || s.Filling != nil {
		t.Fatalf("status %+v", s)
	}
	w.pass(time.Hour)
	w.revise(groupA, 2, `{"field":"nickname","op":"eq","value":"blue"}`)
	red, blue := w.Customers[0], w.Customers[1] // the first to be looked at
	for steps := 0; ; steps++ {
		if steps > 20 {
			t.Fatal("it does not come to an end")
		}
		w.turn(0)
		s := w.status(groupA)
		if s.Revision == 2 {
			break
		}
		if s.Members != 10 || s.Revision != 1 || s.Filling == nil || s.Filling.Total != 20 || steps > 1 && s.Filling.Done == 0 {
			t.Fatalf("while filling: %+v, %+v", s, s.Filling)
		}
		members := w.members(groupA, 3)
		if len(members) != 10 || members[0].Customer != w.Customers[18].ID || members[9].Customer != red.ID {
			t.Fatalf("while filling: members %+v", members)
		}
		for _, m := range members {
			if !m.Since.Equal(began) || m.Cause.Kind != causeRule || len(m.Evidence) != 1 || m.Evidence[0].Observed != "red" {
				t.Fatalf("while filling: %+v", m)
			}
		}
		if in := w.of(red.ID); len(in) != 1 || in[0].Group != groupA || !in[0].Since.Equal(began) {
			t.Fatalf("while filling: a member of the old rule is in %+v", in)
		}
		if in := w.of(blue.ID); len(in) != 0 {
			t.Fatalf("while filling: a member of the new rule is in %+v", in)
		}
		named, err := w.groups().memberships(t.Context(), groupTenant, []uuid.UUID{red.ID, blue.ID})
		if err != nil || len(named) != 1 || len(named[red.ID]) != 1 || named[red.ID][0].ID != groupA {
			t.Fatalf("while filling: %+v, %v", named, err)
		}
	}
	if s := w.status(groupA); s.Members != 10 || s.Filling != nil {
		t.Fatalf("status %+v", s)
	}
	for _, m := range w.members(groupA, 200) {
		if !m.Since.Equal(w.now) || m.Evidence[0].Observed != "blue" {
			t.Fatalf("after it: %+v", m)
		}
	}
	if in := w.of(red.ID); len(in) != 0 {
		t.Fatalf("after it, a member of the old rule is in %+v", in)
	}
	w.check(nil)
}

// While a new rule looks at everybody, what happens to customers is seen in the members by the old one, wherever the filling is: who ceases to match
// the old one leaves, who begins to match both enters, and who begins to match the old one alone does not.
func TestTheServedMembersFollowEventsWhileANewRuleIsFilled(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 4, 1)
	w.build()
	vip, blue := w.NewTag("VIP"), w.NewTag("blue")
	for i := range 20 {
		w.NewCustomer("x", []uuid.UUID{vip, blue}[i%2])
	}
	w.define(groupA, fmt.Sprintf(`{"field":"tags","op":"has_any","value":[%q]}`, vip))
	w.settle()
	w.pass(time.Hour)
	// By the new rule, nobody is in of the first 20 who were, and its answer does not depend on tags.
	w.revise(groupA, 2, `{"any":[{"field":"name","op":"eq","value":"red"},{"field":"session_open","op":"is","value":true}]}`)
	w.Flush()
	turned := func() (done int64) { // the filling has begun, and has far to go
		t.Helper()
		for range 20 {
			w.turn(0)
			if s := w.status(groupA); s.Filling != nil && s.Filling.Done > 0 {
				return s.Filling.Done
			}
		}
		t.Fatal("nothing is filled")
		return 0
	}
	if done := turned(); done > 8 {
		t.Fatalf("%d are filled", done)
	}
	tag := func(i int, payload domain.Event) {
		w.Append(customer.Stream(w.Customers[i].ID), w.Customers[i].ID, payload)
	}
	tag(0, customer.Untagged{Tag: vip}) // behind the filling
	tag(18, customer.Untagged{Tag: vip})
	w.Rename(w.Customers[1], "red") // by the new rule only
	tag(3, customer.Tagged{Tag: vip})
	tag(17, customer.Tagged{Tag: vip}) // by the old one only
	w.Rename(w.Customers[15], "red")
	tag(15, customer.Tagged{Tag: vip})
	both := w.NewCustomer("x", vip)
	w.OpenSession(both)
	w.NewCustomer("x", vip)
	w.Flush()
	folded := w.Head()
	for {
		w.turn(0)
		at, _, err := Served(t.Context(), w.store, w.p, GroupsName, groupTenant)
		if err != nil {
			t.Fatal(err)
		}
		if at >= folded {
			break
		}
	}
	if s := w.status(groupA); s.Filling == nil || s.Revision != 1 {
		t.Fatalf("the filling was over too soon: %+v", s)
	}
	if filled, err := w.groups().Filled(t.Context(), groupTenant, []string{groupA.String()}); filled || err != nil {
		t.Errorf("filled in the middle: %v, %v", filled, err)
	}
	want := []uuid.UUID{both.ID, w.Customers[16].ID, w.Customers[15].ID, w.Customers[14].ID, w.Customers[12].ID, w.Customers[10].ID,
		w.Customers[8].ID, w.Customers[6].ID, w.Customers[4].ID, w.Customers[2].ID}
	var got []uuid.UUID
	for _, m := range w.members(groupA, 3) {
		got = append(got, m.Customer)
		if m.Since.IsZero() || m.Cause.Kind == "" {
			t.Errorf("nothing tells why %s is in: %+v", m.Customer, m)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("members while it is filled: %v, want %v", got, want)
	}
	w.settle()
	if filled, err := w.groups().Filled(t.Context(), groupTenant, []string{groupA.String()}); !filled || err != nil {
		t.Errorf("not filled in the end: %v, %v", filled, err)
	}
	w.check(nil)
	w.compare()
}

// Causes and evidence of what the three kinds of causes did.
func TestWhyACustomerIsInAGroup(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 100, 1)
	w.build()
	p := w.NewCustomer("somebody")
	w.define(groupA, `{"field":"created_at","op":"older_than","value":{"hours":2}}`)
	w.define(groupB, `{"field":"nickname","op":"contains","value":"王"}`)
	created := w.now
	w.settle()
	if in := w.of(p.ID); len(in) != 0 {
		t.Fatalf("in %+v", in)
	}
	w.pass(time.Hour)
	w.Rename(p, "王小明")
	named := w.Head()
	w.settle()
	w.pass(48 * time.Hour)
	w.settle()
	in := w.of(p.ID)
	if len(in) != 2 {
		t.Fatalf("in %+v", in)
	}
	if a := in[0]; a.Group != groupA || a.Cause.Kind != causeClock || a.Cause.EventPosition != nil ||
		!a.Since.Equal(created.Truncate(time.Microsecond).Add(2*time.Hour+time.Microsecond)) || !a.Evidence[0].Met {
		t.Errorf("by the clock: %+v", a)
	}
	if b := in[1]; b.Group != groupB || b.Cause.Kind != causeEvent || *b.Cause.EventPosition != named || !b.Since.Equal(created.Add(time.Hour)) ||
		b.Evidence[0].Observed != "王小明" || b.Evidence[0].Threshold != "王" {
		t.Errorf("by an event: %+v", b)
	}
	w.Append(group.Stream, uuid.Nil, group.Deleted{Group: groupA})
	w.settle()
	if in := w.of(p.ID); len(in) != 1 || in[0].Group != groupB {
		t.Errorf("after the end of a group: %+v", in)
	}
	if _, there := w.must(w.groups().Status(t.Context(), groupTenant))[groupA]; there || len(w.members(groupA, 10)) > 0 {
		t.Error("a group that has ended is still there")
	}
	w.check(nil)
}

func (w *groupWorld) must(s map[uuid.UUID]GroupStatus, err error) map[uuid.UUID]GroupStatus {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// A day ends in Berlin when the clocks go forward, and when they go back: membership changes at midnight there, to the microsecond.
func TestMembershipChangesAtMidnightOfTheZone(t *testing.T) {
	for _, day := range []string{"2026-03-29", "2026-10-25"} {
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		noon, err := time.ParseInLocation("2006-01-02 15:04", day+" 12:00", berlin)
		if err != nil {
			t.Fatal(err)
		}
		w := newGroupWorld(t, 1, 100, 2, 1)
		w.now = noon.Add(-24 * time.Hour)
		w.build()
		w.zone("Europe/Berlin")
		w.define(groupA, `{"field":"created_at","op":"in","value":{"period":"today"}}`)
		w.now = noon
		for range 5 {
			w.NewCustomer("a")
		}
		midnight := time.Date(noon.Year(), noon.Month(), noon.Day()+1, 0, 0, 0, 0, berlin)
		w.settle()
		w.pass(midnight.Add(-time.Microsecond).Sub(w.now))
		w.settle()
		if s := w.status(groupA); s.Members != 5 {
			t.Errorf("%s: a microsecond before midnight there are %d members", day, s.Members)
		}
		w.pass(time.Microsecond)
		w.settle()
		if s := w.status(groupA); s.Members != 0 {
			t.Errorf("%s: at midnight there are %d members", day, s.Members)
		}
		for _, f := range w.fates() {
			left := f.changes[len(f.changes)-1]
			if left.Entered || left.Kind != causeClock || !left.At.Equal(midnight) {
				t.Errorf("%s: left %+v", day, left)
			}
		}
		w.check(nil)
	}
}

// Members are listed once each, whatever the size of pages and wherever buckets of the bitmaps end.
func TestPagesOfMembersAcrossBuckets(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 100, 1)
	w.build()
	w.define(groupA, `{"field":"session_count","op":"eq","value":0}`)
	for range 30 {
		w.NewCustomer("a")
	}
	w.settle()
	// As if there had been many more customers before the last twelve of them.
	for _, sql := range []string{
		`update $.group_subject set ordinal = ordinal + 16362 where tenant = $1 and ordinal > 18`,
		`insert into $.group_bits (tenant, facet, bucket, bits) select tenant, facet, 1, B'0'::bit(16384) from $.group_bits where tenant = $1`,
		`update $.group_bits b set bits = (select bit_or(set_bit(B'0'::bit(16384), (s.ordinal % 16384)::int, 1)) from $.group_subject s where s.tenant = $1 and s.ordinal / 16384 = b.bucket) where tenant = $1`,
	} {
		if _, err := w.store.Pool().Exec(t.Context(), in(w.schema(), sql), groupTenant); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{1, 7, 12, 29, 30, 200} {
		var got []uuid.UUID
		for _, m := range w.members(groupA, limit) {
			got = append(got, m.Customer)
		}
		var want []uuid.UUID
		for _, p := range slices.Backward(w.Customers) {
			want = append(want, p.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d members, not those that there are, or in another order", limit, len(got))
		}
	}
	if _, err := w.groups().Members(t.Context(), groupTenant, groupB, cursor{Sort: membersSort + groupA.String(), Ordinal: 3}.String(), 10); err != ErrCursor {
		t.Errorf("the cursor of another group: %v", err)
	}
}
