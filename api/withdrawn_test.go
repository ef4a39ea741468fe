package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
)

// Who was withdrawn is not found; what there was is told in the history of whoever comes back.
func TestWithdrawnCustomers(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id, err := w.center.CustomerID(t.Context(), "acme", 1, "visitor_1")
	if err != nil {
		t.Fatal(err)
	}
	by := uuid.New()
	done, err := w.store.Append(t.Context(), eventstore.Append{
		Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "admin", ID: "admin-1"}, NewCustomers: []eventstore.NewCustomer{{ID: id, Generation: 1}},
		Streams: []eventstore.StreamAppend{{Stream: customer.Stream(id), Events: []eventstore.NewEvent{
			{Customer: id, Payload: customer.Created{Association: 1, Channel: "web", ExternalID: "visitor_1", Profile: customer.Profile{Nickname: "小王"}, Via: customer.ViaImport, Import: by, Generation: 1}},
			{Customer: id, Payload: customer.Withdrawn{Import: by}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/customers/" + id.String()
	for _, below := range []string{"", "/history", "/groups", "/transcript"} {
		w.read("acme/admin", path+below, done.Last, "en").refused(http.StatusNotFound, "NOT_FOUND", "")
	}
	w.admin("PATCH", path, map[string]any{"profile": map[string]any{"name": "x"}}).refused(http.StatusNotFound, "NOT_FOUND", "")

	made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": "visitor_1"}).want(http.StatusCreated)
	if made.get("id") != id.String() {
		t.Errorf("somebody else: %s", made.body)
	}
	english := texts(w.read("acme/admin", path+"/history", made.position(), "en").lines())
	if len(english) != 3 || english[1] != "The customer was withdrawn: the import "+by.String()+" was reverted." {
		t.Errorf("in English: %q", english)
	}
	chinese := texts(w.read("acme/admin", path+"/history?type=customer.withdrawn", made.position(), "zh").lines())
	same(t, "in Chinese", chinese, []string{"客户已被撤回：导入 " + by.String() + " 已撤销。"})
}
