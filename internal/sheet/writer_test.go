package sheet_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"customercenter/internal/sheet"
)

// written gives the bytes of a file with these rows.
func written(t testing.TB, format sheet.Format, rows ...[]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := sheet.NewWriter(&b, format, "客户 <1>", rows[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Bytes() != int64(b.Len()) {
		t.Errorf("%d bytes counted, %d written", w.Bytes(), b.Len())
	}
	return b.Bytes()
}

func TestWriteCSV(t *testing.T) {
	got := written(t, sheet.CSV, []string{"ID", "昵称"}, []string{"1", ` a, "b"`}, []string{"", "1\r\n2\r3", "x\x00\xFFy"}, nil, []string{"=1"})
	want := "\uFEFFID,昵称\r\n1,\" a, \"\"b\"\"\"\r\n,\"1\n2\n3\",x\uFFFDy\r\n\r\n'=1\r\n"
	if string(got) != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestWhatASpreadsheetProgramWouldRun(t *testing.T) {
	for text, harmless := range map[string]bool{
		"": true, " ": true, "a=1": true, "1-2": true, "张三": true, "'=1": true, "(1)": true,
		"=1+1": false, "@SUM(A1)": false, "+1+1": false, "-1+1": false, "-": false, "+": false,
		"  =1": false, "\u00A0=1": false, "\u3000=1": false, "\u200B=1": false, "\uFEFF=1": false, "\x01=1": false,
		"\tx": false, "\rx": false, "\nx": false, " \t=1": false, " \tx": false,
		"＝1": false, "＋1": false, "－1": false, "＠x": false,
		"=cmd|' /C calc'!A0": false, "-2+3+cmd|' /C calc'!A0": false, "+86 138=1": false,
		"+8613800138000": true, "+86 138-0013-8000": true, "+86 138 0013 8000": true, "+1 415-555-0100": true,
		"+86-138-0013-8000": false, "+86 138--0013": false, "+86 13800138000 ": false, "+861380013800012345": false, "+86 1": false, "+86 138-0013-8000-": false,
		"+86 138-0013-8000\n=1": false, "+８６１３８００１３８０００": false,
		"-5": true, "-12.50": true, "-1e5": false, "-5%": false, "-.5": false, "-1234567890123456": false,
	} {
		want := text
		if !harmless {
			want = "'" + text
		}
		if got := sheet.Armed(want); got != text && text != "'=1" {
			t.Errorf("of %q remains %q, want %q", want, got, text)
		}
		if strings.Contains(text, "\r") {
			want = strings.ReplaceAll(want, "\r", "\n")
		}
		rows := mustRead(t, written(t, sheet.CSV, []string{"h"}, []string{"x", text, "x"}))
		if got := rows[1].Cells[1]; got != want {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
}

func TestWriteXLSX(t *testing.T) {
	file := written(t, sheet.XLSX, []string{"ID", "一二三四五六七八", strings.Repeat("x", 60)}, []string{"13800138000", "=1+1", "a\x00<&>\"'\x01\r\n\uFFFE_x0041_\xFF"}, nil, []string{"", " b "})
	f, err := excelize.OpenReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const name = "客户 <1>"
	if got := f.GetSheetList(); !reflect.DeepEqual(got, []string{name}) {
		t.Errorf("sheets %q", got)
	}
	for cell, want := range map[string]string{"A1": "ID", "A2": "13800138000", "B2": "=1+1", "C2": "a<&>\"'\x01\r\n\uFFFE_x0041_\uFFFD", "B4": " b ", "A4": ""} {
		if got, err := f.GetCellValue(name, cell); err != nil || got != want {
			t.Errorf("%s holds %q, want %q (%v)", cell, got, want, err)
		}
	}
	for cell, bold := range map[string]bool{"A1": true, "A2": false, "B2": false, "B4": false} {
		id, err := f.GetCellStyle(name, cell)
		if err != nil {
			t.Fatal(err)
		}
		style, err := f.GetStyle(id)
		if err != nil {
			t.Fatal(err)
		}
		if style.NumFmt != 49 || style.Font.Bold != bold {
			t.Errorf("%s has number format %d, bold %v; want 49, %v", cell, style.NumFmt, style.Font.Bold, bold)
		}
		if formula, err := f.GetCellFormula(name, cell); err != nil || formula != "" {
			t.Errorf("%s has the formula %q (%v)", cell, formula, err)
		}
	}
	for column, want := range map[string]float64{"A": 12, "B": 19, "C": 40} {
		if got, err := f.GetColWidth(name, column); err != nil || got != want {
			t.Errorf("column %s is %v wide, want %v (%v)", column, got, want, err)
		}
		if id, err := f.GetColStyle(name, column); err != nil || id != 1 {
			t.Errorf("cells below in column %s have style %d, want 1, which is text (%v)", column, id, err)
		}
	}
	if panes, err := f.GetPanes(name); err != nil || !panes.Freeze || panes.YSplit != 1 || panes.XSplit != 0 {
		t.Errorf("panes %+v, %v", panes, err)
	}
	again := written(t, sheet.XLSX, []string{"a"})
	if !bytes.Equal(again, written(t, sheet.XLSX, []string{"a"})) {
		t.Error("the same rows give another file")
	}
}

func TestNamesOfSheets(t *testing.T) {
	for name, ok := range map[string]bool{
		"": false, "a/b": false, "a[b": false, "'a": false, "a'": false, "a'b": true, "客户": true,
		strings.Repeat("字", 31): true, strings.Repeat("字", 32): false, strings.Repeat("😀", 16): false,
	} {
		if _, err := sheet.NewWriter(io.Discard, sheet.XLSX, name, nil); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := sheet.NewWriter(io.Discard, "pdf", "a", nil); err == nil {
		t.Error("there is a format pdf")
	}
}

func TestWriteWhatCannotBeHeld(t *testing.T) {
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		var b bytes.Buffer
		w, err := sheet.NewWriter(&b, format, "a", []string{"h"})
		if err != nil {
			t.Fatal(err)
		}
		long := strings.Repeat("a", sheet.MaxCell)
		if err := w.Write([]string{"x", long + "a"}); code(err) != sheet.CellTooLong || err.Error() != "sheet: SHEET_CELL_TOO_LONG at row 2, column 2" {
			t.Errorf("%s: %v", format, err)
		}
		if err := w.Write(make([]string, 16385)); code(err) != sheet.TooManyColumns {
			t.Errorf("%s: %v", format, err)
		}
		if err := errors.Join(w.Write([]string{long}), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got := mustRead(t, b.Bytes()); !reflect.DeepEqual(got, []row{{1, []string{"h"}}, {2, []string{long}}}) {
			t.Errorf("%s: %d rows, want the header and the row that fits", format, len(got))
		}
		if err := w.Write(nil); err == nil {
			t.Errorf("%s: written after Close", format)
		}
	}
}

func TestNoMoreRowsThanASpreadsheetProgramHas(t *testing.T) {
	for format, want := range map[sheet.Format]sheet.Code{sheet.XLSX: sheet.TooManyRows, sheet.CSV: ""} {
		w, err := sheet.NewWriter(io.Discard, format, "a", nil)
		for i := 1; i < 1<<20 && err == nil; i++ {
			err = w.Write(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(nil); code(err) != want || want == "" && err != nil {
			t.Errorf("%s: a row more is %v", format, err)
		}
	}
}

// full takes so many bytes.
type full struct{ room int }

var errFull = errors.New("the disk is full")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

func TestWritingToWhatIsFull(t *testing.T) {
	ownTemp(t)
	noise := rand.New(rand.NewPCG(1, 2))
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		for _, room := range []int{0, 100, 5000, 100000} {
			w, err := sheet.NewWriter(&full{room}, format, "a", []string{"h"})
			for i := 0; i < 100000 && err == nil; i++ {
				err = w.Write([]string{strconv.FormatUint(noise.Uint64(), 36)})
			}
			if room < 100000 && format == sheet.CSV && !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d: %v while writing", format, room, err)
			}
			if err == nil {
				err = w.Close()
			}
			if !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d: %v", format, room, err)
			}
			if w != nil && (!errors.Is(w.Write(nil), errFull) || !errors.Is(w.Flush(), errFull) || !errors.Is(w.Close(), errFull)) {
				t.Errorf("%s with room for %d: the error does not stay", format, room)
			}
		}
	}
}

// What is written goes out on the way, and Flush sends the rest: what a caller needs to stop at a size.
func TestBytesAreCountedOnTheWay(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		var b bytes.Buffer
		w, err := sheet.NewWriter(&b, format, "a", []string{"h"})
		if err != nil {
			t.Fatal(err)
		}
		for range 50000 {
			if err := w.Write([]string{strconv.FormatUint(noise.Uint64(), 36), strconv.FormatUint(noise.Uint64(), 36)}); err != nil {
				t.Fatal(err)
			}
		}
		before := w.Bytes()
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if waited := w.Bytes() - before; waited < 0 || waited > 150_000 || before < 500_000 || w.Bytes() != int64(b.Len()) {
			t.Errorf("%s: %d bytes before the flush, %d after, %d written", format, before, w.Bytes(), b.Len())
		}
		if format == sheet.XLSX {
			// All rows are out: whoever unpacks what is there finds the last one.
			part := b.Bytes()[bytes.LastIndex(b.Bytes(), []byte("xl/worksheets/sheet1.xml"))+len("xl/worksheets/sheet1.xml"):]
			text, _ := io.ReadAll(flate.NewReader(bytes.NewReader(part))) // ends in an error, as the part does not end
			if !bytes.HasSuffix(text, []byte("</row>")) || !bytes.Contains(text, []byte(`<row r="50001">`)) {
				t.Error("the last row is not out after the flush")
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := mustRead(t, b.Bytes()); len(got) != 50001 {
			t.Errorf("%s: %d rows", format, len(got))
		}
	}
}
