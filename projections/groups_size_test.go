package projections

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
)

// Entries and leaves are counted on their days in the tenant's zone, whatever made them, and the sizes follow from them back from now.
func TestTheSizeOfAGroupOverTime(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 1, 1)
	w.build()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	w.now = time.Date(2026, 3, 10, 15, 30, 0, 0, time.UTC) // 23:30 in Shanghai
	w.define(groupA, `{"field":"created_at","op":"within","value":{"days":2}}`)
	w.settle()
	for range 3 {
		w.NewCustomer("before midnight")
	}
	w.settle()
	w.pass(time.Hour)
	w.NewCustomer("after midnight")
	w.settle()
	w.pass(48*time.Hour + 30*time.Minute) // one in the morning of the 13th: the first three left before midnight
	w.settle()
	sizes, err := w.groups().Size(t.Context(), groupTenant, groupA, filter.Calendar{Zone: zone}, w.now, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := []GroupDay{{"2026-03-09", 0, 0, 0}, {"2026-03-10", 3, 3, 0}, {"2026-03-11", 4, 1, 0}, {"2026-03-12", 1, 0, 3}, {"2026-03-13", 0, 0, 1}}
	if len(sizes) != len(want) {
		t.Fatalf("got %+v", sizes)
	}
	for i := range want {
		if sizes[i] != want[i] {
			t.Errorf("got %+v, want %+v", sizes[i], want[i])
		}
	}
	var told []string
	for next := ""; ; {
		moves, after, err := w.groups().Moves(t.Context(), groupTenant, groupA, next, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range moves {
			told = append(told, fmt.Sprint(m.Entered, " ", m.At.In(zone).Format("02 15:04"), " ", m.Cause.Kind, " ", len(m.Evidence)))
		}
		if next = after; next == "" {
			break
		}
	}
	if want := []string{"false 13 00:30 clock 1", "false 12 23:30 clock 1", "false 12 23:30 clock 1", "false 12 23:30 clock 1", "true 11 00:30 event 1", "true 10 23:30 event 1",
		"true 10 23:30 event 1", "true 10 23:30 event 1"}; fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if _, _, err := w.groups().Moves(t.Context(), groupTenant, groupA, "nonsense", 3); !errors.Is(err, ErrCursor) {
		t.Errorf("got %v", err)
	}
	w.revise(groupA, 2, `{"field":"nickname","op":"is_set"}`)
	w.Flush()
	w.turn(0)
	if s := w.status(groupA); s.Filling == nil {
		t.Fatalf("not being filled: %+v", s)
	}
	if sizes, err := w.groups().Size(t.Context(), groupTenant, groupA, filter.Calendar{Zone: zone}, w.now, 5); err != nil || sizes != nil {
		t.Errorf("while a rule is being filled: %+v (%v)", sizes, err)
	}
	if sizes, err := w.groups().Size(t.Context(), groupTenant, uuid.New(), filter.Calendar{Zone: zone}, w.now, 5); err != nil || sizes != nil {
		t.Errorf("of a group that is not there: %+v (%v)", sizes, err)
	}
}

// How many entered and left is counted in an index, whatever else there is.
func TestThePlanOfAGroupsSize(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 100, 1)
	w.build()
	if _, err := w.store.Pool().Exec(t.Context(), in(w.schema(), `insert into $.group_change (tenant, id, written, group_id, revision, customer, entered, at, kind, position, evidence)
		select 'acme', n, n, case when n % 50 = 0 then $1::uuid else gen_random_uuid() end, 1, gen_random_uuid(), true, now() - n * interval '1 minute', 'event', n, '[]'
		from generate_series(1, 50000) n`), groupA); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), in(w.schema(), `insert into $.group_standing (tenant, id, ordinal, first, groups, changes)
		select 'acme', gen_random_uuid(), n, n, '[]', 1 from generate_series(1000, 20000) n`)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"group_change", "group_standing"} {
		if _, err := w.store.Pool().Exec(t.Context(), in(w.schema(), `vacuum analyze $.`+table)); err != nil {
			t.Fatal(err)
		}
	}
	checkPlan(t, w.store, "group_change_group", in(w.schema(), groupLastMovesSQL), []any{groupTenant, groupA, time.Now(), int64(1000), 51})
	checkPlan(t, w.store, "group_change_group", in(w.schema(), groupMovesSQL), []any{groupTenant, groupA, time.Now().AddDate(0, 0, -30), "Asia/Shanghai"})
	// Many have just entered a group of which the planner does not know: why one of them did is found among the changes of that one.
	if _, err := w.store.Pool().Exec(t.Context(), in(w.schema(), `insert into $.group_change (tenant, id, written, group_id, revision, customer, entered, at, kind, position, evidence)
		select 'acme', 100000 + n, 100000 + n, $1, 1, gen_random_uuid(), true, now(), 'rule', 1, '[]' from generate_series(1, 50000) n`), groupB); err != nil {
		t.Fatal(err)
	}
	checkPlan(t, w.store, "group_change_pkey", in(w.schema(), whyMembersSQL), []any{groupTenant, groupB, []uuid.UUID{uuid.New(), uuid.New()}, changeBits})
}
