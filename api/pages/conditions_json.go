package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"customercenter/domain/filter"
)

// JSON is the filter as the API takes it. Rows of ours without a value are left out; what else is missing, the API names.
func (c *conditions) JSON() json.RawMessage {
	c.root.each(func(p *part) { p.at = "" })
	c.root.at = c.use.At
	tree := c.tree(c.root, c.use.At)
	if tree == nil {
		return json.RawMessage("{}")
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		panic("pages: " + err.Error()) // texts, numbers and lists of them; what is kept was JSON
	}
	return raw
}

// finished is the filter without the rows that lack their value: what there is of one that is being typed. whole tells that this is all of it.
func (c *conditions) finished() (raw json.RawMessage, whole bool) {
	all := c.JSON()
	var rows []*part
	c.root.each(func(p *part) {
		if !p.isGroup() && p.kept == nil && !p.optional {
			p.optional = true
			rows = append(rows, p)
		}
	})
	raw = c.JSON()
	for _, p := range rows {
		p.optional = false
	}
	return raw, bytes.Equal(raw, all)
}

// tree is a part as encoding/json writes it, at its place in the JSON; nil for what means nothing.
func (c *conditions) tree(p *part, at string) any {
	switch {
	case !p.isGroup():
		return c.leaf(p, at)
	case p.match != "none":
		return c.group(p, p.match, at)
	}
	if parts := c.meant(p); len(parts) == 1 {
		p.at = at
		return map[string]any{"not": c.tree(parts[0], at+".not")}
	}
	inner := c.group(p, "any", at+".not")
	if inner == nil {
		return nil
	}
	p.at = at
	return map[string]any{"not": inner}
}

func (c *conditions) group(p *part, match, at string) any {
	parts := []any{}
	for _, inner := range c.meant(p) {
		parts = append(parts, c.tree(inner, fmt.Sprintf("%s.%s[%d]", at, match, len(parts))))
	}
	if len(parts) == 0 {
		return nil
	}
	p.at = at
	return map[string]any{match: parts}
}

// meant are the parts of a group that mean something.
func (c *conditions) meant(p *part) (parts []*part) {
	for _, inner := range p.parts {
		if inner.isGroup() && len(c.meant(inner)) == 0 || inner.optional && c.blank(inner) {
			continue
		}
		parts = append(parts, inner)
	}
	return parts
}

// blank reports whether a condition lacks its value.
func (c *conditions) blank(p *part) bool {
	t, known := c.terms.find(p.field)
	if !known || t.input(p.op) == "none" {
		return false
	}
	return !slices.ContainsFunc(p.values, func(value string) bool { return strings.TrimSpace(value) != "" })
}

// leaf is a condition as JSON.
func (c *conditions) leaf(p *part, at string) any {
	p.at = at
	if p.kept != nil {
		return p.kept
	}
	leaf := map[string]any{"field": p.field, "op": p.op}
	t, known := c.terms.find(p.field)
	if !known {
		return leaf
	}
	if value := p.value(t.input(p.op), c.terms.names.Zone); value != nil {
		leaf["value"] = value
	}
	if p.unset && t.takesUnset(p.op) {
		leaf["unset"] = true
	}
	return leaf
}

// value is what a condition compares with, as JSON; nil if it is missing.
func (p *part) value(input string, zone *time.Location) any {
	typed := make([]string, 0, len(p.values))
	for _, value := range p.values {
		typed = append(typed, strings.TrimSpace(value))
	}
	first := ""
	if len(typed) > 0 {
		first = typed[0]
	}
	switch input {
	case "picks":
		return slices.DeleteFunc(typed, func(value string) bool { return value == "" })
	case "lines":
		return lines(first)
	case "numbers":
		return ends(typed, number)
	case "instants":
		return ends(typed, func(value string) any { return instant(value, zone) })
	}
	switch {
	case first == "":
		return nil
	case input == "text":
		return first
	case input == "number":
		return number(first)
	case input == "period":
		return map[string]any{"period": first}
	case input == "length":
		return map[string]any{p.unit: number(first)}
	case input == "instant":
		return instant(first, zone)
	case input == "yes_no":
		return first == "true"
	}
	return nil
}

