package sheet

import (
	"bytes"
	"strings"
)

// mostFormat is how many bytes of a number format are looked at; Excel lets nobody write more than 255 characters. A longer one counts as
// General.
const mostFormat = 1020

// format is a number format, understood once, for all cells that have it.
//
// Numbers come as the format shows them if all their digits are to be seen then: integers, decimals, percent, thousands, currencies, and
// digits in groups. What shows less than there is (an exponent, a fraction, thousands or millions as units), or another thing for some
// numbers (a condition, digits in Chinese), gives way to General, which is all digits. Also, zero is shown as the other numbers
// are, and never as a dash.
type format struct {
	positive, negative *section // nil where General shows it; without a section for negative ones, they are positive ones behind a minus
	minus              bool     // negative is such
	text               []piece  // what stands around a text; nil if it stands alone
}

// section is one of up to four parts of a format: for positive and negative numbers, zero, and text.
type section struct {
	pieces             []piece
	date               *dateShape // nil if it shows a number
	integers, least    int        // places for digits before the point, and how many of them are always filled
	fraction, leastAft int        // the same behind the point
	percent            int        // how often to multiply by 100
	thousands          bool
	lettered           bool // @ is in it: it is for text
}

// piece is a letter of the language of number formats.
type piece struct {
	kind pieceKind
	text string // of a literal; the letters of a date, in lower case
}

type pieceKind uint8

const (
	literal  pieceKind = iota
	digit              // 0: a digit, always
	optional           // #: a digit, if there is one
	spaced             // ?: a digit, or a space
	point              // .
	comma              // ,
	percent            // %
	slash              // /
	exponent           // E+
	dateUnit           // yyyy, m, dd, h, ss
	elapsed            // [h]
	halfDay            // AM/PM
	letters            // @
	inFull             // General
	numerals           // Chinese ones instead of digits
	unusual            // a condition, or what is not known
	nothing            // a colour, or what fills the width of a cell
)

// compile understands a format. It never fails: what is not understood gives numbers in full.
func compile(code string) *format {
	f := &format{}
	code = strings.TrimSpace(code)
	if code == "" || len(code) > mostFormat {
		return f
	}
	sections := sectionsOf(code)
	if len(sections) > 4 {
		return f
	}
	var text *section
	if len(sections) == 4 {
		text = sections[3]
	}
	// The section for text is also the last one with an @, wherever it stands.
	for i, s := range sections {
		if s.lettered {
			text = s
			sections = sections[:i]
			break
		}
	}
	if text != nil {
		f.text = textPieces(text.pieces)
	}
	if len(sections) > 0 {
		f.positive = sections[0].understood()
		f.negative, f.minus = f.positive, true
	}
	if len(sections) > 1 {
		f.negative, f.minus = sections[1].understood(), false
	}
	return f
}

// sectionsOf splits a format at the semicolons, and each part into pieces.
func sectionsOf(code string) []*section {
	s := &section{}
	sections := []*section{s}
	for i := 0; i < len(code); {
		if code[i] == ';' {
			s = &section{}
			sections = append(sections, s)
			i++
			continue
		}
		p, n := takePiece(code[i:])
		if code[i] == '_' && i+n < len(code) && code[i+n] != ';' && len(s.pieces) > 0 {
			p.text = "" // a space as wide as a character is only kept at the ends
		}
		s.lettered = s.lettered || p.kind == letters
		s.pieces = append(s.pieces, p)
		i += n
	}
	return sections
}

// takePiece takes one from the beginning of code, and tells how many bytes it has.
func takePiece(code string) (piece, int) {
	lower := func(n int) string { return strings.ToLower(code[:min(n, len(code))]) }
	for _, word := range []string{"general", "g/通用格式"} {
		if lower(len(word)) == word {
			return piece{kind: inFull}, len(word)
		}
	}
	for _, word := range []string{"am/pm", "a/p", "上午/下午"} {
		if lower(len(word)) == word {
			return piece{kind: halfDay}, len(word)
		}
	}
	switch c := code[0]; c {
	case '"':
		text, _, _ := strings.Cut(code[1:], `"`)
		return piece{text: text}, min(len(text)+2, len(code))
	case '\\', '!':
		n := 1 + characterLength(code[1:])
		return piece{text: code[1:n]}, n
	case '_':
		return piece{text: " "}, 1 + characterLength(code[1:])
	case '*':
		return piece{kind: nothing}, 1 + characterLength(code[1:])
	case '[':
		return bracket(code)
	case '0':
		return piece{kind: digit}, 1
	case '#':
		return piece{kind: optional}, 1
	case '?':
		return piece{kind: spaced}, 1
	case '.':
		return piece{kind: point, text: "."}, 1
	case ',':
		return piece{kind: comma, text: ","}, 1
	case '%':
		return piece{kind: percent}, 1
	case '/':
		return piece{kind: slash, text: "/"}, 1
	case '@':
		return piece{kind: letters}, 1
	case 'E', 'e':
		if len(code) > 1 && (code[1] == '+' || code[1] == '-') {
			return piece{kind: exponent}, 2
		}
	}
	if strings.IndexByte("ymdhsegab", code[0]|0x20) >= 0 && code[0] >= 'A' {
		n := 1
		for n < len(code) && code[n]|0x20 == code[0]|0x20 {
			n++
		}
		return piece{kind: dateUnit, text: lower(n)}, n
	}
	n := characterLength(code)
	return piece{text: code[:n]}, n
}

