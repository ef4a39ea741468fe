package filter

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/text"
)

// reading is the reading of what one condition compares with. Field, Kind and Op of the condition are known.
type reading struct {
	condition *Condition
	field     field
	open      bool // leave the values of choices unchecked
}

func (r *reading) value(v *value, path string) error {
	c := r.condition
	switch c.Kind {
	case Text:
		return r.texts(v, path)
	case Number:
		return r.numbers(v, path)
	case Time:
		return r.time(v, path)
	case Choice:
		return each(v, path, func(v *value, path string) error { return r.choice(v, path) })
	case Set:
		return each(v, path, func(v *value, path string) error {
			if v.kind != str {
				return domain.Invalid(path, domain.RuleTypeString)
			}
			id, err := uuid.Parse(v.text)
			if err != nil || len(v.text) != 36 {
				return domain.Invalid(path, domain.RuleUUID)
			}
			c.IDs = append(c.IDs, id)
			return nil
		})
	}
	if v.kind != boolean {
		return domain.Invalid(path, domain.RuleTypeBool)
	}
	c.Yes = v.yes
	return nil
}

// each reads a list of 1 to MaxValues values.
func each(v *value, path string, read func(v *value, path string) error) error {
	switch {
	case v.kind != array:
		return domain.Invalid(path, domain.RuleTypeArray)
	case len(v.values) == 0:
		return domain.Invalid(path, domain.RuleRequired)
	case len(v.values) > MaxValues:
		return domain.Invalid(path, domain.RuleTooMany).With("max", MaxValues)
	}
	for i := range v.values {
		if err := read(&v.values[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) texts(v *value, path string) error {
	if r.condition.Op == In {
		return each(v, path, r.text)
	}
	return r.text(v, path)
}

// text reads a text that values are compared with. It is cleaned as values are when they are stored.
func (r *reading) text(v *value, path string) error {
	if v.kind != str {
		return domain.Invalid(path, domain.RuleTypeString)
	}
	clean := text.Line
	if r.field.several {
		clean = text.Block
	}
	typed, ok := clean(v.text)
	switch {
	case !ok:
		return domain.Invalid(path, domain.RuleCharacters)
	case text.Length(typed) > MaxNeedle:
		return domain.TooLong(path, MaxNeedle)
	}
	c, folded := r.condition, text.Fold(typed)
	if folded == "" {
		return domain.Invalid(path, domain.RuleRequired)
	}
	switch c.Op {
	case Contains, NotContains, StartsWith:
		if min := least(c.Field, folded); text.Length(folded) < min {
			return domain.Invalid(path, domain.RuleTooShort).With("min", min)
		}
	}
	c.Typed, c.Texts = append(c.Typed, typed), append(c.Texts, folded)
	return nil
}

// numbers reads a number, or for Between two, as [from, to] or {"from": …, "to": …}; both belong to the range.
func (r *reading) numbers(v *value, path string) error {
	c := r.condition
	if c.Op != Between {
		n, err := decimal(v, path)
		c.Numbers = []Decimal{n}
		return err
	}
	ends, paths, err := pair(v, path)
	if err != nil {
		return err
	}
	for i := range ends {
		n, err := decimal(ends[i], paths[i])
		if err != nil {
			return err
		}
		c.Numbers = append(c.Numbers, n)
	}
	if c.Numbers[1].Compare(c.Numbers[0]) < 0 {
		return domain.Invalid(path, domain.RuleAscending)
	}
	return nil
}

func decimal(v *value, path string) (Decimal, error) {
	if v.kind != number {
		return "", domain.Invalid(path, domain.RuleTypeNumber)
	}
	n, ok := ParseDecimal(v.text)
	if !ok {
		return "", domain.Invalid(path, domain.RuleDigits).With("max", MaxDigits)
	}
	return n, nil
}

// pair reads two values, as [from, to] or {"from": …, "to": …}.
func pair(v *value, path string) (ends [2]*value, paths [2]string, err error) {
	switch v.kind {
	case array:
		if len(v.values) != 2 {
			return ends, paths, domain.Invalid(path, domain.RuleFormat)
		}
		return [2]*value{&v.values[0], &v.values[1]}, [2]string{path + "[0]", path + "[1]"}, nil
	case object:
		for _, name := range v.names {
			if name != "from" && name != "to" {
				return ends, paths, domain.Invalid(under(path, name), domain.RuleUnknown)
			}
		}
		paths = [2]string{path + ".from", path + ".to"}
		for i, name := range [...]string{"from", "to"} {
			end, ok := v.member(name)
			if !ok {
				return ends, paths, domain.Invalid(paths[i], domain.RuleRequired)
			}
			ends[i] = end
		}
		return ends, paths, nil
	}
	return ends, paths, domain.Invalid(path, domain.RuleTypeObject)
}

func (r *reading) time(v *value, path string) (err error) {
	c := r.condition
	switch c.Op {
	case Before:
		c.To, err = instant(v, path)
		return err
	case After:
		c.From, err = instant(v, path)
		return err
	case Between:
		ends, paths, err := pair(v, path)
		if err != nil {
			return err
		}
		if c.From, err = instant(ends[0], paths[0]); err != nil {
			return err
		}
		if c.To, err = instant(ends[1], paths[1]); err != nil {
			return err
		}
		if c.To.Before(c.From) {
			return domain.Invalid(path, domain.RuleOrder)
		}
		return nil
	case In:
		return r.period(v, path)
	}
	return r.length(v, path)
}

// instant reads a time, to the microsecond.
func instant(v *value, path string) (time.Time, error) {
	if v.kind != str {
		return time.Time{}, domain.Invalid(path, domain.RuleTypeString)
	}
	t, err := time.Parse(time.RFC3339Nano, v.text)
	t = t.UTC().Truncate(time.Microsecond)
	if err != nil || t.Year() < 1 || t.Year() > 9999 || t.IsZero() {
		return time.Time{}, domain.Invalid(path, domain.RuleTime)
	}
	return t, nil
}

// only reads an object of one member, and finds it.
func only(v *value, path string) (name string, member *value, err error) {
	if v.kind != object {
		return "", nil, domain.Invalid(path, domain.RuleTypeObject)
	}
	if len(v.names) != 1 {
		return "", nil, domain.Invalid(path, domain.RuleFormat)
	}
	return v.names[0], &v.values[0], nil
}

// period reads {"period": name}.
func (r *reading) period(v *value, path string) error {
	name, member, err := only(v, path)
	if err != nil {
		return err
	}
	if name != "period" {
		return domain.Invalid(under(path, name), domain.RuleUnknown)
	}
	if member.kind != str {
		return domain.Invalid(path+".period", domain.RuleTypeString)
	}
	if !isPeriod(member.text) {
		return domain.Invalid(path+".period", domain.RuleOneOf)
	}
	r.condition.Period = member.text
	return nil
}

// maxLength is how far back Within and OlderThan may reach.
const maxLength = 100 * 365 * 24 * time.Hour

// length reads {"days": n}, {"hours": n} or {"minutes": n}.
func (r *reading) length(v *value, path string) error {
	unit, member, err := only(v, path)
	if err != nil {
		return err
	}
	one := unitLength(unit)
	if one == 0 {
		return domain.Invalid(under(path, unit), domain.RuleUnknown)
	}
	path += "." + unit
	if member.kind != number {
		return domain.Invalid(path, domain.RuleTypeNumber)
	}
	n, _ := ParseDecimal(member.text)
	amount, err := strconv.Atoi(string(n))
	most := int(maxLength / one)
	if err != nil || amount < 1 || amount > most {
		return domain.Invalid(path, domain.RuleRange).With("min", 1).With("max", most)
	}
	r.condition.Amount, r.condition.Unit = amount, unit
	return nil
}

// choice reads a value of a choice.
func (r *reading) choice(v *value, path string) error {
	c := r.condition
	if c.Field == "association" {
		return r.association(v, path)
	}
	if v.kind != str {
		return domain.Invalid(path, domain.RuleTypeString)
	}
	if r.field.valid != nil && !r.open && !r.field.valid(v.text) {
		return domain.Invalid(path, domain.RuleOneOf)
	}
	choice, ok := text.Line(v.text)
	switch {
	case !ok || choice != v.text: // ids are as they are
		return domain.Invalid(path, domain.RuleCharacters)
	case choice == "":
		return domain.Invalid(path, domain.RuleRequired)
	case text.Length(choice) > MaxNeedle:
		return domain.TooLong(path, MaxNeedle)
	}
	c.Choices = append(c.Choices, choice)
	return nil
}

// association reads the number of an association, as a number or as a string.
func (r *reading) association(v *value, path string) error {
	if v.kind != number && v.kind != str {
		return domain.Invalid(path, domain.RuleTypeNumber)
	}
	id, err := strconv.ParseInt(v.text, 10, 32)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != v.text {
		return domain.Invalid(path, domain.RuleOneOf)
	}
	r.condition.Choices = append(r.condition.Choices, v.text)
	return nil
}
