package sheet

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Writer writes rows. It keeps no files and little memory, so one that is given up needs no Close; the file is whole only after Close
// has returned nil. It is for one goroutine.
type Writer struct {
	rows rowWriter
	out  *counter
	row  int
	last int // the number of the last row that there may be
	err  error
}

// A rowWriter writes rows that were checked. cells of row 1 are the header.
type rowWriter interface {
	write(row int, cells []string) error
	flush() error
	finish() error
}

// NewWriter begins a file with its header. name is that of the sheet in an xlsx: 1 to 31 characters, without : \ / ? * [ ] and without an
// apostrophe at its ends. A csv has none.
//
// An xlsx has as many rows as a spreadsheet program holds at most; a csv has no such limit, as other programs read it, too. Both formats put U+FFFD in place of what is not UTF-8.
//
// A csv is UTF-8 with a byte order mark, as Excel takes it for something else otherwise; its rows end with CRLF, lines within a cell with LF.
// NULs are left out. What a spreadsheet program would run has an apostrophe in front, unless it is a phone number or an amount
// (+8613800138000, +86 138-0013-8000, -12.50).
//
// An xlsx has every cell and column typed as text, so that nothing becomes a formula, a date or 1.38E+10, now or when somebody fills it in.
// The header is bold and stays in sight. Characters that XML cannot hold are written _xHHHH_, as Excel does; it and Open read them back.
// NULs are left out.
func NewWriter(w io.Writer, format Format, name string, header []string) (*Writer, error) {
	out := &counter{w: w}
	wr := &Writer{out: out, last: math.MaxInt}
	switch format {
	case CSV:
		wr.rows = newCSVWriter(out)
	case XLSX:
		rows, err := newXLSXWriter(out, name, header)
		if err != nil {
			return nil, err
		}
		wr.rows, wr.last = rows, lastRow
	default:
		return nil, fmt.Errorf("sheet: no format is called %q", string(format))
	}
	return wr, wr.Write(header)
}

// Write adds a row. A row that cannot be held (CellTooLong, TooManyColumns, and TooManyRows of an xlsx) is refused with an *Error: nothing of it is written, nothing is cut,
// and others may follow. After any other error the file is lost, and all calls return that error.
func (w *Writer) Write(cells []string) error {
	if w.err != nil {
		return w.err
	}
	if w.row == w.last {
		return &Error{Code: TooManyRows, Row: w.row + 1}
	}
	if len(cells) > lastColumn {
		return &Error{Code: TooManyColumns, Row: w.row + 1}
	}
	for i, text := range cells {
		if tooLong(text) {
			return &Error{Code: CellTooLong, Row: w.row + 1, Column: i + 1}
		}
	}
	w.row++
	return w.keep(w.rows.write(w.row, cells))
}

// Bytes tells how many bytes went out so far. Some 100 kB may still wait to be packed; Flush sends them.
func (w *Writer) Bytes() int64 { return w.out.n }

// Flush sends out what was written. An xlsx grows a little with each call: once in thousands of rows is often enough.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	return w.keep(w.rows.flush())
}

// Close ends the file, and sends out the rest. It does not close what it goes to.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.keep(w.rows.finish()); err != nil {
		return err
	}
	w.err = errors.New("sheet: the writer is closed")
	return nil
}

func (w *Writer) keep(err error) error {
	if err != nil {
		w.err = fmt.Errorf("sheet: %w", err)
	}
	return w.err
}

// counter counts what goes through.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
