package filter_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"customercenter/domain/filter"
)

// The page for people who write filters names every field, operator and period, and its examples are filters.
func TestTheDocumentationIsTrue(t *testing.T) {
	raw, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(examples) < 8 {
		t.Fatalf("found only %d examples", len(examples))
	}
	for _, example := range examples {
		if _, err := filter.Parse([]byte(example[1]), &filter.Language{Groups: true}, "filter"); err != nil {
			t.Errorf("%v: %s", err, example[1])
		}
	}
	words := append(filter.SystemFields(), filter.Periods()...)
	for _, kind := range []filter.Kind{filter.Text, filter.Number, filter.Time, filter.Choice, filter.Set, filter.YesNo} {
		for _, op := range filter.Operators(kind) {
			words = append(words, string(op))
		}
	}
	for _, word := range words {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("%s is not on the page", word)
		}
	}
}
