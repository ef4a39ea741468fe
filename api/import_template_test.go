package api

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
	"customercenter/domain/imports"
	"customercenter/domain/tag"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
)

var (
	templateFields = domaintest.Fold[field.State](
		field.Added{Field: "size", Type: field.TypeText, Label: "Shoe size", Hint: "as in Europe"},
		field.Added{Field: "remarks", Type: field.TypeMultiline, Label: "备注"},
		field.Added{Field: "age", Type: field.TypeNumber, Label: "年龄"},
		field.Added{Field: "birthday", Type: field.TypeDate, Label: "生日"},
		field.Added{Field: "level", Type: field.TypeSelect, Label: "等级", Options: []field.Option{{ID: "o1", Label: "金"}, {ID: "o2", Label: "Silver, or less"}}},
		field.Added{Field: "likes", Type: field.TypeMultiSelect, Label: "Likes", Options: []field.Option{{ID: "o1", Label: "tea"}, {ID: "o2", Label: "咖啡"}, {ID: "o3", Label: "=1+1"}}},
		field.Added{Field: "region", Type: field.TypeCascade, Label: "地区", Options: []field.Option{
			{ID: "o1", Label: "广东"}, {ID: "o2", Label: "深圳", Parent: "o1"}, {ID: "o3", Label: "南山", Parent: "o2"}, {ID: "o4", Label: "四川"}}},
		field.Added{Field: "old", Type: field.TypeText, Label: "Old"}, field.Disabled{Field: "old"},
		field.Added{Field: "gone", Type: field.TypeText, Label: "Gone"}, field.Removed{Field: "gone"},
	)
	templateAssociations = domaintest.Fold[association.State](
		association.Registered{Association: 1, Channel: domain.ChannelWechat, Account: "w", Name: "公众号"},
		association.Registered{Association: 2, Channel: domain.ChannelApp, Account: "o#a", Name: "商城"},
		association.Registered{Association: 3, Channel: domain.ChannelApp, Account: "o#b", Name: "Former"}, association.Removed{Association: 3},
		association.Registered{Association: 11, Channel: domain.ChannelApp, Account: "o#c", Name: "Shop"},
	)
)

// madeTemplate is the file as it is read back, and its bytes.
func madeTemplate(t *testing.T, fields *field.State, associations *association.State, l locale.Language) (*excelize.File, []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := writeImportTemplate(&b, fields, associations, l); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, b.Bytes()
}

func TestImportTemplate(t *testing.T) {
	for l, want := range map[locale.Language]struct {
		sheets            []string
		headings, example []string
	}{
		locale.Chinese: {[]string{"客户", "说明"},
			[]string{"ID*", "昵称", "名字", "QQ", "手机", "微信号", "邮箱", "公司", "描述", "客户标签", "关联ID*", "Shoe size", "备注", "年龄", "生日", "等级", "Likes", "地区"},
			[]string{"示例（请删除本行）", "小明", "王小明", "10001", "13800138000", "wxid_example", "ming@example.com", "示例科技有限公司", "希望下午联系", "", "2", "任意文本", "任意文本", "12.5", "2026-11-03", "金", "tea,咖啡", "广东/深圳/南山"}},
		locale.English: {[]string{"Customers", "Notes"},
			[]string{"ID*", "Nickname", "Name", "QQ", "Phone", "WeChat ID", "Email", "Company", "Description", "Tags", "Association ID*", "Shoe size", "备注", "年龄", "生日", "等级", "Likes", "地区"},
			[]string{"example (delete this row)", "Ming", "Wang Xiaoming", "10001", "13800138000", "wxid_example", "ming@example.com", "Example Ltd.", "Prefers to be called in the afternoon", "", "2", "any text", "any text", "12.5", "2026-11-03", "金", "tea,咖啡", "广东/深圳/南山"}},
	} {
		t.Run(l.Tag(), func(t *testing.T) {
			f, _ := madeTemplate(t, templateFields, templateAssociations, l)
			if got := f.GetSheetList(); !slices.Equal(got, want.sheets) {
				t.Fatalf("sheets %q", got)
			}
			rows, err := f.GetRows(want.sheets[0])
			if err != nil || len(rows) != 2 {
				t.Fatalf("rows %q, %v", rows, err)
			}
			if !slices.Equal(rows[0], want.headings) {
				t.Errorf("headings %q", rows[0])
			}
			if !slices.Equal(rows[1], want.example) {
				t.Errorf("example %q", rows[1])
			}
			panes, err := f.GetPanes(want.sheets[0])
			if err != nil || !panes.Freeze || panes.YSplit != 1 || panes.XSplit != 0 {
				t.Errorf("panes %+v, %v", panes, err)
			}
			checkIsText(t, f, want.sheets[0], len(want.headings))
			checkOffered(t, f, want.sheets[0])
		})
	}
}

