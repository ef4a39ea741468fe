package imports

import (
	"slices"
	"strings"
	"unicode"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/text"
)

// Columns of a file, beside those of the profile, which go by the key of their field: custom ones by CustomPrefix and the key.
const (
	ColumnID          = "external_id"
	ColumnTags        = "tags"
	ColumnAssociation = "association_id"
)

// What was added to a file that is given back: passed over, so that it can be mended and sent again.
const (
	AddedRow    = "row"
	AddedReason = "reason"
)

// Column is a column that a file can have.
type Column struct {
	Name     string // ColumnID, ColumnTags, ColumnAssociation, or a field
	English  string // heading
	Chinese  string // heading
	Required bool
	// Field is the custom field; nil for all others.
	Field *field.Field
}

// Heading is the column's heading in one of the two languages.
func (c Column) Heading(chinese bool) string {
	if chinese {
		return c.Chinese
	}
	return c.English
}

// Columns lists the columns of the template: those that every tenant has, and then its custom fields that are not disabled, in its order. No two
// are called the same: a field whose label is another column's heading or name, or nothing but stars, is called by its name.
func Columns(fields *field.State) []Column {
	columns := []Column{
		{Name: ColumnID, English: "ID", Chinese: "ID", Required: true}, {Name: "nickname", English: "Nickname", Chinese: "昵称"},
		{Name: "name", English: "Name", Chinese: "名字"}, {Name: "qq", English: "QQ", Chinese: "QQ"}, {Name: "phone", English: "Phone", Chinese: "手机"},
		{Name: "wechat_id", English: "WeChat ID", Chinese: "微信号"}, {Name: "email", English: "Email", Chinese: "邮箱"},
		{Name: "company", English: "Company", Chinese: "公司"}, {Name: "description", English: "Description", Chinese: "描述"},
		{Name: ColumnTags, English: "Tags", Chinese: "客户标签"}, {Name: ColumnAssociation, English: "Association ID", Chinese: "关联ID", Required: true},
	}
	every := len(columns)
	for _, f := range fields.All() {
		if !f.System && !f.Disabled {
			columns = append(columns, Column{Name: customer.CustomPrefix + f.Key, English: f.Label, Chinese: f.Label, Field: &f})
		}
	}
	taken := map[string]bool{"": true}
	for _, headings := range added {
		taken[bare(headings[0])], taken[bare(headings[1])] = true, true
	}
	for i := range columns {
		taken[bare(columns[i].Name)] = true
		if i < every {
			taken[bare(columns[i].English)], taken[bare(columns[i].Chinese)] = true, true
		}
	}
	for i := every; i < len(columns); i++ {
		c := &columns[i]
		heading := bare(c.Field.Label)
		if taken[heading] {
			c.English, c.Chinese = c.Name, c.Name
		}
		taken[heading] = true
	}
	return columns
}

// bare is a heading as headings are compared: whatever its case and width, without the star that says that it is required, and without the
// byte order mark that a program may have left before the first.
func bare(heading string) string {
	return strings.TrimFunc(text.Fold(heading), func(r rune) bool { return r == '*' || r == '\ufeff' || unicode.IsSpace(r) })
}

// added are the headings of what was added to a file that is given back.
var added = map[string][2]string{AddedRow: {"Row", "行号"}, AddedReason: {"Why it was refused", "拒绝原因"}}

// AddedHeading is the heading of AddedRow or AddedReason.
func AddedHeading(name string, chinese bool) string {
	if chinese {
		return added[name][1]
	}
	return added[name][0]
}

// Header finds out what the columns of a file are by its first row: headings in either language or the names of columns, whatever the case
// and the width, with or without the mark that they are required. Columns without a heading are passed over.
//
// Refused, with the number of the column: HEADER_UNKNOWN for a heading that no column has, HEADER_TWICE for one that another column has; and
// HEADER_MISSING with the name of a column that is required.
func Header(cells []string, fields *field.State) ([]string, error) {
	known := map[string]string{AddedRow: "", AddedReason: ""} // a field may be called so
	all := Columns(fields)
	for _, c := range all {
		known[bare(c.English)], known[bare(c.Chinese)], known[bare(c.Name)] = c.Name, c.Name, c.Name
	}
	for _, headings := range added {
		known[bare(headings[0])], known[bare(headings[1])] = "", ""
	}
	found := make([]string, len(cells))
	for i, cell := range cells {
		heading := bare(cell)
		if heading == "" {
			continue
		}
		name, ok := known[heading]
		switch {
		case !ok:
			return nil, domain.Refuse(domain.CodeHeaderUnknown).At("file").With("column", i+1)
		case name != "" && slices.Contains(found[:i], name):
			return nil, domain.Refuse(domain.CodeHeaderTwice).At("file").With("column", i+1)
		}
		found[i] = name
	}
	for _, c := range all {
		if c.Required && !slices.Contains(found, c.Name) {
			return nil, domain.Refuse(domain.CodeHeaderMissing).At("file").With("column", c.Name)
		}
	}
	return found, nil
}
