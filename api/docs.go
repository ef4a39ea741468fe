package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// The page is plain HTML made once from the description: it needs no script and nothing from elsewhere.
var docsTemplate = template.Must(template.New("docs").Parse(docsHTML))

type docsPage struct {
	Title, Version, Text string
	Style                template.CSS
	Sections             []docsSection
	Schemas              []docsSchema
}

type docsSection struct {
	Name       string
	Operations []docsOperation
}

// Anchor is the section's name in addresses, where no space may be.
func (s docsSection) Anchor() string { return strings.ReplaceAll(s.Name, " ", "-") }

type docsOperation struct {
	ID, Method, Path, Summary, Text string
	Parameters                      []docsField
	Body                            docsType
	Answers                         []docsAnswer
}

type docsField struct {
	Name, In, Text string
	Type           docsType
	Required       bool
}

type docsAnswer struct {
	Status, Text string
	Type         docsType
}

// docsType is a type in words, with a link if it is described further down.
type docsType struct{ Text, Link string }

type docsSchema struct {
	Name, Text string
	Fields     []docsField
}

// readable renders the description and returns the page and the security policy it needs.
func readable(spec *huma.OpenAPI) (page []byte, policy string) {
	data := docsPage{Title: spec.Info.Title, Version: spec.Info.Version, Text: spec.Info.Description, Style: template.CSS(docsCSS)}
	var paths []string
	for path := range spec.Paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		item := spec.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				data.add(op)
			}
		}
	}
	slices.SortFunc(data.Sections, func(a, b docsSection) int { return strings.Compare(a.Name, b.Name) })
	for name, schema := range spec.Components.Schemas.Map() {
		data.Schemas = append(data.Schemas, docsSchema{Name: name, Text: schema.Description, Fields: docsFields(schema)})
	}
	slices.SortFunc(data.Schemas, func(a, b docsSchema) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	if err := docsTemplate.Execute(&b, data); err != nil {
		panic(err) // the template and its data are both in this package
	}
	return b.Bytes(), policyFor(docsCSS)
}

func (p *docsPage) add(op *huma.Operation) {
	name := "Other"
	if len(op.Tags) > 0 {
		name = op.Tags[0]
	}
	i := slices.IndexFunc(p.Sections, func(s docsSection) bool { return s.Name == name })
	if i < 0 {
		i = len(p.Sections)
		p.Sections = append(p.Sections, docsSection{Name: name})
	}
	p.Sections[i].Operations = append(p.Sections[i].Operations, docsOf(op))
}

func docsOf(op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Text: op.Description}
	for _, p := range op.Parameters {
		d.Parameters = append(d.Parameters, docsField{Name: p.Name, In: p.In, Text: p.Description, Type: typeOf(p.Schema), Required: p.Required})
	}
	if op.RequestBody != nil {
		d.Body = contentOf(op.RequestBody.Content)
	}
	for status, answer := range op.Responses {
		d.Answers = append(d.Answers, docsAnswer{Status: status, Text: answer.Description, Type: contentOf(answer.Content)})
	}
	slices.SortFunc(d.Answers, func(a, b docsAnswer) int { return strings.Compare(a.Status, b.Status) })
	return d
}

func contentOf(content map[string]*huma.MediaType) docsType {
	var kinds []string
	for kind := range content {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		if t := typeOf(content[kind].Schema); t.Text != "" {
			return t
		}
	}
	return docsType{Text: strings.Join(kinds, ", ")}
}

func docsFields(s *huma.Schema) []docsField {
	var fields []docsField
	for name, property := range s.Properties {
		fields = append(fields, docsField{Name: name, Text: property.Description, Type: typeOf(property), Required: slices.Contains(s.Required, name)})
	}
	slices.SortFunc(fields, func(a, b docsField) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// typeOf says what a schema is in a few words.
func typeOf(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return docsType{}
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return docsType{Text: name, Link: "schema-" + name}
	case len(s.AnyOf) > 0:
		of := typeOf(s.AnyOf[0])
		of.Text += " or null"
		return of
	case s.Type == huma.TypeArray:
		of := typeOf(s.Items)
		of.Text = "list of " + of.Text
		return of
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		return docsType{Text: strings.Join(values, " | ")}
	case s.Type == "":
		return docsType{Text: "any JSON"}
	}
	text := s.Type
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	return docsType{Text: text}
}
