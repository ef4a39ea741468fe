package sheet

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// events are what tokens gives, written down: text that comes in pieces is one.
func events(r io.Reader) (string, error) {
	var out strings.Builder
	text := false
	say := func(format string, args ...any) {
		if text {
			out.WriteString("'\n")
			text = false
		}
		fmt.Fprintf(&out, format+"\n", args...)
	}
	t := newTokens(r)
	for {
		kind, err := t.next()
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
		switch kind {
		case opening:
			say("<%s %d", t.name, t.depth)
			for _, a := range t.attributes {
				say("%s=%q", a.name, a.value)
			}
		case closing:
			say("> %d", t.depth)
		case content:
			if !text && len(t.text) > 0 {
				out.WriteString("'")
				text = true
			}
			fmt.Fprintf(&out, "%s", t.text)
		}
	}
}

// eventsOfTheOther is the same by encoding/xml.
func eventsOfTheOther(r io.Reader) (string, error) {
	var out strings.Builder
	text, depth := false, 0
	say := func(format string, args ...any) {
		if text {
			out.WriteString("'\n")
			text = false
		}
		fmt.Fprintf(&out, format+"\n", args...)
	}
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			say("<%s %d", token.Name.Local, depth)
			for _, a := range token.Attr {
				say("%s=%q", a.Name.Local, a.Value)
			}
		case xml.EndElement:
			depth--
			say("> %d", depth)
		case xml.CharData:
			if depth == 0 || len(token) == 0 {
				continue
			}
			if !text {
				out.WriteString("'")
				text = true
			}
			fmt.Fprintf(&out, "%s", token)
		}
	}
}

func TestXMLThatIsRead(t *testing.T) {
	for file, want := range map[string]string{
		"<a/>":     "<a 1\n> 0\n",
		"<a></a >": "<a 1\n> 0\n",
		"\uFEFF<?xml version=\"1.0\" encoding='utf-8' standalone=\"yes\"?>\r\n<!-- - --><a/>\n<!----><?x y?> ": "<a 1\n> 0\n",
		`<x:a y:b = "1" c='"2"&lt;&#x41;' xmlns:x="z"/>`:                                                       "<a 1\nb=\"1\"\nc=\"\\\"2\\\"<A\"\nx=\"z\"\n> 0\n",
		"<a> 1<b>2<!-- - -->3</b>\n</a>":                                                                       "<a 1\n' 1'\n<b 2\n'23'\n> 1\n'\n'\n> 0\n",
		"<a>\r\n\r&#13;\n</a>":                                                                                 "<a 1\n'\n\n\r\n'\n> 0\n",
		"<a><![CDATA[<&amp;>]]]]>&gt;张😀&#128512;</a>":                                                          "<a 1\n'<&amp;>]]>张😀😀'\n> 0\n",
		"<a>&amp;&lt;&gt;&quot;&apos;\t</a>":                                                                   "<a 1\n'&<>\"'\t'\n> 0\n",
	} {
		for _, r := range []io.Reader{strings.NewReader(file), iotest.OneByteReader(strings.NewReader(file)), iotest.DataErrReader(strings.NewReader(file))} {
			if got, err := events(r); err != nil || got != want {
				t.Errorf("%q: got %q, %v\nwant %q", file, got, err, want)
			}
		}
	}
}

