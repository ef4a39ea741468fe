package api

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain/customer"
)

// A tag is renamed and deleted in the catalogue alone. Every customer shows it at once all the same.
func TestTagsChangeEverywhereAtOnce(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	old := w.admin("POST", "/v1/tags", TagInput{"old"}).want(http.StatusCreated).get("id").(string)
	var ids []string
	for _, name := range []string{"visitor_1", "visitor_2", "visitor_3"} {
		made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 2, "external_id": name, "tags": []string{vip, old}}).want(http.StatusCreated)
		ids = append(ids, made.get("id").(string))
	}
	w.admin("DELETE", "/v1/customers/"+ids[0]+"/tags/"+vip, nil).want(http.StatusNoContent)
	w.admin("PUT", "/v1/customers/"+ids[1]+"/tags", map[string]any{"tags": []string{vip}}).want(http.StatusOK)
	last := w.admin("PUT", "/v1/customers/"+ids[1]+"/tags/"+vip, nil).want(http.StatusNoContent).position() // changes nothing

	// The catalogue counts who carries what.
	list := w.read("acme/admin", "/v1/tags", last, "en").want(http.StatusOK)
	if list.get("items.0.customers") != 2.0 || list.get("items.1.customers") != 2.0 || list.position() < last {
		t.Errorf("usage: %s", list.body)
	}
	if one := w.read("acme/admin", "/v1/tags/"+vip, last, "en").want(http.StatusOK); one.get("customers") != 2.0 || one.header.Get("ETag") != `"1"` {
		t.Errorf("usage of one: %s", one.body)
	}

	versions := func() (versions []int64) {
		for _, id := range ids {
			events, err := w.store.ReadStream(t.Context(), "acme", customer.Stream(uuid.MustParse(id)), 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			versions = append(versions, int64(len(events)))
		}
		return versions
	}
	before := versions()
	renamed := w.admin("PATCH", "/v1/tags/"+vip, TagInput{"重要客户"}).want(http.StatusOK)
	if renamed.get("customers") != 2.0 {
		t.Errorf("renamed: %s", renamed.body)
	}
	if got := w.read("acme/admin", "/v1/customers/"+ids[1], renamed.position(), "en").want(http.StatusOK); got.get("tags.0.name") != "重要客户" || got.get("tags.1") != nil {
		t.Errorf("the customer shows %s", got.body)
	}
	filter := func(tag string) string {
		return "/v1/customers?filter=" + url.QueryEscape(`{"all":[{"field":"tags","op":"has_any","value":["`+tag+`"]}]}`)
	}
	found := w.read("acme/admin", filter(vip), renamed.position(), "en").want(http.StatusOK)
	if found.get("count.value") != 2.0 || found.get("items.0.tags.0.name") == nil {
		t.Errorf("the list shows %s", found.body)
	}

	deleted := w.admin("DELETE", "/v1/tags/"+vip, nil).want(http.StatusNoContent).position()
	for _, id := range ids {
		got := w.read("acme/admin", "/v1/customers/"+id, deleted, "en").want(http.StatusOK)
		for _, tag := range got.get("tags").([]any) {
			if tag.(map[string]any)["id"] == vip {
				t.Errorf("the customer shows the deleted tag: %s", got.body)
			}
		}
	}
	w.admin("PUT", "/v1/customers/"+ids[0]+"/tags/"+vip, nil).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "")
	if list := w.read("acme/admin", "/v1/tags", deleted, "en").want(http.StatusOK); list.get("count.value") != 1.0 || list.get("items.0.name") != "old" {
		t.Errorf("the catalogue has %s", list.body)
	}
	if after := versions(); after[0] != before[0] || after[1] != before[1] || after[2] != before[2] {
		t.Errorf("customers' streams went from %v to %v", before, after)
	}
	w.read("acme/admin", filter(vip), deleted, "en").refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "filter.all[0].value[0]")
}

// Whoever edits what somebody else has changed meanwhile is told so, and nothing is changed.
func TestEditsOfCataloguesAreGuarded(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	tag := "/v1/tags/" + w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	w.admin("POST", "/v1/tags", TagInput{"another"}).want(http.StatusCreated) // no matter to the first
	for _, c := range []struct {
		path   string
		change any
		again  any
		delete bool
	}{
		{tag, TagInput{"SVIP"}, TagInput{"SSVIP"}, true},
		{"/v1/associations/2", NameInput{"Our app"}, NameInput{"The app"}, true},
		{"/v1/settings", map[string]any{"week_start": "sunday"}, map[string]any{"week_start": "friday"}, false},
	} {
		t.Run(c.path, func(t *testing.T) {
			guarded := func(method, etag string, body any) reply {
				return w.do(call{as: "acme/admin", method: method, path: c.path, body: body, headers: map[string]string{"If-Match": etag}})
			}
			seen := w.admin("GET", c.path, nil).want(http.StatusOK).header.Get("ETag")
			if seen == "" {
				t.Fatal("there is no ETag")
			}
			changed := guarded("PATCH", seen, c.change).want(http.StatusOK).header.Get("ETag")
			if changed == seen {
				t.Errorf("the ETag is %s still", changed)
			}
			guarded("PATCH", seen, c.again).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
			guarded("PATCH", `"0"`, c.again).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
			guarded("PATCH", "nonsense", c.again).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
			if now := w.admin("GET", c.path, nil).header.Get("ETag"); now != changed {
				t.Errorf("a refused edit left %s, not %s", now, changed)
			}
			if c.delete {
				guarded("DELETE", seen, nil).refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
				guarded("DELETE", changed, nil).want(http.StatusNoContent)
			} else {
				guarded("PATCH", "*", c.again).want(http.StatusOK)
			}
		})
	}
}
