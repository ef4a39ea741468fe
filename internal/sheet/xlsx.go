package sheet

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// theSheet is the only one of a reduced package.
const theSheet = "Sheet"

// unpackFrom is how many bytes a part may have unpacked to be kept in memory, where shared strings take some ten times that.
const unpackFrom = 2 << 20

// xlsxRows reads a sheet twice at the same time. excelize gives the texts, with numbers and dates as their formats show them. It does not
// tell formulas, takes the end of a damaged sheet for the end, and believes every coordinate; so a scanner goes one row ahead, tells
// what stands there, and refuses what the two could take for different things.
type xlsxRows struct {
	scan *scanner
	part io.Closer
	dir  string // of temporary files
	file *excelize.File
	rows *excelize.Rows
	at   int // row at which rows is
	out  []Cell
}

func openXLSX(src io.ReaderAt, size int64, limits Limits) (x *xlsxRows, err error) {
	p, err := openPack(src, size, limits)
	if err != nil {
		return nil, err
	}
	part, err := open(p.sheet)
	if err != nil {
		return nil, err
	}
	x = &xlsxRows{part: part, scan: &scanner{tokens: newTokens(part), shared: p.shared, columns: limits.Columns}}
	defer func() {
		if recover() != nil {
			err = refuse(Broken)
		}
		if err != nil {
			_ = x.close()
			x = nil
		}
	}()
	if err := x.scan.advance(); err != nil {
		return x, err
	}
	reduced, err := p.reduced()
	if err != nil {
		return x, err
	}
	if x.dir, err = os.MkdirTemp("", "sheet-"); err != nil {
		return x, fmt.Errorf("sheet: %w", err)
	}
	x.file, err = excelize.OpenReader(reduced, excelize.Options{
		TmpDir: x.dir, UnzipSizeLimit: limits.Unpacked + 1<<20, UnzipXMLSizeLimit: min(unpackFrom, limits.Unpacked),
		ShortDatePattern: "yyyy-mm-dd", CultureInfo: excelize.CultureNameZhCN,
	})
	if err != nil {
		return x, refuse(Broken)
	}
	if x.rows, err = x.file.Rows(theSheet); err != nil {
		return x, refuse(Broken)
	}
	return x, nil
}

// next recovers, as a file of a stranger must not end the process when it makes excelize panic.
func (x *xlsxRows) next() (row Row, err error) {
	number := x.scan.number
	if number == 0 {
		return Row{}, io.EOF
	}
	defer func() {
		if recover() != nil {
			err = &Error{Code: Broken, Row: number}
		}
	}()
	if err := x.scan.read(); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Row == 0 {
			return Row{}, &Error{Code: e.Code, Row: number, Column: e.Column}
		}
		return Row{}, err
	}
	for ; x.at < number; x.at++ {
		if !x.rows.Next() {
			return Row{}, &Error{Code: Broken, Row: number}
		}
	}
	if len(x.scan.cells) == 0 {
		return Row{Number: number}, nil
	}
	texts, err := x.rows.Columns()
	if err != nil {
		return Row{}, &Error{Code: Broken, Row: number}
	}
	x.out = x.out[:0]
	for _, c := range x.scan.cells {
		for len(x.out) < c.column {
			x.out = append(x.out, Cell{})
		}
		cell := &x.out[c.column-1]
		cell.Formula = c.formula
		if c.column <= len(texts) {
			cell.Text = texts[c.column-1]
		}
		if c.number {
			cell.Text = allDigits(cell.Text, c.raw)
		}
	}
	return Row{Number: number, Cells: x.out}, nil
}

func (x *xlsxRows) close() error {
	errs := []error{x.part.Close()}
	if x.rows != nil {
		errs = append(errs, x.rows.Close())
	}
	if x.file != nil {
		errs = append(errs, x.file.Close())
	}
	if x.dir != "" {
		errs = append(errs, os.RemoveAll(x.dir))
	}
	*x = xlsxRows{part: io.NopCloser(nil), scan: &scanner{}}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	return nil
}

