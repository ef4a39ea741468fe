package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/projections"
)

// A build that stands beside is compared, put to use, and removed when it is not used any more.
func TestBuildsAreComparedSwitchedAndDropped(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.session("acme/admin", "v1", "hello")
	operator := func(action string, build int64) reply {
		return w.do(call{as: "acme/operator", method: "POST", path: "/v1/projections/sessions/" + action, body: BuildInput{Build: build}})
	}
	live, err := w.core.Projector.Live(t.Context(), projections.SessionsName)
	if err != nil {
		t.Fatal(err)
	}
	built, err := w.core.Projector.Rebuild(t.Context(), projections.SessionsName, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := operator("verify", built.ID).want(http.StatusOK); string(r.body) != "{\"status\":\"compared\",\"differences\":[]}\n" {
		t.Errorf("equal builds: %s", r.body)
	}
	if _, err := w.store.Pool().Exec(t.Context(), fmt.Sprintf(`update %q.session set message_count = 7`, built.Schema)); err != nil {
		t.Fatal(err)
	}
	if r := operator("verify", built.ID).want(http.StatusOK); r.get("differences.0.table") != "session" || r.get("differences.0.tenant") != "acme" {
		t.Errorf("other builds: %s", r.body)
	}
	operator("verify", live.ID).refused(http.StatusConflict, "BUILD_UNKNOWN", "") // it stands beside nothing
	operator("drop", live.ID).refused(http.StatusConflict, "BUILD_UNKNOWN", "")
	operator("switch", built.ID).want(http.StatusNoContent)
	if now, err := w.core.Projector.Live(t.Context(), projections.SessionsName); err != nil || now.ID != built.ID {
		t.Errorf("served: %d, %v", now.ID, err)
	}
	operator("switch", live.ID).want(http.StatusNoContent) // back
	operator("drop", built.ID).want(http.StatusNoContent)
	operator("switch", built.ID).refused(http.StatusConflict, "BUILD_UNKNOWN", "")
	w.do(call{as: "acme/operator", method: "POST", path: "/v1/projections/nosuch/switch", body: BuildInput{Build: 1}}).refused(http.StatusNotFound, "NOT_FOUND", "")
}

func TestParkedCustomersAreListedAndFoldedAnew(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id, _ := w.session("acme/admin", "v1", "hello")
	live, err := w.core.Projector.Live(t.Context(), projections.CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), `insert into parked_customers (build, tenant, customer, position, type, reason) values ($1, 'acme', $2, 8, 'customer.tagged', 'a test')`,
		live.ID, id); err != nil {
		t.Fatal(err)
	}
	const path = "/v1/projections/customers/"
	for _, as := range []string{"acme/admin", "acme/operator"} {
		if r := w.do(call{as: as, method: "GET", path: path + "parked"}).want(http.StatusOK); r.get("items.0.customer") != id || r.get("items.0.reason") != "a test" {
			t.Errorf("%s sees %s", as, r.body)
		}
	}
	if r := w.do(call{as: "other/admin", method: "GET", path: path + "parked"}).want(http.StatusOK); strings.Contains(string(r.body), id) {
		t.Errorf("another tenant sees %s", r.body)
	}
	retry := func() reply {
		return w.do(call{as: "acme/operator", method: "POST", path: path + "retry", body: RetryInput{Tenant: "acme", CustomerID: uuid.MustParse(id)}})
	}
	retry().want(http.StatusNoContent)
	retry().refused(http.StatusConflict, "NOT_PARKED", "")
	if r := w.admin("GET", path+"parked", nil).want(http.StatusOK); r.get("items.0") != nil {
		t.Errorf("still %s", r.body)
	}
}

func TestWhoSeesWhichLag(t *testing.T) {
	w := start(t, options{})
	w.core.Lags = []func(context.Context) ([]Lag, error){func(context.Context) ([]Lag, error) {
		return []Lag{{Part: "relay", Tenant: "acme", Position: 7, Head: 9, LagEvents: 2, LagSeconds: time.Minute.Seconds()}, {Part: "relay", Tenant: "other"}}, nil
	}}
	if r := w.admin("GET", "/v1/lag", nil).want(http.StatusOK); r.get("items.0.lag_events") != 2.0 || r.get("items.1") != nil {
		t.Errorf("an admin sees %s", r.body)
	}
	if r := w.do(call{as: "acme/operator", method: "GET", path: "/v1/lag"}).want(http.StatusOK); r.get("items.1.tenant") != "other" {
		t.Errorf("an operator sees %s", r.body)
	}
}
