package sheet

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const white = " \t\r\n" // white space, as XML knows it

// skip is where white space that begins at i ends.
func skip(b []byte, i int) int {
	for i < len(b) && special[b[i]]&isWhite != 0 {
		i++
	}
	return i
}

func trim(b []byte) []byte {
	b = b[skip(b, 0):]
	for len(b) > 0 && special[b[len(b)-1]]&isWhite != 0 {
		b = b[:len(b)-1]
	}
	return b
}

const (
	isWhite    = 1 << iota // white space
	isName                 // may stand in a name
	isResolved             // must be looked at, where text is resolved
)

// special tells what is to be known about a byte, without a branch for each kind.
var special = func() (table [256]uint8) {
	for i := range table {
		b := byte(i)
		switch {
		case b == '\t', b == '\n', b == ' ':
			table[i] = isWhite
		case b == '\r':
			table[i] = isWhite | isResolved
		case b < ' ', b == '&', b == '<', b == '>', b >= utf8.RuneSelf:
			table[i] = isResolved
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '_', b == ':', b == '-', b == '.':
			table[i] = isName
		}
	}
	return table
}()

// nameLength is how many bytes at the beginning of b could be a name.
func nameLength(b []byte) int {
	i := 0
	for i < len(b) && special[b[i]]&isName != 0 {
		i++
	}
	return i
}

// local is the name without its prefix, and nil if it is none. Names that are not ASCII, which no spreadsheet program gives, are none.
func local(full []byte) []byte {
	name := full
	if colon := bytes.IndexByte(full, ':'); colon >= 0 {
		if name = full[colon+1:]; !begins(full) || bytes.IndexByte(name, ':') >= 0 {
			return nil
		}
	}
	if !begins(name) || len(full) > maxName {
		return nil
	}
	return name
}

// begins tells whether a name may begin as b does.
func begins(b []byte) bool {
	return len(b) > 0 && ('a' <= b[0] && b[0] <= 'z' || 'A' <= b[0] && b[0] <= 'Z' || b[0] == '_')
}

// allPlain tells whether resolve would change nothing, and find nothing wrong.
func allPlain(b []byte) bool {
	for _, c := range b {
		if special[c]&isResolved != 0 {
			return false
		}
	}
	return true
}

// place is where text stands: what may be in it differs.
type place uint8

const (
	inText place = iota
	inAttribute
	inSection // between <![CDATA[ and ]]>
)

// resolve puts characters in place of references to them, and one line feed for every line break, in place: text only gets shorter by that.
// It reports false for what is no XML: bytes that are not UTF-8, characters that XML cannot hold, references to anything but a character.
func resolve(b []byte, where place) ([]byte, bool) {
	i := 0
	for i < len(b) && special[b[i]]&isResolved == 0 {
		i++
	}
	if i == len(b) {
		return b, true
	}
	if where == inText && bytes.Contains(b, []byte("]]>")) {
		return nil, false
	}
	to := i
	for i < len(b) {
		c := b[i]
		switch {
		case special[c]&isResolved == 0, c == '>':
			b[to] = c
			to++
			i++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
				return nil, false
			}
			to += copy(b[to:], b[i:i+n])
			i += n
		case c == '\r':
			if i++; i == len(b) || b[i] != '\n' {
				b[to] = '\n'
				to++
			}
		case where == inSection && (c == '&' || c == '<'):
			b[to] = c
			to++
			i++
		case c == '&':
			r, n := reference(b[i:])
			if n == 0 {
				return nil, false
			}
			to += utf8.EncodeRune(b[to:to+utf8.RuneLen(r)], r)
			i += n
		default: // a control character, or < in an attribute
			return nil, false
		}
	}
	return b[:to], true
}

// reference reads &amp; or &#38; or &#x26; at the beginning of b, and tells how long that is, 0 if it is nothing that XML knows by itself.
func reference(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), 16)], ';')
	if end < 0 {
		return 0, 0
	}
	name := b[1:end]
	switch string(name) {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, 0
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	r := rune(n)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) || r == 0xFFFE || r == 0xFFFF || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
		return 0, 0
	}
	return r, end + 1
}

// declared tells whether what stands between <? and ?> can be read: all but the declaration of an encoding that is not UTF-8, or of a
// version of XML that is not 1.0. Spreadsheet programs write nothing else.
func declared(b []byte) bool {
	n := nameLength(b)
	if !bytes.EqualFold(b[:n], []byte("xml")) {
		return begins(b)
	}
	for at := n; ; {
		before := at
		if at = skip(b, at); at == len(b) {
			return string(b[:n]) == "xml"
		}
		a, used, ok := takeAttribute(b[at:])
		if !ok || used == 0 || before == at {
			return false
		}
		switch value := string(a.value); string(a.full) {
		case "version":
			ok = value == "1.0"
		case "encoding":
			ok = strings.EqualFold(value, "utf-8")
		case "standalone":
			ok = value == "yes" || value == "no"
		default:
			ok = false
		}
		if !ok {
			return false
		}
		at += used
	}
}

// unescape puts characters in place of what spreadsheet programs write for those that XML cannot hold: _x000D_, and _x005F_ for a _ before
// what only looks like that. It works in place. Half a surrogate pair becomes U+FFFD.
func unescape(b []byte) []byte {
	i := bytes.Index(b, []byte("_x"))
	if i < 0 {
		return b
	}
	to := i
	for i < len(b) {
		unit, ok := escapedUnit(b[i:])
		if !ok {
			b[to] = b[i]
			to++
			i++
			continue
		}
		i += escapeLength
		r := rune(unit)
		if utf16.IsSurrogate(r) {
			second, _ := escapedUnit(b[i:])
			if r = utf16.DecodeRune(r, rune(second)); r != utf8.RuneError {
				i += escapeLength
			}
		}
		to += utf8.EncodeRune(b[to:to+utf8.RuneLen(r)], r)
	}
	return b[:to]
}

const escapeLength = len("_x0041_")

// escapedUnit reads the UTF-16 code unit that is written at the beginning of b.
func escapedUnit(b []byte) (uint16, bool) {
	if len(b) < escapeLength || b[0] != '_' || b[1] != 'x' || b[6] != '_' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return uint16(n), err == nil
}
