package sheet_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"customercenter/internal/sheet"
)

func TestWhatCellsHold(t *testing.T) {
	for _, c := range []struct {
		name, cells string
		want        []string
	}{
		{"a string in the cell", `<c t="inlineStr"><is><t> a&amp;b&#x20;</t></is></c>`, []string{" a&b "}},
		{"a string in runs", `<c t="inlineStr"><is><r><rPr><b/><t>no</t></rPr><t>a</t></r>` + "\n" + `<r><t xml:space="preserve"> b</t></r></is></c>`, []string{"a b"}},
		{"how it is pronounced", `<c t="inlineStr"><is><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/></is></c>`, []string{"東京"}},
		{"an escape that begins in one run and ends in the next", `<c t="inlineStr"><is><r><t>_x00</t></r><r><t>41_</t></r></is></c>`, []string{"A"}},
		{"a string in the cell that is a value", `<c t="inlineStr"><v>a</v></c>`, []string{"a"}},
		{"a string where none is said to be", `<c><is><t>a</t></is></c><c><v>1</v></c>`, []string{"", "1"}},
		{"what a formula gave", `<c t="str"><f>A1&amp;"x"</f><v>a_x000D_</v></c>`, []string{"ƒa\r"}},
		{"a formula that gave nothing", `<c><f>1/0</f></c><c t="e"><f>1/0</f><v>#DIV/0!</v></c>`, []string{"ƒ", "ƒ#DIV/0!"}},
		{"characters as they are", `<c t="str"><v><![CDATA[<&>]]> </v></c>`, []string{"<&> "}},
		{"bools", `<c t="b"><v>1</v></c><c t="b"><v>0</v></c><c t="b"><v>true</v></c><c t="b"><v>false</v></c><c t="b"><v>?</v></c><c t="b"><f/></c>`, []string{"TRUE", "FALSE", "TRUE", "FALSE", "?", "ƒ"}},
		{"numbers", `<c t="n"><v>1</v></c><c t="x"><v>2</v></c><c><v> 3 </v></c><c><v>Inf</v></c><c><v>0x1F</v></c><c><v>1_000</v></c><c><v>.5</v></c><c><v>5.</v></c><c><v>+5</v></c><c><v>-</v></c><c><v>1e</v></c>`,
			[]string{"1", "2", "3", "Inf", "0x1F", "1_000", "0.5", "5", "5", "-", "1e"}},
		{"lines between everything", "\n<c r=\"B1\">\n<f> 1 </f>\n<v>2</v>\n</c>\n<c>\n</c>\n<c r=\"D1\" t=\"s\">\n<v> 0 </v>\n</c>\n", []string{"", "ƒ2", "", "zero"}},
		{"shared strings", `<c t="s"><v>1</v></c><c t="s"><v>0</v></c><c t="s"><v/></c><c t="s"/><c t="s"><v>1</v></c>`, []string{"one", "zero", "", "", "one"}},
		{"coordinates", `<c r="b1"><v>1</v></c><c><v>2</v></c><c r="AA999999"><v>3</v></c>`, append(append([]string{"", "1", "2"}, make([]string, 23)...), "3")},
		{"what belongs to programs", `<c><v>1</v><extLst><ext><v>2</v><is><t>3</t></is></ext></extLst></c>`, []string{"1"}},
		{"attributes with a prefix", `<c x:t="s" t="str" y:r="Z9" r="B1" xmlns:s="7"><v>1</v></c>`, []string{"", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustRead(t, book(`<row r="1">`+c.cells+`</row>`).zip()); !reflect.DeepEqual(got, []row{{1, c.want}}) {
				t.Errorf("got %v\nwant %q", got, c.want)
			}
		})
	}
}

