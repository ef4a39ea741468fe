package sheet

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The parts of an xlsx that are the same in all, but for the name of the sheet.
const (
	contentTypes = xml.Header + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>`

	packageRels = xml.Header + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="` + relations + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`

	workbookRels = xml.Header + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="` + relations + `/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="` + relations + `/styles" Target="styles.xml"/></Relationships>`

	workbookPart = xml.Header + `<workbook xmlns="` + spreadsheetML + `" xmlns:r="` + relations + `">` +
		`<sheets><sheet name="%s" sheetId="1" r:id="rId1"/></sheets></workbook>`

	relations     = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	spreadsheetML = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

	// Styles 1 and 2 are text, which is number format 49, and bold text.
	stylesPart = xml.Header + `<styleSheet xmlns="` + spreadsheetML + `">` +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
		`<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>` +
		`<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs>` +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`

	sheetBegin = xml.Header + `<worksheet xmlns="` + spreadsheetML + `"><sheetViews><sheetView workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/></sheetView></sheetViews>` +
		`<sheetFormatPr defaultRowHeight="15"/>`
)

// xlsxWriter writes the parts one after the other straight into the zip, the sheet last, so nothing waits in memory or on disk.
type xlsxWriter struct {
	zip     *zip.Writer
	packer  *flate.Writer // of the part that is written now
	out     *bufio.Writer // of the sheet
	columns []string      // A, B, …
	widest  int
	rows    int
}

func newXLSXWriter(w io.Writer, name string, header []string) (*xlsxWriter, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	x := &xlsxWriter{zip: zip.NewWriter(w), widest: 1}
	x.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		// The default level packs the same rows a tenth smaller, in twice the time.
		packer, err := flate.NewWriter(w, 3)
		x.packer = packer
		return packer, err
	})
	for _, part := range []struct{ name, text string }{
		{"[Content_Types].xml", contentTypes},
		{"_rels/.rels", packageRels},
		{"xl/workbook.xml", fmt.Sprintf(workbookPart, escape(name))},
		{"xl/_rels/workbook.xml.rels", workbookRels},
		{"xl/styles.xml", stylesPart},
	} {
		if err := addPart(x.zip, part.name, part.text); err != nil {
			return nil, fmt.Errorf("sheet: %w", err)
		}
	}
	part, err := x.zip.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return nil, fmt.Errorf("sheet: %w", err)
	}
	x.out = bufio.NewWriterSize(part, 32<<10)
	_, _ = x.out.WriteString(sheetBegin)
	x.widths(header)
	_, err = x.out.WriteString("<sheetData>")
	if err != nil {
		return nil, fmt.Errorf("sheet: %w", err)
	}
	return x, nil
}

func addPart(z *zip.Writer, name, text string) error {
	w, err := z.Create(name)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	return err
}

// widths makes each column as wide as its heading in bold, but from 12 to 40 characters. The cells below are not known yet.
func (x *xlsxWriter) widths(header []string) {
	if len(header) == 0 {
		return
	}
	_, _ = x.out.WriteString("<cols>")
	for i, text := range header {
		width := 3
		for _, r := range text {
			width++
			if r >= 0x1100 { // Chinese and its like are twice as wide
				width++
			}
		}
		fmt.Fprintf(x.out, `<col min="%d" max="%d" width="%d" style="1" customWidth="1"/>`, i+1, i+1, min(max(width, 12), 40))
	}
	_, _ = x.out.WriteString("</cols>")
}

func (x *xlsxWriter) write(row int, cells []string) error {
	style := `" s="1" t="inlineStr"><is><t xml:space="preserve">`
	if row == 1 {
		style = `" s="2" t="inlineStr"><is><t xml:space="preserve">`
	}
	number := strconv.Itoa(row)
	x.rows, x.widest = row, max(x.widest, len(cells))
	_, _ = x.out.WriteString(`<row r="`)
	_, _ = x.out.WriteString(number)
	_, _ = x.out.WriteString(`">`)
	for i, text := range cells {
		if text == "" {
			continue // its column is text already
		}
		_, _ = x.out.WriteString(`<c r="`)
		_, _ = x.out.WriteString(x.column(i))
		_, _ = x.out.WriteString(number)
		_, _ = x.out.WriteString(style)
		_, _ = x.out.WriteString(escape(text))
		_, _ = x.out.WriteString(`</t></is></c>`)
	}
	_, err := x.out.WriteString(`</row>`)
	return err
}

func (x *xlsxWriter) column(i int) string {
	for n := len(x.columns); n <= i; n++ {
		name := ""
		for k := n + 1; k > 0; k = (k - 1) / 26 {
			name = string(rune('A'+(k-1)%26)) + name
		}
		x.columns = append(x.columns, name)
	}
	return x.columns[i]
}

func (x *xlsxWriter) flush() error {
	if err := x.out.Flush(); err != nil {
		return err
	}
	if err := x.packer.Flush(); err != nil {
		return err
	}
	return x.zip.Flush()
}

// finish also asks Excel not to mark every phone number as a number that is stored as text.
func (x *xlsxWriter) finish() error {
	fmt.Fprintf(x.out, `</sheetData><ignoredErrors><ignoredError sqref="A1:%s%d" numberStoredAsText="1"/></ignoredErrors></worksheet>`,
		x.column(x.widest-1), max(x.rows, 1))
	if err := x.out.Flush(); err != nil {
		return err
	}
	return x.zip.Close()
}

// escape makes text what may stand in XML. What XML 1.0 has no way to hold becomes _xHHHH_, and so does the _ of a text that looks like
// that already. A carriage return is among it, as XML would turn it into a line feed. NULs are dropped.
func escape(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		b := text[i]
		plain = b >= ' ' && b != '&' && b != '<' && b != '>' && b != '"' && b != '_' && b != 0xEF
	}
	if plain {
		return text
	}
	var b bytes.Buffer
	for i, r := range text {
		switch {
		case r == 0:
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '_' && escaped(text[i:]):
			b.WriteString("_x005F_")
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			fmt.Fprintf(&b, "_x%04X_", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escaped tells whether the text begins like _x0041_.
func escaped(text string) bool {
	if len(text) < 7 || text[1] != 'x' || text[6] != '_' {
		return false
	}
	_, err := strconv.ParseUint(text[2:6], 16, 16)
	return err == nil
}

// checkName knows what Excel does not take for the name of a sheet.
func checkName(name string) error {
	if n := len(utf16.Encode([]rune(name))); n == 0 || n > 31 || strings.ContainsAny(name, ":\\/?*[]\x00") ||
		strings.HasPrefix(name, "'") || strings.HasSuffix(name, "'") {
		return errors.New("sheet: not a name for a sheet")
	}
	return nil
}
