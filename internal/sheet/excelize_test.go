package sheet_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"customercenter/internal/sheet"
)

// formatsInCommon are those in which a number is shown in the same way by excelize.
var formatsInCommon = []string{
	"0", "0.00", "#,##0", "#,##0.00", "0%", "0.00%", `"¥"#,##0.00`, `0.00"元"`, "00000", "000-0000-0000", `0_);[Red]\(0\)`, "#,##0;-#,##0",
	`_ ¥* #,##0.00_ ;_ ¥* \-#,##0.00_ ;_ ¥* "-"??_ ;_ @_ `, `[$€-2]\ #,##0.00`,
}

// dateFormats are shown as their layouts say.
var dateFormats = map[string]string{
	"yyyy/m/d": "2006/1/2", `yyyy"年"mm"月"dd"日"`: "2006年01月02日", "yyyy-mm-dd hh:mm:ss": "2006-01-02 15:04:05", "m/d/yyyy": "2006-01-02", "d-mmm-yy h:mm": "2006-01-02 15:04:05",
}

// textFor draws what a program would let somebody type. Half a surrogate pair that is written _xD800_ is left out, as the two differ in it.
func textFor() *rapid.Generator[string] {
	return rapid.Map(text(), func(s string) string {
		return strings.NewReplacer("\x00", "", "_xd", "_", "_xD", "_").Replace(strings.ToValidUTF8(s, ""))
	})
}

// fillCell fills a cell with something, and gives what is to be seen there if excelize cannot tell: "" then.
func fillCell(t *rapid.T, f *excelize.File, name string, from1904 bool) string {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	styled := func(format string) {
		id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
		must(errors.Join(err, f.SetCellStyle("Sheet1", name, name, id)))
	}
	switch rapid.IntRange(0, 6).Draw(t, "kind of "+name) {
	case 0:
		must(f.SetCellStr("Sheet1", name, textFor().Draw(t, "text")))
	case 1:
		must(f.SetCellRichText("Sheet1", name, []excelize.RichTextRun{{Text: textFor().Draw(t, "run")}, {Text: textFor().Draw(t, "run"), Font: &excelize.Font{Bold: true}}}))
	case 2:
		must(f.SetCellBool("Sheet1", name, rapid.Bool().Draw(t, "bool")))
	case 3:
		must(f.SetCellFormula("Sheet1", name, "1+1"))
	case 4:
		v := float64(rapid.Int64Range(-1e14, 1e14).Draw(t, "cents")) / 100
		must(f.SetCellValue("Sheet1", name, v))
		styled(rapid.SampledFrom(formatsInCommon).Draw(t, "format"))
	case 5: // with General, excelize cuts what has more than ten digits as soon as the cell has a style
		v := rapid.Float64().Draw(t, "number")
		must(f.SetCellValue("Sheet1", name, v))
		if rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64); err == nil && v != math.Trunc(v) {
			v = rounded
		}
		if v == 0 {
			return "0"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case 6:
		v := float64(rapid.Int64Range(62*86400, 2_900_000*86400).Draw(t, "seconds")) / 86400
		format := rapid.SampledFrom([]string{"yyyy/m/d", `yyyy"年"mm"月"dd"日"`, "yyyy-mm-dd hh:mm:ss", "m/d/yyyy", "d-mmm-yy h:mm"}).Draw(t, "format of a date")
		must(f.SetCellValue("Sheet1", name, v))
		styled(format)
		at, err := excelize.ExcelDateToTime(v, from1904)
		must(err)
		return at.Round(time.Second).Format(dateFormats[format])
	}
	return ""
}

// What excelize writes and reads is read here in the same way, but for dates and long numbers, of which it tells what they are.
func TestTheSameAsExcelize(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := excelize.NewFile()
		defer f.Close()
		from1904 := rapid.Bool().Draw(rt, "from 1904")
		if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &from1904}); err != nil {
			rt.Fatal(err)
		}
		known := map[string]string{}
		for range rapid.IntRange(1, 12).Draw(rt, "cells") {
			name, err := excelize.CoordinatesToCellName(rapid.IntRange(1, 30).Draw(rt, "column"), rapid.IntRange(1, 9).Draw(rt, "row"))
			if err != nil {
				rt.Fatal(err)
			}
			if _, twice := known[name]; !twice {
				known[name] = fillCell(rt, f, name, from1904)
			}
		}
		file, other, rows := reopened(rt, f)
		defer other.Close()
		for i, cells := range rows {
			for j := range cells {
				name, _ := excelize.CoordinatesToCellName(j+1, i+1)
				if known[name] != "" {
					cells[j] = known[name]
				}
				if formula, err := other.GetCellFormula("Sheet1", name); err == nil && formula != "" {
					cells[j] = "ƒ" + cells[j]
				}
			}
		}
		same(rt, file, rows)
	})
}

// same reads a file, and compares what is in it.
func same(t *rapid.T, file []byte, table [][]string) {
	want := expected(table, func(s string) string { return s })
	got, err := read(file, sheet.Limits{})
	if code(err) == sheet.Empty && len(want) == 0 {
		return
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %v\nwant %v", got, err, want)
	}
}

// reopened gives what was made to excelize.
func reopened(t *rapid.T, f *excelize.File) ([]byte, *excelize.File, [][]string) {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	other, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := other.GetRows("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), other, rows
}

// The same with excelize's other writer, which puts texts into the cells themselves.
func TestTheSameAsExcelizeInStreams(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := excelize.NewFile()
		defer f.Close()
		out, err := f.NewStreamWriter("Sheet1")
		if err != nil {
			rt.Fatal(err)
		}
		for i := range rapid.IntRange(1, 6).Draw(rt, "rows") {
			texts := rapid.SliceOfN(textFor(), 0, 5).Draw(rt, "texts")
			cells := make([]any, len(texts))
			for j, text := range texts {
				cells[j] = text
			}
			if err := out.SetRow("A"+strconv.Itoa(i+1), cells); err != nil {
				rt.Fatal(err)
			}
		}
		if err := out.Flush(); err != nil {
			rt.Fatal(err)
		}
		file, other, rows := reopened(rt, f)
		defer other.Close()
		same(rt, file, rows)
	})
}
