package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"customercenter/api/access"
)

// foreign is what the test of tenants has of the tenant that must not be seen.
type foreign struct {
	things belongings
	marks  []string // ids and names that are found nowhere else
}

// leaks returns a mark that an answer holds, unless the request had it already.
func (f foreign) leaks(answer reply, sent ...string) string {
	var headers bytes.Buffer
	if err := answer.header.Write(&headers); err != nil {
		return err.Error()
	}
	said := string(answer.body) + headers.String()
	for _, mark := range f.marks {
		if strings.Contains(said, mark) && !slices.ContainsFunc(sent, func(s string) bool { return strings.Contains(s, mark) }) {
			return mark
		}
	}
	return ""
}

// neighbours makes everything in the tenants acme and other, and returns acme's things and what is other's. Nothing that is other's
// exists at acme, numbers of associations neither.
func neighbours(w *world) (belongings, foreign) {
	w.t.Helper()
	w.associations("acme/admin")
	w.associations("other/admin")
	mine := w.planted("acme", "agent-1")
	for range 3 { // so that other's last association has a number that acme has not
		w.planted("other", "agent-1")
	}
	theirs := w.planted("other", "agent-1")
	theirs["channels"] = theirs["associations"]
	if mine["associations"] == theirs["associations"] {
		w.t.Fatal("the associations have one number")
	}
	f := foreign{things: theirs, marks: []string{"secret-of-other"}}
	for segment, id := range theirs {
		if !slices.Contains([]string{"associations", "channels", "projections", "tenants", "entitlements"}, segment) { // numbers and known names
			f.marks = append(f.marks, id)
		}
	}
	return mine, f
}

// TestNoRouteReachesAnotherTenant calls every route of the description with ids of another tenant: in the path, one of them or all, and
// in the body; as every role that may call it.
func TestNoRouteReachesAnotherTenant(t *testing.T) {
	w := start(t, options{})
	mine, theirs := neighbours(w)
	w.admin("PATCH", "/v1/settings", map[string]any{"agent_access": map[string]any{"customer_center": true, "blacklist": true}}).want(http.StatusOK)
	before := w.head("other")
	for _, r := range w.routes() {
		if !r.tenant {
			continue
		}
		for _, role := range access.Roles() {
			// An operator is of no tenant: that operators reach no tenant's data is the matrix of roles.
			if role == access.Operator || !access.May(role, r.OperationID) {
				continue
			}
			for _, ids := range mixed(mine.ids(t, r), theirs.things.ids(t, r)) {
				c := call{as: "acme/" + string(role), method: r.Method, path: r.address(ids...), body: w.body(r, theirs.things, true)}
				sent, err := json.Marshal(c.body)
				if err != nil {
					t.Fatal(err)
				}
				answer := w.do(c)
				if mark := theirs.leaks(answer, c.path, string(sent)); mark != "" {
					t.Errorf("%s %s as %s tells %q of another tenant: %s", c.method, c.path, role, mark, answer.body)
				}
				if len(ids) == 0 || ids[0] != theirs.things.ids(t, r)[0] || !tenants(r.segments()[0]) {
					continue
				}
				if answer.status == http.StatusNotFound || role != access.Admin && answer.status == http.StatusForbidden {
					continue
				}
				if r.OperationID == "list-customer-sessions" && role == access.Agent && answer.status == http.StatusOK && answer.get("items.0") == nil {
					continue // to an agent, a customer without own sessions and none at all look the same
				}
				t.Errorf("%s %s as %s: another tenant's id answers %d: %s", c.method, c.path, role, answer.status, answer.body)
			}
		}
	}
	if after := w.head("other"); after != before {
		t.Errorf("the other tenant's log went from %d to %d", before, after)
	}
	if r := w.do(call{as: "other/admin", method: "GET", path: "/v1/tokens"}).want(http.StatusOK); strings.Contains(string(r.body), `"revoked_at":"`) {
		t.Errorf("a token of the other tenant was revoked: %s", r.body)
	}
}

// tenants reports whether what stands after a segment of a path belongs to a tenant.
func tenants(segment string) bool { return segment != "projections" && segment != "tenants" }

// mixed are all lists that take each element from one of two lists, but the one that takes nothing from the second.
func mixed(mine, theirs []string) [][]string {
	if len(mine) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for choice := 1; choice < 1<<len(mine); choice++ {
		ids := slices.Clone(mine)
		for i := range ids {
			if choice&(1<<i) != 0 {
				ids[i] = theirs[i]
			}
		}
		all = append(all, ids)
	}
	return all
}

