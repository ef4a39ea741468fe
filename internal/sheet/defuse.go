package sheet

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// number is what begins like a formula and is a phone number or an amount: + and 7 to 15 digits, perhaps in groups of which the first
// ends with a space (+86 138-0013-8000), or - and a decimal of up to 15 digits. Groups with only hyphens between them are not among
// it: +86-138-0013-8000 would be shown as a difference.
var number = regexp.MustCompile(`^(\+[0-9]+|\+[0-9]{1,4} [0-9]+([ -][0-9]+){0,5}|-[0-9]+(\.[0-9]+)?)$`)

// defuse puts an apostrophe before what a spreadsheet program would run when it opens a csv: what begins, behind white space
// and invisible characters, with = + - @ in narrow or wide form, or has a tab or a line break among that white space. Programs show the
// apostrophe, and it stays when the file is read again, unless the reader takes it away: see Armed.
func defuse(text string) string {
	bare := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsControl(r) })
	if strings.ContainsAny(text[:len(text)-len(bare)], "\t\r\n") {
		return "'" + text
	}
	first, _ := utf8.DecodeRuneInString(bare)
	if bare == "" || !strings.ContainsRune("=+-@＝＋－＠", first) || harmless(text) {
		return text
	}
	return "'" + text
}

// harmless counts the digits that number leaves open.
func harmless(text string) bool {
	n := 0
	for _, b := range []byte(text) {
		if '0' <= b && b <= '9' {
			n++
		}
	}
	return n <= 15 && (n >= 7 || text[0] == '-') && number.MatchString(text)
}

// Armed takes the apostrophe away again that was put before a text so that no spreadsheet program runs it: for those who only store it.
func Armed(text string) string {
	if bare, quoted := strings.CutPrefix(text, "'"); quoted && defuse(bare) == text {
		return bare
	}
	return text
}
