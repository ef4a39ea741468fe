package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"customercenter/domain/view"
)

func TestAViewsLife(t *testing.T) {
	w := start(t, options{idle: true})
	group := w.admin("POST", "/v1/groups", groupInput("Listed", listed)).want(http.StatusCreated).get("id").(string)
	inGroup := `{"all":[{"field":"groups","op":"has_any","value":["` + group + `"]}]}`
	bare := w.admin("POST", "/v1/views", map[string]any{"name": "Everybody"}).want(http.StatusCreated)
	if bare.get("sort") != "-created_at" || bare.get("shared") != false || bare.get("mine") != true || !reflect.DeepEqual(bare.get("filter"), map[string]any{}) ||
		!reflect.DeepEqual(bare.get("columns"), []any{}) || bare.get("owner.kind") != "admin" || bare.get("owner.id") != "admin-1" {
		t.Errorf("a view that says nothing: %s", bare.body)
	}
	made := w.admin("POST", "/v1/views", map[string]any{"name": "Of the group", "filter": json.RawMessage(inGroup), "sort": "nickname",
		"columns": []string{"nickname", "tags", "last_session_at"}, "shared": true}).want(http.StatusCreated)
	path := "/v1/views/" + made.get("id").(string)
	if made.header.Get("Location") != path || made.get("filter.all.0.value.0") != group || made.get("sort") != "nickname" || made.get("columns.2") != "last_session_at" ||
		made.get("shared") != true || !strings.Contains(made.get("description").(string), "Listed") {
		t.Errorf("saved: %v %s", made.header, made.body)
	}
	tag := made.header.Get("ETag")
	changed := w.do(call{as: "acme/admin", method: "PATCH", path: path, body: map[string]any{"columns": []string{"phone"}, "shared": false}, headers: map[string]string{"If-Match": tag}}).want(http.StatusOK)
	if changed.get("name") != "Of the group" || changed.get("columns.0") != "phone" || changed.get("columns.1") != nil || changed.get("shared") != false ||
		changed.get("filter.all.0.value.0") != group || changed.header.Get("ETag") == tag {
		t.Errorf("changed: %s", changed.body)
	}
	w.do(call{as: "acme/admin", method: "PATCH", path: path, body: map[string]any{"name": "x"}, headers: map[string]string{"If-Match": tag}}).
		refused(http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")

	// A group that goes leaves the view as it is.
	w.admin("DELETE", "/v1/groups/"+group, nil).want(http.StatusNoContent)
	w.admin("PATCH", path, map[string]any{"name": "Of no group"}).want(http.StatusOK)
	w.admin("PATCH", path, map[string]any{"filter": json.RawMessage(inGroup)}).want(http.StatusOK) // a form sends back what it has not touched
	w.admin("PATCH", path, map[string]any{"filter": json.RawMessage(`{"any":[` + inGroup + `]}`)}).
		refused(http.StatusUnprocessableEntity, "GROUP_UNKNOWN", "filter.any[0].all[0].value[0]")
	// A list by it is refused, and says which condition has to go; without that one it is a list again.
	byView := map[string]any{"filter": w.admin("GET", path, nil).want(http.StatusOK).get("filter"), "sort": "nickname"}
	w.admin("POST", "/v1/customers/search", byView).refused(http.StatusUnprocessableEntity, "GROUP_UNKNOWN", "filter.all[0].value[0]")
	byView["filter"] = map[string]any{"all": []any{}}
	w.admin("POST", "/v1/customers/search", byView).want(http.StatusOK)
	if list := w.admin("GET", "/v1/views", nil).want(http.StatusOK); list.get("count.value") != 2.0 || list.get("items.1.name") != "Of no group" {
		t.Errorf("the list is %s", list.body)
	}
	w.admin("DELETE", path, nil).want(http.StatusNoContent)
	w.admin("GET", path, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

func TestWhatNoViewCanBe(t *testing.T) {
	w := start(t, options{idle: true})
	w.admin("POST", "/v1/views", map[string]any{"name": "Mine"}).want(http.StatusCreated)
	head := w.head("acme")
	for what, c := range map[string]struct {
		body     map[string]any
		code, at string
	}{
		"no name":           {map[string]any{}, "VALIDATION", "name"},
		"an empty name":     {map[string]any{"name": " "}, "VALIDATION", "name"},
		"a broken filter":   {map[string]any{"name": "x", "filter": json.RawMessage(`{"all":[{"field":"name","op":"like","value":"a"}]}`)}, "VALIDATION", "filter.all[0].op"},
		"a filter as text":  {map[string]any{"name": "x", "filter": "{}"}, "VALIDATION", "filter"},
		"an unknown order":  {map[string]any{"name": "x", "sort": "phone"}, "VALIDATION", "sort"},
		"an unknown column": {map[string]any{"name": "x", "columns": []string{"name", "any_text"}}, "VALIDATION", "columns[1]"},
		"a column twice":    {map[string]any{"name": "x", "columns": []string{"name", "name"}}, "VALIDATION", "columns[1]"},
		"too many columns":  {map[string]any{"name": "x", "columns": make([]string, view.MaxColumns+1)}, "VALIDATION", "columns"},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			w.admin("POST", "/v1/views", c.body).refused(http.StatusUnprocessableEntity, c.code, c.at)
		})
	}
	w.admin("POST", "/v1/views", map[string]any{"name": "ＭＩＮＥ"}).refused(http.StatusConflict, "VIEW_EXISTS", "name")
	w.admin("PATCH", "/v1/views/00000000-0000-0000-0000-000000000000", map[string]any{"name": "x"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	if after := w.head("acme"); after != head {
		t.Errorf("the log went from %d to %d", head, after)
	}
	for range view.MaxOwned - 1 {
		w.made++
		w.admin("POST", "/v1/views", map[string]any{"name": fmt.Sprint("view ", w.made)}).want(http.StatusCreated)
	}
	w.admin("POST", "/v1/views", map[string]any{"name": "one too many"}).refused(http.StatusConflict, "LIMIT_REACHED", "")
}

// A private view is its owner's, a shared one everybody's; sharing is the admin's.
func TestViewsAreSeenByOwners(t *testing.T) {
	w := start(t, options{idle: true})
	const needle = "13800138000"
	agent := func(method, path string, body any) reply {
		return w.do(call{as: "acme/agent", method: method, path: path, body: body})
	}
	agent("GET", "/v1/views", nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	w.letAgents(true, false)

	mine := "/v1/views/" + agent("POST", "/v1/views", map[string]any{"name": "Mine"}).want(http.StatusCreated).get("id").(string)
	theirs := "/v1/views/" + w.admin("POST", "/v1/views", map[string]any{"name": "Mine"}).want(http.StatusCreated).get("id").(string)
	shared := "/v1/views/" + w.admin("POST", "/v1/views", map[string]any{"name": "Ours", "shared": true,
		"filter": json.RawMessage(`{"field":"phone","op":"contains","value":"` + needle + `"}`)}).want(http.StatusCreated).get("id").(string)
	agent("POST", "/v1/views", map[string]any{"name": "Shared", "shared": true}).refused(http.StatusForbidden, "FORBIDDEN", "shared")
	agent("PATCH", mine, map[string]any{"shared": true}).refused(http.StatusForbidden, "FORBIDDEN", "shared")

	for as, want := range map[string]struct {
		views  int
		needle bool
	}{"acme/agent": {2, true}, "acme/admin": {2, true}, "acme/analyst": {1, false}, "other/admin": {0, false}} {
		if list := w.do(call{as: as, method: "GET", path: "/v1/views"}).want(http.StatusOK); list.get("count.value") != float64(want.views) ||
			strings.Contains(string(list.body), needle) != want.needle {
			t.Errorf("%s sees %s", as, list.body)
		}
	}
	for path, status := range map[string]int{mine: http.StatusOK, theirs: http.StatusNotFound, shared: http.StatusOK} {
		if got := agent("GET", path, nil); got.status != status {
			t.Errorf("an agent gets %d: %s", got.status, got.body)
		}
	}
	agent("PATCH", shared, map[string]any{"name": "x"}).refused(http.StatusForbidden, "FORBIDDEN", "")
	agent("DELETE", shared, nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	agent("DELETE", theirs, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("PATCH", mine, map[string]any{"name": "x"}).refused(http.StatusNotFound, "NOT_FOUND", "")
	agent("PATCH", mine, map[string]any{"name": "My own"}).want(http.StatusOK)
	w.admin("DELETE", mine, nil).want(http.StatusNoContent) // it may stand in the way of removing a field
	agent("GET", mine, nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}
