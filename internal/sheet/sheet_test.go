package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"customercenter/internal/sheet"
)

// row is a row as the tests write it down.
type row struct {
	Number int
	Cells  []string
}

func (r row) String() string { return fmt.Sprintf("%d: %q", r.Number, r.Cells) }

// read gives all rows of a file. A formula has ƒ in front.
func read(file []byte, limits sheet.Limits) ([]row, error) {
	r, err := sheet.Open(bytes.NewReader(file), int64(len(file)), limits)
	if err != nil {
		return nil, err
	}
	var rows []row
	for {
		got, err := r.Next()
		if err != nil {
			if closing := r.Close(); closing != nil {
				return rows, closing
			}
			if err == io.EOF {
				err = nil
			}
			return rows, err
		}
		next := row{Number: got.Number}
		for _, c := range got.Cells {
			if c.Formula {
				c.Text = "ƒ" + c.Text
			}
			next.Cells = append(next.Cells, c.Text)
		}
		rows = append(rows, next)
	}
}

// mustRead reads a file that is right.
func mustRead(t *testing.T, file []byte) []row {
	t.Helper()
	rows, err := read(file, sheet.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func code(err error) sheet.Code {
	var e *sheet.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// ownTemp gives the test a directory for temporary files, and afterwards checks that it is empty.
func ownTemp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("temporary files are left behind: %v, %v", left, err)
		}
	})
}

// parts are those of an xlsx, in their order.
type parts [][2]string

const (
	relTypes = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	main     = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
)

// book is an xlsx made by hand around the XML of its sheet's rows.
func book(rows string) parts {
	return parts{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"></Types>`},
		{"_rels/.rels", `<Relationships><Relationship Id="a" Type="` + relTypes + `/officeDocument" Target="/xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook ` + main + ` xmlns:r="` + relTypes + `"><sheets><sheet name="S" sheetId="1" r:id="b"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="b" Type="` + relTypes + `/worksheet" Target="worksheets/blatt.xml"/>` +
			`<Relationship Id="c" Type="` + relTypes + `/sharedStrings" Target="sharedStrings.xml"/></Relationships>`},
		{"xl/worksheets/blatt.xml", `<worksheet ` + main + `><sheetData>` + rows + `</sheetData></worksheet>`},
		{"xl/sharedStrings.xml", `<sst ` + main + `><si><t>zero</t></si><si><r><t>o</t></r><r><t>ne</t></r></si></sst>`},
	}
}

func (p parts) with(name, text string) parts {
	out := append(parts{}, p...)
	for i := range out {
		if out[i][0] == name {
			out[i][1] = text
			return out
		}
	}
	return append(out, [2]string{name, text})
}

func (p parts) without(name string) parts {
	var out parts
	for _, part := range p {
		if part[0] != name {
			out = append(out, part)
		}
	}
	return out
}

