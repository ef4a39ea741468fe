package field

import (
	"strings"

	"customercenter/domain/text"
)

// What parts the options in a cell: several chosen ones, and the levels of a cascade.
const (
	cellSeparator  = ","
	levelSeparator = "/"
)

// Typed is the value of a custom field that somebody has typed into a cell of a spreadsheet, as Normalize takes it: of a choice the ids of the options
// that are called so, whatever the case and the width. What is no option stays as it is, for Normalize to refuse.
func (s *State) Typed(key, cell string) any {
	f, found := s.Find(key)
	if !found || !f.chooses() {
		return cell
	}
	switch f.Type {
	case TypeMultiSelect:
		return f.called(strings.Split(cell, cellSeparator), false)
	case TypeCascade:
		return f.called(strings.Split(cell, levelSeparator), true)
	}
	return f.called([]string{cell}, false)[0]
}

// called are the ids of options by what they are called; downwards, each below the one before.
func (f *Field) called(labels []string, downwards bool) []any {
	ids := make([]any, 0, len(labels))
	parent := ""
	for _, label := range labels {
		folded := text.Fold(label)
		if folded == "" && len(labels) > 1 {
			continue
		}
		id := label
		for _, o := range f.Options {
			if (!downwards || o.Parent == parent) && text.Fold(o.Label) == folded {
				id = o.ID
				break
			}
		}
		ids, parent = append(ids, id), id
	}
	if len(ids) == 0 {
		ids = append(ids, labels[0])
	}
	return ids
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
