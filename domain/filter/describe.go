package filter

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Names are what people call what a filter names by ids. What has no name is shown as its id.
type Names struct {
	Tags, Groups map[uuid.UUID]string
	// Fields are labels by the field's name in the language ("custom.level"); they go before the labels of this package.
	Fields map[string]string
	// Options are labels of options, by custom key and id.
	Options map[string]map[string]string
	// Associations are names by number, Agents by id.
	Associations, Agents map[string]string
	// Zone is the zone in which times are told; nil: UTC.
	Zone *time.Location
}

// Describe says the filter in words: "created this week and has any of the tags VIP". lang is a language tag: Chinese for "zh" and what
// begins so, else English.
func (f *Filter) Describe(lang string, n Names) string {
	t := telling{chinese: isChinese(lang), names: n}
	if f.root == nil {
		return t.word(everybodyWords)
	}
	return t.node(f.root, false)
}

// Describe says the condition in words.
func (c *Condition) Describe(lang string, n Names) string {
	t := telling{chinese: isChinese(lang), names: n}
	return t.condition(c)
}

func isChinese(lang string) bool { return strings.HasPrefix(strings.ToLower(lang), "zh") }

// Words are the evidence for people: the condition ("last session more than 30 days ago"), and the same with what was observed.
func (e Evidence) Words(lang string, n Names) (condition, text string) {
	t := telling{chinese: isChinese(lang), names: n}
	c, ok := e.condition()
	if !ok {
		return e.Condition, e.Condition + t.word(colonWords) + e.Observed
	}
	t.more = e.More
	condition = t.condition(c)
	t.more = 0
	text = condition + t.word(colonWords) + t.observed(e)
	if c.Kind == Time && (c.Op == In || c.Op == Within || c.Op == OlderThan) {
		from, to, _ := strings.Cut(e.Threshold, "/")
		text += t.fill(thresholdWords, "value", t.interval(from, to))
	}
	if !e.Met {
		text += t.word(notMetWords)
	}
	return condition, text
}

// Text is the second of Words.
func (e Evidence) Text(lang string, n Names) string {
	_, text := e.Words(lang, n)
	return text
}

// condition is the condition that the evidence is of.
func (e Evidence) condition() (*Condition, bool) {
	v, err := read([]byte(e.Condition), "")
	if err != nil {
		return nil, false
	}
	key, _ := strings.CutPrefix(e.Field, customPrefix)
	p := parser{language: &Language{Groups: true, Custom: []CustomField{{Key: key, Kind: e.Kind}}}, open: true}
	c, err := p.condition(&v, "")
	return c, err == nil
}

// telling puts filters into words.
type telling struct {
	chinese bool
	names   Names
	more    int // how many values a condition has besides those that are told
}

func (t *telling) word(w words) string { return w.in(t.chinese) }

// fill puts values into a sentence, for pairs of name and value.
func (t *telling) fill(w words, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(t.word(w))
}

// node tells a part of the tree; a group inside another is set apart.
func (t *telling) node(n Node, inside bool) string {
	switch n := n.(type) {
	case All:
		return t.group(n, andWords, everybodyWords, inside)
	case Any:
		return t.group(n, orWords, nobodyWords, inside)
	case Not:
		return t.word(notWords) + t.node(n.Node, false) + t.word(closeWords)
	case *Condition:
		return t.condition(n)
	}
	return t.word(everybodyWords)
}

func (t *telling) group(parts []Node, joint, empty words, inside bool) string {
	switch len(parts) {
	case 0:
		return t.word(empty)
	case 1:
		return t.node(parts[0], inside)
	}
	told := make([]string, len(parts))
	for i, part := range parts {
		told[i] = t.node(part, true)
	}
	text := strings.Join(told, t.word(joint))
	if inside {
		return t.word(openWords) + text + t.word(closeWords)
	}
	return text
}

func (t *telling) condition(c *Condition) string {
	field := t.subject(c.Field)
	var told string
	switch {
	case c.Op == IsSet:
		return t.fill(isSetWords, "field", field)
	case c.Op == NotSet:
		return t.fill(notSetWords, "field", field)
	case c.Kind == YesNo:
		answer := answers[c.Field][1]
		if c.Yes {
			answer = answers[c.Field][0]
		}
		return t.word(answer)
	case c.Kind == Set:
		return t.fill(setSentences[c.Field][c.Op], "value", t.ids(c.Field, c.IDs))
	}
	sentence := sentences[c.Kind][c.Op]
	switch c.Kind {
	case Text:
		quoted := make([]string, len(c.Typed))
		for i, text := range c.Typed {
			quoted[i] = t.quote(text)
		}
		told = t.fill(sentence, "field", field, "value", t.list(quoted))
	case Number:
		told = t.fill(sentence, "field", field, "value", string(c.Numbers[0]), "from", string(c.Numbers[0]),
			"to", string(c.Numbers[len(c.Numbers)-1]))
	case Time:
		told = t.fill(sentence, "field", field, "value", t.length(c), "from", t.time(c.From), "to", t.time(c.To))
	case Choice:
		names := make([]string, len(c.Choices))
		for i, choice := range c.Choices {
			names[i] = t.choice(c.Field, choice)
		}
		told = t.fill(sentence, "field", field, "value", t.list(names))
	}
	if c.Unset {
		told += t.word(orNotSet)
	}
	return told
}

