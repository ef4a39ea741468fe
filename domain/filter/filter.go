// Package filter is the language in which customers are found, grouped and addressed: a typed tree of conditions.
//
// One language serves the customer list, saved views, rules of groups, audiences, exports and bulk actions. Its grammar is in the API's
// documentation. A filter is parsed once against what the tenant's customers have (Language), and then answers four questions:
// Match (is it true of a customer at an instant), NextFlip (when can that change although nothing happens), Explain (what was observed)
// and Describe (what does it say, in words). The same tree as SQL is package projections' business; a property test holds both equal.
//
// Everything is two-valued: a condition on a value that is not set is what its Unset says, and false by default.
package filter

import (
	"cmp"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Limits of a filter.
const (
	MaxDepth      = 5  // levels of all, any and not above a condition
	MaxConditions = 50 // in the whole tree
	MaxValues     = 200
	MaxNeedle     = 256      // characters of a text
	MaxDigits     = 16       // digits of a number, before and after the point together
	MaxSize       = 64 << 10 // bytes of JSON, as it was written and in its canonical form
)

// Filter is a filter that was understood. It is never changed. Its zero value is everybody.
type Filter struct {
	root Node // nil: everybody
}

// Root is the tree; nil if the filter is everybody.
func (f *Filter) Root() Node { return f.root }

// Conditionless reports whether a filter has no condition at all, and at which path below place the first is missing: it is everybody, or nobody, by
// saying nothing.
func (f *Filter) Conditionless(place string) (at string, none bool) {
	return conditionless(f.root, place)
}

func conditionless(n Node, path string) (at string, none bool) {
	var parts []Node
	switch n := n.(type) {
	case *Condition:
		return "", false
	case Not:
		return conditionless(n.Node, path+".not")
	case All:
		path, parts = path+".all", n
	case Any:
		path, parts = path+".any", n
	}
	for i, part := range parts {
		below, none := conditionless(part, fmt.Sprintf("%s[%d]", path, i))
		if !none {
			return "", false
		}
		if at == "" {
			at = below
		}
	}
	return cmp.Or(at, path), true
}

// Node is a part of a tree: All, Any, Not or *Condition.
type Node interface{ node() }

// All is true if all of its parts are; also if there are none.
type All []Node

// Any is true if one of its parts is; false if there are none.
type Any []Node

// Not is true if its part is not.
type Not struct{ Node Node }

func (All) node()        {}
func (Any) node()        {}
func (Not) node()        {}
func (*Condition) node() {}

// Kind says which operators a field has.
type Kind string

// Kinds of fields.
const (
	Text   Kind = "text"
	Number Kind = "number"
	Time   Kind = "time"
	Choice Kind = "choice"
	Set    Kind = "set"
	YesNo  Kind = "yes_no"
)

// Op is an operator, as in JSON.
type Op string

// Operators.
const (
	Eq          Op = "eq"
	Ne          Op = "ne"
	Contains    Op = "contains"
	NotContains Op = "not_contains"
	StartsWith  Op = "starts_with"
	In          Op = "in"
	NotIn       Op = "not_in"
	Lt          Op = "lt"
	Lte         Op = "lte"
	Gt          Op = "gt"
	Gte         Op = "gte"
	Between     Op = "between"
	Before      Op = "before"
	After       Op = "after"
	Within      Op = "within"
	OlderThan   Op = "older_than"
	HasAny      Op = "has_any"
	HasAll      Op = "has_all"
	HasNone     Op = "has_none"
	IsEmpty     Op = "is_empty"
	Is          Op = "is"
	IsSet       Op = "is_set"
	NotSet      Op = "not_set"
)

// Condition is one condition. Which of the values are there follows from Kind and Op.
type Condition struct {
	// Field is the field's name in the language, such as "created_at" or "custom.level".
	Field string
	Kind  Kind
	Op    Op
	// Unset is what the condition is for a customer whose field is not set. It has no meaning for is_set and not_set.
	Unset bool
	// Path is where the condition was in what was parsed, such as "filter.all[2]".
	Path string

	// Texts are what a text is compared with, folded (text.Fold): one, several for In.
	Texts []string
	// Typed are Texts as they were typed, for people.
	Typed []string
	// Numbers are one, two for Between (both ends belong to it).
	Numbers []Decimal
	// From and To bound a time, half-open; zero is no bound. For Before, After and Between.
	From, To time.Time
	// Period is a span of the calendar: today, yesterday, this_week, last_week, this_month, last_month.
	Period string
	// Amount and Unit are the length of Within and OlderThan. Units: days (of 24 hours), hours, minutes.
	Amount int
	Unit   string
	// Choices are the values of a choice; of association, numbers in decimal.
	Choices []string
	// IDs are tags or groups.
	IDs []uuid.UUID
	// Yes is what Is asks for.
	Yes bool
}

// Decimal is an exact number in its shortest form: no exponent, no needless zero, no minus before nothing; at most MaxDigits digits.
type Decimal string

// Calendar is what relative times are judged by.
type Calendar struct {
	Zone      *time.Location
	WeekStart time.Weekday
}

// Language is what the filters of a tenant may speak of.
type Language struct {
	// Custom are the custom fields that exist.
	Custom []CustomField
	// Groups says that filters may read groups. Rules of groups may not.
	Groups bool
}

// CustomField is a custom field as filters see it.
type CustomField struct {
	Key   string // without "custom."
	Label string
	// Kind is Text (one or several lines), Number, Time (a date) or Choice (select, multi-select, cascade).
	Kind Kind
	// Options are the ids and labels of a choice.
	Options map[string]string
}

// Subject is a customer as filters see one. Times have the precision of a microsecond, as everywhere.
type Subject struct {
	ID          uuid.UUID
	Association int
	Channel     string
	ExternalID  string
	// Texts of the profile, as they are shown; empty is not set.
	Nickname, Name, Phone, QQ, WechatID, Email, Company, Description string
	// Custom are the values that are set, by key.
	Custom map[string]Value

	Tags   []uuid.UUID // those in the catalogue
	Groups []uuid.UUID

	CreatedVia           string
	CreatedAt, UpdatedAt time.Time
	// Times that are zero are not set.
	FirstSessionAt, LastSessionAt, LastMessageAt time.Time
	SessionCount, MessageCount, SuppressedCount  int
	RatingSum, RatingCount, RatingLast           int // RatingLast is 0 without a rating
	SessionOpen                                  bool
	EverServed                                   bool
	LastAgent                                    string // who accepted a session, or got one, last; empty is not set

	// ListedAt is when the customer was put on the blacklist; zero if it is not there. ListedUntil is when that ends; zero: never.
	ListedAt, ListedUntil time.Time

	// Folded are the texts as they are compared; nil: folded anew by every condition that reads one. See Subject.Fold.
	Folded *Folded
}

// Blacklisted reports whether the customer is on the blacklist at an instant.
func (s *Subject) Blacklisted(at time.Time) bool {
	return !s.ListedAt.IsZero() && (s.ListedUntil.IsZero() || at.Before(s.ListedUntil))
}

// Value is the value of a custom field: one of these, by the field's kind.
type Value struct {
	Text    string   // Text
	Number  Decimal  // Number
	Date    string   // Time: "2006-01-02"
	Options []string // Choice: ids; of a cascade, the whole path
}