// checkIsText wants every cell and column of the sheet to be text, so that phone numbers stay whole, and the headings to be bold.
func checkIsText(t *testing.T, f *excelize.File, sheet string, columns int) {
	t.Helper()
	isText := func(where string, style int) *excelize.Style {
		s, err := f.GetStyle(style)
		if err != nil || s.NumFmt != 49 {
			t.Errorf("%s is formatted as %+v, %v", where, s, err)
		}
		return s
	}
	for i := range columns {
		column, _ := excelize.ColumnNumberToName(i + 1)
		style, err := f.GetColStyle(sheet, column)
		if err != nil {
			t.Fatal(err)
		}
		isText(column, style)
		if width, err := f.GetColWidth(sheet, column); err != nil || width < 12 || width > 40 {
			t.Errorf("%s is %v wide, %v", column, width, err)
		}
		for row := 1; row <= 3; row++ {
			cell := fmt.Sprint(column, row)
			kind, err := f.GetCellType(sheet, cell)
			if value, _ := f.GetCellValue(sheet, cell); err != nil || value != "" && kind != excelize.CellTypeSharedString && kind != excelize.CellTypeInlineString {
				t.Errorf("%s is of the type %v, %v", cell, kind, err)
			}
			style, err := f.GetCellStyle(sheet, cell)
			if err != nil {
				t.Fatal(err)
			}
			if s := isText(cell, style); s != nil && (s.Font != nil && s.Font.Bold) != (row == 1) {
				t.Errorf("%s is bold: %v", cell, row != 1)
			}
		}
	}
}

// checkOffered looks up what can be chosen in which columns.
func checkOffered(t *testing.T, f *excelize.File, sheet string) {
	t.Helper()
	validations, err := f.GetDataValidations(sheet)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, v := range validations {
		name, rest, _ := strings.Cut(strings.TrimPrefix(v.Formula1, "'"), "'!")
		from, to, _ := strings.Cut(strings.ReplaceAll(rest, "$", ""), ":")
		column, first, err := excelize.CellNameToCoordinates(from)
		if err != nil {
			t.Fatal(err)
		}
		_, last, err := excelize.CellNameToCoordinates(to)
		if err != nil {
			t.Fatal(err)
		}
		for row := first; row <= last; row++ {
			cell, _ := excelize.CoordinatesToCellName(column, row)
			value, err := f.GetCellValue(name, cell)
			if err != nil {
				t.Fatal(err)
			}
			got[v.Sqref] = append(got[v.Sqref], value)
		}
		if strict := v.ErrorStyle != nil && v.ShowErrorMessage; v.Type != "list" || strict != (v.Sqref != "Q2:Q100001") || strict && *v.ErrorStyle != "warning" {
			t.Errorf("the list of %s is %+v", v.Sqref, v)
		}
	}
	want := map[string][]string{
		"K2:K100001": {"2", "11"},
		"P2:P100001": {"金", "Silver, or less"},
		"Q2:Q100001": {"tea", "咖啡", "=1+1"},
		"R2:R100001": {"广东", "广东/深圳", "广东/深圳/南山", "四川"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("can be chosen: %q, want %q", got, want)
	}
}

// confusingFields are of a tenant whose fields are called as other columns are.
var confusingFields = domaintest.Fold[field.State](
	field.Added{Field: "labels", Type: field.TypeText, Label: "客户标签"}, field.Added{Field: "tags", Type: field.TypeText, Label: "Tags"},
	field.Added{Field: "line", Type: field.TypeText, Label: "行号"}, field.Added{Field: "star", Type: field.TypeText, Label: "*"},
)

// The template is a file that can be imported; its example is refused for its ID, whatever the tenant has.
func TestImportTemplateIsUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		fields       *field.State
		associations *association.State
		code         string
	}{
		"wide":      {templateFields, templateAssociations, domain.CodeIDInvalid},
		"confusing": {confusingFields, templateAssociations, domain.CodeIDInvalid},
		"new":       {new(field.State), new(association.State), domain.CodeAssociationUnknown},
	} {
		for _, l := range []locale.Language{locale.Chinese, locale.English} {
			t.Run(name+" "+l.Tag(), func(t *testing.T) {
				_, file := madeTemplate(t, c.fields, c.associations, l)
				in, err := sheet.Open(bytes.NewReader(file), int64(len(file)), sheet.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				columns, err := imports.Header(cellsOf(t, in), c.fields)
				if err != nil {
					t.Fatal(err)
				}
				var all []string
				for _, column := range imports.Columns(c.fields) {
					all = append(all, column.Name)
				}
				if !slices.Equal(columns, all) {
					t.Errorf("columns %q, want %q", columns, all)
				}
				row := imports.Row{Number: 2, Cells: cellsOf(t, in)}
				for _, createTags := range []bool{true, false} {
					work := domaintest.Fold[imports.State](imports.Uploaded{Import: uuid.UUID{15: 1}, Rows: 1, Columns: columns, CreateTags: createTags})
					wanted, err := work.Read(row, imports.Catalogues{Associations: c.associations, Tags: new(tag.State), Fields: c.fields})
					if err == nil {
						_, err = new(customer.State).Create(wanted.Customer, nil, c.fields.Normalize)
					}
					var refusal *domain.Refusal
					if !errors.As(err, &refusal) || refusal.Code != c.code {
						t.Errorf("the example is refused with %v, want %s", err, c.code)
					}
					wanted.Customer.ExternalID = "u1"
					if _, err := new(customer.State).Create(wanted.Customer, nil, c.fields.Normalize); err != nil && c.code == domain.CodeIDInvalid {
						t.Errorf("something else is wrong with the example: %v", err)
					}
				}
				if _, err := in.Next(); err == nil {
					t.Error("there are more rows")
				}
			})
		}
	}
}

