package sheet_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"customercenter/internal/sheet"
)

// shown gives what cells in the first row show that hold raw as a number, each in another format: a number of one that every program has, or
// the code of one.
func shown(t *testing.T, raw string, from1904 bool, formats ...any) []string {
	t.Helper()
	file := saved(t, func(f *excelize.File) error {
		err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &from1904})
		for i, format := range formats {
			style := &excelize.Style{}
			switch format := format.(type) {
			case int:
				style.NumFmt = format
			case string:
				style.CustomNumFmt = &format
			}
			id, styleErr := f.NewStyle(style)
			cell, nameErr := excelize.CoordinatesToCellName(i+1, 1)
			err = errors.Join(err, styleErr, nameErr, f.SetCellDefault("Sheet1", cell, raw), f.SetCellStyle("Sheet1", cell, cell, id))
		}
		return errors.Join(err, f.SetCellStr("Sheet1", "ZZ1", "end"))
	})
	rows, err := read(file, sheet.Limits{Columns: 1000})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	return rows[0].Cells[:len(formats)]
}

func TestNumbersAsTheirFormatShowsThem(t *testing.T) {
	const accounting = `_ ¥* #,##0.00_ ;_ ¥* \-#,##0.00_ ;_ ¥* "-"??_ ;_ @_ `
	for _, c := range []struct {
		format any
		raw    string
		want   string
	}{
		{0, "13800138000", "13800138000"},
		{0, "138001380001234", "138001380001234"},
		{0, "1380013800012345", "1380013800012345"},
		{0, "13800138000123456", "13800138000123456"},
		{0, "13800138000.0", "13800138000"},
		{0, "-13800138000", "-13800138000"},
		{0, "1.3800138E10", "13800138000"},
		{0, "1.23456789012345E+16", "12345678901234500"},
		{0, "0.1", "0.1"},
		{0, "0.30000000000000004", "0.3"},
		{0, "1234567.12345678901", "1234567.12345679"},
		{0, "1.5E-7", "0.00000015"},
		{0, "-0", "0"},
		{0, "0.0", "0"},
		{0, "007", "7"},
		{0, "1E400", "1E400"},
		{0, "1E-400", "0"},
		{"@", "13800138000", "13800138000"},
		{49, "138001380001234", "138001380001234"},
		{1, "12.5", "13"},
		{1, "-12.5", "-13"},
		{1, "0.4", "0"},
		{1, "999999999999999", "999999999999999"},
		{1, "110101199003071234", "110101199003071234"},
		{2, "1.005", "1.01"},
		{2, "9.999", "10.00"},
		{2, "0.004", "0.00"},
		{"0.0", "0.05", "0.1"},
		{3, "1234567", "1,234,567"},
		{3, "123", "123"},
		{4, "-1234.5", "-1,234.50"},
		{9, "0.125", "13%"},
		{10, "0.125", "12.50%"},
		{9, "0", "0%"},
		{"0.00 %", "0.5", "50.00 %"},
		{"0.##", "1.5", "1.5"},
		{"0.##", "1", "1"},
		{"#", "0", "0"},
		{".00", "12.5", "12.50"},
		{"00000", "42", "00042"},
		{"000-0000-0000", "13800138000", "138-0013-8000"},
		{"000 0000 0000", "913800138000", "9138 0013 8000"},
		{"?0.0?", "1.5", " 1.5 "},
		{`0"元"`, "12", "12元"},
		{`¥#,##0.00`, "-1234.5", "-¥1,234.50"},
		{`[$¥-804]#,##0.00;[Red]\-[$¥-804]#,##0.00`, "-1234.5", "-¥1,234.50"},
		{`0_);[Red]\(0\)`, "-7", "(7)"},
		{accounting, "1234.5", " ¥1,234.50 "},
		{accounting, "0", " ¥0.00 "},
		{`;;;`, "5", ""},
		// What would hide digits gives way to all of them.
		{11, "13800138000", "13800138000"},
		{48, "13800138000", "13800138000"},
		{12, "1.5", "1.5"},
		{13, "0.125", "0.125"},
		{"0,", "12345", "12345"},
		{`0!.0,"万"`, "12345", "12345"},
		{`#,##0.0,,"M"`, "1234567", "1234567"},
		{"[>=100]0;0.00", "12.345", "12.345"},
		{"[DBNum1]0", "12", "12"},
		{`General"元"`, "12", "12"},
		{"G/通用格式", "12", "12"},
		{"0d", "12", "12"},
		{`[unknown]0`, "12", "12"},
		{`[`, "12", "12"},
		{strings.Repeat("0", 2000), "12", "12"},
		{"0;0;0;0;0", "12", "12"},
		{60, "12.5", "12.5"},
		{5, "12.5", "12.5"},
	} {
		if got := shown(t, c.raw, false, c.format); got[0] != c.want {
			t.Errorf("%s as %v is shown as %q, want %q", c.raw, c.format, got[0], c.want)
		}
	}
}

