package catalogdoc

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"sort"
	"strings"
)

// findRoutes finds the operations that package api registers, and the commands that their handlers mention, or what they ask of package
// commands/jobs.
func (p *program) findRoutes(f *facts) error {
	inAPI := func(fn *types.Func) bool {
		folder, _ := p.within(fn.Pkg())
		return folder == "api" || folder == "commands/jobs"
	}
	found := 0
	for _, file := range p.files["api"] {
		var err error
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || err != nil {
				return err == nil
			}
			method, path, ok := p.operation(call)
			if !ok {
				return true
			}
			if method == "" || path == "" {
				err = fmt.Errorf("%s: method and path of an operation are to be constants", p.file(call.Pos()))
				return false
			}
			found++
			route := method + " " + path
			p.reach(call.Args[len(call.Args)-1], inAPI, func(_ *types.Func, n ast.Node) {
				x, ok := n.(ast.Expr)
				if !ok {
					return
				}
				if c := f.commandOf(p.info.TypeOf(x)); c != nil && !slices.Contains(c.routes, route) {
					c.routes = append(c.routes, route)
				}
				if p.handlesChannelEvents(x) && !slices.Contains(f.channelRoutes, route) {
					f.channelRoutes = append(f.channelRoutes, route)
				}
			})
			return true
		})
		if err != nil {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("package api registers no operations")
	}
	for _, c := range f.commands {
		sort.Strings(c.routes)
	}
	return nil
}

// operation reads a call that registers an operation.
func (p *program) operation(call *ast.CallExpr) (method, path string, ok bool) {
	if len(call.Args) < 2 {
		return "", "", false
	}
	for _, arg := range call.Args {
		lit, isLit := arg.(*ast.CompositeLit)
		if !isLit || p.folderAndName(p.info.TypeOf(lit)) != "api.operation" {
			continue
		}
		for _, element := range lit.Elts {
			if kv, isPair := element.(*ast.KeyValueExpr); isPair {
				switch key, _ := kv.Key.(*ast.Ident); key.Name {
				case "method":
					method = p.text(kv.Value)
				case "path":
					path = p.text(kv.Value)
				}
			}
		}
		return method, path, true
	}
	return "", "", false
}

// handlesChannelEvents reports whether an expression is the function that carries out a channel event.
func (p *program) handlesChannelEvents(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	if !ok {
		return false
	}
	fn, ok := p.info.Uses[id].(*types.Func)
	if !ok || fn.Name() != "Handle" || fn.Signature().Recv() == nil {
		return false
	}
	folder, _ := p.within(fn.Pkg())
	return folder == "api/ingest"
}

// findInputs finds which command each type of channel event asks for: the map payloads of api/ingest.
func (p *program) findInputs(f *facts) error {
	inIngest := func(fn *types.Func) bool {
		folder, _ := p.within(fn.Pkg())
		return folder == "api/ingest"
	}
	found := 0
	var failed error
	for _, file := range p.files["api/ingest"] {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || spec.Names[0].Name != "payloads" || len(spec.Values) != 1 {
				return true
			}
			lit, ok := spec.Values[0].(*ast.CompositeLit)
			if !ok {
				return true
			}
			for _, element := range lit.Elts {
				kv, ok := element.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				input := p.text(kv.Key)
				found++
				if failed == nil {
					failed = p.findInput(f, input, kv.Value)
				}
				p.reach(kv.Value, inIngest, func(_ *types.Func, n ast.Node) {
					x, ok := n.(ast.Expr)
					if !ok {
						return
					}
					if c := f.commandOf(p.info.TypeOf(x)); c != nil && !slices.Contains(c.inputs, input) {
						c.inputs = append(c.inputs, input)
					}
				})
			}
			return false
		})
	}
	if failed != nil {
		return failed
	}
	if found == 0 {
		return fmt.Errorf("api/ingest has no map payloads of the types of channel events")
	}
	slices.SortFunc(f.inputs, func(a, b *message) int { return strings.Compare(a.name, b.name) })
	for _, c := range f.commands {
		sort.Strings(c.inputs)
	}
	return nil
}
