package api

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"customercenter/domain"
)

// readAll reads to the end. size is how much is expected, negative if nobody knows.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(r)
	}
	body := make([]byte, size)
	n, err := io.ReadFull(r, body)
	return body[:n], err
}

func newReader(body []byte) io.Reader { return bytes.NewReader(body) }

// checkText returns the rule that a JSON text breaks: ruleEncoding unless it is UTF-8, ruleNUL if it holds NUL, plain or escaped, which
// the database cannot store, domain.RuleTooDeep beyond maxDepth. It returns "" for what may pass. That it is JSON at all is found out later.
func checkText(text []byte) string {
	if !utf8.Valid(text) {
		return ruleEncoding
	}
	if bytes.IndexByte(text, 0) >= 0 || escapedNUL(text) {
		return ruleNUL
	}
	if tooDeep(text, maxDepth) {
		return domain.RuleTooDeep
	}
	return ""
}

// escapedNUL reports whether a JSON text holds the escape of NUL. A backslash that is escaped itself begins none.
func escapedNUL(text []byte) bool {
	escape := []byte(`\u0000`)
	for from := 0; ; {
		i := bytes.Index(text[from:], escape)
		if i < 0 {
			return false
		}
		i += from
		before := 0
		for before < i && text[i-before-1] == '\\' {
			before++
		}
		if before%2 == 0 {
			return true
		}
		from = i + 1
	}
}

// marshal is how JSON is written everywhere: compact, one line, with <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// tooDeep reports whether more objects and lists of a JSON text lie within each other than may. It reads no further than it has to, so it is asked
// before anything is taken apart.
func tooDeep(text []byte, most int) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
