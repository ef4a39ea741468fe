package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/projections"
)

func TestTheSameRequestIsCarriedOutOnce(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	keyed := func(method, path string, body any, key string) reply {
		t.Helper()
		return w.do(call{as: "acme/admin", method: method, path: path, body: body, headers: map[string]string{"Idempotency-Key": key}})
	}
	head := func() int64 {
		t.Helper()
		h, err := w.store.Head(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := keyed("POST", "/v1/tags", TagInput{"VIP"}, "k1").want(http.StatusCreated)
	before := head()
	again := keyed("POST", "/v1/tags", TagInput{"VIP"}, "k1").want(http.StatusCreated)
	if string(again.body) != string(first.body) || again.position() != first.position() || head() != before {
		t.Errorf("first %s at %d, then %s at %d", first.body, first.position(), again.body, again.position())
	}
	keyed("POST", "/v1/tags", TagInput{"other"}, "k1").refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
	// Another door, another person and another tenant have keys of their own.
	keyed("POST", "/v1/associations", AssociationInput{"web", "two.example", "Two"}, "k1").want(http.StatusCreated)
	w.do(call{as: "other/admin", method: "POST", path: "/v1/tags", body: TagInput{"VIP"}, headers: map[string]string{"Idempotency-Key": "k1"}}).want(http.StatusCreated)

	// A refusal is an answer, too, and stays one when the reason has gone.
	keyed("POST", "/v1/tags", TagInput{"vip"}, "k2").refused(http.StatusConflict, "TAG_EXISTS", "name")
	tag := first.get("id").(string)
	w.admin("DELETE", "/v1/tags/"+tag, nil).want(http.StatusNoContent)
	keyed("POST", "/v1/tags", TagInput{"vip"}, "k2").refused(http.StatusConflict, "TAG_EXISTS", "name")
	w.admin("POST", "/v1/tags", TagInput{"vip"}).want(http.StatusCreated)

	// The address belongs to the request.
	one, two := w.customer("acme/admin", "one", "x"), w.customer("acme/admin", "two", "x")
	change := edit(map[string]*string{"name": ptr("n")})
	keyed("PATCH", "/v1/customers/"+one, change, "k3").want(http.StatusOK)
	keyed("PATCH", "/v1/customers/"+two, change, "k3").refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")

	// Many at once.
	ids := make([]string, 16)
	var together sync.WaitGroup
	for i := range ids {
		together.Go(func() {
			r := keyed("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": "crowd"}, "k4")
			if r.status != http.StatusCreated {
				t.Errorf("got %d %s", r.status, r.body)
				return
			}
			ids[i] = r.get("id").(string)
		})
	}
	together.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("got %v", ids)
		}
	}
}

func TestReadsWaitForTheOwnWrite(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	for i := range 5 {
		sent := w.channel(message(fmt.Sprint("m", i), fmt.Sprint("v", i), "hello")).want(http.StatusOK)
		path := "/v1/sessions/" + sent.get("session_id").(string)
		got := w.do(call{as: "acme/admin", method: "GET", path: path, headers: map[string]string{"X-After-Position": strconv.FormatInt(sent.position(), 10)}}).want(http.StatusOK)
		if got.get("message_count") != 1.0 || got.header.Get("X-Stale") != "" || got.position() < sent.position() {
			t.Errorf("got %s at %d", got.body, got.position())
		}
	}
}

