package pages

import (
	"slices"
	"strconv"
	"strings"

	"customercenter/api/access"
	"customercenter/domain/filter"
)

// The views of the conditions, as parts/conditions.html is given them.

type conditionsView struct {
	At              string
	Groups, Counted bool
	Group           conditionGroup
	Total           string // how many match, in words; empty: it is not told
	Zone            string
	Focus           string // name of the input to go on with
}

type conditionGroup struct {
	Name  string // c. or c.0.
	Path  string // as buttons say it
	Match []option
	Rows  []conditionRow
	Root  bool
	Nests bool // groups may be added
	Label string
	Wrong string
}

// conditionRow is a condition, or one of the other two.
type conditionRow struct {
	Group *conditionGroup
	Kept  *keptCondition

	Name, Path, Label string
	Fields            []optionGroup
	Ops               []option
	Input, Shape      string
	Values            []conditionValue
	Options           []conditionOption // of picks and lists
	Make              string            // the page where the first to choose from is made; empty: none that the visitor may go to
	Units             []option
	Numeric, Search   bool
	Unset, TakesUnset bool
	Optional          bool
	Wrong             string
}

type keptCondition struct{ JSON, Text string }

type optionGroup struct {
	Label   string
	Options []option
}

type conditionValue struct{ Label, Value string }

type conditionOption struct {
	Value, Text string
	Chosen      bool
	Hue, Depth  int
	Count       string // how many of those who match have it; empty: not known
}

func (c *conditions) view(v *visit) conditionsView {
	view := conditionsView{At: c.use.At, Groups: c.use.Groups, Counted: c.use.Counted, Zone: v.location().String(), Focus: c.focus}
	view.Group = c.viewGroup(v, c.root, nil)
	view.Group.Root = true
	if c.counts.total != nil {
		view.Total = v.t("conditions.total", "n", *c.counts.total)
	}
	return view
}

func (c *conditions) viewGroup(v *visit, p *part, path []string) conditionGroup {
	g := conditionGroup{Name: strings.Join(append([]string{"c"}, path...), ".") + ".", Path: strings.Join(path, "."), Nests: len(path)+1 < deepestForm,
		Label: v.t("conditions.group"), Wrong: p.wrong}
	for _, match := range []string{"all", "any", "none"} {
		g.Match = append(g.Match, option{Value: match, Text: v.t("conditions.match." + match), Chosen: match == p.match})
	}
	for i, inner := range p.parts {
		g.Rows = append(g.Rows, c.viewRow(v, inner, append(slices.Clone(path), strconv.Itoa(i))))
	}
	return g
}

func (c *conditions) viewRow(v *visit, p *part, path []string) conditionRow {
	steps := strings.Join(path, ".")
	row := conditionRow{Name: "c." + steps + ".", Path: steps, Wrong: p.wrong, Optional: p.optional, Label: v.t("conditions.row", "n", label(path))}
	switch {
	case p.isGroup():
		group := c.viewGroup(v, p, path)
		row.Group = &group
		return row
	case p.kept != nil:
		row.Kept = &keptCondition{JSON: string(p.kept), Text: c.terms.told(v.language, p.kept)}
		return row
	}
	t, _ := c.terms.find(p.field)
	row.Fields = c.viewFields(v, p.field)
	for _, op := range t.ops() {
		name := string(t.kind) + "_" + string(op)
		row.Ops = append(row.Ops, option{Value: string(op), Text: v.t("conditions.op." + name), Chosen: op == p.op})
	}
	row.Input, row.Shape = t.input(p.op), p.shape(&t)
	row.Unset, row.TakesUnset = p.unset, t.takesUnset(p.op)
	row.Values = viewValues(v, row.Input, p.values)
	row.Numeric = row.Input == "number" || row.Input == "numbers" || row.Input == "length"
	row.Options = c.viewOptions(v, p, &t, row.Input)
	row.Search = len(row.Options) > 8
	if made, ok := madeAt[p.field]; ok && len(row.Options) == 0 && access.May(v.in.Role, made.operation) {
		row.Make = made.path
	}
	for _, unit := range lengthUnits {
		row.Units = append(row.Units, option{Value: unit, Text: v.t("conditions.unit." + unit), Chosen: unit == p.unit})
	}
	return row
}

