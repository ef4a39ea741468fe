package filter

import (
	"cmp"
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

// ParseDecimal reads a number as JSON writes numbers, with or without exponent, into its shortest form. It reports false if that form has
// more than MaxDigits digits, or if s is no number.
func ParseDecimal(s string) (Decimal, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(digits), "e")
	whole, fraction, point := strings.Cut(mantissa, ".")
	if whole == "" || point && fraction == "" || !isDigits(whole) || !isDigits(fraction) {
		return "", false
	}
	shift := 0
	if scientific {
		// An exponent that is no int is out of reach whatever the digits, but of zero.
		n, err := strconv.Atoi(exponent)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return "", false
		}
		if shift = n; strings.Trim(whole+fraction, "0") == "" {
			shift = 0
		} else if shift < -len(s)-MaxDigits || shift > len(s)+MaxDigits {
			return "", false
		}
	}
	// The value is 0.all * 10^point.
	all, at := whole+fraction, len(whole)+shift
	trimmed := strings.TrimLeft(all, "0")
	at -= len(all) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return "0", true
	}
	var out string
	switch {
	case at <= 0: // 0.00ddd
		if 1-at+len(trimmed) > MaxDigits {
			return "", false
		}
		out = "0." + strings.Repeat("0", -at) + trimmed
	case at >= len(trimmed): // ddd00
		if at > MaxDigits {
			return "", false
		}
		out = trimmed + strings.Repeat("0", at-len(trimmed))
	default:
		if len(trimmed) > MaxDigits {
			return "", false
		}
		out = trimmed[:at] + "." + trimmed[at:]
	}
	if negative {
		out = "-" + out
	}
	return Decimal(out), true
}

func isDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// Compare is negative if d is less than other, zero if they are the same number, and positive if d is greater.
func (d Decimal) Compare(other Decimal) int {
	a, _ := d.parts()
	b, _ := other.parts()
	return a.compare(b)
}

// parts splits a decimal; false if it is none that fits.
func (d Decimal) parts() (fraction, bool) {
	f := fraction{over: 1}
	if d == "" {
		return f, false
	}
	digits, point := 0, false
	for i := 0; i < len(d); i++ {
		switch b := d[i]; {
		case b == '-' && i == 0:
			f.negative = true
		case b == '.' && !point:
			point = true
		case b >= '0' && b <= '9' && digits < 18:
			digits++
			f.mantissa = f.mantissa*10 + uint64(b-'0')
			if point {
				f.over *= 10
			}
		default:
			return fraction{over: 1}, false
		}
	}
	return f, digits > 0
}

// fraction is mantissa / over: a decimal, whose over is a power of ten up to 10^18, or an average. Two fractions are compared exactly.
type fraction struct {
	negative bool
	mantissa uint64
	over     uint64 // not 0
}

func whole(n int) fraction {
	if n < 0 {
		return fraction{negative: true, mantissa: uint64(-n), over: 1}
	}
	return fraction{mantissa: uint64(n), over: 1}
}

func (f fraction) compare(g fraction) int {
	if f.mantissa == 0 {
		f.negative = false
	}
	if g.mantissa == 0 {
		g.negative = false
	}
	if f.negative != g.negative {
		if f.negative {
			return -1
		}
		return 1
	}
	fHigh, fLow := bits.Mul64(f.mantissa, g.over)
	gHigh, gLow := bits.Mul64(g.mantissa, f.over)
	order := cmp.Compare(fHigh, gHigh)
	if order == 0 {
		order = cmp.Compare(fLow, gLow)
	}
	if f.negative {
		return -order
	}
	return order
}