func TestCellsThatAreRefused(t *testing.T) {
	long := strings.Repeat("字", sheet.MaxCell)
	for cells, want := range map[string]string{
		`<c><v>1</v><v>2</v></c>`:                                      "sheet: SHEET_BROKEN at row 2",
		`<c t="inlineStr"><is><t>1</t></is><is><t>2</t></is></c>`:      "sheet: SHEET_BROKEN at row 2",
		`<c t="inlineStr"><is><si><t>1</t></si></is></c>`:              "sheet: SHEET_BROKEN at row 2",
		`<c t="inlineStr"><is><t>1<c/></t></is></c>`:                   "sheet: SHEET_BROKEN at row 2",
		`<c r="XFE1"><v>1</v></c>`:                                     "sheet: SHEET_BROKEN at row 2",
		`<c r="AAAA1"><v>1</v></c>`:                                    "sheet: SHEET_BROKEN at row 2",
		`<c r="A0"><v>1</v></c>`:                                       "sheet: SHEET_BROKEN at row 2",
		`<c r="A"><v>1</v></c>`:                                        "sheet: SHEET_BROKEN at row 2",
		`<c r="7"><v>1</v></c>`:                                        "sheet: SHEET_BROKEN at row 2",
		`<c r="A1048577"><v>1</v></c>`:                                 "sheet: SHEET_BROKEN at row 2",
		`<c r="XFD1"/><c/>`:                                            "sheet: SHEET_BROKEN at row 2",
		`<c t="s"><v>x</v></c>`:                                        "sheet: SHEET_BROKEN at row 2",
		`<c t="s"><v>0</v></c></row><row/><row><c t="s"><v>2</v></c>`:  "sheet: SHEET_BROKEN at row 4",
		`<c t="str"><v>_x0000_</v></c>`:                                "sheet: SHEET_NUL at row 2, column 1",
		`<c r="C2" t="str"><v>` + long + `字</v></c>`:                   "sheet: SHEET_CELL_TOO_LONG at row 2, column 3",
		`<c/><c t="inlineStr"><is><t>` + long + `字</t></is></c>`:       "sheet: SHEET_CELL_TOO_LONG at row 2, column 2",
		`<c/><c t="inlineStr"><is>` + strings.Repeat("a<x/>", 1<<20+1): "sheet: SHEET_CELL_TOO_LONG at row 2, column 2",
		`<c t="str"><v>` + long + `</v></c>`:                           "<nil>",
	} {
		_, err := read(book(`<row><c><v>1</v></c></row><row>`+cells+`</row>`).zip(), sheet.Limits{})
		if fmt.Sprint(err) != want {
			t.Errorf("%.60q: %v, want %s", cells, err, want)
		}
	}
	for part, want := range map[string]sheet.Code{
		"<sst/>": sheet.Broken, "": sheet.Broken, "<sst><x><si/></x></sst>": sheet.Broken, "<sst><si><si/></si></sst>": sheet.Broken, "<sst/><sst/>": sheet.Broken,
		"<sst><si/><si/></sst>": sheet.Empty, "<sst>\n<si><t/></si>\n<si><t>x</t></si></sst>": "",
	} {
		if _, err := read(book(`<row><c t="s"><v>1</v></c></row>`).with("xl/sharedStrings.xml", part).zip(), sheet.Limits{}); code(err) != want {
			t.Errorf("with the strings %q: %v, want %q", part, err, want)
		}
	}
}

// A strict file has other namespaces and other types of relations; names and numbers of dates are the same.
func TestStrictNamespaces(t *testing.T) {
	const strict = "http://purl.oclc.org/ooxml/officeDocument/relationships"
	p := book(`<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1"><v>2</v></c></row>`)
	for i := range p {
		p[i][1] = strings.NewReplacer(relTypes, strict, "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main").Replace(p[i][1])
	}
	if got := mustRead(t, p.zip()); !reflect.DeepEqual(got, []row{{1, []string{"one", "2"}}}) {
		t.Errorf("got %v", got)
	}
}

// A file may say a long text once and show it in every cell of many rows.
func TestMoreTextThanAFileCanHold(t *testing.T) {
	row := `<row>` + strings.Repeat(`<c t="s"><v>0</v></c>`, 50) + `</row>`
	p := book(strings.Repeat(row, 10)).with("xl/sharedStrings.xml", "<sst><si><t>"+strings.Repeat("a", sheet.MaxCell)+"</t></si></sst>")
	if rows, err := read(p.zip(), sheet.Limits{}); err != nil || len(rows) != 10 || len(rows[9].Cells) != 50 || len(rows[9].Cells[49]) != sheet.MaxCell {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	rows, err := read(p.zip(), sheet.Limits{Unpacked: 4 * 50 * sheet.MaxCell})
	if code(err) != sheet.Bomb || len(rows) != 4 || err.Error() != "sheet: SHEET_BOMB at row 5" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// More shared strings than are kept in memory.
func TestManySharedStrings(t *testing.T) {
	ownTemp(t)
	var rows, shared strings.Builder
	const n = 3000
	long := strings.Repeat("0123456789", 900)
	for i := range n {
		fmt.Fprintf(&rows, `<row><c t="s"><v>%d</v></c><c t="s"><v>%d</v></c></row>`, i, (i*7919)%n)
		fmt.Fprintf(&shared, `<si><t>%d %s</t></si>`, i, long)
	}
	got := mustRead(t, book(rows.String()).with("xl/sharedStrings.xml", "<sst>"+shared.String()+"</sst>").zip())
	if len(got) != n {
		t.Fatalf("%d rows", len(got))
	}
	for i, r := range got {
		if r.Cells[0] != strconv.Itoa(i)+" "+long || r.Cells[1] != strconv.Itoa((i*7919)%n)+" "+long {
			t.Fatalf("row %d: %.20q", i+1, r.Cells)
		}
	}
}

func TestVeryManyRelations(t *testing.T) {
	p := book(`<row><c><v>1</v></c></row>`)
	for n, want := range map[int]sheet.Code{4096 - 2: "", 4096 - 1: sheet.Bomb} {
		more := strings.Repeat(`<Relationship Id="x" Type="y" Target="z"/>`, n)
		if _, err := read(p.with("xl/_rels/workbook.xml.rels", strings.Replace(p[3][1], "</", more+"</", 1)).zip(), sheet.Limits{}); code(err) != want {
			t.Errorf("%d more: %v, want %q", n, err, want)
		}
	}
}
