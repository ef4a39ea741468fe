// Package text brings what people type into the form in which it is stored and compared.
//
// Lengths everywhere in the domain are Unicode characters (code points) after trimming and NFC, never bytes.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Line returns s trimmed of white space and in NFC, for a value of one line. It reports false, and no value, if s is not
// valid UTF-8 or holds control characters (NUL among them) or line breaks anywhere but at its ends.
// Applying it to its own result changes nothing.
func Line(s string) (string, bool) {
	return clean(s, func(r rune) bool { return false })
}

// Block is Line for a value of several lines: line feeds and tabs stay, and a carriage return with its line feed becomes a line feed.
func Block(s string) (string, bool) {
	return clean(strings.ReplaceAll(s, "\r\n", "\n"), func(r rune) bool { return r == '\n' || r == '\t' })
}

// Verbatim reports whether s may be stored exactly as it came: valid UTF-8 without NUL, which the database cannot hold.
func Verbatim(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// Length is the number of characters of s.
func Length(s string) int { return utf8.RuneCountInString(s) }

// Fold returns the form in which two texts are the same for a person: compatibility forms (full width, ligatures) made
// equal, trimmed, without difference of case. Applying it to its own result changes nothing.
func Fold(s string) string {
	// Folding can leave a sequence that normalises further and the other way round (U+0345, for one), so both run until
	// nothing moves. The number of rounds is bounded because each settles characters for good; in practice it is one.
	for range 4 {
		folded := strings.TrimSpace(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}

func clean(s string, allowed func(rune) bool) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	for _, r := range s {
		if (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') && !allowed(r) {
			return "", false
		}
	}
	return s, true
}
