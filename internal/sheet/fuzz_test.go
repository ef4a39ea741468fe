package sheet_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"customercenter/internal/sheet"
)

var small = sheet.Limits{Bytes: 1 << 20, Unpacked: 8 << 20, Rows: 1000, Columns: 50, Entries: 100}

// promised checks what holds for any file: a coded error or rows in order that hold something, within the limits, in UTF-8 without NUL.
func promised(t *testing.T, file []byte) {
	rows, err := read(file, small)
	var coded *sheet.Error
	if err != nil && (!errors.As(err, &coded) || coded.Code == "") {
		t.Fatalf("an error without a code: %v", err)
	}
	if err == nil && len(rows) == 0 || len(rows) > small.Rows {
		t.Fatalf("%d rows", len(rows))
	}
	last := 0
	for _, r := range rows {
		if r.Number <= last || len(r.Cells) == 0 || len(r.Cells) > small.Columns || r.Cells[len(r.Cells)-1] == "" {
			t.Fatalf("row %d with %d cells behind row %d", r.Number, len(r.Cells), last)
		}
		last = r.Number
		for _, text := range r.Cells {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || len(text) > 3*sheet.MaxCell+2 {
				t.Fatalf("row %d holds a text that it must not", r.Number)
			}
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"", "a,b\nc,d\n", "\uFEFFa;b\r\n\"c\n\";d", "a\tb\n\n\n=1", "\xD0\xD5,\xC3\xFB\n", "\"a\"\"b\"\n\"", ",,,\n,,1", "\x84\x31\xA4\x37"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(promised)
}

// FuzzXLSX changes the XML of a sheet, of the shared strings and of the styles: in a zip, nearly all changes would only break checksums.
func FuzzXLSX(f *testing.F) {
	const begin, end = `<worksheet><sheetData>`, `</sheetData></worksheet>`
	for _, rows := range []string{
		`<row r="1"><c r="A1" t="s"><v>1</v></c><c r="C1" s="1"><v>45000.5</v></c></row>`,
		`<row r="3"><c t="inlineStr"><is><r><t>a</t></r><rPh><t>b</t></rPh></is></c><c><f>A1</f><v>1E+20</v></c></row><row/>`,
		`<row><c t="str"><v>_x0041_</v></c><c t="b"><v>1</v></c><c t="e"><v>#REF!</v></c><c t="d" s="1"><v>2026-11-26T00:00:00Z</v></c></row>`,
	} {
		f.Add(begin+rows+end, `<sst><si><t>a</t></si><si><r><t>b</t></r></si></sst>`, `yyyy"年"m\-d;[Red]0.0E+00;@`)
	}
	numbers := begin + `<row><c s="1"><v>-1234.5678</v></c><c s="1"><v>45000.75</v></c><c s="1" t="s"><v>0</v></c></row>` + end
	for _, format := range []string{`_ [$¥-804]* #,##0.00_ ;\-0.0#%;?0.0?;"x"@`, `[h]:mm:ss.00;[>=1]0,,;AM/PM h`, `yyyy/m/d\ hh:mm;000-0000\!`} {
		f.Add(numbers, `<sst><si><t><![CDATA[_x0041_]]>&#65;</t><rPh><t>b</t></rPh></si></sst>`, format)
	}
	f.Fuzz(func(t *testing.T, rows, shared, format string) {
		format = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(format)
		p := book("").with("xl/worksheets/blatt.xml", rows).with("xl/sharedStrings.xml", shared).with("xl/styles.xml",
			`<styleSheet `+main+`><numFmts><numFmt numFmtId="200" formatCode="`+format+`"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="200"/></cellXfs></styleSheet>`)
		rels := strings.Replace(p[3][1], "</", `<Relationship Id="d" Type="`+relTypes+`/styles" Target="styles.xml"/></`, 1)
		promised(t, p.with("xl/_rels/workbook.xml.rels", rels).zip())
	})
}

// FuzzZip changes the zip itself.
func FuzzZip(f *testing.F) {
	f.Add(book(`<row><c><v>1</v></c></row>`).zip())
	f.Add(book(``).without("xl/sharedStrings.xml").with("xl/vbaProject.bin", "").zip())
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(promised)
}
