package api

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"customercenter/domain/imports"
	"customercenter/internal/sheet"
)

// workbook is an xlsx whose only sheet was filled by hand.
func workbook(t *testing.T, o excelize.Options, fill func(f *excelize.File, sheet string)) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f, "Sheet1")
	var b bytes.Buffer
	if err := f.Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// cells fills a row.
func cells(t *testing.T, f *excelize.File, sheet string, row int, values ...any) {
	t.Helper()
	if err := f.SetSheetRow(sheet, fmt.Sprint("A", row), &values); err != nil {
		t.Fatal(err)
	}
}

// with adds a part to an xlsx, or replaces one.
func with(t *testing.T, xlsx, name string, content io.Reader) string {
	t.Helper()
	in, err := zip.NewReader(strings.NewReader(xlsx), int64(len(xlsx)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		if f.Name == name {
			continue
		}
		if err := out.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	w, err := out.Create(name)
	if err == nil {
		_, err = io.Copy(w, content)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// gb is a text as the csv of a Chinese Excel has it.
func gb(t *testing.T, text string) string {
	t.Helper()
	encoded, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// TestFilesThatCannotBeImported uploads what cannot be, and looks at what an admin is told in both languages.
func TestFilesThatCannotBeImported(t *testing.T) {
	w := uploading(t)
	plain := fileOf(t, sheet.XLSX, []string{"ID", "关联ID"}, []string{"a", "2"})
	var rows strings.Builder
	rows.WriteString("ID,关联ID\n")
	for i := range imports.MaxRows + 1 {
		fmt.Fprintf(&rows, "u%d,2\n", i)
	}
	for what, c := range map[string]struct {
		file   string
		code   string
		en, zh string // of the sentence
	}{
		"nothing":                      {"", "SHEET_EMPTY", "no rows", "没有数据行"},
		"a byte order mark":            {"\uFEFF", "SHEET_EMPTY", "", ""},
		"nothing but headings":         {"ID,关联ID\n", "SHEET_EMPTY", "", ""},
		"headings and blanks":          {"ID,关联ID\n ,\n\t, \n", "SHEET_EMPTY", "", ""},
		"an xlsx of headings":          {fileOf(t, sheet.XLSX, []string{"ID", "关联ID"}), "SHEET_EMPTY", "", ""},
		"no headings":                  {"a,2\nb,2\n", "HEADER_UNKNOWN", "column A", "A 列"},
		"a heading that is unknown":    {"ID,关联ID,性别\na,2,男\n", "HEADER_UNKNOWN", "column C", "C 列"},
		"an unknown one far right":     {"ID,关联ID" + strings.Repeat(",", 25) + "x\na,2\n", "HEADER_UNKNOWN", "column AA", "AA 列"},
		"a heading twice":              {"ID,关联ID,ｉｄ *\na,2,b\n", "HEADER_TWICE", "Column C", "C 列"},
		"a heading in two languages":   {"ID,关联ID,Nickname,昵称\na,2,b,b\n", "HEADER_TWICE", "Column D", "D 列"},
		"no column of ids":             {"昵称,关联ID\na,2\n", "HEADER_MISSING", "column ID", "“ID”列"},
		"no column of associations":    {"ID,昵称\na,b\n", "HEADER_MISSING", "column association ID", "“关联ID”列"},
		"a row too many":               {rows.String(), "SHEET_TOO_MANY_ROWS", "100,000", "100,000"},
		"too many columns":             {"ID,关联ID\na,2" + strings.Repeat(",x", 600) + "\n", "SHEET_TOO_MANY_COLUMNS", "row 2", "第 2 行"},
		"a cell that is too long":      {"ID,关联ID\na,2\nb," + strings.Repeat("长", 32_768) + "\n", "SHEET_CELL_TOO_LONG", "row 3, column B", "第 3 行，B 列"},
		"macros":                       {with(t, plain, "xl/vbaProject.bin", strings.NewReader("x")), "SHEET_MACROS", "", ""},
		"a bomb":                       {with(t, plain, "xl/media/a.xml", io.LimitReader(zeros{}, 64<<20)), "SHEET_BOMB", "", ""},
		"a password":                   {workbook(t, excelize.Options{Password: "secret"}, func(f *excelize.File, s string) { cells(t, f, s, 1, "ID", "关联ID") }), "SHEET_ENCRYPTED", "password", "密码"},
		"an old xls":                   {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 504) + "W\x00o\x00r\x00k\x00b\x00o\x00o\x00k\x00", "SHEET_OLD_EXCEL", ".xlsx", ".xlsx"},
		"half an xlsx":                 {plain[:len(plain)/2], "SHEET_BROKEN", "", ""},
		"an xlsx that is damaged":      {with(t, plain, "xl/worksheets/sheet1.xml", strings.NewReader("<worksheet><sheetData><row>")), "SHEET_BROKEN", "", ""},
		"a zip":                        {with(t, emptyZip, "a.txt", strings.NewReader("x")), "SHEET_UNKNOWN_FORMAT", "", ""},
		"a pdf":                        {"%PDF-1.7\n1 0 obj\n", "SHEET_UNKNOWN_FORMAT", "", ""},
		"a page":                       {"<!DOCTYPE html><table><tr><td>ID</td></tr></table>", "SHEET_UNKNOWN_FORMAT", "", ""},
		"NUL":                          {"ID,关联ID\na\x00,2\n", "SHEET_NUL", "", ""},
		"NUL in an xlsx":               {fileOf(t, sheet.XLSX, []string{"ID", "关联ID"}, []string{"a_x0000_", "2"}), "", "", ""}, // is no NUL: it is escaped
		"UTF-16":                       {"\xFF\xFEI\x00D\x00", "SHEET_ENCODING", "", ""},
		"neither UTF-8 nor GB18030":    {"ID,关联ID\n\xFF\xFF,2\n", "SHEET_ENCODING", "", ""},
		"a quote without its other":    {"ID,关联ID\n\"a,2\nb,2\n", "SHEET_QUOTES", "row 2", "第 2 行"},
		"a quote in the middle":        {"ID,关联ID\n\"a\"b,2\n", "SHEET_QUOTES", "row 2", "第 2 行"},
		"a million of separators":      {strings.Repeat(",", 1<<20), "SHEET_TOO_MANY_COLUMNS", "row 1", "第 1 行"},
		"a million of quotes":          {strings.Repeat(`"`, 1<<20), "", "", ""},
		"a million of lines":           {"ID,关联ID" + strings.Repeat("\n", 1<<20) + "a,2\n", "", "", ""},
		"separators that disagree":     {"ID;关联ID\na,2\n", "", "", ""},
		"a separator that is not one":  {"ID|关联ID\na|2\n", "HEADER_UNKNOWN", "column A", "A 列"},
		"headings in the second row":   {"\n\nID,关联ID\na,2\n", "", "", ""},
		"a heading above the headings": {"客户名单,\nID,关联ID\na,2\n", "HEADER_UNKNOWN", "column A", "A 列"},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			body := formOf(t, part{"file", "a", c.file})
			for language, words := range map[string]string{"en": c.en, "zh": c.zh} {
				r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/imports", body: body, headers: map[string]string{"Accept-Language": language}})
				if c.code == "" { // whatever it is, it is no fault of ours
					if r.status != http.StatusCreated && r.status != http.StatusUnprocessableEntity {
						t.Errorf("got %d %s", r.status, r.body)
					}
					continue
				}
				r.refused(http.StatusUnprocessableEntity, c.code, "file")
				if detail := r.problem().Detail; !strings.Contains(detail, words) || strings.ContainsAny(detail, "?[]{}") {
					t.Errorf("%s: %q, want %q", language, detail, words)
				}
			}
		})
	}
	if list := w.shown("/v1/customers?filter={}"); list.get("items.0") != nil {
		t.Errorf("got %s", list.body)
	}
}

var emptyZip = "PK\x05\x06" + strings.Repeat("\x00", 18)

// zeros are nothing but zeros, for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestFilesThatCanBeImported uploads one customer in every way that a file may be written. # stands for the id.
func TestFilesThatCanBeImported(t *testing.T) {
	w := uploading(t)
	const headings, row = "ID,昵称,描述,关联ID\n", "#,王小明,\"a, b\n\"\"c\"\"\",2\n"
	const described = "a, b\n\"c\""
	csv := func(text string) func(id string) string {
		return func(id string) string { return strings.Replace(text, "#", id, 1) }
	}
	book := func(fill func(f *excelize.File, s, id string)) func(id string) string {
		return func(id string) string {
			return workbook(t, excelize.Options{}, func(f *excelize.File, s string) {
				cells(t, f, s, 1, "ID", "昵称", "描述", "关联ID", "QQ")
				cells(t, f, s, 2, id, "王小明", described, 2)
				fill(f, s, id)
			})
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for what, c := range map[string]struct {
		file   func(id string) string
		format string
	}{
		"csv":                    {csv(headings + row), "csv"},
		"with a byte order mark": {csv("\uFEFF" + headings + row), "csv"},
		"with CRLF":              {csv(strings.ReplaceAll(headings+row, "\n", "\r\n")), "csv"},
		"without an end":         {csv(strings.TrimSuffix(headings+row, "\n")), "csv"},
		"GB18030":                {func(id string) string { return gb(t, csv(headings+row)(id)) }, "csv"},
		"semicolons":             {csv(strings.ReplaceAll(strings.ReplaceAll(headings+row, ",", ";"), "a;", "a,")), "csv"},
		"tabs":                   {csv(strings.ReplaceAll(strings.ReplaceAll(headings+row, ",", "\t"), "a\t", "a,")), "csv"},
		"English":                {csv("id,NICKNAME,Description,Association ID *\n" + row), "csv"},
		"names of columns":       {csv("external_id,nickname,description,association_id\n" + row), "csv"},
		"full width":             {csv("ＩＤ＊,昵称,描述,关联ｉｄ\n" + row), "csv"},
		"in another order":       {csv("关联ID,描述,,ID,昵称\n2,\"a, b\n\"\"c\"\"\",passed over,#,王小明\n"), "csv"},
		"ragged":                 {csv("ID,昵称,描述,关联ID,QQ,,\n\n" + row + ",,,,,,\n"), "csv"},
		"after blank rows":       {csv("\n,,,\n" + headings + ",,\n" + row), "csv"},
		"white space around":     {csv(" ID , 昵称 , 描述 , 关联ID \n # ,\t王小明　,\" a, b\n\"\"c\"\"\n\", 2 \n"), "csv"},
		"xlsx": {func(id string) string {
			return fileOf(t, sheet.XLSX, []string{"ID", "昵称", "描述", "关联ID"}, []string{id, "王小明", described, "2"})
		}, "xlsx"},
		"xlsx of a program": {book(func(*excelize.File, string, string) {}), "xlsx"},
		"sheets behind it": {book(func(f *excelize.File, _, _ string) {
			must(add(f, "notes"))
			cells(t, f, "notes", 1, "not", "to be", "imported")
		}), "xlsx"},
		"a hidden one before it": {book(func(f *excelize.File, s, _ string) {
			must(add(f, "before"))
			must(f.MoveSheet("before", s))
			must(f.SetSheetVisible("before", false))
		}), "xlsx"},
		"a formula that nobody computed": {book(func(f *excelize.File, s, _ string) { must(f.SetCellFormula(s, "E2", `CONCAT("1","2")`)) }), "xlsx"},
		"a formula that was computed": {func(id string) string {
			const rows = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` +
				`<row r="1"><c r="A1" t="str"><v>ID</v></c><c r="B1" t="str"><v>昵称</v></c><c r="C1" t="str"><v>描述</v></c><c r="D1" t="str"><v>关联ID</v></c></row>` +
				`<row r="2"><c r="A2" t="str"><v>#</v></c><c r="B2" t="str"><f>CONCAT("王","小明")</f><v>王小明</v></c><c r="C2" t="str"><v>a, b&#10;"c"</v></c><c r="D2"><f>1+1</f><v>2</v></c></row></sheetData></worksheet>`
			return with(t, fileOf(t, sheet.XLSX, []string{"x"}), "xl/worksheets/sheet1.xml", strings.NewReader(csv(rows)(id)))
		}, "xlsx"},
		"merged cells": {book(func(f *excelize.File, s, _ string) {
			must(f.InsertCols(s, "C", 1))
			must(f.MergeCell(s, "B1", "C1"))
			must(f.MergeCell(s, "B2", "C2"))
		}), "xlsx"},
		"text with letters in bold": {book(func(f *excelize.File, s, _ string) {
			must(f.SetCellRichText(s, "B2", []excelize.RichTextRun{{Text: "王", Font: &excelize.Font{Bold: true}}, {Text: "小明"}}))
		}), "xlsx"},
		"a column of decimals": {book(func(f *excelize.File, s, _ string) {
			style, err := f.NewStyle(&excelize.Style{NumFmt: 1})
			must(err)
			must(f.SetCellStyle(s, "D2", "D2", style))
			must(f.SetCellValue(s, "D2", 2.0))
		}), "xlsx"},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			n++
			id := fmt.Sprintf("user-%d", n)
			path := w.imported("a", c.file(id))
			rows, _ := w.outcomes(path, "")
			if shown := w.shown(path); len(rows) != 1 || rows[0].CustomerID == nil || shown.get("format") != c.format || shown.get("rows") != 1.0 {
				t.Fatalf("got %v of %s", rows, shown.body)
			}
			made := w.shown("/v1/customers/" + rows[0].CustomerID.String())
			if made.get("external_id") != id || made.get("profile.nickname") != "王小明" || made.get("profile.description") != described || made.get("profile.qq") != "" {
				t.Errorf("got %s", made.body)
			}
		})
	}
}

// add adds a sheet.
func add(f *excelize.File, name string) error {
	_, err := f.NewSheet(name)
	return err
}

// TestAsManyRowsAsAreAllowed uploads 100,000 rows, reads how they would fare, and cancels.
func TestAsManyRowsAsAreAllowed(t *testing.T) {
	w := uploading(t)
	var b strings.Builder
	b.WriteString("ID,关联ID\n")
	for i := range imports.MaxRows {
		fmt.Fprintf(&b, "u%d,2\n", i)
	}
	made := w.upload("a.csv", b.String(), "dry_run").want(http.StatusCreated)
	if made.get("rows") != float64(imports.MaxRows) || made.get("status") != "running" || made.get("dry_run") != true {
		t.Errorf("got %s", made.body)
	}
	id := made.get("id").(string)
	for range 3 {
		w.step(id)
	}
	if canceled := w.admin("POST", "/v1/imports/"+id+"/cancel", nil).want(http.StatusOK); canceled.get("created") == 0.0 || canceled.get("created") != canceled.get("progress.done") {
		t.Errorf("got %s", canceled.body)
	}
}
