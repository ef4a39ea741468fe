package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// inTemplate finds what a template says: t "key" and one "kind".
var (
	inTemplate = regexp.MustCompile(`\bt "([^"]+)"`)
	ofKind     = regexp.MustCompile(`\bone "([^"]+)"`)
)

// saidAnywhere are the words that templates and code name, and the kinds that they choose one of.
func saidAnywhere(t *testing.T) (keys, kinds map[string]string) {
	t.Helper()
	keys, kinds = map[string]string{}, map[string]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && path == "testdata" {
			return filepath.SkipDir
		}
		switch {
		case strings.HasSuffix(path, ".html"):
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, found := range inTemplate.FindAllStringSubmatch(string(text), -1) {
				keys[found[1]] = path
			}
			for _, found := range ofKind.FindAllStringSubmatch(string(text), -1) {
				kinds[found[1]] = path
			}
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			return inCode(path, keys, kinds)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, kinds
}

// inCode finds v.t("key"), v.t("beginning" + what) and speech.one("kind", value).
func inCode(path string, keys, kinds map[string]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok || len(c.Args) == 0 {
			return true
		}
		called, ok := c.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch first := c.Args[0].(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(first.Value)
			if err == nil && called.Sel.Name == "t" {
				keys[text] = path
			}
			if err == nil && called.Sel.Name == "one" {
				kinds[text] = path
			}
		case *ast.BinaryExpr: // the beginning of a family of words
			if begin, ok := first.X.(*ast.BasicLit); ok && called.Sel.Name == "t" {
				if text, err := strconv.Unquote(begin.Value); err == nil {
					kinds[strings.TrimSuffix(text, ".")] = path
				}
			}
		}
		return true
	})
	return nil
}

func TestEverythingSaidHasWords(t *testing.T) {
	d := dictionary()
	keys, kinds := saidAnywhere(t)
	if len(keys) < 50 || len(kinds) < 3 {
		t.Fatalf("found only %d words and %d kinds", len(keys), len(kinds))
	}
	for key, path := range keys {
		if _, ok := d[key]; !ok {
			t.Errorf("%s says %q, which has no words", path, key)
		}
	}
	for _, page := range append(all, partsPage) {
		if page.place != nil {
			keys[page.place.Name+".title"] = "its place in the navigation"
		}
	}
	for key, w := range d {
		_, used := keys[key]
		for kind := range kinds {
			used = used || strings.HasPrefix(key, kind+".") || strings.HasPrefix(key, kind) && (strings.HasSuffix(kind, "_") || strings.HasSuffix(kind, "error"))
		}
		if !used {
			t.Errorf("nobody says %q", key)
		}
		if strings.TrimSpace(w.zh) == "" || strings.TrimSpace(w.en) == "" {
			t.Errorf("%q is missing in a language", key)
		}
		if strings.ContainsFunc(w.en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("the English of %q is Chinese: %s", key, w.en)
		}
		if arguments(w.zh) != arguments(w.en) {
			t.Errorf("%q has other arguments in Chinese (%s) than in English (%s)", key, arguments(w.zh), arguments(w.en))
		}
	}
}

// arguments are the names of a word's arguments.
func arguments(text string) string {
	names := map[string]bool{}
	for _, found := range regexp.MustCompile(`\{([a-z_]+)(?:\?[^}]*)?\}`).FindAllStringSubmatch(text, -1) {
		names[found[1]] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

func TestFilling(t *testing.T) {
	for _, c := range []struct {
		text string
		args map[string]any
		want string
	}{
		{"{n} {n?customer:customers}", map[string]any{"n": 1}, "1 customer"},
		{"{n} {n?customer:customers}", map[string]any{"n": int64(1234567)}, "1,234,567 customers"},
		{"no arguments", nil, "no arguments"},
		{"“{name}”", map[string]any{"name": "{n}"}, "“{n}”"}, // what people wrote is not filled
	} {
		if got := fill(c.text, c.args); got != c.want {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
}
