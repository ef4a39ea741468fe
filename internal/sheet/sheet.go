// Package sheet reads and writes tables of text, as csv and as xlsx, in streams: memory does not grow with the number of rows. An xlsx as
// Excel saves it has each different text in a list of its own, to which every row may refer: the first 16 MiB of them stay in memory, the
// others wait in a temporary file without a name, of at most Limits.Unpacked bytes, of which 8 MiB are kept at hand; to find them takes a
// quarter of a byte for each. So reading 100,000 rows takes 10 to 30 MB, with 500,000 different texts as well, and at the very most, with
// 90 million of them or with rows of 50 MB, some 120 MB.
//
// What is read comes from strangers. So a file is checked before it is unpacked and while it is read, formulas are never evaluated, and
// what is wrong with it is an *Error with a stable code. Errors never quote what a cell holds, as that may be personal data.
//
// Not promised: what a formula would give, colours, comments, hidden rows (they are read as the others), and the value of merged cells
// anywhere but where the file has it, which is the first cell.
package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Format is a kind of file.
type Format string

// The formats. Which of them a file is, is told by what it holds; its name plays no part.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
)

// MaxCell is how long the text of a cell may be: 32,767 UTF-16 code units, as many as spreadsheet programs hold.
const MaxCell = 32767

// Spreadsheet programs have no more rows and columns than these.
const (
	lastRow    = 1 << 20
	lastColumn = 1 << 14
)

// Limits bound what reading a file may cost. What is zero has its default.
type Limits struct {
	Bytes    int64 // of the file as it is; 20 MiB
	Unpacked int64 // bytes of all parts of an xlsx, unpacked, and of all texts that its rows show; 512 MiB
	Entries  int   // parts of an xlsx; 2,000
	Rows     int   // delivered rows, a header among them; 100,001
	Columns  int   // in a row; 500
}

func (l Limits) orDefaults() Limits {
	def := func(n *int, or int) {
		if *n <= 0 {
			*n = or
		}
	}
	if l.Bytes <= 0 {
		l.Bytes = 20 << 20
	}
	if l.Unpacked <= 0 {
		l.Unpacked = 512 << 20
	}
	def(&l.Entries, 2000)
	def(&l.Rows, 100_001)
	def(&l.Columns, 500)
	return l
}

// Cell is a cell with what a person sees in it.
type Cell struct {
	// Text is as it stands, with white space around it. Numbers come as they are shown, but never as 1.38E+10, 1/3 or 1.4M: instead of that
	// all digits are given, and of a whole number also those that spreadsheet programs would round. A date comes as it is shown where that is
	// the year in four digits and what follows, in numbers (2026/11/26 15:04, 2026年11月26日); otherwise, and where its form is the reader's
	// choice, it comes as 2026-11-26 or 2026-11-26 15:04:05, a time alone as 15:04:05. Where Formula is true, Text is the result that was
	// stored, perhaps long ago, or nothing.
	Text    string
	Formula bool
}

// Row is a row that holds something.
type Row struct {
	Number int    // from 1, as the spreadsheet program shows it; rows that hold nothing count
	Cells  []Cell // up to the last one that holds something, so rows differ in length; good until the next call of Next
}

// Reader gives the rows of a file one after the other. It must be closed, and is for one goroutine.
type Reader struct {
	format    Format
	rows      rowReader
	source    *source
	limits    Limits
	delivered int
	err       error
}

// A rowReader gives rows that may hold nothing, with every cell, and io.EOF behind the last.
type rowReader interface {
	next() (Row, error)
	close() error
}

// Open looks at the first size bytes of r and gets ready to read them. r is read until Close.
//
// An xlsx is read from its first visible sheet. A csv is UTF-8, with or without a byte order mark, or else GB18030; its separator is the
// one of comma, semicolon and tab that its first line has most of.
//
// An error is an *Error when something is wrong with the file, and any other when r or a temporary file could not be read or written.
func Open(r io.ReaderAt, size int64, limits Limits) (*Reader, error) {
	d := &Reader{source: &source{r: r}, limits: limits.orDefaults()}
	switch {
	case size <= 0:
		return nil, refuse(Empty)
	case size > d.limits.Bytes:
		return nil, refuse(TooLarge)
	}
	head := make([]byte, min(size, 8))
	if _, err := d.source.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, d.blame(err)
	}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		d.format = XLSX
		d.rows, err = openXLSX(d.source, size, d.limits)
	case bytes.HasPrefix(head, oleHeader):
		err = refuseOLE(io.NewSectionReader(d.source, 0, size))
	default:
		d.format = CSV
		d.rows, err = openCSV(d.source, size, d.limits)
	}
	if err != nil {
		return nil, d.blame(err)
	}
	return d, nil
}

// Format tells what the file is.
func (d *Reader) Format() Format { return d.format }

// Next gives the next row that holds something, and io.EOF behind the last one. Errors are as those of Open, and stay. A file without
// such a row is refused as Empty.
func (d *Reader) Next() (Row, error) {
	for d.err == nil {
		row, err := d.rows.next()
		if err != nil {
			d.err = d.blame(err)
			break
		}
		for len(row.Cells) > 0 && row.Cells[len(row.Cells)-1] == (Cell{}) {
			row.Cells = row.Cells[:len(row.Cells)-1]
		}
		if len(row.Cells) == 0 {
			continue
		}
		if d.err = d.check(row); d.err != nil {
			break
		}
		d.delivered++
		return row, nil
	}
	if d.err == io.EOF && d.delivered == 0 {
		d.err = refuse(Empty)
	}
	return Row{}, d.err
}

// Close gives up what reading needed, temporary files above all. It is to be called after an error of Next, too.
func (d *Reader) Close() error {
	if d.err == nil {
		d.err = errors.New("sheet: the reader is closed")
	}
	return d.rows.close()
}

func (d *Reader) check(row Row) error {
	if d.delivered == d.limits.Rows {
		return &Error{Code: TooManyRows, Row: row.Number}
	}
	if len(row.Cells) > d.limits.Columns {
		return &Error{Code: TooManyColumns, Row: row.Number}
	}
	for i, c := range row.Cells {
		if tooLong(c.Text) {
			return &Error{Code: CellTooLong, Row: row.Number, Column: i + 1}
		}
		if strings.IndexByte(c.Text, 0) >= 0 {
			return &Error{Code: NULByte, Row: row.Number, Column: i + 1}
		}
	}
	return nil
}

// blame tells a file that is wrong from a source that fails: whatever went wrong after a failed read is the source's fault.
func (d *Reader) blame(err error) error {
	if d.source.err != nil {
		return fmt.Errorf("sheet: %w", d.source.err)
	}
	return err
}

// tooLong tells whether a cell cannot hold the text. No text has more UTF-16 code units than bytes.
func tooLong(text string) bool {
	if len(text) <= MaxCell {
		return false
	}
	units := 0
	for _, r := range text {
		units += utf16.RuneLen(r)
	}
	return units > MaxCell
}

// source remembers that the file could not be read, as the libraries above it do not always tell.
type source struct {
	r   io.ReaderAt
	err error
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.ErrUnexpectedEOF // a zip that says so is wrong, not the source
	}
	n, err := s.r.ReadAt(p, off)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}
