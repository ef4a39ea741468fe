package api

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/eventstore"
)

// letAgents sets what agents may do.
func (w *world) letAgents(customerCenter, blacklist bool) {
	w.t.Helper()
	w.admin("PATCH", "/v1/settings", map[string]any{"agent_access": map[string]any{"customer_center": customerCenter, "blacklist": blacklist}}).want(http.StatusOK)
}

// TestAgentsReachTheCustomersTheyServed has customers whom an agent serves, served, and has nothing to do with.
func TestAgentsReachTheCustomersTheyServed(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	g1 := w.token(access.New{Tenant: "acme", Role: access.Agent, Actor: "g1"})
	as := func(method, path string, body any) reply {
		t.Helper()
		return w.do(call{as: g1, method: method, path: path, body: body})
	}
	tag := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	ids, sessions := map[string]string{}, map[string]string{}
	for _, name := range []string{"served", "handed-on", "handed-over", "called", "aborted", "another", "waiting"} {
		if name == "called" {
			ids[name] = w.customer("acme/admin", name, name)
			continue
		}
		ids[name], sessions[name] = w.session("acme/admin", name, "hello")
	}
	accept := func(name, agent string) {
		t.Helper()
		w.admin("POST", "/v1/sessions/"+sessions[name]+"/accept", AcceptInput{agent}).want(http.StatusOK)
	}
	accept("served", "g1")
	w.admin("POST", "/v1/sessions/"+sessions["served"]+"/close", nil).want(http.StatusOK)
	accept("handed-on", "g1")
	w.admin("POST", "/v1/sessions/"+sessions["handed-on"]+"/transfer", TransferInput{"g2"}).want(http.StatusOK)
	accept("handed-over", "g2")
	w.admin("POST", "/v1/sessions/"+sessions["handed-over"]+"/transfer", TransferInput{"g1"}).want(http.StatusOK)
	accept("another", "g2")
	last := w.admin("POST", "/v1/sessions/"+sessions["aborted"]+"/abort", nil).want(http.StatusOK)
	w.seen(last.position())
	own := []string{"handed-on", "handed-over", "served"}

	requests := func(id, session string) []call {
		return []call{
			{method: "GET", path: "/v1/customers/" + id},
			{method: "PATCH", path: "/v1/customers/" + id, body: edit(map[string]*string{"qq": ptr("12345")})},
			{method: "PUT", path: "/v1/customers/" + id + "/tags", body: map[string]any{"tags": []string{tag}}},
			{method: "DELETE", path: "/v1/customers/" + id + "/tags/" + tag},
			{method: "PUT", path: "/v1/customers/" + id + "/tags/" + tag},
			{method: "PUT", path: "/v1/customers/" + id + "/blacklist", body: BlacklistInput{Reason: "x"}},
			{method: "DELETE", path: "/v1/customers/" + id + "/blacklist"},
			{method: "PUT", path: "/v1/sessions/" + session + "/blacklist", body: BlacklistInput{Reason: "x"}},
			{method: "POST", path: "/v1/customers/" + id + "/callback"},
		}
	}
	lists := []call{
		{method: "GET", path: "/v1/customers?filter={}"},
		{method: "POST", path: "/v1/customers/search", body: `{"filter":{}}`},
		{method: "GET", path: "/v1/blacklist"},
	}
	all := append(slices.Clone(lists), requests(ids["served"], sessions["served"])...)
	for _, c := range all { // by default agents have no customer center
		as(c.method, c.path, c.body).refused(http.StatusForbidden, "FORBIDDEN", "")
	}
	w.letAgents(false, true)
	for _, c := range all {
		as(c.method, c.path, c.body).refused(http.StatusForbidden, "FORBIDDEN", "")
	}

	w.letAgents(true, true)
	names := func(r reply) (names []string) {
		t.Helper()
		for i := 0; r.want(http.StatusOK).get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			names = append(names, r.get(fmt.Sprintf("items.%d.external_id", i)).(string))
		}
		slices.Sort(names)
		if r.get("count.value") != float64(len(names)) || r.get("count.exact") != true {
			t.Errorf("count %v of %v", r.get("count"), names)
		}
		return names
	}
	for filter, want := range map[string][]string{
		`{}`: own,
		`{"field":"any_text","op":"contains","value":"h"}`:                    {"handed-on", "handed-over"},
		`{"field":"created_at","op":"in","value":{"period":"this_week"}}`:     own,
		`{"field":"session_open","op":"is","value":true}`:                     {"handed-on", "handed-over"},
		`{"field":"session_open","op":"is","value":false}`:                    {"served"},
		`{"field":"ever_served","op":"is","value":false}`:                     nil,
		`{"all":[{"field":"external_id","op":"contains","value":"another"}]}`: nil,
		`{"all":[{"field":"external_id","op":"contains","value":"ed-over"}]}`: {"handed-over"},
	} {
		for _, sort := range []string{"-created_at", "last_session_at"} {
			if got := names(as("POST", "/v1/customers/search", `{"filter":`+filter+`,"sort":"`+sort+`"}`)); !slices.Equal(got, want) {
				t.Errorf("%s by %s: %v, want %v", filter, sort, got, want)
			}
		}
	}
	if got := names(as("GET", "/v1/customers?filter={}", nil)); !slices.Equal(got, own) {
		t.Errorf("the list: %v", got)
	}
	for _, name := range []string{"aborted", "another", "waiting", "called"} {
		session := sessions[name]
		if session == "" {
			session = uuid.NewString()
		}
		for _, c := range requests(ids[name], session) {
			as(c.method, c.path, c.body).refused(http.StatusNotFound, "NOT_FOUND", "")
		}
	}
	// An admin sees the customer of the session that was aborted while it waited.
	w.admin("GET", "/v1/customers/"+ids["aborted"], nil).want(http.StatusOK)

	for _, c := range requests(ids["served"], sessions["served"])[:7] {
		if r := as(c.method, c.path, c.body); r.status/100 != 2 {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
	called := as("POST", "/v1/customers/"+ids["served"]+"/callback", nil).want(http.StatusCreated)
	if called.get("agent.id") != "g1" || called.get("callback") != true {
		t.Errorf("called back: %s", called.body)
	}
	w.seen(as("PUT", "/v1/sessions/"+called.get("id").(string)+"/blacklist", BlacklistInput{Reason: "x", EndSession: true}).want(http.StatusOK).position())
	w.seen(w.admin("PUT", "/v1/customers/"+ids["another"]+"/blacklist", BlacklistInput{Reason: "x"}).want(http.StatusOK).position())
	if list := as("GET", "/v1/blacklist", nil).want(http.StatusOK); list.get("items.0.customer.id") != ids["served"] || list.get("items.1") != nil || list.get("count.value") != 1.0 {
		t.Errorf("the blacklist: %s", list.body)
	}

	// By way of the blacklist no agent ends a session that has become another's.
	for _, path := range []string{"/v1/customers/" + ids["handed-on"], "/v1/sessions/" + sessions["handed-on"]} {
		as("PUT", path+"/blacklist", BlacklistInput{Reason: "x", EndSession: true}).refused(http.StatusForbidden, "FORBIDDEN", "end_session")
	}
	as("PUT", "/v1/customers/"+ids["handed-on"]+"/blacklist", BlacklistInput{Reason: "x"}).want(http.StatusOK)

	// Without the blacklist all else is as before.
	w.letAgents(true, false)
	as("GET", "/v1/blacklist", nil).want(http.StatusOK)
	as("DELETE", "/v1/customers/"+ids["served"]+"/blacklist", nil).refused(http.StatusForbidden, "FORBIDDEN", "")
	as("GET", "/v1/customers/"+ids["served"], nil).want(http.StatusOK)
}

// accept lets an agent accept a session without waiting for any read model, and returns the position.
func (w *world) accept(session, agent string) (int64, error) {
	by := commands.By{Tenant: "acme", Actor: eventstore.Actor{Kind: "agent", ID: agent}}
	done, err := commands.AcceptSession{Session: commands.SessionRef{ID: uuid.MustParse(session)}, Agent: agent}.Run(w.t.Context(), w.center, by)
	return done.Position, err
}

// What an agent has just accepted may be edited at once: a read model that lags does not make the customer a stranger's.
func TestAgentsReachWhatTheyHaveJustAccepted(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.letAgents(true, true)
	for n := range 20 {
		sent := w.channel(message(fmt.Sprint("m", n), fmt.Sprint("visitor-", n), "hello")).want(http.StatusOK)
		customer, session := sent.get("customer_id").(string), sent.get("session_id").(string)
		done, err := w.accept(session, "agent-1")
		if err != nil {
			t.Fatal(err)
		}
		edited := w.do(call{as: "acme/agent", method: "PATCH", path: "/v1/customers/" + customer, body: edit(map[string]*string{"qq": ptr("1")})}).want(http.StatusOK)
		if edited.position() <= done {
			t.Errorf("edited at %d, accepted at %d", edited.position(), done)
		}
		w.do(call{as: "acme/agent", method: "PUT", path: "/v1/sessions/" + session + "/blacklist", body: BlacklistInput{Reason: "x"}}).want(http.StatusOK)
	}
}
