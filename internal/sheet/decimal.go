package sheet

import (
	"bytes"
	"strconv"
)

// mostDigits is how many digits of a number spreadsheet programs know. Programs write up to 17 of a decimal, as 0.30000000000000004 for 0.3.
const mostDigits = 15

// decimal is a number: 0.digits × 10^point. There is no zero at the ends of digits, and none of them are there for 0.
type decimal struct {
	digits   []byte
	point    int
	negative bool
}

// plainInteger tells whether a number is shown as the file has it.
func plainInteger(raw []byte) bool {
	return len(raw) > 0 && digitsLength(raw) == len(raw) && (raw[0] != '0' || len(raw) == 1)
}

func digitsLength(b []byte) int {
	i := 0
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// parseDecimal reads a decimal with or without an exponent, and reports false for everything else, so for what is out of the range of a
// float64 behind an exponent. Whole numbers keep all digits, as identity numbers have 18; others are rounded to mostDigits. It may use up raw.
func parseDecimal(raw []byte) (decimal, bool) {
	n, b := decimal{}, raw
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		n.negative = b[0] == '-'
		b = b[1:]
	}
	whole := digitsLength(b)
	rest := b[whole:]
	var fraction []byte
	if len(rest) > 0 && rest[0] == '.' {
		fraction = rest[1 : 1+digitsLength(rest[1:])]
		rest = rest[1+len(fraction):]
	}
	if whole+len(fraction) == 0 {
		return n, false
	}
	fraction = bytes.TrimRight(fraction, "0")
	if len(rest) > 0 || len(fraction) > 0 && len(bytes.TrimLeft(b[:whole], "0"))+len(fraction) > mostDigits {
		return parseFloat(raw, rest)
	}
	n.digits = b[:whole+copy(b[whole:], fraction)] // over the point
	n.point = whole
	return n.trimmed(), true
}

// parseFloat reads what has an exponent, which rest is, or very many digits.
func parseFloat(raw, rest []byte) (decimal, bool) {
	if len(rest) > 0 {
		if rest[0] != 'e' && rest[0] != 'E' {
			return decimal{}, false
		}
		rest = rest[1:]
		if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
			rest = rest[1:]
		}
		if len(rest) == 0 || digitsLength(rest) < len(rest) {
			return decimal{}, false
		}
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return decimal{}, false
	}
	var room [32]byte
	text := strconv.AppendFloat(room[:0], v, 'e', mostDigits-1, 64)
	n := decimal{negative: text[0] == '-', point: 1}
	mantissa, exponent, _ := bytes.Cut(bytes.TrimLeft(text, "-"), []byte("e"))
	n.digits = append([]byte{mantissa[0]}, mantissa[2:]...)
	shift, _ := strconv.Atoi(string(exponent)) // strconv wrote it
	n.point += shift
	return n.trimmed(), true
}

func (n decimal) trimmed() decimal {
	for len(n.digits) > 0 && n.digits[0] == '0' {
		n.digits = n.digits[1:]
		n.point--
	}
	n.digits = bytes.TrimRight(n.digits, "0")
	if len(n.digits) == 0 {
		return decimal{}
	}
	return n
}

// appendInFull appends it as General shows it, but never with an exponent.
func (n decimal) appendInFull(dst []byte) []byte {
	if n.negative {
		dst = append(dst, '-')
	}
	if n.point <= 0 {
		dst = append(dst, '0')
	}
	for i := range n.point {
		dst = append(dst, n.at(i))
	}
	if len(n.digits) > n.point {
		dst = append(dst, '.')
		for i := n.point; i < len(n.digits); i++ {
			dst = append(dst, n.at(i))
		}
	}
	return dst
}

// at gives the digit with which digits goes on, or would go on, at i.
func (n decimal) at(i int) byte {
	if i < 0 || i >= len(n.digits) {
		return '0'
	}
	return n.digits[i]
}

// rounded keeps so many digits behind the point. A half goes away from zero, and is one of the decimal that is shown: 1.005 becomes 1.01, as
// in spreadsheet programs, though it is a little less as a float64.
func (n decimal) rounded(places int) decimal {
	keep := n.point + places
	switch {
	case keep >= len(n.digits):
		return n
	case keep < 0:
		return decimal{}
	}
	up := n.digits[keep] >= '5'
	digits := append(make([]byte, 0, keep+1), n.digits[:keep]...)
	for i := keep - 1; i >= 0 && up; i-- {
		if up = digits[i] == '9'; up {
			digits[i] = '0'
		} else {
			digits[i]++
		}
	}
	n.digits = digits
	if up {
		n.digits = append([]byte{'1'}, digits...)
		n.point++
	}
	return n.trimmed()
}

// appendAs appends it as a section shows it. Places before the point take the digits from the right, and the first one takes those that
// are left over.
func (n decimal) appendAs(dst []byte, s *section, minus bool) []byte {
	if minus {
		dst = append(dst, '-')
	}
	if len(n.digits) > 0 {
		n.point += 2 * s.percent
	}
	n = n.rounded(s.fraction)
	left := max(n.point, s.least, 1) // digits before the point that are not there yet
	before := func(until int) {
		for ; left > until; left-- {
			dst = append(dst, n.at(n.point-left))
			if s.thousands && left > 1 && left%3 == 1 {
				dst = append(dst, ',')
			}
		}
	}
	after := max(s.leastAft, min(len(n.digits)-n.point, s.fraction)) // digits behind the point
	places, behind, j := s.integers, false, 0
	for _, p := range s.pieces {
		switch p.kind {
		case literal:
			dst = append(dst, p.text...)
		case percent:
			dst = append(dst, '%')
		case point:
			if s.integers == 0 {
				before(0)
			}
			if behind = true; after > 0 {
				dst = append(dst, '.')
			}
		case digit, optional, spaced:
			switch {
			case !behind:
				places--
				if p.kind == spaced && left <= places {
					dst = append(dst, ' ')
				}
				before(places)
			case j < after:
				dst = append(dst, n.at(n.point+j))
			case p.kind == spaced:
				dst = append(dst, ' ')
			}
			if behind {
				j++
			}
		}
	}
	return dst
}
