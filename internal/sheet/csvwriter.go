package sheet

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

type csvWriter struct{ out *bufio.Writer }

var csvClean = strings.NewReplacer("\x00", "", "\r\n", "\n", "\r", "\n")

func newCSVWriter(w io.Writer) *csvWriter {
	out := bufio.NewWriterSize(w, 32<<10)
	_, _ = out.Write(byteOrderMark) // an error of it comes back from what follows
	return &csvWriter{out: out}
}

// write is by hand, as encoding/csv would change the line breaks within cells.
func (c *csvWriter) write(_ int, cells []string) error {
	for i, text := range cells {
		if i > 0 {
			_ = c.out.WriteByte(',')
		}
		if !plain(text) {
			text = csvCell(text)
		}
		_, _ = c.out.WriteString(text)
	}
	_, err := c.out.WriteString("\r\n")
	return err
}

// csvCell is a text as it stands in a csv.
func csvCell(text string) string {
	text = defuse(strings.ToValidUTF8(csvClean.Replace(text), "\uFFFD"))
	if strings.ContainsAny(text, ",;\t\"\r\n") || len(text) > 0 && (text[0] == ' ' || text[len(text)-1] == ' ') {
		text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}

// plain reports whether csvCell need not look at a text, as it is what most are: letters and digits, Latin or Chinese, with nothing in or before them that means
// something to anybody.
func plain(text string) bool {
	if text == "" {
		return true
	}
	first, size := utf8.DecodeRuneInString(text)
	if !('0' <= first && first <= '9' || 'A' <= first && first <= 'Z' || 'a' <= first && first <= 'z' || '\u4e00' <= first && first <= '\u9fff') || text[len(text)-1] == ' ' {
		return false
	}
	wide := false
	for i := size; i < len(text); i++ {
		switch b := text[i]; {
		case b >= utf8.RuneSelf:
			wide = true
		case b < ' ' || b == ',' || b == ';' || b == '"':
			return false
		}
	}
	return !wide || utf8.ValidString(text)
}

func (c *csvWriter) flush() error  { return c.out.Flush() }
func (c *csvWriter) finish() error { return c.out.Flush() }
