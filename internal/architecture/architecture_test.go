// Package architecture checks rules that the compiler does not: who may import whom, and what is free of clocks and chance.
package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "customercenter"

// mayImport says which of our packages the product code below a folder may import: the folder with the longest matching name
// decides. An entry covers the packages below it. It is the table of docs/architecture.md.
var mayImport = map[string][]string{
	"cmd":               {"cmd", "api", "commands", "domain", "eventstore", "internal", "projections"},
	"domain":            {"domain"},
	"commands":          {"domain", "eventstore"},
	"commands/policies": {"commands", "domain", "eventstore", "projections"},
	"commands/jobs":     {"commands", "domain", "eventstore", "internal", "projections"},
	"eventstore":        {"eventstore"},
	"projections":       {"projections", "domain", "eventstore"},
	"api":               {"api", "commands", "domain", "eventstore", "internal", "projections"},
	"internal":          {"internal"},
}

// forTests reports whether a folder holds tools for tests, which product code must not touch: its name ends in "test".
func forTests(folder string) bool { return strings.HasSuffix(folder, "test") }

// source is a parsed file.
type source struct {
	path string // from the module's root, with slashes
	file *ast.File
}

func (s source) folder() string { return path.Dir(s.path) }

// imports are the paths that the file imports.
func (s source) imports() []string {
	var paths []string
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted it
		}
		paths = append(paths, p)
	}
	return paths
}

// sources parses all product code of this module, that is all Go files but tests.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || isModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		all = append(all, source{path: filepath.ToSlash(relative), file: file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Fatalf("found only %d files: is this the module?", len(all))
	}
	return all
}

// isModule reports whether a directory below the root is a module of its own.
func isModule(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, "go.mod"))
	return err == nil && len(found) > 0 && filepath.Clean(dir) != filepath.Join("..", "..")
}

// below reports whether a folder is another one or lies in it.
func below(folder, other string) bool {
	return folder == other || strings.HasPrefix(folder, other+"/")
}

func TestImportDirections(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		rule := ""
		for folder := range mayImport {
			if below(s.folder(), folder) && len(folder) > len(rule) {
				rule = folder
			}
		}
		if rule == "" {
			t.Errorf("%s: no rule for this folder; add it to the table and to docs/architecture.md", s.path)
			continue
		}
		used[rule] = true
		for _, imported := range s.imports() {
			ours, found := strings.CutPrefix(imported, module+"/")
			if !found || forTests(s.folder()) {
				continue
			}
			if forTests(ours) {
				t.Errorf("%s imports %s, which is for tests", s.path, ours)
			}
			if !slices.ContainsFunc(mayImport[rule], func(allowed string) bool { return below(ours, allowed) }) {
				t.Errorf("%s imports %s; %s may import only %v", s.path, ours, rule, mayImport[rule])
			}
		}
	}
	for _, folder := range []string{"domain", "commands", "eventstore"} {
		if !used[folder] {
			t.Errorf("nothing was checked in %s", folder)
		}
	}
}

// outside lists the libraries that the innermost folders may use besides the standard library: they are to stay as plain as they are.
var outside = map[string][]string{
	"domain":   {"github.com/google/uuid", "golang.org/x/text"},
	"commands": {"github.com/google/uuid", "github.com/hashicorp/golang-lru"},
}

func TestOutsideLibraries(t *testing.T) {
	for _, s := range sources(t) {
		top, _, _ := strings.Cut(s.path, "/")
		allowed, limited := outside[top]
		if !limited || forTests(s.folder()) || below(s.folder(), "commands/policies") || below(s.folder(), "commands/jobs") {
			continue
		}
		for _, imported := range s.imports() {
			host, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(host, ".") {
				continue // standard library, or ours
			}
			if !slices.ContainsFunc(allowed, func(a string) bool { return below(imported, a) }) {
				t.Errorf("%s imports %s; %s may use only %v", s.path, imported, top, allowed)
			}
		}
	}
}

// impure are packages that read clocks, draw chances or reach out of the process.
var impure = []string{"math/rand", "math/rand/v2", "crypto/rand", "os", "io/fs", "net", "net/http", "database/sql", "log", "log/slog", "embed"}

