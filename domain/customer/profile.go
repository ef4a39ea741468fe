package customer

import (
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

// NormalizeProfile returns the profile as it is stored: every value trimmed and in NFC. Applying it to its own result
// changes nothing.
//
// Refused, for the first field that is wrong: <FIELD>_TOO_LONG; VALIDATION for control characters, NUL or broken UTF-8,
// and for any custom field, because a tenant has none until it defines them.
func NormalizeProfile(p Profile) (Profile, error) {
	if len(p.Custom) > 0 {
		return Profile{}, domain.Invalid("profile.custom", domain.RuleOneOf)
	}
	p.Custom = nil
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