// madeAt is where that is made which conditions are about, and the operation that makes it.
var madeAt = map[string]struct{ path, operation string }{
	"tags": {"/tags", "create-tag"}, "groups": {"/groups", "define-group"}, "association": {"/associations", "register-association"},
}

// label is the number of a row as people count: 3, or 3.1 in a group.
func label(path []string) string {
	told := make([]string, len(path))
	for i, step := range path {
		n, _ := strconv.Atoi(step) // our own
		told[i] = strconv.Itoa(n + 1)
	}
	return strings.Join(told, ".")
}

func (c *conditions) viewFields(v *visit, chosen string) (groups []optionGroup) {
	for _, section := range termSections {
		g := optionGroup{Label: v.t("conditions.section." + section)}
		for _, t := range c.terms.all {
			if t.section == section && (t.name != "groups" || c.use.Groups) {
				g.Options = append(g.Options, option{Value: t.name, Text: t.label, Chosen: t.name == chosen})
			}
		}
		if len(g.Options) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// viewValues are as many inputs as a kind of value has.
func viewValues(v *visit, input string, values []string) []conditionValue {
	labels := []string{v.t("conditions.value")}
	switch input {
	case "none", "picks":
		return nil
	case "numbers":
		labels = []string{v.t("conditions.from"), v.t("conditions.to")}
	case "instants":
		labels = []string{v.t("conditions.from"), v.t("conditions.until")}
	case "lines":
		labels = []string{v.t("conditions.lines")}
	}
	var all []conditionValue
	for i, label := range labels {
		value := conditionValue{Label: label}
		if i < len(values) {
			value.Value = values[i]
		}
		all = append(all, value)
	}
	return all
}

// viewOptions are what can be chosen: what is chosen first, if there are many.
func (c *conditions) viewOptions(v *visit, p *part, t *term, input string) (all []conditionOption) {
	chosen := func(value string) bool { return slices.Contains(p.values, value) }
	switch input {
	case "period":
		for _, period := range periodNames {
			all = append(all, conditionOption{Value: period, Text: v.t("conditions.period." + period), Chosen: chosen(period)})
		}
		return all
	case "yes_no":
		return []conditionOption{{Value: "true", Text: v.t("conditions.yes"), Chosen: chosen("true")}, {Value: "false", Text: v.t("conditions.no"), Chosen: chosen("false")}}
	case "picks":
	default:
		return nil
	}
	counted, known := c.counts.facets[p.field]
	for _, choice := range t.choices {
		o := conditionOption{Value: choice.value, Text: choice.text, Chosen: chosen(choice.value), Hue: choice.hue, Depth: choice.depth}
		if known {
			o.Count = grouped(counted[choice.value])
		}
		all = append(all, o)
	}
	for _, value := range p.values { // what is chosen and not there any more can be taken away
		if !slices.ContainsFunc(all, func(o conditionOption) bool { return o.Value == value }) {
			all = append(all, conditionOption{Value: value, Text: v.t("conditions.gone", "id", short(value)), Chosen: true})
		}
	}
	if len(all) > 8 && t.kind == filter.Set {
		slices.SortStableFunc(all, func(a, b conditionOption) int { return rank(a) - rank(b) })
	}
	return all
}

func rank(o conditionOption) int {
	if o.Chosen {
		return 0
	}
	return 1
}

// short is the end of an id: enough to tell two apart.
func short(id string) string {
	if len(id) > 8 {
		return "…" + id[len(id)-8:]
	}
	return id
}

// AsTag is the option as a tag is shown.
func (o conditionOption) AsTag() tag { return tag{o.Text, o.Hue} }
