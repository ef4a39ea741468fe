package sheet

import (
	"errors"
	"io"
	"strconv"
)

// xlsxRows reads a sheet row by row. It goes one row ahead, so that what is wrong between a row and the next is known before the first of
// them is delivered, and refuses what programs could take for different things.
type xlsxRows struct {
	part    io.Closer
	tokens  *tokens
	texts   *texts
	styles  styles
	epoch   epoch
	columns int // that are allowed
	inside  bool
	left    int64 // bytes of text that may be shown; few shared strings in many cells can be more than any file
	number  int   // of the row that next will give; 0 behind the last

	// The row that is read.
	out   []Cell
	cells []span // those behind out
	text  []byte // of all of these, one behind the other
	// The cell that is read.
	value, item []byte
}

func openXLSX(src io.ReaderAt, size int64, limits Limits) (*xlsxRows, error) {
	p, err := openPack(src, size, limits)
	if err != nil {
		return nil, err
	}
	x := &xlsxRows{epoch: p.epoch, columns: limits.Columns, left: limits.Unpacked}
	if x.styles, err = readStyles(p.styles); err != nil {
		return nil, err
	}
	if x.texts, err = p.readStrings(); err != nil {
		return nil, err
	}
	if err := x.begin(p); err != nil {
		_ = x.close() // the other error is the one to tell
		return nil, err
	}
	return x, nil
}

func (x *xlsxRows) begin(p *pack) error {
	if err := verify(p.sheet); err != nil {
		return err
	}
	part, err := open(p.sheet)
	if err != nil {
		return err
	}
	x.part, x.tokens = part, newTokens(part)
	return x.advance()
}

func (x *xlsxRows) next() (Row, error) {
	number := x.number
	if number == 0 {
		return Row{}, io.EOF
	}
	if err := x.read(); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Row == 0 {
			return Row{}, &Error{Code: e.Code, Row: number, Column: e.Column}
		}
		return Row{}, err
	}
	return Row{Number: number, Cells: x.out}, nil
}

// cut makes strings of the cells that were read since the last time: one for all of them together, as an allocation for each takes longer.
func (x *xlsxRows) cut() error {
	if x.left -= int64(len(x.text)); x.left < 0 {
		return refuse(Bomb)
	}
	text, begin := string(x.text), 0
	for _, c := range x.cells {
		for len(x.out) < c.column-1 {
			x.out = append(x.out, Cell{})
		}
		x.out = append(x.out, Cell{Text: text[begin:c.end], Formula: c.formula})
		begin = c.end
	}
	x.text, x.cells = x.text[:0], x.cells[:0]
	return nil
}

// close may be called twice.
func (x *xlsxRows) close() error {
	var errs []error
	if x.part != nil {
		errs = append(errs, x.part.Close())
	}
	if x.texts != nil {
		errs = append(errs, x.texts.close())
	}
	*x = xlsxRows{}
	return errors.Join(errs...)
}

// advance goes to the beginning of the next row.
func (x *xlsxRows) advance() error {
	last := x.number
	t := x.tokens
	for {
		kind, err := t.next()
		if err == io.EOF {
			x.number = 0
			return nil // there is no table in it
		}
		if err != nil {
			return err
		}
		switch kind {
		case opening:
			name := string(t.name)
			switch {
			case name == "sheetData" && t.depth == 2 && !x.inside:
				x.inside = true
			case name == "row" && t.depth == 3 && x.inside:
				x.number = last + 1
				if r := t.attribute("r"); len(r) > 0 {
					if x.number, err = strconv.Atoi(string(r)); err != nil {
						return refuse(Broken)
					}
				}
				if x.number <= last || x.number > lastRow {
					return refuse(Broken)
				}
				return nil
			case x.inside, name == "row", name == "sheetData", t.depth == 1 && name != "worksheet":
				return refuse(Broken)
			}
		case closing:
			if x.inside && t.depth == 1 {
				x.number = 0
				return nil
			}
		}
	}
}

// read reads the row, and goes to the next.
func (x *xlsxRows) read() error {
	t := x.tokens
	x.out, x.cells, x.text = x.out[:0], x.cells[:0], x.text[:0]
	column := 0
	for {
		kind, err := t.next()
		if err != nil {
			return err
		}
		switch kind {
		case opening:
			if string(t.name) != "c" || t.depth != 4 {
				return refuse(Broken)
			}
			before := column
			column++
			if ref := t.attribute("r"); len(ref) > 0 {
				column = columnOf(ref)
			}
			if column <= before || column > lastColumn {
				return refuse(Broken)
			}
			if err := x.cell(column); err != nil {
				return err
			}
		case closing:
			if err := x.cut(); err != nil {
				return err
			}
			return x.advance()
		}
	}
}

// columnOf gives the column of coordinates such as AB12, and 0 if they are none. Their row is not compared with the one they stand in.
func columnOf(ref []byte) int {
	column, i := 0, 0
	for ; i < len(ref) && i < 3 && ('A' <= ref[i] && ref[i] <= 'Z' || 'a' <= ref[i] && ref[i] <= 'z'); i++ {
		column = column*26 + int(ref[i]|0x20-'a') + 1
	}
	row := ref[i:]
	if len(row) == 0 || len(row) > 7 || row[0] == '0' || digitsLength(row) < len(row) || len(row) == 7 && string(row) > "1048576" {
		return 0
	}
	return column
}
