package sheet_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"customercenter/internal/sheet"
)

// saved gives the bytes of what excelize was told to make.
func saved(t *testing.T, fill func(f *excelize.File) error) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	var b bytes.Buffer
	if err := fill(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// set puts values into Sheet1, each with a number format unless that is empty.
func set(f *excelize.File, cell string, value any, format string) error {
	if err := f.SetCellValue("Sheet1", cell, value); err != nil || format == "" {
		return err
	}
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		return err
	}
	return f.SetCellStyle("Sheet1", cell, cell, style)
}

func TestReadWhatAPersonSees(t *testing.T) {
	day := time.Date(2026, 11, 26, 15, 4, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		value  any
		format string
		want   string
	}{
		{"text", "张三", "", "张三"},
		{"text with white space", " a\n b ", "", " a\n b "},
		{"text that looks like a number", "007", "", "007"},
		{"text that looks like a number, typed as text", "13800138000", "@", "13800138000"},
		{"text with a zero in front, in a cell for numbers", "013800138000", "0", "013800138000"},
		{"text that looks like an exponent", "1E5", "", "1E5"},
		{"phone", 13800138000, "", "13800138000"},
		{"phone as a decimal", 13800138000.0, "", "13800138000"},
		{"phone, shown with an exponent", 13800138000, "0.00E+00", "13800138000"},
		{"phone, typed as text afterwards", 13800138000, "@", "13800138000"},
		{"identity number in full", int64(110101199003071234), "", "110101199003071234"},
		{"decimal", 0.1, "", "0.1"},
		{"decimal that is not exact", 0.1 + 0.2, "", "0.3"},
		{"very small", 0.00000012, "", "0.00000012"},
		{"very large", 1.5e20, "", "150000000000000000000"},
		{"thousands", 12345.6, "#,##0.00", "12,345.60"},
		{"percent", 0.5, "0%", "50%"},
		{"date", day, "yyyy-mm-dd", "2026-11-26"},
		{"date and time", day, "yyyy/m/d h:mm", "2026/11/26 15:04"},
		{"date in Chinese", day, `yyyy"年"m"月"d"日"`, "2026年11月26日"},
		{"bool", true, "", "TRUE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := saved(t, func(f *excelize.File) error { return set(f, "B2", c.value, c.format) })
			if got, want := mustRead(t, file), []row{{2, []string{"", c.want}}}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestReadXLSX(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(f *excelize.File) error
		want []row
	}{
		{"formula with nothing stored", func(f *excelize.File) error { return f.SetCellFormula("Sheet1", "A1", "1+1") }, []row{{1, []string{"ƒ"}}}},
		{"formula with a result", func(f *excelize.File) error {
			return errors.Join(f.SetCellValue("Sheet1", "B1", 2), f.SetCellFormula("Sheet1", "B1", "1+1"), f.SetCellValue("Sheet1", "C1", "x"))
		}, []row{{1, []string{"", "ƒ2", "x"}}}},
		{"merged cells", func(f *excelize.File) error {
			return errors.Join(f.SetCellValue("Sheet1", "A1", "x"), f.MergeCell("Sheet1", "A1", "B2"), f.SetCellValue("Sheet1", "C2", "y"))
		}, []row{{1, []string{"x"}}, {2, []string{"", "", "y"}}}},
		{"rows that hold nothing count", func(f *excelize.File) error {
			return errors.Join(f.SetCellValue("Sheet1", "A3", "x"), f.SetRowHeight("Sheet1", 4, 30), set(f, "A5", "", "0"), f.SetCellValue("Sheet1", "A100", "y"))
		}, []row{{3, []string{"x"}}, {100, []string{"y"}}}},
		{"the first sheet that is visible", func(f *excelize.File) error {
			second, err := f.NewSheet("第二")
			f.SetActiveSheet(second)
			return errors.Join(err, f.SetCellValue("Sheet1", "A1", "hidden"), f.SetCellValue("第二", "A1", "seen"), f.SetSheetVisible("Sheet1", false))
		}, []row{{1, []string{"seen"}}}},
		{"rich text", func(f *excelize.File) error {
			return f.SetCellRichText("Sheet1", "A1", []excelize.RichTextRun{{Text: "a"}, {Text: " b", Font: &excelize.Font{Bold: true}}})
		}, []row{{1, []string{"a b"}}}},
		{"dates from 1904", func(f *excelize.File) error {
			on := true
			return errors.Join(f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &on}), set(f, "A1", 45000, "yyyy-mm-dd"))
		}, []row{{1, []string{"2027-03-16"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownTemp(t)
			if got := mustRead(t, saved(t, c.fill)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestReadXLSXMadeByHand(t *testing.T) {
	const a1 = `<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row>`
	x := []row{{1, []string{"x"}}}
	plain := book(a1)
	many := strings.Repeat("<a>", 100000)
	for _, c := range []struct {
		name  string
		parts parts
		want  []row
		code  sheet.Code
	}{
		{"by hand", plain, x, ""},
		{"without coordinates", book(`<row><c><v>1</v></c><c/><c t="s"><v>1</v></c></row><row/><row><c t="str"><v>y</v></c></row>`),
			[]row{{1, []string{"1", "", "one"}}, {3, []string{"y"}}}, ""},
		{"prefixed", book(``).with("xl/worksheets/blatt.xml", `<x:worksheet xmlns:x="y"><x:sheetData><x:row r="2"><x:c r="B2"><x:f>1+1</x:f><x:v>2</x:v></x:c></x:row></x:sheetData></x:worksheet>`),
			[]row{{2, []string{"", "ƒ2"}}}, ""},
		{"a shared formula", book(`<row r="1"><c r="A1"><f t="shared" si="0"/><v>2</v></c></row>`), []row{{1, []string{"ƒ2"}}}, ""},
		{"an error", book(`<row r="1"><c r="A1" t="e"><v>#N/A</v></c></row>`), []row{{1, []string{"#N/A"}}}, ""},
		{"escapes of Excel", book(`<row r="1"><c r="A1" t="inlineStr"><is><t>a_x000D_b_x005F_x0041_</t></is></c></row>`), []row{{1, []string{"a\rb_x0041_"}}}, ""},
		{"a number that is none", book(`<row r="1"><c r="A1"><v>x1E5</v></c></row>`), []row{{1, []string{"x1E5"}}}, ""},
		{"a number with an exponent", book(`<row r="1"><c r="A1"><v>1.38001380001E+10</v></c><c r="B1"><v>1.10101199003071E+17</v></c></row>`), []row{{1, []string{"13800138000.1", "110101199003071000"}}}, ""},
		{"the last row there can be", book(a1+`<row r="1048576"><c r="XA1048576"><v>1</v></c></row>`).with("xl/x", ""), x, sheet.TooManyColumns},
		{"pictures are not looked at", plain.with("xl/media/image1.png", "\x89PNG\x00"), x, ""},
		{"no rows", book(``), nil, sheet.Empty},
		{"no table", plain.with("xl/worksheets/blatt.xml", `<worksheet/>`), nil, sheet.Empty},
		{"no visible sheet", plain.with("xl/workbook.xml", `<workbook><sheets><sheet name="S" state="veryHidden" id="b"/></sheets></workbook>`), nil, sheet.Empty},
		{"no sheet behind the name", plain.without("xl/worksheets/blatt.xml"), nil, sheet.Broken},
		{"no relations", plain.without("xl/_rels/workbook.xml.rels"), nil, sheet.Broken},
		{"no workbook", plain.without("xl/workbook.xml"), nil, sheet.NotASheet},
		{"a document instead", plain.with("xl/workbook.xml", `<document/>`), nil, sheet.NotASheet},
		{"an xlsb", plain.with("_rels/.rels", strings.ReplaceAll(plain[1][1], ".xml", ".bin")).with("xl/workbook.bin", "\x83\x01\x00"), nil, sheet.NotASheet},
		{"macros", plain.with("xl/vbaProject.bin", "\xD0\xCF"), nil, sheet.Macros},
		{"macros elsewhere", plain.with(`custom\VBAPROJECT.BIN`, "x"), nil, sheet.Macros},
		{"macros of Excel 4", plain.with("xl/macrosheets/sheet1.xml", "<x/>"), nil, sheet.Macros},
		{"an xlsm without macros", plain.with("[Content_Types].xml", `<Types><Override PartName="/xl/workbook.xml" ContentType="application/vnd.ms-excel.sheet.macroEnabled.main+xml"/></Types>`), nil, sheet.Macros},
		{"the same part twice", append(plain, [2]string{"XL/Worksheets\\blatt.xml", "<x/>"}), nil, sheet.Broken},
		{"a sheet that breaks off", plain.with("xl/worksheets/blatt.xml", `<worksheet><sheetData>`+a1), nil, sheet.Broken},
		{"a sheet that breaks off within a row", plain.with("xl/worksheets/blatt.xml", `<worksheet><sheetData>`+a1+`<row><c`), x, sheet.Broken},
		{"a document type", plain.with("xl/worksheets/blatt.xml", `<!DOCTYPE x [<!ENTITY a "b">]>`+plain[4][1]), nil, sheet.Broken},
		{"an entity", book(`<row><c t="str"><v>&secret;</v></c></row>`), nil, sheet.Broken},
		{"UTF-8 that is broken", book("<row><c t=\"str\"><v>\xC4\xE3</v></c></row>"), nil, sheet.Broken},
		{"a NUL", book("<row><c t=\"str\"><v>a\x00</v></c></row>"), nil, sheet.Broken},
		{"a NUL as Excel escapes it", book(`<row><c t="inlineStr"><is><t>a_x0000_</t></is></c></row>`), nil, sheet.NULByte},
		{"a row before another", book(a1 + `<row r="3"/><row r="2"/>`), x, sheet.Broken},
		{"a row twice", book(a1 + a1), nil, sheet.Broken},
		{"a row too far", book(`<row r="1048577"/>`), nil, sheet.Broken},
		{"a row within a cell", book(`<row><c><v>1</v><row/></c></row>`), nil, sheet.Broken},
		{"a cell within something", book(`<row><x><c><v>1</v></c></x></row>`), nil, sheet.Broken},
		{"a cell before another", book(`<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>`), nil, sheet.Broken},
		{"a cell that is nowhere", book(`<row><c r="1A"><v>1</v></c></row>`), nil, sheet.Broken},
		{"a shared string that is not there", book(`<row><c t="s"><v>2</v></c></row>`), nil, sheet.Broken},
		{"a shared string before the first", book(`<row><c t="s"><v>-1</v></c></row>`), nil, sheet.Broken},
		{"shared strings that break off", plain.with("xl/sharedStrings.xml", "<sst><si><t>a"), nil, sheet.Broken},
		{"elements without end", plain.with("xl/worksheets/blatt.xml", many), nil, sheet.Broken},
		{"elements without end in a cell", book(`<row><c>` + many), nil, sheet.Broken},
		{"elements without end in the styles", plain.with("xl/styles.xml", many).with("xl/_rels/workbook.xml.rels", strings.ReplaceAll(plain[3][1], "sharedStrings", "styles")), nil, sheet.Broken},
		{"very many formats", plain.with("xl/styles.xml", "<s>"+strings.Repeat("<numFmt/>", 5000)+"</s>").with("xl/_rels/workbook.xml.rels", strings.ReplaceAll(plain[3][1], "sharedStrings", "styles")), nil, sheet.Bomb},
		{"a cell that is too long", book(`<row><c t="str"><v>` + strings.Repeat("a", 32768) + `</v></c></row>`), nil, sheet.CellTooLong},
		{"a cell that is far too long", book(`<row><c t="str"><v>` + strings.Repeat("a", 3<<20) + `</v></c></row>`), nil, sheet.CellTooLong},
		{"a cell that is far too long in pieces", book(`<row><c t="str"><v>` + strings.Repeat("a<x/>", 2<<20) + `</v></c></row>`), nil, sheet.CellTooLong},
		{"a shared string that is far too long", plain.with("xl/sharedStrings.xml", "<sst><si><t>"+strings.Repeat("a", 3<<20)), nil, sheet.CellTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownTemp(t)
			got, err := read(c.parts.zip(), sheet.Limits{})
			if code(err) != c.code || (err == nil) != (c.code == "") {
				t.Fatalf("error %v, want %q", err, c.code)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func TestLimitsOfXLSX(t *testing.T) {
	rows := `<row r="1"><c r="A1"><v>1</v></c></row><row r="7"><c r="A7"><v>1</v></c><c r="C7"><v>1</v></c><c r="F7" s="1"/></row>`
	for _, c := range []struct {
		name   string
		limits sheet.Limits
		want   string
	}{
		{"all allowed", sheet.Limits{Rows: 2, Columns: 3, Entries: 6}, "<nil>"},
		{"rows", sheet.Limits{Rows: 1}, "sheet: SHEET_TOO_MANY_ROWS at row 7"},
		{"columns", sheet.Limits{Columns: 2}, "sheet: SHEET_TOO_MANY_COLUMNS at row 7"},
		{"entries", sheet.Limits{Entries: 5}, "sheet: SHEET_BOMB"},
		{"unpacked", sheet.Limits{Unpacked: 500}, "sheet: SHEET_BOMB"},
	} {
		if _, err := read(book(rows).zip(), c.limits); c.want != "<nil>" && err == nil || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestBombs(t *testing.T) {
	ownTemp(t)
	zeros := strings.Repeat(" ", 40<<20)
	honest := book(``).with("xl/worksheets/blatt.xml", zeros).zip()
	if _, err := read(honest, sheet.Limits{}); code(err) != sheet.Bomb {
		t.Errorf("a thousand to one: %v, want %s", err, sheet.Bomb)
	}
	if _, err := read(honest, sheet.Limits{Unpacked: 1 << 20}); code(err) != sheet.Bomb {
		t.Errorf("more than allowed: %v, want %s", err, sheet.Bomb)
	}

	// The same sheet, packed as it was, behind a directory that declares little.
	var b bytes.Buffer
	z, err := zip.NewReader(bytes.NewReader(honest), int64(len(honest)))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(&b)
	for _, f := range z.File {
		h := f.FileHeader
		h.Extra, h.Flags = nil, h.Flags&^8
		if f.UncompressedSize64 > 1<<20 {
			h.UncompressedSize64 = 1000
			h.CRC32 = crc32.ChecksumIEEE([]byte(zeros[:1000]))
		}
		raw, err := f.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		part, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(part, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := read(b.Bytes(), sheet.Limits{}); code(err) != sheet.Broken {
		t.Errorf("a size that is not true: %v, want %s", err, sheet.Broken)
	}
}

// A byte that is wrong anywhere is noticed, or does not matter: no row comes out changed.
func TestDamage(t *testing.T) {
	ownTemp(t)
	whole := saved(t, func(f *excelize.File) error {
		return errors.Join(set(f, "A1", "张三", ""), set(f, "B2", 13800138000, ""))
	})
	want := mustRead(t, whole)
	for i := 0; i < len(whole); i += 7 {
		file := bytes.Clone(whole)
		file[i] ^= 0x55
		if got, err := read(file, sheet.Limits{}); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("with byte %d changed: %v", i, got)
		}
	}
	for i := 0; i < len(whole); i += 101 {
		if _, err := read(whole[:i], sheet.Limits{}); code(err) == "" {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

// A directory may say that the zip begins before the file does.
func TestAZipThatBeginsBeforeTheFile(t *testing.T) {
	file := book(`<row><c><v>1</v></c></row>`).zip()
	end := bytes.LastIndex(file, []byte("PK\x05\x06"))
	offset := file[end+16 : end+20]
	binary.LittleEndian.PutUint32(offset, binary.LittleEndian.Uint32(offset)+10)
	if _, err := read(file, sheet.Limits{}); code(err) != sheet.Broken {
		t.Errorf("%v, want %s", err, sheet.Broken)
	}
}

// Shared strings and sheets that are large go through files. They are gone afterwards, also when the reader stops half way.
func TestLargeParts(t *testing.T) {
	ownTemp(t)
	var rows, shared strings.Builder
	const n = 60000
	for i := range n {
		at := strconv.Itoa(i + 1)
		rows.WriteString(`<row r="` + at + `"><c r="A` + at + `" t="s"><v>` + strconv.Itoa(n-1-i) + `</v></c></row>`)
		shared.WriteString(`<si><t xml:space="preserve"> number ` + strconv.Itoa(i) + ` in a list of strings </t></si>`)
	}
	file := book(rows.String()).with("xl/sharedStrings.xml", "<sst>"+shared.String()+"</sst>").zip()
	got := mustRead(t, file)
	if len(got) != n {
		t.Fatalf("%d rows, want %d", len(got), n)
	}
	for i, r := range got {
		if want := " number " + strconv.Itoa(n-1-i) + " in a list of strings "; r.Number != i+1 || r.Cells[0] != want {
			t.Fatalf("row %d: %v, want %q", i+1, r, want)
		}
	}
	if _, err := read(file, sheet.Limits{Rows: 10}); code(err) != sheet.TooManyRows {
		t.Error(err)
	}
}
