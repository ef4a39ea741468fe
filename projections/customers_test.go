package projections_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

// model is a store with its read models, fed until the test ends.
type model struct {
	*projectionstest.World
	t          testing.TB
	store      *eventstore.Store
	projector  *projector.Projector
	catalogues *projections.Catalogues
	customers  *projections.Customers
}

func newModel(t testing.TB, pack int) *model {
	t.Helper()
	store := projectionstest.Store(t, tenant, "other")
	p, err := projector.New(projector.Config{Store: store, Definitions: projections.Definitions(), Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	m := &model{t: t, store: store, projector: p, World: projectionstest.NewWorld(t, store, tenant, 1, pack), catalogues: projections.NewCatalogues(store)}
	m.customers = projections.NewCustomers(store, p, m.catalogues)
	return m
}

// sync waits until the read model has everything.
func (m *model) sync(name string) {
	m.t.Helper()
	m.Flush()
	m.projector.Ring(tenant, m.Head())
	served, fresh, err := m.projector.WaitFor(m.t.Context(), name, tenant, m.Head(), 30*time.Second)
	if err != nil || !fresh {
		m.t.Fatalf("served %d of %d, %v", served, m.Head(), err)
	}
}

func (m *model) list(q projections.ListQuery) projections.Page {
	m.t.Helper()
	page, err := m.customers.List(m.t.Context(), tenant, q)
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

func (m *model) one(id uuid.UUID) projections.Customer {
	m.t.Helper()
	c, err := m.customers.One(m.t.Context(), tenant, id)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// found is a query with a filter, as JSON with its values put in.
func found(t testing.TB, format string, values ...any) projections.ListQuery {
	t.Helper()
	f, err := filter.Parse(fmt.Appendf(nil, format, values...), &filter.Language{Groups: true}, "filter")
	if err != nil {
		t.Fatal(err)
	}
	return projections.ListQuery{Filter: f}
}

// tagged asks for those who have any of the tags.
func tagged(t testing.TB, tags ...uuid.UUID) projections.ListQuery {
	t.Helper()
	quoted := make([]string, len(tags))
	for i, id := range tags {
		quoted[i] = fmt.Sprintf("%q", id)
	}
	return found(t, `{"field":"tags","op":"has_any","value":[%s]}`, strings.Join(quoted, ","))
}

func nicknames(page projections.Page) (names []string) {
	for _, c := range page.Items {
		names = append(names, c.Profile.Nickname)
	}
	return names
}

func TestCustomerShowsWhatHappened(t *testing.T) {
	m := newModel(t, 1)
	vip := m.NewTag("VIP")
	p := m.NewCustomer("王小明", vip)
	m.sync(projections.CustomersName)

	c := m.one(p.ID)
	if c.Profile.Nickname != "王小明" || c.ExternalID != "Visitor-0" || c.Channel != "app" || c.AssociationID != 1 || c.CreatedVia != "inbound" ||
		c.SessionOpen || c.LastSessionAt != nil || c.RatingAvg != nil || c.Version != 1 || string(c.Profile.Custom) != "{}" {
		t.Errorf("after creation: %+v", c)
	}
	if !slices.Equal(c.Tags, []projections.Named{{ID: vip, Name: "VIP"}}) {
		t.Errorf("tags = %v", c.Tags)
	}

	session := m.OpenSession(p)
	m.Rename(p, "Émile")
	m.sync(projections.CustomersName)
	c = m.one(p.ID)
	if !c.SessionOpen || *c.OpenSession != session || c.SessionCount != 1 || c.MessageCount != 1 || c.FirstSessionAt == nil || c.LastSessionAt == nil ||
		c.Profile.Nickname != "Émile" || c.Profile.Name != "Émile" || c.Version != 3 || !c.UpdatedAt.After(c.CreatedAt) {
		t.Errorf("after a session was opened: %+v", c)
	}

	m.DeleteTag(vip)
	m.sync(projections.CustomersName)
	if c = m.one(p.ID); len(c.Tags) != 0 {
		t.Errorf("a deleted tag is shown: %v", c.Tags)
	}
	if page := m.list(tagged(t, vip)); len(page.Items) != 0 || !page.Count.Exact {
		t.Errorf("a deleted tag finds customers: %+v", page)
	}
	if _, err := m.customers.One(t.Context(), "other", p.ID); !errors.Is(err, projections.ErrNotFound) {
		t.Errorf("another tenant sees the customer: %v", err)
	}
}

func TestListFiltersAndPages(t *testing.T) {
	m := newModel(t, 100)
	vip, rare := m.NewTag("VIP"), m.NewTag("rare")
	for n := range 450 {
		var tags []uuid.UUID
		if n%2 == 0 {
			tags = append(tags, vip)
		}
		if n == 7 {
			tags = append(tags, rare)
		}
		m.NewCustomer(fmt.Sprintf("客户%03d ＡＢＣ", n), tags...)
	}
	m.sync(projections.CustomersName)

	t.Run("newest first, page by page, there and back", func(t *testing.T) {
		var all []string
		var pages [][]string
		q := projections.ListQuery{Limit: 200}
		for {
			page := m.list(q)
			if page.Count != (projections.Count{Value: 450, Exact: true}) {
				t.Fatalf("count = %+v", page.Count)
			}
			all, pages = append(all, nicknames(page)...), append(pages, nicknames(page))
			if page.Next == "" {
				q.Cursor = page.Prev
				break
			}
			q.Cursor = page.Next
		}
		if len(all) != 450 || all[0] != "客户449 ＡＢＣ" || !slices.IsSortedFunc(all, func(a, b string) int { return -cmp.Compare(a, b) }) {
			t.Fatalf("%d customers, first %s", len(all), all[0])
		}
		for i := len(pages) - 2; i >= 0; i-- {
			page := m.list(q)
			if !slices.Equal(nicknames(page), pages[i]) {
				t.Fatalf("page %d on the way back is another one", i)
			}
			if (page.Prev == "") != (i == 0) || page.Next == "" {
				t.Fatalf("page %d: prev %q, next %q", i, page.Prev, page.Next)
			}
			q.Cursor = page.Prev
		}
	})
	t.Run("tag", func(t *testing.T) {
		if page := m.list(tagged(t, vip)); page.Count != (projections.Count{Value: 225, Exact: true}) || len(page.Items) != 50 {
			t.Errorf("count = %+v, %d items", page.Count, len(page.Items))
		}
		if page := m.list(tagged(t, rare)); !slices.Equal(nicknames(page), []string{"客户007 ＡＢＣ"}) {
			t.Errorf("%v", nicknames(page))
		}
		if page := m.list(found(t, `{"any":[]}`)); len(page.Items) != 0 || !page.Count.Exact {
			t.Error("none of no conditions finds customers")
		}
	})
	t.Run("name and id, whatever the case and width", func(t *testing.T) {
		for _, f := range []string{
			`{"field":"any_text","op":"contains","value":"007 abc"}`, `{"field":"nickname","op":"contains","value":"户００７"}`,
			`{"all":[{"field":"external_id","op":"starts_with","value":"VISITOR-7"},{"field":"any_text","op":"contains","value":"07"}]}`,
		} {
			if page := m.list(found(t, "%s", f)); !slices.Contains(nicknames(page), "客户007 ＡＢＣ") {
				t.Errorf("%s finds %v", f, nicknames(page))
			}
		}
		if page := m.list(found(t, `{"field":"nickname","op":"contains","value":"%%"}`)); len(page.Items) != 0 {
			t.Errorf("a wildcard finds %v", nicknames(page))
		}
	})
	t.Run("channel", func(t *testing.T) {
		if page := m.list(found(t, `{"field":"channel","op":"in","value":["web","weibo"]}`)); page.Count.Value != 225 {
			t.Errorf("count = %+v", page.Count)
		}
	})
	t.Run("created", func(t *testing.T) {
		at := m.one(m.Customers[100].ID).CreatedAt
		after := m.list(found(t, `{"field":"created_at","op":"after","value":%q}`, at.Format(time.RFC3339Nano)))
		before := m.list(found(t, `{"field":"created_at","op":"before","value":%q}`, at.Format(time.RFC3339Nano)))
		if after.Count.Value+before.Count.Value != 450 || before.Count.Value > 100 {
			t.Errorf("%d from then on, %d before", after.Count.Value, before.Count.Value)
		}
		if page := m.list(found(t, `{"field":"created_at","op":"after","value":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))); len(page.Items) != 0 {
			t.Error("customers from the future")
		}
		if page := m.list(found(t, `{"field":"created_at","op":"before","value":%q}`, time.Now().Add(-time.Hour).Format(time.RFC3339))); len(page.Items) != 0 {
			t.Error("customers from before")
		}
	})
	t.Run("last session", func(t *testing.T) {
		for _, n := range []int{3, 400, 20} {
			m.OpenSession(m.Customers[n])
			m.Flush()
		}
		m.sync(projections.CustomersName)
		var seen []uuid.UUID
		q := projections.ListQuery{Sort: projections.SortLastSessionDesc, Limit: 101}
		last := time.Now().Add(time.Hour)
		for {
			page := m.list(q)
			for _, c := range page.Items {
				seen = append(seen, c.ID)
				at := time.Time{}
				if c.LastSessionAt != nil {
					at = *c.LastSessionAt
				}
				if at.After(last) {
					t.Fatal("not sorted by the last session")
				}
				last = at
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		slices.SortFunc(seen, func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) })
		if len(seen) != 450 || len(slices.Compact(seen)) != 450 {
			t.Errorf("%d customers, some twice", len(seen))
		}
		first := found(t, `{"all":[{"field":"tags","op":"has_any","value":[%q]},{"field":"nickname","op":"contains","value":"客户"}]}`, vip)
		first.Sort, first.Limit = projections.SortLastSession, 1
		oldest := m.list(first)
		if len(oldest.Items) != 1 || oldest.Items[0].LastSessionAt != nil {
			t.Errorf("the first is not one without a session: %+v", oldest.Items)
		}
	})
	t.Run("what the list does not know", func(t *testing.T) {
		for _, q := range []projections.ListQuery{{Cursor: "x"}, {Cursor: m.list(projections.ListQuery{}).Next, Sort: projections.SortCreated}} {
			if _, err := m.customers.List(t.Context(), tenant, q); !errors.Is(err, projections.ErrCursor) {
				t.Errorf("cursor %q: %v", q.Cursor, err)
			}
		}
		if _, err := m.customers.List(t.Context(), tenant, projections.ListQuery{Sort: "name"}); !errors.Is(err, projections.ErrSort) {
			t.Errorf("sort: %v", err)
		}
	})
}

// Erasing a person destroys the key: what a rebuild shows then holds nothing personal, and the counts stay.
func TestErasedCustomerKeepsOnlyCounts(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	p := world.NewCustomer("王小明", world.NewTag("VIP"))
	world.Rename(p, "王大明")
	world.OpenSession(p)
	if _, err := store.Pool().Exec(t.Context(), `delete from customer_keys where customer = $1`, p.ID); err != nil {
		t.Fatal(err)
	}
	again := eventstoretest.On(t, store.Pool(), projectionstest.Codec()) // a process that never saw the key
	run, err := projector.New(projector.Config{Store: again, Definitions: projections.Definitions()})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	if _, fresh, err := run.WaitFor(t.Context(), projections.CustomersName, tenant, world.Head(), 10*time.Second); !fresh || err != nil {
		t.Fatal(fresh, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c, err := projections.NewCustomers(again, run, projections.NewCatalogues(again)).One(t.Context(), tenant, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	empty := projections.CustomerProfile{Custom: c.Profile.Custom}
	if c.ExternalID != "" || fmt.Sprint(c.Profile) != fmt.Sprint(empty) || string(c.Profile.Custom) != "{}" {
		t.Errorf("personal data is left: %+v", c)
	}
	if c.SessionCount != 1 || c.MessageCount != 1 || len(c.Tags) != 1 || c.Channel != "app" {
		t.Errorf("more than personal data is gone: %+v", c)
	}
	if parked, err := run.Parked(t.Context(), projections.CustomersName, tenant); err != nil || len(parked) != 0 {
		t.Errorf("parked: %+v, %v", parked, err)
	}
}
