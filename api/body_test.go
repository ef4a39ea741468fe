package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"customercenter/domain"
)

func FuzzCheckText(f *testing.F) {
	for _, seed := range []string{`"\u0000"`, `"\\u0000"`, `"\\\u0000"`, "\xff", `{"a":"b"}`, "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		if json.Unmarshal(text, &v) != nil {
			return
		}
		// Written anew, a text that passed holds no NUL; one that was refused for NUL does.
		again, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		switch checkText(text) {
		case "":
			if escapedNUL(again) && !strings.Contains(string(text), "u0000") {
				t.Errorf("%q passed", text)
			}
		case ruleNUL:
			if !strings.Contains(string(text), `\u0000`) {
				t.Errorf("%q was refused", text)
			}
		case domain.RuleTooDeep:
			if !tooDeep(again, maxDepth) {
				t.Errorf("%q was refused for its depth", text)
			}
		}
	})
}

// Of what is JSON, tooDeep says the same as a decoder that counts.
func FuzzTooDeep(f *testing.F) {
	for _, seed := range []string{`[[[]]]`, `{"a":[{"b":"]}\\\"{["}]}`, `[[],[],[[]]]`, `"[[[["`, `[[[[`, `]]]][[`, `"\\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		deep := tooDeep(text, 2)
		if !json.Valid(text) {
			return
		}
		depth, deepest := 0, 0
		for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
			token, err := decoder.Token()
			if err != nil {
				break
			}
			switch token {
			case json.Delim('['), json.Delim('{'):
				depth++
			case json.Delim(']'), json.Delim('}'):
				depth--
			}
			deepest = max(deepest, depth)
		}
		if deep != (deepest > 2) {
			t.Errorf("%q has %d levels, and is too deep: %v", text, deepest, deep)
		}
	})
}

// Whatever is uploaded is refused with a code, or is one file with a name, no larger than it may be. An error of another kind says that the form breaks off.
func FuzzUpload(f *testing.F) {
	const kind = "multipart/form-data; boundary=b"
	head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n"
	for _, seed := range []string{
		head + "ID\r\n--b--\r\n", head + "ID", head + "ID\r\n" + head + "ID\r\n--b--\r\n", "--b--\r\n", "",
		head + "ID\r\n--b\r\nContent-Disposition: form-data; name=\"dry_run\"\r\n\r\ntrue\r\n--b--\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''%00\r\n\r\nx\r\n--b--\r\n", head + strings.Repeat("x", 200) + "\r\n--b--\r\n",
	} {
		f.Add(kind, []byte(seed))
	}
	f.Add("multipart/mixed; boundary=b", []byte(head))
	f.Add("text/plain", []byte("x"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		up, _, err := readUpload(r, 100)
		if up != nil {
			defer up.close()
		}
		var refusal *domain.Refusal
		switch {
		case errors.Is(err, errKeep):
			t.Fatal(err)
		case errors.As(err, &refusal) && (refusal.Code == "" || refusal.Code == domain.CodeValidation && refusal.Location == ""):
			t.Errorf("refused with %v", refusal)
		case err == nil && (up == nil || up.file == nil || up.name == "" || up.size > 100):
			t.Errorf("%q became %+v", body, up)
		}
	})
}

// Whatever a cursor of outcomes says, it is refused or leads to a place there can be, and back to itself.
func FuzzPlace(f *testing.F) {
	for _, seed := range []string{`{"version":1}`, `{"version":-1}`, `{"version":9223372036854775807,"passed":9223372036854775807}`, `{}`, `null`, `[`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(seed)))
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := (&OutcomesPage{Cursor: cursor}).place()
		var refusal *domain.Refusal
		if err != nil {
			if !errors.As(err, &refusal) || refusal.Location != "query.cursor" {
				t.Errorf("%q is refused with %v", cursor, err)
			}
			return
		}
		text, err := placeCursor(p)
		again, err2 := (&OutcomesPage{Cursor: text}).place()
		if err != nil || cursor != "" && (err2 != nil || again != p) || cursor != "" && (p.Version < 1 || p.Passed < 0) {
			t.Errorf("%q is %+v, which is %q, which is %+v (%v, %v)", cursor, p, text, again, err, err2)
		}
	})
}
