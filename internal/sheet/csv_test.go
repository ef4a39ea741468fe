package sheet_test

import (
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"customercenter/internal/sheet"
)

// gb gives the bytes that Chinese Excel writes.
func gb(t *testing.T, s string) string {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadCSV(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       []row
	}{
		{"LF", "a,b\nc,d\n", []row{{1, []string{"a", "b"}}, {2, []string{"c", "d"}}}},
		{"CRLF, and no line break at the end", "a,b\r\nc,d", []row{{1, []string{"a", "b"}}, {2, []string{"c", "d"}}}},
		{"byte order mark", "\uFEFFID,昵称\n", []row{{1, []string{"ID", "昵称"}}}},
		{"a byte order mark before a quote", "\uFEFF\"ID\",昵称\n", []row{{1, []string{"ID", "昵称"}}}},
		{"GB18030", gb(t, "手机,姓名\r\n138,张三丰€😀㐂\r\n"), []row{{1, []string{"手机", "姓名"}}, {2, []string{"138", "张三丰€😀㐂"}}}},
		{"GB18030 after much ASCII", strings.Repeat("a", 32767) + "\n" + strings.Repeat("b", 32767) + "\n" + strings.Repeat("c", 10000) + gb(t, "张"),
			[]row{{1, []string{strings.Repeat("a", 32767)}}, {2, []string{strings.Repeat("b", 32767)}}, {3, []string{strings.Repeat("c", 10000) + "张"}}}},
		{"UTF-8 across the edge of a chunk", strings.Repeat("a", 32767) + "\n" + strings.Repeat("b", 32766) + "\n张",
			[]row{{1, []string{strings.Repeat("a", 32767)}}, {2, []string{strings.Repeat("b", 32766)}}, {3, []string{"张"}}}},
		{"semicolons", "a;b,1;c\n1;2\n", []row{{1, []string{"a", "b,1", "c"}}, {2, []string{"1", "2"}}}},
		{"tabs", "\n\na\tb,1\tc\n", []row{{3, []string{"a", "b,1", "c"}}}},
		{"separators in quotes do not count", "\"a;;;;\",b\n", []row{{1, []string{"a;;;;", "b"}}}},
		{"one column", "a\nb\n", []row{{1, []string{"a"}}, {2, []string{"b"}}}},
		{"ragged", "a,b\nc\nd,e,f\n", []row{{1, []string{"a", "b"}}, {2, []string{"c"}}, {3, []string{"d", "e", "f"}}}},
		{"empty cells at the end are none", "a,b,,\n,,c\n", []row{{1, []string{"a", "b"}}, {2, []string{"", "", "c"}}}},
		{"quotes", `"a ""b""","c,d"` + "\n", []row{{1, []string{`a "b"`, "c,d"}}}},
		{"white space stays", " a , b\u3000\n \n", []row{{1, []string{" a ", " b\u3000"}}, {2, []string{" "}}}},
		{"empty lines count", "a\n\n\r\nb\n,\nc\n\n", []row{{1, []string{"a"}}, {4, []string{"b"}}, {6, []string{"c"}}}},
		{"a cell of many lines is one row", "a,\"1\r\n2\n\n3\"\n\nb\n", []row{{1, []string{"a", "1\n2\n\n3"}}, {3, []string{"b"}}}},
		{"nothing is run", "=1+1,13800138000\n", []row{{1, []string{"=1+1", "13800138000"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustRead(t, []byte(c.file)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestQuotesThatAreWrong(t *testing.T) {
	for file, at := range map[string]string{
		"a\nb \"x\" c\n":                         "row 2",
		"a\n\n\n\"b\"x\n":                        "row 4",
		"a\n\"b\n\n\nc\n":                        "row 2",
		"\"1\n2\n3\"\n\"1\n2\"\n\nsecret\"\nb\n": "row 4",
	} {
		_, err := read([]byte(file), sheet.Limits{})
		if code(err) != sheet.Quotes || err.Error() != "sheet: SHEET_QUOTES at "+at {
			t.Errorf("%q: %v, want %s at %s", file, err, sheet.Quotes, at)
		}
	}
}
