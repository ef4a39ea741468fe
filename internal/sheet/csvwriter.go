package sheet

import (
	"bufio"
	"io"
	"strings"
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
		if strings.ContainsAny(text, "\x00\r") {
			text = csvClean.Replace(text)
		}
		text = defuse(strings.ToValidUTF8(text, "\uFFFD"))
		if strings.ContainsAny(text, ",;\t\"\r\n") || len(text) > 0 && (text[0] == ' ' || text[len(text)-1] == ' ') {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
		_, _ = c.out.WriteString(text)
	}
	_, err := c.out.WriteString("\r\n")
	return err
}

func (c *csvWriter) flush() error  { return c.out.Flush() }
func (c *csvWriter) finish() error { return c.out.Flush() }
