package sheet

import (
	"errors"
	"strconv"
)

// span is a cell that holds something, and where its text ends.
type span struct {
	column  int
	end     int
	formula bool
}

// cellType is what the attribute t says of a cell.
type cellType uint8

const (
	ofNumber cellType = iota
	ofShared          // the number of a shared string
	ofInline          // a string that stands in the cell itself
	ofResult          // a string that a formula gave
	ofBool
	ofDate
	ofError
)

// cell reads to the end of a cell, and notes it if it holds something.
func (x *xlsxRows) cell(column int) error {
	t := x.tokens
	of, style, ok := describe(t)
	if !ok {
		return refuse(Broken)
	}
	x.value, x.item = x.value[:0], x.item[:0]
	formula, items, values, length := false, 0, 0, 0
	at := 0 // the depth in which text counts
	for {
		kind, err := t.next()
		if err != nil {
			return err
		}
		switch kind {
		case opening:
			switch name := string(t.name); {
			case name == "row", name == "c", name == "sheetData":
				return refuse(Broken)
			case name == "f":
				formula = true
			case t.depth > 5: // it belongs to what no text is read of
			case name == "v":
				values++
				at = t.depth
			case name == "is":
				items++
				if x.item, err = t.item(x.item); err != nil {
					return inColumn(err, column)
				}
			}
			if values > 1 || items > 1 {
				return refuse(Broken)
			}
		case content:
			if length += len(t.text); length > maxToken {
				return &Error{Code: CellTooLong, Column: column}
			}
			if t.depth == at {
				x.value = append(x.value, t.text...)
			}
		case closing:
			if t.depth < at {
				at = 0
			}
			if t.depth == 3 {
				if of == ofInline && items > 0 {
					x.value = append(x.value[:0], x.item...)
				}
				return x.note(column, of, x.styles.of(style), formula)
			}
		}
	}
}

// note is called at the end of a cell.
func (x *xlsxRows) note(column int, of cellType, f *format, formula bool) error {
	before := len(x.text)
	if err := x.show(of, f); err != nil {
		return err
	}
	switch length := len(x.text) - before; {
	case length == 0 && !formula:
		return nil
	case column > x.columns:
		return &Error{Code: TooManyColumns}
	case length > MaxCell && tooLong(string(x.text[before:])): // now, as a row of them would take much memory
		return &Error{Code: CellTooLong, Column: column}
	}
	x.cells = append(x.cells, span{column: column, end: len(x.text), formula: formula})
	if len(x.text) > 64<<10 { // a long row is not held twice
		return x.cut()
	}
	return nil
}

func inColumn(err error, column int) error {
	var e *Error
	if errors.As(err, &e) && e.Code == CellTooLong {
		return &Error{Code: e.Code, Column: column}
	}
	return err
}

// describe tells of what type the cell is that begins, and the number of its style.
func describe(t *tokens) (of cellType, style int, ok bool) {
	if s := t.attribute("s"); len(s) > 0 {
		n, err := strconv.Atoi(string(s))
		if err != nil {
			return 0, 0, false
		}
		style = n
	}
	switch string(t.attribute("t")) {
	case "s":
		return ofShared, style, true
	case "inlineStr":
		return ofInline, style, true
	case "str":
		return ofResult, style, true
	case "b":
		return ofBool, style, true
	case "d":
		return ofDate, style, true
	case "e":
		return ofError, style, true
	}
	return ofNumber, style, true
}

// show appends to the text of the row what the cell shows.
func (x *xlsxRows) show(of cellType, f *format) error {
	if len(x.value) == 0 {
		return nil
	}
	switch of {
	case ofInline:
		x.text = f.appendText(x.text, x.value)
	case ofShared:
		i, err := strconv.Atoi(string(trim(x.value)))
		if err != nil || i < 0 || i >= x.texts.count {
			return refuse(Broken)
		}
		if x.value, err = x.texts.appendTo(x.value[:0], i); err != nil {
			return err
		}
		x.text = f.appendText(x.text, x.value)
	case ofResult:
		x.text = append(x.text, unescape(x.value)...)
	case ofBool:
		switch string(trim(x.value)) {
		case "1", "true":
			x.text = append(x.text, "TRUE"...)
		case "0", "false":
			x.text = append(x.text, "FALSE"...)
		default:
			x.text = append(x.text, x.value...)
		}
	case ofDate:
		x.text = f.appendMoment(x.text, x.value)
	case ofError:
		x.text = append(x.text, x.value...)
	default:
		x.text = f.appendNumber(x.text, x.value, x.epoch)
	}
	return nil
}

// item reads to the end of the element that has begun, which is a string item, and appends its text or that of its runs. How it is
// pronounced (rPh) is left out. Text counts with all white space, as programs write xml:space only where they think of it.
func (t *tokens) item(dst []byte) ([]byte, error) {
	from, top, length := len(dst), t.depth, 0
	run := false // directly in a run
	at := 0      // the depth in which text counts
	for {
		kind, err := t.next()
		if err != nil {
			return dst, err
		}
		switch kind {
		case opening:
			name := string(t.name)
			switch name {
			case "row", "c", "sheetData", "si":
				return dst, refuse(Broken)
			}
			if t.depth == top+1 {
				run = name == "r"
			}
			if name == "t" && (t.depth == top+1 || t.depth == top+2 && run) {
				at = t.depth
			}
		case content:
			if length += len(t.text); length > maxToken {
				return dst, refuse(CellTooLong)
			}
			if t.depth == at {
				dst = append(dst, t.text...)
			}
		case closing:
			if t.depth < at {
				at = 0
			}
			if t.depth < top {
				return dst[:from+len(unescape(dst[from:]))], nil
			}
		}
	}
}
