package field

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Prefix stands before the key of a custom field in the filter language, in columns of views and in events: "custom.level".
const Prefix = "custom."

// MaxKey is the longest key of a custom field, in characters.
const MaxKey = 32

// keyForm is what a key looks like. reserved are keys that would be taken for something else in an address.
var (
	keyForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	reserved = []string{"order"}
)

// New is a custom field that is to be added.
type New struct {
	// Key is how programs call it; empty: one is made of the label.
	Key   string
	Type  string
	Label string
	Hint  string
	// Options of a select, a multi-select or a cascade. They have no ids yet.
	Options []Choice
}

// Choice is an option with those below it, which only a cascade has.
type Choice struct {
	// ID is that of an option that is kept; empty for a new one.
	ID      string
	Label   string
	Options []Choice
}

// Changes are what is to be changed of a field; nil stays as it is.
type Changes struct {
	Label   *string
	Hint    *string
	Options *[]Choice // all that there are to be: what is not among them goes
}

// InUse answers what speaks of a field, by its name with Prefix; with an option, what speaks of that option.
type InUse func(field, option string) []domain.Use

// Add adds a custom field, hidden and as the last one.
//
// Refused: VALIDATION for the key, the type, the label, the hint, an option; FIELD_EXISTS at label if another field is called
// the same, compared without case and width, and at key if another one has the key or had it; LIMIT_REACHED if there are MaxCustom.
func (s *State) Add(n New) ([]Event, error) {
	if !slices.Contains(Types(), n.Type) {
		return nil, domain.Invalid("type", domain.RuleOneOf)
	}
	label, err := s.label(n.Label, "")
	if err != nil {
		return nil, err
	}
	hint, err := line(n.Hint, "hint", MaxHint)
	if err != nil {
		return nil, err
	}
	f := Field{Type: n.Type}
	options, err := f.choose(n.Options)
	if err != nil {
		return nil, err
	}
	key, err := s.key(n.Key, label)
	if err != nil {
		return nil, err
	}
	custom := 0
	for _, f := range s.All() {
		if !f.System {
			custom++
		}
	}
	if custom >= MaxCustom {
		return nil, domain.Refuse(domain.CodeLimitReached).With("max", MaxCustom)
	}
	return []Event{Added{Field: key, Type: n.Type, Label: label, Hint: hint, Options: options}}, nil
}

// Change changes what a custom field is called and offers. An option that is not named any more goes for good, with those below it; what
// customers have of it stays in their log and is not shown. An option stays where it is in the tree.
//
// Refused: NOT_FOUND; VALIDATION, read_only for a system field and else as in Add, at the place of an option whose id is not one of those
// there; FIELD_EXISTS at label; FIELD_IN_USE at options if something speaks of an option that would go.
func (s *State) Change(key string, c Changes, used InUse) ([]Event, error) {
	f, err := s.find(key)
	if err != nil {
		return nil, err
	}
	if f.System {
		for _, given := range []struct {
			at string
			is bool
		}{{"label", c.Label != nil}, {"hint", c.Hint != nil}, {"options", c.Options != nil}} {
			if given.is {
				return nil, domain.Invalid(given.at, domain.RuleReadOnly)
			}
		}
		return nil, nil
	}
	changed := Changed{Field: key, Label: f.Label, Hint: f.Hint, Options: f.Options}
	if c.Label != nil {
		if changed.Label, err = s.label(*c.Label, key); err != nil {
			return nil, err
		}
	}
	if c.Hint != nil {
		if changed.Hint, err = line(*c.Hint, "hint", MaxHint); err != nil {
			return nil, err
		}
	}
	if c.Options != nil {
		if changed.Options, err = f.choose(*c.Options); err != nil {
			return nil, err
		}
		if err := f.mayGo(changed.Options, used); err != nil {
			return nil, err
		}
	}
	if changed.Label == f.Label && changed.Hint == f.Hint && slices.Equal(changed.Options, f.Options) {
		return nil, nil
	}
	return []Event{changed}, nil
}

// Show puts the field on the pages. Refused: NOT_FOUND.
func (s *State) Show(key string) ([]Event, error) {
	f, err := s.find(key)
	if err != nil || f.Shown {
		return nil, err
	}
	return []Event{Shown{Field: key}}, nil
}

// Hide takes the field off the pages. Refused: NOT_FOUND; VALIDATION, read_only, for the two that are always there: external_id and nickname.
func (s *State) Hide(key string) ([]Event, error) {
	f, err := s.find(key)
	if err != nil || !f.Shown {
		return nil, err
	}
	for _, one := range system {
		if one.key == key && one.pinned {
			return nil, domain.Invalid("shown", domain.RuleReadOnly)
		}
	}
	return []Event{Hidden{Field: key}}, nil
}

