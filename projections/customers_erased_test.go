package projections_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/domain/group"
	"customercenter/domain/session"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
)

// tablesWith are the tables of read models in which a text is.
func (m *model) tablesWith(text string) (all []string) {
	m.t.Helper()
	rows, err := m.store.Pool().Query(m.t.Context(), `select t.schemaname, t.tablename from pg_tables t join projection_builds b on b.schema = t.schemaname order by 1, 2`)
	if err != nil {
		m.t.Fatal(err)
	}
	var tables [][2]string
	for rows.Next() {
		var schema, table string
		if err := rows.Scan(&schema, &table); err != nil {
			m.t.Fatal(err)
		}
		tables = append(tables, [2]string{schema, table})
	}
	if err := rows.Err(); err != nil {
		m.t.Fatal(err)
	}
	for _, t := range tables {
		var n int
		if err := m.store.Pool().QueryRow(m.t.Context(), fmt.Sprintf(`select count(*) from %s.%s r where r::text like '%%' || $1 || '%%'`, t[0], t[1]), text).Scan(&n); err != nil {
			m.t.Fatal(err)
		}
		if n > 0 {
			all = append(all, t[1])
		}
	}
	return all
}

// Whoever was erased is in no list, count, group or audience, and no row of any read model knows what was said of the person. The sessions stay, with
// what is nobody's in particular.
func TestErasedCustomerIsGone(t *testing.T) {
	m := newModel(t, 1)
	vip := m.NewTag("VIP")
	important, named := uuid.New(), uuid.New()
	m.Append(group.Stream, uuid.Nil, group.Defined{Group: important, Name: "important", Rule: json.RawMessage(fmt.Sprintf(`{"field":"tags","op":"has_any","value":[%q]}`, vip))})
	m.Append(group.Stream, uuid.Nil, group.Defined{Group: named, Name: "named", Rule: json.RawMessage(`{"field":"name","op":"contains","value":"zanz"}`)})
	stays, p := m.NewCustomer("王大明", vip), m.NewCustomer("zanzibar", vip)
	m.Rename(p, "zanzibar")
	sent := uuid.New()
	m.Append(automessage.Stream, uuid.Nil, automessage.Defined{AutoMessage: sent, Name: "one", Text: "您好", Rate: 600})
	m.autoMessage(sent, p)
	first := m.OpenSession(p)
	m.Accept(p, "agent-1")
	m.Append(session.Stream(first), p.ID, session.WebAttributesRecorded{Region: "zanzibar"})
	m.Close(p)
	m.Append(session.Stream(first), p.ID, session.Rated{Score: 2, Reasons: []string{"zanzibar"}, Comment: "zanzibar"})
	m.OpenSession(p)
	m.Blacklist(p, time.Time{})
	both, one := []*projectionstest.Person{p, stays}, []*projectionstest.Person{stays}
	m.Append(group.Stream, uuid.Nil, group.Revised{Group: named, Rule: json.RawMessage(`{"field":"name","op":"contains","value":"zan"}`), Revision: 2}) // kept is what the newer rule saw, too
	m.everywhere("at first", vip, important, both, both)
	before := m.tablesWith("zanzibar")
	for _, table := range []string{"customer", "customer_text", "customer_listing", "group_change", "group_standing", "session"} {
		if !strings.Contains(fmt.Sprint(before), table) {
			t.Errorf("the name is not in the table %s to begin with: %v", table, before)
		}
	}

	m.Erase(p)
	m.everywhere("erased", vip, important, one, one)
	if left := m.tablesWith("zanzibar"); len(left) > 0 {
		t.Errorf("the name is left in %v", left)
	}
	if _, err := m.customers.One(t.Context(), tenant, p.ID); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("one who was erased: %v", err)
	}
	all := m.listSessions(projections.SessionQuery{Customer: p.ID}).Items
	kept := map[string]int{}
	for _, s := range all {
		kept[s.State] += s.MessageCount
		if s.Rating != nil {
			kept["score"] = s.Rating.Score
		}
	}
	if !maps.Equal(kept, map[string]int{"closed": 1, "aborted": 1, "score": 2}) {
		t.Errorf("of the sessions there are %v", kept)
	}
	if counts := m.autoMessageCounts(sent); counts != (projections.AutoMessageCounts{Sent: 1}) {
		t.Errorf("auto messages: %+v", counts)
	}
	groups := projections.NewGroups(m.store, m.projector, m.catalogues)
	for _, id := range []uuid.UUID{important, named} {
		moves, _, err := groups.Moves(t.Context(), tenant, id, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, move := range moves {
			if move.Customer == p.ID {
				t.Errorf("an entry or leave of who was erased is told: %+v", move)
			}
		}
	}
	// Whoever is told of changes is told of a leave of each group that there is.
	changes, _, err := groups.ChangesAfter(t.Context(), tenant, projections.ChangesCursor{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	left := map[uuid.UUID]int{}
	for _, c := range changes {
		if c.Customer == p.ID {
			left[c.Group]++
			if c.Entered {
				t.Errorf("an entry of who was erased is told: %+v", c)
			}
		}
	}
	if len(left) != 2 || left[important] != 1 || left[named] != 1 {
		t.Errorf("leaves are told of %v", left)
	}
	history, err := projections.NewHistory(m.store, m.projector).Of(t.Context(), tenant, projections.HistoryQuery{Customer: p.ID})
	if err != nil || len(history.Events) == 0 || history.Events[0].Type != "customer.erased" {
		t.Errorf("the history is %+v, %v", history.Events, err)
	}
	m.rebuilt()

	m.ComeBack(p)
	m.everywhere("back", vip, important, both, one)
	m.Retag(p)
	m.everywhere("back with a tag", vip, important, both, both)
	m.Erase(p)
	m.everywhere("erased again", vip, important, one, one)
	m.rebuilt()
	for _, d := range projections.Definitions() {
		if parked, err := m.projector.Parked(t.Context(), d.Name, tenant); err != nil || len(parked) != 0 {
			t.Errorf("parked in %s: %+v, %v", d.Name, parked, err)
		}
	}
}

// Whoever an import has made and its revert has taken back can be erased, too: the entries and leaves go.
func TestTheWithdrawnAreErased(t *testing.T) {
	m := newModel(t, 1)
	vip := m.NewTag("VIP")
	named := uuid.New()
	m.Append(group.Stream, uuid.Nil, group.Defined{Group: named, Name: "named", Rule: json.RawMessage(`{"field":"nickname","op":"contains","value":"zanz"}`)})
	stays, p := m.NewCustomer("王大明"), m.Import("zanzibar", vip)
	m.Withdraw(p)
	m.syncAll()
	if all := m.tablesWith("zanzibar"); !strings.Contains(fmt.Sprint(all), "group_change") {
		t.Errorf("the name is in %v", all)
	}
	m.Erase(p)
	m.syncAll()
	if left := m.tablesWith("zanzibar"); len(left) > 0 {
		t.Errorf("the name is left in %v", left)
	}
	if page := m.list(projections.ListQuery{}); len(page.Items) != 1 || page.Items[0].ID != stays.ID {
		t.Errorf("the list has %v", ids(page))
	}
	m.rebuilt()
}
