package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/projections"
)

// verified waits until a read model was verified for acme after a moment, and returns what was found. Another tenant may come first.
func (w *world) verified(name string, after time.Time) reply {
	w.t.Helper()
	for w.t.Context().Err() == nil {
		r := w.do(call{as: "acme/operator", method: "GET", path: "/v1/projections/" + name + "/verify"}).want(http.StatusOK)
		at, _ := r.get("items.0.verified_at").(string)
		if when, err := time.Parse(time.RFC3339Nano, at); err == nil && when.After(after) && r.get("items.0.tenant") == "acme" {
			return r
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("not verified")
	return reply{}
}

func TestVerifyingAgainstTheLog(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	id, _ := w.session("acme/admin", "v1", "hello")
	verify := func(name string) reply {
		return w.do(call{as: "acme/operator", method: "POST", path: "/v1/projections/" + name + "/verify"})
	}
	began := time.Now()
	if r := verify("customers").want(http.StatusOK); r.get("status") != "started" {
		t.Errorf("begun: %s", r.body)
	}
	if r := w.verified("customers", began); r.get("items.0.tenant") != "acme" || r.get("items.0.differences.0") != nil || r.get("items.0.rows") == 0.0 {
		t.Errorf("found: %s", r.body)
	}
	live, err := w.core.Projector.Live(t.Context(), projections.CustomersName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Pool().Exec(t.Context(), fmt.Sprintf(`update %q.customer_activity set message_count = 7`, live.Schema)); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	for r := verify("customers"); r.status != http.StatusOK; r = verify("customers") {
		r.refused(http.StatusConflict, "ALREADY_RUNNING", "") // the tables of the first are being removed
	}
	if r := w.verified("customers", began); r.get("items.0.differences.0.table") != "customer_activity" || r.get("items.0.differences.0.keys.0") != id {
		t.Errorf("found: %s", r.body)
	}
	told := false
	list := w.admin("GET", "/v1/projections", nil).want(http.StatusOK)
	for i := 0; list.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
		told = told || list.get(fmt.Sprintf("items.%d.differing_tables", i)) == 1.0
	}
	if !told {
		t.Errorf("the list says %s", list.body)
	}
	if r := w.do(call{as: "other/admin", method: "GET", path: "/v1/projections/customers/verify"}).want(http.StatusOK); strings.Contains(string(r.body), id) {
		t.Errorf("another tenant sees %s", r.body)
	}
	verify("nosuch").refused(http.StatusNotFound, "NOT_FOUND", "")
	w.admin("GET", "/v1/projections/nosuch/verify", nil).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// Whose event can be applied no more, as what is stored of it is of no shape that the program knows: the customer goes on without it.
func TestSkippingWhatCannotBeApplied(t *testing.T) {
	t.Parallel() // it waits, most of the time
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": "v1"}).want(http.StatusCreated)
	id := made.get("id").(string)
	w.admin("PATCH", "/v1/customers/"+id, map[string]any{"profile": map[string]any{"name": "first"}}).want(http.StatusOK)
	w.admin("PATCH", "/v1/customers/"+id, map[string]any{"profile": map[string]any{"name": "second"}}).want(http.StatusOK)
	if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = 99 where type = 'customer.profile_changed' and position = (select min(position) from events where type = 'customer.profile_changed')`); err != nil {
		t.Fatal(err)
	}
	fed := w.feed()
	const path = "/v1/projections/customers/"
	skip := func(reason, key string) reply {
		return w.do(call{as: "acme/operator", method: "POST", path: path + "skip", headers: map[string]string{"Idempotency-Key": key},
			body: SkipInput{RetryInput: RetryInput{Tenant: "acme", CustomerID: uuid.MustParse(id)}, Reason: reason}})
	}
	fed()
	if r := w.admin("GET", path+"parked", nil).want(http.StatusOK); r.get("items.0.customer") != id {
		t.Fatalf("parked: %s", r.body)
	}
	skip(" ", "a").refused(http.StatusUnprocessableEntity, "VALIDATION", "reason")
	skip(strings.Repeat("因", 501), "b").refused(http.StatusUnprocessableEntity, "VALIDATION", "reason")
	first := skip("of a shape that nobody knows", "c").want(http.StatusOK)
	if first.get("positions.0") == nil || first.get("positions.1") != nil {
		t.Errorf("skipped: %s", first.body)
	}
	fed()
	if again := skip("of a shape that nobody knows", "c").want(http.StatusOK); string(again.body) != string(first.body) {
		t.Errorf("again: %s, first: %s", again.body, first.body)
	}
	skip("of a shape that nobody knows", "d").refused(http.StatusConflict, "NOT_PARKED", "")
	if r := w.admin("GET", path+"parked", nil).want(http.StatusOK); r.get("items.0") != nil {
		t.Errorf("still parked: %s", r.body)
	}
	if r := w.admin("GET", "/v1/customers/"+id, nil).want(http.StatusOK); r.get("profile.name") != "second" {
		t.Errorf("shown: %s", r.body)
	}
	// The history of the customer is parked for the same event.
	w.do(call{as: "acme/operator", method: "POST", path: "/v1/projections/history/skip",
		body: SkipInput{RetryInput: RetryInput{Tenant: "acme", CustomerID: uuid.MustParse(id)}, Reason: "of a shape that nobody knows"}}).want(http.StatusOK)
	fed()
	// Why is told to those who see personal data: people wrote it.
	for as, sees := range map[string]bool{"acme/admin": true, "acme/analyst": false} {
		for _, where := range []string{"/v1/events?type=projection.events_skipped", "/v1/customers/" + id + "/history"} {
			r := w.do(call{as: as, method: "GET", path: where}).want(http.StatusOK)
			if shown := strings.Contains(string(r.body), "of a shape that nobody knows"); shown != sees || !strings.Contains(string(r.body), "projection.events_skipped") {
				t.Errorf("%s, %s: %s", as, where, r.body)
			}
		}
	}
	built, err := w.core.Projector.Rebuild(t.Context(), projections.CustomersName, nil)
	if err != nil {
		t.Fatal(err)
	}
	if differences, err := w.core.Projector.Compare(t.Context(), projections.CustomersName, built.ID); err != nil || len(differences) > 0 {
		t.Errorf("%+v, %v", differences, err)
	}
}

// feed returns what feeds the read models to the end of the log.
func (w *world) feed() func() {
	hand := w.projector.ByHand()
	w.t.Cleanup(hand.Close)
	return func() {
		w.t.Helper()
		for more := true; more; {
			var err error
			if more, err = hand.Turn(w.t.Context(), "acme"); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}
