package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"customercenter/domain"
)

// checkText refuses what is not UTF-8 or holds NUL anywhere, written out or escaped. It looks at the bytes and not at the values,
// because decoding JSON mends broken text in silence.
func checkText(body []byte) *domain.Refusal {
	switch {
	case !utf8.Valid(body):
		return domain.Invalid("", ruleEncoding)
	case bytes.IndexByte(body, 0) >= 0:
		return domain.Invalid("", ruleNUL)
	}
	switch rule := checkEscapes(body); rule {
	case "":
		return nil
	case ruleNUL:
		return domain.Invalid(placeOfNUL(body), ruleNUL)
	default:
		return domain.Invalid("", rule)
	}
}

// checkEscapes looks for \u0000 and for halves of surrogate pairs, and returns the rule that is broken, if any.
func checkEscapes(body []byte) string {
	for rest := body; ; {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 || i+1 == len(rest) {
			return ""
		}
		code, ok := escaped(rest[i:])
		if !ok { // another escape; if it is a backslash, it is not the beginning of the next
			rest = rest[i+2:]
			continue
		}
		rest = rest[i+6:]
		switch {
		case code == 0:
			return ruleNUL
		case code >= 0xDC00 && code < 0xE000:
			return ruleEncoding
		case code >= 0xD800 && code < 0xDC00:
			if low, ok := escaped(rest); !ok || low < 0xDC00 || low >= 0xE000 {
				return ruleEncoding
			}
			rest = rest[6:]
		}
	}
}

// escaped reads an escape \uXXXX.
func escaped(b []byte) (uint64, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return code, err == nil
}

// placeOfNUL returns the path of the first text with a NUL in it; empty if it is in a name, or the body is no JSON.
func placeOfNUL(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return findNUL(v, "")
}

func findNUL(v any, at string) string {
	switch v := v.(type) {
	case string:
		if strings.IndexByte(v, 0) >= 0 {
			return at
		}
	case map[string]any:
		for name, member := range v {
			if plainName(name) {
				if place := findNUL(member, join(at, name)); place != "" {
					return place
				}
			}
		}
	case []any:
		for i, element := range v {
			if place := findNUL(element, fmt.Sprintf("%s[%d]", at, i)); place != "" {
				return place
			}
		}
	}
	return ""
}

// plainName reports whether the name of a member may be shown: one that looks like ours. Any other might be somebody's text.
func plainName(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
