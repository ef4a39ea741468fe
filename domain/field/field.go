// Package field decides which fields a tenant's customers have: the nine that everybody has, and those the tenant adds.
package field

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// Stream is the one stream of a tenant's fields.
const Stream = "fields"

// Types of fields. The names are stored and never change.
const (
	TypeText        = "text"      // one line
	TypeMultiline   = "multiline" // several lines
	TypeNumber      = "number"
	TypeDate        = "date"
	TypeSelect      = "select"
	TypeMultiSelect = "multi_select"
	TypeCascade     = "cascade" // a way from the top of a tree of options downwards
)

// Types returns the types that a custom field can have.
func Types() []string {
	return []string{TypeText, TypeMultiline, TypeNumber, TypeDate, TypeSelect, TypeMultiSelect, TypeCascade}
}

// Limits of a tenant's fields.
const (
	MaxCustom  = 100 // custom fields that exist
	MaxLabel   = 50  // characters, of a field and of an option
	MaxHint    = 200 // characters
	MaxOptions = 200 // of a field, on all levels together
	MaxLevels  = 3   // of a cascade
)

// system has the fields that every tenant has, in the order in which they stand to begin with. Labels are what they are called in
// English and Chinese: no custom field may be called the same.
var system = []struct {
	key, kind string
	labels    [2]string
	pinned    bool // cannot be hidden
}{
	{"external_id", TypeText, [2]string{"ID", "ID"}, true},
	{"nickname", TypeText, [2]string{"nickname", "昵称"}, true},
	{"name", TypeText, [2]string{"name", "名字"}, false},
	{"phone", TypeText, [2]string{"phone", "手机"}, false},
	{"qq", TypeText, [2]string{"QQ", "QQ"}, false},
	{"wechat_id", TypeText, [2]string{"WeChat ID", "微信号"}, false},
	{"email", TypeText, [2]string{"email", "邮箱"}, false},
	{"company", TypeText, [2]string{"company", "公司"}, false},
	{"description", TypeMultiline, [2]string{"description", "描述"}, false},
}

// SystemLabels returns what the fields that every tenant has are called, by key: in English and in Chinese.
func SystemLabels() map[string][2]string {
	labels := make(map[string][2]string, len(system))
	for _, f := range system {
		labels[f.key] = f.labels
	}
	return labels
}

// Field is a field as it is. It is a value: what hangs on it is never changed in place.
type Field struct {
	Key    string
	Type   string
	System bool
	Label  string // as the tenant calls it; of a system field empty
	Hint   string
	// Shown says whether people want to see it. One that is disabled is not shown all the same.
	Shown    bool
	Disabled bool
	Removed  bool
	Options  []Option
	// Version counts the changes of the field: 1 when it was added, and of a system field to begin with.
	Version int64
	// former has the labels of options that are gone, by id.
	former map[string]string
	// places has the ids of options by what they are called, and parts is of how many parts the longest label consists: see called.
	places map[place]string
	parts  int
	// issued is the highest number of an option's id that was given.
	issued int
}

