package customer

import (
	"maps"
	"slices"
	"strings"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Field is one of the fields of a profile that every tenant has.
type Field struct {
	Key string // as in JSON
	Max int    // longest value, in characters after trimming and NFC
	// Multiline values may hold line feeds and tabs.
	Multiline bool
}

// Fields returns the fields of a profile in the order in which people see them. The external id is not among them:
// it belongs to the identity and never changes.
func Fields() []Field {
	return []Field{
		{Key: "nickname", Max: 256},
		{Key: "name", Max: 45},
		{Key: "phone", Max: 45},
		{Key: "qq", Max: 45},
		{Key: "wechat_id", Max: 45},
		{Key: "email", Max: 255},
		{Key: "company", Max: 45},
		{Key: "description", Max: 200, Multiline: true},
	}
}

// Set gives the field of that key a value. If there is no such field it changes nothing.
func (p *Profile) Set(key, value string) {
	if v := p.field(key); v != nil {
		*v = value
	}
}

// Value returns the value of the field of that key, empty if it is not set or there is no such field.
func (p *Profile) Value(key string) string {
	if v := p.field(key); v != nil {
		return *v
	}
	return ""
}

// field is where the value of the field of that key lives, or nil if there is no such field.
func (p *Profile) field(key string) *string {
	switch key {
	case "nickname":
		return &p.Nickname
	case "name":
		return &p.Name
	case "phone":
		return &p.Phone
	case "qq":
		return &p.QQ
	case "wechat_id":
		return &p.WechatID
	case "email":
		return &p.Email
	case "company":
		return &p.Company
	case "description":
		return &p.Description
	}
	return nil
}

// Normal returns the value of a custom field as it is stored, and nil for what means "not set". It is field.State's method Normalize.
type Normal func(key string, value any) (any, error)

// NormalizeProfile returns the profile as it is stored: every value trimmed and in NFC, custom ones as normal has them. Applying it to its
// own result changes nothing. It does not change what it was given.
//
// Refused, for the first field that is wrong: <FIELD>_TOO_LONG; VALIDATION for control characters, NUL or broken UTF-8; and what normal
// refuses, which may be nil for a profile without custom values.
func NormalizeProfile(p Profile, normal Normal) (Profile, error) {
	custom, err := normalizeCustom(p.Custom, normal)
	if err != nil {
		return Profile{}, err
	}
	p.Custom = nil
	for key, value := range custom {
		if value == nil {
			continue
		}
		if p.Custom == nil {
			p.Custom = map[string]any{}
		}
		p.Custom[key] = value
	}
	for _, f := range Fields() {
		value := p.field(f.Key)
		normal, err := f.normalize(*value)
		if err != nil {
			return Profile{}, err
		}
		*value = normal
	}
	return p, nil
}

// normalizeCustom returns the custom values as they are stored; nil ones mean "not set". The first by its key that is wrong is refused.
func normalizeCustom(values map[string]any, normal Normal) (map[string]any, error) {
	stored := make(map[string]any, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value, err := normal(key, values[key])
		if err != nil {
			return nil, err
		}
		stored[key] = value
	}
	return stored, nil
}

// CustomPrefix stands before the key of a custom field where an event names changed fields.
const CustomPrefix = "custom."

// set is what a change makes of the field that it is about. Of a field that nobody knows it makes nothing.
func (p *Profile) set(name string, value any) {
	if field := p.field(name); field != nil {
		*field, _ = value.(string)
		return
	}
	key, custom := strings.CutPrefix(name, CustomPrefix)
	switch {
	case !custom:
	case value == nil:
		delete(p.Custom, key)
		if len(p.Custom) == 0 {
			p.Custom = nil
		}
	default:
		if p.Custom == nil {
			p.Custom = map[string]any{}
		}
		p.Custom[key] = value
	}
}

func (f Field) normalize(s string) (string, error) {
	form := text.Line
	if f.Multiline {
		form = text.Block
	}
	s, ok := form(s)
	if !ok {
		return "", domain.Invalid("profile."+f.Key, domain.RuleCharacters)
	}
	if text.Length(s) > f.Max {
		return "", domain.Refuse(strings.ToUpper(f.Key)+"_TOO_LONG").At("profile."+f.Key).With("max", f.Max)
	}
	return s, nil
}