func TestDates(t *testing.T) {
	days := []any{14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 54, 57, 58, "m/d/yyyy", "d-mmm-yy", `[$-F800]dddd\,\ mmmm\ dd\,\ yyyy`, `[DBNum1][$-804]yyyy"年"m"月"d"日"`, `[$-404]e/m/d`, `yyyy"年"m"月"`, "mmm", "yy/m/d", "aaaa"}
	times := []any{18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 52, 53, 55, 56, "h:mm", "hh:mm:ss", "[$-409]h:mm AM/PM;@", `上午/下午h"时"mm"分"`, "mm:ss.0"}
	both := []any{22, "m/d/yyyy h:mm", "d.m.yy hh:mm:ss", "yyyy-mm-dd h:mm AM/PM", "yyyy-mm-dd hh:mm:ss.000"}
	for _, c := range []struct {
		raw                  string
		from1904             bool
		day, time, together  string
		slashes, all, passed string
	}{
		{"45000", false, "2023-03-15", "2023-03-15", "2023-03-15 00:00:00", "2023/3/15", "2023年03月15日 0:00:00", "1080000:00:00"},
		{"45000.5", false, "2023-03-15", "2023-03-15 12:00:00", "2023-03-15 12:00:00", "2023/3/15", "2023年03月15日 12:00:00", "1080012:00:00"},
		{"45000.75123", false, "2023-03-15", "2023-03-15 18:01:46", "2023-03-15 18:01:46", "2023/3/15", "2023年03月15日 18:01:46", "1080018:01:46"},
		{"45000.99999999999", false, "2023-03-16", "2023-03-16", "2023-03-16 00:00:00", "2023/3/16", "2023年03月16日 0:00:00", "1080024:00:00"},
		{"0.25", false, "1900-01-00", "06:00:00", "1900-01-00 06:00:00", "1900/1/0", "1900年01月00日 6:00:00", "6:00:00"},
		{"1.25", false, "1900-01-01", "1900-01-01 06:00:00", "1900-01-01 06:00:00", "1900/1/1", "1900年01月01日 6:00:00", "30:00:00"},
		{"59", false, "1900-02-28", "1900-02-28", "1900-02-28 00:00:00", "1900/2/28", "1900年02月28日 0:00:00", "1416:00:00"},
		{"60", false, "1900-02-29", "1900-02-29", "1900-02-29 00:00:00", "1900/2/29", "1900年02月29日 0:00:00", "1440:00:00"},
		{"61", false, "1900-03-01", "1900-03-01", "1900-03-01 00:00:00", "1900/3/1", "1900年03月01日 0:00:00", "1464:00:00"},
		{"2958465", false, "9999-12-31", "9999-12-31", "9999-12-31 00:00:00", "9999/12/31", "9999年12月31日 0:00:00", "71003160:00:00"},
		{"45000", true, "2027-03-16", "2027-03-16", "2027-03-16 00:00:00", "2027/3/16", "2027年03月16日 0:00:00", "1080000:00:00"},
		{"0.25", true, "1904-01-01", "06:00:00", "1904-01-01 06:00:00", "1904/1/1", "1904年01月01日 6:00:00", "6:00:00"},
		{"1", true, "1904-01-02", "1904-01-02", "1904-01-02 00:00:00", "1904/1/2", "1904年01月02日 0:00:00", "24:00:00"},
		{"2957003", true, "9999-12-31", "9999-12-31", "9999-12-31 00:00:00", "9999/12/31", "9999年12月31日 0:00:00", "70968072:00:00"},
	} {
		for want, formats := range map[string][]any{
			c.day: days, c.time + " ": times, c.together: both, c.slashes: {"yyyy/m/d", "yyyy/m/d;@", "[$-804]yyyy/m/d"},
			c.all: {`yyyy"年"mm"月"dd"日"\ h:mm:ss`, "yyyy年mm月dd日 h:mm:ss"}, c.passed: {46, "[h]:mm", "[hh]:mm:ss", "[mm]:ss"},
		} {
			for i, got := range shown(t, c.raw, c.from1904, formats...) {
				if got != strings.TrimSuffix(want, " ") {
					t.Errorf("%s as %v, from 1904 %v: %q, want %q", c.raw, formats[i], c.from1904, got, want)
				}
			}
		}
	}
	for raw, want := range map[string]string{"-1": "-1", "2958466": "2958466", "2958465.999999": "2958465.999999", "1E20": "100000000000000000000", "x": "x"} {
		for i, got := range shown(t, raw, false, 14, 20, 22, 46, "yyyy/m/d") {
			if got != want {
				t.Errorf("%s in format %d is shown as %q, want %q", raw, i, got, want)
			}
		}
	}
}