// clocks and draws are the functions, by package, that read a clock or draw an id.
var clocksAndDraws = map[string][]string{
	"time": {"Now", "Since", "Until", "Tick", "NewTicker", "NewTimer", "After", "AfterFunc", "Sleep"},
	"github.com/google/uuid": {"New", "NewString", "NewRandom", "NewRandomFromReader", "NewUUID", "NewV6", "NewV7", "NewV7FromReader",
		"NewDCEGroup", "NewDCEPerson", "NewDCESecurity", "SetRand", "EnableRandPool"},
}

// What happens in the domain and in a command must follow from what it is given, or nothing could be replayed or tested.
func TestNoClocksAndNoChance(t *testing.T) {
	checked := 0
	for _, s := range sources(t) {
		if !below(s.folder(), "domain") && s.folder() != "commands" || forTests(s.folder()) {
			continue
		}
		checked++
		names := map[string]string{} // how the file calls a package -> its path
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(impure, imported) {
				t.Errorf("%s imports %s", s.path, imported)
			}
			name := path.Base(imported)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			if name == "." {
				t.Errorf("%s imports %s without a name, which hides what it uses", s.path, imported)
			}
			names[name] = imported
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(clocksAndDraws[names[of.Name]], selector.Sel.Name) {
				t.Errorf("%s uses %s.%s; clocks and ids are handed in", s.path, of.Name, selector.Sel.Name)
			}
			return true
		})
	}
	if checked < 30 {
		t.Errorf("only %d files were checked", checked)
	}
}

// wholeDatabase are those who run statements past package tenancy, and why. Whoever else asks the database for a tenant is held to the context's.
var wholeDatabase = map[string]string{
	"cmd":                   "tools of the installation",
	"internal":              "servers and test databases",
	"eventstore":            "the log itself: appends are narrowed one by one, relay and leases are of the process",
	"projections/projector": "folds all tenants",
	"projections/asof":      "keeps and drops schemas; what is in them is asked as read models are",
	"commands/policies":     "positions and what is due, of tables that nobody else reads",
	"commands/jobs/hold.go": "a lock on a connection of its own",
	"api/access":            "tokens and sign-ins, which tell whose a request is",
	"api/ingest":            "leases",
}

// widened are the files that ask about all tenants though somebody of one asks them.
var widened = []string{
	"api/middleware.go",               // what was narrowed before it was known whose request it is
	"eventstore/keyring/destroyed.go", // who was erased lately, for all who use the keys in memory
	"eventstore/keyring/holders.go",   // which processes have which master keys
	"eventstore/keyring/masters.go",   // which master key wraps
	"eventstore/keyring/rotate.go",    // all keys, wrapped by another master key
}

func TestTenantsAreApart(t *testing.T) {
	wide := map[string]bool{}
	for _, s := range sources(t) {
		whole := forTests(s.folder())
		for place := range wholeDatabase {
			whole = whole || below(s.path, place)
		}
		if !whole && slices.Contains(s.imports(), "github.com/jackc/pgx/v5/pgxpool") {
			t.Errorf("%s imports pgxpool; what it asks for a tenant goes through package tenancy", s.path)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			switch {
			case !ok:
			case selector.Sel.Name == "Pool" && !whole:
				t.Errorf("%s uses the whole database; what it asks for a tenant goes through Store.DB", s.path)
			case selector.Sel.Name == "Widen":
				wide[s.path] = true
				if !slices.Contains(widened, s.path) {
					t.Errorf("%s widens a context", s.path)
				}
			}
			return true
		})
	}
	if len(wide) != len(widened) {
		t.Errorf("a context is widened in %v only", wide)
	}
}

// Events are looked up row by row. To a join Postgres has another answer while it does not know how many there are: it reads the whole log, which took
// GET /v1/lag four seconds at eight million events.
func TestTheLogIsNotJoined(t *testing.T) {
	joined := regexp.MustCompile(`(?i)\bjoin\s+events\b`)
	for _, s := range sources(t) {
		if forTests(s.folder()) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && joined.MatchString(text.Value) {
				t.Errorf("%s joins events; write: cross join lateral (select … from events where … offset 0)", s.path)
			}
			return true
		})
	}
}