// Enable lets a field be used again. Refused: NOT_FOUND.
func (s *State) Enable(key string) ([]Event, error) {
	f, err := s.find(key)
	if err != nil || !f.Disabled {
		return nil, err
	}
	return []Event{Enabled{Field: key}}, nil
}

// Disable puts a custom field out of use: it takes no values, is not shown, and new filters cannot speak of it. Its values stay.
//
// Refused: NOT_FOUND; VALIDATION, read_only, for a system field; FIELD_IN_USE, both at enabled.
func (s *State) Disable(key string, used InUse) ([]Event, error) {
	f, err := s.find(key)
	if err != nil || f.Disabled {
		return nil, err
	}
	if f.System {
		return nil, domain.Invalid("enabled", domain.RuleReadOnly)
	}
	if uses := used(Prefix+key, ""); len(uses) > 0 {
		return nil, inUse(uses).At("enabled")
	}
	return []Event{Disabled{Field: key}}, nil
}

// Remove takes a custom field away for good. What customers have of it stays in the log and is shown no more.
//
// Refused: NOT_FOUND; VALIDATION, read_only, for a system field; FIELD_IN_USE.
func (s *State) Remove(key string, used InUse) ([]Event, error) {
	f, err := s.find(key)
	if err != nil {
		return nil, err
	}
	if f.System {
		return nil, domain.Invalid("field", domain.RuleReadOnly)
	}
	if uses := used(Prefix+key, ""); len(uses) > 0 {
		return nil, inUse(uses)
	}
	return []Event{Removed{Field: key}}, nil
}

// Reorder says in which order the fields stand. Refused: VALIDATION unless these are all fields that exist, each once.
func (s *State) Reorder(order []string) ([]Event, error) {
	present := s.Order()
	for i, key := range order {
		if !slices.Contains(present, key) || slices.Contains(order[:i], key) {
			return nil, domain.Invalid(fmt.Sprintf("order[%d]", i), domain.RuleOneOf)
		}
	}
	if len(order) < len(present) {
		return nil, domain.Invalid(fmt.Sprintf("order[%d]", len(order)), domain.RuleRequired)
	}
	if slices.Equal(order, present) {
		return nil, nil
	}
	return []Event{Reordered{Order: slices.Clone(order)}}, nil
}

func (s *State) find(key string) (Field, error) {
	f, found := s.Find(key)
	if !found {
		return Field{}, domain.Refuse(domain.CodeNotFound)
	}
	return f, nil
}

func inUse(uses []domain.Use) *domain.Refusal {
	return domain.Refuse(domain.CodeFieldInUse).With("uses", uses)
}

// label brings what a field is to be called into its stored form. own is the field's key, empty for a new one.
func (s *State) label(label, own string) (string, error) {
	label, err := line(label, "label", MaxLabel)
	if err != nil {
		return "", err
	}
	if label == "" {
		return "", domain.Invalid("label", domain.RuleRequired)
	}
	folded := text.Fold(label)
	for _, f := range s.All() {
		if f.Key != own && slices.Contains(f.folded(), folded) {
			return "", domain.Refuse(domain.CodeFieldExists).At("label")
		}
	}
	return label, nil
}

// key is the key of a new field: the one that is wanted, or one made of the label. No key comes twice.
func (s *State) key(wanted, label string) (string, error) {
	fields := s.known().fields
	if wanted != "" {
		if !keyForm.MatchString(wanted) {
			return "", domain.Invalid("key", domain.RuleFormat)
		}
		if _, taken := fields[wanted]; taken || slices.Contains(reserved, wanted) {
			return "", domain.Refuse(domain.CodeFieldExists).At("key")
		}
		return wanted, nil
	}
	stem := made(label)
	for number := 1; ; number++ {
		key := stem
		if number > 1 {
			key = fmt.Sprintf("%s_%d", stem, number)
		}
		if _, taken := fields[key]; !taken && !slices.Contains(reserved, key) {
			return key, nil
		}
	}
}

// made makes a key of a label: its Latin letters and digits, "field" if it begins with none of these. It leaves room for a number behind it.
func made(label string) string {
	var b strings.Builder
	for _, r := range text.Fold(label) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
		if b.Len() >= MaxKey-6 {
			break
		}
	}
	if key := strings.TrimSuffix(b.String(), "_"); key != "" {
		return key
	}
	return "field"
}

// line is a text of one line in its stored form, at most max characters.
func line(value, at string, max int) (string, error) {
	value, ok := text.Line(value)
	switch {
	case !ok:
		return "", domain.Invalid(at, domain.RuleCharacters)
	case text.Length(value) > max:
		return "", domain.TooLong(at, max)
	}
	return value, nil
}
