package sheet

import "fmt"

// Code says what is wrong with a file, or with a row that is to be written. Codes are stable.
type Code string

// The codes.
const (
	Empty          Code = "SHEET_EMPTY"            // no bytes, no visible sheet, or no row that holds something
	NotASheet      Code = "SHEET_UNKNOWN_FORMAT"   // something else: a picture, a page, an .ods, an .xlsb
	OldExcel       Code = "SHEET_OLD_EXCEL"        // an .xls
	Encrypted      Code = "SHEET_ENCRYPTED"        // an xlsx behind a password
	Macros         Code = "SHEET_MACROS"           // an xlsx that holds programs
	Broken         Code = "SHEET_BROKEN"           // an xlsx that is damaged, or was made to confuse
	Bomb           Code = "SHEET_BOMB"             // an xlsx that unpacks to far more than it should
	TooLarge       Code = "SHEET_TOO_LARGE"        // more bytes than allowed
	TooManyRows    Code = "SHEET_TOO_MANY_ROWS"    // more than allowed, or than a spreadsheet program has
	TooManyColumns Code = "SHEET_TOO_MANY_COLUMNS" // the same, in one row
	CellTooLong    Code = "SHEET_CELL_TOO_LONG"    // over MaxCell
	NULByte        Code = "SHEET_NUL"              // a NUL, which no text has
	Encoding       Code = "SHEET_ENCODING"         // a csv that is neither UTF-8 nor GB18030
	Quotes         Code = "SHEET_QUOTES"           // a csv with a quote where none may be, or without the one that closes
)

// Error is what is wrong, and where, as far as it is known. It never holds what a cell holds.
type Error struct {
	Code        Code
	Row, Column int // from 1; 0 where unknown
}

func (e *Error) Error() string {
	switch {
	case e.Column > 0:
		return fmt.Sprintf("sheet: %s at row %d, column %d", e.Code, e.Row, e.Column)
	case e.Row > 0:
		return fmt.Sprintf("sheet: %s at row %d", e.Code, e.Row)
	}
	return "sheet: " + string(e.Code)
}

func refuse(code Code) error { return &Error{Code: code} }
