package filter

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Evidence is what a condition saw when a filter was judged. It can be kept: Words needs nothing but it and names, and it is small, whatever
// the filter: of texts and lists there are the first 256 characters or so, and "…" tells of the rest. Condition, Observed and Threshold
// may be personal data, see Personal.
type Evidence struct {
	// Condition is the condition in canonical JSON. Of a long list it has the first values, and More says how many there are besides.
	Condition string `json:"condition"`
	More      int    `json:"more,omitempty"`
	// Path is where the condition was in the filter; Kind what its field is.
	Path  string `json:"path"`
	Field string `json:"field"`
	Kind  Kind   `json:"kind"`
	Op    Op     `json:"op"`
	// Set reports whether the field had a value. Observed is that value: a text, a number in decimal, an average rounded to four places, an
	// instant in RFC 3339, true or false. Of a set and a custom choice it is a list in JSON: of a set, what the condition names of it, and
	// all for IsEmpty.
	Set      bool   `json:"set"`
	Observed string `json:"observed"`
	// Threshold is what it was compared with: a text, a number, true or false, a list in JSON; and for a time the span as of the instant of
	// judging, "from/to" with an empty end where there is no bound. Empty if the operator compares with nothing.
	Threshold string `json:"threshold"`
	// Met reports whether the condition was true.
	Met bool `json:"met"`
}

// Explain tells which conditions decided what Match says, in the order of the tree. Where a group is true because all of its parts are,
// or false because none is, these are all; where one is enough, these are the ones that were.
func (f *Filter) Explain(s *Subject, at time.Time, cal Calendar) []Evidence {
	e := explaining{subject: s, at: at.UTC().Truncate(time.Microsecond), calendar: cal, found: []Evidence{}}
	if f.root != nil {
		e.node(f.root)
	}
	return e.found
}

type explaining struct {
	subject  *Subject
	at       time.Time
	calendar Calendar
	found    []Evidence
}

func (e *explaining) node(n Node) {
	met := match(n, e.subject, e.at, e.calendar)
	switch n := n.(type) {
	case All:
		e.parts(n, met)
	case Any:
		e.parts(n, met)
	case Not:
		e.node(n.Node)
	case *Condition:
		e.found = append(e.found, n.evidence(e.subject, e.at, e.calendar, met))
	}
}

// parts tells of the parts that came out as their group did: all of them where that takes all.
func (e *explaining) parts(parts []Node, met bool) {
	for _, part := range parts {
		if match(part, e.subject, e.at, e.calendar) == met {
			e.node(part)
		}
	}
}

func (c *Condition) evidence(s *Subject, at time.Time, cal Calendar, met bool) Evidence {
	observed, set := c.observed(s, at, cal)
	if c.Kind == Text {
		observed = cut(observed)
	}
	short, more := c.brief()
	return Evidence{Condition: string(short.JSON()), More: more, Path: c.Path, Field: c.Field, Kind: c.Kind, Op: c.Op, Set: set,
		Observed: observed, Threshold: short.threshold(at, cal, more), Met: met}
}

// Personal reports whether the evidence tells personal data: what was looked for, or what was found.
func (e Evidence) Personal() bool { return isPersonal(e.Kind, e.Field) }

// maxKept is how many characters are kept of what a condition compares with, and of what it saw.
const maxKept = 256

// cut is a text of at most maxKept characters; "…" stands for the rest.
func cut(s string) string {
	if len(s) <= maxKept {
		return s
	}
	characters := []rune(s)
	if len(characters) <= maxKept {
		return s
	}
	return string(characters[:maxKept-1]) + ellipsis
}

const ellipsis = "…"

// fitting is how many values of a list are kept: at least one, and together with what JSON puts around them maxKept characters.
func fitting(values []string) int {
	room := maxKept
	for i, v := range values {
		if room -= utf8.RuneCountInString(v) + len(`"",`); room < 0 && i > 0 {
			return i
		}
	}
	return len(values)
}