// characterLength is how many bytes the first character has.
func characterLength(text string) int {
	for i := range text {
		if i > 0 {
			return i
		}
	}
	return len(text)
}

// bracket takes what stands in [ ]: a colour, a currency, a time that goes on behind 24 hours, or something unusual.
func bracket(code string) (piece, int) {
	inside, _, closed := strings.Cut(code[1:], "]")
	n := min(len(inside)+2, len(code))
	name := strings.ToLower(inside)
	switch {
	case !closed:
		return piece{kind: unusual}, n
	case strings.HasPrefix(name, "$"):
		currency, _, _ := strings.Cut(inside[1:], "-")
		return piece{text: currency}, n
	case name != "" && (strings.Trim(name, "h") == "" || strings.Trim(name, "m") == "" || strings.Trim(name, "s") == ""):
		return piece{kind: elapsed}, n
	case strings.HasPrefix(name, "color"):
		return piece{kind: nothing}, n
	case strings.HasPrefix(name, "dbnum"):
		return piece{kind: numerals}, n
	}
	for _, colour := range []string{"black", "blue", "cyan", "green", "magenta", "red", "white", "yellow"} {
		if name == colour {
			return piece{kind: nothing}, n
		}
	}
	return piece{kind: unusual}, n
}

// textPieces gives nil if a text stands alone, as it does where it would come more than once.
func textPieces(pieces []piece) []piece {
	out, texts := []piece{}, 0
	for _, p := range pieces {
		switch {
		case p.kind == letters:
			texts++
			out = append(out, p)
		case p.kind == literal && strings.TrimSpace(p.text) != "":
			out = append(out, p)
		case p.kind != literal && p.kind != nothing:
			return nil // it is one for numbers
		}
	}
	if texts > 1 || texts == len(out) && texts > 0 {
		return nil
	}
	return out
}

// understood gives nil where General is to be shown.
func (s *section) understood() *section {
	var kinds [nothing + 1]int
	for _, p := range s.pieces {
		kinds[p.kind]++
	}
	places := kinds[digit] + kinds[optional] + kinds[spaced]
	switch {
	case kinds[unusual]+kinds[inFull]+kinds[exponent] > 0:
		return nil
	case kinds[dateUnit]+kinds[elapsed] > 0:
		s.date = dateShapeOf(s.pieces)
		if s.date == nil {
			return nil
		}
		return s
	case places > 0 && kinds[slash] > 0, kinds[point] > 1, kinds[halfDay]+kinds[numerals] > 0:
		return nil
	}
	s.percent = kinds[percent]
	return s.places()
}

// places counts them, and gives nil if a comma behind the last one asks for thousands as units.
func (s *section) places() *section {
	behind, filled := false, false
	last := literal // of digits, points and commas
	for _, p := range s.pieces {
		switch p.kind {
		case digit, optional, spaced:
			filled = filled || p.kind == digit
			switch {
			case !behind:
				s.integers++
				if filled {
					s.least++
				}
			default:
				s.fraction++
				if p.kind == digit {
					s.leastAft = s.fraction
				}
			}
		case point:
			if last == comma {
				return nil
			}
			behind = true
		case comma:
			if behind || s.integers == 0 {
				return nil
			}
			s.thousands = true
		default:
			continue
		}
		last = p.kind
	}
	if last == comma {
		return nil
	}
	return s
}

// appendText appends a text as the format shows it.
func (f *format) appendText(dst, text []byte) []byte {
	if f.text == nil {
		return append(dst, text...)
	}
	for _, p := range f.text {
		if p.kind == letters {
			dst = append(dst, text...)
		} else {
			dst = append(dst, p.text...)
		}
	}
	return dst
}

// appendNumber appends what a cell with a number shows. raw is the number as the file has it; what is none comes as it stands.
func (f *format) appendNumber(dst, raw []byte, epoch epoch) []byte {
	if f.positive == nil && f.negative == nil && plainInteger(raw) {
		return append(dst, raw...)
	}
	n, ok := parseDecimal(bytes.TrimSpace(raw))
	if !ok {
		return f.appendText(dst, raw)
	}
	s, minus := f.positive, false
	if n.negative {
		s, minus = f.negative, f.minus
	}
	switch {
	case s == nil:
		return n.appendInFull(dst)
	case s.date != nil:
		if m, ok := epoch.moment(n); ok {
			return s.date.append(dst, m)
		}
		return n.appendInFull(dst)
	}
	return n.appendAs(dst, s, minus)
}

// appendMoment appends what a cell with a date shows that the file does not have as a number, as strict ones may.
func (f *format) appendMoment(dst, text []byte) []byte {
	m, ok := parseMoment(bytes.TrimSpace(text))
	switch {
	case !ok:
		return append(dst, text...)
	case f.positive != nil && f.positive.date != nil:
		return f.positive.date.append(dst, m)
	}
	return timeShape.append(dst, m)
}