func cellsOf(t *testing.T, in *sheet.Reader) []string {
	t.Helper()
	row, err := in.Next()
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	for _, c := range row.Cells {
		cells = append(cells, c.Text)
	}
	return cells
}

// The notes say it all, in the language of the template and in no other.
func TestImportTemplateNotes(t *testing.T) {
	key := regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)
	own := []string{"Shoe size", "Likes", "Shop", "tea", "Silver, or less", "=1+1", "ID", "QQ"} // the tenant's words, and those of both languages
	for l, says := range map[locale.Language][]string{
		locale.Chinese: {"100,000 行", "20 MiB", "GB18030", "45 个字符", "256 个字符", "255 个字符", "200 个字符", "1000 个字符", "64 个字符", "16 位数字", "每个 50 个字符", "英文逗号（,）", "2026-11-03", "广东/深圳/南山",
			"商城", "单选", "as in Europe", "已有客户不会被修改", "修改后重新上传"},
		locale.English: {"100,000 rows", "20 MiB", "GB18030", "45 characters", "256 characters", "255 characters", "200 characters", "1000 characters", "64 characters", "16 digits", "50 characters each", "ASCII commas (,)",
			"2026-11-03", "广东/深圳/南山", "商城", "multi-select", "as in Europe", "the customer is not changed", "uploaded again"},
	} {
		f, _ := madeTemplate(t, templateFields, templateAssociations, l)
		rows, err := f.GetRows(f.GetSheetName(1))
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, row := range rows {
			for _, cell := range row {
				text += cell + "\n"
				if key.MatchString(cell) || strings.ContainsAny(cell, "{}") || strings.Contains(cell, "?") && !strings.Contains(cell, "？") {
					t.Errorf("%s: words are missing: %q", l.Tag(), cell)
				}
				han := strings.ContainsFunc(cell, func(r rune) bool { return unicode.Is(unicode.Han, r) })
				latin := strings.ContainsFunc(cell, unicode.IsLower)
				if l == locale.Chinese && !han && latin && !slices.Contains(own, cell) {
					t.Errorf("not in Chinese: %q", cell)
				}
			}
		}
		for _, words := range says {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the notes do not say %q:\n%s", l.Tag(), words, text)
			}
		}
		for _, never := range []string{"公众号", "Former", "Old", "Gone"} {
			if strings.Contains(text, never) {
				t.Errorf("%s: the notes speak of %q", l.Tag(), never)
			}
		}
		// Every column has its line: what it means, whether it is required, and what it takes.
		for _, c := range imports.Columns(templateFields) {
			i := slices.IndexFunc(rows, func(row []string) bool { return len(row) == 5 && row[0] == c.Heading(l == locale.Chinese) })
			if i < 0 || rows[i][1] == "" || rows[i][4] == "" {
				t.Errorf("%s: %s is not explained", l.Tag(), c.Name)
				continue
			}
			if yes := locale.Word(l, "bool", fmt.Sprint(c.Required)); rows[i][2] != yes {
				t.Errorf("%s: whether %s is required: %s", l.Tag(), c.Name, rows[i][2])
			}
		}
	}
	for _, l := range []locale.Language{locale.Chinese, locale.English} {
		f, _ := madeTemplate(t, confusingFields, new(association.State), l)
		rows, err := f.GetRows(f.GetSheetName(1))
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(rows)
		for _, words := range []string{locale.Template(l, "associations.none"), "custom.labels", "客户标签" + locale.Phrase(l, "colon"), "custom.star"} {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the notes do not say %q:\n%s", l.Tag(), words, text)
			}
		}
	}
}

// What the template says of lengths is so.
func TestTheLongestUserName(t *testing.T) {
	if _, err := customer.NormalizeExternalID(domain.ChannelApp, strings.Repeat("u", maxUserName)); err != nil {
		t.Error(err)
	}
	if _, err := customer.NormalizeExternalID(domain.ChannelApp, strings.Repeat("u", maxUserName+1)); err == nil {
		t.Error("longer ones are taken")
	}
}