// brief is the condition with no more values than are kept of it, and how many that leaves out.
func (c *Condition) brief() (short *Condition, more int) {
	kept := *c
	switch {
	case len(c.Typed) > 1:
		n := fitting(c.Typed)
		kept.Typed, more = c.Typed[:n], len(c.Typed)-n
	case len(c.Choices) > 1:
		n := fitting(c.Choices)
		kept.Choices, more = c.Choices[:n], len(c.Choices)-n
	case len(c.IDs) > maxIDs:
		kept.IDs, more = c.IDs[:maxIDs], len(c.IDs)-maxIDs
	}
	return &kept, more
}

// maxIDs is how many ids, in quotes and separated by commas, fit into maxKept characters.
const maxIDs = maxKept / (36 + len(`"",`))

// listed is a list as evidence has it, in JSON.
func listed[T any](values []T, more int) string {
	all := make([]any, len(values), len(values)+1)
	for i, v := range values {
		all[i] = v
	}
	if more > 0 {
		all = append(all, ellipsis)
	}
	return string(encode(all))
}

// observed is the value of the condition's field.
func (c *Condition) observed(s *Subject, at time.Time, cal Calendar) (string, bool) {
	switch c.Kind {
	case Text:
		if c.Field == AnyText {
			return c.observedAny(s)
		}
		shown := s.shown(c.Field)
		return shown, shown != ""
	case Number:
		return s.observedNumber(c.Field)
	case Time:
		t := s.time(c.Field, at, cal)
		if t.IsZero() {
			return "", false
		}
		if date := s.Custom[strings.TrimPrefix(c.Field, customPrefix)].Date; date != "" && strings.HasPrefix(c.Field, customPrefix) {
			return date, true
		}
		return stamp(t), true
	case Choice:
		return s.observedChoice(c.Field)
	case Set:
		return c.observedSet(s)
	}
	return strconv.FormatBool(s.yes(c.Field, at)), true
}

// observedAny is the text in which was found what was looked for; the nickname if it was in none.
func (c *Condition) observedAny(s *Subject) (string, bool) {
	for _, field := range AnyTextFields() {
		if value := s.text(field); value != "" && c.foundIn(field, value) {
			return s.shown(field), true
		}
	}
	return s.Nickname, s.Nickname != ""
}

func (s *Subject) observedNumber(field string) (string, bool) {
	f, ok := s.number(field)
	switch {
	case !ok:
		return "", false
	case strings.HasPrefix(field, customPrefix):
		return string(s.Custom[strings.TrimPrefix(field, customPrefix)].Number), true
	case f.over == 1:
		return strconv.FormatUint(f.mantissa, 10), true
	}
	average := new(big.Rat).SetFrac(new(big.Int).SetUint64(f.mantissa), new(big.Int).SetUint64(f.over)).FloatString(4)
	return strings.TrimRight(strings.TrimRight(average, "0"), "."), true
}

func (s *Subject) observedChoice(field string) (string, bool) {
	switch field {
	case "channel":
		return s.Channel, s.Channel != ""
	case "created_via":
		return s.CreatedVia, s.CreatedVia != ""
	case "last_agent":
		return s.LastAgent, s.LastAgent != ""
	case "association":
		return strconv.Itoa(s.Association), true
	}
	chosen := s.Custom[strings.TrimPrefix(field, customPrefix)].Options
	if len(chosen) == 0 {
		return "", false
	}
	n := fitting(chosen)
	return listed(chosen[:n], len(chosen)-n), true
}

func (c *Condition) observedSet(s *Subject) (string, bool) {
	have := s.Tags
	if c.Field == "groups" {
		have = s.Groups
	}
	if c.Op != IsEmpty {
		named := []uuid.UUID{}
		for _, id := range c.IDs {
			if slices.Contains(have, id) {
				named = append(named, id)
			}
		}
		have = named
	}
	n := min(len(have), maxIDs)
	return listed(have[:n], len(have)-n), true
}

// threshold is what the condition compares with, if more values than it has are left out.
func (c *Condition) threshold(at time.Time, cal Calendar, more int) string {
	switch value := c.value().(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return value.String()
	case []string:
		return listed(value, more)
	case []json.Number:
		return listed(value, more)
	case []uuid.UUID:
		return listed(value, more)
	default:
		if c.Kind != Time {
			return string(encode(value))
		}
	}
	from, to := c.Span(at, cal)
	return stamp(from) + "/" + stamp(to)
}

// stamp is an instant in RFC 3339; empty for zero.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