// TestAReadThatWaitsInVainSaysSo asks for a position when nothing feeds the lists.
func TestAReadThatWaitsInVainSaysSo(t *testing.T) {
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	began := time.Now()
	got := w.admin("GET", "/v1/customers?filter={}&after_position=1", nil).want(http.StatusOK)
	took := time.Since(began)
	if got.header.Get("X-Stale") != "true" || got.position() != 0 || took < waitFor || took > waitFor+2*time.Second {
		t.Errorf("stale %q at %d after %v", got.header.Get("X-Stale"), got.position(), took)
	}
	// A write is answered all the same, with the id and the word that the list does not show it yet.
	made := w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": "a"}).want(http.StatusCreated)
	if _, err := uuid.Parse(made.get("id").(string)); err != nil || made.header.Get("X-Stale") != "true" || made.position() != 5 {
		t.Errorf("made %s at %d", made.body, made.position())
	}
	// So is one to a session, and one that is repeated.
	sent := w.channel(message("m1", "v1", "hello")).want(http.StatusOK)
	path := "/v1/sessions/" + sent.get("session_id").(string)
	accept := func() reply {
		t.Helper()
		r := w.do(call{as: "acme/agent", method: "POST", path: path + "/accept", headers: map[string]string{"Idempotency-Key": "k"}}).want(http.StatusOK)
		if r.get("id") != sent.get("session_id") || r.get("customer_id") != sent.get("customer_id") || r.header.Get("X-Stale") != "true" || r.position() != sent.position()+1 {
			t.Errorf("accepted %s, stale %q at %d", r.body, r.header.Get("X-Stale"), r.position())
		}
		return r
	}
	accept()
	// Not even a list that cannot be read makes a write fail.
	for _, name := range []string{projections.CustomersName, projections.SessionsName} {
		build, err := w.projector.Live(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Pool().Exec(t.Context(), "drop schema "+pgx.Identifier{build.Schema}.Sanitize()+" cascade"); err != nil {
			t.Fatal(err)
		}
	}
	accept()
	edited := w.admin("PATCH", "/v1/customers/"+made.get("id").(string), edit(map[string]*string{"name": ptr("n")})).want(http.StatusOK)
	if edited.get("id") != made.get("id") || edited.header.Get("X-Stale") != "true" || edited.position() != sent.position()+2 {
		t.Errorf("edited %s at %d", edited.body, edited.position())
	}
	// Whose a session is, is known from the log.
	w.do(call{as: "acme/agent", method: "POST", path: path + "/transfer", body: TransferInput{"agent-2"}}).want(http.StatusOK)
	w.do(call{as: "acme/agent", method: "POST", path: path + "/close"}).refused(http.StatusForbidden, "FORBIDDEN", "")
	// Catalogues are read from the log.
	if tags := w.admin("GET", "/v1/associations?after_position=4", nil).want(http.StatusOK); tags.get("count.value") != 4.0 || tags.header.Get("X-Stale") != "" {
		t.Errorf("got %s", tags.body)
	}
}

func TestReadiness(t *testing.T) {
	w := start(t, options{})
	well := true
	w.core.Checks = []Check{
		{Name: "database", Look: func(ctx context.Context) (bool, string) { return w.store.Pool().Ping(ctx) == nil, "Asked." }},
		{Name: "relay", Look: func(context.Context) (bool, string) { return well, "Looked at." }},
	}
	ready := func(status int) reply {
		t.Helper()
		return w.do(call{method: "GET", path: "/readyz"}).want(status)
	}
	if r := ready(http.StatusOK); r.get("ready") != true || r.get("checks.0.name") != "database" || r.get("checks.1.detail") != "Looked at." {
		t.Errorf("got %s", r.body)
	}
	well = false
	if r := ready(http.StatusServiceUnavailable); r.get("ready") != false || r.get("checks.1.well") != false || r.get("checks.0.well") != true {
		t.Errorf("got %s", r.body)
	}
	well = true
	ready(http.StatusOK)
	w.store.Pool().Close()
	if r := ready(http.StatusServiceUnavailable); r.get("checks.0.well") != false {
		t.Errorf("got %s", r.body)
	}
	// Requests say that it may help to try again, not why.
	r := w.admin("GET", "/v1/tags", nil)
	if r.status != http.StatusServiceUnavailable && r.status != http.StatusInternalServerError {
		t.Errorf("got %d %s", r.status, r.body)
	}
	w.do(call{method: "GET", path: "/livez"}).want(http.StatusOK)
}

func TestMetrics(t *testing.T) {
	w := start(t, options{})
	w.admin("GET", "/v1/tags", nil).want(http.StatusOK)
	w.admin("GET", "/v1/customers/13800001234", nil)
	w.do(call{as: "acme/admin", method: "GET", path: "/v1/13800001234"})
	got := w.do(call{method: "GET", path: "/metrics"}).want(http.StatusOK)
	if !strings.Contains(string(got.body), `customercenter_http_request_seconds_count{route="GET /v1/tags",status="200"} 1`) {
		t.Errorf("got %s", got.body)
	}
	if strings.Contains(string(got.body), "13800001234") {
		t.Error("an address is in the metrics")
	}
}

// TestTheLogTellsNothingPersonal makes requests that carry personal data wherever it can be carried, and reads the log.
func TestTheLogTellsNothingPersonal(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	const secret = "secret-13800001234"
	w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": secret, "nickname": secret, "profile": map[string]any{"phone": secret}}).want(http.StatusCreated)
	w.admin("POST", "/v1/customers", map[string]any{"association_id": 1, "external_id": secret}).refused(http.StatusConflict, "CUSTOMER_EXISTS", "")
	w.admin("POST", "/v1/customers", `{"association_id":"`+secret+`"`)
	w.admin("POST", "/v1/customers", `{"`+secret+`":"`+secret+`"}`)
	w.admin("POST", "/v1/customers", "\""+secret+"\xff\"")
	w.admin("GET", `/v1/customers?filter={"field":"external_id","op":"contains","value":"`+secret+`"}`, nil).want(http.StatusOK)
	w.admin("GET", "/v1/customers?"+secret+"=1", nil)
	w.admin("GET", "/v1/customers?cursor="+secret, nil)
	w.admin("GET", "/v1/events?stream="+secret, nil)
	w.admin("GET", "/v1/"+secret, nil)
	w.admin("GET", "/v1/tags/"+secret, nil)
	w.channel(message("m1", secret, secret)).want(http.StatusOK)
	w.channel(message("m2", secret+" ", secret))
	w.channel("{" + secret)
	w.do(call{as: secret, method: "GET", path: "/v1/tags"})
	w.do(call{as: "acme/admin", method: "GET", path: "/v1/tags", headers: map[string]string{"User-Agent": secret, "Referer": "https://" + secret, "Accept-Language": secret}})
	if log := w.log.String(); strings.Contains(log, secret) || strings.Contains(log, "13800001234") {
		for line := range strings.Lines(log) {
			if strings.Contains(line, "13800001234") {
				t.Errorf("the log says: %s", line)
			}
		}
	} else if !strings.Contains(log, `route="GET /v1/tags/{id}"`) || !strings.Contains(log, "tenant=acme") || !strings.Contains(log, "status=201") {
		t.Errorf("the log does not say what it should: %s", log)
	}
	for _, token := range w.bearer {
		if strings.Contains(w.log.String(), token[3:]) {
			t.Error("a token is in the log")
		}
	}
}
