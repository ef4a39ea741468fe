package field

import (
	"strings"
	"time"

	"customercenter/domain/text"
)

// What parts the options in a cell: several chosen ones, and the levels of a cascade.
const (
	cellSeparator  = ","
	levelSeparator = "/"
)

// Typed is the value of a custom field that somebody has typed into a cell of a spreadsheet, as Normalize takes it: of a choice the ids of the options
// that are called so, whatever the case and the width. What no option is called stays as it is, for Normalize to refuse unless it is an id.
func (s *State) Typed(key, cell string) any {
	f, found := s.Find(key)
	switch {
	case found && f.Type == TypeDate:
		return day(cell)
	case !found || !f.chooses():
		return cell
	}
	if separator := f.separator(); separator != "" {
		return f.called(strings.Split(cell, separator), separator)
	}
	return f.called([]string{cell}, "")[0]
}

// dayForms are how people and spreadsheet programs write a day: the year first, so that nobody can take the month for the day.
var dayForms = []string{"2006-1-2", "2006/1/2", "2006.1.2", "2006年1月2日", "20060102"}

// day is a day as it is stored, whether or not midnight stands behind it. What is no day stays as it is.
func day(cell string) string {
	typed := strings.TrimSuffix(text.Fold(cell), " 00:00:00")
	for _, form := range dayForms {
		if at, err := time.Parse(form, typed); err == nil {
			return at.Format(time.DateOnly)
		}
	}
	return cell
}

// separator is what parts the options of a value in a cell; empty where there is only one.
func (f *Field) separator() string {
	switch f.Type {
	case TypeMultiSelect:
		return cellSeparator
	case TypeCascade:
		return levelSeparator
	}
	return ""
}

// place is where an option is found by what it is called: below its parent, by the folded form of its label.
type place struct{ parent, label string }

// index makes the options of a field ready to be found by what they are called.
func (f *Field) index() {
	f.places, f.parts = nil, 0
	separator := f.separator()
	for _, o := range f.Options {
		if f.places == nil {
			f.places = make(map[place]string, len(f.Options))
		}
		f.places[place{o.Parent, text.Fold(o.Label)}] = o.ID
		parts := 1
		if separator != "" {
			parts += strings.Count(o.Label, separator)
		}
		f.parts = max(f.parts, parts)
	}
}

// called are the ids of options by what they are called; of a cascade, each below the one before. Where nothing stands between two separators,
// nothing is meant. A label may have separators in it, so the longest one that there is counts.
func (f *Field) called(parts []string, separator string) []any {
	first, parent := parts[0], ""
	var ids []any
	for len(parts) > 0 && len(ids) <= MaxOptions { // more are refused
		id, taken := f.longest(parts, separator, parent)
		parts = parts[taken:]
		if id == "" {
			continue
		}
		ids = append(ids, id)
		if f.Type == TypeCascade {
			parent = id
		}
	}
	if len(ids) == 0 {
		return []any{first}
	}
	return ids
}

// longest is the id of the option below a parent that the most of the first parts together call, and how many parts these are; if there is none,
// the first part itself, empty if it is blank.
func (f *Field) longest(parts []string, separator, parent string) (id string, taken int) {
	for n := min(f.parts, len(parts)); n > 0; n-- {
		if id, found := f.places[place{parent, text.Fold(strings.Join(parts[:n], separator))}]; found {
			return id, n
		}
	}
	if text.Fold(parts[0]) == "" {
		return "", 1
	}
	return parts[0], 1
}

// Shown is how a value of a custom field, as it is stored, stands in a cell: Typed reads it back.
func (s *State) Shown(key string, value any) string {
	f, found := s.Find(key)
	if !found {
		return ""
	}
	label := func(one any) string {
		id, _ := one.(string)
		if o, found := f.option(id); found && f.chooses() {
			return o.Label
		}
		return id
	}
	list, several := value.([]any)
	if !several {
		return label(value)
	}
	labels := make([]string, len(list))
	for i, one := range list {
		labels[i] = label(one)
	}
	if f.Type == TypeCascade {
		return strings.Join(labels, levelSeparator)
	}
	return strings.Join(labels, cellSeparator)
}
