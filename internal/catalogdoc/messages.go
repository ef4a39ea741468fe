package catalogdoc

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// message is a CloudEvent in structured JSON that is exchanged with others beside the log.
type message struct {
	name string
	body *schema
}

// findInput reads what a type of channel event holds: the variable d that its reader decodes the data into, and the members that the
// reader itself insists on.
func (p *program) findInput(f *facts, name string, reader ast.Expr) error {
	id, ok := reader.(*ast.Ident)
	if call, isCall := reader.(*ast.CallExpr); isCall {
		id, ok = call.Fun.(*ast.Ident)
	}
	if !ok {
		return fmt.Errorf("%s: the reader of %s is to be a function with a name", p.file(reader.Pos()), name)
	}
	fn, _ := p.info.Uses[id].(*types.Func)
	body := p.bodies[fn]
	if body == nil {
		return fmt.Errorf("%s: the reader of %s is to be a function with a name", p.file(reader.Pos()), name)
	}
	var of types.Type
	var required []string
	ast.Inspect(body.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Names) == 1 && n.Names[0].Name == "d" {
				of = p.info.TypeOf(n.Type)
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Invalid" && len(n.Args) == 2 && p.text(n.Args[1]) == "required" {
				required = append(required, strings.TrimPrefix(p.text(n.Args[0]), "data."))
			}
		}
		return true
	})
	if of == nil {
		return fmt.Errorf("%s: the reader of %s has no variable d of what it decodes", p.file(reader.Pos()), name)
	}
	data, err := f.schemaOf(p, of, name)
	if err != nil {
		return err
	}
	data.onlyRequire(required)
	data.markPersonal(f.personalNames())
	f.inputs = append(f.inputs, &message{name, envelopeOf(name, data)})
	return nil
}

// onlyRequire says which members of an object must be there; of what is in them none must.
func (s *schema) onlyRequire(names []string) {
	s.Required = names
	for _, member := range s.Properties {
		member.schema.onlyRequire(nil)
	}
}

// personalNames are the names of members that hold personal data in the log.
func (f *facts) personalNames() map[string]bool {
	names := map[string]bool{}
	for _, e := range f.events {
		e.data.personalNames(names)
	}
	return names
}

// findOutputs reads what is published for channels and for whoever follows groups.
func (p *program) findOutputs(f *facts) error {
	for _, out := range []struct {
		data  string // the struct of the data
		names []string
	}{{"sendMessage", []string{"message.send"}}, {"groupData", []string{"entered", "left"}}} {
		of := p.packages["commands/policies"].Scope().Lookup(out.data)
		if of == nil {
			return fmt.Errorf("commands/policies has no %s: what does %s hold?", out.data, out.names)
		}
		for _, name := range out.names {
			data, err := f.schemaOf(p, of.Type(), name)
			if err != nil {
				return err
			}
			data.markPersonal(f.personalNames())
			f.outputs = append(f.outputs, &message{name, envelopeOf(name, data)})
		}
	}
	return nil
}

// envelopeOf is a CloudEvent in structured JSON with this data.
func envelopeOf(name string, data *schema) *schema {
	text := func(w words) *schema { return &schema{Type: "string", Description: w.both()} }
	data.Description = words{"what happened", "内容"}.both()
	return &schema{Type: "object", Required: []string{"specversion", "id", "source", "type", "data"}, Properties: properties{
		{"specversion", &schema{Type: "string", Const: "1.0"}},
		{"id", text(words{"the same whenever it is sent: with source it tells duplicates", "每次发送都相同；与 source 一起用于去重"})},
		{"source", text(words{"who sends it", "发送方"})},
		{"type", &schema{Type: "string", Const: name}},
		{"subject", text(words{"the stream, or whom it is about", "所属的流，或涉及的对象"})},
		{"time", &schema{Type: "string", Format: "date-time", Description: words{"when it happened", "发生的时间"}.both()}},
		{"datacontenttype", text(words{"application/json", "application/json"})},
		{"data", data},
	}}
}

// findPolicies finds the policies with their names and the types of events that they hear: literals of policy, and calls of a function of
// (name, types...) that makes one.
func (p *program) findPolicies(f *facts) error {
	for _, file := range p.files["commands/policies"] {
		var err error
		add := func(name string, list []ast.Expr, at ast.Node) {
			found := &policy{name: name, file: p.file(at.Pos())}
			for _, x := range list {
				e := f.eventNamedBy(p, x)
				if e == nil {
					err = fmt.Errorf("%s: the policy %s hears something else than X{}.EventType()", found.file, name)
					return
				}
				found.hears = append(found.hears, e.name)
			}
			slices.Sort(found.hears)
			f.policies = append(f.policies, found)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if p.folderAndName(p.info.TypeOf(n)) != "commands/policies.policy" {
					return true
				}
				name, list := p.policy(n)
				if name != "" {
					add(name, list, n)
				}
			case *ast.CallExpr:
				if len(n.Args) > 1 && p.text(n.Args[0]) != "" && f.eventNamedBy(p, n.Args[1]) != nil {
					add(p.text(n.Args[0]), n.Args[1:], n)
				}
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	if len(f.policies) == 0 {
		return fmt.Errorf("no policies found in commands/policies")
	}
	slices.SortFunc(f.policies, func(a, b *policy) int { return strings.Compare(a.name, b.name) })
	return nil
}

// policy reads name and types of a literal; without a name if they are not constants.
func (p *program) policy(lit *ast.CompositeLit) (name string, list []ast.Expr) {
	for _, element := range lit.Elts {
		kv, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch key, _ := kv.Key.(*ast.Ident); key.Name {
		case "name":
			name = p.text(kv.Value)
		case "types":
			if types, ok := kv.Value.(*ast.CompositeLit); ok {
				list = types.Elts
			}
		}
	}
	return name, list
}

// eventNamedBy is the event of an expression X{}.EventType(); nil for all other expressions.
func (f *facts) eventNamedBy(p *program, x ast.Expr) *event {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return nil
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || method.Sel.Name != "EventType" {
		return nil
	}
	return f.eventOf(p.info.TypeOf(method.X))
}
