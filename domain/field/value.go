package field

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// Limits of values.
const (
	MaxText      = 256  // characters of a line
	MaxMultiline = 1000 // characters of several lines
	// maxTyped is how many bytes are read of a number. One of filter.MaxDigits digits can be written longer than that, by zeros.
	maxTyped = 1000
)

// Path is where a customer's value of a custom field is found, and where one that is wrong is said to be.
const Path = "profile.custom"

// Normalize returns the value of a custom field as it is stored, and nil for what means "not set": null, an empty text and an empty list.
// It takes values as encoding/json decodes them, numbers also as json.Number, or not decoded at all, as json.RawMessage. Applying it to its own result changes nothing.
//
//	text, multiline           string, trimmed and in NFC
//	number                    string: the decimal in its shortest form, "-12.5"; it may come as a number or as a text
//	date                      string "2006-01-02", from the year 2 on
//	select                    string, the option's id
//	multi_select              []any of ids, in the order in which the field has its options, each once
//	cascade                   []any of ids, from the top down; it may end above the lowest level
//
// Refused, all VALIDATION at profile.custom.<key>: one_of for a field that does not exist or is disabled, and for an option that does not
// exist; too_long, digits (a number of more than filter.MaxDigits), characters and format.
func (s *State) Normalize(key string, value any) (any, error) {
	f, found := s.Find(key)
	if !found || f.System || f.Disabled {
		at := Path
		if keyForm.MatchString(key) {
			at += "." + key
		}
		return nil, domain.Invalid(at, domain.RuleOneOf)
	}
	if raw, ok := value.(json.RawMessage); ok {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber() // of which no digit gets lost
		value = nil
		if err := decoder.Decode(&value); err != nil {
			return nil, domain.Invalid(Path+"."+key, domain.RuleFormat)
		}
	}
	if value == nil {
		return nil, nil
	}
	return f.normalize(value, Path+"."+key)
}

// Takes reports whether customers can have new values of that custom field: it exists and is not disabled.
func (s *State) Takes(key string) bool {
	f, found := s.Find(key)
	return found && !f.System && !f.Disabled
}

// Ordered reports whether customers can be sorted by that custom field: it exists, is not disabled, and its type is Ordered.
func (s *State) Ordered(key string) bool {
	f, found := s.Find(key)
	return found && !f.System && !f.Disabled && Ordered(f.Type)
}

// Ordered reports whether values of a type have an order: texts of one line, numbers and dates.
func Ordered(kind string) bool { return kind == TypeText || kind == TypeNumber || kind == TypeDate }

func (f *Field) normalize(value any, at string) (any, error) {
	switch f.Type {
	case TypeMultiSelect, TypeCascade:
		return f.chosen(value, at)
	case TypeNumber:
		return number(value, at)
	}
	typed, ok := value.(string)
	if !ok {
		return nil, domain.Invalid(at, domain.RuleFormat)
	}
	form, max := text.Line, MaxText
	if f.Type == TypeMultiline {
		form, max = text.Block, MaxMultiline
	}
	typed, ok = form(typed)
	switch {
	case !ok:
		return nil, domain.Invalid(at, domain.RuleCharacters)
	case typed == "":
		return nil, nil
	case text.Length(typed) > max:
		return nil, domain.TooLong(at, max)
	}
	switch f.Type {
	case TypeDate:
		if day, err := time.Parse(time.DateOnly, typed); err != nil || day.Year() <= 1 { // the year 1 holds the instant that stands for "not set"
			return nil, domain.Invalid(at, domain.RuleFormat)
		}
	case TypeSelect:
		if _, found := f.option(typed); !found {
			return nil, domain.Invalid(at, domain.RuleOneOf)
		}
	}
	return typed, nil
}

// chosen is the value of a multi-select or a cascade.
func (f *Field) chosen(value any, at string) (any, error) {
	if value == "" { // as a form sends what nobody chose
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, domain.Invalid(at, domain.RuleFormat)
	}
	if len(list) > MaxOptions {
		return nil, domain.Invalid(at, domain.RuleTooMany).With("max", MaxOptions)
	}
	parent := ""
	for _, one := range list {
		id, ok := one.(string)
		if !ok {
			return nil, domain.Invalid(at, domain.RuleFormat)
		}
		o, found := f.option(id)
		if !found || f.Type == TypeCascade && o.Parent != parent {
			return nil, domain.Invalid(at, domain.RuleOneOf)
		}
		parent = id
	}
	if len(list) == 0 {
		return nil, nil
	}
	if f.Type == TypeCascade {
		return slices.Clone(list), nil
	}
	ordered := make([]any, 0, len(list))
	for _, o := range f.Options {
		if slices.Contains(list, any(o.ID)) {
			ordered = append(ordered, o.ID)
		}
	}
	return ordered, nil
}

// decimal is a number as people and JSON write it.
var decimal = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// number is the value of a number in its shortest form, without exponent.
func number(value any, at string) (any, error) {
	var typed string
	switch value := value.(type) {
	case json.Number:
		typed = value.String()
	case float64:
		typed = strconv.FormatFloat(value, 'g', -1, 64)
	case string:
		if len(value) > maxTyped {
			return nil, domain.Invalid(at, domain.RuleDigits).With("max", filter.MaxDigits)
		}
		if typed = text.Fold(value); typed == "" { // full-width digits too
			return nil, nil
		}
	default:
		return nil, domain.Invalid(at, domain.RuleFormat)
	}
	if len(typed) > maxTyped {
		return nil, domain.Invalid(at, domain.RuleDigits).With("max", filter.MaxDigits)
	}
	if !decimal.MatchString(typed) {
		return nil, domain.Invalid(at, domain.RuleFormat)
	}
	shortest, ok := filter.ParseDecimal(strings.TrimPrefix(typed, "+"))
	if !ok {
		return nil, domain.Invalid(at, domain.RuleDigits).With("max", filter.MaxDigits)
	}
	return string(shortest), nil
}

// Visible returns what is shown of a customer's custom values: those of fields that exist and are not disabled, without options that are
// gone; of a cascade, the way as far as it still leads, which is what filters find it by. It is what it was given if nothing has to go.
func (s *State) Visible(custom map[string]any) map[string]any {
	var fewer map[string]any
	drop := func(key string, instead any) {
		if fewer == nil {
			fewer = make(map[string]any, len(custom))
			for k, v := range custom {
				fewer[k] = v
			}
		}
		if instead == nil {
			delete(fewer, key)
		} else {
			fewer[key] = instead
		}
	}
	for key, value := range custom {
		f, found := s.Find(key)
		if !found || f.Disabled {
			drop(key, nil)
			continue
		}
		if !f.chooses() {
			continue
		}
		if left, all := f.left(value); !all {
			drop(key, left)
		}
	}
	if fewer == nil {
		return custom
	}
	return fewer
}

// left is what is there still of a choice; nil for nothing. all says that nothing went.
func (f *Field) left(value any) (left any, all bool) {
	list, several := value.([]any)
	if !several {
		id, _ := value.(string)
		_, found := f.option(id)
		return nil, found
	}
	var still []any // of a cascade the beginning: an option takes those below it along
	for _, one := range list {
		id, _ := one.(string)
		if _, found := f.option(id); found {
			still = append(still, one)
		}
	}
	if len(still) == len(list) {
		return value, true
	}
	if len(still) == 0 {
		return nil, false
	}
	return still, false
}
