package pages

import (
	"slices"
	"strings"

	"customercenter/api"
	domain "customercenter/domain/field"
)

// optionRow is an option in the form.
type optionRow struct {
	ID, Label   string
	Wrong       string
	Level       int // 1: at the top
	Gone        bool
	First, Last bool // of those beside it
}

// tree are the options of a draft as the API takes them: those of the field where they are in its tree, in the order of the draft, and then the
// further ones. where tells by the API's location of an option which one of the draft it is; further ones are "more".
func (d *fieldDraft) tree(f *api.Field) (options []api.OptionInput, where map[string]string) {
	parents := parentsIn(f.Options)
	var below func(parent string) []api.OptionInput
	below = func(parent string) (all []api.OptionInput) {
		for _, o := range d.options {
			if at, there := parents[o.id]; there && at == parent && !o.gone {
				all = append(all, api.OptionInput{ID: o.id, Label: o.label, Options: below(o.id)})
			}
		}
		return all
	}
	options = below("")
	for line := range strings.Lines(d.more) {
		options = withOption(options, wayIn(line, f.Type == domain.TypeCascade))
	}
	where = map[string]string{}
	locate(options, "options", where)
	return options, where
}

// parentsIn are the parents of options, by id; empty for those at the top.
func parentsIn(options []api.FieldOption) map[string]string {
	parents := map[string]string{}
	var add func(parent string, options []api.FieldOption)
	add = func(parent string, options []api.FieldOption) {
		for _, o := range options {
			parents[o.ID] = parent
			add(o.ID, o.Options)
		}
	}
	add("", options)
	return parents
}

// wayIn is what a line says: the label of an option, in a cascade behind those that it lies below.
func wayIn(line string, levels bool) (way []string) {
	parts := []string{line}
	if levels {
		parts = strings.FieldsFunc(line, func(r rune) bool { return r == '/' || r == '／' })
	}
	for _, part := range parts {
		if label := strings.TrimSpace(part); label != "" {
			way = append(way, label)
		}
	}
	return way
}

// withOption adds an option at the end of a way. What is on the way already is not added again, but the last one is: that it is there twice,
// the API says.
func withOption(options []api.OptionInput, way []string) []api.OptionInput {
	if len(way) == 0 {
		return options
	}
	at := slices.IndexFunc(options, func(o api.OptionInput) bool { return o.Label == way[0] })
	if at < 0 || len(way) == 1 {
		at = len(options)
		options = append(options, api.OptionInput{Label: way[0]})
	}
	options[at].Options = withOption(options[at].Options, way[1:])
	return options
}

// locate says which option stands where in a request.
func locate(options []api.OptionInput, at string, where map[string]string) {
	for i, o := range options {
		here := at + "[" + told(i) + "]"
		where[here] = o.ID
		if o.ID == "" {
			where[here] = "more"
		}
		locate(o.Options, here+".options", where)
	}
}

// rows are the options of a draft as the form shows them.
func (d *fieldDraft) rows(f *api.Field) (rows []optionRow) {
	parents := parentsIn(f.Options)
	var below func(parent string, level int)
	below = func(parent string, level int) {
		first := len(rows)
		last := -1
		for _, o := range d.options {
			if at, there := parents[o.id]; there && at == parent {
				last = len(rows)
				rows = append(rows, optionRow{ID: o.id, Label: o.label, Level: level, Gone: o.gone, First: last == first})
				below(o.id, level+1)
			}
		}
		if last >= 0 {
			rows[last].Last = true
		}
	}
	below("", 1)
	return rows
}

// move moves an option by a place among those beside it.
func (d *fieldDraft) move(f *api.Field, id, way string) {
	parents := parentsIn(f.Options)
	at := slices.IndexFunc(d.options, func(o optionDraft) bool { return o.id == id })
	if at < 0 {
		return
	}
	by := 1
	if way == "up" {
		by = -1
	}
	for to := at + by; to >= 0 && to < len(d.options); to += by {
		if parents[d.options[to].id] == parents[id] {
			d.options[at], d.options[to] = d.options[to], d.options[at]
			return
		}
	}
}
