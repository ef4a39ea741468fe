package policies

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/projections"
)

// told are the changes that lie in the stream, in its order.
func (w *world) told() (all []groupEvent) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), StreamGroups)
	if err != nil {
		return nil // not made yet
	}
	info, err := stream.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if info.State.Msgs == 0 {
		return nil
	}
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
		m, err := stream.GetMsg(w.t.Context(), sequence)
		if err != nil {
			w.t.Fatal(err)
		}
		var e groupEvent
		if err := json.Unmarshal(m.Data, &e); err != nil {
			w.t.Fatal(err)
		}
		if m.Subject != "cc.groups.acme."+e.Data.GroupID.String() || m.Header.Get(jetstream.MsgIDHeader) != e.ID {
			w.t.Fatalf("%s has the id %s and holds %+v", m.Subject, m.Header.Get(jetstream.MsgIDHeader), e)
		}
		all = append(all, e)
	}
	return all
}

// changes are all changes of the tenant, as the read model has them.
func (w *world) changes() (all []projections.GroupChange) {
	w.t.Helper()
	groups := projections.NewGroups(w.store, w.projector, projections.NewCatalogues(w.store))
	for at := (projections.ChangesCursor{}); ; {
		page, behind, err := groups.ChangesAfter(w.t.Context(), tenant, at, 7)
		if err != nil {
			w.t.Fatal(err)
		}
		if all, at = append(all, page...), behind; len(page) < 7 {
			return all
		}
	}
}

// allTold waits until the read model has that many changes and each of them lies in the stream, and checks that they came in their order.
func (w *world) allTold(want int) {
	w.t.Helper()
	w.projected(projections.GroupsName)
	w.until("not all changes are made and told", func() bool {
		ids := map[string]bool{}
		for _, e := range w.told() {
			ids[e.ID] = true
		}
		changes := w.changes()
		for _, c := range changes {
			if !ids[c.ID.String()] {
				return false
			}
		}
		return len(changes) == want && len(ids) == want
	})
	last, seen := map[string]groupEvent{}, map[string]bool{}
	for _, e := range w.told() {
		pair := e.Subject + e.Data.GroupID.String()
		if before := last[pair]; !seen[e.ID] && (before.Type == e.Type || before.Time.After(e.Time) || before.Type == "" && e.Type != "entered") {
			w.t.Fatalf("after %+v comes %+v", before, e)
		}
		last[pair], seen[e.ID] = e, true
	}
}

func (w *world) rename(id uuid.UUID, name string) {
	w.t.Helper()
	w.must(admin, commands.EditProfile{Customer: id, Changes: map[string]*string{"name": &name}})
}

func (w *world) group(name, rule string) uuid.UUID {
	w.t.Helper()
	return w.must(admin, commands.DefineGroup{Name: name, Rule: json.RawMessage(rule)}).Group
}

func TestSubscribersAreToldOfGroups(t *testing.T) {
	w := newWorld(t)
	w.project()
	runner := w.runner()
	w.start(runner)
	w.until("there is no stream to listen to", func() bool {
		_, err := w.js.Stream(t.Context(), StreamGroups)
		return err == nil
	})
	first := w.customer("v1")
	id := w.group("VIP", `{"field":"name","op":"eq","value":"vip"}`)
	w.rename(first, "vip")
	entered := w.head()
	w.allTold(1)
	w.rename(first, "nobody")
	w.allTold(2)
	w.rename(first, "vip")
	w.allTold(3)
	w.must(admin, commands.ChangeGroup{Group: id, Rule: json.RawMessage(`{"field":"name","op":"eq","value":"nobody"}`)})
	w.rename(first, "nobody")
	w.allTold(5)
	w.must(admin, commands.DeleteGroup{Group: id})
	deleted := w.head()
	w.allTold(6)

	told := w.told()
	for i, want := range []struct {
		how, cause string
		revision   int
		position   int64
	}{{"entered", "event", 1, entered}, {"left", "event", 1, entered + 1}, {"entered", "event", 1, entered + 2}, {"left", "rule", 2, entered + 3},
		{"entered", "event", 2, entered + 4}, {"left", "rule", 0, deleted}} {
		e := told[i]
		if e.Type != want.how || e.Data.Cause.Kind != want.cause || e.Data.Revision != want.revision || *e.Data.Cause.EventPosition != want.position ||
			e.Data.CustomerID != first || e.Subject != first.String() || !e.Time.Equal(e.Data.Cause.At) {
			t.Errorf("message %d: %+v, want %+v", i, e, want)
		}
	}
	golden := oneLine(`{"specversion":"1.0","id":"%s","type":"entered","source":"/tenants/acme","subject":"%s",
		"time":"%s","datacontenttype":"application/json","data":{"group_id":"%s","customer_id":"%s","revision":1,
		"cause":{"kind":"event","event_position":%d,"at":"%s"}}}`)
	at := told[0].Time.Format(time.RFC3339Nano)
	stream, err := w.js.Stream(t.Context(), StreamGroups)
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if want := fmt.Sprintf(golden, told[0].ID, first, at, id, first, entered, at); err != nil || string(m.Data) != want {
		t.Errorf("message:\n%s\nwant\n%s", m.Data, want)
	}
	if strings.Contains(string(m.Data), "vip") {
		t.Error("a message holds personal data")
	}
}

