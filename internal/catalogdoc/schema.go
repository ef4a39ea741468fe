package catalogdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// schema is what a value looks like in JSON, in the words of JSON Schema draft 7, and what it means.
type schema struct {
	Type        string     `json:"type,omitempty"`
	Format      string     `json:"format,omitempty"`
	Encoding    string     `json:"contentEncoding,omitempty"`
	Const       string     `json:"const,omitempty"`
	Description string     `json:"description,omitempty"` // in English, / and Chinese
	Personal    bool       `json:"x-personal,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Values      *schema    `json:"additionalProperties,omitempty"` // of a map
	meaning     words      // the description, taken apart
}

// property is a member of an object.
type property struct {
	name   string
	schema *schema
}

// properties are the members of an object in the order of the source.
type properties []property

// MarshalJSON implements json.Marshaler: an object with its members in order.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, member := range p {
		value, err := json.Marshal(member.schema)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", member.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// personalNames adds the names of personal members.
func (s *schema) personalNames(to map[string]bool) {
	for _, member := range s.Properties {
		if member.schema.Personal {
			to[member.name] = true
		}
		member.schema.personalNames(to)
	}
}

// personal marks a member and all that is in it.
func (s *schema) personal() {
	s.Personal = true
	for _, member := range s.Properties {
		member.schema.personal()
	}
}

// markPersonal marks the members that are personal wherever they occur.
func (s *schema) markPersonal(names map[string]bool) {
	for _, member := range s.Properties {
		if names[member.name] && len(member.schema.Properties) == 0 {
			member.schema.Personal = true
		}
		member.schema.markPersonal(names)
	}
}

// schemaOf is how a Go type is encoded. path says whose member it is, for its meaning: customer.created.profile.nickname.
func (f *facts) schemaOf(p *program, t types.Type, path string) (*schema, error) {
	if named, ok := t.(*types.Named); ok {
		switch named.Obj().Pkg().Path() + "." + named.Obj().Name() {
		case "github.com/google/uuid.UUID":
			return &schema{Type: "string", Format: "uuid"}, nil
		case "time.Time":
			return &schema{Type: "string", Format: "date-time"}, nil
		case "encoding/json.RawMessage":
			return &schema{}, nil // a filter: see docs/filters.md
		}
	}
	switch t := t.Underlying().(type) {
	case *types.Basic:
		switch info := t.Info(); {
		case info&types.IsString != 0:
			return &schema{Type: "string"}, nil
		case info&types.IsBoolean != 0:
			return &schema{Type: "boolean"}, nil
		case info&types.IsInteger != 0:
			return &schema{Type: "integer"}, nil
		case info&types.IsFloat != 0:
			return &schema{Type: "number"}, nil
		}
	case *types.Pointer:
		return f.schemaOf(p, t.Elem(), path)
	case *types.Interface:
		return &schema{}, nil
	case *types.Slice:
		items, err := f.schemaOf(p, t.Elem(), path)
		return &schema{Type: "array", Items: items}, err
	case *types.Map:
		values, err := f.schemaOf(p, t.Elem(), path)
		return &schema{Type: "object", Values: values}, err
	case *types.Struct:
		return f.objectOf(p, t, path)
	}
	return nil, fmt.Errorf("%s: %s cannot be described", path, t)
}

// objectOf is how a struct is encoded. What is sealed is never required: whoever has no key does not see it.
func (f *facts) objectOf(p *program, of *types.Struct, path string) (*schema, error) {
	object := &schema{Type: "object"}
	for i := range of.NumFields() {
		tag := reflect.StructTag(of.Tag(i))
		name, options, _ := strings.Cut(tag.Get("json"), ",")
		if of.Field(i).Embedded() {
			inner, err := f.schemaOf(p, of.Field(i).Type(), path)
			if err != nil {
				return nil, err
			}
			object.Properties = append(object.Properties, inner.Properties...)
			object.Required = append(object.Required, inner.Required...)
			continue
		}
		if name == "-" {
			continue
		}
		if name == "" {
			return nil, fmt.Errorf("%s: the field %s has no name in JSON", path, of.Field(i).Name())
		}
		member, err := f.schemaOf(p, of.Field(i).Type(), path+"."+name)
		if err != nil {
			return nil, err
		}
		if member.meaning, err = f.glossary.meaning(path + "." + name); err != nil {
			return nil, err
		}
		member.Description = member.meaning.both()
		if tag.Get("personal") == "true" {
			member.personal()
		}
		object.Properties = append(object.Properties, property{name, member})
		if !strings.Contains(options, "omit") && !member.Personal {
			object.Required = append(object.Required, name)
		}
	}
	return object, nil
}

// kind is what a value is, for people.
func (s *schema) kind() string {
	switch {
	case s.Format != "":
		return s.Format
	case s.Type == "array" && s.Items != nil:
		return "list of " + s.Items.kind()
	case s.Type == "":
		return "any"
	default:
		return s.Type
	}
}

// rows calls row with every member, and with those of its members behind it, by their paths.
func (s *schema) rows(path string, row func(path string, member *schema, required bool)) {
	for _, member := range s.Properties {
		at := path + member.name
		row(at, member.schema, slices.Contains(s.Required, member.name))
		switch inner := member.schema; {
		case inner.Items != nil:
			inner.Items.rows(at+"[].", row)
		case inner.Values != nil:
			inner.Values.rows(at+".*.", row)
		default:
			inner.rows(at+".", row)
		}
	}
}
