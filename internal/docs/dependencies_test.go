// Package docs checks what the documentation says against the tree.
package docs

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

// document reads a file of the product.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goTool runs the go command at the root, and gives each of the JSON values it prints to read.
func goTool[T any](t *testing.T, read func(T), args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &complaint)
	}
	for values := json.NewDecoder(strings.NewReader(string(out))); ; {
		var v T
		if err := values.Decode(&v); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		read(v)
	}
}

// module is a direct requirement of go.mod.
type module struct {
	Path, Dir string
	inProduct bool
}

// requirement is a line of go.mod that requires a module, with what it says behind the version.
var requirement = regexp.MustCompile(`(?m)^\t([^\s]+) v[^\s]+(.*)$`)

// required are the direct requirements. A module is in the product if a package that is not for tests imports it.
func required(t *testing.T) map[string]*module {
	t.Helper()
	direct := map[string]*module{}
	list := []string{"list", "-m", "-json"}
	for _, line := range requirement.FindAllStringSubmatch(document(t, "go.mod"), -1) {
		if !strings.Contains(line[2], "// indirect") {
			list = append(list, line[1])
		}
	}
	goTool(t, func(m module) { direct[m.Path] = &m }, list...)
	type imports struct {
		ImportPath string
		Imports    []string
	}
	goTool(t, func(p imports) {
		if strings.HasSuffix(p.ImportPath, "test") {
			return
		}
		for _, path := range p.Imports {
			for name, m := range direct {
				if path == name || strings.HasPrefix(path, name+"/") {
					m.inProduct = true
				}
			}
		}
	}, "list", "-json=ImportPath,Imports", "./...")
	return direct
}

var dependencyLine = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.+) \\| ([^|]+) \\| (.+) \\|$")

func TestEveryDependencyHasItsLine(t *testing.T) {
	product, tests, found := strings.Cut(document(t, "docs/dependencies.md"), "\n## In tests only\n")
	if !found {
		t.Fatal("docs/dependencies.md has no heading \"In tests only\"")
	}
	tests, _, _ = strings.Cut(tests, "\n## ")
	direct := required(t)
	if len(direct) < 10 {
		t.Fatalf("found only %d direct requirements in go.mod", len(direct))
	}
	seen := map[string]bool{}
	for _, table := range []struct {
		text      string
		inProduct bool
	}{{product, true}, {tests, false}} {
		for _, line := range dependencyLine.FindAllStringSubmatch(table.text, -1) {
			name, said := line[1], strings.TrimSpace(line[3])
			m, ok := direct[name]
			switch {
			case !ok:
				t.Errorf("%s has a line in docs/dependencies.md and is no direct requirement in go.mod", name)
				continue
			case seen[name]:
				t.Errorf("%s has two lines in docs/dependencies.md", name)
			case m.inProduct != table.inProduct:
				t.Errorf("%s stands in the wrong table of docs/dependencies.md: imported by the product is %v", name, m.inProduct)
			}
			seen[name] = true
			if licence := licenceOf(t, m.Dir); licence != said {
				t.Errorf("the licence of %s is %s, docs/dependencies.md says %s", name, licence, said)
			}
		}
	}
	for name := range direct {
		if !seen[name] {
			t.Errorf("%s has no line in docs/dependencies.md: what for, licence, what would replace it", name)
		}
	}
}

// licenceOf tells the licence of a module by its text.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range []string{"LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, known := range []struct{ words, licence string }{
			{"Apache License Version 2.0", "Apache-2.0"},
			{"Mozilla Public License Version 2.0", "MPL-2.0"},
			{"Mozilla Public License, version 2.0", "MPL-2.0"},
			{"Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"},
			{"Neither the name of", "BSD-3-Clause"},
		} {
			if strings.Contains(words, known.words) {
				return known.licence
			}
		}
		return "unknown"
	}
	return "missing"
}
