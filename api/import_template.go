package api

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/field"
	"customercenter/domain/imports"
	"customercenter/internal/locale"
)

// writeImportTemplate writes an .xlsx to be filled in and imported: a sheet with the headings and an example, whose row is refused if it stays, and a
// sheet that says what can be filled in. fields and associations are the tenant's.
func writeImportTemplate(w io.Writer, fields *field.State, associations *association.State, l locale.Language) (err error) {
	t := &importTemplate{
		file: excelize.NewFile(), language: l, fields: fields, columns: imports.Columns(fields), lists: map[string]string{},
		customers: locale.Template(l, "sheet.customers"), notes: locale.Template(l, "sheet.notes"),
	}
	defer func() { err = errors.Join(err, t.file.Close()) }()
	for _, a := range associations.All {
		if a.Channel == domain.ChannelApp && !a.Removed {
			t.apps = append(t.apps, a)
		}
	}
	for _, step := range []func() error{t.begin, t.writeNotes, t.writeCustomers} { // the lists of the second sheet are those of the first
		if err := step(); err != nil {
			return fmt.Errorf("api: template of imports: %w", err)
		}
	}
	if err := t.file.Write(w); err != nil {
		return fmt.Errorf("api: template of imports: %w", err)
	}
	return nil
}

// importTemplate is a template in the making.
type importTemplate struct {
	file      *excelize.File
	language  locale.Language
	fields    *field.State
	columns   []imports.Column
	apps      []association.Association
	customers string // names of the sheets
	notes     string
	// Styles. All are of text, so that nothing that is typed becomes a number or a date.
	plain, bold, title, wrapped int
	// lists are the cells of the notes that have what a column takes, by its name.
	lists map[string]string
	// row is the next one of the notes.
	row int
}

func (t *importTemplate) words(name string, pairs ...string) string {
	return locale.Template(t.language, name, pairs...)
}

func (t *importTemplate) heading(c imports.Column) string {
	return c.Heading(t.language == locale.Chinese)
}

const textFormat = 49 // "@"

func (t *importTemplate) begin() error {
	for _, style := range []struct {
		into *int
		is   excelize.Style
	}{
		{&t.plain, excelize.Style{}},
		{&t.bold, excelize.Style{Font: &excelize.Font{Bold: true}}},
		{&t.title, excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}}},
		{&t.wrapped, excelize.Style{Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}}},
	} {
		style.is.NumFmt = textFormat
		var err error
		if *style.into, err = t.file.NewStyle(&style.is); err != nil {
			return err
		}
	}
	if err := t.file.SetSheetName(t.file.GetSheetName(0), t.customers); err != nil {
		return err
	}
	if _, err := t.file.NewSheet(t.notes); err != nil {
		return err
	}
	return t.file.SetDocProps(&excelize.DocProperties{Creator: "customercenter", Title: t.customers})
}

// set writes texts beside each other.
func (t *importTemplate) set(sheet string, row, style int, texts ...string) error {
	for i, text := range texts {
		cell, err := excelize.CoordinatesToCellName(i+1, row)
		if err != nil {
			return err
		}
		if err := t.file.SetCellStr(sheet, cell, text); err != nil {
			return err
		}
		if err := t.file.SetCellStyle(sheet, cell, cell, style); err != nil {
			return err
		}
	}
	return nil
}

func (t *importTemplate) writeCustomers() error {
	var headings, example []string
	for i, c := range t.columns {
		heading := t.heading(c)
		if c.Required {
			heading += "*"
		}
		headings, example = append(headings, heading), append(example, t.example(c))
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := t.file.SetColStyle(t.customers, name, t.plain); err != nil {
			return err
		}
		if err := t.file.SetColWidth(t.customers, name, name, max(width(heading), min(width(example[i]), 30))); err != nil {
			return err
		}
		if err := t.offer(c, name); err != nil {
			return err
		}
	}
	if err := t.set(t.customers, 1, t.bold, headings...); err != nil {
		return err
	}
	if err := t.set(t.customers, 2, t.plain, example...); err != nil {
		return err
	}
	last, err := excelize.CoordinatesToCellName(len(t.columns), imports.MaxRows+1)
	if err != nil {
		return err
	}
	if err := t.file.AddIgnoredErrors(t.customers, "A1:"+last, excelize.IgnoredErrorsNumberStoredAsText); err != nil { // phone numbers are, on purpose
		return err
	}
	return t.file.SetPanes(t.customers, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

// width is how wide a column must be for a text in bold, from 12 to 40.
func width(text string) float64 { return float64(min(max(letters(text)+3, 12), 40)) }

// letters is how many Latin letters a text is as wide as. Chinese characters and their like are twice as wide.
func letters(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r >= 0x1100 {
			n++
		}
	}
	return n
}

// offer gives the cells of a column a list to choose from, if there is one. Only of what has one value is anything else warned of; it can still be
// typed, as there may be more by the time of the import.
func (t *importTemplate) offer(c imports.Column, name string) error {
	list, ok := t.lists[c.Name]
	if !ok {
		return nil
	}
	v := excelize.NewDataValidation(true)
	v.SetSqref(fmt.Sprintf("%s2:%s%d", name, name, imports.MaxRows+1))
	v.SetSqrefDropList(list)
	if c.Field == nil || c.Field.Type != field.TypeMultiSelect {
		v.SetError(excelize.DataValidationErrorStyleWarning, t.words("list.title"), t.words("list.detail", "sheet", t.notes))
	}
	return t.file.AddDataValidation(t.customers, v)
}

// example is what the example has in a column. Nothing but its ID is wrong, so that this is what it is refused for.
func (t *importTemplate) example(c imports.Column) string {
	switch c.Name {
	case imports.ColumnID:
		return t.words("example.id")
	case imports.ColumnAssociation:
		if len(t.apps) > 0 {
			return strconv.Itoa(t.apps[0].ID)
		}
		return "1"
	case "nickname", "name", "company", "description":
		return t.words("example." + c.Name)
	case "qq":
		return "10001"
	case "phone":
		return "13800138000"
	case "wechat_id":
		return "wxid_example"
	case "email":
		return "ming@example.com"
	}
	if c.Field == nil { // tags, which are others for everybody
		return ""
	}
	switch c.Field.Type {
	case field.TypeNumber:
		return "12.5"
	case field.TypeDate:
		return "2026-11-03"
	case field.TypeText, field.TypeMultiline:
		return t.words("example.text")
	}
	options := t.options(c.Field)
	switch c.Field.Type {
	case field.TypeMultiSelect:
		return strings.Join(options[:min(2, len(options))], ",")
	case field.TypeCascade:
		return slices.MaxFunc(options, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	}
	return options[0]
}

// options are what a choice takes, as it is typed: a label, or the labels on the way to it.
func (t *importTemplate) options(f *field.Field) []string {
	ways := map[string][]any{}
	var all []string
	for _, o := range f.Options { // each stands behind its parent
		way := append(ways[o.Parent][:len(ways[o.Parent]):len(ways[o.Parent])], o.ID)
		ways[o.ID] = way
		all = append(all, t.fields.Shown(f.Key, any(way)))
	}
	return all
}
