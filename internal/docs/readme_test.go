package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	heading = regexp.MustCompile(`^#+ `)
	remark  = regexp.MustCompile(`(^|\s+)# .*$`)
)

// outline is what a README says in every language: how deep its headings are, in their order; its commands, with what they print, without remarks; and where its
// links lead.
func outline(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch command, indented := strings.CutPrefix(line, "    "); {
		case heading.MatchString(line):
			depth, _, _ := strings.Cut(line, " ")
			lines = append(lines, depth)
		case indented:
			if command = strings.TrimSpace(remark.ReplaceAllString(command, "")); command != "" {
				lines = append(lines, "    "+command)
			}
		}
	}
	return lines
}

// links are where a README's links lead, but the one to its twin; pictures without their language.
func links(text string) (found []string) {
	for _, link := range mdLink.FindAllStringSubmatch(text, -1) {
		if to := link[1]; !strings.HasPrefix(to, "README") {
			found = append(found, strings.NewReplacer(".en.webp", ".webp", ".zh.webp", ".webp").Replace(to))
		}
	}
	slices.Sort(found)
	return found
}

// The README and its Chinese twin have the same headings, commands, pictures and links, and lead to each other.
func TestTheREADMEsAreTwins(t *testing.T) {
	english, chinese := document(t, "README.md"), document(t, "README.zh-CN.md")
	en, zh := outline(english), outline(chinese)
	if len(en) < 50 {
		t.Fatalf("found only %d headings and commands", len(en))
	}
	for i := range max(len(en), len(zh)) {
		var a, b string
		if i < len(en) {
			a = en[i]
		}
		if i < len(zh) {
			b = zh[i]
		}
		if a != b {
			t.Fatalf("README.md has\n%s\nand README.zh-CN.md\n%s", a, b)
		}
	}
	if a, b := links(english), links(chinese); !slices.Equal(a, b) || len(a) < 12 {
		t.Errorf("README.md leads to %v, README.zh-CN.md to %v", a, b)
	}
	if !strings.Contains(english, "](README.zh-CN.md)") || !strings.Contains(chinese, "](README.md)") {
		t.Error("they do not lead to each other")
	}
	if strings.Contains(english, ".zh.webp") || strings.Contains(chinese, ".en.webp") {
		t.Error("a README shows pictures in the other language")
	}
}
