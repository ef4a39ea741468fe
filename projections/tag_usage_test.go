package projections_test

import (
	"maps"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/projections"
)

func TestTagUsageCountsCustomers(t *testing.T) {
	m := newModel(t, 11)
	m.Run(1200)
	vip := m.NewTag("VIP")
	p := m.NewCustomer("A", vip)
	m.Append(customer.Stream(p.ID), p.ID, customer.Untagged{Tag: vip})
	m.Append(customer.Stream(p.ID), p.ID, customer.Tagged{Tag: vip})
	q := m.NewCustomer("B", vip)
	m.Append(customer.Stream(q.ID), q.ID, customer.Untagged{Tag: vip})
	m.sync(projections.CustomersName)

	want := map[uuid.UUID]int64{}
	for _, person := range m.Customers {
		for _, tag := range person.State.Tags {
			want[tag]++
		}
	}
	want[vip] = 1
	usage, err := m.customers.TagUsage(t.Context(), tenant, m.Tags)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 5 || !maps.Equal(usage, want) {
		t.Errorf("usage %v, want %v", usage, want)
	}
	if one, err := m.customers.TagUsage(t.Context(), tenant, []uuid.UUID{vip, uuid.New()}); err != nil || !maps.Equal(one, map[uuid.UUID]int64{vip: 1}) {
		t.Errorf("of one tag: %v, %v", one, err)
	}
	if other, err := m.customers.TagUsage(t.Context(), "other", m.Tags); err != nil || len(other) != 0 {
		t.Errorf("another tenant: %v, %v", other, err)
	}
}
