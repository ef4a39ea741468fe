package sheet

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// csvRows reads a csv. encoding/csv leaves empty lines out, and a cell may have many lines, so rows are counted here.
type csvRows struct {
	csv    *csv.Reader
	fields *fieldCounter
	row    int // number of the last row
	line   int // on which it ended
	cells  []Cell
}

func openCSV(src io.ReaderAt, size int64, limits Limits) (*csvRows, error) {
	text, err := decode(src, size)
	if err != nil {
		return nil, err
	}
	separator, err := separatorOf(text())
	if err != nil {
		return nil, err
	}
	counter := &fieldCounter{r: text(), separator: separator, most: max(limits.Columns, lastColumn)}
	r := csv.NewReader(counter)
	r.Comma = rune(separator)
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	return &csvRows{csv: r, fields: counter}, nil
}

func (c *csvRows) next() (Row, error) {
	record, err := c.csv.Read()
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		return Row{}, &Error{Code: Quotes, Row: c.row + wrong.StartLine - c.line}
	case errors.Is(err, errFields):
		return Row{}, &Error{Code: TooManyColumns, Row: c.row + 1}
	case err != nil:
		return Row{}, err
	}
	start, _ := c.csv.FieldPos(0)
	c.row += start - c.line // more than one if there were empty lines
	c.line = start
	c.cells = c.cells[:0]
	for _, text := range record {
		c.line += strings.Count(text, "\n")
		c.cells = append(c.cells, Cell{Text: text})
	}
	return Row{Number: c.row, Cells: c.cells}, nil
}

func (*csvRows) close() error { return nil }

// separatorOf looks at the first line that is not empty. Without any separator it is the comma.
func separatorOf(r io.Reader) (byte, error) {
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	var commas, semicolons, tabs int
	quoted, begun := false, false
scan:
	for _, b := range head[:n] {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == ',':
			commas++
		case b == ';':
			semicolons++
		case b == '\t':
			tabs++
		case b == '\n' && begun:
			break scan
		}
		begun = begun || b != '\n' && b != '\r'
	}
	switch {
	case commas >= semicolons && commas >= tabs:
		return ',', nil
	case tabs >= semicolons:
		return '\t', nil
	}
	return ';', nil
}

var errFields = errors.New("sheet: too many fields in a record")

// fieldCounter stops a record of very many fields before encoding/csv makes room for them: a file of 20 MB can be 20 million.
type fieldCounter struct {
	r         io.Reader
	separator byte
	most      int
	fields    int
	quoted    bool
}

func (c *fieldCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		switch {
		case b == '"':
			c.quoted = !c.quoted
		case c.quoted:
		case b == '\n':
			c.fields = 0
		case b == c.separator:
			// Empty fields at the end do not count, but there is an end to that as well.
			if c.fields++; c.fields > c.most {
				return i, errFields
			}
		}
	}
	return n, err
}