func TestDatesOfStrictFiles(t *testing.T) {
	cells := ""
	for _, text := range []string{"2026-11-26T15:04:05", "2026-11-26T15:04:05.600Z", "2026-11-26", "15:04:05", "2026-11-26T15:04", "yesterday"} {
		cells += `<c t="d"><v>` + text + `</v></c><c t="d" s="1"><v>` + text + `</v></c><c t="d" s="2"><v>` + text + `</v></c>`
	}
	p := book(`<row>`+cells+`</row>`).with("xl/styles.xml", `<styleSheet `+main+`><numFmts><numFmt numFmtId="200" formatCode="yyyy/m/d"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="200"/></cellXfs></styleSheet>`)
	p = p.with("xl/_rels/workbook.xml.rels", strings.Replace(p[3][1], "</", `<Relationship Id="d" Type="http://purl.oclc.org/ooxml/officeDocument/relationships/styles" Target="styles.xml"/></`, 1))
	want := []string{
		"2026-11-26 15:04:05", "2026-11-26", "2026/11/26", "2026-11-26 15:04:06", "2026-11-26", "2026/11/26", "2026-11-26", "2026-11-26", "2026/11/26",
		"15:04:05", "1900-01-00", "1900/1/0", "2026-11-26 15:04:00", "2026-11-26", "2026/11/26", "yesterday", "yesterday", "yesterday",
	}
	if got := mustRead(t, p.zip()); !reflect.DeepEqual(got, []row{{1, want}}) {
		t.Errorf("got %v\nwant %q", got, want)
	}
}

func TestStyles(t *testing.T) {
	styles := `<styleSheet ` + main + `><numFmts><numFmt numFmtId="9" formatCode="0.0"/><numFmt numFmtId="9" formatCode="0.000"/><numFmt numFmtId="200" formatCode="&quot;a&amp;b&quot;0"/>` +
		`<numFmt numFmtId="201" formatCode=""/><numFmt numFmtId="202" formatCode="0" formatCode16="0.00"/></numFmts><cellStyleXfs><xf numFmtId="1"/></cellStyleXfs>` +
		`<cellXfs><xf numFmtId="2"/><xf numFmtId="9"/><xf numFmtId="200"/><xf numFmtId="201"/><xf numFmtId="202"/><xf/><xf numFmtId="x"/><xf numFmtId="300"/></cellXfs><dxfs><dxf><numFmt numFmtId="300" formatCode="0%"/></dxf></dxfs></styleSheet>`
	cells := `<c><v>7</v></c>`
	for _, s := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "-1", "99999999"} {
		cells += `<c s="` + s + `"><v>7</v></c>`
	}
	p := book(`<row>`+cells+`</row>`).with("xl/styles.xml", styles)
	p = p.with("xl/_rels/workbook.xml.rels", strings.Replace(p[3][1], "</", `<Relationship Id="d" Type="`+relTypes+`/styles" Target="styles.xml"/></`, 1))
	want := []string{"7.00", "7.0", "a&b7", "7", "7.00", "7", "7", "7", "7", "7", "7"}
	if got := mustRead(t, p.zip()); !reflect.DeepEqual(got, []row{{1, want}}) {
		t.Errorf("got %v\nwant %q", got, want)
	}
	many := strings.Repeat("<xf/>", 1<<16)
	if _, err := read(p.with("xl/styles.xml", "<styleSheet><cellXfs>"+many+"</cellXfs></styleSheet>").zip(), sheet.Limits{}); err != nil {
		t.Error(err)
	}
	if _, err := read(p.with("xl/styles.xml", "<styleSheet><cellXfs>"+many+"<xf/></cellXfs></styleSheet>").zip(), sheet.Limits{}); code(err) != sheet.Bomb {
		t.Errorf("very many styles: %v", err)
	}
	if _, err := read(book(`<row><c s="x"><v>7</v></c></row>`).zip(), sheet.Limits{}); code(err) != sheet.Broken {
		t.Errorf("a style that is none: %v", err)
	}
}

func TestTextsAsTheirFormatShowsThem(t *testing.T) {
	for format, want := range map[string]string{
		"@": "张三", "0": "张三", "yyyy/m/d;@": "张三", `_(* #,##0_);_(* \(#,##0\);_(* "-"_);_(@_)`: "张三", `@"先生"`: "张三先生", `0;0;0;"致"@`: "致张三", "@@": "张三", ";;;": "", `0;0;0;"none"`: "none", "0;0;0;0": "张三",
	} {
		file := saved(t, func(f *excelize.File) error {
			return errors.Join(set(f, "A1", "张三", format), set(f, "B1", "x", ""))
		})
		if got := mustRead(t, file)[0].Cells[0]; got != want {
			t.Errorf("in the format %s: %q, want %q", format, got, want)
		}
	}
}
