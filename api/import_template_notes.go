package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/imports"
	"customercenter/domain/tag"
	"customercenter/internal/locale"
)

// maxUserName is the longest user name of an app, in characters.
const maxUserName = 64

// writeNotes writes the sheet that says what can be filled in.
func (t *importTemplate) writeNotes() error {
	for i, width := range []float64{24, 44, 10, 20, 70} {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := t.file.SetColWidth(t.notes, name, name, width); err != nil {
			return err
		}
	}
	t.row = 1
	for _, part := range []func() error{t.noteRules, t.noteColumns, t.noteAssociations, t.noteOptions} {
		if err := part(); err != nil {
			return err
		}
		t.row++
	}
	return nil
}

// note writes the next row of the notes.
func (t *importTemplate) note(style int, texts ...string) error {
	t.row++
	return t.set(t.notes, t.row-1, style, texts...)
}

func (t *importTemplate) noteRules() error {
	if err := t.note(t.title, t.words("rules.title", "sheet", t.customers)); err != nil {
		return err
	}
	for _, rule := range []string{
		t.words("rules.headings"), t.words("rules.example"), t.words("rules.text"), t.words("rules.separators"),
		t.words("rules.limits", "rows", locale.Count(imports.MaxRows), "bytes", strconv.Itoa(imports.MaxBytes>>20)),
		t.words("rules.formats"), t.words("rules.whole"), t.words("rules.rows"), t.words("rules.existing"), t.words("rules.trial"),
	} {
		// Programs do not make the row of merged cells as high as its text needs.
		if err := t.file.SetRowHeight(t.notes, t.row, 15*float64(1+letters(rule)/150)); err != nil {
			return err
		}
		if err := t.file.MergeCell(t.notes, fmt.Sprint("A", t.row), fmt.Sprint("E", t.row)); err != nil {
			return err
		}
		if err := t.note(t.wrapped, rule); err != nil {
			return err
		}
	}
	return nil
}

func (t *importTemplate) noteColumns() error {
	if err := t.note(t.title, t.words("columns.title")); err != nil {
		return err
	}
	if err := t.note(t.bold, t.words("columns.column"), t.words("columns.meaning"), t.words("columns.required"), t.words("columns.longest"), t.words("columns.values")); err != nil {
		return err
	}
	for _, c := range t.columns {
		required := locale.Word(t.language, "bool", strconv.FormatBool(c.Required))
		if err := t.note(t.wrapped, t.heading(c), t.meaning(c), required, t.longest(c), t.values(c)); err != nil {
			return err
		}
	}
	return nil
}

func (t *importTemplate) meaning(c imports.Column) string {
	if c.Field == nil {
		return t.words("meaning." + c.Name)
	}
	meaning := t.words("meaning.custom", "type", locale.Word(t.language, "field_type", c.Field.Type))
	if c.Heading(false) == c.Name { // its label is another column's
		meaning = c.Field.Label + locale.Phrase(t.language, "colon") + meaning
	}
	if c.Field.Hint != "" {
		meaning += locale.Phrase(t.language, "colon") + c.Field.Hint
	}
	return meaning
}

func (t *importTemplate) longest(c imports.Column) string {
	characters := func(max int) string { return t.words("longest.characters", "max", strconv.Itoa(max)) }
	for _, f := range customer.Fields() {
		if f.Key == c.Name {
			return characters(f.Max)
		}
	}
	switch {
	case c.Name == imports.ColumnID:
		return characters(maxUserName)
	case c.Name == imports.ColumnTags:
		return t.words("longest.each", "max", strconv.Itoa(tag.MaxName))
	case c.Field == nil:
		return ""
	case c.Field.Type == field.TypeText:
		return characters(field.MaxText)
	case c.Field.Type == field.TypeMultiline:
		return characters(field.MaxMultiline)
	case c.Field.Type == field.TypeNumber:
		return t.words("longest.digits", "max", strconv.Itoa(filter.MaxDigits))
	}
	return ""
}

func (t *importTemplate) values(c imports.Column) string {
	switch {
	case c.Name == imports.ColumnID:
		return t.words("values.external_id", "max", strconv.Itoa(maxUserName))
	case c.Name == "nickname", c.Name == imports.ColumnTags, c.Name == imports.ColumnAssociation:
		return t.words("values." + c.Name)
	case c.Name == "description":
		return t.words("values.multiline")
	case c.Field == nil:
		return t.words("values.text")
	}
	return t.words("values." + c.Field.Type)
}

func (t *importTemplate) noteAssociations() error {
	if err := t.note(t.title, t.words("associations.title")); err != nil {
		return err
	}
	if len(t.apps) == 0 {
		return t.note(t.plain, t.words("associations.none"))
	}
	if err := t.note(t.bold, t.words("associations.id"), t.words("associations.name")); err != nil {
		return err
	}
	t.list(imports.ColumnAssociation, "A", len(t.apps))
	for _, a := range t.apps {
		if err := t.note(t.plain, strconv.Itoa(a.ID), a.Name); err != nil {
			return err
		}
	}
	return nil
}

func (t *importTemplate) noteOptions() error {
	begun := false
	for _, c := range t.columns {
		if c.Field == nil || len(c.Field.Options) == 0 {
			continue
		}
		if !begun {
			if err := t.note(t.title, t.words("options.title")); err != nil {
				return err
			}
			if err := t.note(t.bold, t.words("options.column"), t.words("options.option")); err != nil {
				return err
			}
			begun = true
		}
		options := t.options(c.Field)
		t.list(c.Name, "B", len(options))
		for _, option := range options {
			if err := t.note(t.plain, t.heading(c), option); err != nil {
				return err
			}
		}
	}
	return nil
}

// list remembers that the next rows of the notes have, in that column of theirs, what a column takes.
func (t *importTemplate) list(of, column string, rows int) {
	t.lists[of] = fmt.Sprintf("'%s'!$%s$%d:$%s$%d", strings.ReplaceAll(t.notes, "'", "''"), column, t.row, column, t.row+rows-1)
}