// lines are the lines of a text that say something.
func lines(text string) []string {
	all := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// ends are two values, from and to; one that is not given is left out.
func ends(typed []string, read func(string) any) map[string]any {
	both := map[string]any{}
	for i, name := range []string{"from", "to"} {
		if i < len(typed) && typed[i] != "" {
			both[name] = read(typed[i])
		}
	}
	return both
}

// number is a number, or the text that is none, for the API to say so.
func number(typed string) any {
	if n, ok := filter.ParseDecimal(typed); ok {
		return json.Number(n)
	}
	return typed
}

// typedTime is how browsers send an instant.
const typedTime = "2006-01-02T15:04"

func instant(typed string, zone *time.Location) any {
	if at, err := time.ParseInLocation(typedTime, typed, zone); err == nil {
		return at.UTC().Format(time.RFC3339)
	}
	return typed
}

// node is a part of a filter in JSON.
type node struct {
	All   []json.RawMessage `json:"all"`
	Any   []json.RawMessage `json:"any"`
	Not   json.RawMessage   `json:"not"`
	Field string            `json:"field"`
	Op    filter.Op         `json:"op"`
	Value json.RawMessage   `json:"value"`
	Unset bool              `json:"unset"`
}

// readRoot reads a filter: its root is a group, so that there is always something to add a condition to.
func (c *conditions) readRoot(raw json.RawMessage) *part {
	p := c.read(raw)
	switch {
	case p == nil:
		return &part{match: "all"}
	case p.isGroup():
		return p
	}
	return &part{match: "all", parts: []*part{p}}
}

// read reads a part of a filter; nil for everybody. What cannot be shown as it is, is kept.
func (c *conditions) read(raw json.RawMessage) *part {
	var n node
	kept := &part{kept: raw}
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || string(trimmed) == "{}" || string(trimmed) == "null" {
		return nil
	}
	if json.Unmarshal(raw, &n) != nil {
		return kept
	}
	switch {
	case len(n.All) > 0:
		return c.readGroup("all", n.All)
	case len(n.Any) > 0:
		return c.readGroup("any", n.Any)
	case n.Not != nil:
		inner := c.read(n.Not)
		if inner != nil && inner.match == "any" {
			inner.match = "none"
			return inner
		}
		if inner != nil && !inner.isGroup() && inner.kept == nil {
			return &part{match: "none", parts: []*part{inner}}
		}
		return kept
	}
	if p := c.readLeaf(&n); p != nil && c.same(p, raw) {
		return p
	}
	return kept
}

func (c *conditions) readGroup(match string, parts []json.RawMessage) *part {
	group := &part{match: match}
	for _, raw := range parts {
		if inner := c.read(raw); inner != nil {
			group.parts = append(group.parts, inner)
		} else {
			group.parts = append(group.parts, &part{kept: raw}) // everybody
		}
	}
	return group
}

// same reports whether a row says just what the JSON does that it was read from.
func (c *conditions) same(p *part, raw json.RawMessage) bool {
	again, err := json.Marshal(c.leaf(p, ""))
	if err != nil {
		return false
	}
	before, err := filter.Parse(raw, &c.terms.language, "")
	if err != nil {
		return false
	}
	after, err := filter.Parse(again, &c.terms.language, "")
	return err == nil && bytes.Equal(before.JSON(), after.JSON())
}

// readLeaf reads a condition as it would be typed; nil if the form has no words for it.
func (c *conditions) readLeaf(n *node) *part {
	t, known := c.terms.find(n.Field)
	if !known || !slices.Contains(t.ops(), n.Op) {
		return nil
	}
	p := &part{field: n.Field, op: n.Op, unset: n.Unset}
	var one any
	d := json.NewDecoder(bytes.NewReader(n.Value))
	d.UseNumber()
	if t.input(n.Op) != "none" && d.Decode(&one) != nil {
		return nil
	}
	switch value := one.(type) {
	case string:
		p.values = []string{value}
	case json.Number:
		p.values = []string{value.String()}
	case bool:
		p.values = []string{strconv.FormatBool(value)}
	case []any:
		for _, each := range value {
			p.values = append(p.values, fmt.Sprint(each))
		}
	case map[string]any:
		p.readObject(value)
	}
	switch t.input(n.Op) {
	case "lines":
		p.values = []string{strings.Join(p.values, "\n")}
	case "instant", "instants":
		for i, value := range p.values {
			if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
				p.values[i] = at.In(c.terms.names.Zone).Format(typedTime)
			}
		}
	}
	return p
}

// readObject reads a period, a length, or two ends.
func (p *part) readObject(members map[string]any) {
	if period, ok := members["period"]; ok {
		p.values = []string{fmt.Sprint(period)}
		return
	}
	for _, unit := range lengthUnits {
		if amount, ok := members[unit]; ok {
			p.values, p.unit = []string{fmt.Sprint(amount)}, unit
			return
		}
	}
	for _, end := range []string{"from", "to"} {
		p.values = append(p.values, fmt.Sprint(members[end]))
	}
}

var (
	lengthUnits = []string{"days", "hours", "minutes"}
	periodNames = []string{"today", "yesterday", "this_week", "last_week", "this_month", "last_month"}
)