func (p parts) zip() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, part := range p {
		w, err := z.Create(part[0])
		if err == nil {
			_, err = io.WriteString(w, part[1])
		}
		if err != nil {
			panic(err) // cannot happen: it goes to memory
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestLimits(t *testing.T) {
	wide := strings.Repeat("a,", 5) + "a\n"
	for _, c := range []struct {
		name   string
		file   string
		limits sheet.Limits
		code   sheet.Code
		rows   int
		at     string
	}{
		{"as many rows as allowed", "a\nb\n", sheet.Limits{Rows: 2}, "", 2, ""},
		{"rows that hold nothing do not count", "a\n\n,,,\nb\n", sheet.Limits{Rows: 2}, "", 2, ""},
		{"one row too many", "a\n\nb\nc\n", sheet.Limits{Rows: 2}, sheet.TooManyRows, 2, "row 4"},
		{"as many columns as allowed", wide, sheet.Limits{Columns: 6}, "", 1, ""},
		{"empty columns do not count", "a,,,,,,\n", sheet.Limits{Columns: 1}, "", 1, ""},
		{"one column too many", "a\n" + wide, sheet.Limits{Columns: 5}, sheet.TooManyColumns, 1, "row 2"},
		{"millions of columns", "a\n" + strings.Repeat(",", 1<<21), sheet.Limits{}, sheet.TooManyColumns, 1, "row 2"},
		{"millions of columns between quotes are one", `"` + strings.Repeat(",", 32767) + "\"\n", sheet.Limits{}, "", 1, ""},
		{"a byte too many", "abcdef\n", sheet.Limits{Bytes: 6}, sheet.TooLarge, 0, ""},
		{"as long as a cell may be", strings.Repeat("字", 32767) + "\n", sheet.Limits{}, "", 1, ""},
		{"a cell that is too long", "a,b" + strings.Repeat("字", 32767) + "\n", sheet.Limits{}, sheet.CellTooLong, 0, "row 1, column 2"},
		{"what takes two units counts twice", strings.Repeat("😀", 16384) + "\n", sheet.Limits{}, sheet.CellTooLong, 0, "row 1, column 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := read([]byte(c.file), c.limits)
			if code(err) != c.code || (err == nil) != (c.code == "") {
				t.Fatalf("error %v, want %q", err, c.code)
			}
			if len(rows) != c.rows {
				t.Errorf("%d rows, want %d", len(rows), c.rows)
			}
			if err != nil && !strings.HasSuffix(err.Error(), c.at) {
				t.Errorf("error %q is not at %s", err, c.at)
			}
		})
	}
}

func TestNotATable(t *testing.T) {
	ole := "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 504)
	utf16 := func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }
	for _, c := range []struct {
		name, file string
		code       sheet.Code
	}{
		{"nothing", "", sheet.Empty},
		{"only a byte order mark", "\uFEFF", sheet.Empty},
		{"only lines", "\r\n\r\n", sheet.Empty},
		{"only separators", ",,,\n,,,\n", sheet.Empty},
		{"an envelope of Office", ole, sheet.Encrypted},
		{"an encrypted xlsx", ole + utf16("EncryptedPackage"), sheet.Encrypted},
		{"an old xls", ole + utf16("Workbook"), sheet.OldExcel},
		{"a zip of something else", string(parts{{"word/document.xml", "<x/>"}}.zip()), sheet.NotASheet},
		{"an empty zip", string(parts{}.zip()), sheet.NotASheet},
		{"an ods", string(parts{{"mimetype", "application/vnd.oasis.opendocument.spreadsheet"}, {"content.xml", "<x/>"}}.zip()), sheet.NotASheet},
		{"the beginning of a zip", "PK\x03\x04 and then nothing", sheet.Broken},
		{"a page that is called xls", "<html><table>", sheet.NotASheet},
		{"a pdf", "%PDF-1.7\n", sheet.NotASheet},
		{"a picture", "\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR", sheet.NULByte},
		{"a NUL in a csv", "a,b\nc\x00,d\n", sheet.NULByte},
		{"UTF-16", "\xFF\xFEa\x00,\x00", sheet.Encoding},
		{"neither UTF-8 nor GB18030", "a,\xFF\xFF\n", sheet.Encoding},
		{"GB18030 that breaks off", "\xD0\xD5\xC3", sheet.Encoding},
		{"UTF-8 that says so and is not", "\uFEFFa,\xC4\xE3\n", sheet.Encoding},
	} {
		t.Run(c.name, func(t *testing.T) {
			if rows, err := read([]byte(c.file), sheet.Limits{}); code(err) != c.code {
				t.Errorf("rows %v, error %v, want %s", rows, err, c.code)
			}
		})
	}
}

// failing cannot be read from an offset on.
type failing struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("the disk is broken")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestASourceThatFailsIsNotAFileThatIsWrong(t *testing.T) {
	ownTemp(t)
	var rows strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&rows, `<row r="%d"><c r="A%d"><v>%x</v></c></row>`, i+1, i+1, crc32.ChecksumIEEE([]byte(rows.String()[max(0, rows.Len()-9):])))
	}
	for name, file := range map[string][]byte{
		"csv":     bytes.Repeat([]byte("a,b,c\n"), 50000),
		"gb18030": bytes.Repeat([]byte("\xD0\xD5\xC3\xFB,b\n"), 50000),
		"xlsx":    book(rows.String()).zip(),
		"ole":     append([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), make([]byte, 1<<20)...),
	} {
		for _, from := range []int64{0, 10, int64(len(file)) / 2, int64(len(file)) - 1} {
			r, err := sheet.Open(failing{bytes.NewReader(file), from}, int64(len(file)), sheet.Limits{})
			for err == nil {
				_, err = r.Next()
			}
			if !errors.Is(err, errDisk) || code(err) != "" {
				t.Errorf("%s from %d: %v, want the error of the disk", name, from, err)
			}
			if r != nil {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestErrorsStayAndClosingIsTheEnd(t *testing.T) {
	file := []byte("a\nb\"c\nd\n")
	r, err := sheet.Open(bytes.NewReader(file), int64(len(file)), sheet.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Format() != sheet.CSV {
		t.Errorf("the format is %s", r.Format())
	}
	if got, err := r.Next(); err != nil || !reflect.DeepEqual(got, sheet.Row{Number: 1, Cells: []sheet.Cell{{Text: "a"}}}) {
		t.Fatalf("first row %v, %v", got, err)
	}
	for range 2 {
		if _, err := r.Next(); code(err) != sheet.Quotes || err.Error() != "sheet: SHEET_QUOTES at row 2" {
			t.Errorf("second row: %v", err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}

	if r, err = sheet.Open(bytes.NewReader(file), int64(len(file)), sheet.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Next(); err == nil || err == io.EOF {
		t.Errorf("after Close: %v", err)
	}
}
