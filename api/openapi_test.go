package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"customercenter/api/access"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPIIsCurrent fails when openapi.json, which is committed for people and programs without a running server, is not what the
// server says. go test ./api -run OpenAPI -update writes it.
func TestOpenAPIIsCurrent(t *testing.T) {
	_, s := build(Config{})
	got, err := describe(s.api)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json is not current: run go test ./api -run OpenAPI -update")
	}
}

// TestOpenAPIIsWhole checks that every operation can be read: an id, a summary, a heading, its errors, and whether it needs a token.
func TestOpenAPIIsWhole(t *testing.T) {
	operations := described(t)
	for id, o := range operations {
		if o.summary == "" || len(o.tags) != 1 {
			t.Errorf("%s has no summary or no heading", id)
		}
		if access.Public(id) == o.token {
			t.Errorf("%s: that a token is needed is described as %v", id, o.token)
		}
		if !access.Public(id) && (o.answers["401"] != "application/problem+json" || o.answers["403"] != "application/problem+json") {
			t.Errorf("%s does not describe its problems: %v", id, o.answers)
		}
		reads := []string{"search-customers", "preview-group", "start-whatif", "cancel-whatif"} // these write nothing
		if o.method != http.MethodGet && !slices.Contains(reads, id) && !slices.Contains(o.headers, "Idempotency-Key") {
			t.Errorf("%s is a write without Idempotency-Key", id)
		}
		if o.method == http.MethodGet && !access.Public(id) && !slices.Contains(o.headers, "X-After-Position") {
			t.Errorf("%s is a read without X-After-Position", id)
		}
	}
	if len(operations) < 35 {
		t.Errorf("only %d operations are described", len(operations))
	}
}

// TestEveryOperationHasARule fails for an operation that package access does not know, and for a rule without an operation.
func TestEveryOperationHasARule(t *testing.T) {
	operations := described(t)
	for _, id := range access.Operations() {
		if _, ok := operations[id]; !ok {
			t.Errorf("package access has a rule for %s, which there is not", id)
		}
	}
	for id := range operations {
		if !slices.Contains(access.Operations(), id) {
			t.Errorf("package access has no rule for %s", id)
		}
	}
}

// operationFacts is what the description says of an operation.
type operationFacts struct {
	id, method, path, summary string
	tags, headers             []string
	token                     bool
	answers                   map[string]string // status → content type
}

// described reads the operations from the description as it is served, by id.
func described(t *testing.T) map[string]operationFacts {
	t.Helper()
	_, s := build(Config{})
	text, err := describe(s.api)
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Tags        []string
			Security    []map[string][]string
			Parameters  []struct{ Name, In string }
			Responses   map[string]struct{ Content map[string]any }
		}
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	if spec.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", spec.OpenAPI)
	}
	found := map[string]operationFacts{}
	for path, item := range spec.Paths {
		for method, o := range item {
			facts := operationFacts{id: o.OperationID, method: strings.ToUpper(method), path: path, summary: o.Summary, tags: o.Tags,
				token: len(o.Security) > 0, answers: map[string]string{}}
			for _, p := range o.Parameters {
				if p.In == "header" {
					facts.headers = append(facts.headers, p.Name)
				}
			}
			for status, r := range o.Responses {
				facts.answers[status] = ""
				for kind := range r.Content {
					facts.answers[status] = kind
				}
			}
			if _, twice := found[o.OperationID]; twice {
				t.Errorf("two operations are called %s", o.OperationID)
			}
			found[o.OperationID] = facts
		}
	}
	return found
}

func TestDescriptionIsServed(t *testing.T) {
	w := start(t, options{})
	spec := w.do(call{method: "GET", path: "/openapi.json"}).want(http.StatusOK)
	if committed, err := os.ReadFile("openapi.json"); err != nil || !bytes.Equal(spec.body, committed) {
		t.Errorf("/openapi.json is not the committed one (%v)", err)
	}
	page := w.do(call{method: "GET", path: "/docs"}).want(http.StatusOK)
	if kind := page.header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %s", kind)
	}
	for id, o := range described(t) {
		if !bytes.Contains(page.body, []byte(`id="`+id+`"`)) || !bytes.Contains(page.body, []byte(o.path)) {
			t.Errorf("the page does not tell of %s", id)
		}
	}
	// It works without a network: nothing is fetched from elsewhere, and the policy would not allow it.
	if found := regexp.MustCompile(`(?i)(src|href)="(https?:)?//[^"]*"|<script|@import|url\(`).Find(page.body); found != nil {
		t.Errorf("the page needs %s", found)
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("policy %s", policy)
	}
	for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllSubmatch(page.body, -1) {
		if !bytes.Contains(page.body, []byte(`id="`+string(link[1])+`"`)) {
			t.Errorf("the page links to %s, which it does not have", link[1])
		}
	}
}
