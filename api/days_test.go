package api

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// Customers and sessions are counted on the days that they have in the tenant's zone; at once after what was written, and of one's own tenant.
func TestCountsPerDay(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	for _, text := range []string{"hello", "again"} {
		w.session("acme/admin", "v1", text)
	}
	w.session("acme/admin", "v2", "hello")
	head := w.head("acme")
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	today := func() string { return time.Now().In(zone).Format(time.DateOnly) }
	for _, path := range []string{"/v1/customers/per-day", "/v1/sessions/per-day"} {
		before := today()
		got := w.read("acme/analyst", path+"?days=2", head, "en").want(http.StatusOK)
		month := w.admin("GET", path, nil).want(http.StatusOK)
		days := []string{before, today()} // two of them if midnight comes in between
		if !slices.Contains(days, got.get("items.1.date").(string)) || got.get("items.0.count").(float64)+got.get("items.1.count").(float64) != 2 || got.get("items.2") != nil {
			t.Errorf("%s: %s", path, got.body)
		}
		if !slices.Contains(days, month.get("items.29.date").(string)) || month.get("items.30") != nil {
			t.Errorf("%s: %s", path, month.body)
		}
		if other := w.do(call{as: "other/admin", method: "GET", path: path}).want(http.StatusOK); other.get("items.29.count") != 0.0 {
			t.Errorf("%s of another tenant: %s", path, other.body)
		}
		for _, n := range []string{"0", "367", "x"} {
			w.admin("GET", path+"?days="+n, nil).refused(http.StatusUnprocessableEntity, "VALIDATION", "query.days")
		}
		w.do(call{as: "acme/agent", method: "GET", path: path}).refused(http.StatusForbidden, "FORBIDDEN", "")
	}
}
