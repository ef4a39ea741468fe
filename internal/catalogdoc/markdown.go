package catalogdoc

import (
	"fmt"
	"slices"
	"strings"
)

const head = `# Catalog

Generated from the source by ` + "`go test ./internal/catalogdoc -update`" + `; do not edit. A test fails when it is not current.

Every command with its file, what it may append, by which doors it is reached, and which read models hear what it appends. Under "may
append" is everything that the decisions it asks can return; a command that has nothing to change appends nothing. What the events hold and mean is in
[events.md](events.md).

`

// catalog is docs/catalog.md.
func (f *facts) catalog() []byte {
	var b strings.Builder
	b.WriteString(head)
	f.writeCommands(&b)
	f.writeModels(&b)
	f.writePolicies(&b)
	return []byte(b.String())
}

func (f *facts) writeCommands(b *strings.Builder) {
	b.WriteString("## Commands\n\n")
	if len(f.channelRoutes) > 0 {
		fmt.Fprintf(b, "Channel events come through NATS (`cc.in.<tenant>.<association>`) and through %s.\n\n", code(f.channelRoutes, ", "))
	}
	b.WriteString("| command | may append | HTTP | channel event | heard by |\n|---|---|---|---|---|\n")
	for _, c := range f.commands {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", link(c.name(), c.file), code(c.events, ", "), code(c.routes, ", "), code(c.inputs, ", "),
			f.hearers(c.events))
	}
}

func (f *facts) writeModels(b *strings.Builder) {
	b.WriteString("\n## Read models\n\nThose without a version have no tables: they are read from their stream at every question.\n\n")
	b.WriteString("| read model | version | hears |\n|---|---|---|\n")
	for _, m := range f.models {
		version := "–"
		if m.version > 0 {
			version = fmt.Sprint(m.version)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", link(m.name, m.file), version, code(m.hears, ", "))
	}
}

func (f *facts) writePolicies(b *strings.Builder) {
	b.WriteString("\n## Policies\n\nWhenever this happened, they do something: see [architecture.md](architecture.md#what-follows-by-itself).\n\n")
	b.WriteString("| policy | hears |\n|---|---|\n")
	for _, p := range f.policies {
		fmt.Fprintf(b, "| %s | %s |\n", link(p.name, p.file), code(p.hears, ", "))
	}
}

// hearers are the read models that hear one of these events.
func (f *facts) hearers(events []string) string {
	var names []string
	for _, m := range f.models {
		if slices.ContainsFunc(events, func(name string) bool { return slices.Contains(m.hears, name) }) {
			names = append(names, m.name)
		}
	}
	return orNone(strings.Join(names, ", "))
}

// link is a link from docs/ to a file of the product.
func link(text, file string) string { return fmt.Sprintf("[%s](../%s)", text, file) }

func code(words []string, between string) string {
	if len(words) == 0 {
		return "–"
	}
	return "`" + strings.Join(words, "`"+between+"`") + "`"
}

func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
