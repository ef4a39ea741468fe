package domain

import "customercenter/domain/text"

// NormalizeName returns the name of something in a catalogue as it is stored: trimmed and in NFC.
//
// Refused, all VALIDATION at name: characters (control characters, broken UTF-8), required, and too_long if it has more than max characters.
func NormalizeName(name string, max int) (string, error) {
	name, ok := text.Line(name)
	switch {
	case !ok:
		return "", Invalid("name", RuleCharacters)
	case name == "":
		return "", Invalid("name", RuleRequired)
	case text.Length(name) > max:
		return "", TooLong("name", max)
	}
	return name, nil
}
