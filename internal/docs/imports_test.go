package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeOfSource = regexp.MustCompile(`(?m)^\tCode(?:[A-Z]\w*)\s+= "([A-Z_]+)"|^\t\w+\s+Code = "(SHEET_[A-Z_]+)"`)
	routeOfDoc   = regexp.MustCompile("`(GET|POST|PUT) (/v1/[^`?]+)[^`]*`")
	routeOfAPI   = regexp.MustCompile(`method: http\.Method(\w+), path: "([^"]+)"`)
)

// docs/imports.md explains every code that a file, a row or a job can meet, and names no route that there is not.
func TestImportsAreExplained(t *testing.T) {
	text := document(t, "docs/imports.md")
	source := document(t, "domain/codes.go") + document(t, "internal/sheet/errors.go")
	// Codes of jobs begin behind this one, and end before the rules.
	_, ofJobs, found := strings.Cut(source, "\tCodeOccurredInFuture ")
	if !found {
		t.Fatal("domain/codes.go has no CodeOccurredInFuture any more: what is the first code of jobs?")
	}
	codes := codeOfSource.FindAllStringSubmatch(ofJobs, -1)
	if len(codes) < 25 {
		t.Fatalf("found only %d codes", len(codes))
	}
	for _, code := range codes {
		if name := code[1] + code[2]; !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/imports.md does not explain %s", name)
		}
	}

	routes := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, "api", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range routeOfAPI.FindAllStringSubmatch(string(content), -1) {
			routes[strings.ToUpper(route[1])+" "+route[2]] = true
		}
	}
	named := routeOfDoc.FindAllStringSubmatch(text, -1)
	if len(named) < 20 {
		t.Fatalf("found only %d routes", len(named))
	}
	for _, route := range named {
		path := strings.Replace(route[2], "/entitlements/import", "/entitlements/{entitlement}", 1)
		if !routes[route[1]+" "+path] {
			t.Errorf("docs/imports.md names %s %s, which is not there", route[1], route[2])
		}
	}
}
