package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
)

// models is a company with a customer, in a system whose read models an operator looks after from the command line.
type models struct {
	*place
	company  *company
	pool     *pgxpool.Pool
	customer string
}

func startModels(t *testing.T) *models {
	t.Helper()
	m := &models{place: &place{t: t, dir: t.TempDir()}, company: founder(t)(t, "acme")}
	pool, err := eventstore.Connect(t.Context(), info(t, m.company.data).DatabaseURL, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m.pool = pool
	var made struct{ ID string }
	position := ask(t, "POST", m.company.url+"/v1/customers", m.company.admin, `{"association_id":1,"external_id":"v1","profile":{"name":"王小明"}}`, &made).Header.Get("X-Log-Position")
	ask(t, "GET", m.company.url+"/v1/customers/"+made.ID+"?after_position="+position, m.company.admin, "", nil)
	m.customer = made.ID
	return m
}

// tool runs a command, which must end with an exit code and print all of some words, and returns what it prints.
func (m *models) tool(code int, command string, want ...string) string {
	m.t.Helper()
	printed, got := m.run(command + " --data '" + m.company.data + "'")
	if got != code {
		m.t.Fatalf("%s: exit code %d, want %d\n%s", command, got, code, printed)
	}
	for _, words := range want {
		if !strings.Contains(printed, words) {
			m.t.Errorf("%s does not print %q:\n%s", command, words, printed)
		}
	}
	if strings.Contains(printed, "王小明") || strings.Contains(printed, "another name") {
		m.t.Errorf("%s prints what a customer is called:\n%s", command, printed)
	}
	return printed
}

// metric is the value of a metric of the customers' read model, as /metrics has it; empty without one.
func (m *models) metric(name string) string {
	m.t.Helper()
	_, after, _ := strings.Cut(answer(m.t, m.company.url+"/metrics", m.company.admin, 0), "\n"+name+`{projection="customers"} `)
	value, _, _ := strings.Cut(after, "\n")
	return value
}

func (m *models) change(sql string, args ...any) {
	m.t.Helper()
	if tag, err := m.pool.Exec(m.t.Context(), sql, args...); err != nil || tag.RowsAffected() != 1 {
		m.t.Fatalf("%s: %d rows, %v", sql, tag.RowsAffected(), err)
	}
}

// A row that somebody changed by hand is found, named, and told everywhere until it is mended.
func TestVerifyFromTheCommandLine(t *testing.T) {
	m := startModels(t)
	if at := m.metric("customercenter_verified_timestamp_seconds"); at != "" {
		t.Errorf("verified at %s before anybody did so", at)
	}
	printed := m.tool(0, "customercenter projections verify", "DIFFERING TABLES")
	for _, name := range []string{"customers", "sessions", "history", "groups", "auto_messages", "jobs"} {
		if !regexp.MustCompile(`(?m)^` + name + ` .* acme .* 0$`).MatchString(printed) {
			t.Errorf("%s is not verified:\n%s", name, printed)
		}
	}
	if at, differing := m.metric("customercenter_verified_timestamp_seconds"), m.metric("customercenter_differing_tables"); at == "" || differing != "0" {
		t.Errorf("/metrics: verified %q, differing %q", at, differing)
	}
	m.tool(0, "customercenter doctor", "ok    read models")

	var schema string
	if err := m.pool.QueryRow(t.Context(), `select b.schema from projection_live l join projection_builds b on b.id = l.build where l.name = 'customers'`).Scan(&schema); err != nil {
		t.Fatal(err)
	}
	m.change(fmt.Sprintf(`update %q.customer set name = 'another name'`, schema))
	m.tool(1, "customercenter projections verify customers", "acme customer at ", m.customer, "rows are not what the log says")
	m.tool(1, "customercenter projections verify customers --json", `"table":"customer"`, m.customer)
	m.tool(1, "customercenter projections verify nosuch", "unknown projection")
	m.tool(2, "customercenter projections verify customers sessions")
	m.tool(0, "customercenter projections status", "1 tables differ")
	m.tool(1, "customercenter doctor", "customers of tenant acme has 1 tables that are not what the log says", "projections verify")
	if differing := m.metric("customercenter_differing_tables"); differing != "1" {
		t.Errorf("/metrics: differing %q", differing)
	}

	printed = m.tool(1, "customercenter projections rebuild customers", "the builds differ; nothing was switched")
	proposed := regexp.MustCompile(`customercenter projections switch customers \d+`).FindString(printed)
	m.tool(0, proposed)
	m.tool(0, "customercenter projections verify customers")
	m.tool(0, "customercenter doctor")
	if differing := m.metric("customercenter_differing_tables"); differing != "0" {
		t.Errorf("/metrics, when it is mended: differing %q", differing)
	}

	// A version that a former program has left.
	m.change(`insert into projection_builds (name, version, schema, status, fingerprint) values ('customers', 1, 'customers_v1', 'beside', 'former')`)
	m.tool(0, "customercenter projections former --json", `"projection":"customers","version":1,`)
	m.tool(2, "customercenter projections drop customers --former 1", "or did so within two minutes")
	m.change(`update projection_builds set changed_at = now() - interval '3 minutes' where name = 'customers' and version = 1`)
	m.tool(2, "customercenter projections drop customers", "Either a build, or a version")
	m.tool(0, "customercenter projections drop customers --former 1")
	m.tool(2, "customercenter projections drop customers --former 1", "there is no former version 1")
	if printed := m.tool(0, "customercenter projections former", "FED LAST"); strings.Contains(printed, "customers") {
		t.Errorf("former versions:\n%s", printed)
	}
}

// A customer who is parked goes on without what cannot be applied, for a reason.
func TestSkipFromTheCommandLine(t *testing.T) {
	m := startModels(t)
	ask(t, "PATCH", m.company.url+"/v1/customers/"+m.customer, m.company.admin, `{"profile":{"company":"broken"}}`, nil)
	position := ask(t, "PATCH", m.company.url+"/v1/customers/"+m.customer, m.company.admin, `{"profile":{"description":"whole"}}`, nil).Header.Get("X-Log-Position")
	path := m.company.url + "/v1/customers/" + m.customer
	ask(t, "GET", path+"?after_position="+position, m.company.admin, "", nil)
	skip := "customercenter projections skip customers acme " + m.customer
	m.tool(2, skip, "reason")
	m.tool(1, skip+" --reason 'of a test'", "not parked")

	m.change(`insert into parked_customers (build, tenant, customer, position, type, reason)
		select build, 'acme', $1, 1, 'customer.profile_changed', 'of no shape' from projection_live where name = 'customers'`, m.customer)
	m.tool(0, "customercenter projections parked", m.customer, "of no shape")
	m.tool(1, "customercenter doctor", "customers of tenant acme has 1 parked customers")
	m.tool(1, skip+" --reason 'of a test'", "customercenter projections retry customers acme "+m.customer)
	m.change(`update events set type_version = 99 where tenant = 'acme' and position = (select min(position) from events where type = 'customer.profile_changed')`)
	m.tool(1, "customercenter projections retry customers acme "+m.customer)
	m.tool(1, skip+" --reason ' '", "reason")
	m.tool(0, skip+" --reason 'of a shape that nobody knows'", "Skipped 1 events of the customer", "fed again")
	if printed := m.tool(0, "customercenter projections parked customers"); strings.Contains(printed, m.customer) {
		t.Errorf("still parked:\n%s", printed)
	}
	var shown struct {
		Profile struct{ Company, Description string }
	}
	ask(t, "GET", path, m.company.admin, "", &shown)
	if shown.Profile.Company != "" || shown.Profile.Description != "whole" {
		t.Errorf("shown: %+v", shown)
	}
	m.tool(0, "customercenter projections verify customers")
}