// subject is the label of a field as a sentence begins with it: between Latin letters or digits and Chinese there is a space.
func (t *telling) subject(field string) string {
	label := t.label(field)
	if last, _ := utf8.DecodeLastRuneInString(label); t.chinese && (unicode.Is(unicode.Latin, last) || unicode.IsDigit(last)) {
		return label + " "
	}
	return label
}

func (t *telling) label(field string) string {
	if label, ok := t.names.Fields[field]; ok {
		return label
	}
	if label, ok := labels[field]; ok {
		return t.word(label)
	}
	return strings.TrimPrefix(field, customPrefix)
}

func (t *telling) quote(s string) string {
	if t.chinese {
		return "“" + s + "”"
	}
	return `"` + s + `"`
}

// list joins alternatives: a, b or c.
func (t *telling) list(values []string) string {
	if t.more > 0 {
		return t.andMore(values)
	}
	if len(values) < 2 {
		return strings.Join(values, "")
	}
	last := len(values) - 1
	return strings.Join(values[:last], t.word(commaWords)) + t.word(orLastWords) + values[last]
}

func (t *telling) ids(field string, ids []uuid.UUID) string {
	known := t.names.Tags
	if field == "groups" {
		known = t.names.Groups
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		name, ok := known[id]
		if !ok {
			name = id.String()
		}
		names[i] = name
	}
	if t.more > 0 {
		return t.andMore(names)
	}
	return strings.Join(names, t.word(commaWords))
}

// andMore tells values that are only some of the condition's.
func (t *telling) andMore(values []string) string {
	return t.fill(moreWords, "value", strings.Join(values, t.word(commaWords)), "more", strconv.Itoa(t.more), "all", strconv.Itoa(len(values)+t.more))
}

func (t *telling) choice(field, value string) string {
	var name string
	var ok bool
	switch key, custom := strings.CutPrefix(field, customPrefix); {
	case custom:
		name, ok = t.names.Options[key][value]
	case field == "association":
		name, ok = t.names.Associations[value]
	case field == "last_agent":
		name, ok = t.names.Agents[value]
	default:
		var known words
		known, ok = values[field+"."+value]
		name = t.word(known)
	}
	if !ok {
		return value
	}
	return name
}

// length tells a period or how far back something reaches; nothing for other operators.
func (t *telling) length(c *Condition) string {
	if c.Op == In {
		return t.word(periods[c.Period])
	}
	amount, unit := strconv.Itoa(c.Amount), t.word(units[c.Unit])
	if t.chinese || c.Amount == 1 {
		return amount + " " + unit
	}
	return amount + " " + unit + "s"
}

// time tells an instant in the reader's zone, as short as it is exact.
func (t *telling) time(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	zone := t.names.Zone
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	layout := "2006-01-02 15:04"
	if at.Second() != 0 || at.Nanosecond() != 0 {
		layout += ":05.999999"
	}
	return at.Format(layout)
}

// second tells an instant of evidence, to the second: what is behind it tells nobody anything.
func (t *telling) second(at time.Time) string { return t.time(at.Truncate(time.Second)) }

// interval tells a span of evidence.
func (t *telling) interval(from, to string) string {
	told := [2]string{}
	for i, end := range [...]string{from, to} {
		if at, err := time.Parse(time.RFC3339Nano, end); err == nil {
			told[i] = t.second(at)
		}
	}
	switch {
	case told[0] == "":
		return t.fill(untilWords, "value", told[1])
	case told[1] == "":
		return t.fill(sinceWords, "value", told[0])
	}
	return told[0] + " – " + told[1]
}

// observed tells what a condition saw.
func (t *telling) observed(e Evidence) string {
	switch {
	case !e.Set:
		return t.word(nothingWords)
	case e.Kind == YesNo:
		if e.Observed == "true" {
			return t.word(yesWords)
		}
		return t.word(noWords)
	case e.Kind == Text:
		return t.quote(e.Observed)
	case e.Kind == Time:
		at, err := time.Parse(time.RFC3339Nano, e.Observed)
		if err != nil { // a date
			return e.Observed
		}
		return t.second(at)
	case e.Kind == Choice && !strings.HasPrefix(e.Field, customPrefix):
		return t.choice(e.Field, e.Observed)
	}
	if e.Kind == Choice {
		var chosen []string
		if json.Unmarshal([]byte(e.Observed), &chosen) != nil {
			return e.Observed
		}
		for i := range chosen {
			chosen[i] = t.choice(e.Field, chosen[i])
		}
		return strings.Join(chosen, t.word(commaWords))
	}
	if e.Kind == Set {
		var ids []string
		if json.Unmarshal([]byte(e.Observed), &ids) != nil {
			return e.Observed
		}
		if len(ids) == 0 {
			return t.word(noneWords)
		}
		for i := range ids {
			if id, err := uuid.Parse(ids[i]); err == nil { // else it says that there are more
				ids[i] = t.ids(e.Field, []uuid.UUID{id})
			}
		}
		return strings.Join(ids, t.word(commaWords))
	}
	return e.Observed
}
