package api

import (
	"encoding/json"
	"maps"

	"github.com/danielgtaylor/huma/v2"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
)

const customNotes = "Values of custom fields, by key: a text; a number, or its text; a date such as 2026-11-03; the id of an option; of multi_select a list of ids; " +
	"of cascade the ids from the top down. null, an empty text and an empty list mean not set. Numbers are answered as text, exact."

// CustomInput are values of custom fields, by key.
type CustomInput map[string]json.RawMessage

// Schema implements huma.SchemaProvider. What a value may be depends on its field.
func (CustomInput) Schema(huma.Registry) *huma.Schema {
	most := 100
	s := &huma.Schema{Type: huma.TypeObject, Description: customNotes, AdditionalProperties: &huma.Schema{}, MaxProperties: &most}
	s.PrecomputeMessages()
	return s
}

// values are the values as commands take them.
func (c CustomInput) values() map[string]any {
	if len(c) == 0 {
		return nil
	}
	values := make(map[string]any, len(c))
	for key, raw := range c {
		values[key] = raw
	}
	return values
}

// profile is the profile that is given.
func (p *ProfileInput) profile() customer.Profile {
	if p == nil {
		return customer.Profile{}
	}
	return customer.Profile{Nickname: p.Nickname, Name: p.Name, Phone: p.Phone, QQ: p.QQ, WechatID: p.WechatID, Email: p.Email,
		Company: p.Company, Description: p.Description, Custom: p.Custom.values()}
}

// ProfileEdit are new values of fields of a profile, by key, and of custom ones below custom.
type ProfileEdit map[string]json.RawMessage

// Schema implements huma.SchemaProvider. Which fields there are is for the domain to say.
func (ProfileEdit) Schema(r huma.Registry) *huma.Schema {
	most := 100
	text := &huma.Schema{Type: huma.TypeString, Nullable: true}
	s := &huma.Schema{
		Type: huma.TypeObject, MaxProperties: &most,
		Description:          "By field: its new value; null or empty means not set. Fields that are absent stay. Custom fields are in custom, likewise.",
		Properties:           map[string]*huma.Schema{"custom": CustomInput{}.Schema(r)},
		AdditionalProperties: text,
	}
	text.PrecomputeMessages()
	s.PrecomputeMessages()
	return s
}

// command is what is to be changed of a customer.
func (p ProfileEdit) command() (commands.EditProfile, error) {
	edit := commands.EditProfile{Changes: map[string]*string{}}
	plain := maps.Clone(p)
	if raw, given := p["custom"]; given {
		delete(plain, "custom")
		var custom CustomInput
		if err := json.Unmarshal(raw, &custom); err != nil {
			return edit, invalid(field.Path, domain.RuleTypeObject)
		}
		edit.Custom = custom.values()
	}
	for key, raw := range plain {
		var value *string
		if err := json.Unmarshal(raw, &value); err != nil {
			return edit, invalid("profile", domain.RuleTypeString)
		}
		edit.Changes[key] = value
	}
	return edit, nil
}
