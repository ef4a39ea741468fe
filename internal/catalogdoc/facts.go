package catalogdoc

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// event is a type of event.
type event struct {
	name    string // as stored
	version int    // of what is stored
	goType  *types.TypeName
	file    string
	doc     string  // what the source says of the type
	data    *schema // of the payload, opened
	listed  bool    // in domain/catalog
}

// personal names the fields that the codec seals.
func (e *event) personal() (names []string) {
	for _, p := range e.data.Properties {
		if p.schema.Personal {
			names = append(names, p.name)
		}
	}
	return names
}

// command is a type of command.
type command struct {
	goType *types.TypeName
	file   string
	events []string // that it may append
	routes []string // "POST /v1/tags"
	inputs []string // types of channel events
}

// model is a read model.
type model struct {
	name    string
	version int // 0: without tables, read from the stream each time
	file    string
	hears   []string // types of events
}

// policy is a "whenever this happened, do that".
type policy struct {
	name  string
	file  string
	hears []string // types of events
}

// facts is what the documents tell.
type facts struct {
	events   []*event
	commands []*command
	models   []*model
	policies []*policy
	// channelRoutes take channel events over HTTP.
	channelRoutes []string
	// inputs are the types of channel events, outputs what is published beside the log: message.send, entered, left.
	inputs, outputs []*message

	glossary glossary
}

// never lists what a command does not append though the source seems to allow it: the decision it asks can, but not as the command
// asks it.
var never = map[string]map[string]string{
	"ReceiveMessage": {"session.accepted": "only a callback starts a session as accepted, and it leaves session.New.CallbackBy empty"},
	"StartBulk": {
		"customer.blacklisted":   "the decision is asked of nobody, for what it would refuse of everybody",
		"customer.unblacklisted": "as customer.blacklisted",
	},
}

// find reads the facts from the product whose go.mod is in root.
//
// The events of a command are those that the decisions it asks can return: never too few, as long as decisions are called by name,
// and maybe too many, see never. Routes and channel events are those whose handlers name the command.
func find(root string) (*facts, error) {
	p, err := load(root)
	if err != nil {
		return nil, err
	}
	f := &facts{glossary: glossary{used: map[string]bool{}}}
	for _, find := range []func(*facts) error{
		p.findEvents, p.findCommands, p.findRoutes, p.findInputs, p.findOutputs, p.findModels, p.findPolicies,
	} {
		if err := find(f); err != nil {
			return nil, fmt.Errorf("catalogdoc: %w", err)
		}
	}
	if err := f.glossary.unused(); err != nil {
		return nil, fmt.Errorf("catalogdoc: %w", err)
	}
	return f, nil
}

// findEvents finds the struct types of the domain that have a stored name.
func (p *program) findEvents(f *facts) error {
	for _, fn := range p.functions {
		folder, _ := p.within(fn.Pkg())
		recv := fn.Signature().Recv()
		if fn.Name() != "EventType" || recv == nil || !strings.HasPrefix(folder, "domain/") || strings.HasSuffix(folder, "test") {
			continue
		}
		named, ok := recv.Type().(*types.Named)
		if !ok {
			return fmt.Errorf("%s: an event's methods have a value as receiver", p.file(fn.Pos()))
		}
		name := ""
		ast.Inspect(p.bodies[fn].Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
				name = p.text(r.Results[0])
			}
			return true
		})
		if name == "" {
			return fmt.Errorf("%s: the stored name of %s is not one constant", p.file(fn.Pos()), named.Obj().Name())
		}
		e := &event{name: name, goType: named.Obj(), file: p.file(named.Obj().Pos()), doc: p.doc(named.Obj())}
		var err error
		if e.version, err = p.storedVersion(name); err != nil {
			return err
		}
		if e.data, err = f.schemaOf(p, named, name); err != nil {
			return err
		}
		if e.doc == "" {
			return fmt.Errorf("%s: %s has no comment that says what it is", e.file, name)
		}
		f.events = append(f.events, e)
	}
	if len(f.events) == 0 {
		return fmt.Errorf("no events found in domain")
	}
	slices.SortFunc(f.events, func(a, b *event) int { return strings.Compare(a.name, b.name) })
	for _, file := range p.files["domain/catalog"] {
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok {
				if e := f.eventOf(p.info.TypeOf(lit)); e != nil {
					e.listed = true
				}
			}
			return true
		})
	}
	return nil
}

// storedVersion is the newest version of a type that has a golden file. The tests of package eventstore see to it that this is the one that
// is stored.
func (p *program) storedVersion(eventType string) (int, error) {
	for version := 0; ; version++ {
		file := filepath.Join(p.root, "eventstore", "testdata", "events", fmt.Sprintf("%s.v%d.json", eventType, version+1))
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if version == 0 {
			return 0, fmt.Errorf("%s has no golden file: go test ./eventstore -run Golden -update writes it", eventType)
		}
		return version, nil
	}
}

