package sheet_test

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"customercenter/internal/sheet"
)

// text draws cells with what files stumble over.
func text() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.OneOf(
			rapid.SampledFrom([]string{"", " ", ",", ";", "\t", "\n", "\"", "'", "=", "+", "-", "@", "_x0041_", "_x005F_", "_", "x000D_", "&amp;", "<", "]]>", "\x01", "\x1F", "\x7F",
				"\u0085", "\u2028", "\uFEFF", "\uFFFE", "\uFFFF", "\uFFFD", "张三", "😀", "13800138000", "1E5", "TRUE"}),
			rapid.StringOfN(rapid.Rune(), 0, 5, -1),
		), 0, 6).Draw(t, "pieces"), "")
	})
}

func table() *rapid.Generator[[][]string] {
	return rapid.Custom(func(t *rapid.T) [][]string {
		cell := text()
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, 0, 5), 0, 8).Draw(t, "rows")
		return append([][]string{{"ID", rapid.Just("名").Draw(t, "header")}}, rows...)
	})
}

// expected is what comes back of a table: rows that hold something, up to the last cell that does.
func expected(table [][]string, change func(string) string) []row {
	var rows []row
	for i, cells := range table {
		var out []string
		for _, c := range cells {
			out = append(out, change(strings.ReplaceAll(c, "\x00", "")))
		}
		for len(out) > 0 && out[len(out)-1] == "" {
			out = out[:len(out)-1]
		}
		if len(out) > 0 {
			rows = append(rows, row{i + 1, out})
		}
	}
	return rows
}

func TestXLSXComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := table().Draw(rt, "table")
		got := mustRead(t, written(t, sheet.XLSX, rows...))
		if want := expected(rows, func(s string) string { return s }); !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

// A csv comes back with its line breaks as LF, and with an apostrophe before some of the cells, which Armed takes away; before which is tested elsewhere.
func TestCSVComesBackAsItWas(t *testing.T) {
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	rapid.Check(t, func(rt *rapid.T) {
		rows := table().Draw(rt, "table")
		got := mustRead(t, written(t, sheet.CSV, rows...))
		want := expected(rows, lines.Replace)
		for i := range min(len(got), len(want)) {
			for j := range min(len(got[i].Cells), len(want[i].Cells)) {
				if c := want[i].Cells[j]; got[i].Cells[j] == "'"+c && strings.ContainsAny(c, "=+-@\t\n＝＋－＠") {
					if got[i].Cells[j] = c; sheet.Armed("'"+c) != c {
						rt.Fatalf("of %q remains %q", "'"+c, sheet.Armed("'"+c))
					}
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %v\nwant %v", got, want)
		}
	})
}