// A tenant with much to tell does not hold up the others.
func TestTenantsTakeTurnsToTellOfGroups(t *testing.T) {
	other := "other" // of the same partition
	for i := 0; partitionOf(other) != partitionOf(tenant); i++ {
		other = fmt.Sprint("other-", i)
	}
	w := newWorld(t, other)
	w.project()
	w.group("all", `{"field":"name","op":"contains","value":"a"}`)
	for i := range 2 * groupsPages {
		w.rename(w.customer(fmt.Sprintf("v%d", i)), "a")
	}
	by := commands.By{Tenant: other, Actor: admin}
	group := w.mustOn(w.center, by, commands.DefineGroup{Name: "all", Rule: json.RawMessage(`{"field":"session_count","op":"eq","value":0}`)}).Group
	last := w.mustOn(w.center, by, commands.CreateCustomer{Association: 1, ExternalID: "one"})
	w.projected(projections.GroupsName)
	if _, fresh, err := w.projector.WaitFor(t.Context(), projections.GroupsName, other, last.Position, patience); err != nil || !fresh {
		t.Fatalf("the other tenant's groups: %v", err)
	}
	p := w.runner().groups
	p.page = 1
	if more, err := p.round(t.Context(), partitionOf(tenant)); err != nil || !more {
		t.Fatalf("a round: more %v, %v", more, err)
	}
	stream, err := w.js.Stream(t.Context(), StreamGroups)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.GetLastMsgForSubject(t.Context(), GroupSubject(other, group)); err != nil {
		t.Errorf("the other tenant's change: %v", err)
	}
	if told := stream.CachedInfo().State.Msgs; told != groupsPages+1 {
		t.Errorf("%d were told in a round", told)
	}
	for more := true; more; {
		if more, err = p.round(t.Context(), partitionOf(tenant)); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := stream.Info(t.Context()); err != nil || info.State.Msgs != 2*groupsPages+1 {
		t.Errorf("%d were told in the end, %v", info.State.Msgs, err)
	}
}

// Publishers come and go between publishing and noting it, two at once, and the read model is rebuilt and switched: nothing is left out,
// and what is repeated has the id it had.
func TestNoChangeOfAGroupIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.project()
	names := []string{"a", "b", "c"}
	var groups []uuid.UUID
	for _, name := range names {
		groups = append(groups, w.group("group "+name, `{"field":"name","op":"contains","value":"`+name+`"}`))
	}
	var customers []uuid.UUID
	for i := range 12 {
		customers = append(customers, w.customer(fmt.Sprintf("v%d", i)))
	}
	want := 0
	shuffle := func(round int) {
		t.Helper()
		for i, id := range customers {
			name := names[(i+round)%3]
			w.rename(id, name)
			if want++; round > 0 {
				want++ // out of one, into another
			}
		}
		w.projected(projections.GroupsName)
	}
	publisher := func() *groupPublisher { return w.runner().groups }
	step := func(p *groupPublisher) {
		t.Helper()
		for more := true; more; {
			var err error
			if more, err = p.step(t.Context(), tenant); err != nil {
				t.Fatal(err)
			}
		}
	}
	forget := func(p *groupPublisher) { // publish, and die before that is noted
		t.Helper()
		at, err := p.cursor(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		changes, _, err := p.groups.ChangesAfter(t.Context(), tenant, at, groupsPage)
		if err == nil {
			err = p.publish(t.Context(), tenant, changes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	one, other := publisher(), publisher()
	shuffle(0)
	step(one)
	w.allTold(want)
	shuffle(1)
	forget(one)
	step(other)
	step(one)
	w.allTold(want)

	shuffle(2) // not told yet when the builds are switched
	b, err := w.projector.Rebuild(t.Context(), projections.GroupsName, nil)
	if err != nil {
		t.Fatal(err)
	}
	shuffle(3)
	if differences, err := w.projector.Compare(t.Context(), projections.GroupsName, b.ID); err != nil || len(differences) > 0 {
		t.Fatalf("%+v, %v", differences, err)
	}
	if err := w.projector.Switch(t.Context(), projections.GroupsName, b.ID); err != nil {
		t.Fatal(err)
	}
	forget(other)
	step(publisher())
	w.allTold(want)
	shuffle(4)
	step(one)
	w.allTold(want)
	if err := w.projector.Rollback(t.Context(), projections.GroupsName); err != nil {
		t.Fatal(err)
	}
	shuffle(5)
	step(one)
	w.allTold(want)
	for _, g := range groups {
		w.must(admin, commands.DeleteGroup{Group: g})
	}
	want += len(customers)
	w.projected(projections.GroupsName)
	w.start(w.runner())
	w.allTold(want)
}
