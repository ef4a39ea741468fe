// Package catalogdoc writes docs/catalog.md: which command is in which file, what it may append, by which doors it is reached,
// and which read models and policies hear what it appends; and docs/events.md and docs/asyncapi.json: what every event holds and means, for
// people and for programs.
//
// All of it is read from the source, with types, so it cannot be out of date without the package's test failing:
//
//	go test ./internal/catalogdoc -update
//
// writes the files anew. Two things are said here: meanings of fields (meanings.go) and, in tests, an example of each type (examples_test.go). See find for what is promised.
package catalogdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is the product's source with types, without tests.
type program struct {
	root   string // directory of go.mod
	module string
	fset   *token.FileSet
	info   *types.Info
	// packages by path below the module: "commands", "domain/tag".
	packages map[string]*types.Package
	files    map[string][]*ast.File
	// bodies has every function that is declared in the product, and functions where each is declared.
	bodies    map[*types.Func]*ast.FuncDecl
	functions []*types.Func // in the order of the source
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, CgoFiles       []string
	Module                  *struct {
		Path string
		Main bool
	}
}

// load reads the packages that the catalog is about, and what they use. Those of others come from the build cache, compiled. The tree must compile.
func load(root string) (*program, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("catalogdoc: %w", err)
	}
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,CgoFiles,Module",
		"./domain/...", "./commands/...", "./projections/...", "./api/...")
	list.Dir = root
	var complaint bytes.Buffer
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("catalogdoc: go list: %w\n%s", err, complaint.Bytes())
	}
	p := &program{
		root: root, fset: token.NewFileSet(),
		info: &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		},
		packages: map[string]*types.Package{}, files: map[string][]*ast.File{}, bodies: map[*types.Func]*ast.FuncDecl{},
	}
	exports := map[string]string{}
	others := importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	// With -deps, a package comes after all that it imports.
	for from := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := from.Decode(&l); err == io.EOF {
			return p, nil
		} else if err != nil {
			return nil, fmt.Errorf("catalogdoc: go list: %w", err)
		}
		if l.Module == nil || !l.Module.Main {
			exports[l.ImportPath] = l.Export
			continue
		}
		p.module = l.Module.Path
		if err := p.check(l, others); err != nil {
			return nil, fmt.Errorf("catalogdoc: %s: %w", l.ImportPath, err)
		}
	}
}

// check parses one of the product's packages and finds its types.
func (p *program) check(l listed, others types.Importer) error {
	name := strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, p.module), "/")
	var files []*ast.File
	for _, file := range append(l.GoFiles, l.CgoFiles...) {
		parsed, err := parser.ParseFile(p.fset, filepath.Join(l.Dir, file), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, parsed)
	}
	config := types.Config{FakeImportC: true, Importer: importerFunc(func(path string) (*types.Package, error) {
		if own, ok := p.packages[strings.TrimPrefix(path, p.module+"/")]; ok && strings.HasPrefix(path, p.module+"/") {
			return own, nil
		}
		return others.Import(path)
	})}
	checked, err := config.Check(l.ImportPath, p.fset, files, p.info)
	if err != nil {
		return err
	}
	p.packages[name], p.files[name] = checked, files
	for _, file := range files {
		for _, d := range file.Decls {
			declared, ok := d.(*ast.FuncDecl)
			if !ok || declared.Body == nil {
				continue
			}
			if f, ok := p.info.Defs[declared.Name].(*types.Func); ok {
				p.bodies[f] = declared
				p.functions = append(p.functions, f)
			}
		}
	}
	return nil
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// within is the path of a package below the module; false if it is not one of the product's.
func (p *program) within(of *types.Package) (string, bool) {
	if of == nil {
		return "", false
	}
	return strings.CutPrefix(of.Path(), p.module+"/")
}

// file is where something is declared, from the root.
func (p *program) file(at token.Pos) string {
	path, err := filepath.Rel(p.root, p.fset.Position(at).Filename)
	if err != nil {
		return p.fset.Position(at).Filename
	}
	return filepath.ToSlash(path)
}

// reach calls visit with every node of a piece of source and of the functions that it mentions, transitively, as far as follow lets
// it go. A function counts as mentioned when it is called or passed on. What is called through an interface is not found.
func (p *program) reach(from ast.Node, follow func(*types.Func) bool, visit func(in *types.Func, n ast.Node)) {
	seen := map[*types.Func]bool{}
	var walk func(in *types.Func, n ast.Node)
	walk = func(in *types.Func, n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if n == nil {
				return false
			}
			visit(in, n)
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			f, ok := p.info.Uses[id].(*types.Func)
			if !ok {
				return true
			}
			f = f.Origin()
			if body := p.bodies[f]; body != nil && !seen[f] && follow(f) {
				seen[f] = true
				walk(f, body.Body)
			}
			return true
		})
	}
	walk(nil, from)
}
