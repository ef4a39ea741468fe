package docs

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// mdPath is a path of the tree in backticks: with a slash, of plain characters.
	mdPath = regexp.MustCompile("`((?:\\.ci|api|cmd|commands|docs|domain|eventstore|internal|projections|scripts)/[A-Za-z0-9_./-]+)`")
	fence  = regexp.MustCompile("(?s)```.*?```")
)

// What the documents point at is there. A file that moves takes its documentation along.
func TestLinksAndPathsLeadSomewhere(t *testing.T) {
	checked := 0
	for _, name := range documents(t) {
		text := fence.ReplaceAllString(document(t, name), "")
		for _, link := range mdLink.FindAllStringSubmatch(text, -1) {
			target, err := url.Parse(link[1])
			if err != nil || target.IsAbs() || target.Path == "" {
				continue
			}
			checked++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), target.Path)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, link[1])
			}
		}
		if name == "CHANGELOG.md" || strings.HasPrefix(name, "docs/adr/") {
			continue // they speak of their time
		}
		for _, path := range mdPath.FindAllStringSubmatch(text, -1) {
			checked++
			if _, err := os.Stat(filepath.Join(root, path[1])); err != nil {
				t.Errorf("%s names %s, which is not there", name, path[1])
			}
		}
	}
	if checked < 20 {
		t.Errorf("found only %d links and paths", checked)
	}
}

// documents are the Markdown files at the root and below docs.
func documents(t *testing.T) []string {
	t.Helper()
	top, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".md") {
			top = append(top, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range top {
		relative, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(relative))
	}
	return names
}
