package api

import (
	"encoding/json"
	"strings"
	"testing"
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
		}
	})
}