// doc is the comment of a type's declaration, in one line.
func (p *program) doc(of *types.TypeName) string {
	folder, _ := p.within(of.Pkg())
	for _, file := range p.files[folder] {
		for _, d := range file.Decls {
			declared, ok := d.(*ast.GenDecl)
			if !ok || declared.Doc == nil {
				continue
			}
			for _, spec := range declared.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok && p.info.Defs[t.Name] == of {
					return strings.Join(strings.Fields(declared.Doc.Text()), " ")
				}
			}
		}
	}
	return ""
}

// findCommands finds the structs of package commands that can be run, and what the decisions they ask may return.
func (p *program) findCommands(f *facts) error {
	for _, fn := range p.functions {
		if folder, _ := p.within(fn.Pkg()); folder != "commands" || fn.Name() != "Run" || fn.Signature().Recv() == nil {
			continue
		}
		named, ok := fn.Signature().Recv().Type().(*types.Named)
		if !ok || !named.Obj().Exported() {
			continue
		}
		c := &command{goType: named.Obj(), file: p.file(named.Obj().Pos())}
		lookedInto := map[ast.Expr]bool{} // an event of a state, of which a decision only reads a field
		p.reach(p.bodies[fn].Body, p.inCommandsOrDomain, func(in *types.Func, n ast.Node) {
			if in == nil || !p.decides(in) {
				return
			}
			if s, ok := n.(*ast.SelectorExpr); ok {
				lookedInto[s.X] = true
				if within, ok := s.X.(*ast.SelectorExpr); ok {
					lookedInto[within.Sel] = true
				}
			}
			if x, ok := n.(ast.Expr); ok && !lookedInto[x] {
				if e := f.eventOf(p.info.TypeOf(x)); e != nil && !slices.Contains(c.events, e.name) {
					c.events = append(c.events, e.name)
				}
			}
		})
		for name, why := range never[c.name()] {
			i := slices.Index(c.events, name)
			if i < 0 {
				return fmt.Errorf("%s is said never to append %s (%s), which nothing suggests: take it out", c.name(), name, why)
			}
			c.events = slices.Delete(c.events, i, i+1)
		}
		if len(c.events) == 0 {
			return fmt.Errorf("%s: no event is found that %s appends", c.file, c.name())
		}
		sort.Strings(c.events)
		f.commands = append(f.commands, c)
	}
	if len(f.commands) == 0 {
		return fmt.Errorf("no commands found")
	}
	slices.SortFunc(f.commands, func(a, b *command) int { return strings.Compare(a.name(), b.name()) })
	return nil
}

func (c *command) name() string { return c.goType.Name() }

func (p *program) inCommandsOrDomain(fn *types.Func) bool {
	folder, _ := p.within(fn.Pkg())
	return folder == "commands" || strings.HasPrefix(folder, "domain/")
}

// decides reports whether a function is a decision of the domain: one that returns events.
func (p *program) decides(fn *types.Func) bool {
	if folder, _ := p.within(fn.Pkg()); !strings.HasPrefix(folder, "domain/") {
		return false
	}
	for result := range fn.Signature().Results().Variables() {
		slice, ok := result.Type().(*types.Slice)
		if !ok {
			continue
		}
		if kind, ok := slice.Elem().Underlying().(*types.Interface); ok && hasMethod(kind, "EventType") {
			return true
		}
	}
	return false
}

func hasMethod(of *types.Interface, name string) bool {
	for m := range of.Methods() {
		if m.Name() == name {
			return true
		}
	}
	return false
}

// eventOf is the event whose struct a type is; nil for all other types.
func (f *facts) eventOf(t types.Type) *event {
	named, ok := t.(*types.Named)
	if !ok {
		return nil
	}
	for _, e := range f.events {
		if e.goType == named.Obj() {
			return e
		}
	}
	return nil
}

// commandOf is the command whose struct a type is; nil for all other types.
func (f *facts) commandOf(t types.Type) *command {
	named, ok := t.(*types.Named)
	if !ok {
		return nil
	}
	for _, c := range f.commands {
		if c.goType == named.Obj() {
			return c
		}
	}
	return nil
}

// folderAndName is a named type of the product as "folder.Name"; empty for all other types.
func (p *program) folderAndName(t types.Type) string {
	named, ok := t.(*types.Named)
	if !ok {
		return ""
	}
	folder, ok := p.within(named.Obj().Pkg())
	if !ok {
		return ""
	}
	return folder + "." + named.Obj().Name()
}

// text is the value of a constant string; empty for all other expressions.
func (p *program) text(x ast.Expr) string {
	v := p.info.Types[x].Value
	if v == nil || v.Kind() != constant.String {
		return ""
	}
	return constant.StringVal(v)
}
