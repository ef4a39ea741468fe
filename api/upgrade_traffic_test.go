package api

import (
	"errors"
	"fmt"
	"testing"

	"customercenter/projections"
	"customercenter/projections/projector"
)

// An old and a new program run side by side on one database, the new one with other versions of the read models, while customers are read and
// written through both. Neither meets an error or misses anybody, each feeds its own tables, and those of the old version stay: an old program that is started
// again, when the last one has been gone for a while, goes on with them.
func TestUpgradeUnderTraffic(t *testing.T) {
	old := start(t, options{})
	people := meet(t, old, 20)
	readOf := func(where *world, times int64) {
		people.read(where)
		people.read(where)
		people.write(where)
		for until := people.reads.Load() + times; people.reads.Load() < until; {
			people.look(where, 0)
		}
	}
	readOf(old, 100)
	newer := another(t, old, options{definitions: upgraded()})
	readOf(newer, 400)
	built, err := newer.projector.Rebuild(t.Context(), projections.CustomersName, nil)
	if err == nil {
		err = newer.projector.Switch(t.Context(), projections.CustomersName, built.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	readOf(old, 400)
	t.Logf("%d reads", people.end())

	for _, name := range []string{projections.CustomersName, projections.GroupsName, projections.SessionsName} {
		var live [2]projector.Build
		for i, where := range []*world{old, newer} {
			where.caughtUp()
			if live[i], err = where.projector.Live(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			found, err := where.projector.Verify(t.Context(), name, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range found {
				if len(v.Differences) > 0 {
					t.Errorf("%s version %d: %+v", name, v.Version, v.Differences)
				}
			}
		}
		if live[1].Version != live[0].Version+1 || live[0].Status != projector.StatusLive {
			t.Errorf("served are %+v", live)
		}
		if err := newer.projector.Drop(t.Context(), name, live[0].ID); !errors.Is(err, projector.ErrNoBuild) {
			t.Errorf("the new program drops what the old one serves: %v", err)
		}
	}

	// The old program is gone, and an old one is started again: what happened meanwhile is in the tables it finds.
	old.stop()
	people = &visitors{t: t, ids: people.ids, members: people.members, ctx: t.Context()}
	for i := range people.ids {
		people.rename(newer, i)
	}
	left, err := old.projector.Live(t.Context(), projections.CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	again := another(t, old, options{})
	again.caughtUp()
	people.look(again, 0)
	if got := again.admin("GET", "/v1/customers/"+people.ids[7], nil); got.get("profile.name") != "name 7" {
		t.Errorf("the old program shows %s", got.body)
	}
	if now, err := again.projector.Live(t.Context(), projections.CustomersName); err != nil || now.ID != left.ID {
		t.Errorf("it serves %+v instead of %+v, %v", now, left, err)
	}
}

// upgraded are the read models of the next program: each of the next version, with one more column and one more index.
func upgraded() []projector.Definition {
	all := projections.Definitions()
	first := map[string]string{projections.CustomersName: "customer", projections.GroupsName: "group_subject", projections.SessionsName: "session"}
	for i := range all {
		d := &all[i]
		if table := first[d.Name]; table != "" {
			d.Version++
			d.Tables += fmt.Sprintf("\nalter table %s add column added int not null default 7;", table)
			d.Indexes += fmt.Sprintf("\ncreate index %s_added on %s (tenant, added);", table, table)
		}
	}
	return all
}
