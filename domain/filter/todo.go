package filter

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// The bodies of this file follow in the next commits, each in a file of its own.

// Parse reads a filter. path is what the refusals' locations begin with, such as "filter".
//
// Refused: VALIDATION, with the path of what is wrong.
func Parse(raw []byte, l *Language, path string) (*Filter, error) { panic("filter: not built") }

// Match reports whether the filter is true of a customer at an instant.
func (f *Filter) Match(s *Subject, at time.Time, cal Calendar) bool { panic("filter: not built") }

// NextFlip is the earliest instant after at when Match can change although nothing happens to the customer; zero: never.
func (f *Filter) NextFlip(s *Subject, at time.Time, cal Calendar) time.Time {
	panic("filter: not built")
}

// Evidence is what a condition saw.
type Evidence struct {
	Condition string `json:"condition"` // the condition as canonical JSON
	Path      string `json:"path"`
	Field     string `json:"field"`
	Op        Op     `json:"op"`
	Observed  string `json:"observed"`
	Threshold string `json:"threshold"`
	Met       bool   `json:"met"`
}

// Explain tells which conditions decided Match, and what they saw.
func (f *Filter) Explain(s *Subject, at time.Time, cal Calendar) []Evidence {
	panic("filter: not built")
}

// Names are what people call what a filter names by ids.
type Names struct {
	Tags, Groups map[uuid.UUID]string
	// Fields are labels by the field's name in the language; they go before the built-in ones.
	Fields map[string]string
	// Options are labels of options by custom key and id.
	Options map[string]map[string]string
	// Associations are names by number; Agents by id.
	Associations, Agents map[string]string
	// Zone is the zone in which times are told; nil: UTC.
	Zone *time.Location
}

// Describe says the filter in words.
func (f *Filter) Describe(lang string, n Names) string { panic("filter: not built") }

// Text is the evidence in words: the condition, and what was seen.
func (e Evidence) Text(lang string, n Names) string { panic("filter: not built") }

// Fields are the names of the fields that the filter reads, sorted, each once.
func (f *Filter) Fields() []string { panic("filter: not built") }

// References are the tags, groups and options (by custom key) that the filter names.
func (f *Filter) References() (tags, groups []uuid.UUID, options map[string][]string) {
	panic("filter: not built")
}

// Personal reports whether the filter reads personal data.
func (f *Filter) Personal() bool { panic("filter: not built") }

// JSON is the filter in its canonical form: Parse of it gives the same tree.
func (f *Filter) JSON() json.RawMessage { panic("filter: not built") }

// Span is the half-open span of time that matches a condition on a time, as of at; zero is no bound.
func (c *Condition) Span(at time.Time, cal Calendar) (from, to time.Time) { panic("filter: not built") }

// Folded are the texts of a customer as they are compared.
type Folded struct {
	ExternalID, Nickname, Name, Phone, QQ, WechatID, Email, Company, Description string
	Custom                                                                       map[string]string
}

// Fold sets Folded.
func (s *Subject) Fold() { panic("filter: not built") }