func (w *world) head(tenant string) int64 {
	w.t.Helper()
	head, err := w.store.Head(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

// TestNoQueryReachesAnotherTenant gives every parameter of every query that may hold an id or a cursor one of another tenant.
func TestNoQueryReachesAnotherTenant(t *testing.T) {
	w := start(t, options{})
	mine, theirs := neighbours(w)
	filter := func(field, op string, value any) string {
		text, err := json.Marshal(map[string]any{"all": []any{map[string]any{"field": field, "op": op, "value": value}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	asked := map[string]bool{}
	for _, r := range w.routes() {
		if !r.tenant || r.Method != http.MethodGet || !access.May(access.Admin, r.OperationID) {
			continue
		}
		for _, p := range r.Parameters {
			if p.In != "query" {
				continue
			}
			values, known := map[string][]string{
				"cursor": w.cursors(r, theirs.things), "before": w.cursors(r, theirs.things), "after": w.cursors(r, theirs.things),
				"filter":         {"{}", filter("tags", "has_any", []string{theirs.things["tags"]}), filter("external_id", "contains", "secret-of-other")},
				"q":              {"secret-of-other"},
				"stream":         {"customer-" + theirs.things["customers"], "session-" + theirs.things["sessions"]},
				"customer":       {theirs.things["customers"]},
				"association":    {"1"},
				"session":        {theirs.things["sessions"]},
				"ids":            {theirs.things["sessions"], theirs.things["sessions"] + "," + mine["sessions"]},
				"agent":          {"agent-1", "me"},
				"after_position": {"1"}, "days": {"7"}, "from": {"1"}, "to": {fmt.Sprint(w.head("other"))}, "as_of": {fmt.Sprint(w.head("other")), "1"}, "removed": {"true"},
			}[p.Name]
			if !known && len(w.resolved(p.Schema).Enum) == 0 && !slices.Contains([]string{"limit", "type", "sort", "facets", "score", "rated", "period", "min_score", "max_score", "rating"}, p.Name) {
				t.Errorf("%s has the parameter %q: say in foreign_test.go what of another tenant it could name, or that it names nothing", r, p.Name)
			}
			for _, value := range values {
				path := r.address(mine.ids(t, r)...) + "?" + p.Name + "=" + url.QueryEscape(value)
				answer := w.admin(http.MethodGet, path, nil)
				if mark := theirs.leaks(answer, value); mark != "" || answer.status >= 500 {
					t.Errorf("GET %s answers %d and tells %q of another tenant: %s", path, answer.status, mark, answer.body)
				}
				asked[p.Name] = true
			}
		}
	}
	for _, name := range []string{"cursor", "filter", "stream"} {
		if !asked[name] {
			t.Errorf("nothing was asked with %s", name)
		}
	}
	// A cursor in a body.
	page := w.do(call{as: "other/admin", method: "POST", path: "/v1/customers/search", body: map[string]any{"filter": map[string]any{}, "limit": 1}}).want(http.StatusOK)
	answer := w.admin("POST", "/v1/customers/search", map[string]any{"filter": map[string]any{}, "cursor": page.get("next")})
	if mark := theirs.leaks(answer); mark != "" {
		t.Errorf("a search goes on in another tenant and tells %q: %s", mark, answer.body)
	}
}

// cursors are those with which a list of the other tenant goes on.
func (w *world) cursors(r route, theirs belongings) []string {
	w.t.Helper()
	page := w.do(call{as: "other/admin", method: http.MethodGet, path: r.address(theirs.ids(w.t, r)...) + "?limit=1"})
	if page.status != http.StatusOK || page.header.Get("Content-Type") != "application/json" {
		return nil
	}
	var found []string
	for _, name := range []string{"next", "prev", "before", "after"} {
		if cursor, ok := page.get(name).(string); ok && cursor != "" {
			found = append(found, cursor)
		}
	}
	return found
}

// TestAKeyIsOfOneTenant sends the same write with the same key for two tenants: each gets its own answer.
func TestAKeyIsOfOneTenant(t *testing.T) {
	w := start(t, options{})
	_, theirs := neighbours(w)
	for _, c := range []call{
		{method: "POST", path: "/v1/tags", body: TagInput{"one name"}},
		{method: "POST", path: "/v1/customers", body: map[string]any{"association_id": 1, "external_id": "one-name"}},
		{method: "POST", path: "/v1/associations", body: AssociationInput{"web", "one.example", "One"}},
		{method: "POST", path: "/v1/tokens", body: TokenInput{Role: "agent", ActorID: "one"}},
	} {
		c.headers = map[string]string{"Idempotency-Key": "one-key"}
		c.as = "other/admin"
		first := w.do(c).want(http.StatusCreated)
		c.as = "acme/admin"
		second := w.do(c).want(http.StatusCreated)
		again := w.do(c).want(http.StatusCreated)
		if !bytes.Equal(second.body, again.body) {
			t.Errorf("%s: the same request got %s and %s", c.path, second.body, again.body)
		}
		if c.path != "/v1/associations" && first.get("id") == second.get("id") || first.get("token") != nil && first.get("token") == second.get("token") {
			t.Errorf("%s: two tenants got one answer: %s", c.path, second.body)
		}
		if mark := theirs.leaks(second); mark != "" {
			t.Errorf("%s tells %q", c.path, mark)
		}
	}
}

// TestATokenIsMadeForOwnAssociationsOnly asks for a channel's token for an association that only the other tenant has.
func TestATokenIsMadeForOwnAssociationsOnly(t *testing.T) {
	w := start(t, options{})
	_, theirs := neighbours(w)
	var number int
	fmt.Sscan(theirs.things["associations"], &number)
	w.admin("POST", "/v1/tokens", TokenInput{Role: "channel", ActorID: "shop", AssociationID: number}).refused(http.StatusUnprocessableEntity, "ASSOCIATION_UNKNOWN", "association_id")
	w.admin("POST", "/v1/customers", map[string]any{"association_id": number, "external_id": "x"}).refused(http.StatusUnprocessableEntity, "ASSOCIATION_UNKNOWN", "association_id")
	w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": "x", "tags": []string{theirs.things["tags"]}}).refused(http.StatusUnprocessableEntity, "TAG_UNKNOWN", "")
}
