package locale

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for header, want := range map[string]Language{
		"": English, "en": English, "zh": Chinese, "zh-CN,zh;q=0.9,en;q=0.8": Chinese, "zh-Hant-TW": Chinese,
		"en-US,en;q=0.9,zh;q=0.8": English, "fr": English, "fr;q=1, zh;q=0.5": Chinese, "*": English,
		"zh;q=0.1, en;q=0.9": English, ";;;": English, "\x00": English,
	} {
		if got := Parse(header); got != want {
			t.Errorf("Parse(%q) = %v, want %v", header, got.Tag(), want.Tag())
		}
	}
}

func TestWordsAreFilled(t *testing.T) {
	args := map[string]any{"rule": "too_long", "max": 50}
	if got, want := Detail(English, "VALIDATION", "name", args), "At most 50 characters are allowed."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Detail(Chinese, "VALIDATION", "name", args), "最多 50 个字符。"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Detail(Chinese, "WECHAT_ID_TOO_LONG", "profile.wechat_id", map[string]any{"max": 45}), "微信号最多 45 个字符。"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Title(Chinese, "TAG_EXISTS"), "标签已存在"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if Known("NO_SUCH_CODE") || Known("FOO_TOO_LONG") || Title(Chinese, "NO_SUCH_CODE") != "NO_SUCH_CODE" {
		t.Error("a code without words is taken for known")
	}
}

var (
	placeholder = regexp.MustCompile(`\{[^}]*\}`)
	// optional is a part that may be left out. It names an argument, or it would never be.
	optional = regexp.MustCompile(`\[[^][]*\{[^][]*\]`)
)

// TestBothLanguagesSayTheSame checks that no words are missing and that both languages use the same arguments.
func TestBothLanguagesSayTheSame(t *testing.T) {
	check := func(where string, w text) {
		if w.en == "" || w.zh == "" {
			t.Errorf("%s has no words in one of the languages", where)
		}
		en, zh := placeholder.FindAllString(w.en, -1), placeholder.FindAllString(w.zh, -1)
		slices.Sort(en)
		slices.Sort(zh)
		if !slices.Equal(en, zh) {
			t.Errorf("%s uses %v in English and %v in Chinese", where, en, zh)
		}
		for _, sentence := range []string{w.en, w.zh} {
			if rest := optional.ReplaceAllString(sentence, ""); strings.ContainsAny(rest, "[]") {
				t.Errorf("%s has a bracket that is no optional part: %q", where, sentence)
			}
		}
	}
	for code, e := range codes {
		check(code, e.title)
		check(code, e.detail)
		if strings.Contains(e.title.en, "{") {
			t.Errorf("%s: a title is always the same", code)
		}
	}
	for rule, r := range rules {
		check(rule, r)
	}
	for field, name := range fields {
		check(field, name)
	}
	for event, sentence := range events {
		check(event, sentence)
	}
	for _, all := range []map[string]text{words, rowReasons, failures, bulkReasons, template} {
		for name, word := range all {
			check(name, word)
		}
	}
}

// TestEveryCodeHasWords reads the whole tree: constants called Code… and Rule… or of a type Code, and literals that are refused with.
func TestEveryCodeHasWords(t *testing.T) {
	used := usedInTree(t, "../..")
	if len(used.codes) < 12 || len(used.rules) < 8 {
		t.Fatalf("found only %d codes and %d rules: the search is broken", len(used.codes), len(used.rules))
	}
	for code, where := range used.codes {
		if !Known(code) {
			t.Errorf("%s: the code %s has no words", where, code)
		}
	}
	for rule, where := range used.rules {
		if !KnownRule(rule) {
			t.Errorf("%s: the rule %s has no words", where, rule)
		}
	}
}

type usage struct{ codes, rules map[string]string }

var (
	codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	// refusing are the functions whose first text argument is a code, and inventing those whose second is a rule.
	refusing = []string{"Refuse", "refuse", "problem", "Problem"}
	ruling   = []string{"Invalid", "invalid"}
)

func usedInTree(t *testing.T, root string) usage {
	t.Helper()
	found := usage{codes: map[string]string{}, rules: map[string]string{}}
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2 || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // somebody is writing it; the compiler reports what is broken
		}
		ast.Inspect(file, func(n ast.Node) bool {
			found.look(files, n)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// look notes the codes and rules that one piece of syntax uses.
func (u usage) look(files *token.FileSet, n ast.Node) {
	note := func(into map[string]string, e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if value, err := strconv.Unquote(lit.Value); err == nil && value != "" {
			into[value] = files.Position(lit.Pos()).String()
		}
	}
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if i >= len(n.Values) {
				break
			}
			lower := strings.ToLower(name.Name)
			lit, ok := n.Values[i].(*ast.BasicLit)
			kind, _ := n.Type.(*ast.Ident)
			typed := kind != nil && kind.Name == "Code" // as those of package sheet
			switch {
			case !ok:
			case (typed || strings.HasPrefix(lower, "code")) && codeForm.MatchString(strings.Trim(lit.Value, `"`)):
				note(u.codes, lit)
			case strings.HasPrefix(lower, "rule") && len(name.Name) > 4:
				note(u.rules, lit)
			}
		}
	case *ast.CallExpr:
		called := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			called = f.Name
		case *ast.SelectorExpr:
			called = f.Sel.Name
		}
		if slices.Contains(refusing, called) {
			for _, a := range n.Args {
				if lit, ok := a.(*ast.BasicLit); ok && codeForm.MatchString(strings.Trim(lit.Value, `"`)) {
					note(u.codes, lit)
				}
			}
		}
		if slices.Contains(ruling, called) && len(n.Args) > 1 {
			note(u.rules, n.Args[1])
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
			if lit, ok := n.Value.(*ast.BasicLit); ok && codeForm.MatchString(strings.Trim(lit.Value, `"`)) {
				note(u.codes, lit)
			}
		}
	}
}
