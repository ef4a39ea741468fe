package pages

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/domain/bulk"
	fields "customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/projections"
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

// enum are the values of a field of the API.
func enum[T any](field string) []string {
	found, ok := reflect.TypeFor[T]().FieldByName(field)
	if !ok || found.Tag.Get("enum") == "" {
		panic(field + " has no values")
	}
	return strings.Split(found.Tag.Get("enum"), ",")
}

// values are what those families of words are chosen by that the domain, the API or a list of ours has values for.
func familyValues() map[string][]string {
	texts := func(of any) (texts []string) {
		list := reflect.ValueOf(of)
		for i := range list.Len() {
			texts = append(texts, fmt.Sprint(list.Index(i)))
		}
		return texts
	}
	channels, types, actions := domain.Channels(), fields.Types(), texts(bulk.Actions())
	families := map[string][]string{
		"role": texts(access.Roles()), "tokens.role_help": enum[api.TokenInput]("Role"), "nav": sectionOrder,
		"channel": channels, "session_channel": enum[api.SessionFilter]("Channel"), "associations.channel": channels, "session_state": enum[api.SessionFilter]("State"),
		"session_origin": enum[api.SessionFilter]("Origin"), "session_period": enum[api.SessionFilter]("Period"), "sessions.by_": sessionConditions,
		"fields.type": types, "fields.type_help": types, "fields.sample_type": types, "fields.sample": slices.Collect(maps.Keys(fields.SystemLabels())),
		"bulk.title": actions, "bulk.ask": actions, "bulk.effect": actions, "bulk.button": actions, "bulk.status": enum[api.Job]("Status"), "uses": enum[api.User]("Kind"),
		"export_state": enum[api.Job]("Status")[:5], "auto_messages.status": enum[api.AutoMessage]("Status"),
		"settings.day": enum[api.Settings]("WeekStart"), "customers.sort": projections.Sorts(), "conditions.section": termSections, "conditions.unit": lengthUnits,
		"conditions.period": filter.Periods(), "conditions.field": append(filter.SystemFields(), filter.AnyText),
	}
	for _, d := range projections.Definitions() {
		families["system_model"] = append(families["system_model"], d.Name)
	}
	for _, state := range append([]string{"waiting", "trying", "tried", "importing", "imported", "reverting", "revert_failed"}, enum[api.Job]("Status")[3:]...) {
		families["import_state"], families["import.now_"] = append(families["import_state"], state), append(families["import.now_"], state)
	}
	all := slices.Clone(systemTerms)
	for _, kind := range kindsOfFields {
		all = append(all, term{name: "custom", kind: kind})
	}
	for _, t := range all {
		for _, op := range t.ops() {
			families["conditions.op"] = append(families["conditions.op"], string(t.kind)+"_"+string(op))
		}
	}
	for _, kind := range changeKinds {
		families["customer.kind_"] = append(families["customer.kind_"], kind.Name)
	}
	return families
}

// Whatever value there is in the domain and the API has its words in every family that is chosen by it.
func TestEveryValueHasWords(t *testing.T) {
	d := dictionary()
	_, kinds := saidAnywhere(t)
	for family, values := range familyValues() {
		if _, used := kinds[family]; !used {
			t.Errorf("nobody says %q", family)
		}
		if !strings.HasSuffix(family, "_") {
			family += "."
		}
		for _, value := range values {
			if _, ok := d[family+value]; !ok {
				t.Errorf("%q has no words", family+value)
			}
		}
	}
}

// Whatever follows the log has its words on the page of the system.
func TestEveryFollowerHasWords(t *testing.T) {
	w := start(t)
	lags, err := w.policies().Status(t.Context())
	if err != nil || len(lags) < 8 {
		t.Fatalf("%d policies: %v", len(lags), err)
	}
	d := dictionary()
	for _, l := range lags {
		if _, ok := d["system_part."+l.Policy]; !ok {
			t.Errorf("%q has no words", l.Policy)
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
