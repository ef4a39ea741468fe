package projections_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
)

// syncAll waits until all read models have everything.
func (m *model) syncAll() {
	m.t.Helper()
	for _, d := range projections.Definitions() {
		m.sync(d.Name)
	}
}

// ids are who is listed, the newest first.
func ids(page projections.Page) (all []uuid.UUID) {
	for _, c := range page.Items {
		all = append(all, c.ID)
	}
	return all
}

// everywhere checks that these, the newest first, are the only customers, and that these carry the tag and so are in the group.
func (m *model) everywhere(when string, tag, group uuid.UUID, all, tagging []*projectionstest.Person) {
	m.t.Helper()
	m.syncAll()
	want := func(what string, got []uuid.UUID, of []*projectionstest.Person) {
		m.t.Helper()
		var want []uuid.UUID
		for _, p := range of {
			want = append(want, p.ID)
		}
		if !slices.Equal(got, want) {
			m.t.Errorf("%s, %s: %v, want %v", when, what, got, want)
		}
	}
	page := m.list(projections.ListQuery{Facets: []string{projections.FacetTags, projections.FacetCreatedVia}})
	want("the list", ids(page), all)
	via, tags := map[string]int64{}, map[string]int64{}
	for _, p := range all {
		via[p.State.Via]++
	}
	if len(tagging) > 0 {
		tags[tag.String()] = int64(len(tagging))
	}
	maps.DeleteFunc(page.Facets[projections.FacetCreatedVia], func(_ string, n int64) bool { return n == 0 })
	if page.Count != (projections.Count{Value: int64(len(all)), Exact: true}) || !maps.Equal(page.Facets[projections.FacetCreatedVia], via) || !maps.Equal(page.Facets[projections.FacetTags], tags) {
		m.t.Errorf("%s: count %+v, facets %v", when, page.Count, page.Facets)
	}
	want("the tag", ids(m.list(tagged(m.t, tag))), tagging)
	for _, sort := range []string{projections.SortNickname, projections.SortLastSession} {
		if n := len(m.list(projections.ListQuery{Sort: sort}).Items); n != len(all) {
			m.t.Errorf("%s: %d customers by %s", when, n, sort)
		}
	}
	usage, err := m.customers.TagUsage(m.t.Context(), tenant, []uuid.UUID{tag})
	if err != nil || usage[tag] != int64(len(tagging)) {
		m.t.Errorf("%s: the tag is used %v, %v", when, usage, err)
	}
	members, err := projections.NewGroups(m.store, m.projector, m.catalogues).Members(m.t.Context(), tenant, group, "", 10)
	if err != nil {
		m.t.Fatal(err)
	}
	var in []uuid.UUID
	for _, member := range members.Items {
		in = append(in, member.Customer)
	}
	want("the group", in, tagging)
	audience, err := m.customers.Matching(m.t.Context(), tenant, tagged(m.t, tag).Filter, filter.Calendar{}, time.Now(), 0, 10)
	if err != nil {
		m.t.Fatal(err)
	}
	in = nil
	for _, match := range slices.Backward(audience) {
		in = append(in, match.ID)
	}
	want("an audience", in, tagging)
}

// Who was withdrawn is in no list, count, group or audience. What happened stays, and can be read; who comes back is somebody new.
func TestWithdrawnCustomerIsGone(t *testing.T) {
	m := newModel(t, 1)
	vip := m.NewTag("VIP")
	important := uuid.New()
	m.Append(group.Stream, uuid.Nil, group.Defined{Group: important, Name: "important", Rule: json.RawMessage(fmt.Sprintf(`{"field":"tags","op":"has_any","value":[%q]}`, vip))})
	stays, p := m.NewCustomer("王大明", vip), m.Import("王小明", vip)
	sent := uuid.New()
	m.Append(automessage.Stream, uuid.Nil, automessage.Defined{AutoMessage: sent, Name: "one", Text: "您好", Rate: 600})
	m.autoMessage(sent, p)
	both, one := []*projectionstest.Person{p, stays}, []*projectionstest.Person{stays}
	m.everywhere("at first", vip, important, both, both)
	by := p.State.Import

	m.Withdraw(p)
	m.everywhere("withdrawn", vip, important, one, one)
	if _, err := m.customers.One(t.Context(), tenant, p.ID); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("one who was withdrawn: %v", err)
	}
	if page := m.list(found(t, `{"field":"nickname","op":"contains","value":"小"}`)); len(page.Items) != 0 {
		t.Errorf("the name is found: %v", nicknames(page))
	}
	if page := m.list(found(t, `{"field":"phone","op":"contains","value":"13800000001"}`)); len(page.Items) != 0 {
		t.Errorf("the phone is found: %v", nicknames(page))
	}
	told := func(want ...string) {
		t.Helper()
		page, err := projections.NewHistory(m.store, m.projector).Of(t.Context(), tenant, projections.HistoryQuery{Customer: p.ID})
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range page.Events {
			types = append(types, e.Type)
			switch payload := e.Payload.(type) {
			case customer.Withdrawn:
				if payload.Import != by {
					t.Errorf("withdrawn by %v, want %v", payload.Import, by)
				}
			case customer.Created:
				if e.Erased || payload.Profile.Nickname == "" || payload.Generation == 1 && payload.Profile.Nickname != "王小明" {
					t.Errorf("created: %+v", payload)
				}
			}
		}
		if !slices.Equal(types, want) {
			t.Errorf("the history has %v, want %v", types, want)
		}
	}
	told("customer.withdrawn", "auto_message.sent", "customer.created")
	if counts := m.autoMessageCounts(sent); counts != (projections.AutoMessageCounts{Sent: 1}) {
		t.Errorf("auto messages: %+v", counts)
	}
	m.rebuilt()

	m.ComeBack(p)
	m.everywhere("back", vip, important, both, one)
	c := m.one(p.ID)
	if c.CreatedVia != customer.ViaInbound || len(c.Tags) != 0 || c.SessionCount != 1 || !c.CreatedAt.After(m.one(stays.ID).CreatedAt) || c.Version != 3 {
		t.Errorf("back: %+v", c)
	}
	told("session.message_recorded", "session.started", "customer.session_opened", "customer.created", "customer.withdrawn", "auto_message.sent", "customer.created")
	m.Retag(p)
	m.everywhere("back with a tag", vip, important, both, both)
	m.rebuilt()
	for _, d := range projections.Definitions() {
		if parked, err := m.projector.Parked(t.Context(), d.Name, tenant); err != nil || len(parked) != 0 {
			t.Errorf("parked in %s: %+v, %v", d.Name, parked, err)
		}
	}
}

// rebuilt compares all read models with what a rebuild gives.
func (m *model) rebuilt() {
	m.t.Helper()
	for _, d := range projections.Definitions() {
		b, err := m.projector.Rebuild(m.t.Context(), d.Name, nil)
		if err != nil {
			m.t.Fatal(err)
		}
		if differences, err := m.projector.Compare(m.t.Context(), d.Name, b.ID); err != nil || len(differences) > 0 {
			m.t.Errorf("%s rebuilt differs: %+v, %v", d.Name, differences, err)
		}
	}
}