// State is the catalogue of fields. Its zero value is a tenant that has added and changed nothing.
type State struct {
	fields map[string]Field // by key, removed ones too; nil: as to begin with
	order  []string         // of all that exist; nil with fields
	// moves counts the changes of the order.
	moves int64
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	return State{fields: maps.Clone(s.fields), order: slices.Clone(s.order), moves: s.moves}
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (s *State) Apply(e domain.Event, _ time.Time) {
	if e, ok := e.(Event); ok {
		s.begin()
		s.apply(e)
	}
}

func (s *State) apply(e Event) {
	switch e := e.(type) {
	case Added:
		f := Field{Key: e.Field, Type: e.Type}
		f.describe(e.Label, e.Hint, e.Options)
		s.fields[e.Field] = f
		s.order = append(s.order, e.Field)
		s.moves++
	case Changed:
		s.change(e.Field, func(f *Field) { f.describe(e.Label, e.Hint, e.Options) })
	case Shown:
		s.change(e.Field, func(f *Field) { f.Shown = true })
	case Hidden:
		s.change(e.Field, func(f *Field) { f.Shown = false })
	case Enabled:
		s.change(e.Field, func(f *Field) { f.Disabled = false })
	case Disabled:
		s.change(e.Field, func(f *Field) { f.Disabled = true })
	case Reordered:
		s.order = slices.Clone(e.Order)
		s.moves++
	case Removed:
		s.change(e.Field, func(f *Field) { f.Removed = true })
		s.order = slices.DeleteFunc(s.order, func(key string) bool { return key == e.Field })
		s.moves++
	}
}

// begin makes what holds without any event explicit.
func (s *State) begin() {
	if s.fields != nil {
		return
	}
	s.fields, s.order = map[string]Field{}, nil
	for _, f := range system {
		s.fields[f.key] = Field{Key: f.key, Type: f.kind, System: true, Shown: true, Version: 1}
		s.order = append(s.order, f.key)
	}
}

func (s *State) change(key string, change func(*Field)) {
	f := s.fields[key]
	change(&f)
	f.Version++
	s.fields[key] = f
}

// describe is what Added and Changed say.
func (f *Field) describe(label, hint string, options []Option) {
	former := maps.Clone(f.former)
	for _, o := range f.Options {
		if !slices.ContainsFunc(options, func(kept Option) bool { return kept.ID == o.ID }) {
			if former == nil {
				former = map[string]string{}
			}
			former[o.ID] = o.Label
		}
	}
	f.Label, f.Hint, f.Options, f.former = label, hint, options, former
	for _, o := range options {
		if number, err := strconv.Atoi(strings.TrimPrefix(o.ID, optionPrefix)); err == nil {
			f.issued = max(f.issued, number)
		}
	}
	f.Version = max(f.Version, 1)
	f.index()
}

// known is the state with what holds without any event.
func (s *State) known() *State {
	if s.fields != nil {
		return s
	}
	var explicit State
	explicit.begin()
	return &explicit
}

// All returns the fields that exist, in their order: system fields, and custom ones that were not removed.
func (s *State) All() []Field {
	s = s.known()
	all := make([]Field, 0, len(s.order))
	for _, key := range s.order {
		all = append(all, s.fields[key])
	}
	return all
}

// Order returns the keys of All.
func (s *State) Order() []string { return slices.Clone(s.known().order) }

// OrderVersion counts the changes of the order, added and removed fields included; 1 to begin with.
func (s *State) OrderVersion() int64 { return s.moves + 1 }

// Find returns the field of that key, if it exists.
func (s *State) Find(key string) (Field, bool) {
	f, found := s.known().fields[key]
	return f, found && !f.Removed
}

// Custom returns the custom field of that key, removed or not: of what there was, histories still tell.
func (s *State) Custom(key string) (Field, bool) {
	f, found := s.fields[key]
	return f, found && !f.System
}

// Filterable returns the custom fields that filters may speak of, in their order: those that exist and are not disabled.
func (s *State) Filterable() []filter.CustomField {
	var all []filter.CustomField
	for _, f := range s.All() {
		if !f.System && !f.Disabled {
			all = append(all, f.filterable())
		}
	}
	return all
}

// Ever returns the custom fields that filters may speak of or could once, sorted by key: those that are disabled and those that were removed
// too, with the options that are gone, as they were called last. Every filter that was ever accepted can be read with them, because keys
// and the ids of options are never given again. It is for telling what such a filter says, not for taking a new one.
func (s *State) Ever() []filter.CustomField {
	var all []filter.CustomField
	for _, key := range slices.Sorted(maps.Keys(s.fields)) {
		f := s.fields[key]
		if f.System {
			continue
		}
		custom := f.filterable()
		for id, label := range f.former {
			if _, there := custom.Options[id]; !there {
				custom.Options[id] = label
			}
		}
		all = append(all, custom)
	}
	return all
}

// filterable is the field as filters see it.
func (f *Field) filterable() filter.CustomField {
	custom := filter.CustomField{Key: f.Key, Label: f.Label, Kind: f.kind()}
	if custom.Kind == filter.Choice {
		custom.Options = make(map[string]string, len(f.Options))
		for _, o := range f.Options {
			custom.Options[o.ID] = f.way(o)
		}
	}
	return custom
}

// kind is what filters take the field for.
func (f *Field) kind() filter.Kind {
	switch f.Type {
	case TypeNumber:
		return filter.Number
	case TypeDate:
		return filter.Time
	case TypeSelect, TypeMultiSelect, TypeCascade:
		return filter.Choice
	}
	return filter.Text
}

// option finds an option by its id.
func (f *Field) option(id string) (Option, bool) {
	i := slices.IndexFunc(f.Options, func(o Option) bool { return o.ID == id })
	if i < 0 {
		return Option{}, false
	}
	return f.Options[i], true
}

// OptionLabel returns what an option is called, or was called last if it is gone; the id itself if there was none.
func (f *Field) OptionLabel(id string) string {
	if o, found := f.option(id); found {
		return o.Label
	}
	if label, found := f.former[id]; found {
		return label
	}
	return id
}

// way is an option's label behind those of its parents: "Guangdong / Shenzhen".
func (f *Field) way(o Option) string {
	if parent, found := f.option(o.Parent); found {
		return f.way(parent) + " / " + o.Label
	}
	return o.Label
}

// folded is what every label of a field that exists is compared by.
func (f *Field) folded() []string {
	if !f.System {
		return []string{text.Fold(f.Label)}
	}
	labels := SystemLabels()[f.Key]
	return []string{text.Fold(labels[0]), text.Fold(labels[1])}
}
