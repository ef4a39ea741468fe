package pages

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"customercenter/domain/filter"
)

// Names of inputs are those of the row: c.0.field is the field of the first row, c.2.1.value a value of the second row of a group that is
// the third row. c.do is the button that was pressed: add, group or remove, and where; show for none.

const (
	deepestForm = 3   // levels of groups that the form offers; a filter that has more keeps them
	mostRows    = 100 // more than any filter may have
)

var rowName = regexp.MustCompile(`^c\.((?:[0-9]{1,3}\.){0,8})(field|match|kept)$`)

// postedConditions reads the form as it was sent, and does what one of its own buttons asks for.
func (v *visit) postedConditions(use conditionsUse) (*conditions, error) {
	c, err := v.conditions(use, nil)
	if err != nil {
		return nil, err
	}
	if err := v.r.ParseForm(); err != nil {
		return nil, errBroken
	}
	c.root = c.posted(v.r.PostForm)
	if do := v.r.PostForm.Get("c.do"); do != "" {
		c.Edited = true
		c.do(do)
	}
	return c, nil
}

// posted builds the tree of the rows that were sent.
func (c *conditions) posted(form url.Values) *part {
	kinds := map[string]string{} // field, match or kept, by the path of the row
	var paths []string
	for name := range form {
		if found := rowName.FindStringSubmatch(name); found != nil && found[1] != "" && len(paths) < mostRows {
			kinds[found[1]] = found[2]
			paths = append(paths, found[1])
		}
	}
	slices.SortFunc(paths, comparePaths)
	rows := map[string]*part{"": {match: oneOf(form.Get("c.match"), "all", "any", "none")}}
	for _, path := range paths {
		above := path[:strings.LastIndexByte(path[:len(path)-1], '.')+1]
		group, known := rows[above]
		if !known || !group.isGroup() {
			continue
		}
		row := c.postedRow(form, "c."+path, kinds[path])
		group.parts = append(group.parts, row)
		rows[path] = row
	}
	return rows[""]
}

func oneOf(value string, known ...string) string {
	if slices.Contains(known, value) {
		return value
	}
	return known[0]
}

// comparePaths orders rows as they stand in the form: 2. before 10., and a group before what is in it.
func comparePaths(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
}

func (c *conditions) postedRow(form url.Values, name, kind string) *part {
	switch kind {
	case "match":
		return &part{match: oneOf(form.Get(name+"match"), "all", "any", "none")}
	case "kept":
		if raw := form.Get(name + "kept"); json.Valid([]byte(raw)) {
			return &part{kept: json.RawMessage(raw)}
		}
	}
	p := &part{field: form.Get(name + "field"), op: filter.Op(form.Get(name + "op")), values: form[name+"value"],
		unit: oneOf(form.Get(name+"unit"), lengthUnits...), unset: form.Get(name+"unset") != "", optional: form.Get(name+"optional") != ""}
	t, known := c.terms.find(p.field)
	if !known {
		t = c.terms.all[0]
		p.field = t.name
	}
	if !slices.Contains(t.ops(), p.op) {
		p.op = t.ops()[0]
	}
	if form.Get(name+"was") != p.shape(&t) { // what was typed for another kind of value means nothing now
		p.values = nil
	}
	return p
}

// shape says what a value of the row is like: values of one are not of use for another.
func (p *part) shape(t *term) string {
	input := t.input(p.op)
	if input == "picks" {
		return input + " " + p.field
	}
	return input
}

// do changes the form as one of its buttons asks.
func (c *conditions) do(what string) {
	act, path, _ := strings.Cut(what, " ")
	at := strings.FieldsFunc(path, func(r rune) bool { return r == '.' })
	switch act {
	case "add", "group":
		group, ok := c.row(at)
		if !ok || !group.isGroup() {
			return
		}
		group.parts = append(group.parts, c.fresh(act == "group"))
		path := append(slices.Clone(at), strconv.Itoa(len(group.parts)-1))
		if act == "group" {
			path = append(path, "0")
		}
		c.focus = inputName(path, "field")
	case "remove":
		c.remove(at)
	}
}

// fresh is a new row, or a group with one.
func (c *conditions) fresh(group bool) *part {
	t := c.terms.all[0]
	if row := (&part{field: t.name, op: t.ops()[0]}); !group {
		return row
	}
	return &part{match: "any", parts: []*part{c.fresh(false)}}
}

// remove takes a row away, and groups that are empty without it.
func (c *conditions) remove(at []string) {
	for len(at) > 0 {
		group, ok := c.row(at[:len(at)-1])
		i, err := strconv.Atoi(at[len(at)-1])
		if !ok || err != nil || i >= len(group.parts) {
			return
		}
		group.parts = slices.Delete(group.parts, i, i+1)
		at = at[:len(at)-1]
		if len(group.parts) > 0 {
			c.focus = inputName(append(slices.Clone(at), strconv.Itoa(min(i, len(group.parts)-1))), "field")
			return
		}
	}
	c.focus = "c.add"
}

// row finds a row by its path.
func (c *conditions) row(at []string) (*part, bool) {
	p := c.root
	for _, step := range at {
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(p.parts) {
			return nil, false
		}
		p = p.parts[i]
	}
	return p, true
}

func inputName(path []string, what string) string {
	return fmt.Sprintf("c.%s.%s", strings.Join(path, "."), what)
}