func TestXMLThatIsRefused(t *testing.T) {
	for _, file := range []string{
		"", " ", "a", "<a/>b", "b<a/>", "<a/><b/>", "<a>", "<a", "</a>", "<a></b>", "<a><b></a></b>", "<x:a></y:a>", "<a/ >", "< a/>", "<1/>", "<a:b:c/>", "<:a/>", "<a:/>", "<张/>",
		"<a", "<a>b", "<a b", "<a b=", "<a b='", "<a b=''", "<a b=''/", "<!", "<!-", "<!--", "<?", "<?x",
		"<a b/>", "<a b=1/>", `<a b="1"c="2"/>`, `<a b="1" b="2"/>`, `<a b="<"/>`, `<a b="&x;"/>`, `<a b="1'/>`,
		"<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><!ELEMENT b></a>", "<![CDATA[x]]><a/>", "<a><!-- -- --></a>", "<a><!-- ---></a>",
		"<a>]]></a>", "<a>&</a>", "<a>&b;</a>", "<a>&amp</a>", "<a>&#0;</a>", "<a>&#1;</a>", "<a>&#xD800;</a>", "<a>&#xFFFE;</a>", "<a>&#x110000;</a>", "<a>&#-1;</a>", "<a>&#;</a>", "<a>&#x;</a>",
		"<a>\x00</a>", "<a>\x0B</a>", "<a>\xFF</a>", "<a>\xE5\xBC</a>", "<a>\uFFFF</a>", "<a><![CDATA[\x01]]></a>", "<a b='\x01'/>", "<a>\xED\xA0\x80</a>", "<a>\xC0\x80</a>",
		"\xFE\xFF\x00<\x00a\x00/\x00>", "\xFF\xFE<\x00a\x00/\x00>\x00", `<?xml version="1.0" encoding="gbk"?><a/>`, `<?xml version="1.1"?><a/>`, `<?xml version="1.0"encoding="utf-8"?><a/>`, `<?XML?><a/>`, `<?xml a="1"?><a/>`, `<? x?><a/>`, "<?><a/>", "<??><a/>",
		"<a>" + strings.Repeat("<b>", 64), "<" + strings.Repeat("n", 256) + "/>", "<a " + strings.Repeat("n", 256) + "=''/>", "<a" + manyAttributes(256) + "/>",
	} {
		for _, r := range []io.Reader{strings.NewReader(file), iotest.OneByteReader(strings.NewReader(file))} {
			if got, err := events(r); fmt.Sprint(err) != "sheet: SHEET_BROKEN" {
				t.Errorf("%.80q: %.80q, %v", file, got, err)
			}
		}
	}
	for _, file := range []string{"<a>" + strings.Repeat("b", maxToken+1), "<a b='" + strings.Repeat("b", maxToken+1), "<a><!--" + strings.Repeat("b", maxToken+1), "<a><![CDATA[" + strings.Repeat("b", maxToken+1)} {
		if _, err := events(strings.NewReader(file)); fmt.Sprint(err) != "sheet: SHEET_CELL_TOO_LONG" {
			t.Errorf("%.20q: %v", file, err)
		}
	}
	if _, err := events(strings.NewReader("<a" + manyAttributes(255) + "/>")); err != nil {
		t.Error(err)
	}
	if _, err := events(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("<a/>")))); fmt.Sprint(err) != "sheet: SHEET_BROKEN" {
		t.Errorf("a part that cannot be unpacked: %v", err)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String()
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "_x": "_x", "a_x000D_b": "a\rb", "_x005F_x0041_": "_x0041_", "_x0041__x0042_": "AB", "_x0041_x0042_": "Ax0042_", "__x0041_": "_A", "_x5f20_": "张",
		"_xD83D__xDE00_": "😀", "_xD83D_": "\uFFFD", "_xDE00__xD83D_": "\uFFFD\uFFFD", "_xD83D__x0041_": "\uFFFDA", "_x004_": "_x004_", "_x00G1_": "_x00G1_", "_X0041_": "_X0041_", "_x+041_": "_x+041_",
	} {
		if got := string(unescape([]byte(text))); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// FuzzXML: what is read, encoding/xml reads in the same way. It reads more than this: the other direction is up to TestXMLThatIsRead.
func FuzzXML(f *testing.F) {
	for _, seed := range []string{
		"<a/>", "<x:a y:b = \"1\" c='\"2\"&lt;&#x41;' xmlns:x=\"z\"> 1<b>2<!-- - -->3</b >\r\n</x:a>\n", "\uFEFF<?xml version=\"1.0\" encoding='utf-8'?>\r\n<a><![CDATA[<&]]>]]&gt;</a><?x y?>",
		`<worksheet xmlns="m"><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row></sheetData></worksheet>`, "<a>&amp;&#13;张\t\r</a>", "<!DOCTYPE a><a/>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := events(bytes.NewReader(file))
		piecemeal, piecemealErr := events(iotest.OneByteReader(bytes.NewReader(file)))
		if got != piecemeal || fmt.Sprint(err) != fmt.Sprint(piecemealErr) {
			t.Fatalf("at once:\n%s%v\nbyte by byte:\n%s%v", got, err, piecemeal, piecemealErr)
		}
		if err != nil {
			return
		}
		if want, err := eventsOfTheOther(bytes.NewReader(file)); err != nil || got != want {
			t.Fatalf("read as\n%s\nby encoding/xml as\n%s%v", got, want, err)
		}
	})
}