// allDigits gives a number in full where it would be shown with an exponent. Whole numbers that the file has in full stay as they are there;
// others are rounded to the 15 digits that spreadsheet programs know.
func allDigits(shown, raw string) string {
	if !strings.ContainsAny(shown, "eE") {
		return shown
	}
	if _, err := strconv.ParseFloat(shown, 64); err != nil {
		return shown
	}
	raw = strings.TrimSpace(raw)
	if strings.Trim(raw, "0123456789-") == "" {
		return raw
	}
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return shown
	}
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64); err == nil {
		v = rounded
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// scanner goes through the XML of a sheet, row by row.
type scanner struct {
	tokens  *tokens
	shared  int // shared strings that there are
	columns int // that are allowed
	inside  bool
	number  int // of the row that read will read; 0 behind the last
	cells   []scanned
}

type scanned struct {
	column  int
	formula bool
	number  bool
	raw     string // of a number, as the file has it
}

// advance goes to the beginning of the next row.
func (s *scanner) advance() error {
	last := s.number
	for {
		token, err := s.tokens.next()
		if err == io.EOF && !s.inside {
			s.number = 0
			return nil // there is no table in it
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			name, depth := token.Name.Local, s.tokens.depth
			switch {
			case name == "sheetData" && depth == 2 && !s.inside:
				s.inside = true
			case name == "row" && depth == 3 && s.inside:
				s.number = last + 1
				if r := attribute(token, "r"); r != "" {
					if s.number, err = strconv.Atoi(r); err != nil || s.number <= last || s.number > lastRow {
						return refuse(Broken)
					}
				}
				return nil
			case s.inside, name == "row", name == "sheetData", depth == 1 && name != "worksheet":
				return refuse(Broken)
			}
		case xml.EndElement:
			if s.inside && s.tokens.depth == 1 {
				s.number = 0
				return nil
			}
		}
	}
}

// read reads the row, and goes to the next.
func (s *scanner) read() error {
	s.cells = s.cells[:0]
	column := 0
	for {
		token, err := s.tokens.next()
		if err != nil {
			return s.whole(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local != "c" || s.tokens.depth != 4 {
				return refuse(Broken)
			}
			before := column
			column++
			if ref := attribute(token, "r"); ref != "" {
				if column, _, err = excelize.CellNameToCoordinates(ref); err != nil || column <= before {
					return refuse(Broken)
				}
			}
			if err := s.cell(column, attribute(token, "t")); err != nil {
				return err
			}
		case xml.EndElement:
			return s.advance()
		}
	}
}

// cell reads to the end of a cell, and notes it if it holds something.
func (s *scanner) cell(column int, kind string) error {
	c := scanned{column: column, number: kind == "" || kind == "n"}
	var value []byte
	inValue, something, length := false, false, 0
	for {
		token, err := s.tokens.next()
		if err != nil {
			return s.whole(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch token.Name.Local {
			case "row", "c", "sheetData":
				return refuse(Broken)
			case "f":
				c.formula = true
			}
			inValue = token.Name.Local == "v"
		case xml.CharData:
			if length += len(token); length > maxToken {
				return &Error{Code: CellTooLong, Column: column}
			}
			something = something || length > 0
			if inValue && (c.number || kind == "s") {
				value = append(value, token...)
			}
		case xml.EndElement:
			inValue = false
			if s.tokens.depth > 3 {
				continue
			}
			if !something && !c.formula {
				return nil
			}
			if column > s.columns {
				return &Error{Code: TooManyColumns}
			}
			if c.number {
				c.raw = string(value)
			}
			if kind == "s" && len(value) > 0 {
				if i, err := strconv.Atoi(strings.TrimSpace(string(value))); err != nil || i < 0 || i >= s.shared {
					return refuse(Broken)
				}
			}
			s.cells = append(s.cells, c)
			return nil
		}
	}
}

// whole: within a row, the end is too early.
func (s *scanner) whole(err error) error {
	if err == io.EOF {
		return refuse(Broken)
	}
	return err
}
