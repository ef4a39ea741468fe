package filter

import (
	"slices"
	"strings"
	"unicode"

	"customercenter/domain"
	"customercenter/domain/text"
)

// customPrefix begins the names of custom fields.
const customPrefix = "custom."

// AnyText is the field that stands for several texts at once, those of AnyTextFields.
const AnyText = "any_text"

// AnyTextFields are the texts that AnyText looks into.
func AnyTextFields() []string { return []string{"nickname", "name", "external_id", "phone"} }

// field is what the language knows of a field.
type field struct {
	kind   Kind
	always bool // every customer has a value
	// several says that a text may have several lines.
	several bool
	// valid says which values of a choice there are; nil: any.
	valid func(string) bool
}

// fields are the fields that every tenant has.
var fields = map[string]field{
	"external_id": {kind: Text, always: true},
	"nickname":    {kind: Text},
	"name":        {kind: Text},
	"phone":       {kind: Text},
	"qq":          {kind: Text},
	"wechat_id":   {kind: Text},
	"email":       {kind: Text},
	"company":     {kind: Text},
	"description": {kind: Text, several: true},
	AnyText:       {kind: Text, always: true}, // an external id is always there

	"session_count":    {kind: Number, always: true},
	"message_count":    {kind: Number, always: true},
	"suppressed_count": {kind: Number, always: true},
	"rating_avg":       {kind: Number},
	"rating_last":      {kind: Number},

	"created_at":       {kind: Time, always: true},
	"updated_at":       {kind: Time, always: true},
	"first_session_at": {kind: Time},
	"last_session_at":  {kind: Time},
	"last_message_at":  {kind: Time},
	"blacklisted_at":   {kind: Time},

	"channel":     {kind: Choice, always: true, valid: domain.IsChannel},
	"association": {kind: Choice, always: true},
	"created_via": {kind: Choice, always: true, valid: isVia},
	"last_agent":  {kind: Choice},

	"tags":   {kind: Set},
	"groups": {kind: Set},

	"blacklisted":  {kind: YesNo},
	"session_open": {kind: YesNo},
	"imported":     {kind: YesNo},
	"ever_served":  {kind: YesNo},
}

// The ways in which customers are created, as events call them.
const viaImport = "import"

func isVia(s string) bool { return s == "inbound" || s == viaImport || s == "api" }

// field finds a field by its name.
func (l *Language) field(name string) (field, bool) {
	key, custom := strings.CutPrefix(name, customPrefix)
	if !custom {
		f, ok := fields[name]
		return f, ok && (name != "groups" || l.Groups)
	}
	for i := range l.Custom {
		if own := &l.Custom[i]; own.Key == key {
			f := field{kind: own.Kind, several: true}
			if own.Kind == Choice {
				f.valid = func(id string) bool { _, ok := own.Options[id]; return ok }
			}
			return f, true
		}
	}
	return field{}, false
}

// Operators are the operators of a kind of fields, in the order in which people see them.
func Operators(k Kind) []Op {
	switch k {
	case Text:
		return []Op{Eq, Ne, Contains, NotContains, StartsWith, In, IsSet, NotSet}
	case Number:
		return []Op{Eq, Ne, Lt, Lte, Gt, Gte, Between, IsSet, NotSet}
	case Time:
		return []Op{Before, After, Between, In, Within, OlderThan, IsSet, NotSet}
	case Choice:
		return []Op{In, NotIn, IsSet, NotSet}
	case Set:
		return []Op{HasAny, HasAll, HasNone, IsEmpty}
	case YesNo:
		return []Op{Is}
	}
	return nil
}

// SystemFields are the names of the fields that every tenant's filters may read, sorted.
func SystemFields() []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// KindOf is the kind of a field in this language; false if there is no such field.
func (l *Language) KindOf(name string) (Kind, bool) {
	f, ok := l.field(name)
	return f.kind, ok
}

// allowed reports whether the condition's field has the condition's operator.
func (c *Condition) allowed() bool { return slices.Contains(Operators(c.Kind), c.Op) }

// takesValue reports whether the operator compares with something.
func (c *Condition) takesValue() bool { return c.Op != IsSet && c.Op != NotSet && c.Op != IsEmpty }

// takesUnset reports whether the field can be not set and the operator leaves open what that means.
func (c *Condition) takesUnset() bool {
	return c.Op != IsSet && c.Op != NotSet && c.Kind != Set && c.Kind != YesNo && !fields[c.Field].always
}

// least is how many characters a part of a text must have to be looked for: of ids, shorter ones are in nearly all.
func least(field, needle string) int {
	if field != "external_id" || strings.ContainsFunc(needle, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return 1
	}
	return 2
}

// leastOfPhones is how many characters a part must have to be looked for in phone numbers, too, by a search in several texts: shorter ones are in nearly all.
const leastOfPhones = 3

// Searchable reports whether a folded part is long enough to be looked for in this one of the fields of AnyText, when it is looked for in all of them.
func Searchable(field, needle string) bool {
	if len(needle) >= leastOfPhones*4 {
		return true // most needles need no counting
	}
	if field == "phone" {
		return text.Length(needle) >= leastOfPhones
	}
	return text.Length(needle) >= least(field, needle)
}
