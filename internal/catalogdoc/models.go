package catalogdoc

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"sort"
	"strings"
)

// findModels finds the definitions of read models, and the catalogues that are read from their streams.
func (p *program) findModels(f *facts) error {
	for _, file := range p.files["projections"] {
		var err error
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if p.folderAndName(p.info.TypeOf(n)) == "projections/projector.Definition" && len(n.Elts) > 0 && err == nil {
					var m *model
					if m, err = p.definition(f, n); err == nil {
						f.models = append(f.models, m)
					}
				}
			case *ast.CallExpr:
				if m := p.catalogue(f, n); m != nil {
					f.addCatalogue(m)
				}
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	if len(f.models) == 0 {
		return fmt.Errorf("no read models found in projections")
	}
	slices.SortFunc(f.models, func(a, b *model) int { return strings.Compare(a.name, b.name) })
	return nil
}

// definition reads the Definition of a read model.
func (p *program) definition(f *facts, lit *ast.CompositeLit) (*model, error) {
	m := &model{file: p.file(lit.Pos())}
	for _, element := range lit.Elts {
		kv, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch key, _ := kv.Key.(*ast.Ident); key.Name {
		case "Name":
			m.name = p.text(kv.Value)
		case "Version":
			if v := p.info.Types[kv.Value].Value; v != nil {
				version, _ := constant.Int64Val(constant.ToInt(v))
				m.version = int(version)
			}
		case "Types":
			list, ok := kv.Value.(*ast.CompositeLit)
			if !ok {
				return nil, fmt.Errorf("%s: Types of a Definition is to be a list of constants", m.file)
			}
			for _, x := range list.Elts {
				name := p.text(x)
				if !slices.ContainsFunc(f.events, func(e *event) bool { return e.name == name }) {
					return nil, fmt.Errorf("%s: the read model hears %q, which is no event", m.file, name)
				}
				m.hears = append(m.hears, name)
			}
		}
	}
	if m.name == "" || m.version == 0 || len(m.hears) == 0 {
		return nil, fmt.Errorf("%s: Name, Version and Types of a Definition are to be constants", m.file)
	}
	sort.Strings(m.hears)
	return m, nil
}

// catalogue reads a call of read[tag.State](…), which answers from a catalogue's stream; nil for all other calls.
func (p *program) catalogue(f *facts, call *ast.CallExpr) *model {
	index, ok := call.Fun.(*ast.IndexExpr)
	if !ok {
		return nil
	}
	fn, ok := index.X.(*ast.Ident)
	if !ok || fn.Name != "read" {
		return nil
	}
	state, ok := p.info.TypeOf(index.Index).(*types.Named)
	if !ok {
		return nil
	}
	folder, _ := p.within(state.Obj().Pkg())
	if !strings.HasPrefix(folder, "domain/") {
		return nil
	}
	file := p.file(call.Pos())
	m := &model{name: strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".go"), file: file}
	folds := p.folds(folder, state)
	var all []string
	for _, e := range f.events {
		if e.goType.Pkg() == state.Obj().Pkg() {
			all = append(all, e.name)
			if folds[e.goType] {
				m.hears = append(m.hears, e.name)
			}
		}
	}
	if len(m.hears) == 0 { // Apply leaves it to other functions
		m.hears = all
	}
	return m
}

// addCatalogue adds what a file reads from streams. One that reads several is one.
func (f *facts) addCatalogue(m *model) {
	i := slices.IndexFunc(f.models, func(other *model) bool { return other.file == m.file && other.name == m.name })
	if i < 0 {
		f.models = append(f.models, m)
		return
	}
	f.models[i].hears = append(f.models[i].hears, m.hears...)
	sort.Strings(f.models[i].hears)
	f.models[i].hears = slices.Compact(f.models[i].hears)
}

// folds are the types that the Apply of a state speaks of. A package may have several states, each with a stream of its own.
func (p *program) folds(folder string, state *types.Named) map[*types.TypeName]bool {
	spoken := map[*types.TypeName]bool{}
	for _, file := range p.files[folder] {
		for _, declaration := range file.Decls {
			apply, ok := declaration.(*ast.FuncDecl)
			if !ok || apply.Name.Name != "Apply" || apply.Recv == nil {
				continue
			}
			of := p.info.TypeOf(apply.Recv.List[0].Type)
			if pointer, ok := of.(*types.Pointer); !ok || pointer.Elem() != types.Type(state) {
				continue
			}
			ast.Inspect(apply.Body, func(n ast.Node) bool {
				if name, ok := n.(*ast.Ident); ok {
					if typeName, ok := p.info.Uses[name].(*types.TypeName); ok {
						spoken[typeName] = true
					}
				}
				return true
			})
		}
	}
	return spoken
}
