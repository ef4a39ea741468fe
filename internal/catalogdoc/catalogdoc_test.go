package catalogdoc

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write docs/catalog.md, docs/events.md and docs/asyncapi.json anew")

var read = sync.OnceValues(func() (*facts, error) { return find(filepath.Join("..", "..")) })

func found(t *testing.T) *facts {
	t.Helper()
	f, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Among what makes the documents fail: an event without a sentence in both languages, a field without a meaning, a type without a golden file, without an
// example, whom no command emits or nobody hears.
func TestDocumentsAreCurrent(t *testing.T) {
	f := found(t)
	events, others := examples(t)
	for name, write := range map[string]func() ([]byte, error){
		"catalog.md":    func() ([]byte, error) { return f.catalog(), nil },
		"events.md":     func() ([]byte, error) { return f.eventsPage(events) },
		"asyncapi.json": func() ([]byte, error) { return f.asyncAPI(events, others) },
	} {
		want, err := write()
		if err != nil {
			t.Errorf("docs/%s: %v", name, err)
			continue
		}
		file := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("docs/%s is not current: go test ./internal/catalogdoc -update writes it. First difference:\n%s", name, difference(have, want))
		}
	}
}

// difference shows the first line in which two texts differ.
func difference(have, want []byte) string {
	a, b := strings.Split(string(have), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) {
			return "+ " + b[i]
		}
		if i >= len(b) {
			return "- " + a[i]
		}
		if a[i] != b[i] {
			return "- " + a[i] + "\n+ " + b[i]
		}
	}
	return ""
}

// What is known of some commands beforehand is what is read from the source: a generator that finds too little writes a file that
// is always current.
func TestWhatIsFound(t *testing.T) {
	f := found(t)
	for _, want := range []command{
		{ // both streams
			file:   "commands/close_session.go",
			events: []string{"customer.session_closed", "session.aborted", "session.closed"},
			inputs: []string{"session.closed"},
		},
		{ // the longest way; an event that is passed through, and one that is never returned
			file: "commands/receive_message.go",
			events: []string{"customer.created", "customer.session_opened", "session.message_recorded", "session.started",
				"session.web_attributes_recorded", "suppressed.message_recorded"},
			inputs: []string{"message.received"},
		},
		{ // of what the import is it reads only fields
			file: "commands/import_rows.go", events: []string{"customer.created", "import.completed", "import.rows_recorded", "tag.created"},
		},
		{ // by way of package commands/jobs
			file: "commands/upload_import.go", events: []string{"import.uploaded"}, routes: []string{"POST /v1/imports"},
		},
		{
			file: "commands/rename_tag.go", events: []string{"tag.renamed"}, routes: []string{"PATCH /v1/tags/{id}"},
		},
	} {
		i := slices.IndexFunc(f.commands, func(c *command) bool { return c.file == want.file })
		if i < 0 {
			t.Errorf("no command is found in %s", want.file)
			continue
		}
		have := f.commands[i]
		if !slices.Equal(have.events, want.events) || !slices.Equal(have.inputs, want.inputs) ||
			want.routes != nil && !slices.Equal(have.routes, want.routes) {
			t.Errorf("%s: found %q, %q, %q", want.file, have.events, have.routes, have.inputs)
		}
	}
	i := slices.IndexFunc(f.models, func(m *model) bool { return m.name == "tags" })
	if i < 0 || !slices.Equal(f.models[i].hears, []string{"tag.created", "tag.deleted", "tag.renamed"}) {
		t.Errorf("the read model of tags is not found, or hears something else")
	}
}

// A file a command: whoever looks for TagCustomer finds tag_customer.go.
func TestEachCommandHasItsFile(t *testing.T) {
	f := found(t)
	for _, c := range f.commands {
		var want strings.Builder
		for i, r := range c.name() {
			if i > 0 && 'A' <= r && r <= 'Z' {
				want.WriteByte('_')
			}
			want.WriteRune(r)
		}
		if expected := "commands/" + strings.ToLower(want.String()) + ".go"; c.file != expected {
			t.Errorf("%s is in %s, not in %s", c.name(), c.file, expected)
		}
	}
}

// An event that is not in the catalog of the domain cannot be stored: the codec does not know it.
func TestEveryEventIsInTheCatalogOfTheDomain(t *testing.T) {
	for _, e := range found(t).events {
		if !e.listed {
			t.Errorf("%s: %s is not in domain/catalog/catalog.go", e.file, e.name)
		}
	}
}
