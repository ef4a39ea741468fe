package filter

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Evidence is what a condition saw when a filter was judged. It can be kept: Words needs nothing but it and names. Observed may be
// personal data.
type Evidence struct {
	// Condition is the condition in canonical JSON; Path where it was in the filter; Kind what its field is.
	Condition string `json:"condition"`
	Path      string `json:"path"`
	Field     string `json:"field"`
	Kind      Kind   `json:"kind"`
	Op        Op     `json:"op"`
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
	return Evidence{Condition: string(c.JSON()), Path: c.Path, Field: c.Field, Kind: c.Kind, Op: c.Op, Set: set, Observed: observed,
		Threshold: c.threshold(at, cal), Met: met}
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

// observedAny is the text that the needle was found in; the nickname if it was in none.
func (c *Condition) observedAny(s *Subject) (string, bool) {
	positive := *c
	if c.Op == NotContains {
		positive.Op = Contains
	}
	for _, field := range AnyTextFields() {
		value := s.text(field)
		if value != "" && (c.Op == Eq || Searchable(field, c.Texts[0])) && positive.compareText(value) {
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
	return string(encode(chosen)), true
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
	return string(encode(append([]uuid.UUID{}, have...))), true
}

func (c *Condition) threshold(at time.Time, cal Calendar) string {
	switch value := c.value().(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return value.String()
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
