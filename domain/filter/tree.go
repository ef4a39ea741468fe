package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"

	"customercenter/domain"
)

// kind is what a JSON value is.
type kind byte

const (
	null kind = iota
	object
	array
	str
	number
	boolean
	deep // an object or array deeper inside others than a filter has any; what it holds was not read
)

// value is a JSON value as it was written: the members of an object in their order, numbers with all their digits.
type value struct {
	kind   kind
	text   string // of a string; of a number, as it was written
	yes    bool
	names  []string // of an object
	values []value  // of an object, beside names; of an array
}

// member returns a member of an object.
func (v *value) member(name string) (*value, bool) {
	for i, n := range v.names {
		if n == name {
			return &v.values[i], true
		}
	}
	return nil, false
}

// maxNesting is more than any filter needs: five groups of two levels, a condition, and its value. What lies deeper needs no reading,
// because something above it is wrong already.
const maxNesting = 2*MaxDepth + 6

// read reads one JSON value, strictly: nothing may follow it, and no object may have a member twice.
func read(raw []byte, path string) (value, error) {
	switch {
	case len(raw) > MaxSize:
		return value{}, domain.TooLong(path, MaxSize)
	case !utf8.Valid(raw):
		return value{}, domain.Invalid(path, domain.RuleEncoding)
	case !json.Valid(raw):
		return value{}, domain.Invalid(path, domain.RuleJSON)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return readValue(d, path, 0)
}

// readValue reads the next value of what is known to be valid JSON.
func readValue(d *json.Decoder, path string, depth int) (value, error) {
	token, err := d.Token()
	if err != nil { // not met: the whole was valid
		return value{}, domain.Invalid(path, domain.RuleJSON)
	}
	switch token := token.(type) {
	case string:
		return value{kind: str, text: token}, nil
	case json.Number:
		return value{kind: number, text: token.String()}, nil
	case bool:
		return value{kind: boolean, yes: token}, nil
	case json.Delim:
		if depth == maxNesting {
			return value{kind: deep}, skip(d)
		}
		if token == '{' {
			return readObject(d, path, depth)
		}
		return readArray(d, path, depth)
	}
	return value{kind: null}, nil
}

func readObject(d *json.Decoder, path string, depth int) (value, error) {
	v := value{kind: object}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return value{}, domain.Invalid(path, domain.RuleJSON)
		}
		at := under(path, name)
		if _, twice := v.member(name); twice {
			return value{}, domain.Invalid(at, domain.RuleDuplicate)
		}
		member, err := readValue(d, at, depth+1)
		if err != nil {
			return value{}, err
		}
		if len(v.names) == maxMembers {
			return value{}, domain.Invalid(at, domain.RuleUnknown)
		}
		v.names, v.values = append(v.names, name), append(v.values, member)
	}
	_, err := d.Token()
	return v, err
}

// maxMembers is more than any object of a filter has; without it, finding a member that is there twice could take long.
const maxMembers = 16

func readArray(d *json.Decoder, path string, depth int) (value, error) {
	v := value{kind: array}
	for d.More() {
		item, err := readValue(d, fmt.Sprintf("%s[%d]", path, len(v.values)), depth+1)
		if err != nil {
			return value{}, err
		}
		v.values = append(v.values, item)
	}
	_, err := d.Token()
	return v, err
}

// skip goes to the end of the object or array that has just begun.
func skip(d *json.Decoder) error {
	for open := 1; open > 0; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
	return nil
}

func tooDeep(path string) error {
	return domain.Invalid(path, domain.RuleTooDeep).With("max", MaxDepth)
}

// under is the path of a member. Names that are no words of ours are not repeated: they may be long, or hold what is personal.
func under(path, name string) string {
	if len(name) == 0 || len(name) > 40 {
		return path
	}
	for _, r := range name {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return path
		}
	}
	return path + "." + name
}
